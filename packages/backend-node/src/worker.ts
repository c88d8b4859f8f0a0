// Entry of the worker thread. A run blocks its thread, so the runtime lives here unless a program wants it on its own.

import { parentPort } from "node:worker_threads";
import { type Envelope, faultOf, type Reply } from "./messages.js";
import { Runtime } from "./runtime.js";

const port = parentPort;
if (port === null) throw new Error("this file is the entry of a worker thread");

const runtime = new Runtime();
let tail: Promise<void> = Promise.resolve();

port.on("message", (envelope: Envelope) => {
  // One request at a time, in order: two runs at once on one device are not safe in every provider.
  tail = tail.then(() => answer(envelope));
});

async function answer({ id, request }: Envelope): Promise<void> {
  const transfer: ArrayBuffer[] = [];
  let reply: Reply;
  try {
    reply = { id, value: await runtime.answer(request, transfer) };
  } catch (error) {
    reply = { id, fault: faultOf(error) };
    transfer.length = 0;
  }
  port?.postMessage(reply, transfer);
  if (request.kind === "close") port?.close();
}
