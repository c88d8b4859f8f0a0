// The worker of `webEngine`, with ways to break it and to look into it: tests tell it by a channel, or by its address, whose `memory` limits
// that of WebAssembly (MB), whose `buffers` those that a shader binds, and whose `gpu` the memory of the GPU (bytes).

import { experimental_writeModel as writeModel } from "@microturn/core/model";

const { searchParams } = new URL(location.href);

/** GPU devices of this thread. */
const devices: GPUDevice[] = [];
/** Buffers of theirs that were not let go, and their bytes. */
const held = { buffers: 0, bytes: 0 };
if (globalThis.GPUAdapter !== undefined) {
  const { requestDevice } = GPUAdapter.prototype;
  GPUAdapter.prototype.requestDevice = async function (...options) {
    const device = await requestDevice.apply(this, options);
    devices.push(device);
    return device;
  };
  const { createBuffer } = GPUDevice.prototype;
  const { destroy } = GPUBuffer.prototype;
  const alive = new WeakSet<GPUBuffer>();
  const mostBytes = Number(searchParams.get("gpu") ?? Number.POSITIVE_INFINITY);
  GPUDevice.prototype.createBuffer = function (descriptor) {
    if (held.bytes + descriptor.size > mostBytes) {
      if (descriptor.mappedAtCreation) throw new RangeError("createBuffer failed: no memory left to map it");
      // What is given then is a buffer with which nothing can be done: as one whose uses exclude each other.
      const usage = GPUBufferUsage.MAP_READ | GPUBufferUsage.MAP_WRITE | descriptor.usage;
      return createBuffer.call(this, { ...descriptor, usage });
    }
    const buffer = createBuffer.call(this, descriptor);
    alive.add(buffer);
    held.buffers++;
    held.bytes += buffer.size;
    return buffer;
  };
  GPUBuffer.prototype.destroy = function () {
    if (alive.delete(this)) {
      held.buffers--;
      held.bytes -= this.size;
    }
    return destroy.call(this);
  };
}

const bound = searchParams.get("buffers");
if (bound !== null) {
  Object.defineProperty(GPUSupportedLimits.prototype, "maxStorageBuffersPerShaderStage", { get: () => Number(bound) });
}
const limit = searchParams.get("memory");
let mostBytes = limit === null ? Number.POSITIVE_INFINITY : Number(limit) * 2 ** 20;
const pageBytes = 65_536;
WebAssembly.Memory = class extends WebAssembly.Memory {
  constructor(descriptor: WebAssembly.MemoryDescriptor) {
    if (descriptor.initial * pageBytes > mostBytes) {
      throw new RangeError("WebAssembly.Memory(): could not allocate memory");
    }
    super(descriptor);
  }

  override grow(pages: number): number {
    if (this.buffer.byteLength + pages * pageBytes > mostBytes) {
      throw new RangeError("WebAssembly.Memory.grow(): Unable to grow instance memory");
    }
    return super.grow(pages);
  }
};

/** Uses up the runtime's memory, but for pieces too small for a run, and lets it have no more. */
async function fillMemory(): Promise<void> {
  mostBytes = 0;
  const { InferenceSession } = await import("onnxruntime-web/wasm");
  for (let bytes = 2 ** 22; bytes >= 2 ** 14; bytes /= 2) {
    try {
      for (;;) await InferenceSession.create(sumWith(new Float32Array(bytes / 4)));
    } catch {
      // No piece of this size is left.
    }
  }
}

/** A graph that has these numbers in it. */
function sumWith(numbers: Float32Array): Uint8Array {
  const value = (name: string, shape: number[]) => ({ name, type: "float32", shape }) as const;
  const bytes = new Uint8Array(numbers.buffer);
  return writeModel(
    {
      name: "sum",
      nodes: [{ name: "sum", op: "Add", domain: "", inputs: ["a", "b"], outputs: ["c"], attributes: {} }],
      constants: [{ ...value("b", [numbers.length]), bytes }],
      inputs: [value("a", [1])],
      outputs: [value("c", [numbers.length])],
    },
    { opset: 21, producer: "microturn" },
  );
}

// Held for as long as it lives: other tabs can look.
void navigator.locks?.request(`worker ${Math.random()}`, () => new Promise(() => {}));

const channel = new BroadcastChannel("break");
channel.addEventListener("message", async ({ data }) => {
  if (data === "memory") await fillMemory();
  channel.postMessage(data === "held" ? { ...held } : "breaking");
  if (data === "gpu") for (const device of devices.splice(0)) device.destroy();
  if (data === "worker") {
    setTimeout(() => {
      throw new Error("it was told to break");
    });
  }
});

await import("../worker.js");
