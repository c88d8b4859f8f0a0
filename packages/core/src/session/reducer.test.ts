import { describe, expect, it } from "vitest";
import type { TurnOutput } from "../engine.js";
import { DuplexError } from "../errors.js";
import type { DeliveryPolicy } from "./delivery.js";
import type { SessionEvent } from "./events.js";
import { SeededRandom } from "./random.js";
import { reduce } from "./reducer.js";
import {
  initialState,
  type SessionEffect,
  type SessionInput,
  type SessionRules,
  type SessionState,
  type StepPlan,
} from "./session-state.js";

const rules: SessionRules = {
  turnSamples: 3200,
  turnDurationMs: 200,
  outputSampleRate: 16_000,
  outputTurnSamples: 3200,
  budgetMs: 200,
  deadline: "catch-up",
  pace: "realtime",
  pauseMs: 2000,
  maxImages: 16,
  saysText: true,
  understands: true,
};

function output(fields: Partial<TurnOutput> = {}): TurnOutput {
  return {
    decision: "listen",
    speech: new Float32Array(3200),
    text: "",
    heard: "",
    timing: { encodeMs: 1, waitMs: 0, runMs: 10, decodeMs: 1 },
    ...fields,
  };
}

/** Drives the reducer and keeps what came of it; states are frozen, so that a change in place throws. */
class Driver {
  state: SessionState;
  readonly effects: SessionEffect[] = [];

  constructor(changes: Partial<SessionRules> = {}) {
    this.state = freeze(initialState({ ...rules, ...changes }));
  }

  send(input: SessionInput): readonly SessionEffect[] {
    const { state, effects } = reduce(this.state, input);
    this.state = freeze(state);
    this.effects.push(...effects);
    return effects;
  }

  /** Ends the running step; the audio's content does not matter to the reducer. */
  done(nowMs: number, fields: Partial<TurnOutput> = {}) {
    const turns = this.state.running?.plan.turns ?? 1;
    const effects = this.send({
      type: "step-done",
      output: output(fields),
      audio: new Float32Array(turns * 3200),
      nowMs,
    });
    if (effects.some((effect) => effect.type === "proceed")) this.send({ type: "tick", nowMs });
  }

  get plans(): StepPlan[] {
    return this.effects.flatMap((effect) => (effect.type === "step" ? [effect.plan] : []));
  }

  events<Type extends SessionEvent["type"]>(type: Type): Extract<SessionEvent, { type: Type }>[] {
    return this.effects.flatMap((effect) =>
      effect.type === "emit" && effect.event.type === type
        ? [effect.event as Extract<SessionEvent, { type: Type }>]
        : [],
    );
  }
}

function freeze(state: SessionState): SessionState {
  for (const value of Object.values(state)) {
    if (typeof value === "object" && value !== null && !ArrayBuffer.isView(value)) Object.freeze(value);
  }
  return Object.freeze(state);
}

describe("reduce", () => {
  it("cuts the input into micro-turns of 3200 samples, whatever the sizes of the writes (rule 1)", () => {
    const driver = new Driver({ pace: "as-fast-as-input" });
    for (let received = 0, i = 0; received < 5 * 3200; i++) {
      const samples = [1, 480, 3200, 77][i % 4];
      received += samples;
      driver.send({ type: "audio", samples, nowMs: i });
      if (driver.state.running !== undefined) driver.done(i);
    }
    expect(driver.plans.slice(0, 5).map((plan) => [plan.index, plan.fromSample, plan.turns])).toEqual(
      [0, 1, 2, 3, 4].map((index) => [index, 3200 * index, 1]),
    );
  });

  it("starts no second step while one runs, and starts the next when it is done", () => {
    const driver = new Driver({ pace: "as-fast-as-input" });
    driver.send({ type: "audio", samples: 9600, nowMs: 0 });
    expect(driver.plans).toHaveLength(1);
    driver.done(5);
    expect(driver.plans).toHaveLength(2);
  });

  it("paces input that comes faster than real time: a micro-turn per 200 ms, none late (rule 3)", () => {
    const driver = new Driver();
    driver.send({ type: "audio", samples: 10 * 3200, nowMs: 1000 });
    const starts: number[] = [];
    for (let nowMs = 1000; nowMs < 3200; nowMs += 10) {
      driver.send({ type: "tick", nowMs });
      if (driver.state.running !== undefined) {
        starts.push(nowMs);
        driver.done(nowMs + 5);
      }
    }
    expect(starts).toHaveLength(10);
    for (let i = 2; i < 10; i++) expect(Math.abs(starts[i] - starts[i - 1] - 200)).toBeLessThanOrEqual(10);
    expect(driver.events("turn-late")).toEqual([]);
  });

  it("does not hold back a live source whose clock is 200 ppm fast, over an hour (rule 3)", () => {
    const driver = new Driver();
    let worst = 0;
    for (let turn = 0; turn < 18_000; turn++) {
      const nowMs = (turn + 1) * 200 * (1 - 0.0002);
      driver.send({ type: "audio", samples: 3200, nowMs });
      if (driver.state.running === undefined) worst = Math.max(worst, 1);
      else driver.done(nowMs + 20);
    }
    expect(worst).toBe(0);
    expect(driver.plans).toHaveLength(18_000);
  });

  it("still tells a stall from a burst after half an hour: catches up with the one, paces the other (rule 3)", () => {
    const driver = new Driver();
    let nowMs = 0;
    let doneMs = Number.POSITIVE_INFINITY;
    const passUntil = (untilMs: number) => {
      for (; nowMs < untilMs; nowMs += 10) {
        if (nowMs >= doneMs) driver.done(nowMs);
        else driver.send({ type: "tick", nowMs });
        doneMs = driver.state.running === undefined ? Number.POSITIVE_INFINITY : driver.state.running.startedMs + 30;
      }
    };
    const live = (turns: number) => {
      for (let i = 0; i < turns; i++) {
        driver.send({ type: "audio", samples: 3200, nowMs });
        driver.done(nowMs + 30);
        nowMs += 200;
      }
    };
    live(9000);
    nowMs += 1400; // a stall of the process
    for (let i = 0; i < 8; i++) driver.send({ type: "audio", samples: 3200, nowMs });
    passUntil(nowMs + 300);
    expect(driver.state.complete - driver.state.next).toBe(0);
    nowMs -= 100;
    live(5);
    const before = driver.events("turn-late").length;
    driver.send({ type: "audio", samples: 15 * 3200, nowMs });
    passUntil(nowMs + 2500);
    expect(driver.state.complete - driver.state.next).toBeGreaterThan(0);
    passUntil(nowMs + 500);
    expect(driver.state.complete - driver.state.next).toBe(0);
    expect(driver.events("turn-late")).toHaveLength(before);
  });

  it("merges what waited while a step was late, and says so with numbers (rule 3)", () => {
    const driver = new Driver();
    for (let turn = 0; turn < 5; turn++) driver.send({ type: "audio", samples: 3200, nowMs: 200 * (turn + 1) });
    driver.done(1050, { speech: new Float32Array(3200).fill(0.1) });
    const [, merged] = driver.plans;
    expect([merged.index, merged.turns, merged.fromSample]).toEqual([4, 4, 3200]);
    expect(driver.events("turn-late")[0]).toMatchObject({ turnIndex: 0, lateMs: 650, skippedTurns: 0, queuedTurns: 4 });
    driver.done(1080, { text: "on time again" });
    const records = driver.events("turn-end").map(({ turn }) => turn);
    expect(records.map((turn) => turn.index)).toEqual([0, 1, 2, 3, 4]);
    expect(records.map((turn) => turn.output.skipped)).toEqual([false, true, true, true, false]);
    expect(records.map((turn) => turn.input.forceListen)).toEqual([false, true, true, true, false]);
    expect(records.map((turn) => turn.timing.late)).toEqual([true, true, true, true, false]);
    expect(records[4].timing.slackMs).toBeCloseTo(120, 0);
    expect(driver.events("speech").map((event) => event.turnIndex)).toEqual([0, 4]);
  });

  it.each([600, 1500, 10_000])("paces a tail that begins %i ms after the last sound (rules 3 and 9)", (pauseMs) => {
    const driver = new Driver({ deadline: "strict" });
    const starts: number[] = [];
    let doneMs = Number.POSITIVE_INFINITY;
    const finishMs = 1000 + pauseMs;
    for (let nowMs = 0; driver.state.phase !== "ended" && nowMs < 20_000; nowMs += 10) {
      if (nowMs > 0 && nowMs <= 1000) driver.send({ type: "audio", samples: 160, nowMs });
      if (nowMs === finishMs) driver.send({ type: "finish", tailTurns: 15, nowMs });
      if (nowMs >= doneMs) {
        doneMs = Number.POSITIVE_INFINITY;
        driver.done(nowMs);
      } else driver.send({ type: "tick", nowMs });
      if (driver.state.running === undefined || doneMs < Number.POSITIVE_INFINITY) continue;
      starts.push(nowMs);
      doneMs = nowMs + 30;
    }
    expect(driver.effects.at(-1)).toEqual({ type: "end", reason: "finished" });
    const tail = starts.slice(5);
    expect(tail).toHaveLength(15);
    expect(tail[0] - finishMs).toBeLessThanOrEqual(200);
    for (let i = 1; i < 15; i++) expect(Math.abs(tail[i] - tail[i - 1] - 200)).toBeLessThanOrEqual(10);
  });

  it("drops images before it merges under shed-video (rule 3)", () => {
    const driver = new Driver({ deadline: "shed-video" });
    driver.send({ type: "audio", samples: 3200, nowMs: 200 });
    for (const timeMs of [250, 450]) {
      driver.send({ type: "image", image: { data: new Uint8Array(3), width: 1, height: 1, timeMs } });
    }
    driver.send({ type: "audio", samples: 3200, nowMs: 400 });
    driver.send({ type: "audio", samples: 3200, nowMs: 600 });
    driver.done(700);
    expect(driver.plans[1]).toMatchObject({ index: 1, turns: 1, images: [], droppedImages: 2 });
    driver.done(720);
    expect(driver.events("turn-late").map((event) => event.droppedImages)).toEqual([0, 2]);
    expect(driver.plans[2]).toMatchObject({ index: 2, turns: 1, droppedImages: 0 });
  });

  it("ends with TURN_LATE at the deadline under strict, even while the engine hangs (rule 3)", () => {
    const driver = new Driver({ deadline: "strict" });
    const effects = driver.send({ type: "audio", samples: 3200, nowMs: 200 });
    expect(effects.at(-1)).toEqual({ type: "wake", atMs: 400 });
    expect(driver.send({ type: "tick", nowMs: 399 }).some((effect) => effect.type === "end")).toBe(false);
    const end = driver.send({ type: "tick", nowMs: 400 }).at(-1);
    expect(end).toMatchObject({ type: "end", reason: "error", error: { code: "TURN_LATE" } });
    expect(driver.events("session-end")).toHaveLength(1);
  });

  it("raises the fence and flushes when a reply is given up, and not when it ends (rule 5)", () => {
    const driver = new Driver({ pace: "as-fast-as-input" });
    const turn = (nowMs: number, fields: Partial<TurnOutput>) => {
      driver.send({ type: "audio", samples: 3200, nowMs });
      driver.done(nowMs, fields);
    };
    turn(1, { decision: "speak", speech: new Float32Array(3200).fill(0.1) });
    turn(2, { decision: "listen" });
    turn(3, { decision: "listen" });
    expect(driver.events("flush")).toEqual([]);
    turn(4, { decision: "speak", speech: new Float32Array(3200).fill(0.1) });
    turn(5, { decision: "listen", yielded: true });
    expect(driver.events("yield")).toMatchObject([{ turnIndex: 4, fence: 1 }]);
    expect(driver.events("flush")).toMatchObject([{ turnIndex: 4, fence: 1, reason: "yield" }]);
    expect(driver.events("speech").map((event) => event.fence)).toEqual([0, 0, 0, 0, 1]);
  });

  it("flushes once when interrupted, and the next micro-turn listens (rule 5)", () => {
    const driver = new Driver({ pace: "as-fast-as-input" });
    driver.send({ type: "interrupt" });
    driver.send({ type: "audio", samples: 6400, nowMs: 0 });
    driver.done(1, { yielded: true });
    expect(driver.plans.map((plan) => plan.forceListen)).toEqual([true, false]);
    expect(driver.events("flush")).toMatchObject([{ fence: 1, reason: "interrupt" }]);
  });

  it("marks the sound of a step that an interruption overtook as stale (rule 5)", () => {
    const driver = new Driver({ pace: "as-fast-as-input" });
    const speech = new Float32Array(3200).fill(0.1);
    driver.send({ type: "audio", samples: 3 * 3200, nowMs: 0 });
    driver.send({ type: "interrupt" });
    driver.done(1, { decision: "speak", speech });
    driver.done(2, { yielded: true });
    driver.done(3);
    expect(driver.events("speech").map((event) => event.fence)).toEqual([0, 1, 1]);
    expect(driver.events("turn-end").map(({ turn }) => turn.output.fence)).toEqual([0, 1, 1]);
    expect(driver.events("flush")).toMatchObject([{ fence: 1, reason: "interrupt" }]);
    expect(driver.plans[1].forceListen).toBe(true);
  });

  it("lets results enter by their policy, and names the micro-turn (rule 6)", () => {
    const driver = new Driver({ pace: "as-fast-as-input" });
    const turn = (nowMs: number, fields: Partial<TurnOutput> = {}) => {
      driver.send({ type: "audio", samples: 3200, nowMs });
      driver.done(nowMs, fields);
    };
    turn(0, { heard: "what is the weather" });
    driver.send({ type: "deliver", id: 1, text: "now", policy: "now" });
    driver.send({ type: "deliver", id: 2, text: "quiet", policy: "when-quiet" });
    driver.send({ type: "deliver", id: 3, text: "silent", policy: "silent" });
    driver.send({ type: "deliver", id: 4, text: "stale", policy: { dropIfStaleMs: 200 } });
    driver.send({ type: "deliver", id: 5, text: "fresh", policy: { dropIfStaleMs: 5000 } });
    for (let nowMs = 1; nowMs < 8; nowMs++) turn(nowMs);
    expect(driver.events("delivery").map((event) => [event.id, event.outcome])).toEqual([
      [1, { kind: "entered", turnIndex: 1 }],
      [3, { kind: "entered", turnIndex: 1 }],
      [4, { kind: "dropped", reason: "stale" }],
      [2, { kind: "entered", turnIndex: 5 }],
      [5, { kind: "entered", turnIndex: 5 }],
    ]);
    expect(driver.plans[1].text).toEqual([
      { source: "background", text: "now", delivery: 1 },
      { source: "background", text: "silent", delivery: 3, silent: true },
    ]);
    expect(driver.events("turn-end")[5].turn.input.deliveries).toEqual([2, 5]);
  });

  describe("what was told and given up (rule 6)", () => {
    function told(changes: Partial<SessionRules> = {}) {
      const driver = new Driver({ pace: "as-fast-as-input", ...changes });
      return {
        driver,
        turn(fields: Partial<TurnOutput> = {}) {
          driver.send({ type: "audio", samples: 3200, nowMs: 0 });
          driver.done(0, fields);
        },
        quiet(turns: number) {
          for (let i = 0; i < turns; i++) this.turn();
        },
        deliver: (id: number, text: string, policy: DeliveryPolicy = "when-quiet") =>
          driver.send({ type: "deliver", id, text, policy }),
        /** What entered, micro-turn by micro-turn. */
        get entered() {
          return driver.plans.map(({ text }) => text.map((piece) => piece.text).join()).join("/");
        },
      };
    }
    const cut = (...deliveries: number[]): Partial<TurnOutput> => ({
      yielded: true,
      heard: "but",
      unsaid: deliveries.map((delivery) => ({ delivery, words: "rest" })),
    });

    it("enters again when it is quiet, once, if the user had begun as well; whoever delivered is told once", () => {
      const session = told();
      session.deliver(1, "sunny", { dropIfStaleMs: 60_000 });
      session.deliver(2, "now", "now");
      session.quiet(4); // what has entered is as good as said
      session.turn({ decision: "speak" });
      session.turn({ decision: "speak" });
      session.turn(cut(1));
      expect(session.entered).toBe("now////sunny//");
      session.quiet(4);
      expect(session.entered).toBe("now////sunny//////sunny");
      expect(session.driver.events("delivery").map((event) => [event.id, event.outcome.kind])).toEqual([
        [2, "entered"],
        [1, "entered"],
      ]);
      session.turn(cut(1));
      session.quiet(10);
      expect(session.entered.match(/sunny/g)).toHaveLength(2);
    });

    it("stays where it was if it was heard for a while, if it entered at once, if the app silenced it, or if it cannot be said", () => {
      const session = told();
      session.deliver(1, "long");
      session.quiet(4);
      for (let i = 0; i < 5; i++) session.turn({ decision: "speak" });
      session.turn(cut(1));
      session.quiet(4);
      session.deliver(2, "at once", "now");
      session.turn();
      session.turn(cut(2));
      session.quiet(4);
      session.deliver(3, "silenced");
      session.turn();
      session.driver.send({ type: "interrupt" });
      session.turn({ unsaid: [{ delivery: 3, words: "silenced" }] });
      session.quiet(4);
      session.deliver(4, "漢字");
      session.turn({ unsaid: [{ delivery: 4, words: "漢字" }] });
      session.quiet(8);
      expect(session.entered.split("/").filter((text) => text !== "")).toEqual(["long", "at once", "silenced", "漢字"]);
    });

    it("is not said again because the one after it was given up, nor after a rewind to where it was still being said", () => {
      const session = told();
      session.deliver(1, "first");
      session.deliver(2, "second");
      session.quiet(4);
      session.turn({ decision: "speak" });
      session.turn(cut(2));
      session.driver.send({ type: "rewind", turn: session.driver.state.next - 1, conversation: [] });
      session.quiet(8);
      expect(session.entered.match(/first|second/g)).toEqual(["first", "second"]);

      const other = told();
      other.deliver(1, "first");
      other.deliver(2, "second");
      other.quiet(4);
      other.turn({ decision: "speak" });
      other.turn(cut(2));
      other.quiet(8);
      expect(other.entered.match(/first|second/g)).toEqual(["first", "second", "second"]);
    });
  });

  it("does not take the micro-turns of a merged step for quiet before they were heard (rule 6)", () => {
    const driver = new Driver();
    driver.send({ type: "audio", samples: 3200, nowMs: 200 });
    driver.send({ type: "deliver", id: 1, text: "result", policy: "when-quiet" });
    for (let turn = 1; turn < 6; turn++) driver.send({ type: "audio", samples: 3200, nowMs: 200 * (turn + 1) });
    driver.done(1250, { heard: "let me" });
    expect(driver.plans[1]).toMatchObject({ index: 5, turns: 5, text: [] });
    driver.done(1270, { heard: "finish" });
    for (let turn = 6; turn < 10; turn++) {
      driver.send({ type: "audio", samples: 3200, nowMs: 200 * (turn + 1) });
      driver.done(200 * (turn + 1) + 10);
    }
    expect(driver.events("delivery").map((event) => event.outcome)).toEqual([{ kind: "entered", turnIndex: 9 }]);
  });

  it("counts the age of a result in the tail from when it came, though no input does any more (rule 6)", () => {
    const driver = new Driver({ pace: "as-fast-as-input" });
    driver.send({ type: "audio", samples: 3200, nowMs: 0 });
    driver.send({ type: "finish", tailTurns: 30, nowMs: 0 });
    for (let nowMs = 1; nowMs < 12; nowMs++) driver.done(nowMs);
    const policy = { dropIfStaleMs: 1000 } as const;
    driver.send({ type: "deliver", id: 1, text: "fresh", policy });
    driver.done(12);
    expect(driver.events("delivery")).toEqual([]); // it is in the step that runs now
    driver.done(13);
    expect(driver.events("delivery").map((event) => event.outcome)).toEqual([{ kind: "entered", turnIndex: 12 }]);
  });

  it("hands a delegation the conversation, not a query (rule 6)", () => {
    const driver = new Driver({ pace: "as-fast-as-input" });
    driver.send({ type: "audio", samples: 3 * 3200, nowMs: 0 });
    driver.done(1, { heard: "hello" });
    driver.done(2, { heard: "there", text: "hi" });
    driver.done(3, { heard: "weather", delegation: { task: "weather" } });
    expect(driver.events("delegation")).toMatchObject([
      {
        turnIndex: 2,
        task: "weather",
        conversation: [
          { speaker: "user", text: "hello there", turnIndex: 0 },
          { speaker: "assistant", text: "hi", turnIndex: 1 },
          { speaker: "user", text: "weather", turnIndex: 2 },
        ],
      },
    ]);
  });

  describe("what was heard (rule 4)", () => {
    /** A session in which a micro-turn each says what it is given. */
    function conversation() {
      const driver = new Driver({ pace: "as-fast-as-input" });
      let nowMs = 0;
      const turn = (text: string, fields: Partial<TurnOutput> = {}) => {
        driver.send({ type: "audio", samples: 3200, nowMs: ++nowMs });
        driver.done(nowMs, { text, ...(text === "" ? {} : { decision: "speak" }), ...fields });
      };
      return {
        driver,
        turn,
        say: (...texts: string[]) => {
          for (const text of texts) turn(text);
        },
        played: (turnIndex: number, samples: number, fence = driver.state.fence) =>
          driver.send({ type: "played", position: { turnIndex, samples }, fence }),
        interrupt: () => driver.send({ type: "interrupt" }),
        flushed: () => driver.events("flush").map(({ unheard }) => unheard),
        /** The conversation as a delegation carries it now. */
        now: () => {
          turn("", { delegation: { task: "" } });
          return driver.events("delegation").at(-1)?.conversation;
        },
      };
    }

    it("cuts the conversation where the sound stopped being heard, and tells the rest, when the model yields", () => {
      const { driver, turn, say, played, flushed, now } = conversation();
      say("zero", "one two", "three", "four");
      played(1, 1600);
      turn("", { yielded: true });
      expect(flushed()).toEqual(["two three four"]);
      turn("five");
      expect(now()).toEqual([{ speaker: "assistant", text: "zero one five", turnIndex: 0 }]);
      expect(driver.events("text-delta").map(({ text }) => text)).toEqual(["zero", "one two", "three", "four", "five"]);
    });

    it.each([
      [0, ""],
      [399, ""],
      [400, "one"],
      [1199, "one"],
      [1200, "one two"],
      [2800, "one two three four"],
      [3200, "one two three four"],
    ])(
      "spreads the words of a micro-turn over its sound, each counting from its middle on: %i samples",
      (samples, heard) => {
        const { say, played, interrupt, now } = conversation();
        say("one two three four");
        played(0, samples);
        interrupt();
        expect(
          now()
            ?.map(({ text }) => text)
            .join(""),
        ).toBe(heard);
      },
    );

    it("keeps the words of the micro-turn that yields, whose sound is played, and those of the user between", () => {
      const { turn, say, played, flushed, now } = conversation();
      say("one", "two");
      played(0, 3200);
      turn("oh", { heard: "stop", yielded: true });
      expect(flushed()).toEqual(["two"]);
      expect(now()).toEqual([
        { speaker: "assistant", text: "one", turnIndex: 0 },
        { speaker: "user", text: "stop", turnIndex: 2 },
        { speaker: "assistant", text: "oh", turnIndex: 2 },
      ]);
    });

    it("counts nothing as said of which no sound was heard, and names the first micro-turn that was", () => {
      const { turn, say, played, interrupt, flushed, now } = conversation();
      say("one", "two three");
      played(0, 0);
      interrupt();
      expect(flushed()).toEqual(["one two three"]);
      expect(now()).toEqual([]);
      turn("four");
      expect(now()).toEqual([{ speaker: "assistant", text: "four", turnIndex: 3 }]);
    });

    it("takes the words of a step that an interruption overtook for unheard: their fence is the old one", () => {
      const { driver, say, played, flushed, now } = conversation();
      say("one");
      played(0, 3200);
      driver.send({ type: "audio", samples: 3200, nowMs: 10 });
      driver.send({ type: "interrupt" });
      driver.done(11, { decision: "speak", text: "two" });
      say("", "three");
      expect(driver.events("text-delta").map(({ text, fence }) => [text, fence])).toEqual([
        ["one", 0],
        ["two", 0],
        ["three", 1],
      ]);
      expect(flushed()).toEqual([""]);
      expect(now()?.map(({ text }) => text)).toEqual(["one three"]);
    });

    it("leaves everything as it was said if no player tells", () => {
      const { turn, say, interrupt, flushed, now } = conversation();
      say("one", "two");
      interrupt();
      say("", "three");
      turn("four", { yielded: true });
      expect(flushed()).toEqual(["", ""]);
      expect(now()?.map(({ text }) => text)).toEqual(["one two three four"]);
    });

    it("goes by the last position before the flush: older sound, and positions that fall, change nothing", () => {
      const { driver, say, played, interrupt, now } = conversation();
      say("one", "two", "three", "four");
      played(2, 100);
      played(1, 3200);
      played(2, 50);
      expect(driver.state.played).toEqual({ turnIndex: 2, samples: 100 });
      interrupt();
      played(3, 3200, 0);
      expect(driver.state.played).toEqual({ turnIndex: 2, samples: 100 });
      say("five");
      played(4, 10);
      expect(driver.state.played).toEqual({ turnIndex: 4, samples: 10 });
      expect(now()?.map(({ text }) => text)).toEqual(["one two five"]);
    });

    it("tells words once, however often the sound is flushed, and forgets no cut by that", () => {
      const { say, played, interrupt, flushed, now } = conversation();
      say("one", "two");
      played(0, 3200);
      interrupt();
      say("", "three");
      for (let i = 0; i < 300; i++) interrupt();
      expect(flushed().filter((text) => text !== "")).toEqual(["two", "three"]);
      expect(now()?.map(({ text }) => text)).toEqual(["one"]);
    });

    it("hands the position at the start of a step to the engine, and writes it in its records", () => {
      const { driver, say, played } = conversation();
      say("one");
      played(0, 1234);
      say("two");
      played(1, 7);
      driver.send({ type: "audio", samples: 3200, nowMs: 100 });
      expect(driver.plans.map((plan) => plan.played)).toEqual([
        undefined,
        { turnIndex: 0, samples: 1234 },
        { turnIndex: 1, samples: 7 },
      ]);
      const [first, second] = driver.events("turn-end").map(({ turn }) => turn.input);
      expect(first).not.toHaveProperty("played");
      expect(second.played).toEqual({ turnIndex: 0, samples: 1234 });
    });

    it("goes back with a rewind: what was cut before its border stays cut, the position falls to the border (rule 10)", () => {
      const { driver, say, turn, played, flushed, now } = conversation();
      say("one", "two", "three");
      played(0, 3200);
      // As the history holds it: the words of its time, cut or not.
      const { conversation: past } = driver.state;
      turn("", { yielded: true });
      say("four", "five");
      played(5, 3200);
      driver.send({ type: "rewind", turn: 3, conversation: past });
      expect(driver.state.played).toEqual({ turnIndex: 2, samples: 3200 });
      expect(flushed()).toEqual(["two three", ""]);
      say("six");
      expect(now()?.map(({ text }) => text)).toEqual(["one six"]);
    });

    it("cuts what a rewind kept and the flush of it silenced (rule 10)", () => {
      const { driver, say, played, flushed, now } = conversation();
      say("one", "two", "three");
      const { conversation: past } = driver.state;
      say("four");
      played(1, 0);
      driver.send({ type: "rewind", turn: 3, conversation: past });
      expect(flushed()).toEqual(["two three"]);
      expect(now()?.map(({ text }) => text)).toEqual(["one"]);
      driver.send({ type: "rewind", turn: 0, conversation: [] });
      expect(driver.state).toMatchObject({ played: undefined, unheard: [] });
    });
  });

  it("pads the last micro-turn, lets the tail pass and ends (rule 9)", () => {
    const driver = new Driver({ pace: "as-fast-as-input" });
    driver.send({ type: "audio", samples: 4000, nowMs: 0 });
    driver.done(1);
    driver.send({ type: "finish", tailTurns: 2, nowMs: 2 });
    for (let nowMs = 3; nowMs < 6; nowMs++) driver.done(nowMs);
    expect(driver.events("turn-end").map(({ turn }) => turn.input.paddedSamples)).toEqual([0, 2400, 3200, 3200]);
    expect(driver.effects.at(-1)).toEqual({ type: "end", reason: "finished" });
  });

  it("ends with the engine's error, and settles what was waiting (rule 9)", () => {
    const driver = new Driver({ pace: "as-fast-as-input" });
    driver.send({ type: "deliver", id: 1, text: "entering", policy: "now" });
    driver.send({ type: "audio", samples: 3200, nowMs: 0 });
    driver.send({ type: "deliver", id: 2, text: "waiting", policy: "when-quiet" });
    driver.send({ type: "fail", error: new DuplexError("BACKEND_FAILED", "gone") });
    expect(driver.events("delivery").map((event) => event.id)).toEqual([1, 2]);
    expect(driver.events("error")).toMatchObject([{ error: { code: "BACKEND_FAILED" } }]);
    expect(driver.events("session-end")).toMatchObject([{ reason: "error" }]);
    expect(driver.send({ type: "close" })).toEqual([]);
  });
});

describe("reduce, over random histories", () => {
  const histories = Array.from({ length: 30 }, (_, seed) => seed);

  it.each(histories)("keeps rules 1, 2, 3, 6 and 8 with seed %i", (seed) => {
    const random = new SeededRandom(seed);
    const pick = (count: number) => Math.floor(random.next() * count);
    const pace = pick(2) === 0 ? "realtime" : "as-fast-as-input";
    const deadline = pick(2) === 0 ? "catch-up" : "shed-video";
    const driver = new Driver({ pace, deadline });
    let nowMs = 0;
    let received = 0;
    let outputs = 0;
    let deliveries = 0;
    let doneAt = Number.POSITIVE_INFINITY;

    const settle = () => {
      if (driver.state.running !== undefined && nowMs >= doneAt) {
        outputs++;
        const heard = pick(6) === 0 ? "word" : "";
        const decision = pick(3) === 0 ? "speak" : "listen";
        doneAt = Number.POSITIVE_INFINITY;
        driver.done(nowMs, { heard, decision, yielded: pick(10) === 0, text: decision === "speak" ? "said" : "" });
      }
      if (driver.state.running !== undefined && doneAt === Number.POSITIVE_INFINITY) {
        doneAt = nowMs + (pick(8) === 0 ? pick(1500) : pick(60));
      }
    };

    for (let i = 0; i < 1500; i++) {
      nowMs += pick(40);
      const what = pick(20);
      if (what < 10) {
        // A microphone: no more than what the time that passed can bring.
        const samples = Math.min(1 + pick(1600), Math.max(0, Math.floor(nowMs * 16) - received));
        received += samples;
        if (samples > 0) driver.send({ type: "audio", samples, nowMs });
      } else if (what === 10) {
        const timeMs = pick(2) === 0 ? received / 16 : received / 16 + pick(1000);
        driver.send({ type: "image", image: { data: new Uint8Array(3), width: 1, height: 1, timeMs } });
      } else if (what === 11) {
        driver.send({ type: "text", text: `typed ${i}` });
      } else if (what === 12) {
        const policies = ["now", "silent", "when-quiet", { dropIfStaleMs: 300 }] as const;
        driver.send({ type: "deliver", id: ++deliveries, text: "result", policy: policies[pick(4)] });
      } else if (what === 13) {
        driver.send({ type: "interrupt" });
        if (driver.state.next > 0) {
          const position = { turnIndex: pick(driver.state.next), samples: pick(3201) };
          driver.send({ type: "played", position, fence: Math.max(0, driver.state.fence - pick(2)) });
        }
      } else if (what === 14) {
        driver.send({ type: "hold" });
        nowMs += pick(20);
        driver.send({ type: "release", nowMs });
      } else {
        driver.send({ type: "tick", nowMs });
      }
      settle();
      // Rule 8: what is kept is bounded by what is queued.
      const { state } = driver;
      expect(state.arrivals.length).toBe(state.complete - state.next);
      expect(state.images.length).toBeLessThanOrEqual(rules.maxImages);
      expect(state.conversation.length).toBeLessThanOrEqual(256);
      expect(state.unheard.length).toBeLessThanOrEqual(256);
    }
    driver.send({ type: "finish", tailTurns: 3, nowMs });
    while (driver.state.phase !== "ended") {
      nowMs += 50;
      driver.send({ type: "tick", nowMs });
      settle();
    }

    // Rule 1 and 2: every input sample is in exactly one micro-turn, in order, and nothing but padding follows.
    const records = driver.events("turn-end").map(({ turn }) => turn);
    records.forEach((turn, i) => {
      expect(turn.index).toBe(i);
    });
    let next = 0;
    for (const plan of driver.plans) {
      expect(plan.fromSample).toBe(next);
      next += plan.turns * 3200;
    }
    const padded = records.reduce((sum, turn) => sum + turn.input.paddedSamples, 0);
    expect(records.length * 3200 - padded).toBe(received);
    expect(records.length).toBe(Math.ceil(received / 3200) + 3);
    // Rule 2 and 3: no output is lost, and what was skipped is in the records.
    expect(driver.events("speech")).toHaveLength(outputs);
    expect(records.filter((turn) => !turn.output.skipped)).toHaveLength(outputs);
    // Images and text entered or were dropped, once each.
    const typed = records.flatMap((turn) => turn.input.text).filter((text) => text.source === "user");
    expect(new Set(typed.map((text) => text.text)).size).toBe(typed.length);
    // Rule 6: every delivery settles, once.
    const settled = driver.events("delivery").map((event) => event.id);
    expect([...settled].sort((a, b) => a - b)).toEqual(Array.from({ length: deliveries }, (_, id) => id + 1));
    expect(driver.events("session-end")).toHaveLength(1);
    // Rule 4: what was heard only grows, and no step is told of sound that it has not made yet.
    const played = driver.plans.flatMap((plan) => (plan.played === undefined ? [] : [plan.played]));
    const places = played.map(({ turnIndex, samples }) => turnIndex * 3201 + samples);
    expect(places).toEqual([...places].sort((a, b) => a - b));
    // The fence only rises.
    const fences = records.map((turn) => turn.output.fence);
    expect(fences).toEqual([...fences].sort((a, b) => a - b));
  });
});
