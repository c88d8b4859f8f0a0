import { expect, test } from "vitest";
import { DuplexError } from "../errors.js";
import { largestDifference, readVocoderFixture } from "./vocoder-fixture.js";
import { VocoderNetwork } from "./vocoder-network.js";

const fixture = readVocoderFixture();
const frames = fixture.levels.length / 80;

function run(network: VocoderNetwork, levels: Uint8Array): Float32Array {
  const out = new Float32Array((levels.length / 80) * 264);
  network.step(levels, out);
  return out;
}

test("gives the controls that PyTorch gives, within 1e-4", () => {
  const controls = run(new VocoderNetwork(fixture.weights), fixture.levels);
  expect(largestDifference(controls, fixture.controls)).toBeLessThan(1e-4);
});

test("gives the same controls frame by frame as at once, to the bit", () => {
  const network = new VocoderNetwork(fixture.weights);
  const single = new Float32Array(frames * 264);
  for (let k = 0; k < frames; k++) {
    single.set(run(network, fixture.levels.subarray(k * 80, (k + 1) * 80)), k * 264);
  }
  expect(single).toEqual(run(new VocoderNetwork(fixture.weights), fixture.levels));
});

test("does not let a frame change controls before it", () => {
  const changed = fixture.levels.slice();
  changed.fill(15, 30 * 80, 31 * 80);
  const before = run(new VocoderNetwork(fixture.weights), fixture.levels);
  const after = run(new VocoderNetwork(fixture.weights), changed);
  expect(after.subarray(0, 30 * 264)).toEqual(before.subarray(0, 30 * 264));
  expect(after.subarray(30 * 264, 31 * 264)).not.toEqual(before.subarray(30 * 264, 31 * 264));
});

test("goes on from a snapshot as if nothing had been between", () => {
  const network = new VocoderNetwork(fixture.weights);
  run(network, fixture.levels.subarray(0, 20 * 80));
  const state = network.snapshot();
  const first = run(network, fixture.levels.subarray(20 * 80));
  network.restore(state);
  expect(run(network, fixture.levels.subarray(20 * 80))).toEqual(first);
});

test("starts anew after reset", () => {
  const network = new VocoderNetwork(fixture.weights);
  const first = run(network, fixture.levels);
  network.reset();
  expect(run(network, fixture.levels)).toEqual(first);
});

test("names the weight that is missing or has a wrong shape", () => {
  const name = "microturn.vocoder.proj.2.weight";
  const missing = new Map(fixture.weights);
  missing.delete(name);
  const failed = (weights: typeof missing) => {
    try {
      new VocoderNetwork(weights);
    } catch (error) {
      return error;
    }
  };
  const error = failed(missing);
  expect(DuplexError.is(error, "MODEL_INVALID")).toBe(true);
  expect(String(error)).toContain(name);
  const wrong = new Map(fixture.weights).set(name, { data: new Float32Array(4), shape: [2, 2] });
  expect(String(failed(wrong))).toContain("[2,2]");
  expect(DuplexError.is(failed(new Map()), "MODEL_INVALID")).toBe(true);
});

test("refuses levels that are not whole frames", () => {
  const network = new VocoderNetwork(fixture.weights);
  expect(() => network.step(new Uint8Array(81), new Float32Array(264))).toThrow(/\[frames, 80\]/);
  expect(() => network.step(new Uint8Array(80), new Float32Array(263))).toThrow(/263/);
});
