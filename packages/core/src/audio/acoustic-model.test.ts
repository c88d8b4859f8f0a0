import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { DuplexError } from "../errors.js";
import type { AcousticShape } from "../model/config.js";
import { readSafetensors } from "../model/safetensors.js";
import { createWeights } from "../model/weights.js";
import { AcousticModel } from "./acoustic-model.js";

// Origin of the numbers: the PyTorch model of training/microturn_training/acoustic.py, float32; see the file's metadata.
const file = readFileSync(new URL("../../../../fixtures/acoustic-parity.safetensors", import.meta.url));
const { __metadata__: metadata } = JSON.parse(file.toString("utf8", 8, 8 + Number(file.readBigUInt64LE(0))));
const { tensors } = readSafetensors(file);
const weights = createWeights(tensors);
const shape: AcousticShape = JSON.parse(metadata.shape);
const speech = { melBins: 80, levels: 16 };
const levels = tensors.get("levels")?.bytes as Uint8Array;
const lengths = tensors.get("lengths")?.bytes as Uint8Array;

describe("AcousticModel", () => {
  const model = new AcousticModel(shape, speech, weights);

  it("makes the frames that the training code makes", () => {
    const utterance = model.say(metadata.text);
    expect(utterance.frames).toBe(levels.length / 80);
    const out = new Uint8Array(levels.length);
    for (let frame = 0; frame < utterance.frames; frame++)
      utterance.frame(frame, out.subarray(80 * frame, 80 * (frame + 1)));
    expect(Buffer.from(out).equals(levels)).toBe(true);
    expect(new Set(out).size).toBe(16);
  });

  it("knows with which frame each character begins", () => {
    const { starts } = model.say(metadata.text);
    // The characters of the text, and one end mark on either side.
    expect(lengths.length).toBe(metadata.text.length + 2);
    expect(starts.length).toBe(metadata.text.length);
    let end = 0;
    for (const [i, start] of starts.entries()) {
      end += lengths[i];
      expect(start).toBe(end);
    }
  });

  it("makes frames in any order, and again", () => {
    const utterance = model.say(metadata.text);
    const out = new Int32Array(80);
    for (const frame of [utterance.frames - 1, 3, 0, 3, 20]) {
      utterance.frame(frame, out);
      expect(Array.from(out)).toEqual(Array.from(levels.subarray(80 * frame, 80 * (frame + 1))));
    }
    expect(() => utterance.frame(utterance.frames, out)).toThrow(RangeError);
    expect(() => utterance.frame(-1, out)).toThrow(/expected 0 … /);
    expect(() => utterance.frame(0.5, out)).toThrow(RangeError);
  });

  it("leaves out what is not in its alphabet", () => {
    const plain = model.say("the box");
    const marked = model.say("thE é漢e bo\nx");
    expect(marked.frames).toBe(model.say("th e box").frames);
    expect(plain.frames).not.toBe(0);
    const { starts } = model.say("a*b");
    expect([starts.length, starts[1]]).toEqual([3, starts[2]]);
    expect(model.say("").starts.length).toBe(0);
  });

  it("refuses weights that are missing or have another shape", () => {
    const attempt = (change: Partial<AcousticShape>) => new AcousticModel({ ...shape, ...change }, speech, weights);
    expect(() => attempt({ encoderBlocks: 3 })).toThrow(/microturn.acoustic.encoder.2.conv.weight/);
    expect(() => attempt({ width: 16 })).toThrow(DuplexError);
    expect(() => attempt({ alphabet: "_ abc" })).toThrow(/letter.weight/);
  });
});
