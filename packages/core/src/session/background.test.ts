// Tests cite the rules of docs/session-rules.md.
import { describe, expect, it } from "vitest";
import type { Background, BackgroundActivity } from "../background.js";
import type { TextInput } from "../engine.js";
import { DuplexError } from "../errors.js";
import { FakeClock } from "../testing/fake-clock.js";
import { type Script, scriptedEngine } from "../testing/scripted-engine.js";
import { DuplexSession } from "./duplex-session.js";
import { readTrace, writeTrace } from "./trace-file.js";

/** A background that does what `work` does with each delegation. */
function backgroundOf(
  work: (session: DuplexSession, tell: (activity: BackgroundActivity) => void, id: string) => void,
): Background & { closed: number } {
  return {
    closed: 0,
    attach(session, tell) {
      session.on("delegation", ({ id }) => work(session, tell, id));
      return {
        close: async () => {
          this.closed++;
        },
      };
    },
  };
}

const asks: Script = ({ index }) => (index === 1 ? { delegation: { task: "weather" } } : {});
const call = { delegation: "delegation-1", call: "c1", name: "weather" };
const activities: readonly BackgroundActivity[] = [
  { type: "tool-call", ...call, arguments: { city: "Rome" }, state: "running", irreversible: false, attempt: 1 },
  { type: "tool-progress", delegation: "delegation-1", call: "c1", text: "half" },
  { type: "tool-result", ...call, outcome: "done", result: [14, { rain: true }] },
  { type: "background-delta", delegation: "delegation-1", text: "It rains." },
  { type: "background-drop", delegation: "delegation-1", text: "It rained.", reason: "stale" },
  { type: "background-end", delegation: "delegation-1", outcome: "failed", error: "tired" },
];

describe("a session with a background (rule 6)", () => {
  it("tells what it does as events, in the record of the micro-turn and in the trace", async () => {
    const background = backgroundOf((session, tell) => {
      for (const activity of activities) tell(activity);
      void session.deliver("It rained.", { dropIfStaleMs: 0 }, { delegation: "delegation-1" });
      void session.deliver("It rains.", "now", { delegation: "delegation-1" });
    });
    const script: Script = (input, memory) => ({ heard: "hm", ...asks(input, memory) });
    const engine = scriptedEngine({ script });
    const session = await DuplexSession.open({ engine, background, pace: "as-fast-as-input", trace: true });
    const told: unknown[] = [];
    for (const { type } of activities) session.on(type, (event: unknown) => told.push(event));
    const records: unknown[] = [];
    session.on("turn-end", ({ turn }) => records.push(turn.background));
    await session.writeAudio(new Float32Array(4 * 3200));
    await session.finish({ tailMs: 400 });
    // It was told while micro-turn 1 ended: it is part of the next one.
    expect(told).toEqual(activities.map((activity) => ({ ...activity, turnIndex: 2, timeMs: 800 })));
    expect(records).toEqual([undefined, undefined, activities, undefined, undefined, undefined]);
    const { turns } = await readTrace(await writeTrace(session.trace()));
    expect(turns.map(({ background }) => background)).toEqual(records);
    expect(turns[1].output.delegation).toEqual({ task: "weather", id: "delegation-1" });
    expect(turns[2].input.text).toEqual([
      { source: "background", text: "It rains.", delivery: 2, delegation: "delegation-1" },
    ]);
    expect(turns.flatMap(({ index, input }) => input.stale?.map(({ text }) => [index, text]) ?? [])).toEqual([
      [5, "It rained."],
    ]);
    expect(background.closed).toBe(1);
  });

  it("puts what is told during a step into the record of that step, and drops what is told after the end", async () => {
    const clock = new FakeClock();
    const engine = scriptedEngine({ script: asks, stepMs: 50, clock });
    let tellLater: (activity: BackgroundActivity) => void = () => {};
    const background = backgroundOf((_, tell) => {
      tellLater = tell;
    });
    const session = await DuplexSession.open({ engine, background, clock, pace: "as-fast-as-input" });
    const records: number[] = [];
    session.on("turn-end", ({ turn }) => {
      if (turn.background !== undefined) records.push(turn.index);
    });
    void session.writeAudio(new Float32Array(4 * 3200));
    await clock.advance(120); // micro-turn 2 is under way
    tellLater(activities[3]);
    await clock.advance(100);
    expect(records).toEqual([2]);
    await session.close();
    tellLater(activities[3]);
    expect(records).toEqual([2]);
  });

  it("keeps out of the trace what the background does not let through, and only there", async () => {
    const script: Script = ({ index }) =>
      index === 0 ? { delegation: { task: "log in hush", name: "log_in", arguments: { password: "hush" } } } : {};
    const background: Background = {
      ...backgroundOf((session) => void session.deliver("it is hush", "now")),
      redact: (value) => (typeof value === "string" ? value.replaceAll("hush", "***") : { password: "***" }),
    };
    const engine = scriptedEngine({ script });
    const session = await DuplexSession.open({ engine, background, pace: "as-fast-as-input", trace: true });
    const records: string[] = [];
    session.on("turn-end", ({ turn }) => records.push(JSON.stringify([turn.input.text, turn.output.delegation])));
    session.sendText("hush");
    await session.writeAudio(new Float32Array(3 * 3200));
    await session.finish({ tailMs: 0 });
    const { turns } = session.trace();
    expect(turns[0].output.delegation).toMatchObject({ task: "log in ***", arguments: { password: "***" } });
    expect(turns.flatMap(({ input }) => input.text.map(({ text }) => text))).toEqual(["hush", "it is ***"]);
    expect(records.join().match(/hush/g)).toHaveLength(4);
  });

  it("loads it with the engine, and does not open without it", async () => {
    const engine = scriptedEngine();
    const load = async () => {
      throw new DuplexError("BACKGROUND_FAILED", "no model");
    };
    const background = { ...backgroundOf(() => {}), load };
    await expect(DuplexSession.open({ engine, background })).rejects.toThrow("no model");
    expect(engine.openSessions).toBe(0);
    await expect(DuplexSession.open({ engine, background: {} as Background })).rejects.toThrow(TypeError);
  });

  it("waits at most 5 s for one that does not let go (rule 9)", async () => {
    const clock = new FakeClock();
    const background: Background = { attach: () => ({ close: () => new Promise(() => {}) }) };
    const session = await DuplexSession.open({ engine: scriptedEngine(), background, clock });
    const closed = session.close().then(() => clock.now());
    const start = clock.now();
    await clock.advance(5000);
    expect(await closed).toBe(start + 5000);
  });

  it("does not give a delegation of the engine another name", async () => {
    const script: Script = ({ index }) => (index === 0 ? { delegation: { task: "t", id: "theirs" } } : {});
    const session = await DuplexSession.open({ engine: scriptedEngine({ script }), pace: "as-fast-as-input" });
    const ids: string[] = [];
    session.on("delegation", ({ id }) => ids.push(id));
    await session.writeAudio(new Float32Array(3200));
    await session.finish({ tailMs: 0 });
    expect(ids).toEqual(["theirs"]);
  });
});

describe("work that is not wanted any more (rule 6)", () => {
  it("is told, and is in the record and the trace", async () => {
    const script: Script = ({ index }) => (index === 2 ? { cancelled: ["a", "b"] } : {});
    const engine = scriptedEngine({ script });
    const session = await DuplexSession.open({ engine, pace: "as-fast-as-input", trace: true });
    const told: unknown[] = [];
    session.on("delegation-cancel", (event) => told.push(event));
    await session.writeAudio(new Float32Array(4 * 3200));
    await session.finish({ tailMs: 0 });
    const at = { type: "delegation-cancel", turnIndex: 2, timeMs: 600 };
    expect(told).toEqual([
      { ...at, id: "a" },
      { ...at, id: "b" },
    ]);
    const { turns } = await readTrace(await writeTrace(session.trace()));
    expect(turns.map(({ output }) => output.cancelled)).toEqual([undefined, undefined, ["a", "b"], undefined]);
  });

  it("takes back results that wait by their signal, and not those that have entered", async () => {
    const taken: string[] = [];
    const script: Script = (input) => {
      taken.push(...input.text.map(({ text }) => text));
      return { heard: "hm" };
    };
    const session = await DuplexSession.open({ engine: scriptedEngine({ script }), pace: "as-fast-as-input" });
    const controller = new AbortController();
    const { signal } = controller;
    const waits = session.deliver("waits", "when-quiet", { signal });
    const enters = session.deliver("enters", "now", { signal });
    await session.writeAudio(new Float32Array(3200));
    expect(await enters).toEqual({ kind: "entered", turnIndex: 0 });
    controller.abort();
    expect(await waits).toEqual({ kind: "dropped", reason: "withdrawn" });
    expect(await session.deliver("late", "now", { signal })).toEqual({ kind: "dropped", reason: "withdrawn" });
    await session.writeAudio(new Float32Array(3200));
    await session.finish({ tailMs: 0 });
    expect(taken).toEqual(["enters"]);
  });

  it("takes back what waits to enter again, of which whoever delivered it has been told already", async () => {
    const taken: string[] = [];
    const controller = new AbortController();
    const script: Script = ({ index, text }) => {
      taken.push(text.map((piece) => piece.text).join());
      if (index === 5) controller.abort();
      return index === 4 ? { yielded: true, heard: "but", unsaid: [{ delivery: 1, words: "sunny" }] } : {};
    };
    const session = await DuplexSession.open({ engine: scriptedEngine({ script }), pace: "as-fast-as-input" });
    const outcomes: unknown[] = [];
    session.on("delivery", ({ outcome }) => outcomes.push(outcome));
    void session.deliver("sunny", "when-quiet", { signal: controller.signal });
    await session.writeAudio(new Float32Array(12 * 3200));
    await session.finish({ tailMs: 0 });
    expect(taken.filter((text) => text !== "")).toEqual(["sunny"]);
    expect(outcomes).toEqual([{ kind: "entered", turnIndex: 3 }]);
  });

  it("does not let what was taken back while it was said enter again", async () => {
    const taken: string[] = [];
    const controller = new AbortController();
    const script: Script = ({ index, text }) => {
      taken.push(...text.map((piece) => piece.text));
      if (index === 4) controller.abort();
      return index === 5 ? { yielded: true, heard: "forget", unsaid: [{ delivery: 1, words: "sunny" }] } : {};
    };
    const session = await DuplexSession.open({ engine: scriptedEngine({ script }), pace: "as-fast-as-input" });
    void session.deliver("sunny", "when-quiet", { signal: controller.signal });
    await session.writeAudio(new Float32Array(16 * 3200));
    await session.finish({ tailMs: 0 });
    expect(taken).toEqual(["sunny"]);
  });
});

describe("results that wait for quiet (rule 6)", () => {
  /** What entered in each micro-turn, for a script, and sound of the user where `loud` says so. */
  async function entries(
    turns: number,
    { script = () => ({}), loud = [] }: { script?: Script; loud?: readonly number[] },
    deliver: (session: DuplexSession, turn: number) => void,
  ): Promise<string[]> {
    const taken: string[] = [];
    const engine = scriptedEngine({
      capabilities: { saysText: true },
      script: (input, memory) => {
        taken.push(input.text.map(({ text }: TextInput) => text).join("+"));
        return script(input, memory);
      },
    });
    const session = await DuplexSession.open({ engine, pace: "as-fast-as-input" });
    for (let turn = 0; turn < turns; turn++) {
      deliver(session, turn);
      await session.writeAudio(new Float32Array(3200).fill(loud.includes(turn) ? 0.1 : 0));
      await new Promise((resolve) => setImmediate(resolve));
    }
    await session.close();
    return taken;
  }

  it("do not enter while the user is loud, though no word of his was understood yet, nor in the three after", async () => {
    const taken = await entries(14, { loud: [5, 6, 7] }, (session, turn) => {
      if (turn === 5) void session.deliver("late");
    });
    expect(taken.indexOf("late")).toBe(11);
  });

  it("enter in the next micro-turn when it is quiet", async () => {
    const taken = await entries(8, {}, (session, turn) => {
      if (turn === 6) void session.deliver("soon");
    });
    expect(taken.indexOf("soon")).toBe(6);
  });

  it("follow at once while the assistant gives the answer that they are part of", async () => {
    const speaks: Script = ({ index }) => ({ decision: index >= 5 && index < 12 ? "speak" : "listen" });
    const taken = await entries(14, { script: speaks }, (session, turn) => {
      if (turn === 5) void session.deliver("one", "when-quiet", { delegation: "a" });
      if (turn === 7) void session.deliver("two", "when-quiet", { delegation: "a" });
    });
    expect([taken.indexOf("one"), taken.indexOf("two")]).toEqual([5, 7]);
  });

  it("wait for quiet again once the user or the model itself has spoken besides", async () => {
    const interrupted: Script = ({ index }) =>
      index === 7 ? { decision: "listen", heard: "wait" } : { decision: index > 4 && index < 7 ? "speak" : "listen" };
    const user = await entries(14, { script: interrupted }, (session, turn) => {
      if (turn === 5) void session.deliver("one", "when-quiet", { delegation: "a" });
      if (turn === 8) void session.deliver("two", "when-quiet", { delegation: "a" });
    });
    expect([user.indexOf("one"), user.indexOf("two")]).toEqual([5, 11]);
    const own: Script = ({ index }) => ({ decision: index > 4 && index !== 7 && index < 9 ? "speak" : "listen" });
    const model = await entries(16, { script: own }, (session, turn) => {
      if (turn === 5) void session.deliver("one", "when-quiet", { delegation: "a" });
      if (turn === 9) void session.deliver("two", "when-quiet", { delegation: "a" });
    });
    expect([model.indexOf("one"), model.indexOf("two")]).toEqual([5, 12]);
  });

  it("do not mix two answers: the one that waited longer is given first, the other when it is quiet again", async () => {
    const speaks: Script = ({ index }) => ({ decision: index >= 4 && index < 8 ? "speak" : "listen" });
    const taken = await entries(16, { script: speaks }, (session, turn) => {
      if (turn !== 0) return;
      for (const delegation of ["a", "b", "a"]) void session.deliver(delegation, "when-quiet", { delegation });
    });
    expect(taken.filter((text) => text !== "")).toEqual(["a+a", "b"]);
    expect([taken.indexOf("a+a"), taken.indexOf("b")]).toEqual([3, 11]);
  });
});
