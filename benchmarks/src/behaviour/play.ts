// Plays one case into a session, end to end: audio in, audio out. Nothing here knows the truth.

import { readFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { gunzipSync } from "node:zlib";
import {
  type Background,
  DuplexSession,
  type Engine,
  mixToMono,
  readWav,
  type SessionTrace,
  type TurnRecord,
} from "@microturn/core";
import type { BehaviourCase } from "./cases.js";

/** What a session did with a case. */
export interface Performance {
  readonly turns: readonly TurnRecord[];
  readonly turnMs: number;
  /** What the loudspeaker played, on the time line of the microphone. */
  readonly played: Float32Array;
  readonly sampleRate: number;
  /** Everything, if it was asked for. */
  readonly trace?: SessionTrace;
}

/** Runs a case through a fresh session and listens to the whole of it. */
export async function play(
  one: BehaviourCase,
  engine: Engine,
  { trace = false, background }: { readonly trace?: boolean; readonly background?: Background } = {},
): Promise<Performance> {
  const wav = readWav(new Uint8Array(await readFile(one.wav)));
  const samples = mixToMono(wav.channels);
  const images = await camera(one);
  await using session = await DuplexSession.open({
    engine,
    pace: "as-fast-as-input",
    tailMs: 0,
    sampleRate: wav.sampleRate,
    trace,
    ...(background === undefined ? {} : { background }),
  });
  const { turnDurationMs, outputSampleRate } = session.capabilities;
  const turns: TurnRecord[] = [];
  // Handed over on the session's clock: sound may wait in front of it.
  const { told } = one;
  const stop = session.on("turn-end", ({ timeMs }) => {
    if (told === undefined || timeMs < told.atMs) return;
    stop();
    void session.deliver(told.text, "when-quiet");
  });
  const reading = (async () => {
    for await (const turn of session) turns.push(turn);
  })();
  const perTurn = (wav.sampleRate * turnDurationMs) / 1000;
  for (let start = 0; start < samples.length; start += perTurn) {
    const startMs = (1000 * start) / wav.sampleRate;
    for (const timeMs of [startMs + turnDurationMs / 4, startMs + (3 * turnDurationMs) / 4]) {
      const image = images?.(timeMs);
      if (image !== undefined) session.writeImage({ ...image, timeMs });
    }
    await session.writeAudio(samples.subarray(start, start + perTurn));
  }
  await session.finish();
  await reading;

  const unit = (outputSampleRate * turnDurationMs) / 1000;
  const played = new Float32Array((turns.length + 1) * unit);
  for (const turn of turns) played.set(turn.output.speech, (turn.index + 1) * unit); // heard while the next one is taken in
  const heard = { turns, turnMs: turnDurationMs, played, sampleRate: outputSampleRate };
  return trace ? { ...heard, trace: session.trace() } : heard;
}

/** What a case's camera shows at a time; `undefined` without a camera, and after its last image. @throws Error if images are missing */
export async function camera(one: BehaviourCase): Promise<((ms: number) => Rgb | undefined) | undefined> {
  if (one.images !== undefined) {
    const { file, width, height, everyMs } = one.images;
    const data = gunzipSync(await readFile(join(dirname(one.wav), file)));
    const size = width * height * 3;
    const count = Math.floor(one.durationMs / everyMs);
    if (data.length !== count * size) {
      throw new Error(
        `${file}: expected ${count} images of ${width} x ${height}, got ${data.length / size}; make the cases anew`,
      );
    }
    return (ms) => {
      const index = Math.floor(ms / everyMs);
      const image = data.subarray(index * size, (index + 1) * size);
      return image.length === size ? { data: image, width, height } : undefined;
    };
  }
  const { color } = one;
  return color === undefined ? undefined : (ms) => plain(color, ms);
}

/** An image as `writeImage` takes it, but for its time. */
interface Rgb {
  readonly data: Uint8Array;
  readonly width: number;
  readonly height: number;
}

function plain(color: NonNullable<BehaviourCase["color"]>, ms: number): Rgb {
  const [width, height] = [39, 40];
  let rgb: readonly number[] = [0, 0, 0];
  for (const change of color) if (change.ms <= ms) rgb = change.rgb;
  const data = new Uint8Array(width * height * 3);
  for (let i = 0; i < data.length; i++) data[i] = rgb[i % 3];
  return { data, width, height };
}
