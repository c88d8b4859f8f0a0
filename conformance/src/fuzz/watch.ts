// Watches the fuzz run from another thread: a decoder that never comes back would keep this one from telling which message it was.

import { Worker } from "node:worker_threads";

/** Nothing for so long is a hang, s. */
const patienceS = 60;

const worker = `
const { parentPort, workerData } = require("node:worker_threads");
const { writeSync } = require("node:fs");
const { place, patienceS } = workerData;
const shared = new Int32Array(place);
let name = "";
let before = "";
let still = 0;
parentPort.on("message", (text) => { name = text; still = 0; });
setInterval(() => {
  const now = shared.join();
  still = now === before ? still + 1 : 0;
  before = now;
  if (still < patienceS || name === "") return;
  writeSync(2, "hang: npm run fuzz -- --only " + name + " --session " + shared[0] + ", message " + shared[1] + "\\n");
  process.kill(process.pid, "SIGKILL");
}, 1000);
`;

/** Where a run is, told to a thread that ends the process when it stays there. */
export function startWatch() {
  const place = new SharedArrayBuffer(8);
  const shared = new Int32Array(place);
  const thread = new Worker(worker, { eval: true, workerData: { place, patienceS } });
  thread.unref();
  return {
    begin: (name: string): void => thread.postMessage(name),
    progress: (session: number, message: number): void => {
      shared[0] = session;
      shared[1] = message;
    },
    end: (): void => void thread.terminate(),
  };
}
