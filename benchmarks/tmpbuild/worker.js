import {createRequire as __cr} from 'module'; const require=__cr(import.meta.url);

// packages/backend-node/src/worker.ts
import { parentPort } from "node:worker_threads";

// packages/backend-node/src/messages.ts
var Fault = class extends Error {
  constructor(code, message) {
    super(message);
    this.code = code;
  }
  code;
};

// packages/backend-node/src/runtime.ts
import { mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join as join2 } from "node:path";

// packages/backend-node/src/state-store.ts
function makeTensor(ort, type, data, dims) {
  if (type === "float32") return new ort.Tensor("float32", data, dims);
  if (type === "int32") return new ort.Tensor("int32", data, dims);
  return new ort.Tensor(type, data, dims);
}
function rowLength(spec) {
  return spec.shape.reduce((product2, size) => product2 * size, 1);
}
function freshData(spec, count) {
  const data = zeroed(spec.type, count);
  const initial = spec.initial ?? 0;
  return initial === 0 ? data : data.fill(initial);
}
function ringPosition({ sinkTurns, ringTurns, rowsPerTurn }, turn) {
  const slot = turn < sinkTurns ? turn : sinkTurns + (turn - sinkTurns) % ringTurns;
  return slot * rowsPerTurn;
}
function zeroed(type, count) {
  if (type === "float32") return new Float32Array(count);
  if (type === "int32") return new Int32Array(count);
  return new Uint8Array(count);
}

// packages/backend-node/src/device-state.ts
var DeviceState = class _DeviceState {
  constructor(ort, tools, specs, batch) {
    this.ort = ort;
    this.tools = tools;
    this.batch = batch;
    this.#specs = specs;
    this.#tensors = {};
    this.#counters = {};
    for (const spec of specs) {
      const data = freshData(spec, batch * rowLength(spec));
      if (spec.update.kind === "counter") this.#counters[spec.input] = data;
      else this.#tensors[spec.input] = makeTensor(ort, spec.type, data, [batch, ...spec.shape]);
    }
  }
  ort;
  tools;
  batch;
  #specs;
  /** Every piece but counters, by input name. A fresh state starts in host memory and moves with its first run. */
  #tensors;
  /** Counters stay in host memory: they are a few bytes, and no output renews them. */
  #counters;
  feed(feeds) {
    for (const spec of this.#specs) {
      const counter = this.#counters[spec.input];
      feeds[spec.input] = counter === void 0 ? this.#tensors[spec.input] : makeTensor(this.ort, "int32", counter, [this.batch, ...spec.shape]);
    }
  }
  async renew(outputs, active) {
    const fresh = {};
    for (const spec of this.#specs) {
      if (spec.output === void 0) continue;
      const output = outputs[spec.output];
      if (output.dims.length !== spec.shape.length + 1 || spec.shape.some((size, axis) => size !== output.dims[axis + 1])) {
        throw new Fault(
          "BACKEND_FAILED",
          `run: state output "${spec.output}" is [${output.dims}], expected the whole buffer [${[this.batch, ...spec.shape]}]; build the graph for state form "whole", as capabilities.target says`
        );
      }
      fresh[spec.input] = output;
    }
    if (active === void 0 || active.every((flag) => flag === 1)) {
      this.#swap(fresh);
    } else {
      const merged = await this.#merge(active, fresh);
      for (const tensor of Object.values(fresh)) tensor.dispose();
      this.#swap(merged);
    }
    for (const counter of Object.values(this.#counters)) {
      for (let row = 0; row < this.batch; row++) if (active === void 0 || active[row] === 1) counter[row] += 1;
    }
  }
  async read(row) {
    const feeds = { row: makeTensor(this.ort, "int32", Int32Array.of(row), [1]) };
    for (const [name, tensor] of Object.entries(this.#tensors)) feeds[`old_${name}`] = tensor;
    const rows = await this.tools.read.run(feeds);
    return this.#specs.map((spec) => {
      const counter = this.#counters[spec.input];
      if (counter !== void 0) return counter.slice(row, row + 1);
      return rows[`out_${spec.input}`].data;
    });
  }
  async write(row, data) {
    const mask = new Uint8Array(this.batch);
    mask[row] = 1;
    const fresh = {};
    this.#specs.forEach((spec, index) => {
      const value = data?.[index] ?? freshData(spec, rowLength(spec));
      const counter = this.#counters[spec.input];
      if (counter !== void 0) counter[row] = value[0];
      else fresh[spec.input] = makeTensor(this.ort, spec.type, value, [1, ...spec.shape]);
    });
    this.#swap(await this.#merge(mask, fresh));
  }
  async clone() {
    const copy = new _DeviceState(this.ort, this.tools, this.#specs, this.batch);
    copy.#tensors = await this.#merge(new Uint8Array(this.batch), copy.#tensors);
    for (const [name, counter] of Object.entries(this.#counters)) copy.#counters[name].set(counter);
    return copy;
  }
  dispose() {
    this.#swap({});
  }
  /** New tensors with the rows of `fresh` where the mask is 1 and the present rows elsewhere. */
  async #merge(mask, fresh) {
    const feeds = { mask: makeTensor(this.ort, "bool", mask, [this.batch]) };
    for (const [name, tensor] of Object.entries(this.#tensors)) {
      feeds[`old_${name}`] = tensor;
      feeds[`new_${name}`] = fresh[name];
    }
    const outputs = await this.tools.merge.run(feeds);
    const merged = {};
    for (const name of Object.keys(this.#tensors)) merged[name] = outputs[`out_${name}`];
    return merged;
  }
  #swap(tensors) {
    for (const tensor of Object.values(this.#tensors)) tensor.dispose();
    this.#tensors = tensors;
  }
};

// packages/backend-node/src/graph-check.ts
function checkSignature(session, { inputs, outputs, state }) {
  const stateInputs = state.map(({ input, type, shape }) => ({ name: input, type, shape: [-1, ...shape] }));
  const stateOutputs = state.flatMap(({ output, type }) => output === void 0 ? [] : [{ name: output, type }]);
  const names = new Set([...inputs, ...stateInputs].map((spec) => spec.name));
  for (const name of session.inputNames) {
    if (!names.has(name))
      throw new Fault("MODEL_INVALID", `load: the graph takes an input "${name}" that nobody gives`);
  }
  for (const spec of [...inputs, ...stateInputs]) {
    const meta = session.inputMetadata.find((value) => value.name === spec.name);
    const got = describe("input", meta, spec);
    const same = got.shape.length === spec.shape.length && got.shape.every((size, axis) => typeof size === "string" || size === spec.shape[axis]);
    if (!same) {
      throw new Fault(
        "MODEL_INVALID",
        `load: input "${spec.name}" is [${got.shape}] in the graph, expected [${spec.shape}]`
      );
    }
  }
  for (const spec of [...outputs, ...stateOutputs]) {
    describe(
      "output",
      session.outputMetadata.find((value) => value.name === spec.name),
      spec
    );
  }
}
function describe(kind, meta, spec) {
  if (meta === void 0) throw new Fault("MODEL_INVALID", `load: the graph has no ${kind} "${spec.name}"`);
  if (!meta.isTensor || meta.type !== spec.type) {
    const got = meta.isTensor ? meta.type : "no tensor";
    throw new Fault("MODEL_INVALID", `load: ${kind} "${spec.name}" is ${got} in the graph, expected ${spec.type}`);
  }
  return meta;
}

// packages/backend-node/src/host-state.ts
var HostState = class _HostState {
  constructor(ort, specs, batch) {
    this.ort = ort;
    this.specs = specs;
    this.batch = batch;
    this.#pieces = specs.map((spec) => {
      const length = rowLength(spec);
      const data = freshData(spec, batch * length);
      return { spec, rowLength: length, data, tensor: makeTensor(ort, spec.type, data, [batch, ...spec.shape]) };
    });
    this.#turns = this.#pieces.find((piece) => piece.spec.update.kind === "counter")?.data;
  }
  ort;
  specs;
  batch;
  #pieces;
  /** The counter's data: the turn that each row is at. */
  #turns;
  feed(feeds) {
    for (const piece of this.#pieces) feeds[piece.spec.input] = piece.tensor;
  }
  async renew(outputs, active) {
    const someActive = active?.includes(0) ? active : void 0;
    const renewals = this.#pieces.flatMap((piece) => {
      if (piece.spec.output === void 0) return [];
      const output = outputs[piece.spec.output];
      return [{ piece, output, ring: newRows(piece, output) }];
    });
    for (const { piece, output, ring } of renewals) {
      if (ring === void 0) this.#replace(piece, output, someActive);
      else this.#writeRows(piece, ring, output, someActive);
    }
    for (let row = 0; this.#turns !== void 0 && row < this.batch; row++) {
      if (someActive === void 0 || someActive[row] === 1) this.#turns[row] += 1;
    }
  }
  #writeRows(piece, ring, output, active) {
    const source = output.data;
    const shape = piece.spec.shape;
    const inner = product(shape.slice(ring.axis + 1));
    const outer = product(shape.slice(0, ring.axis));
    const block = ring.rowsPerTurn * inner;
    for (let row = 0; row < this.batch; row++) {
      if (active !== void 0 && active[row] !== 1) continue;
      const position = ringPosition(ring, this.#turns?.[row] ?? 0) * inner;
      for (let index = 0; index < outer; index++) {
        const from = (row * outer + index) * block;
        const to = row * piece.rowLength + index * shape[ring.axis] * inner + position;
        piece.data.set(source.subarray(from, from + block), to);
      }
    }
  }
  #replace(piece, output, active) {
    const source = output.data;
    if (active === void 0) {
      piece.data = source;
      piece.tensor = output;
      return;
    }
    for (let row = 0; row < this.batch; row++) {
      if (active[row] !== 1) continue;
      const start = row * piece.rowLength;
      piece.data.set(source.subarray(start, start + piece.rowLength), start);
    }
  }
  async read(row) {
    return this.#pieces.map((piece) => piece.data.slice(row * piece.rowLength, (row + 1) * piece.rowLength));
  }
  async write(row, data) {
    this.#pieces.forEach((piece, index) => {
      piece.data.set(data?.[index] ?? freshData(piece.spec, piece.rowLength), row * piece.rowLength);
    });
  }
  async clone() {
    const copy = new _HostState(this.ort, this.specs, this.batch);
    this.#pieces.forEach((piece, index) => {
      copy.#pieces[index].data.set(piece.data);
    });
    return copy;
  }
  dispose() {
  }
};
function newRows({ spec, tensor }, output) {
  const { update } = spec;
  const whole = tensor.dims;
  if (output.dims.length === whole.length && output.dims.every((size, axis) => size === whole[axis])) return void 0;
  const rows = update.kind === "ring" ? whole.map((size, axis) => axis === update.axis + 1 ? update.rowsPerTurn : size) : whole;
  if (update.kind === "ring" && output.dims.length === rows.length && output.dims.every((size, axis) => size === rows[axis])) {
    return update;
  }
  throw new Fault(
    "BACKEND_FAILED",
    `run: state output "${spec.output}" is [${output.dims}], expected [${whole}]${rows === whole ? "" : ` or new rows [${rows}]`}`
  );
}
function product(sizes) {
  return sizes.reduce((total, size) => total * size, 1);
}

// packages/backend-node/src/packing.ts
var alignment = 64;
function feedLayout(inputs, batch) {
  const entries = [];
  let byteOffset = 0;
  for (const { name, type, shape: specShape } of inputs) {
    const shape = specShape.map((size) => size === -1 ? batch : size);
    const length = shape.reduce((product2, size) => product2 * size, 1);
    entries.push({ name, type, shape, byteOffset, length });
    byteOffset += Math.ceil(length * bytesPerElement(type) / alignment) * alignment;
  }
  return { byteLength: byteOffset, entries };
}
function viewOf(buffer, type, byteOffset, length) {
  if (type === "float32") return new Float32Array(buffer, byteOffset, length);
  if (type === "int32") return new Int32Array(buffer, byteOffset, length);
  return new Uint8Array(buffer, byteOffset, length);
}
function bytesPerElement(type) {
  return type === "float32" || type === "int32" ? 4 : 1;
}

// packages/backend-node/src/providers.ts
import { existsSync } from "node:fs";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
var profileNames = {
  cpu: "CPUExecutionProvider",
  cuda: "CUDAExecutionProvider",
  webgpu: "WebGpuExecutionProvider"
};
var cudaFile = "libonnxruntime_providers_cuda.so";
function cudaFilesPresent() {
  const entry = createRequire(import.meta.url).resolve("onnxruntime-node");
  return existsSync(join(dirname(entry), "..", "bin", "napi-v6", process.platform, process.arch, cudaFile));
}

// packages/backend-node/src/runtime.ts
var Runtime = class {
  #ort;
  #options = {};
  #loaded = /* @__PURE__ */ new Map();
  /** Does what a request asks. Buffers to hand over with the answer are pushed to `transfer`. */
  async answer(request, transfer) {
    switch (request.kind) {
      case "start":
        return this.#start(request);
      case "load":
        return this.#load(request);
      case "run":
        return this.#run(request, transfer);
      case "create-state": {
        const loaded = this.#get(request.executable);
        const { tools } = loaded;
        const store = tools === void 0 ? new HostState(this.#runtime(), loaded.state, request.batch) : new DeviceState(this.#runtime(), tools, loaded.state, request.batch);
        loaded.states.set(request.state, store);
        return void 0;
      }
      case "clone-state": {
        const loaded = this.#get(request.executable);
        loaded.states.set(request.state, await stateOf(loaded, request.from).clone());
        return void 0;
      }
      case "read-row": {
        const data = await stateOf(this.#get(request.executable), request.state).read(request.row);
        for (const array of data) transfer.push(array.buffer);
        return data;
      }
      case "write-row":
        await stateOf(this.#get(request.executable), request.state).write(request.row, request.data);
        return void 0;
      case "dispose-state": {
        const states = this.#loaded.get(request.executable)?.states;
        states?.get(request.state)?.dispose();
        states?.delete(request.state);
        return void 0;
      }
      case "dispose-executable":
        await this.#dispose(request.executable);
        return void 0;
      case "close":
        for (const id of [...this.#loaded.keys()]) await this.#dispose(id);
        return void 0;
    }
  }
  async #start(request) {
    this.#ort = await loadRuntime();
    this.#ort.env.logLevel = "error";
    const trials = [];
    for (const provider of request.providers) {
      this.#options = sessionOptions(provider, request);
      const reason = await tryProvider(this.#ort, provider, this.#options, request.probe);
      trials.push(reason === void 0 ? { provider } : { provider, reason });
      if (reason === void 0) break;
    }
    return trials;
  }
  async #load(request) {
    const { InferenceSession } = this.#runtime();
    const { onnx, externalData, inputs, outputs, state, device } = request;
    const stateOutputs = state.flatMap((spec) => spec.output === void 0 ? [] : [spec.output]);
    const sessions = [];
    const open = async (model, onDevice) => {
      const session = await InferenceSession.create(model, {
        ...this.#options,
        ...externalData.length > 0 && model === onnx ? { externalData: [...externalData] } : {},
        ...onDevice.length > 0 ? { preferredOutputLocation: Object.fromEntries(onDevice.map((name) => [name, "gpu-buffer"])) } : {}
      });
      sessions.push(session);
      return session;
    };
    try {
      const session = await open(onnx, device === void 0 ? [] : stateOutputs);
      checkSignature(session, request);
      const merged = state.filter((spec) => spec.output !== void 0).map((spec) => `out_${spec.input}`);
      const tools = device === void 0 ? void 0 : { merge: await open(device.merge, merged), read: await open(device.read, []) };
      this.#loaded.set(request.executable, { session, inputs, outputs, state, tools, states: /* @__PURE__ */ new Map() });
      return void 0;
    } catch (error) {
      for (const session of sessions) await session.release();
      throw error instanceof Fault ? error : new Fault("MODEL_INVALID", `load: the runtime refused the graph: ${text(error)}`);
    }
  }
  async #run(request, transfer) {
    const loaded = this.#get(request.executable);
    const state = stateOf(loaded, request.state);
    const feeds = {};
    for (const { name, type, shape, byteOffset, length } of feedLayout(loaded.inputs, state.batch).entries) {
      feeds[name] = makeTensor(this.#runtime(), type, viewOf(request.feeds, type, byteOffset, length), shape);
    }
    state.feed(feeds);
    let results;
    let runMs;
    try {
      const start = performance.now();
      results = await loaded.session.run(feeds);
      runMs = performance.now() - start;
    } catch (error) {
      throw new Fault("BACKEND_FAILED", `run: the runtime failed: ${text(error)}`);
    }
    let outputs;
    try {
      outputs = loaded.outputs.map((spec) => outputData(spec, state.batch, results[spec.name]));
      await state.renew(results, request.active);
    } catch (error) {
      for (const value of Object.values(results)) value.dispose();
      throw error;
    }
    for (const data of outputs) transfer.push(data.buffer);
    transfer.push(request.feeds);
    return { outputs, runMs, feeds: request.feeds };
  }
  async #dispose(id) {
    const loaded = this.#loaded.get(id);
    if (loaded === void 0) return;
    this.#loaded.delete(id);
    for (const state of loaded.states.values()) state.dispose();
    await loaded.session.release();
    await loaded.tools?.merge.release();
    await loaded.tools?.read.release();
  }
  #get(id) {
    const loaded = this.#loaded.get(id);
    if (loaded === void 0) throw new Fault("SESSION_CLOSED", "the executable was disposed");
    return loaded;
  }
  #runtime() {
    if (this.#ort === void 0) throw new Fault("BACKEND_FAILED", "the runtime was not started");
    return this.#ort;
  }
};
async function loadRuntime() {
  try {
    const module = await import("onnxruntime-node");
    return "default" in module ? module.default : module;
  } catch (error) {
    throw new Fault("BACKEND_UNAVAILABLE", `onnxruntime-node cannot be loaded: ${text(error)}`);
  }
}
function sessionOptions(provider, { threads, spinning, deviceId }) {
  return {
    executionProviders: [provider === "cuda" ? { name: "cuda", deviceId } : provider],
    intraOpNumThreads: threads,
    interOpNumThreads: 1,
    logSeverityLevel: 3,
    extra: { session: { intra_op: { allow_spinning: spinning ? "1" : "0" } } }
  };
}
async function tryProvider(ort, provider, options, probe) {
  if (!ort.listSupportedBackends().some((backend) => backend.name === provider)) {
    return `this build of onnxruntime-node (${process.platform}-${process.arch}) does not contain it`;
  }
  if (provider === "cuda" && !cudaFilesPresent()) return "the CUDA files of onnxruntime-node are not installed";
  const folder = mkdtempSync(join2(tmpdir(), "microturn-probe-"));
  try {
    const session = await ort.InferenceSession.create(probe, {
      ...options,
      enableProfiling: true,
      profileFilePrefix: join2(folder, "profile")
    });
    const result = await session.run({
      a: new ort.Tensor("float32", Float32Array.of(1, 2, 3, 4), [2, 2]),
      b: new ort.Tensor("float32", Float32Array.of(5, 6, 7, 8), [2, 2])
    });
    session.endProfiling();
    await session.release();
    const product2 = Array.from(result.c.data);
    if (product2.join() !== "19,22,43,50") return `it computes [${product2}] where [19,22,43,50] is right`;
    const [profile] = readdirSync(folder);
    const events = JSON.parse(readFileSync(join2(folder, profile), "utf8"));
    const ran = events.some((event) => event.args?.provider === profileNames[provider]);
    return ran ? void 0 : "the runtime ran the test graph on another provider";
  } catch (error) {
    return text(error);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}
function stateOf(loaded, id) {
  const state = loaded.states.get(id);
  if (state === void 0) throw new Fault("SESSION_CLOSED", "the state was disposed");
  return state;
}
function outputData(spec, batch, tensor) {
  const data = tensor.data;
  const expected = spec.shape.map((size) => size === -1 ? batch : size);
  const same = tensor.dims.length === expected.length && expected.every((size, axis) => size === tensor.dims[axis]);
  if (!same || tensor.type !== spec.type) {
    throw new Fault(
      "BACKEND_FAILED",
      `run: output "${spec.name}" is ${tensor.type} [${tensor.dims}], the graph promised ${spec.type} [${expected}]`
    );
  }
  return data;
}
function text(error) {
  const message = error instanceof Error ? error.message : String(error);
  return message.split("\n")[0].replace(/^\/onnxruntime_src\/.* was false\. /, "").trim();
}

// packages/backend-node/src/worker.ts
var port = parentPort;
if (port === null) throw new Error("this file is the entry of a worker thread");
var runtime = new Runtime();
var tail = Promise.resolve();
port.on("message", (envelope) => {
  tail = tail.then(() => answer(envelope));
});
async function answer({ id, request }) {
  const transfer = [];
  let reply;
  try {
    reply = { id, value: await runtime.answer(request, transfer) };
  } catch (error) {
    reply = { id, fault: faultOf(error) };
    transfer.length = 0;
  }
  port?.postMessage(reply, transfer);
  if (request.kind === "close") port?.close();
}
function faultOf(error) {
  if (error instanceof Fault) return { code: error.code, message: error.message };
  return { code: "BACKEND_FAILED", message: error instanceof Error ? error.message : String(error) };
}
