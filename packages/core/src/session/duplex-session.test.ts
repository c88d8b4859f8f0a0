import { describe, expect, it } from "vitest";
import { Resampler } from "../audio/resampler.js";
import type { Engine } from "../engine.js";
import { DuplexError } from "../errors.js";
import { FakeClock, settled } from "../testing/fake-clock.js";
import { politeScript, type Script, scriptedEngine } from "../testing/scripted-engine.js";
import { SimulatedUser } from "../testing/simulated-user.js";
import { DuplexSession } from "./duplex-session.js";
import type { SessionEvent } from "./events.js";
import type { DuplexSessionOptions } from "./session-options.js";
import type { TurnRecord } from "./turn.js";

async function offline(options: Partial<DuplexSessionOptions> = {}) {
  return DuplexSession.open({ engine: scriptedEngine(), pace: "as-fast-as-input", ...options });
}

/** A session on a fake clock with everything it says about itself. */
async function live(options: Partial<DuplexSessionOptions> & { engine?: Engine } = {}) {
  const clock = new FakeClock();
  const session = await DuplexSession.open({ engine: scriptedEngine({ clock }), clock, ...options });
  const events: SessionEvent[] = [];
  const types = ["session-start", "turn-start", "text-delta", "heard-delta", "turn-late", "turn-end", "yield", "flush"];
  const more = ["delegation", "delivery", "rewind", "input-refused", "error", "session-end"];
  for (const type of [...types, ...more] as Exclude<SessionEvent["type"], "speech">[]) {
    session.on(type, (event: SessionEvent) => events.push(event));
  }
  session.on("speech", (_pcm, event) => events.push(event));
  return { clock, session, events };
}

/** Lets time pass until a promise settles. */
async function settledWith<Result>(clock: FakeClock, promise: Promise<Result>): Promise<Result> {
  let open = true;
  const over = () => {
    open = false;
  };
  promise.then(over, over);
  for (let i = 0; open && i < 1000; i++) await clock.advance(5);
  return promise;
}

async function readAll(session: DuplexSession): Promise<TurnRecord[]> {
  const turns: TurnRecord[] = [];
  for await (const turn of session) turns.push(turn);
  return turns;
}

const code = (value: string) => expect.objectContaining({ name: "DuplexError", code: value });

describe("DuplexSession, from input to records", () => {
  it("turns a written recording into records whose audio is the recording (rules 1 and 2)", async () => {
    const session = await offline({ tailMs: 400 });
    const recording = Float32Array.from({ length: 10_000 }, (_, i) => Math.sin(i) / 2);
    const reading = readAll(session);
    await session.writeAudio(recording.subarray(0, 5000));
    await session.writeAudio(recording.subarray(5000));
    await session.finish();
    const turns = await reading;
    expect(turns.map((turn) => turn.index)).toEqual([0, 1, 2, 3, 4, 5]);
    expect(turns.map((turn) => turn.startMs)).toEqual([0, 200, 400, 600, 800, 1000]);
    const heard = new Float32Array(6 * 3200);
    turns.forEach((turn, i) => {
      heard.set(turn.input.audio, i * 3200);
    });
    expect(heard.subarray(0, 10_000)).toEqual(recording);
    expect(heard.subarray(10_000).every((sample) => sample === 0)).toBe(true);
    expect(turns[3].input.paddedSamples).toBe(2800);
  });

  it("converts input of another rate as sharply as it is told (rule 1)", async () => {
    const recording = Float32Array.from({ length: 24_000 }, (_, i) => Math.sin(i / 5));
    const quality = { zeroCrossings: 16, beta: 7, cutoff: 0.95 };
    const heard = async (resampler?: typeof quality) => {
      const engine = scriptedEngine();
      const session = await DuplexSession.open({
        ...{ engine, pace: "as-fast-as-input", sampleRate: 24_000, tailMs: 0 },
        ...(resampler === undefined ? {} : { resampler }),
      });
      void session.writeAudio(recording);
      await session.finish();
      return engine.steps.flatMap(({ audio }) => [...audio]);
    };
    for (const asked of [undefined, quality]) {
      const resampler = new Resampler({ inputRate: 24_000, outputRate: 16_000, quality: asked });
      const expected = new Float32Array(16_000);
      resampler.push(recording, expected);
      expect((await heard(asked)).slice(0, 16_000)).toEqual([...expected]);
    }
  });

  it("takes any chunking of the input to the same records (rule 1)", async () => {
    const recording = new SimulatedUser({ segments: [{ atMs: 300, sound: 900 }] }).recording(3000, 48_000);
    const runs = await Promise.all(
      [1000, 4801, recording.length].map(async (size) => {
        const session = await offline({ sampleRate: 48_000 });
        const reading = readAll(session);
        for (let at = 0; at < recording.length; at += size) await session.writeAudio(recording.subarray(at, at + size));
        await session.finish();
        return (await reading).map(({ input, output }) => ({ audio: input.audio, output }));
      }),
    );
    expect(runs[1]).toEqual(runs[0]);
    expect(runs[2]).toEqual(runs[0]);
    expect(runs[0].some(({ output }) => output.text !== "")).toBe(true);
  });

  it("is a stream to pipe into, and ends when the stream ends", async () => {
    const session = await offline({ tailMs: 0 });
    const reading = readAll(session);
    const source = new ReadableStream<Float32Array>({
      start(controller) {
        for (let i = 0; i < 7; i++) controller.enqueue(new Float32Array(1600));
        controller.close();
      },
    });
    await source.pipeTo(session.audio);
    expect(await reading).toHaveLength(4);
    expect(await session.ended).toBe("finished");
  });

  it("begins with session-start, also for a handler attached after open, and ends with session-end", async () => {
    const { session, events, clock } = await live({ tailMs: 0 });
    session.writeAudio(new Float32Array(3200));
    await clock.advance(300);
    const finished = session.finish();
    await clock.advance(1000);
    await finished;
    expect(events.map((event) => event.type)).toEqual([
      "session-start",
      "turn-start",
      "speech",
      "turn-end",
      "session-end",
    ]);
  });

  it("gives each handler of speech PCM of its own: one that transfers it takes nothing from others (rule 2)", async () => {
    const engine = scriptedEngine({ script: () => ({ speech: 0.1 }) });
    const session = await offline({ engine, tailMs: 0, trace: true });
    const taken: Float32Array[] = [];
    session.on("speech", (pcm, event) => {
      expect(event.pcm).toBe(pcm);
      taken.push(structuredClone(pcm, { transfer: [pcm.buffer as ArrayBuffer] }));
    });
    const others: number[] = [];
    session.on("speech", (pcm) => others.push(pcm.length));
    const reading = readAll(session);
    await session.writeAudio(new Float32Array(2 * 3200));
    await session.finish();
    const turns = await reading;
    expect(others).toEqual([3200, 3200]);
    expect(turns.map((turn) => turn.output.speech)).toEqual(taken);
    expect(session.trace().turns.map((turn) => turn.output.speech?.length)).toEqual([3200, 3200]);
  });

  it("lets one speak while the other does, in one record (rule 2)", async () => {
    const script = politeScript({ words: Array.from({ length: 20 }, (_, i) => `word${i}`) });
    const { session, clock } = await live({ engine: scriptedEngine({ script }) });
    const reading = readAll(session);
    const user = new SimulatedUser({
      segments: [
        { atMs: 400, sound: 800 },
        { atMs: 2600, sound: 600 },
      ],
    });
    await user.play(session, clock, 5000);
    await session.close();
    const turns = await reading;
    const spoken = turns.filter((turn) => turn.output.decision === "speak").map((turn) => turn.index);
    expect(spoken[0]).toBe(7);
    const barge = turns.find((turn) => turn.output.yielded);
    expect(barge?.index).toBe(13);
    expect(barge?.input.audio.some((sample) => Math.abs(sample) > 0.05)).toBe(true);
    expect(turns.slice(7, 13).every((turn) => turn.output.speech.some((sample) => sample !== 0))).toBe(true);
  });

  it("shows an image in the micro-turn that covers its time, copied", async () => {
    const session = await offline({ tailMs: 0 });
    const reading = readAll(session);
    const data = new Uint8Array(12).fill(7);
    session.writeImage({ data, width: 2, height: 2, timeMs: 450 });
    session.writeImage({ data, width: 2, height: 2 });
    data.fill(9);
    await session.writeAudio(new Float32Array(4 * 3200));
    await session.finish();
    const turns = await reading;
    expect(turns.map((turn) => turn.input.images.length)).toEqual([1, 0, 1, 0]);
    expect(turns[2].input.images[0].data).toEqual(new Uint8Array(12).fill(7));
  });
});

describe("DuplexSession, deadlines", () => {
  it("keeps capturing while a step is late, merges what came, and is on time again (rule 3)", async () => {
    const clock = new FakeClock();
    const engine = scriptedEngine({ clock, stepMs: (input) => (input.index === 4 ? 1000 : 20) });
    const { session, events } = await live({ engine, clock });
    const reading = readAll(session);
    const user = new SimulatedUser({ segments: [] });
    await user.play(session, clock, 4000);
    await session.close();
    const turns = await reading;
    expect(turns.map((turn) => turn.index)).toEqual(Array.from({ length: turns.length }, (_, i) => i));
    expect(turns.length).toBeGreaterThanOrEqual(19);
    const late = events.filter((event) => event.type === "turn-late");
    expect(late[0]).toMatchObject({ turnIndex: 4, queuedTurns: 4 });
    expect(late[0].lateMs).toBeGreaterThan(790);
    expect(turns.slice(5, 8).every((turn) => turn.output.skipped)).toBe(true);
    expect(engine.steps.find((step) => step.turns > 1)).toMatchObject({ index: 8, turns: 4 });
    expect(turns.slice(10).every((turn) => !turn.timing.late && turn.timing.slackMs > 150)).toBe(true);
  });

  it("ends with TURN_LATE under strict, with what it gave before still readable (rule 3)", async () => {
    const clock = new FakeClock();
    const engine = scriptedEngine({ clock, stepMs: (input) => (input.index === 2 ? 1e9 : 10) });
    const { session } = await live({ engine, clock, deadline: "strict" });
    const turns: number[] = [];
    const reading = (async () => {
      for await (const turn of session) turns.push(turn.index);
    })();
    reading.catch(() => {});
    await new SimulatedUser({ segments: [] }).play(session, clock, 2000);
    await expect(reading).rejects.toEqual(code("TURN_LATE"));
    expect(turns).toEqual([0, 1]);
    expect(await session.ended).toBe("error");
    await expect(session.writeAudio(new Float32Array(10))).rejects.toEqual(code("SESSION_CLOSED"));
  });

  it("paces a file that is piped into a live session: none late, nothing skipped (rule 3)", async () => {
    const { session, clock, events } = await live({ tailMs: 0 });
    const reading = readAll(session);
    const source = new ReadableStream<Float32Array>({
      start(controller) {
        for (let i = 0; i < 20; i++) controller.enqueue(new Float32Array(3200));
        controller.close();
      },
    });
    const piped = source.pipeTo(session.audio);
    await clock.advance(2000);
    expect(session.turnIndex).toBeGreaterThanOrEqual(9);
    expect(session.turnIndex).toBeLessThanOrEqual(11);
    expect(session.queuedMs).toBeLessThanOrEqual(800);
    await clock.advance(3000);
    await piped;
    expect(await reading).toHaveLength(20);
    expect(events.some((event) => event.type === "turn-late")).toBe(false);
  });

  it.each([0.2, 2.048, 3, 9])(
    "paces writes of %d s that wait for room: none late, nothing skipped (rule 3)",
    async (seconds) => {
      const { session, clock, events } = await live({ tailMs: 0 });
      const reading = readAll(session);
      const writing = (async () => {
        for (let rest = 30 * 16_000; rest > 0; rest -= seconds * 16_000) {
          await session.writeAudio(new Float32Array(Math.min(rest, Math.round(seconds * 16_000))));
        }
        await session.finish();
      })();
      await clock.advance(32_000);
      await writing;
      expect(events.filter((event) => event.type === "turn-late")).toEqual([]);
      expect(await reading).toHaveLength(150);
    },
  );
});

describe("DuplexSession, bad input and back-pressure", () => {
  it("refuses NaN whole, says so, and goes on without it", async () => {
    const { session, events, clock } = await live();
    const broken = new Float32Array(3200);
    broken[77] = Number.NaN;
    await expect(session.writeAudio(broken)).rejects.toEqual(code("AUDIO_INVALID"));
    expect(session.timeMs).toBe(0);
    session.writeAudio(new Float32Array(3200));
    await clock.advance(300);
    expect(events.filter((event) => event.type === "input-refused")).toHaveLength(1);
    expect(session.turnIndex).toBe(1);
    await session.close();
  });

  it("goes on with session.audio after a chunk that it refused (rule 8)", async () => {
    const session = await offline({ tailMs: 0 });
    const refused: string[] = [];
    session.on("input-refused", ({ error }) => refused.push(error.code));
    const reading = readAll(session);
    const chunks = [0.1, Number.NaN, 0.2].map((value) => new Float32Array(3200).fill(value));
    await new ReadableStream<Float32Array>({
      start(controller) {
        for (const chunk of chunks) controller.enqueue(chunk);
        controller.close();
      },
    }).pipeTo(session.audio);
    expect((await reading).map((turn) => turn.input.audio)).toEqual([chunks[0], chunks[2]]);
    expect(refused).toEqual(["AUDIO_INVALID"]);
    expect(await session.ended).toBe("finished");
  });

  it("still errors session.audio on what is not PCM, and on audio after finish", async () => {
    for (const chunk of [[0] as unknown as Float32Array, new Float32Array(3200)]) {
      const session = await offline();
      const writer = session.audio.getWriter();
      writer.closed.catch(() => {});
      if (chunk instanceof Float32Array) session.finish();
      const error = chunk instanceof Float32Array ? code("SESSION_CLOSED") : expect.any(TypeError);
      await expect(writer.write(chunk)).rejects.toEqual(error);
      await session.close();
    }
  });

  it("ends with AUDIO_INVALID when a write that waits goes bad, and settles it (rules 8 and 9)", async () => {
    const session = await offline({ sampleRate: 48_000, maxQueuedMs: 1000 });
    const samples = new Float32Array(5 * 48_000);
    const written = session.writeAudio(samples);
    samples.fill(Number.NaN);
    await expect(written).rejects.toMatchObject({ code: "SESSION_CLOSED", cause: { code: "AUDIO_INVALID" } });
    expect(await session.ended).toBe("error");
    await expect(session.finish()).rejects.toEqual(code("AUDIO_INVALID"));
  });

  it("refuses what is not PCM, a rate, or an option out of range with the platform's errors", async () => {
    const session = await offline();
    await expect(session.writeAudio([0] as unknown as Float32Array)).rejects.toThrow(TypeError);
    await expect(session.writeAudio(new Float32Array(1), { sampleRate: 100 })).rejects.toThrow(RangeError);
    expect(() => session.writeImage({ data: new Uint8Array(5), width: 2, height: 2 })).toThrow(DuplexError);
    await session.close();
    const engine = scriptedEngine();
    await expect(DuplexSession.open({ engine, seed: -1 })).rejects.toThrow(RangeError);
    await expect(DuplexSession.open({ engine, resampler: { zeroCrossings: 0 } })).rejects.toThrow(RangeError);
    await expect(DuplexSession.open({ engine, openTimeoutMs: 2 ** 31 })).rejects.toThrow(RangeError);
    await expect(DuplexSession.open({ engine, deadline: "never" as "strict" })).rejects.toThrow(TypeError);
    await expect(DuplexSession.open({ engine: undefined as unknown as Engine })).rejects.toThrow(TypeError);
    await expect(session.finish({ tailMs: -1 })).rejects.toThrow(RangeError);
  });

  it("refuses writes beyond maxQueuedMs with INPUT_OVERFLOW, keeps what it took, and recovers (rule 8)", async () => {
    const clock = new FakeClock();
    const engine = scriptedEngine({ clock, stepMs: (input) => (input.index === 0 ? 60_000 : 0) });
    const { session } = await live({ engine, clock, maxQueuedMs: 1000, deadline: "catch-up" });
    const refused: unknown[] = [];
    let taken = 0;
    for (let i = 0; i < 300; i++) {
      await clock.advance(20);
      let fine = true;
      session.writeAudio(new Float32Array(320)).catch((error) => {
        refused.push(error);
        fine = false;
      });
      await settled();
      if (fine) taken++;
    }
    expect(refused.length).toBeGreaterThan(150);
    expect(refused[0]).toEqual(code("INPUT_OVERFLOW"));
    expect(String(refused[0])).toMatch(/is kept/);
    await clock.advance(61_000);
    expect(session.timeMs).toBe(taken * 20);
    await expect(session.writeAudio(new Float32Array(320))).resolves.toBeUndefined();
    await session.close();
  });

  it("waits for a reader that is behind, when it runs as fast as it can (rule 8)", async () => {
    const session = await offline({ maxBufferedTurns: 4, tailMs: 0 });
    const reader = session[Symbol.asyncIterator]();
    const written = session.writeAudio(new Float32Array(50 * 3200)).then(() => session.finish());
    for (let i = 0; i < 5; i++) await settled();
    expect(session.turnIndex).toBe(4);
    const indices: number[] = [];
    for (let next = await reader.next(); !next.done; next = await reader.next()) indices.push(next.value.index);
    expect(indices).toEqual(Array.from({ length: 50 }, (_, i) => i));
    await written;
  });

  it("does not wait for a reader in a live session: it gets what was held, then INPUT_OVERFLOW (rule 8)", async () => {
    const { session, clock } = await live({ maxBufferedTurns: 4 });
    const reader = session[Symbol.asyncIterator]();
    await new SimulatedUser({ segments: [] }).play(session, clock, 2000);
    const seen: number[] = [];
    const reading = (async () => {
      for (let next = await reader.next(); !next.done; next = await reader.next()) seen.push(next.value.index);
    })();
    await expect(reading).rejects.toEqual(code("INPUT_OVERFLOW"));
    expect(seen).toEqual([0, 1, 2, 3]);
    expect(session.closed).toBe(false);
    await session.close();
  });

  it("refuses audio once the input has ended, in both paces, and says its tail to the end", async () => {
    for (const pace of ["realtime", "as-fast-as-input"] as const) {
      const { session, clock, events } = await live({ pace, tailMs: 1000 });
      session.writeAudio(new Float32Array(3200)).catch(() => {});
      await clock.advance(200);
      const finished = session.finish();
      await clock.advance(pace === "realtime" ? 300 : 0);
      await expect(session.writeAudio(new Float32Array(16_000))).rejects.toEqual(code("SESSION_CLOSED"));
      await clock.advance(5000);
      await finished;
      expect(events.filter((event) => event.type === "turn-end")).toHaveLength(6);
    }
  });

  it("refuses images that are not bytes, or not of their size, before they reach the model", async () => {
    const engine = scriptedEngine();
    const session = await offline({ engine });
    const size = { width: 2, height: 2 };
    for (const data of [new Float32Array(12), Array(12).fill(0), undefined, "x".repeat(12)]) {
      expect(() => session.writeImage({ data: data as never, ...size })).toThrow(TypeError);
    }
    for (const length of [0, 11, 13, 17]) {
      expect(() => session.writeImage({ data: new Uint8Array(length), ...size })).toThrow(code("IMAGE_INVALID"));
    }
    for (const wrong of [{ width: 0 }, { width: 1.5 }, { timeMs: Number.NaN }]) {
      expect(() => session.writeImage({ data: new Uint8Array(12), ...size, ...wrong })).toThrow(code("IMAGE_INVALID"));
    }
    session.writeImage({ data: new Uint8ClampedArray(16), ...size });
    await session.writeAudio(new Float32Array(3200));
    await session.finish({ tailMs: 0 });
    expect(engine.steps[0].images).toHaveLength(1);
  });

  it("refuses text and images that the engine does not take", async () => {
    const session = await offline({ engine: scriptedEngine({ capabilities: { inputs: ["audio"] } }) });
    expect(() => session.sendText("hello")).toThrow(expect.objectContaining({ code: "UNSUPPORTED" }));
    expect(() => session.deliver("result")).toThrow(expect.objectContaining({ code: "UNSUPPORTED" }));
    expect(() => session.writeImage({ data: new Uint8Array(3), width: 1, height: 1 })).toThrow(
      expect.objectContaining({ code: "UNSUPPORTED" }),
    );
    await session.close();
  });

  it("survives a handler that throws", async () => {
    const session = await offline({ tailMs: 0 });
    const thrown: unknown[] = [];
    const listeners = process.listeners("uncaughtException");
    process.removeAllListeners("uncaughtException");
    process.on("uncaughtException", (error) => thrown.push(error));
    session.on("turn-end", () => {
      throw new Error("handler");
    });
    const reading = readAll(session);
    await session.writeAudio(new Float32Array(6400));
    await session.finish();
    expect(await reading).toHaveLength(2);
    await settled();
    process.removeAllListeners("uncaughtException");
    for (const listener of listeners) process.on("uncaughtException", listener);
    expect(thrown).toHaveLength(2);
  });
});

describe("DuplexSession, background (rule 6)", () => {
  it("gives an engine that says text what is to be said, and nothing to be read", async () => {
    const engine = scriptedEngine({ capabilities: { inputs: ["audio"], saysText: true } });
    const session = await offline({ engine });
    expect(() => session.sendText("hello")).toThrow(expect.objectContaining({ code: "UNSUPPORTED" }));
    expect(() => session.deliver("to know", "silent")).toThrow(expect.objectContaining({ code: "UNSUPPORTED" }));
    const outcome = session.deliver("it is sunny", "now");
    await session.writeAudio(new Float32Array(3200));
    await session.finish({ tailMs: 0 });
    expect(await outcome).toEqual({ kind: "entered", turnIndex: 0 });
    expect(engine.steps[0].text).toEqual([{ source: "background", text: "it is sunny", delivery: 1 }]);
  });

  it("delivers while a handler runs, and tells the micro-turn it entered", async () => {
    const engine = scriptedEngine({
      script: (input) => {
        if (input.index === 1) return { heard: "weather please", delegation: { task: "weather" } };
        return input.text.length > 0 ? { decision: "speak", speech: 0.1, text: input.text[0].text } : {};
      },
    });
    const session = await offline({ engine, tailMs: 0 });
    const outcomes: unknown[] = [];
    session.on("delegation", ({ task, conversation }) => {
      expect(conversation).toEqual([{ speaker: "user", text: "weather please", turnIndex: 1 }]);
      session.deliver(`${task}: sunny`, "now").then((outcome) => outcomes.push(outcome));
    });
    const reading = readAll(session);
    await session.writeAudio(new Float32Array(4 * 3200));
    await session.finish();
    const turns = await reading;
    expect(turns[2].input.text).toEqual([{ source: "background", text: "weather: sunny", delivery: 1 }]);
    expect(turns[2].output.text).toBe("weather: sunny");
    expect(outcomes).toEqual([{ kind: "entered", turnIndex: 2 }]);
  });

  it("settles deliveries that the session does not live to take", async () => {
    const session = await offline();
    const outcome = session.deliver("too late");
    await session.close();
    expect(await outcome).toEqual({ kind: "dropped", reason: "session-end" });
  });
});

describe("DuplexSession, settling (rule 9)", () => {
  it("gives up opening after openTimeoutMs, and closes what opens too late", async () => {
    const clock = new FakeClock();
    const engine = scriptedEngine({ clock, loadMs: 10_000 });
    const opening = DuplexSession.open({ engine, clock, openTimeoutMs: 500 });
    opening.catch(() => {});
    await clock.advance(600);
    await expect(opening).rejects.toEqual(code("OPEN_TIMEOUT"));
    await clock.advance(20_000);
    expect(engine.openSessions).toBe(0);
    expect(clock.pending).toBe(0);
  });

  it("gives up opening when the engine never answers for a snapshot", async () => {
    const clock = new FakeClock();
    const engine = scriptedEngine({ clock });
    const open = engine.open.bind(engine);
    engine.open = async (options) => {
      const session = await open(options);
      session.snapshot = () => new Promise(() => {});
      return session;
    };
    const opening = DuplexSession.open({ engine, clock, openTimeoutMs: 500, rewindMs: 1000 });
    opening.catch(() => {});
    await clock.advance(600);
    await expect(opening).rejects.toEqual(code("OPEN_TIMEOUT"));
    expect(clock.pending).toBe(0);
  });

  it("tells who waits for the end why it came early, also while writes wait", async () => {
    const engine = scriptedEngine({
      script: ({ index }) => {
        if (index === 2) throw new Error("no device");
        return {};
      },
    });
    const session = await offline({ engine });
    session.writeAudio(new Float32Array(160_000));
    await expect(session.finish()).rejects.toEqual(code("BACKEND_FAILED"));
  });

  it("closes the engine's session when opening fails after that, or opens none for an option out of range", async () => {
    const engine = scriptedEngine({ capabilities: { inputSampleRate: -16_000 } });
    await expect(DuplexSession.open({ engine })).rejects.toThrow(RangeError);
    expect(engine.openSessions).toBe(0);
    let opened = 0;
    const open = engine.open.bind(engine);
    engine.open = (options) => {
      opened++;
      return open(options);
    };
    await expect(DuplexSession.open({ engine, trace: { maxMs: 0 } })).rejects.toThrow(/maxMs of a trace must be/);
    expect(opened).toBe(0);
  });

  it("is aborted by its signal while opening, and later", async () => {
    const clock = new FakeClock();
    const early = new AbortController();
    const opening = DuplexSession.open({ engine: scriptedEngine({ clock, loadMs: 100 }), clock, signal: early.signal });
    opening.catch(() => {});
    early.abort();
    await expect(opening).rejects.toEqual(code("ABORTED"));

    const late = new AbortController();
    const { session, events } = await live({ signal: late.signal });
    const reading = readAll(session);
    reading.catch(() => {});
    late.abort();
    await expect(reading).rejects.toEqual(code("ABORTED"));
    expect(events.map((event) => event.type)).toEqual(["session-start", "error", "session-end"]);
  });

  it("closes twice, at once, in mid-step, and with an engine that never answers", async () => {
    const clock = new FakeClock();
    const stuck = scriptedEngine({ clock, stepMs: 1e9 });
    const open = stuck.open.bind(stuck);
    stuck.open = async (options) => {
      const session = await open(options);
      session.close = () => new Promise(() => {});
      return session;
    };
    const session = await DuplexSession.open({ engine: stuck, clock });
    session.writeAudio(new Float32Array(3200));
    await clock.advance(250);
    const closing = Promise.all([session.close(), session.close()]);
    await clock.advance(6000);
    await closing;
    await session.close();
    expect(await session.ended).toBe("closed");
    await expect(session.snapshot()).rejects.toEqual(code("SESSION_CLOSED"));
    expect(() => session.interrupt()).toThrow(expect.objectContaining({ code: "SESSION_CLOSED" }));
  });

  it.each([
    [
      "throws",
      () => {
        throw new Error("gone");
      },
    ],
    ["gives no promise", () => undefined as never],
  ])("closes, with no timer left behind, when an engine's close %s", async (_, close: () => Promise<void>) => {
    const clock = new FakeClock();
    const engine = scriptedEngine({ clock });
    const open = engine.open.bind(engine);
    engine.open = async (options) => Object.assign(await open(options), { close });
    const session = await DuplexSession.open({ engine, clock });
    await clock.advance(10);
    await session.close();
    expect(await session.ended).toBe("closed");
    expect(clock.pending).toBe(0);
  });

  it("closes by `await using`", async () => {
    const engine = scriptedEngine();
    {
      await using session = await offline({ engine });
      await session.writeAudio(new Float32Array(100));
      expect(engine.openSessions).toBe(1);
    }
    expect(engine.openSessions).toBe(0);
  });

  it("ends readers, writers and the stream when the engine fails, after what it gave", async () => {
    const engine = scriptedEngine({
      script: (input) => {
        if (input.index === 2) throw new Error("out of memory");
        return {};
      },
    });
    const session = await offline({ engine });
    const seen: number[] = [];
    const reading = (async () => {
      for await (const turn of session) seen.push(turn.index);
    })();
    const piped = new ReadableStream<Float32Array>({
      pull(controller) {
        controller.enqueue(new Float32Array(3200));
      },
    }).pipeTo(session.audio);
    await expect(piped).rejects.toEqual(code("SESSION_CLOSED"));
    await expect(reading).rejects.toEqual(code("BACKEND_FAILED"));
    expect(seen).toEqual([0, 1]);
    await expect(session.finish()).rejects.toEqual(code("BACKEND_FAILED"));
  });
});

describe("DuplexSession, what was heard (rule 4)", () => {
  const words = ["one", "two", "three", "four", "five", "six"];
  const script: Script = ({ index, forceListen }) =>
    forceListen === true || index >= words.length ? {} : { decision: "speak", speech: 0.1, text: words[index] };

  it("tells the engine with every step how far its sound was heard, and cuts a snapshot's conversation", async () => {
    const engine = scriptedEngine({ script });
    const session = await offline({ engine, tailMs: 0 });
    const flushes: string[] = [];
    session.on("flush", ({ unheard }) => flushes.push(unheard));
    session.on("speech", (_, { turnIndex, fence }) => {
      // A player that is two micro-turns and a half late.
      if (turnIndex >= 2) session.played({ turnIndex: turnIndex - 2, samples: 1600, fence });
    });
    await session.writeAudio(new Float32Array(5 * 3200));
    for (let i = 0; i < 5; i++) await settled();
    session.interrupt();
    expect(flushes).toEqual(["four five"]);
    expect((await session.snapshot()).conversation).toEqual([
      { speaker: "assistant", text: "one two three", turnIndex: 0 },
    ]);
    await session.writeAudio(new Float32Array(3200));
    await session.finish();
    expect(engine.steps.map(({ played }) => played?.turnIndex)).toEqual([undefined, undefined, undefined, 0, 1, 2]);
    expect(engine.steps[3].played).toEqual({ turnIndex: 0, samples: 1600 });
  });

  it("refuses positions in sound that has not come, and ignores those in sound that is gone, or after the end", async () => {
    const engine = scriptedEngine({ script });
    const session = await offline({ engine, rewindMs: 10_000 });
    expect(() => session.played({ turnIndex: 0, samples: 0, fence: 0 })).toThrow(RangeError);
    await session.writeAudio(new Float32Array(3 * 3200));
    for (let i = 0; i < 5; i++) await settled();
    const wild = [
      { turnIndex: 3, samples: 0, fence: 0 },
      { turnIndex: -1, samples: 0, fence: 0 },
      { turnIndex: 0.5, samples: 0, fence: 0 },
      { turnIndex: Number.NaN, samples: 0, fence: 0 },
      { turnIndex: 1, samples: 3201, fence: 0 },
      { turnIndex: 1, samples: -1, fence: 0 },
      { turnIndex: 1, samples: 0.5, fence: 0 },
      { turnIndex: 1, samples: 0, fence: 1 },
      { turnIndex: 1, samples: 0, fence: -1 },
      { turnIndex: 1, samples: 0, fence: Number.NaN },
    ];
    for (const position of wild) expect(() => session.played(position), JSON.stringify(position)).toThrow(RangeError);
    await session.rewind(1);
    // That player has not noticed the rewind yet: its sound is of a time that never was.
    session.played({ turnIndex: 2, samples: 3200, fence: 0 });
    await session.writeAudio(new Float32Array(2 * 3200));
    for (let i = 0; i < 5; i++) await settled();
    expect(engine.steps.every(({ played }) => played === undefined)).toBe(true);
    await session.close();
    session.played({ turnIndex: 1, samples: 0, fence: 1 });
  });
});

describe("DuplexSession, state (rule 10)", () => {
  const words = Array.from({ length: 30 }, (_, i) => `word${i}`);
  const user = new SimulatedUser({ segments: [{ atMs: 200, sound: 600 }] });

  it("forks: both go on from the same past, each its own way", async () => {
    const engine = scriptedEngine({ script: politeScript({ words }) });
    const session = await offline({ engine });
    await session.writeAudio(user.recording(2000));
    for (let i = 0; i < 5; i++) await settled();
    const fork = await session.fork();
    expect(fork.turnIndex).toBe(session.turnIndex);
    const [a, b] = [readAll(session), readAll(fork)];
    await session.writeAudio(new Float32Array(6400));
    await fork.writeAudio(new Float32Array(6400));
    await session.finish({ tailMs: 0 });
    await fork.finish({ tailMs: 0 });
    const [mine, theirs] = [await a, await b];
    expect(theirs.map(({ index, output }) => [index, output.text])).toEqual(
      mine.map(({ index, output }) => [index, output.text]),
    );
    expect(theirs[0].output.speech).toEqual(mine[0].output.speech);
    expect(theirs[0].output.text).not.toBe("");
  });

  it("rewinds to a border, also between its snapshots, and takes the same way again", async () => {
    const engine = scriptedEngine({ script: politeScript({ words }) });
    const session = await offline({ engine, rewindMs: 10_000 });
    const first: TurnRecord[] = [];
    session.on("turn-end", ({ turn }) => first.push(turn));
    const flushes: number[] = [];
    session.on("flush", (event) => flushes.push(event.fence));
    const recording = user.recording(4000);
    await session.writeAudio(recording);
    for (let i = 0; i < 5; i++) await settled();
    await session.rewind(13);
    expect([session.turnIndex, session.timeMs]).toEqual([13, 2600]);
    expect(flushes).toEqual([1]);
    const again: TurnRecord[] = [];
    session.on("turn-end", ({ turn }) => again.push(turn));
    await session.writeAudio(recording.subarray(13 * 3200));
    await session.finish({ tailMs: 0 });
    expect(again.map((turn) => [turn.index, turn.output.text])).toEqual(
      first.slice(13, 20).map((turn) => [turn.index, turn.output.text]),
    );
    expect(again[0].output.speech).toEqual(first[13].output.speech);
  });

  it("forgets the words and the typed text that a rewind undid", async () => {
    const script: Script = ({ index }) => ({ heard: `word${index}` });
    const engine = scriptedEngine({ script });
    const session = await offline({ engine, rewindMs: 10_000 });
    await session.writeAudio(new Float32Array(6 * 3200));
    for (let i = 0; i < 5; i++) await settled();
    session.sendText("never mind");
    await session.rewind(2);
    expect((await session.snapshot()).conversation).toEqual([{ speaker: "user", text: "word0 word1", turnIndex: 0 }]);
    await session.writeAudio(new Float32Array(3200));
    await session.finish({ tailMs: 0 });
    expect(engine.steps.flatMap((step) => step.text)).toEqual([]);
  });

  it("takes the same way again though its records' sound was transferred meanwhile", async () => {
    const script: Script = ({ audio }, memory) => {
      memory.sum = Number(memory.sum ?? 0) + audio[0];
      return { text: Number(memory.sum).toFixed(1) };
    };
    const session = await offline({ engine: scriptedEngine({ script }), rewindMs: 10_000, tailMs: 0 });
    const said: string[] = [];
    session.on("turn-end", ({ turn }) => {
      said[turn.index] = turn.output.text;
      structuredClone(turn.input.audio, { transfer: [turn.input.audio.buffer as ArrayBuffer] });
    });
    await session.writeAudio(new Float32Array(4 * 3200).fill(0.5));
    for (let i = 0; i < 5; i++) await settled();
    await session.rewind(3);
    await session.writeAudio(new Float32Array(3200).fill(0.5));
    await session.finish();
    expect(said).toEqual(["0.5", "1.0", "1.5", "2.0"]);
  });

  it("takes the same way again though its records' images were changed or transferred meanwhile", async () => {
    const script: Script = ({ images }, memory) => {
      memory.sum = Number(memory.sum ?? 0) + images.reduce((sum, { data }) => sum + data[0], 0);
      return { text: String(memory.sum) };
    };
    const session = await offline({ engine: scriptedEngine({ script }), rewindMs: 10_000, tailMs: 0, trace: true });
    const said: string[] = [];
    session.on("turn-end", ({ turn }) => {
      said[turn.index] = turn.output.text;
      for (const { data } of turn.input.images) {
        data.fill(99);
        if (turn.index > 0) structuredClone(data, { transfer: [data.buffer as ArrayBuffer] });
      }
    });
    for (let turn = 0; turn < 4; turn++) {
      session.writeImage({ data: new Uint8Array(3).fill(turn + 1), width: 1, height: 1, timeMs: 200 * turn });
    }
    await session.writeAudio(new Float32Array(4 * 3200));
    for (let i = 0; i < 5; i++) await settled();
    await session.rewind(3);
    session.writeImage({ data: new Uint8Array(3).fill(4), width: 1, height: 1, timeMs: 600 });
    await session.writeAudio(new Float32Array(3200));
    await session.finish();
    expect(said).toEqual(["1", "3", "6", "10"]);
    // Nor does the trace notice.
    expect(session.trace().turns.map(({ input }) => input.images[0].data[0])).toEqual([1, 2, 3, 4]);
  });

  it("takes no snapshot of the time that a rewind undoes meanwhile", async () => {
    const clock = new FakeClock();
    // What a micro-turn says depends on all that was heard before it, so a wrong past shows in every word after it.
    const script: Script = ({ audio }, memory) => {
      memory.sum = Number(memory.sum ?? 0) + audio[0];
      return { text: Number(memory.sum).toFixed(1) };
    };
    const engine = scriptedEngine({ clock, script, snapshotMs: 40, restoreMs: 40 });
    const session = await settledWith(clock, offline({ engine, clock, rewindMs: 10_000, tailMs: 0 }));
    const said: string[] = [];
    session.on("turn-end", ({ turn }) => {
      said[turn.index] = turn.output.text;
    });
    const say = (value: number, turns: number) => session.writeAudio(new Float32Array(3200 * turns).fill(value));
    say(0.125, 4);
    await clock.advance(10);
    say(0.125, 1); // the fifth micro-turn wants a checkpoint, which takes until after the rewind is asked for
    await clock.advance(10);
    await settledWith(clock, session.rewind(2));
    say(0.5, 4);
    await clock.advance(100);
    await settledWith(clock, session.rewind(5));
    say(0.25, 1);
    await settledWith(clock, session.finish());
    expect(said).toEqual(["0.1", "0.3", "0.8", "1.3", "1.8", "2.0"]);
  });

  it("ends with the error of an engine that fails on the way back, and does not go on out of step with it", async () => {
    const engine = scriptedEngine();
    const open = engine.open.bind(engine);
    engine.open = async (options) => {
      const inner = await open(options);
      inner.restore = () => Promise.reject(new Error("device lost"));
      return inner;
    };
    const session = await offline({ engine, rewindMs: 10_000 });
    await session.writeAudio(new Float32Array(4 * 3200));
    for (let i = 0; i < 5; i++) await settled();
    await expect(session.rewind(3)).rejects.toEqual(code("BACKEND_FAILED"));
    expect(session.closed).toBe(true);
    expect(await session.ended).toBe("error");
    expect(engine.openSessions).toBe(0);
  });

  it("does not rewind once the input has ended, and ends after its tail (rule 9)", async () => {
    const clock = new FakeClock();
    const engine = scriptedEngine({ clock, stepMs: 10, restoreMs: 50 });
    const session = await offline({ engine, clock, rewindMs: 10_000 });
    session.writeAudio(new Float32Array(5 * 3200));
    await clock.advance(100);
    const back = session.rewind(2);
    const finished = session.finish({ tailMs: 1000 });
    await settledWith(clock, back);
    await clock.advance(15);
    await expect(settledWith(clock, session.rewind(1))).rejects.toEqual(code("SESSION_CLOSED"));
    await settledWith(clock, finished);
    expect(session.turnIndex).toBe(7);
  });

  it("does not rewind after finish either while writes still wait, which it would drop (rules 9 and 10)", async () => {
    const clock = new FakeClock();
    const engine = scriptedEngine({ clock, stepMs: 10 });
    const session = await offline({ engine, clock, rewindMs: 10_000, maxQueuedMs: 1000, tailMs: 0 });
    session.writeAudio(new Float32Array(25 * 3200));
    await clock.advance(45);
    const finished = session.finish();
    await expect(settledWith(clock, session.rewind(2))).rejects.toEqual(code("SESSION_CLOSED"));
    await settledWith(clock, finished);
    expect(session.turnIndex).toBe(25);
  });

  it("keeps no more history than asked for (rule 8)", async () => {
    const session = await offline({ rewindMs: 2000 });
    await session.writeAudio(new Float32Array(100 * 3200));
    for (let i = 0; i < 5; i++) await settled();
    const at = session.turnIndex;
    await expect(session.rewind(at - 20)).rejects.toThrow(RangeError);
    await session.rewind(at - 10);
    expect(session.turnIndex).toBe(at - 10);
    await session.close();
    const none = await offline();
    await expect(none.rewind(0)).rejects.toEqual(code("UNSUPPORTED"));
    await none.close();
  });

  it("refuses state operations on an engine without snapshots", async () => {
    const engine = scriptedEngine({ capabilities: { snapshots: false } });
    const session = await offline({ engine });
    await expect(session.fork()).rejects.toEqual(code("UNSUPPORTED"));
    await session.close();
    await expect(offline({ engine, rewindMs: 1000 })).rejects.toEqual(code("UNSUPPORTED"));
    expect(engine.openSessions).toBe(0);
  });
});
