// A user who talks to the model at random moments: he pauses, breaks in, corrects himself, says "uh huh" and is silent. His words are
// cut from the recordings that ship with the repository, so that what he says is real speech and when he says it is known.

import { readFile } from "node:fs/promises";
import { mixToMono, readWav } from "@microturn/core";

const sampleRate = 16_000;
/** The recordings have noise 62 dB below full scale; this is well above it. Mean square. */
const speechPower = 10 ** (-45 / 10);
/** 20 ms. */
const block = 320;
/** A shorter gap belongs to the utterance. */
const gapBlocks = 25;
/** Sound left around an utterance: the soft beginnings and ends of words. */
const marginBlocks = 2;

/** Random numbers in [0, 1). */
export type Random = () => number;

/** A stretch of time in which he speaks, ms. */
export interface Spoken {
  readonly fromMs: number;
  readonly untilMs: number;
}

/** His side of a session. */
export interface Talk {
  /** 16 kHz mono. */
  readonly sound: Float32Array;
  readonly spoken: readonly Spoken[];
}

/** The utterances of the recordings, in order. */
export async function utterances(): Promise<Float32Array[]> {
  const folder = new URL("../../fixtures/speech/", import.meta.url);
  const all: Float32Array[] = [];
  for (const name of ["conversation", "barge-in", "pause-and-backchannel", "question"]) {
    const { channels } = readWav(await readFile(new URL(`${name}.wav`, folder)));
    all.push(...cut(mixToMono(channels)));
  }
  return all;
}

function cut(sound: Float32Array): Float32Array[] {
  const found: Float32Array[] = [];
  let start = -1;
  let last = -1;
  const blocks = Math.floor(sound.length / block);
  for (let i = 0; i <= blocks; i++) {
    const loud = i < blocks && power(sound.subarray(i * block, (i + 1) * block)) > speechPower;
    if (loud) {
      if (start < 0) start = i;
      last = i;
    } else if (start >= 0 && (i - last > gapBlocks || i === blocks)) {
      found.push(sound.slice(Math.max(0, start - marginBlocks) * block, (last + 1 + marginBlocks) * block));
      start = -1;
    }
  }
  return found;
}

function power(samples: Float32Array): number {
  let sum = 0;
  for (const sample of samples) sum += sample * sample;
  return sum / samples.length;
}

/** Gaps before an utterance: in mid-thought, while he is being answered, after the answer, and long silence. ms. */
const gaps: readonly (readonly [shortest: number, longest: number])[] = [
  [250, 900],
  [900, 2500],
  [2500, 5000],
  [5000, 9000],
];

/**
 * A random talk.
 *
 * @param noiseDb - noise below his voice, dB; infinite: the quiet of the recordings
 */
export function randomTalk(words: readonly Float32Array[], random: Random, durationMs: number, noiseDb: number): Talk {
  const sound = new Float32Array((durationMs * sampleRate) / 1000);
  const spoken: Spoken[] = [];
  let energy = 0;
  let voiced = 0;
  for (let atMs = 500 * random(); ; ) {
    const [shortest, longest] = gaps[Math.floor(random() * gaps.length)];
    atMs += shortest + random() * (longest - shortest);
    const utterance = words[Math.floor(random() * words.length)];
    const from = Math.round((atMs * sampleRate) / 1000);
    if (from + utterance.length > sound.length) break;
    sound.set(utterance, from);
    const margin = marginBlocks * block;
    for (let i = margin; i < utterance.length - margin; i++) energy += utterance[i] * utterance[i];
    voiced += utterance.length - 2 * margin;
    const untilMs = atMs + (1000 * utterance.length) / sampleRate;
    const marginMs = (1000 * margin) / sampleRate;
    spoken.push({ fromMs: atMs + marginMs, untilMs: untilMs - marginMs });
    atMs = untilMs;
  }
  // The recordings' own noise, or more: uniform numbers of a given power.
  const rms = Number.isFinite(noiseDb)
    ? Math.sqrt((energy / Math.max(1, voiced)) * 10 ** (-noiseDb / 10))
    : 10 ** (-62 / 20);
  const peak = rms * Math.sqrt(3);
  for (let i = 0; i < sound.length; i++) sound[i] += peak * (2 * random() - 1);
  return { sound, spoken };
}

/** Whether he speaks at some time from `fromMs` to `untilMs`. */
export function speaksBetween({ spoken }: Talk, fromMs: number, untilMs: number): boolean {
  return spoken.some((one) => one.fromMs < untilMs && one.untilMs > fromMs);
}
