// Entry of the worker thread. A run blocks its thread, so the runtime lives here unless a program wants it on its own.

import { parentPort, workerData } from "node:worker_threads";
import { Fault, faultOf, type Runtime } from "@microturn/backend-ort";
import { atWork, type Envelope, leaving, type Reply, type WorkerFlags } from "./messages.js";
import { startRuntime } from "./start-runtime.js";

const port = parentPort;
if (port === null) throw new Error("this file is the entry of a worker thread");

const flags = workerData as WorkerFlags;
let runtime: Runtime | undefined;
let tail: Promise<void> = Promise.resolve();

port.on("message", (envelope: Envelope) => {
  // One request at a time, in order: two runs at once on one device are not safe in every provider.
  tail = tail.then(() => answer(envelope));
});

async function answer({ id, request }: Envelope): Promise<void> {
  const transfer: ArrayBuffer[] = [];
  let reply: Reply;
  Atomics.store(flags, atWork, 1);
  // Whoever ends the process waits for what is begun, and for no more.
  if (Atomics.load(flags, leaving) === 1) return rest();
  try {
    reply = { id, value: await handle(request, transfer) };
  } catch (error) {
    reply = { id, fault: faultOf(error) };
    transfer.length = 0;
  }
  rest();
  port?.postMessage(reply, transfer);
  if (request.kind === "close") port?.close();
}

function rest(): void {
  Atomics.store(flags, atWork, 0);
  Atomics.notify(flags, atWork);
}

async function handle(request: Envelope["request"], transfer: ArrayBuffer[]): Promise<Value> {
  if (request.kind === "start") {
    const started = await startRuntime(request);
    runtime = started.runtime;
    return started.trials;
  }
  if (runtime !== undefined) return runtime.answer(request, transfer);
  if (request.kind === "close") return undefined;
  throw new Fault("BACKEND_FAILED", "the runtime was not started");
}

type Value = Extract<Reply, { value: unknown }>["value"];
