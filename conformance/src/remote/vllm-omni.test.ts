// vLLM-Omni: the suite of wires over its double, and what is particular to it.

import { type ConnectionOptions, type VllmOmniOptions, vllmOmniEngine } from "@microturn/backend-remote";
import { type Clock, DuplexError } from "@microturn/core";
import { afterAll, afterEach, beforeAll, describe, expect, test } from "vitest";
import { describeEngine } from "../engine-suite.js";
import type { ServiceDouble, WireUnderTest } from "./service-double.js";
import { VllmOmniDouble, type VllmOmniDoubleOptions } from "./vllm-omni-double.js";
import { difference, sawtooth, until, WireBench, type WireSession } from "./wire-session.js";
import { describeWire } from "./wire-suite.js";

const secret = "key-right-and-secret";

const wire: WireUnderTest = {
  name: "vLLM-Omni",
  secret,
  double: () => VllmOmniDouble.start({ key: secret }),
  engine,
  unknown: [
    '{"type":"response.telepathy.delta","delta":"ommm","server_event_seq":0.5}',
    '{"type":"duplex.mood","metadata":{"epoch":"happy"}}',
  ],
  broken: [
    '{"type":"error"}',
    '{"type":"error","error":17}',
    '{"type":"error","error":{"code":{},"message":[1]}}',
    '{"type":"response.created"}',
    '{"type":"response.created","response":{"id":17}}',
    '{"type":"response.done","response":{"id":"never seen","status":"completed","output":7}}',
    '{"type":"response.done","response_id":"r","response":{"status":"failed","status_details":[]}}',
    '{"type":"response.output_audio.delta","response_id":"r","delta":17}',
    '{"type":"response.output_audio.delta","response_id":"r","delta":"ßß"}',
    '{"type":"response.output_audio.delta","delta":"AAAA"}',
    `{"type":"response.output_audio.delta","response_id":"r","delta":"${"A".repeat(5_000_000)}"}`,
    '{"type":"response.output_audio_transcript.delta","response_id":"r","delta":{}}',
    '{"type":"response.output_audio.delta","response_id":"r","delta":"AAAA","metadata":{"audio_text_marks":[null,{}]}}',
    '{"type":"response.output_item.done","item":{"type":"function_call","name":"x","arguments":"{"}}',
    '{"type":"response.listen","response":[]}',
    '{"type":"overlap.decision","action":{}}',
    '{"type":"conversation.item.input_audio_transcription.completed","transcript":5}',
    '{"type":"session.resumed","resume_token":"x"}',
    '{"type":"session.created","session":null}',
  ],
  fatalCloses: [
    { code: 1008, error: "ACCESS_DENIED" },
    { code: 1007, error: "PROTOCOL_VIOLATION" },
  ],
};

function engine(double: ServiceDouble, options: ConnectionOptions & Partial<VllmOmniOptions> = {}) {
  const { inputs = ["video", "text"], tools = [{ name: "weather" }, { name: "time" }] } = options;
  return vllmOmniEngine({ url: double.url, model: "m", apiKey: secret, inputs, tools, truncates: true, ...options });
}

describeWire(wire);

const rate = 24_000;
const turnSamples = rate / 5;
let double: VllmOmniDouble;
let bench: WireBench;
afterEach(async () => {
  await bench?.engine.close();
  await double?.close();
});

/** A session with a model of the double. */
async function talks(
  played: VllmOmniDoubleOptions = {},
  options: ConnectionOptions & Partial<VllmOmniOptions> = {},
): Promise<WireSession> {
  double = await VllmOmniDouble.start(played);
  bench = new WireBench(
    { ...wire, engine: (_, given) => vllmOmniEngine({ url: double.url, model: "m", ...options, ...given }) },
    double,
  );
  return bench.open();
}

/** The connection breaks and another one takes its place. */
async function breaks(ready = double.readyConnections + 1): Promise<void> {
  double.drop(1006);
  await until("the loss is seen", () => bench.count("reconnecting") > 0);
  await comesBack(() => double.readyConnections === ready && bench.count("reconnected") > 0);
}

/** Time passes until a connection is there again: the first may be told that it cannot go on. */
async function comesBack(back: () => boolean): Promise<void> {
  let pauses = 0;
  await until("another connection", () => {
    if (pauses++ % 10 === 0) void bench.clock.advance(100);
    return back();
  });
}

function acks(): string[] {
  return double
    .messagesOf("playback.ack")
    .map((ack) => `${ack.response_id} ${ack.played_ms}${ack.truncate === true ? " cut" : ""}`);
}

function base64(pcm: Int16Array): string {
  return Buffer.from(pcm.buffer, pcm.byteOffset, pcm.byteLength).toString("base64");
}

/** The error with which something ends. */
async function failure(doing: Promise<unknown>): Promise<DuplexError> {
  const error = await doing.then(
    () => undefined,
    (caught: unknown) => caught,
  );
  if (DuplexError.is(error)) return error;
  throw new Error(`expected a DuplexError, got ${error}`);
}

test("begins with session.update, and keeps the server from opening a session of its own", async () => {
  await talks({}, { instructions: "Be brief.", voice: "v", idleTimeoutS: 60, extraBody: { force_listen_count: 0 } });
  expect(double.urls[0]).toBe("/v1/realtime?duplex=1&autostart=0&model=m");
  expect(double.messages[0]).toMatchObject({
    type: "session.update",
    session: {
      ...{ model: "m", instructions: "Be brief.", idle_timeout_s: 60, playback_commit_policy: "ack_only" },
      audio: { input: { format: { type: "audio/pcm", rate: 16_000 } }, output: { voice: "v" } },
      extra_body: { auto_response: true, force_listen_count: 0 },
    },
  });
  expect(double.violations).toEqual([]);
});

test("resumes with what was not acknowledged, takes no event twice and loses none (scenario 16)", async () => {
  const talk = await talks();
  double.session.replaysDuplicates = true;
  const sound = sawtooth(12 * turnSamples);
  const piece = (turn: number) => sound.subarray(turn * turnSamples, (turn + 1) * turnSamples);
  const reply = double.beginReply();
  for (let turn = 0; turn < 12; turn++) {
    reply.text(`word${turn} `);
    reply.sound(piece(turn));
    if (turn === 4 || turn === 8) {
      double.drop(1006);
      await until("the loss is seen", () => double.openConnections === 0 && double.session.socket === undefined);
      // Told while nobody listens.
      reply.sound(piece(++turn));
      await comesBack(() => double.openConnections === 1 && double.session.socket !== undefined);
    }
    await talk.step();
  }
  reply.end();
  await talk.steps(6);
  expect(double.sessions).toHaveLength(1);
  expect(double.session.generation).toBe(3);
  expect(difference(talk.sound(), sound)).toBe("");
  expect(bench.count("lost")).toBe(0);
  // What was heard is counted from the start of the reply, over all connections.
  expect(acks().at(-1)).toBe(`${[...double.session.responses.keys()][0]} 2400`);
  expect(double.violations).toEqual([]);
});

test("tells once what is lost when the server can replay no more, and begins anew when the line breaks (scenario 16)", async () => {
  const talk = await talks();
  double.overflow();
  await until("the loss is told", () => bench.count("lost") === 1);
  await talk.step();
  await breaks();
  expect(double.sessions).toHaveLength(2);
  expect(bench.count("lost")).toBe(1);
  expect(double.violations).toEqual([]);
});

test.each(["journal gap", "expired", "wrong token"])("begins anew when it cannot go on: %s", async (why) => {
  const talk = await talks({ flatErrors: true });
  await talk.step();
  if (why === "journal gap") double.session.overflowed = true;
  else if (why === "expired") double.session.over = true;
  else double.session.token = "another";
  await breaks();
  expect(double.sessions).toHaveLength(2);
  const lost = bench.notes.filter(({ type }) => type === "lost");
  expect(lost).toHaveLength(1);
  expect(lost[0].what).toContain("the conversation so far");
  const reply = double.beginReply();
  reply.sound(sawtooth(turnSamples));
  reply.end();
  await talk.steps(3);
  expect(talk.sound()).toHaveLength(turnSamples);
});

test("a session that does not outlive its connection begins anew, and says so", async () => {
  const talk = await talks({ model: "personaplex" });
  await talk.step();
  await breaks();
  expect(double.sessions).toHaveLength(2);
  expect(double.messagesOf("session.resume")).toEqual([]);
  expect(bench.notes.filter(({ type }) => type === "lost")).toEqual([
    { type: "lost", what: "the conversation so far" },
  ]);
});

test.each([
  ["replaced", "SESSION_CLOSED", () => double.replace()],
  ["expired", "NETWORK_FAILED", () => double.expire()],
  ["closed by the server", "NETWORK_FAILED", () => double.end("timeout")],
] as const)("ends with one typed error when the session is %s (scenario 16)", async (_what, code, happens) => {
  const talk = await talks();
  await talk.step();
  happens();
  await until("the end is seen", () => double.openConnections === 0);
  const error = await failure(talk.turn());
  expect(error.code).toBe(code);
  expect(error.message.length).toBeGreaterThan(40);
  expect(bench.count("reconnecting")).toBe(0);
});

test("80 ms of the model against micro-turns of 200 ms, for a minute: no drift and no padding (scenario 21)", async () => {
  const talk = await talks({ model: "nemotron" });
  const step = 1920;
  const seconds = 60;
  const sound = sawtooth((seconds * 1000 * step) / 80);
  const response = double.beginResponse();
  const held: number[] = [];
  let steps = 0;
  for (let turn = 0; turn < seconds * 5; turn++) {
    // The model makes a step for every 80 ms that it has heard.
    for (; (steps + 1) * 80 <= (turn + 1) * 200; steps++) {
      double.session.delta(response, base64(sound.subarray(steps * step, (steps + 1) * step)), 80, "");
    }
    await talk.step();
    held.push((steps * step - talk.sound(talk.outputs.length - 1).length) / rate);
  }
  const inTime = talk.sound().length;
  // Held back at the start, and no more at the end: under two steps of the model beside a micro-turn.
  expect((steps * step - inTime) / rate).toBeLessThan(0.36);
  double.session.end(response, "completed");
  await talk.steps(5);
  expect(difference(talk.sound(), sound)).toBe("");
  expect(bench.count("underrun")).toBe(0);
  expect(double.session.inputMs).toBe(talk.outputs.length * 200);
  expect(double.violations).toEqual([]);
});

test("flushes when the model listens in mid-response, and not when it listens idly (scenario 22)", async () => {
  const talk = await talks();
  double.listen();
  await talk.steps(2);
  const response = double.beginResponse();
  double.session.delta(response, base64(sawtooth(5 * turnSamples)), 1000, "one two three four five");
  await talk.steps(2);
  // Decisions of something else, while it speaks.
  double.listen();
  double.listen(undefined, "buffering");
  double.session.emit("response.listen", { response_id: response.id, response: { metadata: { model_listen: false } } });
  await talk.steps(1);
  expect(talk.outputs.filter(({ yielded }) => yielded)).toHaveLength(0);
  expect(talk.outputs.at(-1)?.decision).toBe("speak");
  double.listen(response);
  const from = talk.outputs.length;
  await talk.steps(3);
  expect(talk.outputs.slice(from).map(({ yielded }) => yielded)).toEqual([true, false, false]);
  expect(talk.sound(from)).toHaveLength(0);
  expect(acks().at(-1)).toMatch(/ (400|600) cut$/);
  double.listen();
  await talk.steps(2);
  expect(talk.outputs.filter(({ yielded }) => yielded)).toHaveLength(1);
  expect(double.violations).toEqual([]);
});

test("acknowledges what was heard, rising only, and once for all when a reply is cut (scenario 23)", async () => {
  const talk = await talks({}, { truncates: true });
  const reply = double.beginReply();
  reply.sound(sawtooth(3 * turnSamples));
  reply.end();
  const position = (turnIndex: number, samples: number) => ({ played: { turnIndex, samples } });
  await talk.step();
  await talk.step(position(0, 1200));
  await talk.step(position(0, 1200));
  await talk.step(position(0, 600));
  await talk.step(position(2, 4800));
  await talk.step(position(2, 4800));
  await until("all acks", () => acks().length === 2);
  const [first] = double.session.responses.keys();
  expect(acks()).toEqual([`${first} 50`, `${first} 600`]);
  const second = double.beginReply();
  second.sound(sawtooth(8 * turnSamples));
  await talk.step(position(5, 0));
  await talk.step(position(6, 2411));
  second.cut();
  await talk.step(position(7, 100));
  await talk.step(position(7, 2403));
  await talk.step(position(7, 2403));
  await until("the cut", () => acks().some((ack) => ack.endsWith("cut")));
  const name = [...double.session.responses.keys()].at(-1);
  expect(acks().slice(2)).toEqual([`${name} 100`, `${name} 204`, `${name} 300 cut`]);
  expect(double.violations).toEqual([]);
});

test("passes over that an acknowledgement comes too late", async () => {
  const talk = await talks();
  const reply = double.beginReply();
  reply.sound(sawtooth(turnSamples));
  reply.end();
  double.session.commits++;
  await talk.steps(4);
  await until("it is refused", () => bench.notes.some(({ code }) => code === "playback_ack_too_late"));
  expect((await talk.step()).decision).toBe("listen");
});

test("cancels the response when it must listen, and drops what comes of before (epoch)", async () => {
  const talk = await talks();
  const response = double.beginResponse();
  double.session.delta(response, base64(sawtooth(5 * turnSamples)), 1000, "never mind");
  await talk.steps(2);
  await talk.step({ forceListen: true });
  await until("it is cancelled", () => double.interrupts === 1);
  expect(double.session.epoch).toBe(1);
  expect(response.status).toBe("cancelled");
  // A response of the old epoch that was on its way, and its sound.
  double.session.emit("response.created", { response_id: "old", response: { id: "old", metadata: { epoch: 0 } } });
  const late = {
    response_id: "old",
    item_id: "item_old",
    delta: base64(sawtooth(turnSamples)),
    metadata: { epoch: 0 },
  };
  double.session.emit("response.output_audio.delta", late);
  const from = talk.outputs.length;
  await talk.steps(4);
  expect(talk.sound(from)).toHaveLength(0);
  const next = double.beginReply();
  next.sound(sawtooth(turnSamples));
  next.end();
  await talk.steps(3);
  expect(talk.sound(from)).toHaveLength(turnSamples);
  expect(talk.outputs.filter(({ yielded }) => yielded)).toHaveLength(0);
  expect(double.violations).toEqual([]);
});

test("goes on when there was nothing to cancel any more", async () => {
  const talk = await talks();
  const response = double.beginResponse();
  double.session.delta(response, base64(sawtooth(5 * turnSamples)), 1000, "");
  await talk.steps(2);
  // The end is on its way when the client cancels.
  response.status = "completed";
  await talk.step({ forceListen: true });
  await until("it is refused", () => bench.notes.some(({ code }) => code === "response_not_active"));
  const from = talk.outputs.length;
  const next = double.beginReply();
  next.sound(sawtooth(turnSamples));
  next.end();
  await talk.steps(3);
  expect(talk.sound(from)).toHaveLength(turnSamples);
});

test.each([
  ["minicpm-o", 1000, [1000, 2000]],
  ["all", 200, [200, 400, 600, 800, 1000, 1200, 1400, 1600, 1800, 2000]],
] as const)(
  "an image goes with the sound that closes a unit of %s, the newest of %i ms",
  async (model, _period, at) => {
    const refAudio = "data:audio/wav;base64,UklGRg==";
    const talk = await talks({ model }, { inputs: ["video"], refAudio });
    for (let turn = 0; turn < 10; turn++) {
      const data = new Uint8Array(16 * 16 * 3).fill(20 * turn);
      await talk.step({ images: [{ data, width: 16, height: 16, timeMs: 200 * turn }] });
    }
    expect(double.frames.map(({ atMs }) => atMs)).toEqual(at);
    expect(new Set(double.frames.map((frame) => frame.base64)).size).toBe(at.length);
    expect(double.violations).toEqual([]);
  },
);

test("sends 32-bit numbers at 24 kHz where the model takes those", async () => {
  const talk = await talks({ model: "personaplex" }, { inputFormat: "pcm_f32le" });
  expect(talk.session.capabilities.inputSampleRate).toBe(24_000);
  const pcm = sawtooth(turnSamples);
  await talk.step({ audio: Float32Array.from(pcm, (value) => value / 32768) });
  expect(difference(double.received(), pcm)).toBe("");
  expect(double.violations).toEqual([]);
});

test("gives a sign of life every 30 s, and acknowledges events", async () => {
  const talk = await talks();
  for (let turn = 0; turn < 450; turn++) await (turn % 25 === 0 ? talk.step() : talk.turn());
  await until("three signs", () => double.messagesOf("session.heartbeat").length === 3);
  await until("they are answered", () => double.session.sequence >= 4);
  await bench.taken();
  await talk.turn();
  await until("the answers are acknowledged", () => double.session.acknowledged === double.session.sequence);
  expect(double.violations).toEqual([]);
});

test("places words by the marks of the service", async () => {
  const talk = await talks();
  const response = double.beginResponse();
  double.session.delta(response, base64(sawtooth(5 * turnSamples)), 1000, "one two three four five ");
  double.session.delta(response, base64(sawtooth(5 * turnSamples)), 1000, "six seven");
  double.session.end(response, "completed");
  await talk.steps(12);
  const said = talk.outputs.map(({ text }) => text);
  const first = said.findIndex((text) => text !== "");
  expect(said.slice(first, first + 6)).toEqual(["one two", "three", "four", "five", "", "six"]);
});

test("says what the server says before a session: busy in both shapes, a voice that is missing, a model without video", async () => {
  for (const flatErrors of [true, false]) {
    double = await VllmOmniDouble.start({ flatErrors });
    double.capacity = 0;
    const engine = vllmOmniEngine({ url: double.url });
    const busy = await failure(engine.open());
    expect(busy.code).toBe("SERVER_BUSY");
    expect(busy.message).toContain("duplex_session_capacity_exhausted");
    await double.close();
  }
  double = await VllmOmniDouble.start({ model: "minicpm-o" });
  const voiceless = await failure(vllmOmniEngine({ url: double.url }).open());
  expect(voiceless.code).toBe("UNSUPPORTED");
  expect(voiceless.message).toContain("refAudio");
  await double.close();
  double = await VllmOmniDouble.start({ model: "personaplex" });
  const blind = await failure(vllmOmniEngine({ url: double.url, inputs: ["video"] }).open());
  expect(blind.code).toBe("UNSUPPORTED");
  expect(blind.message).toContain('leave "video" out of inputs');
  const forgets = await failure(vllmOmniEngine({ url: double.url, truncates: true }).open());
  expect(forgets.code).toBe("UNSUPPORTED");
});

test("counts input that the server has no room for, and goes on", async () => {
  const talk = await talks();
  double.refusesInput = 2;
  for (let turn = 0; turn < 4; turn++) await talk.turn();
  await until("both are told", () => bench.count("input-dropped") === 2);
  expect(bench.notes.filter(({ code }) => code === "input_backpressure")).toHaveLength(2);
  const reply = double.beginReply();
  reply.sound(sawtooth(turnSamples));
  reply.end();
  await bench.taken();
  for (let turn = 0; turn < 4; turn++) await talk.turn();
  expect(talk.sound()).toHaveLength(turnSamples);
});

/** Time that runs forty times as fast. */
const fastClock: Clock = {
  now: () => 40 * performance.now(),
  setTimer(callback, atMs) {
    const timer = setTimeout(callback, Math.max(0, atMs / 40 - performance.now()));
    return () => clearTimeout(timer);
  },
};

describe("over a double that answers by itself", () => {
  let parrot: VllmOmniDouble;
  beforeAll(async () => {
    parrot = await VllmOmniDouble.start();
    // It understands how loud the user is.
    parrot.onSound = (pcm) => parrot.hear(`loudness ${pcm.reduce((sum, value) => sum + Math.abs(value), 0)}`);
  });
  afterAll(() => parrot.close());
  describeEngine("vLLM-Omni over its double", () =>
    vllmOmniEngine({ url: parrot.url, inputs: ["video", "text"], clock: fastClock, maxSessions: 3 }),
  );
});
