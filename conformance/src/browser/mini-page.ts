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
}

const page: MiniPage = {
  async play(recordings, options) {
    const startMs = performance.now();
    await using engine = webEngine({
      model: "/mini/",
      runtimeFolder: "/ort/",
      worker: () => new Worker("/worker.js", { type: "module" }),
      ...options,
    });
    await using session = await DuplexSession.open({ engine, pace: "as-fast-as-input", sampleRate: 16_000 });
    const loadMs = performance.now() - startMs;
    const turns: PlayedTurn[] = [];
    session.on("turn-end", ({ turn: { output, timing } }) => {
      const { decision, text, heard, speech } = output;
      turns.push({ decision, text, heard, speech: projections(speech), stepMs: timing.stepMs, runMs: timing.runMs });
    });
    for (const recording of recordings) {
      const { channels } = readWav(new Uint8Array(await (await fetch(recording)).arrayBuffer()));
      await session.writeAudio(mixToMono(channels));
    }
    await session.finish();
    if (engine.choice === undefined) throw new Error("nothing was chosen");
    return { choice: engine.choice, loadMs, turns };
  },
};

Object.assign(window, { page });
