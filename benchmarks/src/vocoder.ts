// What the vocoder costs on one core where a browser has no GPU: its network in WebAssembly, its synthesis in JavaScript. In a
// session the network is part of the model's graph; here it is a graph of its own.

import type { Graph, ModelSource } from "@microturn/core";
import { DmelEncoder, dmel40, SourceFilterSynthesis, sourceFilterGeometry } from "@microturn/core/codecs";
import { type LoadedModel, loadModel } from "@microturn/core/model";
import { buildVocoderGraph } from "@microturn/core/testing";
import * as native from "onnxruntime-node";
import * as wasm from "onnxruntime-web/wasm";
import type { BenchContext } from "./model.js";
import { type BenchSection, inWords, type Percentiles, percentiles } from "./report.js";
import { speechLike } from "./speech-like.js";

const turnMs = 200;
const { hopSamples, melBins } = sourceFilterGeometry;
const frames = (turnMs * 16) / hopSamples;

type Runtime = Pick<typeof native, "InferenceSession" | "Tensor">;

/** Time of a micro-turn of speech through the vocoder, ms; WebAssembly and the native runtime have one thread each. */
export async function vocoderSection(context: BenchContext): Promise<BenchSection> {
  const turns = context.quick ? 100 : 1_000;
  const { config, weights } = await loaded(context.model);
  const graph = buildVocoderGraph(config, weights, frames);
  wasm.env.wasm.numThreads = 1;
  const inWasm = await runner(wasm, "wasm", graph);
  const inNative = await runner(native, "cpu", graph);
  const synthesis = new SourceFilterSynthesis();
  const pcm = new Float32Array(frames * hopSamples);
  const speech = spokenLevels();
  const times = { wasm: [] as number[], native: [] as number[], synthesis: [] as number[], together: [] as number[] };
  let difference = 0;
  let largest = 0;
  // A tenth of them first, which is not counted: engines compile meanwhile.
  for (let turn = -turns / 10; turn < turns; turn++) {
    const levels = speech[(turn + turns) % speech.length];
    const start = performance.now();
    const controls = await inWasm(levels);
    const afterWasm = performance.now();
    synthesis.render(controls, levels, pcm);
    const afterSynthesis = performance.now();
    const same = await inNative(levels);
    const end = performance.now();
    for (let i = 0; i < same.length; i++) {
      difference = Math.max(difference, Math.abs(same[i] - controls[i]));
      largest = Math.max(largest, Math.abs(same[i]));
    }
    if (turn < 0) continue;
    times.wasm.push(afterWasm - start);
    times.synthesis.push(afterSynthesis - afterWasm);
    times.together.push(afterSynthesis - start);
    times.native.push(end - afterSynthesis);
  }
  // What is fast but wrong is no result.
  if (!(difference <= 1e-4 * largest)) {
    throw new Error(`vocoder: WebAssembly and the native runtime differ by ${difference} of ${largest}`);
  }
  const figures = {
    wasm: percentiles(times.wasm),
    synthesis: percentiles(times.synthesis),
    together: percentiles(times.together),
    native: percentiles(times.native),
    difference: difference / largest,
  };
  const core = (one: Percentiles) => `${((100 * one.p50) / turnMs).toFixed(2)} % of a core`;
  return {
    title: `Vocoder, one micro-turn of speech (${turns}; ${frames} frames, ${turnMs} ms)`,
    rows: [
      { name: "network in WebAssembly, one thread", value: inWords(figures.wasm, 2), note: core(figures.wasm) },
      { name: "synthesis in JavaScript", value: inWords(figures.synthesis, 2), note: core(figures.synthesis) },
      { name: "both", value: inWords(figures.together, 2), note: core(figures.together) },
      {
        name: "network in the native runtime, one thread",
        value: inWords(figures.native, 2),
        note: `${(figures.wasm.p50 / figures.native.p50).toFixed(1)} x as fast; largest difference ${figures.difference.toExponential(1)} of the largest value`,
      },
    ],
    goals: [
      {
        name: "vocoder in WebAssembly",
        value: `${core(figures.together)}, median; p99 ${((100 * figures.together.p99) / turnMs).toFixed(2)} %`,
        goal: "below 10 %",
        held: figures.together.p99 < turnMs / 10,
      },
    ],
    figures,
  };
}

function loaded(model: ModelSource | LoadedModel): Promise<LoadedModel> | LoadedModel {
  return "weights" in model ? model : loadModel(model);
}

/** Levels of speech frames, `[frames, 80]` for each micro-turn of voice. */
function spokenLevels(): Int32Array[] {
  const encoder = new DmelEncoder(dmel40);
  const sound = speechLike(turnMs * 16);
  const out: Int32Array[] = [];
  for (let turn = 0; turn < 10; turn++) {
    const levels = new Uint8Array((frames + 1) * melBins);
    const made = encoder.push(sound(turn), levels);
    if (made === frames) out.push(Int32Array.from(levels.subarray(0, frames * melBins)));
  }
  return out;
}

/** Runs the network with state carried, in one of the runtimes. */
async function runner(
  { InferenceSession, Tensor }: Runtime,
  provider: "wasm" | "cpu",
  { onnx, state }: Graph,
): Promise<(levels: Int32Array) => Promise<Float32Array>> {
  const session = await InferenceSession.create(onnx, { intraOpNumThreads: 1, executionProviders: [provider] });
  const [{ input, output, shape }] = state;
  let past: native.Tensor = new Tensor("float32", new Float32Array(elementCount(shape)), [1, ...shape]);
  return async (levels) => {
    const results = await session.run({ levels: new Tensor("int32", levels, [1, frames, melBins]), [input]: past });
    past = results[output ?? input];
    return results.vocoder_controls.data as Float32Array;
  };
}

function elementCount(shape: readonly number[]): number {
  return shape.reduce((product, size) => product * size, 1);
}
