// The worker of `webEngine`, with a way to break it: tests tell it by a channel.

/** GPU devices of this thread. */
const devices: GPUDevice[] = [];
if (globalThis.GPUAdapter !== undefined) {
  const { requestDevice } = GPUAdapter.prototype;
  GPUAdapter.prototype.requestDevice = async function (...options) {
    const device = await requestDevice.apply(this, options);
    devices.push(device);
    return device;
  };
}

// Held for as long as it lives: other tabs can look.
void navigator.locks?.request(`worker ${Math.random()}`, () => new Promise(() => {}));

const channel = new BroadcastChannel("break");
channel.addEventListener("message", ({ data }) => {
  channel.postMessage("breaking");
  if (data === "gpu") for (const device of devices.splice(0)) device.destroy();
  if (data === "worker") {
    setTimeout(() => {
      throw new Error("it was told to break");
    });
  }
});

await import("../worker.js");
