// The trace of a session: everything that went in and came out, micro-turn by micro-turn, enough to replay it to the bit.
// In memory here; as a file in trace-file.ts.

import { floatToInt16, int16ToFloat } from "../audio/pcm.js";
import type { BackgroundActivity } from "../background.js";
import type { Delegation, EngineIdentity, ImageFrame, PlaybackPosition, TextInput } from "../engine.js";
import type { DeadlinePolicy, Pace } from "./session-state.js";
import type { TurnTiming } from "./turn.js";

/** Facts about the whole session. */
export interface TraceHeader {
  /** When the session was opened, ISO 8601 in UTC. */
  readonly startedAt: string;
  /** First micro-turn: 0, unless the session was opened from a snapshot (then it cannot be replayed). */
  readonly firstTurn: number;
  readonly turnDurationMs: number;
  readonly inputSampleRate: number;
  readonly outputSampleRate: number;
  readonly seed: number;
  readonly temperature: number;
  readonly deadline: DeadlinePolicy;
  readonly pace: Pace;
  readonly budgetMs: number;
  /** Whether the engine promises the same bits for the same input and seed. */
  readonly deterministic: boolean;
  /** What ran. */
  readonly engine?: EngineIdentity;
  /** Mixture layers and experts per layer of {@link TraceTurn.expertLoad}. */
  readonly experts?: readonly [layers: number, experts: number];
  /** The recording stopped at its limit before the session ended. */
  readonly truncated: boolean;
}

/** One micro-turn of a trace. */
export interface TraceTurn {
  readonly index: number;
  readonly startMs: number;
  readonly input: TraceTurnInput;
  readonly output: TraceTurnOutput;
  readonly timing: TurnTiming;
  /** What the background told in this micro-turn, in order; absent if nothing. */
  readonly background?: readonly BackgroundActivity[];
  /** Control token of each output position, where the engine shows them. */
  readonly controls?: Uint8Array;
  /** Packed dMel levels of the input, where the engine shows them. */
  readonly dmel?: Uint8Array;
  /** Share of the routing weight per mixture layer and expert in 1/255, `[layers, experts]` flat, where shown. */
  readonly expertLoad?: Uint8Array;
}

/** Input of a micro-turn, exact to the bit. */
export interface TraceTurnInput {
  /** Mono PCM at the input rate; absent when every sample is 0. `Int16Array` when that holds every sample exactly. */
  readonly audio?: Int16Array | Float32Array;
  /** Samples at the end of `audio` that are padding. */
  readonly paddedSamples: number;
  /** Empty if the recording leaves images out. */
  readonly images: readonly ImageFrame[];
  /** With number and delegation of the results among it, by which a viewer finds them. */
  readonly text: readonly TextInput[];
  /** Results that became too old to enter. */
  readonly stale?: readonly TextInput[];
  readonly forceListen: boolean;
  /** How far the assistant's sound had been heard when the step began, if a player told. */
  readonly played?: PlaybackPosition;
}

/** Output of a micro-turn. */
export interface TraceTurnOutput {
  readonly decision: "listen" | "speak";
  readonly text: string;
  readonly heard: string;
  /** The work that was handed over. */
  readonly delegation?: Delegation;
  /** Ids of work that is not wanted any more. */
  readonly cancelled?: readonly string[];
  /** Words that it was told to say and gave up. */
  readonly unsaid?: string;
  readonly yielded: boolean;
  readonly skipped: boolean;
  readonly fence: number;
  /** Mono PCM at the output rate, rounded to 16 bits, for listening; absent when every sample is 0. */
  readonly speech?: Int16Array;
  /** Fingerprint of the exact float32 samples, for comparing. */
  readonly speechFingerprint: string;
}

/** A recorded session. */
export interface SessionTrace {
  readonly header: TraceHeader;
  readonly turns: readonly TraceTurn[];
}

/** The input audio of a micro-turn as it was, `[samples]`. */
export function traceAudio(audio: Int16Array | Float32Array | undefined, samples: number): Float32Array {
  if (audio === undefined) return new Float32Array(samples);
  if (audio instanceof Float32Array) return audio;
  return int16ToFloat(audio);
}

/** The most compact form that holds PCM exactly: nothing for silence, 16 bits where they are enough. */
export function packExactly(pcm: Float32Array): Int16Array | Float32Array | undefined {
  let silent = true;
  for (let i = 0; i < pcm.length; i++) {
    const scaled = pcm[i] * 32768;
    if (scaled !== 0) silent = false;
    if (!Number.isInteger(scaled) || scaled < -32768 || scaled > 32767) return pcm.slice();
  }
  return silent ? undefined : Int16Array.from(pcm, (value) => value * 32768);
}

/** PCM rounded to 16 bits, for listening; nothing for silence. */
export function packForListening(pcm: Float32Array): Int16Array | undefined {
  return pcm.some((sample) => sample !== 0) ? floatToInt16(pcm) : undefined;
}

/** 64 bits in hex that differ, as good as always, when two stretches of PCM differ in any bit; not a cryptographic hash. */
export function fingerprint(pcm: Float32Array): string {
  const words = new Uint32Array(pcm.buffer, pcm.byteOffset, pcm.length);
  let a = 0x9e3779b9;
  let b = 0x85ebca6b;
  for (let i = 0; i < words.length; i++) {
    a = Math.imul(a ^ words[i], 0x01000193);
    a = (a << 13) | (a >>> 19);
    b = Math.imul(b + words[i], 0xcc9e2d51);
    b ^= b >>> 15;
  }
  return [a, b].map((word) => (word >>> 0).toString(16).padStart(8, "0")).join("");
}
