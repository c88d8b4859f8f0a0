// OpenAI Realtime: the suite of wires over its double, and what is particular to it.

import {
  type ConnectionOptions,
  createRealtimeToken,
  type OpenAIRealtimeOptions,
  openaiRealtimeEngine,
} from "@microturn/backend-remote";
import { type Clock, DuplexSession } from "@microturn/core";
import { afterAll, afterEach, beforeAll, describe, expect, test } from "vitest";
import { describeEngine } from "../engine-suite.js";
import { type ClientEvent, OpenAIRealtimeDouble } from "./openai-realtime-double.js";
import type { DoubleReply, ServiceDouble, WireUnderTest } from "./service-double.js";
import { difference, sawtooth, until, WireBench, type WireSession } from "./wire-session.js";
import { describeWire } from "./wire-suite.js";

const secret = "sk-right-and-secret";

const wire: WireUnderTest = {
  name: "OpenAI Realtime",
  secret,
  double: () => OpenAIRealtimeDouble.start({ key: secret }),
  engine: (double, options) => openaiRealtimeEngine({ apiKey: secret, baseUrl: `${double.url}/v1`, ...options }),
  unknown: [
    '{"type":"response.telepathy.delta","delta":"ommm"}',
    '{"type":"output_audio_buffer.started","response_id":"resp_x"}',
    '{"event_id":"e","type":"mcp_list_tools.in_progress","item_id":"x"}',
    '{"type":"input_audio_buffer.dtmf_event_received","event":"5","received_at":1}',
  ],
  broken: [
    '{"type":"error"}',
    '{"type":"error","error":17}',
    '{"type":"error","error":{"code":{},"message":[1]}}',
    '{"type":"response.created"}',
    '{"type":"response.created","response":{"id":17}}',
    '{"type":"response.done","response":{"id":"never seen","status":"completed","output":7}}',
    '{"type":"response.done","response":{"id":"r","status":"failed","status_details":{"error":"no"}}}',
    '{"type":"response.output_audio.delta","response_id":"r","item_id":"i","delta":17}',
    '{"type":"response.output_audio.delta","response_id":"r","item_id":"i","delta":"ßß"}',
    '{"type":"response.output_audio.delta","delta":"AAAA"}',
    `{"type":"response.output_audio.delta","response_id":"r","item_id":"i","delta":"${"A".repeat(5_000_000)}"}`,
    '{"type":"response.output_audio_transcript.delta","response_id":"r","item_id":"i","delta":{}}',
    '{"type":"response.output_item.done","item":{"type":"function_call","name":"x","arguments":"{"}}',
    '{"type":"response.output_item.done","item":null}',
    '{"type":"input_audio_buffer.committed"}',
    '{"type":"conversation.item.added","item":[]}',
    '{"type":"conversation.item.input_audio_transcription.completed","item_id":"i","transcript":5}',
    '{"type":"session.updated","session":null}',
  ],
  fatalCloses: [
    { code: 1008, error: "ACCESS_DENIED" },
    { code: 3000, reason: "invalid_request_error.invalid_api_key", error: "ACCESS_DENIED" },
    { code: 1007, error: "PROTOCOL_VIOLATION" },
  ],
};

/** Time that runs forty times as fast. */
const fastClock: Clock = {
  now: () => 40 * performance.now(),
  setTimer(callback, atMs) {
    const timer = setTimeout(callback, Math.max(0, atMs / 40 - performance.now()));
    return () => clearTimeout(timer);
  },
};
describeWire(wire);

test("a DuplexSession talks, is interrupted, delegates and delivers over OpenAI Realtime", async () => {
  const double = await OpenAIRealtimeDouble.start({ key: secret });
  const engine = openaiRealtimeEngine({ apiKey: secret, baseUrl: `${double.url}/v1`, clock: fastClock });
  const session = await DuplexSession.open({ engine, clock: fastClock, sampleRate: 16_000 });
  try {
    const told: string[] = [];
    let said = "";
    let last = { turnIndex: -1, fence: 0 };
    session.on("text-delta", ({ text }) => {
      said = `${said} ${text}`.trim();
    });
    session.on("heard-delta", ({ text }) => void told.push(`heard ${text}`));
    session.on("flush", () => void told.push("flush"));
    // A player that is as far as it can be.
    session.on("speech", (_, { turnIndex, fence }) => {
      last = { turnIndex, fence };
      session.played({ turnIndex, samples: 4800, fence });
    });
    session.on("delegation", ({ id, task }) => {
      void session.deliver(`done: ${task}`, "now", id === undefined ? {} : { delegation: id });
    });
    let talking = true;
    const microphone = (async () => {
      while (talking) await session.writeAudio(new Float32Array(3200).fill(0.1));
    })();
    await until("sound of the user", () => double.receivedSamples > 24_000);
    double.hear("how is the weather?");
    const reply = double.beginReply();
    reply.text("It rains in Rome, and it will go on raining until the evening comes.");
    reply.sound(sawtooth(96_000));
    await until("words", () => said.split(" ").length > 3);
    const before = last.turnIndex;
    reply.cut();
    const [cut] = await (async () => {
      await until("the cut", () => double.eventsOf("conversation.item.truncate").length === 1);
      return double.eventsOf("conversation.item.truncate");
    })();
    expect(cut.audio_end_ms).toBeGreaterThanOrEqual(200);
    expect(cut.audio_end_ms).toBeLessThanOrEqual(4000);
    expect(before).toBeGreaterThan(0);
    expect(told.join(" ").replaceAll(" heard ", " ")).toBe("heard how is the weather? flush");
    expect(said).not.toContain("evening comes");
    double.call([{ name: "delegate", arguments: { task: "look it up" } }]);
    await until("the result", () => double.answers.length === 1);
    expect(double.answers[0].result).toBe("done: look it up");
    await until("its answer", () => double.eventsOf("response.create").length === 1);
    session.sendText("and tomorrow?");
    await until("the text", () => double.receivedTexts.includes("and tomorrow?"));
    talking = false;
    await microphone;
    expect(double.violations).toEqual([]);
  } finally {
    await session.close();
    await engine.close();
    await double.close();
  }
});

let parrot: OpenAIRealtimeDouble;
describe("OpenAI Realtime as an engine", () => {
  beforeAll(async () => {
    parrot = await OpenAIRealtimeDouble.start({ key: secret });
    // It understands how loud the user is.
    parrot.onSound = (pcm) => parrot.hear(`loudness ${pcm.reduce((sum, value) => sum + Math.abs(value), 0)}`);
  });
  afterAll(() => parrot.close());
  describeEngine("OpenAI Realtime over its double", () =>
    openaiRealtimeEngine({ apiKey: secret, baseUrl: `${parrot.url}/v1`, clock: fastClock, maxSessions: 3 }),
  );
});

describe("OpenAI Realtime, in particular", () => {
  let double: OpenAIRealtimeDouble;
  let bench: WireBench;
  let talk: WireSession;

  async function open(options: Partial<OpenAIRealtimeOptions> = {}, spelling: "ga" | "beta" = "ga"): Promise<void> {
    double = await OpenAIRealtimeDouble.start({ key: secret, spelling });
    const engine = (one: ServiceDouble, rest: ConnectionOptions) =>
      openaiRealtimeEngine({ apiKey: secret, baseUrl: `${one.url}/v1`, spelling, ...rest, ...options });
    bench = new WireBench({ ...wire, engine }, double);
    talk = await bench.open();
  }

  /** A reply of so many micro-turns, some of which are said. */
  async function speaking(turns: number, said: number): Promise<DoubleReply> {
    const reply = double.beginReply();
    reply.sound(sawtooth(turns * 4800));
    for (let i = 0; i < said; i++) await talk.step();
    return reply;
  }

  async function sent(type: string, count = 1): Promise<ClientEvent[]> {
    await until(`${count} x ${type}`, () => double.eventsOf(type).length >= count);
    return double.eventsOf(type);
  }

  afterEach(async () => {
    await bench?.engine.close();
    await double?.close();
  });

  test("sends its settings after session.created, and as the service spells them", async () => {
    await open({
      instructions: "Be brief.",
      voice: "cedar",
      turnDetection: { type: "semantic_vad", eagerness: "high" },
      session: { reasoning: { effort: "low" }, audio: { input: { noise_reduction: { type: "near_field" } } } },
    });
    expect(double.session).toMatchObject({
      ...{ instructions: "Be brief.", output_modalities: ["audio"], reasoning: { effort: "low" } },
      audio: {
        input: {
          format: { type: "audio/pcm", rate: 24_000 },
          turn_detection: { type: "semantic_vad", eagerness: "high" },
          transcription: { model: "gpt-live-transcribe" },
          noise_reduction: { type: "near_field" },
        },
        output: { voice: "cedar" },
      },
    });
    expect(double.events[0].type).toBe("session.update");
    expect(double.session.tools).toMatchObject([{ type: "function", name: "delegate" }]);
    expect(double.violations).toEqual([]);
  });

  test("opens with UNSUPPORTED for settings that the service refuses, and names them", async () => {
    await expect(open({ session: { temperature: 1 } })).rejects.toMatchObject({
      code: "UNSUPPORTED",
      message: expect.stringContaining("session.temperature"),
    });
    await expect(open({ session: { audio: { output: { format: { type: "audio/pcmu" } } } } })).rejects.toMatchObject({
      code: "UNSUPPORTED",
      message: expect.stringContaining("audio/pcmu"),
    });
  });

  test("tells transcripts in the order of what was said, also after the reply has ended (scenario 6)", async () => {
    await open();
    double.speechStarted();
    const first = double.commit();
    const reply = await speaking(2, 1);
    reply.end();
    double.speechStarted();
    const second = double.commit();
    double.transcribe(second, "and the second?");
    await talk.steps(3);
    expect(talk.heard()).toBe("");
    double.transcribe(first, "the first");
    await talk.steps(3);
    expect(talk.heard()).toBe("the first and the second?");
  });

  test("cuts a reply where it stopped being heard: 430 of 430.6 ms (scenario 7)", async () => {
    await open();
    const reply = await speaking(10, 3);
    reply.cut(sawtooth(4800, 3));
    const cut = await talk.step();
    expect(cut.yielded).toBe(true);
    expect(double.eventsOf("conversation.item.truncate")).toHaveLength(0);
    // 400 ms and 30.6 ms of the third micro-turn.
    await talk.step({ played: { turnIndex: 2, samples: 734 } });
    const [truncate] = await sent("conversation.item.truncate");
    expect(truncate).toMatchObject({ content_index: 0, audio_end_ms: 430 });
    await talk.steps(4);
    expect(talk.sound(3).length).toBe(0);
    expect(double.eventsOf("response.cancel"), "the service has ended it").toHaveLength(0);
    expect(double.eventsOf("conversation.item.truncate")).toHaveLength(1);
    expect(double.violations).toEqual([]);
  });

  test("cuts a reply that the service has sent to its end, too", async () => {
    await open();
    const reply = await speaking(10, 3);
    reply.end();
    reply.cut();
    await talk.step();
    await talk.step({ played: { turnIndex: 1, samples: 4800 } });
    expect((await sent("conversation.item.truncate"))[0]).toMatchObject({ audio_end_ms: 400 });
    expect(double.violations).toEqual([]);
  });

  test("never cuts more than there is", async () => {
    await open();
    const reply = await speaking(1, 0);
    reply.sound(sawtooth(100));
    await talk.step();
    reply.cut();
    await talk.steps(2);
    expect((await sent("conversation.item.truncate"))[0].audio_end_ms).toBe(200);
    expect(double.violations).toEqual([]);
  });

  test("deletes a reply of which nothing was heard (scenario 8)", async () => {
    await open();
    const reply = await speaking(10, 1);
    reply.cut();
    await talk.step();
    await talk.step({ played: { turnIndex: 0, samples: 0 } });
    await sent("conversation.item.delete");
    expect(double.eventsOf("conversation.item.truncate")).toHaveLength(0);
    expect(double.violations).toEqual([]);
  });

  test("cancels a response that has no name yet as soon as it has one (scenario 9)", async () => {
    await open();
    double.holdsCreated = true;
    await talk.step({ text: [{ source: "user", text: "tell me a story" }] });
    await sent("response.create");
    await talk.step({ forceListen: true });
    expect(double.eventsOf("response.cancel")).toHaveLength(0);
    double.releaseCreated();
    const [cancel] = await sent("response.cancel");
    expect(cancel.response_id).toMatch(/^resp_/);
    await talk.steps(2);
    expect(double.eventsOf("response.create")).toHaveLength(1);
    expect(double.violations).toEqual([]);
  });

  test("cancels a response that the service was about to begin by itself", async () => {
    await open();
    double.speechStarted();
    double.commit();
    await talk.step({ forceListen: true });
    const reply = double.beginReply();
    reply.sound(sawtooth(9600));
    await sent("response.cancel");
    await talk.steps(3);
    expect(talk.sound().length).toBe(0);
  });

  test("asks for one response after the last of several results, whatever their order (scenario 11)", async () => {
    await open({ tools: [{ name: "weather" }, { name: "time" }] });
    const [first, second] = double.call([
      { name: "weather", arguments: { city: "Rome" } },
      { name: "time", arguments: {} },
    ]);
    await talk.steps(3);
    const answer = (delegation: string, text: string) =>
      ({ text: [{ source: "background", text, delegation }] }) as const;
    await talk.step(answer(second, "noon"));
    await talk.step();
    expect(double.eventsOf("response.create")).toHaveLength(0);
    await talk.step(answer(first, "rain"));
    await sent("response.create");
    await talk.steps(2);
    expect(double.eventsOf("response.create")).toHaveLength(1);
    const order = double.events.map(({ type }) => type).filter((type) => type !== "session.update");
    expect(order).toEqual(["conversation.item.create", "conversation.item.create", "response.create"]);
    expect(double.answers).toEqual([
      { id: second, result: "noon" },
      { id: first, result: "rain" },
    ]);
  });

  test("passes silent results on without a response, and takes the task of delegate as it is", async () => {
    await open();
    double.call([{ name: "delegate", arguments: { task: "look up the opening hours" } }]);
    await talk.stepUntil("the call", () => talk.outputs.some((output) => output.delegation));
    expect(talk.outputs.at(-1)?.delegation).toMatchObject({ task: "look up the opening hours", name: "delegate" });
    await talk.step({ text: [{ source: "background", text: "open until five", silent: true }] });
    await sent("conversation.item.create");
    await talk.steps(2);
    expect(double.eventsOf("response.create")).toHaveLength(0);
    // What answers no call is told by the application itself.
    await talk.step({ text: [{ source: "background", text: "the door bell rang", delegation: "gone" }] });
    await sent("response.create");
    expect(double.eventsOf("conversation.item.create")[1].item).toMatchObject({ type: "message", role: "system" });
  });

  test("drops the calls of a response that was cut", async () => {
    await open();
    const reply = await speaking(4, 1);
    reply.cut();
    await talk.steps(3);
    expect(talk.outputs.some((output) => output.delegation)).toBe(false);
  });

  test("asks for a response only when none is under way, and cuts the reply when the user types", async () => {
    await open();
    const reply = await speaking(10, 2);
    const typed = await talk.step({ text: [{ source: "user", text: "stop, what time is it?" }] });
    expect(typed.decision).toBe("listen");
    await sent("response.create");
    const types = double.events.map(({ type }) => type).slice(1);
    expect(types.slice(0, 3)).toEqual(["response.cancel", "conversation.item.create", "response.create"]);
    reply.end();
    await talk.step();
    expect((await sent("conversation.item.truncate"))[0].audio_end_ms).toBe(400);
    const answer = double.beginReply();
    answer.sound(sawtooth(4800, 5));
    answer.end();
    const from = talk.outputs.length;
    await talk.steps(3);
    expect(talk.sound(from).length).toBe(4800);
    expect(double.violations).toEqual([]);
  });

  test("asks again for what a response under way does not answer", async () => {
    await open();
    const reply = double.beginReply();
    reply.sound(sawtooth(4800));
    await talk.step({ text: [{ source: "background", text: "the parcel is here" }] });
    expect(double.eventsOf("response.create")).toHaveLength(0);
    reply.end();
    await talk.step();
    await sent("response.create");
    expect(double.violations).toEqual([]);
  });

  test("passes over races, and tells them (rows 1 to 6 of the table of errors)", async () => {
    await open();
    double.error("response_cancel_not_active", "Cancellation failed: no active response found");
    double.error("input_audio_buffer_commit_empty", "Error committing input audio buffer: buffer too small.");
    double.error("", "Audio content of 13600ms is already shorter than 55960ms");
    double.error("conversation_already_has_active_response", "Conversation already has an active response");
    double.beginReply();
    double.fail("rate_limit_exceeded", `Rate limit reached for ${secret}`);
    await talk.step();
    expect(bench.count("swallowed")).toBe(5);
    expect(JSON.stringify(bench.notes)).not.toContain(secret);
    const reply = await speaking(2, 1);
    reply.end();
    expect(talk.sound().length).toBeGreaterThan(0);
  });

  test.each([
    ["invalid_api_key", "ACCESS_DENIED"],
    ["account_deactivated", "ACCESS_DENIED"],
    ["insufficient_quota", "SERVER_BUSY"],
    ["billing_hard_limit_reached", "SERVER_BUSY"],
  ])("ends with one typed error when the account cannot go on: %s", async (code, expected) => {
    await open();
    double.error(code, `You cannot use ${secret}`);
    await until("the end", () => double.openConnections === 0);
    const error = await talk.turn().catch((caught) => caught);
    expect(error).toMatchObject({ code: expected });
    expect(error.message).not.toContain(secret);
  });

  test("goes on in words when an hour is over (scenario 17)", async () => {
    await open();
    double.hear("my name is Ada");
    const reply = double.beginReply();
    reply.text("Hello Ada, nice to meet you, how are you today?");
    reply.sound(sawtooth(9600));
    reply.end();
    await talk.steps(3);
    await talk.step({ text: [{ source: "background", text: "it is raining", silent: true }] });
    const cut = double.beginReply();
    cut.text("this is only half heard by the user");
    cut.sound(sawtooth(9600));
    await talk.steps(2);
    cut.cut();
    await talk.step();
    await talk.step({ played: { turnIndex: talk.outputs.length - 2, samples: 0 } });
    double.error("session_expired", "Your session hit the maximum duration of 60 minutes.");
    double.drop(1001);
    await until("the loss is seen", () => bench.count("reconnecting") > 0);
    const before = double.events.length;
    await bench.clock.advance(1);
    await until("another connection", () => bench.count("reconnected") === 1);
    await talk.step();
    const items = double.events.slice(before).filter(({ type }) => type === "conversation.item.create");
    expect(items.map(({ item }) => item)).toMatchObject([
      { role: "user", content: [{ type: "input_text", text: "my name is Ada" }] },
      {
        role: "assistant",
        content: [{ type: "output_text", text: "Hello Ada, nice to meet you, how are you today?" }],
      },
      { role: "system", content: [{ type: "input_text", text: "it is raining" }] },
      { role: "assistant", content: [{ type: "output_text", text: expect.stringMatching(/^this is .*…$/) }] },
    ]);
    expect(bench.notes.filter(({ type }) => type === "lost")).toHaveLength(1);
    expect(double.eventsOf("response.create")).toHaveLength(0);
    expect(double.violations).toEqual([]);
  });

  test("sends stills now and then, and keeps the last few in the conversation", async () => {
    await open({ imageIntervalMs: 400, maxImages: 2 });
    const image = { data: new Uint8Array(40 * 40 * 3).fill(90), width: 40, height: 40, timeMs: 0 };
    for (let turn = 0; turn < 8; turn++) await talk.step({ images: [image, image] });
    const items = await sent("conversation.item.create", 4);
    expect(items).toHaveLength(4);
    expect(items[0].item).toMatchObject({
      ...{ type: "message", role: "user" },
      content: [{ type: "input_image", detail: "low", image_url: expect.stringMatching(/^data:image\/jpeg;base64,/) }],
    });
    const deleted = await sent("conversation.item.delete", 2);
    expect(deleted.map(({ item_id }) => item_id)).toEqual(
      items.slice(0, 2).map(({ item }) => (item as { id: string }).id),
    );
    expect(double.eventsOf("response.create")).toHaveLength(0);
    expect(double.violations).toEqual([]);
  });

  test("without voice activity detection, replies when it is asked by a blank text", async () => {
    await open({ turnDetection: { type: "none" } });
    expect((double.session.audio as { input: { turn_detection: unknown } }).input.turn_detection).toBe(null);
    await talk.steps(3);
    await talk.step({ text: [{ source: "user", text: " " }] });
    await sent("response.create");
    expect(double.events.map(({ type }) => type).slice(1)).toEqual(["input_audio_buffer.commit", "response.create"]);
    expect(double.receivedTexts).toEqual([]);
    expect(double.violations).toEqual([]);
  });

  test("does not stop a reply when speech is not to interrupt it", async () => {
    await open({ turnDetection: { type: "server_vad", interruptResponse: false } });
    const reply = await speaking(3, 1);
    double.speechStarted();
    reply.end();
    await talk.steps(4);
    expect(talk.sound().length).toBe(3 * 4800);
    expect(talk.outputs.some(({ yielded }) => yielded)).toBe(false);
  });

  test("speaks the spelling of before", async () => {
    await open({ voice: "alloy" }, "beta");
    expect(double.session).toMatchObject({
      voice: "alloy",
      input_audio_format: "pcm16",
      modalities: ["audio", "text"],
    });
    const reply = double.beginReply();
    reply.text("hello again");
    reply.sound(sawtooth(9600));
    reply.end();
    await talk.steps(4);
    expect(difference(talk.sound(), sawtooth(9600))).toBe("");
    expect(talk.text()).toBe("hello again");
    double.hear("old but good");
    await talk.steps(3);
    expect(talk.heard()).toBe("old but good");
    double.drop(1006);
    await until("the loss is seen", () => bench.count("reconnecting") > 0);
    await bench.clock.advance(1);
    await until("another connection", () => bench.count("reconnected") === 1);
    await talk.step();
    expect(double.receivedTexts).toEqual(["hello again", "old but good"]);
    expect(double.violations).toEqual([]);
  });

  test("connects with a short-lived key as a sub-protocol, a fresh one for each connection", async () => {
    double = await OpenAIRealtimeDouble.start({ key: secret });
    const baseUrl = `http://127.0.0.1:${double.port}/v1`;
    let made = 0;
    const token = async () => {
      made++;
      return (await createRealtimeToken({ apiKey: secret, baseUrl, session: { type: "realtime" } })).value;
    };
    const engine = (one: ServiceDouble, rest: ConnectionOptions) =>
      openaiRealtimeEngine({ token, baseUrl: `${one.url}/v1`, ...rest });
    bench = new WireBench({ ...wire, engine }, double);
    talk = await bench.open();
    await talk.step();
    double.drop(1006);
    await until("the loss is seen", () => bench.count("reconnecting") > 0);
    await bench.clock.advance(1);
    await until("another connection", () => bench.count("reconnected") === 1);
    expect(made).toBe(2);
    expect(double.tokenRequests[0]).toEqual({
      expires_after: { anchor: "created_at", seconds: 60 },
      session: { type: "realtime" },
    });
  });

  test("makes short-lived keys, or tells why not", async () => {
    double = await OpenAIRealtimeDouble.start({ key: secret });
    const baseUrl = `http://127.0.0.1:${double.port}/v1`;
    const made = await createRealtimeToken({ apiKey: secret, baseUrl, expiresAfterS: 10 });
    expect(made.value).toMatch(/^ek_/);
    expect(made.expiresAtMs).toBeGreaterThan(1_700_000_000_000);
    for (const [refusal, code] of [
      ["unauthorized", "ACCESS_DENIED"],
      ["forbidden", "ACCESS_DENIED"],
      ["busy", "SERVER_BUSY"],
    ] as const) {
      double.refuse(refusal);
      const error = await createRealtimeToken({ apiKey: secret, baseUrl }).catch((caught) => caught);
      expect(error.code).toBe(code);
      expect(error.message).not.toContain(secret);
      if (refusal === "busy") expect(error.details.retryAfterMs).toBe(2000);
    }
    await expect(createRealtimeToken({ apiKey: secret, baseUrl: `${baseUrl}/wrong` })).rejects.toMatchObject({
      code: "UNSUPPORTED",
    });
    await expect(createRealtimeToken({ apiKey: secret, baseUrl, signal: AbortSignal.abort() })).rejects.toMatchObject({
      code: "ABORTED",
    });
    await expect(createRealtimeToken({ apiKey: secret, expiresAfterS: 9 })).rejects.toThrow(RangeError);
  });
});
