import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import type { ExpertForm, StateForm } from "../backend.js";
import { readSafetensors } from "../model/safetensors.js";
import { validateConfig } from "../model/validate-config.js";
import { createWeights } from "../model/weights.js";
import type { Tensor } from "../tensor.js";
import { clipMean, clipStd } from "../vision/patches.js";
import { buildDuplexGraph } from "./duplex-graph.js";
import { GraphRunner } from "./test-runner.js";

// Origin of the numbers: the PyTorch model that trains `mini` (training/microturn_training/parity.py), float32, greedy.
// Its rings hold 2 and 4 micro-turns and wrap within the 12 recorded ones. Tolerance: 1e-4 of the largest logit.

const fixture = JSON.parse(read("mini-tiny-parity.json").toString("utf8"));
const weights = createWeights(readSafetensors(read("mini-tiny-parity.safetensors")).tensors);
const config = validateConfig(fixture.config);
const channels = 160;
const patchElements = 2 * 40 * 40 * 3;

function read(name: string): Buffer {
  return readFileSync(new URL(`../../../../fixtures/${name}`, import.meta.url));
}

/** One patch: the pair of images 39 wide, a last column of -1, scaled to 0 … 1 and normalised. */
function patchOf(image: Buffer): Float32Array {
  const patch = new Float32Array(patchElements);
  for (let i = 0; i < patchElements; i++) {
    const channel = i % 3;
    const column = Math.floor(i / 3) % 40;
    const row = Math.floor(i / 120);
    const raw = column < 39 ? image[(row * 39 + column) * 3 + channel] : -1;
    patch[i] = (raw / 255 - clipMean[channel]) / clipStd[channel];
  }
  return patch;
}

function feeds(turn: number): Record<string, Tensor> {
  const dmel = Buffer.from(fixture.dmel, "base64").subarray(turn * 320, (turn + 1) * 320);
  const seen: number = fixture.imageTurns.indexOf(turn);
  const patches = seen < 0 ? new Float32Array(patchElements) : patchOf(Buffer.from(fixture.images[seen], "base64"));
  return {
    dmel: { type: "int32", shape: [1, 4, 80], data: Int32Array.from(dmel) },
    patches: { type: "float32", shape: [1, 1, 2, 40, 40, 3], data: patches },
    patch_present: { type: "float32", shape: [1, 1], data: Float32Array.of(seen < 0 ? 0 : 1) },
    random: { type: "float32", shape: [1, 4, 3 + channels], data: new Float32Array(4 * (3 + channels)) },
    temperature: { type: "float32", shape: [1], data: Float32Array.of(0) },
    force_control: { type: "int32", shape: [1], data: Int32Array.of(0) },
  };
}

/** Largest difference, as a part of the largest expected value. */
function relativeError(actual: readonly number[], expected: readonly number[]): number {
  expect(actual.length).toBe(expected.length);
  const largest = Math.max(...expected.map(Math.abs));
  return Math.max(...actual.map((value, i) => Math.abs(value - expected[i]))) / largest;
}

describe("duplex graph and the training code", () => {
  const forms: ExpertForm[] = ["if", "gather", "dense"];
  const states: StateForm[] = ["rows", "whole"];
  for (const experts of forms) {
    for (const state of states) {
      it(`yield the same over ${fixture.turns} micro-turns (experts: ${experts}, state: ${state})`, async () => {
        const runner = await GraphRunner.create(
          buildDuplexGraph(config, weights, { target: { experts, state }, debug: true }),
        );
        const got: Record<string, number[]> = {};
        for (let turn = 0; turn < fixture.turns; turn++) {
          for (const [name, { data }] of Object.entries(await runner.run(feeds(turn)))) {
            got[name] ??= [];
            for (const value of data) got[name].push(value);
          }
        }
        await runner.close();
        expect(got.text).toEqual(fixture.text);
        expect(got.heard).toEqual(fixture.heard);
        expect(got.control).toEqual(fixture.control);
        expect(got.speech).toEqual(Array.from(Buffer.from(fixture.speech, "base64")));
        expect(relativeError(got.text_logits, fixture.textLogits)).toBeLessThan(1e-4);
        expect(relativeError(got.heard_logits, fixture.heardLogits)).toBeLessThan(1e-4);
        expect(relativeError(got.control_logits, fixture.controlLogits)).toBeLessThan(1e-4);
        // The fixture holds the first channels of each position.
        const perPosition = channels * 16;
        const kept = fixture.speechLogitsChannels * 16;
        const some = got.speech_logits.filter((_, i) => i % perPosition < kept);
        expect(relativeError(some, fixture.speechLogits)).toBeLessThan(1e-4);
      });
    }
  }
});
