// What every engine must do: the suite behind the Engine contract of @microturn/core.

import type { Engine, EngineCapabilities, EngineSession, TurnInput, TurnOutput } from "@microturn/core";
import { DmelEncoder, dmelPreset, packLevels } from "@microturn/core/codecs";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { type Check, rejects, settles } from "./check.js";

/** What a check works with. */
export interface EngineContext {
  /** Shared by the checks of a suite; a check leaves it open and without sessions. */
  readonly engine: Engine;
  readonly capabilities: EngineCapabilities;
  /** A new engine of the same kind, for checks that close one. */
  fresh(): Promise<Engine>;
  /** Ends the check as skipped, for what this engine does not claim. */
  skip(reason: string): never;
}

/** Options of {@link describeEngine}. */
export interface EngineSuiteOptions {
  /** Why the suite cannot run here; its checks are then counted as skipped. */
  readonly skip?: string | undefined;
  /** Limit of each check, ms; default 60000. */
  readonly timeoutMs?: number;
}

/**
 * Registers the suite with vitest. A check of something that the engine does not claim is skipped and counted.
 *
 * @param name - of the engine, for the report
 * @param factory - makes an engine; called several times
 */
export function describeEngine(
  name: string,
  factory: () => Promise<Engine> | Engine,
  { skip, timeoutMs = 60_000 }: EngineSuiteOptions = {},
): void {
  describe.skipIf(skip !== undefined)(`engine ${name}${skip === undefined ? "" : ` (skipped: ${skip})`}`, () => {
    let engine: Engine;
    let capabilities: EngineCapabilities;
    beforeAll(async () => {
      engine = await factory();
      capabilities = await engine.load();
    }, timeoutMs);
    afterAll(() => engine?.close());
    for (const check of engineChecks) {
      test(
        check.name,
        (task) =>
          check.run({ engine, capabilities, fresh: async () => factory(), skip: (reason) => task.skip(reason) }),
        timeoutMs,
      );
    }
  });
}

/** Every check of the suite. */
export const engineChecks: readonly Check<EngineContext>[] = [
  {
    name: "loads once, and states rates, inputs and outputs that make whole micro-turns",
    async run({ engine, capabilities }) {
      expect(await engine.load()).toEqual(capabilities);
      const { turnDurationMs, inputSampleRate, outputSampleRate, inputs, outputs, maxSessions } = capabilities;
      for (const rate of [inputSampleRate, outputSampleRate]) {
        expect(rate).toBeGreaterThan(0);
        expect(Number.isInteger((rate * turnDurationMs) / 1000), `${turnDurationMs} ms at ${rate} Hz`).toBe(true);
      }
      expect(inputs).toContain("audio");
      expect(outputs).toContain("audio");
      expect(maxSessions).toBeGreaterThanOrEqual(1);
      await withSession(engine, {}, async (session) => expect(session.capabilities).toEqual(capabilities));
    },
  },
  {
    name: "answers every micro-turn with one micro-turn of finite speech, a decision, text and times",
    async run({ engine, capabilities }) {
      const samples = (capabilities.outputSampleRate * capabilities.turnDurationMs) / 1000;
      await withSession(engine, {}, async (session) => {
        for (const input of talk(capabilities, 1)) {
          const output = await settles("step", session.step(input));
          expect(output.speech).toBeInstanceOf(Float32Array);
          expect(output.speech.length).toBe(samples);
          expect(output.speech.every((sample) => Math.abs(sample) <= 1)).toBe(true);
          expect(["listen", "speak"]).toContain(output.decision);
          expect(typeof output.yielded).toBe("boolean");
          expect(typeof output.text).toBe("string");
          expect(typeof output.heard).toBe("string");
          const times = [output.timing.encodeMs, output.timing.waitMs, output.timing.runMs, output.timing.decodeMs];
          for (const ms of times) expect(ms).toBeGreaterThanOrEqual(0);
          if (output.delegation !== undefined) expect(capabilities.delegation).toBe(true);
        }
      });
    },
  },
  {
    name: "gives the same bits for the same input and seed, with random choices too, if it says so",
    async run({ engine, capabilities, skip }) {
      if (!capabilities.deterministic) skip("it does not claim to be deterministic");
      for (const temperature of [0, 1]) {
        const options = { seed: 4_294_967_295, temperature };
        const first = await record(engine, options, talk(capabilities, 2));
        expectSame("the second time", await record(engine, options, talk(capabilities, 2)), first);
      }
    },
  },
  {
    name: "hears: other audio gives another record",
    async run({ engine, capabilities }) {
      const quiet = talk(capabilities, 2).map((input) => ({ ...input, audio: new Float32Array(input.audio.length) }));
      const heard = await record(engine, {}, talk(capabilities, 2));
      expect(difference(await record(engine, {}, quiet), heard), "silence gave the same record as speech").not.toBe("");
    },
  },
  {
    name: "shares no memory with its caller: audio stays as it was, speech belongs to the receiver",
    async run({ engine, capabilities }) {
      const plain = capabilities.deterministic ? await record(engine, {}, talk(capabilities, 3)) : undefined;
      await withSession(engine, {}, async (session) => {
        const inputs = talk(capabilities, 3);
        for (const [index, input] of inputs.entries()) {
          const before = input.audio.slice();
          const output = await session.step(input);
          expect(input.audio).toEqual(before);
          if (plain !== undefined) expectSame(`micro-turn ${index}`, [withoutTimes(output)], [plain[index]]);
          input.audio.fill(Number.NaN);
          output.speech.fill(Number.NaN);
        }
      });
    },
  },
  {
    name: "keeps sessions apart that step at the same time",
    async run({ engine, capabilities }) {
      const count = Math.min(3, capabilities.maxSessions);
      const inputs = Array.from({ length: count }, (_, seed) => talk(capabilities, 10 + seed));
      const alone: TurnRecord[][] = [];
      for (const [seed, turns] of inputs.entries()) alone.push(await record(engine, { seed }, turns));
      const sessions = await Promise.all(inputs.map((_, seed) => engine.open({ seed })));
      try {
        for (let turn = 0; turn < inputs[0].length; turn++) {
          const outputs = await settles("steps at once", Promise.all(sessions.map((s, i) => s.step(inputs[i][turn]))));
          if (!capabilities.deterministic) continue;
          outputs.forEach((output, i) => {
            expectSame(`session ${i}, micro-turn ${turn}`, [withoutTimes(output)], [alone[i][turn]]);
          });
        }
      } finally {
        for (const session of sessions) await session.close();
      }
    },
  },
  {
    name: "merges micro-turns into one step, and gives the output of one",
    async run({ engine, capabilities }) {
      await withSession(engine, {}, async (session) => {
        const turns = talk(capabilities, 4);
        const merged = merge(turns.slice(0, 3));
        const output = await settles("a step of three micro-turns", session.step(merged));
        expect(output.speech.length).toBe((capabilities.outputSampleRate * capabilities.turnDurationMs) / 1000);
        for (const input of turns.slice(3)) await session.step(input);
      });
    },
  },
  {
    name: "is silent in a micro-turn in which it must listen",
    async run({ engine, capabilities }) {
      await withSession(engine, {}, async (session) => {
        for (const [index, input] of talk(capabilities, 5).entries()) {
          const forceListen = index % 2 === 1;
          const output = await session.step(forceListen ? { ...input, forceListen } : input);
          if (!forceListen) continue;
          expect(output.decision).toBe("listen");
          expect(output.text).toBe("");
          if (capabilities.decisions) expect(loudest(output.speech)).toBeLessThan(loudFloor);
        }
      });
    },
  },
  {
    name: "says what is delivered, and tells what of it nobody heard",
    async run({ engine, capabilities, skip }) {
      if (!capabilities.saysText) skip("it says no text");
      await withSession(engine, {}, async (session) => {
        const [first, second, third] = talk(capabilities, 8);
        const say = (text: string, delivery: number) => ({ text: [{ source: "background", text, delivery }] }) as const;
        const begun = await session.step({ ...first, ...say("one two three four five six seven eight nine ten", 5) });
        expect(begun.decision, "it does not begin to speak").toBe("speak");
        const silenced = await session.step({ ...second, forceListen: true });
        const given = [...(begun.unsaid ?? []), ...(silenced.unsaid ?? [])];
        expect(given.map(({ delivery }) => delivery)).toEqual([5]);
        expect(given[0].words).toMatch(/nine ten$/);
        expect((await session.step({ ...third, ...say("…", 6) })).unsaid).toEqual([{ delivery: 6, words: "…" }]);
      });
    },
  },
  {
    name: "goes back to a snapshot and over to another session with the same outputs, if it can snapshot",
    async run({ engine, capabilities }) {
      const turns = talk(capabilities, 6);
      const half = turns.length >> 1;
      await withSession(engine, { seed: 7, temperature: 1 }, async (session) => {
        for (const input of turns.slice(0, half)) await session.step(input);
        if (!capabilities.snapshots) return rejects("snapshot", session.snapshot(), "UNSUPPORTED");
        const snapshot = await session.snapshot();
        const ahead = await stepAll(session, turns.slice(half));
        await session.restore(snapshot);
        expectSame("after restore", await stepAll(session, turns.slice(half)), ahead);
        if (capabilities.maxSessions < 2) return;
        await withSession(engine, { seed: 8 }, async (other) => {
          await stepAll(other, talk(capabilities, 9).slice(0, 2));
          await other.restore(snapshot);
          expectSame("in another session", await stepAll(other, turns.slice(half)), ahead);
        });
        await session.restore(snapshot);
        expectSame("after a second restore", await stepAll(session, turns.slice(half)), ahead);
      });
    },
  },
  {
    name: "keeps a snapshot and a restore apart from whatever is asked of it meanwhile",
    async run({ engine, capabilities, skip }) {
      if (!capabilities.snapshots) skip("it does not claim snapshots");
      const options = { seed: 5, temperature: 1 };
      const turns = talk(capabilities, 16).slice(0, 7);
      const [before, after] = [turns.slice(0, 4), turns.slice(4)];
      const plain = await record(engine, options, turns);
      await withSession(engine, options, async (session) => {
        await stepAll(session, before);
        // A step that comes too early is refused, or waits; in no case is half of it in the snapshot.
        const taking = session.snapshot();
        const early = session.step(after[0]).catch(() => undefined);
        const snapshot = await settles("snapshot", taking);
        await settles("the step meanwhile", early);
        const back = session.restore(snapshot);
        const meanwhile = session.step(after[1]).catch(() => undefined);
        await settles("restore", back);
        await settles("the step meanwhile", meanwhile);
        await session.restore(snapshot);
        const ahead = await stepAll(session, after);
        if (capabilities.deterministic) expectSame("as without a snapshot", ahead, plain.slice(4));
      });
    },
  },
  {
    name: "refuses a snapshot of another engine",
    async run({ engine, capabilities, skip }) {
      if (!capabilities.snapshots) skip("it does not claim snapshots");
      await withSession(engine, {}, async (session) => {
        await rejects("restore", session.restore({ engine: "no such engine", data: {} }), "UNSUPPORTED");
        await session.step(talk(capabilities, 1)[0]);
      });
    },
  },
  {
    name: "refuses audio of another length and samples that are no numbers, and goes on as if nothing had been",
    async run({ engine, capabilities }) {
      const turns = talk(capabilities, 11);
      const plain = capabilities.deterministic ? await record(engine, {}, turns) : undefined;
      await withSession(engine, {}, async (session) => {
        for (const [index, input] of turns.entries()) {
          for (const length of [0, input.audio.length - 1, input.audio.length + 1]) {
            const wrong = { ...input, audio: new Float32Array(length) };
            await rejects(`step with ${length} samples`, session.step(wrong), "SHAPE_MISMATCH");
          }
          for (const value of [Number.NaN, Number.POSITIVE_INFINITY]) {
            const audio = input.audio.slice();
            audio[audio.length - 1] = value;
            await rejects(`step with a sample ${value}`, session.step({ ...input, audio }), "AUDIO_INVALID");
          }
          for (const turn of [0, 1.5]) {
            await rejects(`step of ${turn} micro-turns`, session.step({ ...input, turns: turn }), RangeError);
          }
          const output = await session.step(input);
          if (plain !== undefined) expectSame(`micro-turn ${index}`, [withoutTimes(output)], [plain[index]]);
        }
      });
    },
  },
  {
    name: "takes the input as dMel levels too, with the same result, and refuses them in another length or beside samples, if it says so",
    async run({ engine, capabilities, skip }) {
      const { dmel: preset = skip("it takes samples only") } = capabilities;
      const samples = talk(capabilities, 16);
      const levels = asLevels(samples, preset);
      const plain = capabilities.deterministic ? await record(engine, {}, samples) : undefined;
      await withSession(engine, {}, async (session) => {
        for (const [index, input] of levels.entries()) {
          const dmel = input.dmel ?? new Uint8Array(0);
          for (const wrong of [
            { dmel: dmel.slice(1) },
            { dmel: new Uint8Array(0) },
            { audio: samples[index].audio },
            { dmel, turns: 2 },
          ]) {
            await rejects("step with wrong levels", session.step({ ...input, ...wrong }), "SHAPE_MISMATCH");
          }
          const output = await session.step(input);
          if (plain !== undefined) expectSame(`micro-turn ${index}`, [withoutTimes(output)], [plain[index]]);
        }
      });
    },
  },
  {
    name: "takes a position of the player in sound that it has made, and refuses any other",
    async run({ engine, capabilities }) {
      const whole = (capabilities.outputSampleRate * capabilities.turnDurationMs) / 1000;
      const turns = talk(capabilities, 17);
      const mayDiffer = capabilities.truncates || !capabilities.deterministic;
      const plain = mayDiffer ? undefined : await record(engine, {}, turns);
      await withSession(engine, {}, async (session) => {
        for (const [index, input] of turns.entries()) {
          for (const played of [
            { turnIndex: index, samples: 0 },
            { turnIndex: -1, samples: whole },
            { turnIndex: index - 1, samples: whole + 1 },
            { turnIndex: index - 0.5, samples: Number.NaN },
          ]) {
            const place = `${played.samples} of ${played.turnIndex}`;
            await rejects(`step ${index} with ${place} heard`, session.step({ ...input, played }), RangeError);
          }
          const heard = index < 2 ? {} : { played: { turnIndex: index - 2, samples: whole >> 1 } };
          const output = await session.step({ ...input, ...heard });
          if (plain !== undefined) expectSame(`micro-turn ${index}`, [withoutTimes(output)], [plain[index]]);
        }
      });
    },
  },
  {
    name: "hears what is typed, if it says so",
    async run({ engine, capabilities, skip }) {
      if (!capabilities.hearsText) skip("it hears no text");
      expect(capabilities.inputs).not.toContain("text");
      const quiet = talk(capabilities, 4).map((input) => ({ ...input, audio: new Float32Array(input.audio.length) }));
      const text = [{ source: "user", text: "one two three" }] as const;
      const typed = quiet.map((input, index) => (index === 1 ? { ...input, text } : input));
      const plain = await record(engine, {}, quiet);
      const heard = await record(engine, {}, typed);
      expect(difference(heard, plain), "typed text gave the same record as silence").not.toBe("");
    },
  },
  {
    name: "refuses images and text that it does not take",
    async run({ engine, capabilities }) {
      await withSession(engine, {}, async (session) => {
        const [input] = talk(capabilities, 1);
        const image = { data: new Uint8Array(4 * 39 * 40).fill(128), width: 39, height: 40, timeMs: 0 };
        const step = (extra: Partial<TurnInput>) => session.step({ ...input, ...extra });
        if (capabilities.inputs.includes("video")) {
          const timeless = { ...image, timeMs: Number.NaN };
          await rejects("step with an image at no time", step({ images: [timeless] }), "IMAGE_INVALID");
          await step({ images: [image] });
        } else await rejects("step with an image", step({ images: [image] }), "UNSUPPORTED");
        const text = [{ source: "user", text: "hello" }] as const;
        if (capabilities.inputs.includes("text") || capabilities.hearsText) await step({ text });
        else await rejects("step with text", step({ text }), "UNSUPPORTED");
      });
    },
  },
  {
    name: "opens as many sessions as it says and no more, and again when one was closed",
    async run({ engine, capabilities, skip }) {
      if (capabilities.maxSessions > 64) skip(`${capabilities.maxSessions} sessions are too many to open here`);
      const sessions: EngineSession[] = [];
      try {
        for (let i = 0; i < capabilities.maxSessions; i++) sessions.push(await engine.open());
        await rejects("open beyond maxSessions", engine.open(), "UNSUPPORTED");
        await sessions[0].close();
        sessions[0] = await settles("open after a close", engine.open());
        await sessions[0].step(talk(capabilities, 1)[0]);
      } finally {
        for (const session of sessions) await session.close();
      }
    },
  },
  {
    name: "starts every session fresh, whatever the one before it heard",
    async run({ engine, capabilities, skip }) {
      if (!capabilities.deterministic) skip("it does not claim to be deterministic");
      const first = await record(engine, {}, talk(capabilities, 12));
      await record(engine, { seed: 3 }, talk(capabilities, 13));
      expectSame("after another session", await record(engine, {}, talk(capabilities, 12)), first);
    },
  },
  {
    name: "stops load and open when their signal fires",
    async run({ fresh }) {
      const engine = await fresh();
      try {
        const signal = AbortSignal.abort();
        await rejects("load with an aborted signal", engine.load({ signal }), "ABORTED");
        await rejects("open with an aborted signal", engine.open({ signal }), "ABORTED");
        const session = await settles("open after an abort", engine.open());
        await session.close();
      } finally {
        await engine.close();
      }
    },
  },
  {
    name: "closes a session twice, with a step open, and refuses calls afterwards",
    async run({ engine, capabilities }) {
      const session = await engine.open();
      const [first, second] = talk(capabilities, 14);
      await session.step(first);
      const open = session.step(second).catch((error: unknown) => error);
      await settles("close", Promise.all([session.close(), session.close()]));
      await settles("the step open at close", open);
      await settles("close again", session.close());
      await rejects("step after close", session.step(second), "SESSION_CLOSED");
      if (capabilities.snapshots) await rejects("snapshot after close", session.snapshot(), "SESSION_CLOSED");
    },
  },
  {
    name: "closes with sessions open, twice, and refuses calls afterwards",
    async run({ fresh, capabilities }) {
      const engine = await fresh();
      const session = await engine.open();
      const [first] = talk(capabilities, 15);
      await session.step(first);
      await settles("close", Promise.all([engine.close(), engine.close()]));
      await rejects("step after close of the engine", session.step(first), "SESSION_CLOSED");
      await rejects("load after close", engine.load(), "SESSION_CLOSED");
      await rejects("open after close", engine.open(), "SESSION_CLOSED");
      await settles("close of a session whose engine is closed", session.close());
    },
  },
];

/** What must be equal when a session is repeated. */
type TurnRecord = Omit<TurnOutput, "timing">;

/** Below this a sample is silence: about -80 dB. */
const loudFloor = 1e-4;

/** Ten micro-turns of a user who speaks for three, is quiet, and speaks again: noise with a pitch, by a seed. */
function talk({ inputSampleRate, turnDurationMs }: EngineCapabilities, seed: number): TurnInput[] {
  const samples = (inputSampleRate * turnDurationMs) / 1000;
  let state = (seed * 2654435761 + 1) >>> 0;
  return Array.from({ length: 10 }, (_, index) => {
    const speaking = index < 3 || index === 8;
    const audio = new Float32Array(samples);
    for (let i = 0; speaking && i < samples; i++) {
      state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
      const pulse = Math.sin((2 * Math.PI * (100 + 20 * (seed % 10)) * i) / inputSampleRate);
      audio[i] = 0.2 * pulse + 0.1 * (state / 2 ** 31 - 1);
    }
    return { index, turns: 1, audio, images: [], text: [] };
  });
}

/** The inputs of one stream with packed levels instead of samples. */
function asLevels(inputs: readonly TurnInput[], preset: string): TurnInput[] {
  const encoder = new DmelEncoder(dmelPreset(preset));
  return inputs.map((input) => {
    const levels = new Uint8Array(encoder.framesAfter(input.audio.length) * encoder.preset.melBins);
    encoder.push(input.audio, levels);
    return { ...input, audio: new Float32Array(0), dmel: packLevels(levels) };
  });
}

function merge(inputs: readonly TurnInput[]): TurnInput {
  const length = inputs.reduce((sum, input) => sum + input.audio.length, 0);
  const audio = new Float32Array(length);
  let offset = 0;
  for (const input of inputs) {
    audio.set(input.audio, offset);
    offset += input.audio.length;
  }
  return { index: inputs[inputs.length - 1].index, turns: inputs.length, audio, images: [], text: [] };
}

async function withSession(
  engine: Engine,
  options: Parameters<Engine["open"]>[0],
  use: (session: EngineSession) => Promise<unknown>,
): Promise<void> {
  const session = await settles("open", engine.open(options));
  try {
    await use(session);
  } finally {
    await session.close();
  }
}

async function record(
  engine: Engine,
  options: Parameters<Engine["open"]>[0],
  inputs: readonly TurnInput[],
): Promise<TurnRecord[]> {
  let records: TurnRecord[] = [];
  await withSession(engine, options, async (session) => {
    records = await stepAll(session, inputs);
  });
  return records;
}

async function stepAll(session: EngineSession, inputs: readonly TurnInput[]): Promise<TurnRecord[]> {
  const records: TurnRecord[] = [];
  for (const input of inputs) records.push(withoutTimes(await settles("step", session.step(input))));
  return records;
}

function withoutTimes({ timing: _, ...output }: TurnOutput): TurnRecord {
  return { ...output, speech: output.speech.slice() };
}

function expectSame(what: string, got: readonly TurnRecord[], expected: readonly TurnRecord[]): void {
  expect(difference(got, expected), what).toBe("");
}

/** The first difference between two records in words, "" if there is none. */
function difference(got: readonly TurnRecord[], expected: readonly TurnRecord[]): string {
  if (got.length !== expected.length) return `${got.length} micro-turns instead of ${expected.length}`;
  for (const [turn, { speech, inside, ...rest }] of got.entries()) {
    const { speech: expectedSpeech, inside: expectedInside, ...expectedRest } = expected[turn];
    const sample = speech.findIndex((value, i) => value !== expectedSpeech[i]);
    if (sample >= 0)
      return `micro-turn ${turn}, sample ${sample}: ${speech[sample]} instead of ${expectedSpeech[sample]}`;
    for (const [a, b] of [
      [rest, expectedRest],
      [inside, expectedInside],
    ]) {
      const [left, right] = [JSON.stringify(a), JSON.stringify(b)];
      if (left !== right) return `micro-turn ${turn}: ${left} instead of ${right}`;
    }
  }
  return "";
}

function loudest(samples: Float32Array): number {
  return samples.reduce((max, sample) => Math.max(max, Math.abs(sample)), 0);
}
