// Entry of a page that holds the same conversation on two devices, one after the other, and tells how far they differ.

import { mixToMono, readWav } from "@microturn/core";
import {
  type DeviceComparison,
  type DevicePage,
  type DeviceRunReply,
  type DeviceRunRequest,
  type DeviceTurn,
  differenceOf,
} from "./device-run.js";

let done = 0;

async function compare(recordings: readonly string[], turns: number, mostMs: number): Promise<DeviceComparison> {
  const audio = await samplesOf(recordings);
  const wasm = await runOn({ device: "wasm", audio, turns }, mostMs);
  const webgpu = await runOn({ device: "webgpu", audio, turns }, mostMs);
  const both = Math.min(wasm.turns.length, webgpu.turns.length);
  const said = wasm.turns.map(({ words }) => words.split("|")[1]).filter((words) => words !== "");
  return {
    difference: differenceOf(wasm.turns.slice(0, both), webgpu.turns.slice(0, both)),
    devices: [wasm, webgpu].map(({ turns, ...device }) => ({ ...device, stepMs: turns.map(({ stepMs }) => stepMs) })),
    said: said.join(" "),
  };
}

/** The recordings one after the other. */
async function samplesOf(recordings: readonly string[]): Promise<Float32Array> {
  const all: number[] = [];
  for (const recording of recordings) {
    const { channels } = readWav(new Uint8Array(await (await fetch(recording)).arrayBuffer()));
    for (const sample of mixToMono(channels)) all.push(sample);
  }
  return Float32Array.from(all);
}

interface DeviceRun {
  readonly description: string;
  readonly loadMs: number;
  readonly turns: readonly DeviceTurn[];
}

function runOn(request: DeviceRunRequest, mostMs: number): Promise<DeviceRun> {
  const worker = new Worker("/device-worker.js", { type: "module" });
  const turns: DeviceTurn[] = [];
  let about = { description: "", loadMs: 0 };
  done = 0;
  return new Promise<DeviceRun>((resolve, reject) => {
    worker.onerror = ({ message }) => reject(new Error(message));
    worker.onmessage = ({ data }: MessageEvent<DeviceRunReply>) => {
      if ("failure" in data) reject(new Error(`${request.device}: ${data.failure}`));
      else if ("description" in data) about = data;
      else {
        turns.push(data.turn);
        done = turns.length;
        if (done === request.turns) resolve({ ...about, turns });
      }
    };
    worker.postMessage(request);
    const late = `${request.device}: no micro-turn in ${mostMs / 1000} s`;
    setTimeout(() => (done > 0 ? resolve({ ...about, turns }) : reject(new Error(late))), mostMs);
  }).finally(() => worker.terminate());
}

const page: DevicePage = {
  get done() {
    return done;
  },
  compare,
};
Object.assign(window, { page });
