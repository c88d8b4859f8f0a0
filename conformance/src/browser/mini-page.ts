// Entry of a page that plays recordings to mini, as fast as it computes, and keeps what it said and how long it took.

import { type DeviceChoice, type WebEngineOptions, webEngine } from "@microturn/backend-web";
import { DuplexSession, mixToMono, readWav } from "@microturn/core";
import { projections } from "./projections.js";

/** What became of one micro-turn. */
export interface PlayedTurn {
  readonly decision: string;
  readonly text: string;
  readonly heard: string;
  /** What its samples have in common with four made-up sounds; 0 for silence. */
  readonly speech: readonly number[];
  /** Share of the routing weight that each expert got, layer by layer. */
  readonly experts: readonly number[];
  readonly stepMs: number;
  readonly runMs: number;
}

/** One recording, played. */
export interface Played {
  readonly choice: DeviceChoice;
  readonly loadMs: number;
  readonly turns: readonly PlayedTurn[];
}

/** What the page offers to the test that drives it. */
export interface MiniPage {
  play(recordings: readonly string[], options: Omit<WebEngineOptions, "model">): Promise<Played>;
  /** Has mini say something while it hears the beginning of a recording. */
  tell(words: string, recording: string, turns: number, options: Omit<WebEngineOptions, "model">): Promise<Played>;
}

/** One session, from the loading of its model to its end. */
async function inSession(
  options: Omit<WebEngineOptions, "model">,
  use: (session: DuplexSession) => Promise<void>,
): Promise<Played> {
  const startMs = performance.now();
  await using engine = webEngine({
    model: "/mini/",
    runtimeFolder: "/ort/",
    worker: () => new Worker("/worker.js", { type: "module" }),
    ...options,
  });
  // A simulated device takes minutes to get going.
  const openTimeoutMs = 300_000;
  await using session = await DuplexSession.open({
    engine,
    pace: "as-fast-as-input",
    sampleRate: 16_000,
    openTimeoutMs,
  });
  const loadMs = performance.now() - startMs;
  const turns: PlayedTurn[] = [];
  session.on("turn-end", ({ turn: { output, timing, inside } }) => {
    const { decision, text, heard, speech } = output;
    const experts = Array.from(inside?.expertLoad ?? []);
    const { stepMs, runMs } = timing;
    turns.push({ decision, text, heard, speech: projections(speech), experts, stepMs, runMs });
  });
  await use(session);
  if (engine.choice === undefined) throw new Error("nothing was chosen");
  return { choice: engine.choice, loadMs, turns };
}

async function samplesOf(recording: string): Promise<Float32Array> {
  return mixToMono(readWav(new Uint8Array(await (await fetch(recording)).arrayBuffer())).channels);
}

const page: MiniPage = {
  play: (recordings, options) =>
    inSession(options, async (session) => {
      for (const recording of recordings) await session.writeAudio(await samplesOf(recording));
      await session.finish();
    }),
  tell: (words, recording, turns, options) =>
    inSession(options, async (session) => {
      const samples = await samplesOf(recording);
      void session.deliver(words, "now");
      const done = new Promise<void>((resolve) => {
        session.on("turn-end", ({ turn }) => turn.index === turns - 1 && resolve());
      });
      await session.writeAudio(samples.subarray(0, turns * 3200));
      await done;
    }),
};

Object.assign(window, { page });
