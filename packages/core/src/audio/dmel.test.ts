import { createHash } from "node:crypto";
import { describe, expect, test } from "vitest";
import { DuplexError } from "../errors.js";
import { DmelEncoder, decodeDmel, encodeDmel } from "./dmel.js";
import { packLevels, unpackLevels } from "./dmel-nibbles.js";
import { encodeDmelPlain, logMelPlain } from "./dmel-plain.js";
import { type DmelPreset, dmel20, dmel40, dmel80, dmelPreset, dmelSpeech } from "./dmel-presets.js";
import { goldenPcm } from "./golden-signal.js";
import { int16ToFloat } from "./pcm.js";

// Hashes say at once whether long arrays are equal; an element by element report takes seconds.
const sha256 = (bytes: Uint8Array) => createHash("sha256").update(bytes).digest("hex");

const pcm = goldenPcm();
const signal = int16ToFloat(pcm);
const speech = dmelSpeech({ low: -4 });

function stream(samples: Float32Array, preset: DmelPreset, nextChunk: () => number): Uint8Array {
  const encoder = new DmelEncoder(preset);
  const levels = new Uint8Array((samples.length / preset.hopSamples + 8) * preset.melBins);
  let frames = 0;
  for (let from = 0; from < samples.length; ) {
    const to = Math.min(samples.length, from + nextChunk());
    frames += encoder.push(samples.subarray(from, to), levels.subarray(frames * preset.melBins));
    from = to;
  }
  frames += encoder.flush(levels.subarray(frames * preset.melBins));
  return levels.slice(0, frames * preset.melBins);
}

function randomSizes(seed: number): () => number {
  let state = seed;
  return () => {
    state = (Math.imul(1664525, state) + 1013904223) >>> 0;
    return 1 + Math.floor((state / 2 ** 32) * 5000);
  };
}

describe("golden levels, computed independently by torch, numpy and the paper's own code", () => {
  test("the signal itself is the one the hashes were taken from", () => {
    expect(sha256(new Uint8Array(pcm.buffer))).toBe("22bf09aa2ffcdfbb23f00c8de5ab61e36ddf2ec2a15f06435a0b3228aa75936e");
  });

  test.each([
    [dmel20, 200, 134985, "428f9c17b39829fd74e44da4145b2f9aaddbb532a9ef3d6902f5c4eb86fbdca6"],
    [dmel40, 401, 243478, "0aca0b287824db3af988b558784a06f499d971fc1d10bb0ef8646326708379ed"],
    [dmel80, 801, 487184, "cafc6769495e3e7d17cad6e7f9e2ed33d1929a1566868ccba63ba4ed95b95af8"],
  ] as const)("$name", (preset, frames, sum, hash) => {
    const levels = encodeDmel(signal, preset);
    expect(levels.length).toBe(frames * 80);
    expect(levels.reduce((total, level) => total + level, 0)).toBe(sum);
    expect(sha256(levels)).toBe(hash);
  });

  test("dmel-20 gives silence level 2", () => {
    expect(encodeDmel(signal, dmel20).subarray(110 * 80, 111 * 80)).toEqual(new Uint8Array(80).fill(2));
  });

  test("dmel-speech gives silence level 0", () => {
    expect(encodeDmel(new Float32Array(16_000), speech)).toEqual(new Uint8Array(40 * 80));
  });
});

describe("against the plain reference", () => {
  const loud = signal.subarray(20_000, 44_123);
  const sweep = signal.subarray(90_000, 112_345);

  test.each([dmel20, dmel40, dmel80, speech])("$name gives the same levels", (preset) => {
    for (const part of [loud, sweep]) {
      const levels = encodeDmel(part, preset);
      const plain = encodeDmelPlain(part, preset);
      expect(levels.length).toBe(plain.length);
      const logMel = logMelPlain(part, preset);
      for (let i = 0; i < levels.length; i++) {
        if (levels[i] === plain[i]) continue;
        // Two float64 computations may differ only where a value lies on the border of two levels.
        const value = logMel[Math.floor(i / 80)][i % 80];
        const border = (value - preset.low) / preset.step - 0.5;
        expect(Math.abs(border - Math.round(border)), `level ${i}`).toBeLessThan(1e-9);
      }
    }
  });
});

test.each([dmel40, dmel80])("$name mirrors the ends of the stream sample by sample", (preset) => {
  // A single loud sample in silence: wherever its mirror image falls, some level tells.
  for (const length of [1, 2, 3, 150, 399, 400, 401, 1000]) {
    for (const at of [0, 1, 2, 100, 398, length - 3, length - 2, length - 1]) {
      if (at < 0 || at >= length) continue;
      const impulse = new Float32Array(length);
      impulse[at] = 1;
      const same = sha256(encodeDmel(impulse, preset)) === sha256(encodeDmelPlain(impulse, preset));
      expect(same, `sample ${at} of ${length}`).toBe(true);
    }
  }
});

describe("streaming equals batch, bit for bit", () => {
  const chunks: [string, () => number][] = [
    ["1 sample", () => 1],
    ["128 samples", () => 128],
    ["480 samples", () => 480],
    ["one micro-turn", () => 3200],
    ["random sizes", randomSizes(7)],
    ["other random sizes", randomSizes(99)],
  ];
  for (const preset of [dmel20, dmel40, dmel80, speech]) {
    test.each(chunks)(`${preset.name} in chunks of %s`, (_name, nextChunk) => {
      // 3.1 s, not a whole number of hops.
      const part = signal.subarray(60_000, 109_601);
      expect(sha256(stream(part, preset, nextChunk))).toBe(sha256(encodeDmel(part, preset)));
    });
  }

  test.each([0, 1, 2, 399, 400, 401, 799, 800, 801, 1599, 1600, 1601])("a recording of %i samples", (length) => {
    const part = signal.subarray(1000, 1000 + length);
    for (const preset of [dmel20, dmel40, dmel80, speech]) {
      const levels = encodeDmel(part, preset);
      const frames =
        preset.framing === "causal"
          ? Math.ceil(length / preset.hopSamples)
          : length === 0
            ? 0
            : 1 + Math.floor(length / preset.hopSamples);
      expect(levels.length).toBe(frames * 80);
      expect(sha256(stream(part, preset, () => 7))).toBe(sha256(levels));
    }
  });

  test("a frame is given with the very sample that completes it", () => {
    const levels = new Uint8Array(80);
    const encoder = new DmelEncoder(dmel20);
    expect(encoder.framesAfter(799)).toBe(0);
    expect(encoder.push(signal.subarray(0, 799), levels)).toBe(0);
    expect(encoder.framesAfter(1)).toBe(1);
    expect(encoder.push(signal.subarray(799, 800), levels)).toBe(1);
    expect(encoder.samples).toBe(800);
  });

  test("a causal frame does not depend on what follows it", () => {
    const changed = signal.slice(0, 16_000);
    changed.fill(0.5, 8000);
    for (const preset of [dmel20, speech]) {
      const count = (8000 / preset.hopSamples) * 80;
      const before = encodeDmel(signal.subarray(0, 16_000), preset).subarray(0, count);
      expect(sha256(encodeDmel(changed, preset).subarray(0, count))).toBe(sha256(before));
    }
  });
});

describe("state", () => {
  test.each([dmel20, dmel40, dmel80, speech])("$name goes on from a snapshot, also in another encoder", (preset) => {
    for (const cut of [0, 1, 250, 1234, 3200, 5001]) {
      const first = new DmelEncoder(preset);
      const levels = new Uint8Array(100 * 80);
      first.push(signal.subarray(0, cut), levels);
      const state = first.snapshot();
      const end = new Uint8Array(100 * 80);
      const frames = first.push(signal.subarray(cut, 12_000), end);
      const second = new DmelEncoder(preset);
      second.push(signal.subarray(50_000, 51_777), levels);
      second.restore(state);
      expect(second.samples).toBe(cut);
      const again = new Uint8Array(100 * 80);
      expect(second.push(signal.subarray(cut, 12_000), again)).toBe(frames);
      expect(sha256(again)).toBe(sha256(end));
    }
  });

  test("reset starts a new stream", () => {
    const encoder = new DmelEncoder(dmel20);
    const levels = new Uint8Array(4 * 80);
    encoder.push(signal.subarray(0, 1000), levels);
    encoder.reset();
    encoder.push(signal.subarray(0, 3200), levels);
    expect(levels).toEqual(encodeDmel(signal.subarray(0, 3200), dmel20));
  });

  test("refuses a state of another preset or of the wrong size", () => {
    const state = new DmelEncoder(dmel20).snapshot();
    expect(() => new DmelEncoder(dmel40).restore(state)).toThrow(/state of dmel-40/);
    expect(() => new DmelEncoder(dmel20).restore({ ...state, samples: 17 })).toThrow(RangeError);
    expect(() => new DmelEncoder(dmel20).restore({ ...state, samples: -1 })).toThrow(RangeError);
  });

  test.each([Number.NaN, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY])(
    "%d among the samples is refused by its index and leaves the state as it was",
    (bad) => {
      const encoder = new DmelEncoder(dmel20);
      const levels = new Uint8Array(8 * 80);
      encoder.push(signal.subarray(0, 1000), levels);
      const chunk = signal.slice(1000, 3200);
      chunk[17] = bad;
      let thrown: unknown;
      try {
        encoder.push(chunk, levels);
      } catch (error) {
        thrown = error;
      }
      expect(DuplexError.is(thrown, "AUDIO_INVALID")).toBe(true);
      expect((thrown as DuplexError).message).toMatch(/at index 17 \(sample 1017 of the stream\)/);
      expect((thrown as DuplexError).details).toMatchObject({ index: 17, streamIndex: 1017 });
      const frames = 1;
      encoder.push(signal.subarray(1000, 3200), levels.subarray(frames * 80));
      expect(levels.subarray(0, 4 * 80)).toEqual(encodeDmel(signal.subarray(0, 3200), dmel20));
    },
  );

  test("too little room is refused before anything is taken in", () => {
    const encoder = new DmelEncoder(dmel20);
    expect(() => encoder.push(signal.subarray(0, 3200), new Uint8Array(319))).toThrow(
      /4 frames of 80 levels \(320\), got 319/,
    );
    expect(encoder.samples).toBe(0);
  });
});

describe("levels", () => {
  test("decode to the centres", () => {
    const centres = decodeDmel(new Uint8Array([0, 1, 15]), dmel20);
    expect(centres[0]).toBeCloseTo(-7, 6);
    expect(centres[1]).toBeCloseTo(-6.4, 6);
    expect(centres[2]).toBeCloseTo(2, 6);
    expect(() => decodeDmel(new Uint8Array([16]), dmel20)).toThrow(DuplexError);
  });

  test("a micro-turn packs into 160 bytes, high nibble first, and back", () => {
    const levels = encodeDmel(signal.subarray(0, 3200), dmel20);
    const packed = packLevels(levels);
    expect(packed.length).toBe(160);
    expect(packed[0]).toBe(levels[0] * 16 + levels[1]);
    expect(unpackLevels(packed)).toEqual(levels);
    expect(() => packLevels(new Uint8Array([1, 16]))).toThrow(/got 16 at index 1/);
    expect(() => packLevels(new Uint8Array(3))).toThrow(RangeError);
  });
});

describe("presets", () => {
  test("are found by the name a manifest gives", () => {
    expect(dmelPreset("dmel-20")).toBe(dmel20);
    expect(() => dmelPreset("dmel-30")).toThrow(/expected dmel-20, dmel-40 or dmel-80, got "dmel-30"/);
  });

  test("dmel-speech refuses a range that is none", () => {
    expect(() => dmelSpeech({ low: Number.NaN })).toThrow(RangeError);
    expect(() => dmelSpeech({ low: -4, step: 0 })).toThrow(RangeError);
  });

  test("an impossible geometry is refused", () => {
    expect(() => new DmelEncoder({ ...dmel20, windowSamples: 1700 })).toThrow(/at most 1600/);
    expect(() => new DmelEncoder({ ...dmel20, hopSamples: 0 })).toThrow(RangeError);
    expect(() => new DmelEncoder({ ...dmel20, levels: 1 })).toThrow(RangeError);
    expect(() => new DmelEncoder({ ...dmel20, highHz: 9000 })).toThrow(RangeError);
  });
});
