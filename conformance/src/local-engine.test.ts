// The engine suite on a real model, graph and runtime; and what only a whole session over them can show.

import { createHash } from "node:crypto";
import { nodeBackend } from "@microturn/backend-node";
import { DuplexSession, readTrace, replayTrace, type TurnRecord, writeTrace } from "@microturn/core";
import { localEngine } from "@microturn/core/local";
import { SimulatedUser, tinyAcoustic, tinyModel } from "@microturn/core/testing";
import { afterAll, describe, expect, it } from "vitest";
import { describeEngine } from "./engine-suite.js";

const model = tinyModel({ seed: 3 });
const backend = nodeBackend({ providers: ["cpu"], threads: 1 });
afterAll(async () => (await backend).close());

describeEngine("local, tiny model on CPU, one session", () => localEngine({ model, backend }));
describeEngine("local, tiny model on CPU, three sessions in a batch", () =>
  localEngine({ model, backend, maxSessions: 3 }),
);

const telling = tinyModel({ seed: 3, duplex: { acoustic: tinyAcoustic } });
describeEngine("local, tiny model with an acoustic model on CPU", () => localEngine({ model: telling, backend }));

describe("a session over a real model", () => {
  const user = new SimulatedUser({
    segments: [
      { atMs: 300, sound: 1200 },
      { atMs: 2500, sound: 400 },
    ],
    sampleRate: 48_000,
  });
  const options = { pace: "as-fast-as-input", seed: 11, temperature: 1, sampleRate: 48_000, tailMs: 600 } as const;

  async function talk(session: DuplexSession): Promise<TurnRecord[]> {
    const turns: TurnRecord[] = [];
    const reading = (async () => {
      for await (const turn of session) turns.push(turn);
    })();
    const recording = user.recording(4000);
    for (let at = 0; at < recording.length; at += 5000) await session.writeAudio(recording.subarray(at, at + 5000));
    session.writeImage({ data: new Uint8Array(64 * 48 * 4).fill(90), width: 64, height: 48, timeMs: 4100 });
    await session.finish();
    await reading;
    return turns;
  }

  it("replays from its trace to the same bits, through the file (rule 7)", async () => {
    const engine = localEngine({ model, backend });
    const session = await DuplexSession.open({ engine, ...options, trace: true });
    const turns = await talk(session);
    // 4 s of sound, the end of the resampler's filter, and 600 ms of silence.
    expect(turns).toHaveLength(20 + 1 + 3);
    expect(turns.some((turn) => turn.output.speech.some((sample) => sample !== 0))).toBe(true);
    const file = await writeTrace(session.trace());
    const trace = await readTrace(file);
    expect(await replayTrace(trace, engine)).toEqual({ turns: 24, same: true });
    const other = localEngine({ model: tinyModel({ seed: 4 }), backend });
    const report = await replayTrace(trace, other);
    expect(report.same).toBe(false);
    await engine.close();
    await other.close();
  });

  it("gives the same records at every run, and other ones with another seed (rule 7)", async () => {
    const engine = localEngine({ model, backend });
    const speech = async (seed: number) => {
      const session = await DuplexSession.open({ engine, ...options, seed });
      return (await talk(session)).map(({ output: { text, heard, speech } }) =>
        [text, heard, createHash("sha256").update(speech).digest("hex")].join(" "),
      );
    };
    const first = await speech(11);
    expect(await speech(11)).toEqual(first);
    expect(await speech(12)).not.toEqual(first);
    await engine.close();
  });

  it("forks into two sessions that agree as long as they hear the same (rule 10)", async () => {
    const engine = localEngine({ model, backend, maxSessions: 2 });
    // Whole micro-turns at the engine's own rate: nothing is on its way when the fork is made.
    const session = await DuplexSession.open({ engine, ...options, sampleRate: 16_000 });
    const mine: TurnRecord[] = [];
    const theirs: TurnRecord[] = [];
    const fifth = new Promise<void>((resolve) => {
      session.on("turn-end", ({ turn }) => {
        mine.push(turn);
        if (turn.index === 4) resolve();
      });
    });
    await session.writeAudio(user.recording(1000, 16_000));
    await fifth;
    const fork = await session.fork();
    fork.on("turn-end", ({ turn }) => theirs.push(turn));
    const silence = new Float32Array(16_000);
    await Promise.all([session.writeAudio(silence), fork.writeAudio(silence)]);
    await Promise.all([session.finish(), fork.finish()]);
    // Sound as a digest: a difference of ten thousand samples is no message.
    const said = (turns: readonly TurnRecord[]) =>
      turns.map(({ index, output: { decision, text, heard, speech } }) => {
        return [index, decision, text, heard, createHash("sha256").update(speech).digest("hex")].join(" ");
      });
    expect(theirs.map(({ index }) => index)).toEqual([5, 6, 7, 8, 9, 10, 11, 12]);
    expect(said(theirs)).toEqual(said(mine.slice(5)));
    await engine.close();
  });
});
