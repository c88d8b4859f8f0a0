import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { encodeDmel } from "./dmel.js";
import { logMelPlain } from "./dmel-plain.js";
import { dmel20 } from "./dmel-presets.js";
import { goldenPcm } from "./golden-signal.js";
import { melMatrix } from "./mel.js";
import { int16ToFloat } from "./pcm.js";

// Made by scripts/fixtures/codecs.py from the published feature extractor; origin and tolerance are in the file.
const fixture = JSON.parse(
  readFileSync(new URL("../../../../fixtures/audio-inkling.json", import.meta.url), "utf8"),
) as {
  pcmSha256: string;
  clips: { begin: number; end: number; frames: number; logMel: string; levels: string }[];
  filterbank: { rowSums: number[]; rowCentres: number[] };
};

const pcm = goldenPcm();
const signal = int16ToFloat(pcm);

function floats(base64: string): Float32Array {
  const bytes = Buffer.from(base64, "base64");
  return Float32Array.from({ length: bytes.length / 4 }, (_, i) => bytes.readFloatLE(4 * i));
}

describe("dmel-20 equals the published feature extractor", () => {
  test("on the very same samples", () => {
    expect(createHash("sha256").update(new Uint8Array(pcm.buffer)).digest("hex")).toBe(fixture.pcmSha256);
  });

  test.each(fixture.clips)("samples $begin to $end", ({ begin, end, frames, ...expected }) => {
    const clip = signal.subarray(begin, end);
    const published = floats(expected.logMel);
    const logMel = logMelPlain(clip, dmel20);
    expect(logMel.length).toBe(frames);
    let largest = 0;
    logMel.forEach((row, frame) => {
      row.forEach((value, mel) => {
        largest = Math.max(largest, Math.abs(value - published[frame * 80 + mel]));
      });
    });
    expect(largest).toBeLessThan(1e-3);

    const levels = encodeDmel(clip, dmel20);
    const theirs = Buffer.from(expected.levels, "base64");
    expect(levels.length).toBe(theirs.length);
    for (let i = 0; i < levels.length; i++) {
      if (levels[i] === theirs[i]) continue;
      // Single and double precision may part only at the border of two levels.
      const border = (logMel[Math.floor(i / 80)][i % 80] + 7) / 0.6 - 0.5;
      expect(Math.abs(border - Math.round(border)) * 0.6, `level ${i}`).toBeLessThan(2e-4);
    }
  });

  test("with the same filterbank", () => {
    melMatrix(dmel20).forEach((row, mel) => {
      const sum = row.reduce((total, weight) => total + weight, 0);
      const centre = row.reduce((total, weight, k) => total + weight * k, 0) / sum;
      expect(sum / fixture.filterbank.rowSums[mel]).toBeCloseTo(1, 5);
      expect(centre / fixture.filterbank.rowCentres[mel]).toBeCloseTo(1, 5);
    });
  });
});
