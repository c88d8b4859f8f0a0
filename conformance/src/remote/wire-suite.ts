// What every wire must do, whatever service it speaks to: the scenarios that apply to all, against a double of the service.

import { getEventListeners } from "node:events";
import { DuplexError, type DuplexErrorCode } from "@microturn/core";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { type Check, settles } from "../check.js";
import { joinSound } from "./double-sound.js";
import type { Refusal, ServiceAbilities, ServiceDouble, WireUnderTest } from "./service-double.js";
import { difference, sawtooth, sawtoothTurns, until, WireBench, type WireSession } from "./wire-session.js";

/** What a check works with. */
export interface WireContext {
  readonly wire: WireUnderTest;
  /** Fresh for each check, and without connections when it ends. */
  readonly double: ServiceDouble;
  /** Ends the check as skipped, for what this service does not do. */
  skip(reason: string): never;
}

/**
 * Registers the suite with vitest. A check of something that the service does not do is skipped and counted.
 *
 * @param wire - the wire under test, and how to play its service
 */
export function describeWire(wire: WireUnderTest, { timeoutMs = 60_000 }: { readonly timeoutMs?: number } = {}): void {
  describe(`wire ${wire.name}`, () => {
    let double: ServiceDouble;
    beforeEach(async () => {
      double = await wire.double();
    });
    afterEach(() => double?.close());
    for (const check of wireChecks) {
      test(
        check.name,
        (task) => check.run({ wire, double, skip: (reason) => task.skip(reason) }),
        check.name.startsWith("keeps sending") ? 4 * timeoutMs : timeoutMs,
      );
    }
  });
}

/** Every check of the suite. */
export const wireChecks: readonly Check<WireContext>[] = [
  {
    name: "opens before its deadline, and says of itself what the engine says (scenario 1)",
    run: (context) =>
      inSession(context, async (talk, bench) => {
        expect(talk.session.capabilities).toEqual({ ...(await bench.engine.load()), maxSessions: expect.any(Number) });
        expect(bench.double.readyConnections).toBe(1);
        expect(bench.clock.pending, "timers after open").toBe(0);
        const output = await talk.step();
        expect(output.decision).toBe("listen");
        expect(output.yielded).toBe(false);
      }),
  },
  ...(["unauthorized", "forbidden", "busy", "close-before-ready", "silent"] as const).map(refusalCheck),
  {
    name: "says that nobody listens (scenario 2)",
    async run({ wire, double }) {
      const bench = new WireBench(wire, double);
      await double.close();
      expect((await failure(bench.open())).code).toBe("NETWORK_FAILED");
      await nothingLeft(bench);
    },
  },
  {
    name: "sends every sample once and in order",
    run: (context) =>
      inSession(context, async (talk, { double }) => {
        const turns = sawtoothTurns(8, talk.turnSamples);
        for (const { audio } of turns) await talk.step({ audio });
        if (!double.abilities.exactSound) return;
        expect(difference(double.received(), joinSound(turns.map(({ pcm }) => pcm)))).toBe("");
      }),
  },
  {
    name: "gives back a reply that comes at once, sample by sample (scenario 5)",
    run: (context) =>
      inSession(context, async (talk, { double }) => {
        need(context, "exactSound", "bursts");
        const sound = sawtooth(turnsOf(talk, 12.3));
        const reply = double.beginReply();
        reply.sound(sound, { oddBytes: double.abilities.oddBytes });
        reply.end();
        const outputs = await talk.steps(16);
        expect(difference(talk.sound(), sound)).toBe("");
        if (!double.abilities.endsReplies) return;
        const said = outputs.map(({ decision }) => decision).join(" ");
        expect(said).toMatch(/^(listen )*(speak )+(listen ?)+$/);
        expect(outputs.filter(({ decision }) => decision === "speak")).toHaveLength(13);
      }),
  },
  {
    name: "gives back a reply that comes in real time, sample by sample and without a gap",
    run: (context) =>
      inSession(context, async (talk, bench) => {
        const { double } = bench;
        need(context, "exactSound");
        const sound = sawtooth(turnsOf(talk, 10));
        const reply = double.beginReply();
        for (let turn = 0; turn < 10; turn++) {
          reply.sound(sound.subarray(turnsOf(talk, turn), turnsOf(talk, turn + 1)));
          await talk.step();
        }
        reply.end();
        await talk.steps(6);
        expect(difference(talk.sound(), sound)).toBe("");
        expect(bench.count("underrun"), "gaps").toBe(0);
      }),
  },
  {
    name: "goes on after sound that does not come for a second and then comes at once (scenario 18)",
    run: (context) =>
      inSession(context, async (talk, bench) => {
        const { double } = bench;
        need(context, "exactSound", "bursts");
        const sound = sawtooth(turnsOf(talk, 10));
        const reply = double.beginReply();
        reply.sound(sound.subarray(0, turnsOf(talk, 3)));
        await talk.steps(8);
        if (double.abilities.endsReplies) expect(bench.count("underrun"), "gaps that are told").toBeGreaterThan(0);
        reply.sound(sound.subarray(turnsOf(talk, 3)));
        reply.end();
        await talk.steps(14);
        const dropped = sum(bench, "output-dropped", "samples");
        const got = talk.sound();
        expect(got.length + dropped).toBe(sound.length);
        if (dropped === 0) expect(difference(got, sound)).toBe("");
      }),
  },
  {
    name: "gives replies in the order in which they come, one after the other",
    run: (context) =>
      inSession(context, async (talk, { double }) => {
        need(context, "exactSound", "bursts");
        const sounds = [0, 1, 2].map((seed) => sawtooth(turnsOf(talk, 2.5), seed));
        for (const sound of sounds) {
          const reply = double.beginReply();
          reply.sound(sound);
          reply.end();
        }
        await talk.steps(12);
        expect(difference(talk.sound(), joinSound(sounds))).toBe("");
      }),
  },
  {
    name: "spreads the words of a reply over its sound, and loses none",
    run: (context) =>
      inSession(context, async (talk, { double }) => {
        need(context, "text");
        const words = "one two three four five six seven eight nine ten eleven twelve";
        const reply = double.beginReply();
        for (const piece of words.match(/.{1,5}/g) ?? []) reply.text(piece);
        reply.sound(sawtooth(turnsOf(talk, 10)));
        reply.end();
        await talk.steps(16);
        expect(talk.text()).toBe(words);
        if (!double.abilities.bursts) return;
        const busiest = Math.max(...talk.outputs.map(({ text }) => text.split(" ").length));
        expect(busiest, "words in one micro-turn").toBeLessThan(7);
      }),
  },
  {
    name: "tells what was understood of the user",
    run: (context) =>
      inSession(context, async (talk, { double }) => {
        need(context, "heard");
        await talk.step();
        double.hear("what is the weather like?");
        await talk.steps(3);
        double.hear("in Rome");
        await talk.steps(3);
        expect(talk.heard()).toBe("what is the weather like? in Rome");
      }),
  },
  {
    name: "yields when the service cuts a reply, and plays nothing more of it",
    run: (context) =>
      inSession(context, async (talk, bench) => {
        const { double } = bench;
        need(context, "cutsReplies");
        const reply = double.beginReply();
        reply.sound(sawtooth(turnsOf(talk, 8)));
        await talk.stepUntil("the reply begins", () => talk.outputs.at(-1)?.decision === "speak");
        await talk.step();
        reply.cut(sawtooth(turnsOf(talk, 3), 2));
        const from = talk.outputs.length;
        await talk.steps(8);
        const after = talk.outputs.slice(from);
        expect(after.filter(({ yielded }) => yielded === true)).toHaveLength(1);
        expect(after.findIndex(({ yielded }) => yielded === true)).toBeLessThan(2);
        expect(talk.sound(from).length, "samples of the old reply").toBe(0);
        await playsAgain(talk, bench);
      }),
  },
  {
    name: "stops a reply when it must listen, and plays nothing more of it",
    run: (context) =>
      inSession(context, async (talk, bench) => {
        const { double } = bench;
        need(context, "interruptible");
        const reply = double.beginReply();
        reply.sound(sawtooth(turnsOf(talk, 8)));
        await talk.stepUntil("the reply begins", () => talk.outputs.at(-1)?.decision === "speak");
        const from = talk.outputs.length;
        const silenced = await talk.step({ forceListen: true });
        expect(silenced.decision).toBe("listen");
        await talk.steps(6);
        expect(talk.sound(from).length, "samples of the old reply").toBe(0);
        reply.end();
        await talk.step();
        await playsAgain(talk, bench);
      }),
  },
  {
    name: "passes on what the user types, once",
    run: (context) =>
      inSession(context, async (talk, { double }) => {
        need(context, "typed");
        await talk.step({ text: [{ source: "user", text: "hello there" }] });
        await talk.steps(2);
        expect(double.receivedTexts.filter((text) => text.includes("hello there"))).toHaveLength(1);
      }),
  },
  {
    name: "hands calls on, and answers each by its id, in whatever order the results come",
    run: (context) =>
      inSession(context, async (talk, { double }) => {
        need(context, "tools");
        const ids = double.call([
          { name: "weather", arguments: { city: "Rome" } },
          { name: "time", arguments: {} },
        ]);
        const asked = () => talk.outputs.flatMap(({ delegation }) => delegation ?? []);
        await talk.stepUntil("both calls are handed on", () => asked().length === 2, 10);
        expect(asked().map(({ name }) => name)).toEqual(["weather", "time"]);
        expect(asked()[0].task).toContain("Rome");
        const answer = (which: number, text: string) => {
          const delegation = asked()[which].id as string;
          return { text: [{ source: "background", text, delegation, delivery: which }] } as const;
        };
        await talk.step(answer(1, "it is noon"));
        await talk.step(answer(0, "it rains"));
        await until("both answers", () => double.answers.length === 2);
        expect(double.answers).toEqual([
          { id: ids[1], result: expect.stringContaining("it is noon") },
          { id: ids[0], result: expect.stringContaining("it rains") },
        ]);
      }),
  },
  {
    name: "gives a result without an id to the call that has waited longest",
    run: (context) =>
      inSession(context, async (talk, { double }) => {
        need(context, "tools");
        const [id] = double.call([{ name: "weather", arguments: { city: "Rome" } }]);
        await talk.stepUntil("the call is handed on", () => talk.outputs.some((one) => one.delegation), 10);
        await talk.step({ text: [{ source: "background", text: "it rains", delivery: 0 }] });
        await until("the answer", () => double.answers.length === 1);
        expect(double.answers).toEqual([{ id, result: expect.stringContaining("it rains") }]);
      }),
  },
  {
    name: "goes on with a call that is never answered",
    run: (context) =>
      inSession(context, async (talk, bench) => {
        need(context, "tools");
        bench.double.call([{ name: "weather", arguments: { city: "Rome" } }]);
        await talk.stepUntil("the call is handed on", () => talk.outputs.some((one) => one.delegation), 10);
        await talk.steps(5);
        await playsAgain(talk, bench);
      }),
  },
  {
    name: "keeps sending in ten minutes of silence (scenario 19)",
    run: (context) =>
      inSession(context, async (talk, bench) => {
        for (let turn = 0; turn < 3000; turn++) {
          await talk.turn();
          if (turn % 20 === 0) await until("the service keeps up", () => lag(talk, bench) <= 25);
        }
        await until("all arrives", () => lag(talk, bench) === 0);
        expect(bench.count("input-dropped")).toBe(0);
        expect(bench.double.openConnections).toBe(1);
        await playsAgain(talk, bench);
      }),
  },
  {
    name: "comes back when the connection breaks, and says so",
    run: (context) =>
      inSession(context, async (talk, bench) => {
        const { double } = bench;
        need(context, "reconnects");
        const reply = double.beginReply();
        reply.sound(sawtooth(turnsOf(talk, 2)));
        await talk.steps(2);
        double.drop(1006);
        await until("the loss is seen", () => bench.count("reconnecting") > 0);
        await talk.turn();
        await bench.clock.advance(1000);
        await until("another connection", () => bench.count("reconnected") > 0 && double.readyConnections === 2);
        expect(double.openConnections).toBe(1);
        // What had come of the reply is said.
        await talk.steps(4);
        await playsAgain(talk, bench);
        expect(bench.count("reconnected")).toBe(1);
      }),
  },
  {
    name: "gives up when it has not come back for long enough",
    run: (context) =>
      inSession(
        context,
        async (talk, bench) => {
          need(context, "reconnects");
          await talk.step();
          bench.double.refuse("close-before-ready");
          bench.double.drop(1006);
          await until("the loss is seen", () => bench.count("reconnecting") > 0);
          for (let second = 0; second < 40; second++) {
            await bench.clock.advance(500);
            await new Promise((resolve) => setTimeout(resolve, 5));
          }
          const attempts = bench.count("reconnecting");
          expect(attempts, "attempts").toBeGreaterThan(1);
          expect(attempts, "attempts").toBeLessThan(12);
          await until("it gives up", () => bench.clock.pending === 0);
          expect(await failure(talk.turn())).toMatchObject({ code: expect.any(String) });
        },
        { reconnectMs: 8000 },
      ),
  },
  {
    name: "ends with one typed error where another connection does not help",
    async run(context) {
      const { wire, double, skip } = context;
      if (wire.fatalCloses.length === 0) skip("it names no close that is final");
      for (const { code, reason, error } of wire.fatalCloses) {
        await inSession(context, async (talk, bench) => {
          await talk.step();
          double.drop(code, reason);
          await until("the end is seen", () => double.openConnections === 0);
          const told = await untilFails(talk);
          expect(told.code, `close ${code} ${reason ?? ""}: ${told.message}`).toBe(error);
          expect(bench.count("reconnecting")).toBe(0);
        });
      }
    },
  },
  {
    name: "does not come back when it is not to",
    run: (context) =>
      inSession(
        context,
        async (talk, bench) => {
          await talk.step();
          bench.double.drop(1011);
          const told = await untilFails(talk);
          expect(codes).toContain(told.code);
        },
        { reconnectMs: 0 },
      ),
  },
  {
    name: "passes over what it does not know, and tells it as raw (scenario 25)",
    run: (context) =>
      inSession(context, async (talk, bench) => {
        for (const message of context.wire.unknown) {
          const before = bench.count("raw");
          bench.double.send(message);
          await until(`raw: ${String(message).slice(0, 80)}`, () => bench.count("raw") > before);
        }
        await talk.step();
        await playsAgain(talk, bench);
      }),
  },
  {
    name: "takes base64 without padding, and empty pieces (scenario 26)",
    run: (context) =>
      inSession(context, async (talk, { double }) => {
        need(context, "base64", "exactSound");
        const sound = sawtooth(turnsOf(talk, 4.37) | 1);
        const reply = double.beginReply();
        reply.sound(sound, { bare: true });
        reply.end();
        await talk.stepUntil("all of it", () => talk.sound().length >= sound.length, 16);
        expect(difference(talk.sound(), sound)).toBe("");
      }),
  },
  {
    name: "survives broken messages, or ends with PROTOCOL_VIOLATION and nothing else",
    async run(context) {
      const { wire, double } = context;
      for (const message of [...brokenForAll, ...wire.broken]) {
        const what = typeof message === "string" ? message.slice(0, 100) : `bytes ${message.subarray(0, 20)}`;
        await inSession(context, async (talk, bench) => {
          double.send(message);
          await until(`a reaction to ${what}`, () => {
            double.send(wire.unknown[0]);
            return bench.count("raw") > 1 || double.openConnections === 0;
          });
          const error = await talk.turn().catch((caught: unknown) => caught);
          if (error instanceof Error) {
            expect(DuplexError.is(error, "PROTOCOL_VIOLATION"), `${what}: ${error}`).toBe(true);
          }
        });
      }
    },
  },
  {
    name: "drops the oldest input when the socket does not take it, and goes on in order (scenario 27)",
    run: (context) =>
      inSession(context, async (talk, bench) => {
        const { double } = bench;
        double.pause();
        const turns = sawtoothTurns(20, talk.turnSamples);
        let sent = 0;
        for (; sent < 4000 && bench.count("input-dropped") < 5; sent++) {
          await talk.turn({ audio: turns[sent % turns.length].audio });
        }
        expect(bench.count("input-dropped"), "units that are told as dropped").toBeGreaterThanOrEqual(5);
        double.resume();
        await until("the line is free", () => {
          return lag(talk, bench) <= sum(bench, "input-dropped", "units") + 26;
        });
        const from = sum(bench, "input-dropped", "units");
        await talk.turn();
        await until("what waits is sent", () => lag(talk, bench) <= sum(bench, "input-dropped", "units"));
        expect(sum(bench, "input-dropped", "units"), "nothing more goes").toBe(from);
        expect(lag(talk, bench), "units that did not arrive").toBe(from);
        expect(double.openConnections).toBe(1);
        if (double.abilities.exactSound) {
          const last = double.received().slice(-2 * talk.turnSamples, -talk.turnSamples);
          expect(difference(last, turns[(sent - 1) % turns.length].pcm)).toBe("");
        }
      }),
  },
  {
    name: "closes while it opens (scenario 24)",
    async run({ wire, double, skip }) {
      if (!double.abilities.refusals.includes("silent")) skip("the service is never silent");
      double.refuse("silent");
      const bench = new WireBench(wire, double);
      const opening = failure(bench.open());
      await until("the connection is there", () => double.openConnections > 0);
      await settles("close", bench.engine.close());
      expect((await opening).code).toBe("SESSION_CLOSED");
      await nothingLeft(bench);
    },
  },
  {
    name: "gives up the opening when its signal fires, and keeps no listener (scenario 24)",
    async run({ wire, double, skip }) {
      const signals = [AbortSignal.abort(), new AbortController().signal];
      const bench = new WireBench(wire, double);
      expect((await failure(bench.open(signals[0]))).code).toBe("ABORTED");
      const talk = await bench.open(signals[1]);
      expect(getEventListeners(signals[1], "abort")).toHaveLength(0);
      await talk.session.close();
      if (!double.abilities.refusals.includes("silent")) skip("the service is never silent");
      double.refuse("silent");
      const stop = new AbortController();
      const opening = failure(bench.open(stop.signal));
      await until("the connection is there", () => double.openConnections > 0);
      stop.abort();
      expect((await opening).code).toBe("ABORTED");
      expect(getEventListeners(stop.signal, "abort")).toHaveLength(0);
      await nothingLeft(bench);
    },
  },
  {
    name: "closes in the middle of a reply, and twice (scenario 24)",
    async run({ wire, double }) {
      const bench = new WireBench(wire, double);
      const talk = await bench.open();
      const reply = double.beginReply();
      reply.sound(sawtooth(turnsOf(talk, 20)));
      await talk.steps(2);
      const step = talk.session.step({
        ...{ index: 9, turns: 1, audio: new Float32Array(talk.turnSamples), images: [], text: [] },
      });
      const stepping = step.catch((error: unknown) => error);
      reply.sound(sawtooth(turnsOf(talk, 20)));
      await settles("close", Promise.all([talk.session.close(), talk.session.close()]));
      await settles("the step at close", stepping);
      expect((await failure(talk.turn())).code).toBe("SESSION_CLOSED");
      await talk.session.close();
      await nothingLeft(bench);
    },
  },
];

const codes: readonly DuplexErrorCode[] = [
  ...(["ACCESS_DENIED", "NETWORK_FAILED", "PROTOCOL_VIOLATION", "SERVER_BUSY", "UNSUPPORTED"] as const),
];

const refusalCodes: Record<Refusal, readonly DuplexErrorCode[]> = {
  unauthorized: ["ACCESS_DENIED"],
  forbidden: ["ACCESS_DENIED"],
  busy: ["SERVER_BUSY"],
  "close-before-ready": codes,
  // A service with one seat says nothing while it is taken.
  silent: ["OPEN_TIMEOUT", "SERVER_BUSY"],
};

const brokenForAll: readonly (string | Uint8Array)[] = [
  ...["", " ", "{", "null", "[]", "17", '"text"', "{}", '{"type":17}', '{"type":null}', '{"type":"__proto__"}'],
  ...['{"type":"constructor"}', "\u0000", "NaN", `{"type":"${"x".repeat(100_000)}"}`],
  `${"[".repeat(50_000)}${"]".repeat(50_000)}`,
  Uint8Array.of(0),
  new Uint8Array(1),
  Uint8Array.from({ length: 300 }, (_, i) => (i * 151) & 255),
];

function refusalCheck(refusal: Refusal): Check<WireContext> {
  return {
    name: `opens with one typed error when the service refuses: ${refusal} (scenario 2)`,
    async run({ wire, double, skip }) {
      if (!double.abilities.refusals.includes(refusal)) skip(`the service does not refuse like that: ${refusal}`);
      double.refuse(refusal);
      const bench = new WireBench(wire, double, { connectTimeoutMs: 3000 });
      const opening = failure(bench.open());
      if (refusal === "silent") {
        await until("the connection is there", () => double.openConnections > 0);
        await bench.clock.advance(2999);
        expect(bench.clock.pending).toBeGreaterThan(0);
        await bench.clock.advance(1);
      }
      const error = await settles("open", opening);
      expect(refusalCodes[refusal], `${error.message}`).toContain(error.code);
      expect(error.message.length, "the message says what to do").toBeGreaterThan(30);
      const told = JSON.stringify([error.message, error.details, String(error.cause ?? ""), bench.notes]);
      if (wire.secret !== undefined) expect(told).not.toContain(wire.secret);
      double.refuse(undefined);
      const talk = await bench.open();
      await talk.session.close();
      await nothingLeft(bench);
    },
  };
}

/** Runs a check in a session of its own; a client that did what its service refuses fails it, and so does what is left behind. */
async function inSession(
  { wire, double }: WireContext,
  use: (talk: WireSession, bench: WireBench) => Promise<void>,
  options: ConstructorParameters<typeof WireBench>[2] = {},
): Promise<void> {
  const bench = new WireBench(wire, double, options);
  const talk = await settles("open", bench.open());
  try {
    await use(talk, bench);
    expect(double.violations, "what the service refused").toEqual([]);
  } finally {
    await settles("close", bench.engine.close());
  }
  await nothingLeft(bench);
  if (wire.secret !== undefined) expect(JSON.stringify(bench.notes)).not.toContain(wire.secret);
}

/** A new reply is played, whole. */
async function playsAgain(talk: WireSession, { double }: WireBench): Promise<void> {
  const from = talk.outputs.length;
  const sound = sawtooth(turnsOf(talk, 2.2), 4);
  const reply = double.beginReply();
  reply.sound(sound);
  reply.end();
  await talk.stepUntil("a new reply is played", () => talk.sound(from).length >= 0.9 * sound.length, 20);
  await talk.steps(2);
  if (double.abilities.exactSound) expect(difference(talk.sound(from), sound)).toBe("");
}

async function nothingLeft({ clock, double }: WireBench): Promise<void> {
  await until("the socket is closed", () => double.openConnections === 0);
  expect(clock.pending, "timers that are left").toBe(0);
}

function need({ double, skip }: WireContext, ...abilities: readonly (keyof ServiceAbilities)[]): void {
  for (const ability of abilities) if (double.abilities[ability] !== true) skip(`the service has not: ${ability}`);
}

/** The DuplexError that a promise rejects with; may be awaited later. */
function failure(promise: Promise<unknown>): Promise<DuplexError> {
  const told = promise.then(
    () => Promise.reject(new Error("expected a DuplexError, got none")),
    (error: unknown) => {
      if (DuplexError.is(error)) return error;
      throw new Error(`expected a DuplexError, got ${error}`);
    },
  );
  told.catch(() => {});
  return told;
}

/** Micro-turns until one is refused. */
async function untilFails(talk: WireSession): Promise<DuplexError> {
  for (let i = 0; i < 2000; i++) {
    const error = await talk.turn().then(
      () => undefined,
      (caught: unknown) => caught,
    );
    if (DuplexError.is(error)) return error;
    if (error !== undefined) throw error;
    await new Promise((resolve) => setTimeout(resolve, 2));
  }
  throw new Error("the session goes on");
}

/** Micro-turns that were given to the session and have not arrived. */
function lag(talk: WireSession, { double }: WireBench): number {
  return Math.round(talk.outputs.length - double.receivedSamples / talk.turnSamples);
}

function sum({ notes }: WireBench, type: string, key: string): number {
  return notes.filter((note) => note.type === type).reduce((total, note) => total + Number(note[key]), 0);
}

/** Samples of so many micro-turns at the service's rate. */
function turnsOf(talk: WireSession, turns: number): number {
  const { outputSampleRate, turnDurationMs } = talk.session.capabilities;
  return Math.round((turns * outputSampleRate * turnDurationMs) / 1000);
}
