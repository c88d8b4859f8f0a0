import { describe, expect, it } from "vitest";
import type { TurnInput } from "../engine.js";
import { DuplexError } from "../errors.js";
import { FakeClock } from "../testing/fake-clock.js";
import { politeScript, type Script, scriptedEngine } from "../testing/scripted-engine.js";
import { SimulatedUser } from "../testing/simulated-user.js";
import { DuplexSession } from "./duplex-session.js";
import { SeededRandom } from "./random.js";
import { replayTrace } from "./replay.js";
import { fingerprint, packExactly, type SessionTrace, traceAudio } from "./trace.js";
import { readTrace, writeTrace } from "./trace-file.js";
import { recordTrace } from "./trace-recorder.js";

const invalid = expect.objectContaining({ code: "TRACE_INVALID" });
const segments = [
  { atMs: 300, sound: 700 },
  { atMs: 2000, sound: 500 },
];

/** A live session with everything a trace can hold: a barge-in, an interruption, a late step, images, text, a delegation. */
async function recorded(): Promise<SessionTrace> {
  const clock = new FakeClock();
  const polite = politeScript({ words: ["one", "two", "three", "four", "five", "six"] });
  const engine = scriptedEngine({
    clock,
    stepMs: (input) => (input.index === 12 ? 700 : 10),
    script: (input, memory) => ({
      ...polite(input, memory),
      ...(input.index === 3 ? { delegation: { task: "</script>" } } : {}),
      ...(input.index === 4 ? { unsaid: [{ words: "the" }, { words: "rest" }] } : {}),
    }),
  });
  const session = await DuplexSession.open({ engine, clock, trace: true, seed: 5 });
  const user = new SimulatedUser({ segments });
  session.writeImage({ data: new Uint8Array(12).fill(200), width: 2, height: 2, timeMs: 500 });
  await user.play(session, clock, 1000);
  session.sendText("typed <b>");
  session.deliver("result", "silent");
  await user.play(session, clock, 2400);
  session.interrupt();
  await user.play(session, clock, 1100);
  await session.close();
  return session.trace();
}

describe("a trace", () => {
  it("holds every micro-turn of the session, also the skipped ones", async () => {
    const { header, turns } = await recorded();
    expect(header).toMatchObject({ firstTurn: 0, seed: 5, turnDurationMs: 200, truncated: false, pace: "realtime" });
    expect(header.engine).toEqual({ model: "scripted", backend: "none" });
    expect(turns.map((turn) => turn.index)).toEqual(Array.from({ length: turns.length }, (_, i) => i));
    expect(turns.some((turn) => turn.output.skipped)).toBe(true);
    expect(turns.some((turn) => turn.output.yielded)).toBe(true);
    expect(turns.some((turn) => turn.input.forceListen && !turn.output.skipped)).toBe(true);
    expect(turns[4].output.unsaid).toBe("the rest");
    expect(turns[2].input.images).toHaveLength(1);
    expect(turns.flatMap((turn) => turn.input.text)).toEqual([
      { source: "user", text: "typed <b>" },
      { source: "background", text: "result", silent: true, delivery: 1 },
    ]);
  });

  it("is the same after writing and reading, alone and inside a page", async () => {
    const trace = await recorded();
    const file = await writeTrace(trace);
    expect(file).not.toContain("<");
    const again = await readTrace(file);
    const rounded = (value: SessionTrace) => ({
      ...value,
      turns: value.turns.map(({ timing: _, ...turn }) => turn),
    });
    expect(rounded(again)).toEqual(rounded(trace));
    for (const [i, { timing }] of again.turns.entries()) {
      expect(timing.slackMs).toBeCloseTo(trace.turns[i].timing.slackMs, 1);
    }
    const page = `<!doctype html><title>x</title><script type="application/json" id="microturn-trace">${file}</script>`;
    expect(await readTrace(new TextEncoder().encode(page))).toEqual(again);
  });

  it("replays to the same bits on the same engine, late and skipped micro-turns too (rule 7)", async () => {
    const trace = await readTrace(await writeTrace(await recorded()));
    const polite = politeScript({ words: ["one", "two", "three", "four", "five", "six"] });
    const script = (changed: number) =>
      scriptedEngine({
        script: (input, memory) => ({
          ...polite(input, memory),
          ...(input.index === 3 ? { delegation: { task: "</script>" } } : {}),
          ...(input.index === 4 ? { unsaid: [{ words: "the" }, { words: "rest" }] } : {}),
          ...(input.index === changed ? { text: "something else" } : {}),
        }),
      });
    const engine = script(-1);
    const progress: number[] = [];
    const report = await replayTrace(trace, engine, { onTurn: (done) => progress.push(done) });
    expect(report).toEqual({ turns: trace.turns.length, same: true });
    expect(progress.at(-1)).toBe(trace.turns.length);
    expect(engine.openSessions).toBe(0);
    expect(await replayTrace(trace, script(7))).toEqual({
      turns: 7,
      same: false,
      difference: { turnIndex: 7, field: "text", expected: expect.any(String), got: "something else" },
    });
  });

  it("holds how far the sound was heard, and replays it to an engine that goes by it (rules 4 and 7)", async () => {
    const clock = new FakeClock();
    // What it says depends on what it is told was heard, also while it is late and when a rewind cuts a merged step.
    const script: Script = ({ played, index }, memory) => {
      memory.heard = `${memory.heard ?? ""}/${played?.turnIndex}:${played?.samples}`;
      return { speech: 0.1, text: `${memory.heard}@${index}` };
    };
    const capabilities = { truncates: true };
    const engine = scriptedEngine({ script, capabilities, clock, stepMs: ({ index }) => (index === 6 ? 900 : 10) });
    const session = await DuplexSession.open({ engine, clock, trace: true, rewindMs: 10_000 });
    session.on("speech", (_, { turnIndex, fence }) => {
      if (turnIndex > 1) session.played({ turnIndex: turnIndex - 1, samples: 100 * turnIndex, fence });
    });
    const user = new SimulatedUser({ segments });
    await user.play(session, clock, 2600);
    const turns = session.trace().turns;
    const merged = turns.find(({ timing }) => timing.stepTurns > 2);
    expect(merged?.input.played).toBeDefined();
    const rewound = session.rewind((merged?.index ?? 0) + 2);
    await clock.advance(3000);
    await rewound;
    await user.play(session, clock, 600);
    await session.close();
    const trace = session.trace();
    const again = await readTrace(await writeTrace(trace));
    expect(again.turns.map(({ input }) => input.played)).toEqual(trace.turns.map(({ input }) => input.played));
    expect(trace.turns[4].input.played).toEqual({ turnIndex: 2, samples: 300 });
    const report = await replayTrace(again, scriptedEngine({ script, capabilities }));
    expect(report).toEqual({ turns: trace.turns.length, same: true });
  });

  it("finds a difference of one bit in one sample of speech (rule 7)", async () => {
    const session = await DuplexSession.open({
      engine: scriptedEngine({ script: () => ({ speech: 0.1 }) }),
      pace: "as-fast-as-input",
      tailMs: 0,
      trace: true,
    });
    await session.writeAudio(new Float32Array(6400));
    await session.finish();
    const bent = scriptedEngine({ script: () => ({ speech: 0.1 }) });
    const open = bent.open.bind(bent);
    bent.open = async (options) => {
      const inner = await open(options);
      const step = inner.step.bind(inner);
      inner.step = async (input) => {
        const output = await step(input);
        if (input.index === 1) new Uint32Array(output.speech.buffer)[1234] ^= 1;
        return output;
      };
      return inner;
    };
    const report = await replayTrace(session.trace(), bent);
    expect(report).toMatchObject({ turns: 1, same: false, difference: { turnIndex: 1, field: "speech" } });
  });

  it("goes on from the border after a rewind, and then replays (rules 7 and 10)", async () => {
    const script = politeScript();
    const session = await DuplexSession.open({
      engine: scriptedEngine({ script }),
      pace: "as-fast-as-input",
      rewindMs: 10_000,
      tailMs: 0,
      trace: true,
    });
    const user = new SimulatedUser({ segments });
    await session.writeAudio(user.recording(2000));
    await new Promise((resolve) => setTimeout(resolve, 0));
    await session.rewind(6);
    await session.writeAudio(user.sound(0, 1000));
    await session.finish();
    const trace = session.trace();
    expect(trace.turns.map((turn) => turn.index)).toEqual(Array.from({ length: 11 }, (_, i) => i));
    expect(await replayTrace(trace, scriptedEngine({ script }))).toEqual({ turns: 11, same: true });
  });

  it("replays after rewinds into merged steps, one after the other (rules 3, 7 and 10)", async () => {
    const clock = new FakeClock();
    // What comes out depends on everything that was heard before.
    const script: Script = ({ audio, forceListen }, memory) => {
      memory.sum = audio.reduce((sum, sample) => (31 * sum + sample) % 1000, Number(memory.sum ?? 0));
      const heard = Number(memory.sum).toFixed(3);
      return forceListen === true ? { heard } : { heard, text: heard, speech: 0.1 };
    };
    const slow = (input: TurnInput) => (input.turns === 1 ? 900 : 10);
    const engine = scriptedEngine({ clock, stepMs: slow, script });
    const session = await DuplexSession.open({ engine, clock, rewindMs: 10_000, trace: true });
    const user = new SimulatedUser({ segments });
    const advancing = async (promise: Promise<unknown>) => {
      let open = true;
      promise.finally(() => {
        open = false;
      });
      while (open) await clock.advance(5);
    };
    await user.play(session, clock, 2000);
    const merged = () => session.trace().turns.findLast(({ output }) => output.skipped)?.index ?? -1;
    await advancing(session.rewind(merged()));
    await user.play(session, clock, 2000);
    await advancing(session.rewind(merged()));
    await user.play(session, clock, 2000);
    await session.close();
    const trace = session.trace();
    const rows = trace.turns.map(({ timing, output }) => `${timing.stepTurns}${output.skipped ? "s" : ""}`);
    expect(rows.join(" ")).toMatch(/\d(s .*)?s 1 /); // a step that was cut: its last row is a skipped one
    const copy = scriptedEngine({ script });
    expect(await replayTrace(trace, copy)).toEqual({ turns: trace.turns.length, same: true });
    const [first, ...rest] = trace.turns;
    const altered = { ...trace, turns: [{ ...first, timing: { ...first.timing, stepTurns: 3 } }, ...rest] };
    await expect(replayTrace(altered, copy)).rejects.toEqual(invalid);
  });

  it("stops at its limit and says so (rule 8)", async () => {
    const session = await DuplexSession.open({
      engine: scriptedEngine(),
      pace: "as-fast-as-input",
      tailMs: 0,
      trace: { maxMs: 1000 },
    });
    await session.writeAudio(new Float32Array(20 * 3200));
    await session.finish();
    expect(session.trace().turns).toHaveLength(5);
    expect(session.trace().header.truncated).toBe(true);
  });

  it("refuses to replay what has no beginning, or another clock", async () => {
    const session = await DuplexSession.open({ engine: scriptedEngine(), pace: "as-fast-as-input", tailMs: 0 });
    await session.writeAudio(new Float32Array(3 * 3200));
    await new Promise((resolve) => setTimeout(resolve, 0));
    const late = recordTrace(session);
    await session.writeAudio(new Float32Array(3 * 3200));
    await session.finish();
    expect(late.trace().header.firstTurn).toBe(3);
    await expect(replayTrace(late.trace(), scriptedEngine())).rejects.toEqual(invalid);
    const other = scriptedEngine({ capabilities: { turnDurationMs: 80 } });
    await expect(replayTrace(await recorded(), other)).rejects.toEqual(invalid);
    expect(() => session.trace()).toThrow(DuplexError);
  });

  it("holds input exactly: 16 bits where they are enough, else 32", () => {
    const integers = Float32Array.from([0, 1, -1, 32767 / 32768, 5 / 32768]).subarray(0, 2);
    expect(packExactly(new Float32Array(4))).toBeUndefined();
    expect(packExactly(integers)).toBeInstanceOf(Float32Array); // 1.0 is one more than 16 bits hold
    const small = Float32Array.from([0.5, -1, 3 / 32768]);
    expect(packExactly(small)).toEqual(Int16Array.of(16384, -32768, 3));
    expect(traceAudio(packExactly(small), 3)).toEqual(small);
    const odd = Float32Array.from([0.1]);
    expect(traceAudio(packExactly(odd), 1)).toEqual(odd);
  });

  it("has fingerprints that tell any single bit", () => {
    const random = new SeededRandom(1);
    const pcm = Float32Array.from({ length: 3200 }, () => random.next());
    const seen = new Set([fingerprint(pcm)]);
    const words = new Uint32Array(pcm.buffer);
    for (let i = 0; i < 500; i++) {
      const bit = 1 << (i % 32);
      words[6 * i] ^= bit;
      seen.add(fingerprint(pcm));
      words[6 * i] ^= bit;
    }
    expect(seen.size).toBe(501);
  });
});

describe("readTrace", () => {
  it("refuses what is no trace, with the field and what came", async () => {
    const file = await writeTrace(await recorded());
    const root = JSON.parse(file);
    const changed = (change: (copy: typeof root) => void) => {
      const copy = structuredClone(root);
      change(copy);
      return JSON.stringify(copy);
    };
    const cases: [string, string | Uint8Array, RegExp][] = [
      ["nothing", "", /JSON/],
      ["half of it", file.slice(0, file.length >> 1), /JSON/],
      ["a page without a trace", "<html></html>", /script element/],
      ["a page that was cut off", `<script id="microturn-trace">${file.slice(0, 500)}`, /cut off/],
      ["bytes that are no text", Uint8Array.of(255, 254, 0), /UTF-8/],
      ["a list", "[]", /object/],
      ["another format", changed((copy) => (copy.format = "wav")), /format/],
      ["a later version", changed((copy) => (copy.version = 2)), /version 1, got 2/],
      ["no header", changed((copy) => delete copy.header), /trace.header/],
      ["an impossible rate", changed((copy) => (copy.header.inputSampleRate = 1e9)), /inputSampleRate/],
      ["an unknown policy", changed((copy) => (copy.header.deadline = "never")), /deadline/],
      ["a row that is missing", changed((copy) => copy.turns.splice(2, 1)), /micro-turn 2 in row 2, got 3/],
      ["text that is no text", changed((copy) => (copy.turns[1].output.text = 7)), /turns\[1\].output.text/],
      ["a missing track", changed((copy) => delete copy.tracks.audio), /"audio", the track is missing/],
      ["a damaged track", changed((copy) => (copy.tracks.audio = "AAAA")), /gzip/],
      ["a track that is no base64", changed((copy) => (copy.tracks.audio = "%%%")), /base64/],
      ["a track of another length", changed((copy) => (copy.turns[0].input.audio = undefined)), /bytes/],
      ["an image of no size", changed((copy) => (copy.turns[2].input.images[0].width = 0)), /width/],
      ["an image of another size", changed((copy) => (copy.turns[2].input.images[0].width = 3)), /3 or 4 bytes/],
      ["a time that is no number", changed((copy) => (copy.turns[0].timing.runMs = "fast")), /runMs/],
      ["a prototype", file.replace('"seed":5', '"__proto__":{"seed":5}'), /seed/],
    ];
    for (const [name, bad, message] of cases) {
      const error = await readTrace(bad).then(
        () => undefined,
        (caught: unknown) => caught,
      );
      expect(error, name).toEqual(invalid);
      expect(String(error), name).toMatch(message);
    }
  });

  it("unpacks no more than the rows name, however much a track holds (a compression bomb)", async () => {
    const root = JSON.parse(await writeTrace(await recorded()));
    const bomb = new Response(new Blob([new Uint8Array(64 << 20)]).stream().pipeThrough(new CompressionStream("gzip")));
    root.tracks.audio = Buffer.from(await bomb.arrayBuffer()).toString("base64");
    await expect(readTrace(JSON.stringify(root))).rejects.toThrow(/more than the/);
  });

  it("refuses more than maxBytes before it unpacks anything", async () => {
    const file = await writeTrace(await recorded());
    await expect(readTrace(file, { maxBytes: 1000 })).rejects.toEqual(invalid);
    const root = JSON.parse(file);
    root.header.inputSampleRate = 1_000_000;
    await expect(readTrace(JSON.stringify(root), { maxBytes: file.length + 1e6 })).rejects.toThrow(/when unpacked/);
  });
});
