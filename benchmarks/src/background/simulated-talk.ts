// A user who talks to the model at random moments: he pauses, breaks in, corrects himself, says "uh huh" and is silent. His words are
// cut from the recordings that ship with the repository, so that what he says is real speech and when he says it is known.

import { readFile } from "node:fs/promises";
import { mixToMono, readWav } from "@microturn/core";

const sampleRate = 16_000;
/** Noise of the recordings, mean square: 62 dB below full scale. */
const quietRoom = 10 ** (-62 / 10);
/** Well above it. */
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
  /** His first and last 20 ms that are louder than the noise. */
  readonly fromMs: number;
  readonly untilMs: number;
  /** With the soft beginning and end of his words, which may or may not be heard. */
  readonly softFromMs: number;
  readonly softUntilMs: number;
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
  const said: { readonly from: number; readonly utterance: Float32Array }[] = [];
  let energy = 0;
  let voiced = 0;
  for (let at = Math.round(8000 * random()); ; ) {
    const [shortest, longest] = gaps[Math.floor(random() * gaps.length)];
    const from = at + Math.round(((shortest + random() * (longest - shortest)) * sampleRate) / 1000);
    const utterance = words[Math.floor(random() * words.length)];
    if (from + utterance.length > sound.length) break;
    sound.set(utterance, from);
    const margin = marginBlocks * block;
    for (let i = margin; i < utterance.length - margin; i++) energy += utterance[i] * utterance[i];
    voiced += utterance.length - 2 * margin;
    said.push({ from, utterance });
    at = from + utterance.length;
  }
  const noise = Number.isFinite(noiseDb) ? (energy / Math.max(1, voiced)) * 10 ** (-noiseDb / 10) : quietRoom;
  // Uniform numbers of that power.
  const peak = Math.sqrt(3 * noise);
  for (let i = 0; i < sound.length; i++) sound[i] += peak * (2 * random() - 1);
  return { sound, spoken: said.map(({ from, utterance }) => spokenIn(utterance, from, Math.max(speechPower, noise))) };
}

function spokenIn(utterance: Float32Array, from: number, audible: number): Spoken {
  const blocks = Array.from({ length: utterance.length / block }, (_, i) =>
    power(utterance.subarray(i * block, (i + 1) * block)),
  );
  const ms = (blocks: number) => ((from + blocks * block) * 1000) / sampleRate;
  return {
    fromMs: ms(blocks.findIndex((one) => one > audible)),
    untilMs: ms(blocks.findLastIndex((one) => one > audible) + 1),
    softFromMs: ms(0),
    softUntilMs: ms(blocks.length),
  };
}

/** Whether he is heard to speak at some time from `fromMs` to `untilMs`. */
export function speaksBetween({ spoken }: Talk, fromMs: number, untilMs: number): boolean {
  return spoken.some((one) => one.fromMs < untilMs && one.untilMs > fromMs);
}

/** Whether he says nothing at all from `fromMs` to `untilMs`, however softly. */
export function silentBetween({ spoken }: Talk, fromMs: number, untilMs: number): boolean {
  return spoken.every((one) => one.softFromMs >= untilMs || one.softUntilMs <= fromMs);
}
