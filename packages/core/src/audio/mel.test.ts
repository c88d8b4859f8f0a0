import { expect, test } from "vitest";
import { hzToMel, MelFilterbank, melMatrix, melToHz } from "./mel.js";

const inkling = { sampleRate: 16_000, fftSize: 1600, melBins: 80, lowHz: 0, highHz: 8000 };

test("the scale is linear to 1 kHz and then gains 27 mel for a factor of 6.4", () => {
  expect(hzToMel(1000)).toBe(15);
  expect(hzToMel(500)).toBe(7.5);
  expect(hzToMel(6400)).toBeCloseTo(42, 12);
  for (const hz of [0, 1, 999, 1001, 8000]) expect(melToHz(hzToMel(hz))).toBeCloseTo(hz, 9);
});

test("every triangle has an area of one, as far as the frequencies sample it", () => {
  // Where a triangle spans many frequencies the sum times the spacing approaches the area.
  const rows = melMatrix(inkling);
  for (const row of rows.slice(40)) {
    expect(row.reduce((sum, weight) => sum + weight, 0) * 10).toBeCloseTo(1, 1);
  }
});

test.each([
  inkling,
  { sampleRate: 16_000, fftSize: 1024, melBins: 80, lowHz: 80, highHz: 7600 },
  { sampleRate: 16_000, fftSize: 64, melBins: 80, lowHz: 0, highHz: 8000 }, // many triangles hear no frequency
])("the sparse filterbank equals the matrix ($fftSize points, $lowHz Hz up)", (options) => {
  const filterbank = new MelFilterbank(options);
  const rows = melMatrix(options);
  const spectrum = Float64Array.from({ length: options.fftSize / 2 + 1 }, (_, k) => 1 + Math.sin(k * 0.7));
  const energies = new Float64Array(options.melBins).fill(9);
  filterbank.apply(spectrum, energies);
  rows.forEach((row, mel) => {
    const expected = row.reduce((sum, weight, k) => sum + weight * spectrum[k], 0);
    expect(energies[mel]).toBeCloseTo(expected, 12);
  });
  const heard = spectrum.map((_, k) => (rows.some((row) => row[k] > 0) ? 1 : 0));
  expect(filterbank.firstBin).toBe(heard.indexOf(1));
  expect(filterbank.endBin).toBe(heard.lastIndexOf(1) + 1);
});

test("refuses edges outside the spectrum", () => {
  expect(() => melMatrix({ ...inkling, highHz: 8001 })).toThrow(RangeError);
  expect(() => melMatrix({ ...inkling, lowHz: 8000 })).toThrow(RangeError);
  expect(() => melMatrix({ ...inkling, melBins: 0 })).toThrow(RangeError);
});
