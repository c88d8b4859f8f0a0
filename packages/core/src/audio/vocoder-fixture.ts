// Reads fixtures/vocoder-parity.safetensors for the vocoder's tests. Origin and tolerance stand in the file's metadata:
// a small random network and a sentence, written by `python -m microturn_training.vocoder --fixture`.

import { readFileSync } from "node:fs";
import type { VocoderWeight } from "./vocoder-network.js";

interface Header {
  readonly metadata: { readonly seed: string };
  readonly entries: Map<string, { readonly shape: number[]; readonly data_offsets: [number, number] }>;
}

function readHeader(json: string): Header {
  const { __metadata__: metadata, ...entries } = JSON.parse(json);
  return { metadata, entries: new Map(Object.entries(entries as Record<string, never>)) };
}

/** The fixture: weights by name, levels `[47, 80]`, controls `[47, 264]`, PCM `[18800]`, seed of the noise. */
export function readVocoderFixture() {
  const file = readFileSync(new URL("../../../../fixtures/vocoder-parity.safetensors", import.meta.url));
  const body = 8 + Number(file.readBigUInt64LE(0));
  const { metadata, entries } = readHeader(file.toString("utf8", 8, body));
  const bytes = (name: string) => {
    const [start, end] = entries.get(name)?.data_offsets ?? [0, 0];
    return new Uint8Array(file.subarray(body + start, body + end)).slice();
  };
  const floats = (name: string) => new Float32Array(bytes(name).buffer);
  const weights = new Map<string, VocoderWeight>();
  for (const [name, { shape }] of entries) {
    if (name.startsWith("microturn.")) weights.set(name, { data: floats(name), shape });
  }
  return {
    weights,
    seed: Number(metadata.seed),
    levels: bytes("levels"),
    controls: floats("controls"),
    pcm: floats("pcm"),
  };
}

/** Largest difference of two equally long arrays. */
export function largestDifference(a: Float32Array, b: Float32Array): number {
  if (a.length !== b.length) return Number.POSITIVE_INFINITY;
  return a.reduce((most, value, i) => Math.max(most, Math.abs(value - b[i])), 0);
}
