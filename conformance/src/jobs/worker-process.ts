// The program of a worker that a test kills: it waits to be told which queue is its own, does its jobs by their scripts, and tells
// its parent what happens. One that outlives its test rests, and works for the next.

import { codeOf } from "@microturn/core/testing";
import type { JobRun } from "@microturn/tools";
import { type BullmqWorker, type BullmqWorkerOptions, bullmqWorker } from "@microturn/tools/bullmq";
import { scriptedHandler } from "./scripted-handler.js";

/** From the test to the program. */
export type ToWorker =
  | { readonly type: "work"; readonly options: Omit<BullmqWorkerOptions, "handler"> }
  | { readonly type: "rest" }
  | { readonly type: "append"; readonly id: string };

/** From the program to the test. */
export type FromWorker =
  | { readonly type: "loaded" }
  | { readonly type: "working" }
  | { readonly type: "resting" }
  | { readonly type: "paused"; readonly id: string }
  | { readonly type: "told"; readonly id: string; readonly text: string }
  | { readonly type: "appended"; readonly id: string; readonly code: string };

let worker: BullmqWorker | undefined;
const paused = new Map<string, JobRun>();
const say = (message: FromWorker) => process.send?.(message);

process.on("message", async (message: ToWorker) => {
  if (message.type === "work") {
    const handler = scriptedHandler({
      pause: (run) => {
        paused.set(run.job.id, run);
        say({ type: "paused", id: run.job.id });
        return new Promise(() => {});
      },
      tell: (id, text) => say({ type: "told", id, text }),
    });
    worker = bullmqWorker({ ...message.options, handler });
    await worker.ready;
    return say({ type: "working" });
  }
  if (message.type === "rest") {
    await worker?.close();
    paused.clear();
    return say({ type: "resting" });
  }
  const run = paused.get(message.id);
  const code =
    run === undefined
      ? "not paused"
      : await codeOf(run.append({ type: "delta", text: "from a try that was taken over" }));
  say({ type: "appended", id: message.id, code });
});
process.on("disconnect", () => process.exit());
say({ type: "loaded" });
