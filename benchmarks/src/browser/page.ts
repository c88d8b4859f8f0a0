// Entry of the page that is timed: what a user's page does, with numbers kept.

import { webEngine } from "@microturn/backend-web";
import { DuplexSession, mixToMono, readWav } from "@microturn/core";
import type { Visit, VisitOptions } from "./visit.js";

/** Micro-turns between two looks at the heap. */
const heapEvery = 50;

/** What a microphone gives at once in real time: 10 ms, as `@microturn/media` does. */
const blockSamples = 160;

let speech: Float32Array = new Float32Array(0);

/** Before anything is timed: a microphone has no file to decode, and the whole recording at once is a task of its own. */
async function prepare(): Promise<void> {
  const { channels } = readWav(new Uint8Array(await (await fetch("/speech/conversation.wav")).arrayBuffer()));
  speech = mixToMono(channels);
}

/** What the last visit gave; asked for when nothing is measured any more, as carrying it over is a task of its own. */
let result: Visit | undefined;

/** Begins in a task of its own: the one that calls belongs to the program that measures. */
async function visit(options: VisitOptions): Promise<void> {
  result = undefined;
  await nextTask();
  result = await talk(options);
  await nextTask();
}

function nextTask(): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve));
}

async function talk({ threads, turns, realtime, memoryEvery, breakAt }: VisitOptions): Promise<Visit> {
  const longTasks: number[] = [];
  const observer = new PerformanceObserver((list) =>
    longTasks.push(...list.getEntries().map(({ duration }) => duration)),
  );
  observer.observe({ entryTypes: ["longtask"] });
  const startMs = performance.now();
  const workers: Worker[] = [];
  let gapMs: number | undefined;
  const engine = webEngine({
    model: "/mini/",
    devices: ["wasm"],
    threads,
    runtimeFolder: "/runtime/ort/",
    worker() {
      const worker = new Worker("/runtime/worker.js", { type: "module" });
      workers.push(worker);
      return worker;
    },
    onDeviceChange: (change) => {
      gapMs = change.gapMs;
    },
  });
  const stages: Record<string, number> = {};
  const session = await DuplexSession.open({
    engine,
    onProgress: ({ stage }) => {
      stages[stage] ??= performance.now() - startMs;
    },
    pace: realtime ? "realtime" : "as-fast-as-input",
    sampleRate: 16_000,
  });
  const openMs = performance.now() - startMs;
  const [stepMs, runMs, heap, memory]: number[][] = [[], [], [], []];
  let late = 0;
  const done = new Promise<void>((resolve) => {
    session.on("turn-end", ({ turn: { timing } }) => {
      stepMs.push(timing.stepMs);
      runMs.push(timing.runMs);
      if (timing.late) late++;
      if (stepMs.length % heapEvery === 0) heap.push(usedHeap());
      if (stepMs.length === turns) resolve();
    });
  });
  const turnSamples = 3200;
  let sent = 0;
  const send = async (samples: number) => {
    const at = sent % (speech.length - turnSamples);
    sent += samples;
    await session.writeAudio(speech.subarray(at, at + samples));
  };
  if (realtime) {
    const begin = performance.now();
    const timer = setInterval(() => {
      if (sent / 16 <= performance.now() - begin) void send(blockSamples);
      if (sent === turns * turnSamples) clearInterval(timer);
      // A block a task, as a microphone's messages come, also where some are late.
    }, 5);
  } else {
    for (let turn = 0; turn < turns; turn++) {
      if (turn === breakAt) workers[0].dispatchEvent(new ErrorEvent("error", { message: "told to break" }));
      if (memoryEvery !== undefined && turn % memoryEvery === 0) memory.push(await usedMemory());
      await send(turnSamples);
    }
  }
  await done;
  const device = engine.choice?.description ?? "";
  await session.close();
  await engine.close();
  observer.disconnect();
  return { device, openMs, stages, stepMs, runMs, longTasks, heap, late, memory, gapMs };
}

function usedHeap(): number {
  return (performance as unknown as { memory?: { usedJSHeapSize: number } }).memory?.usedJSHeapSize ?? 0;
}

/** Everything that page and worker use, bytes. */
async function usedMemory(): Promise<number> {
  const measure = performance as unknown as { measureUserAgentSpecificMemory(): Promise<{ bytes: number }> };
  return (await measure.measureUserAgentSpecificMemory()).bytes;
}

Object.assign(window, { prepare, visit, visited: () => result });
