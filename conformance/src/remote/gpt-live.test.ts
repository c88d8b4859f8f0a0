// OpenAI GPT-Live: the suite of wires, the scenarios of its own, and the double itself, which the vendor's client talks to.

import { type GptLiveOptions, gptLiveEngine } from "@microturn/backend-remote";
import { type DelegationEvent, DuplexSession } from "@microturn/core";
import { FakeClock } from "@microturn/core/testing";
import type { ClientEvent, SessionStartEvent } from "openai/resources/live/live";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { type GptLiveDouble, gptLiveKey, startGptLiveDouble } from "./gpt-live-double.js";
import type { WireUnderTest } from "./service-double.js";
import { difference, sawtooth, until, WireBench, type WireSession } from "./wire-session.js";
import { describeWire } from "./wire-suite.js";

const responses = { type: "responses", responses: { model: "gpt-5.5", tools: [] } } as const;

function wireOf(options: Partial<GptLiveOptions> = {}): WireUnderTest & { double: typeof startGptLiveDouble } {
  return {
    name: "OpenAI GPT-Live",
    secret: gptLiveKey,
    double: () => startGptLiveDouble({ tools: options.delegation?.type === "responses" }),
    engine: (double, connection) =>
      gptLiveEngine({ apiKey: gptLiveKey, baseUrl: `${double.url}/v1`, ...options, ...connection }),
    unknown: [
      '{"type":"session.something.new","x":1}',
      '{"type":"info","event_id":"e","code":"notice","message":"hello"}',
      '{"type":"transport.ringing","event_id":"e","session_id":"s"}',
      Uint8Array.of(1, 2, 3),
    ],
    broken: [
      ...['{"type":"session.output_audio.delta"}', '{"type":"session.output_audio.delta","delta":"***"}'],
      ...['{"type":"session.output_audio.delta","delta":7}', '{"type":"session.output_transcript.delta","delta":null}'],
      '{"type":"session.output_transcript.delta","delta":"x","start_ms":1e999,"end_ms":"soon"}',
      ...['{"type":"session.input_transcript.delta","delta":{}}', '{"type":"session.delegation.created"}'],
      '{"type":"session.delegation.created","delegation":{"id":7,"target":"client"}}',
      ...[
        '{"type":"response.event"}',
        '{"type":"response.event","event":[]}',
        '{"type":"error"}',
        '{"type":"error","error":[]}',
      ],
      '{"type":"response.event","event":{"type":"response.output_item.done","item":{"type":"function_call","call_id":""}}}',
      ...['{"type":"session.started","session":{"audio":{"format":{"type":"audio/pcmu","rate":8000}}}}'],
    ],
    fatalCloses: [
      { code: 1008, reason: "policy", error: "ACCESS_DENIED" },
      { code: 1007, error: "PROTOCOL_VIOLATION" },
      { code: 1009, reason: "too big", error: "PROTOCOL_VIOLATION" },
    ],
  };
}

describe("client", () => describeWire(wireOf()));
describe("responses", () => describeWire(wireOf({ delegation: responses })));

describe("what is particular to GPT-Live", () => {
  let double: GptLiveDouble;
  beforeEach(async () => {
    double = await startGptLiveDouble();
  });
  afterEach(() => double.close());

  async function open(options: Partial<GptLiveOptions> = {}): Promise<{ bench: WireBench; talk: WireSession }> {
    const bench = new WireBench(wireOf(options), double);
    return { bench, talk: await bench.open() };
  }

  test("starts with the options that were given and nothing else, and every message is one of the vendor's types", async () => {
    const { talk } = await open({
      ...{ instructions: "Be kind.", voice: "cedar", sampleRate: 16_000, store: true, safetyIdentifier: "user 7" },
      delegation: { type: "client", acknowledgementDelayMs: 300 },
      history: [
        { role: "developer", text: "The user is in Rome." },
        { role: "assistant", text: "Hello!" },
      ],
    });
    await talk.step({ text: [{ source: "background", text: "It rains.", silent: true }] });
    await talk.session.close();
    expect(double.violations).toEqual([]);
    expect(double.messages).toEqual([
      {
        type: "session.start",
        event_id: "mt_0",
        session: {
          ...{ model: "gpt-live-1", instructions: "Be kind.", store: true, safety_identifier: "user 7" },
          audio: { format: { type: "audio/pcm", rate: 16_000 }, output: { voice: "cedar" } },
          delegation: { type: "client", acknowledgement_delay_ms: 300 },
          input: [
            {
              type: "message",
              role: "developer",
              content: [{ type: "input_text", text: "The user is in Rome." }],
            },
            { type: "message", role: "assistant", content: [{ type: "output_text", text: "Hello!" }] },
          ],
        },
      },
      { type: "session.thinking.append", event_id: "mt_2", delegation_id: null, content: "It rains." },
      { type: "session.close", event_id: "mt_3" },
    ] satisfies ClientEvent[]);
  });

  test("tells a reply from silence by its energy: where it begins, and that it is over", async () => {
    const { bench, talk } = await open();
    await talk.steps(5);
    expect(talk.outputs.every(({ decision }) => decision === "listen")).toBe(true);
    const sound = sawtooth(3 * 4800);
    const reply = double.beginReply();
    for (let turn = 0; turn < 3; turn++) {
      reply.sound(sound.subarray(turn * 4800, (turn + 1) * 4800));
      await talk.step();
    }
    reply.end();
    await talk.steps(10);
    const said = talk.outputs.map(({ decision }) => (decision === "speak" ? "s" : "l")).join("");
    // A pause of 800 ms ends it.
    expect(said).toMatch(/^l{5,8}s{6,9}l+$/);
    expect(difference(talk.sound(), sound)).toBe("");
    expect(bench.count("underrun")).toBe(0);
  });

  test("keeps a pause within a reply as long as it was", async () => {
    const { talk } = await open();
    const [one, two] = [sawtooth(4800, 1), sawtooth(4800, 2)];
    const reply = double.beginReply();
    for (const pcm of [one, new Int16Array(4800), new Int16Array(4800), two]) {
      reply.sound(pcm);
      await talk.step();
    }
    reply.end();
    await talk.steps(10);
    const all = talk.outputs.flatMap(({ speech }) => [...speech]);
    const first = all.findIndex((value) => value !== 0);
    const second = all.findIndex((value, i) => i >= first + 4800 && value !== 0);
    expect(second - first).toBe(3 * 4800);
  });

  test("says words when they are said, by their times", async () => {
    const { talk } = await open();
    const reply = double.beginReply();
    // A piece of four letters takes 120 ms, so these are 1.2 s of words.
    for (let i = 0; i < 10; i++) reply.text(` w${i}ab`.slice(0, 4));
    for (let turn = 0; turn < 8; turn++) {
      reply.sound(sawtooth(4800, turn));
      await talk.step();
    }
    reply.end();
    await talk.steps(8);
    expect(talk.text()).toBe("w0a w1a w2a w3a w4a w5a w6a w7a w8a w9a");
    expect(talk.outputs.filter(({ text }) => text !== "").length).toBeGreaterThanOrEqual(6);
  });

  test("plays little from its buffer: of a burst, the newest second", async () => {
    const { bench, talk } = await open();
    const reply = double.beginReply();
    reply.sound(sawtooth(5 * 24_000));
    await talk.step();
    const dropped = bench.notes.flatMap((note) => (note.type === "output-dropped" ? [Number(note.samples)] : []));
    expect(dropped.reduce((sum, one) => sum + one, 0)).toBe(4 * 24_000);
    reply.end();
    await talk.steps(12);
    expect(difference(talk.sound(), sawtooth(5 * 24_000).subarray(4 * 24_000))).toBe("");
  });

  test("drops a reply that is silenced until it pauses, and plays the next", async () => {
    const { talk } = await open();
    const reply = double.beginReply();
    const speak = async (turns: number, text: string) => {
      for (let turn = 0; turn < turns; turn++) {
        reply.text(text);
        reply.sound(sawtooth(4800));
        await talk.step();
      }
    };
    await speak(4, "old ");
    expect(talk.outputs.at(-1)?.decision).toBe("speak");
    const from = talk.outputs.length;
    reply.sound(sawtooth(4800));
    await talk.step({ forceListen: true });
    await speak(6, "silenced ");
    reply.end();
    await talk.steps(4);
    expect(talk.sound(from)).toHaveLength(0);
    expect(talk.text(from)).not.toContain("silenced");
    const next = double.beginReply();
    next.text("new");
    next.sound(sawtooth(4800));
    await talk.step();
    next.end();
    await talk.steps(6);
    expect(talk.sound(from)).toHaveLength(4800);
    expect(talk.text(from)).toBe("new");
  });

  test("hands over the user's last words, those that come a little late included", async () => {
    const { talk } = await open();
    await talk.step();
    double.hear("what is the weather ");
    const id = double.delegate();
    await talk.step();
    double.hear("in Rome?");
    await talk.stepUntil("it is handed over", () => talk.outputs.some(({ delegation }) => delegation !== undefined), 8);
    expect(talk.outputs.flatMap(({ delegation }) => delegation ?? [])).toEqual([
      { id, task: "what is the weather in Rome?" },
    ]);
  });

  test("matches results to delegations that overlap while the user talks on; a stale one goes silent (scenario 14)", async () => {
    const { talk } = await open({ staleAfterMs: 4000 });
    await talk.step();
    double.hear("the weather, please");
    const weather = double.delegate();
    await talk.steps(3);
    double.hear(" and the time");
    const time = double.delegate();
    await talk.steps(6);
    const asked = talk.outputs.flatMap(({ delegation }) => delegation ?? []);
    expect(asked.map(({ id }) => id)).toEqual([weather, time]);
    await talk.step({ text: [{ source: "background", text: "It is noon.", delegation: time }] });
    for (let i = 0; i < 20; i++) {
      double.hear(" never mind");
      await talk.step();
    }
    await talk.step({ text: [{ source: "background", text: "It rains.", delegation: weather }] });
    await talk.step();
    expect(double.messages.slice(1)).toMatchObject([
      { type: "session.commentary.append", delegation_id: time, content: "It is noon." },
      { type: "session.thinking.append", delegation_id: weather, content: "It rains." },
    ]);
    expect(double.violations).toEqual([]);
  });

  test("splits a long result into pieces that the service takes", async () => {
    const { talk } = await open();
    const id = double.delegate();
    const result = Array.from({ length: 600 }, (_, i) => `Sentence number ${i} is here.`).join(" ");
    await talk.stepUntil("it is handed over", () => talk.outputs.some(({ delegation }) => delegation !== undefined), 8);
    await talk.step({ text: [{ source: "background", text: result, delegation: id }] });
    await talk.step();
    expect(double.violations).toEqual([]);
    expect(double.answers.length).toBeGreaterThan(8);
    expect(double.answers.map((answer) => answer.result).join(" ")).toBe(result);
    expect(double.answers.every((answer) => answer.result.endsWith("."))).toBe(true);
  });

  test("answers all calls before it goes on, once, also of two responses at once (scenario 11)", async () => {
    const { talk } = await open({ delegation: responses });
    const first = double.beginResponse();
    const second = double.beginResponse();
    const ids = [first.call({ name: "a", arguments: { x: 1 } }), second.call({ name: "b", arguments: {} })];
    ids.push(first.call({ name: "c", arguments: {} }));
    await talk.steps(3);
    expect(
      talk.outputs.some(({ delegation }) => delegation !== undefined),
      "before they are complete",
    ).toBe(false);
    first.end("response.completed");
    second.end("response.completed");
    await talk.steps(4);
    const asked = talk.outputs.flatMap(({ delegation }) => delegation ?? []);
    expect(asked.map(({ id }) => id)).toEqual([ids[0], ids[2], ids[1]]);
    expect(asked[0]).toMatchObject({ name: "a", arguments: { x: 1 } });
    for (const { id = "" } of asked.toReversed()) {
      await talk.step({ text: [{ source: "background", text: `result of ${id}`, delegation: id }] });
    }
    // More for a call that has its output is told to the model.
    await talk.step({ text: [{ source: "background", text: "more", delegation: ids[0] }] });
    await talk.step();
    expect(double.violations).toEqual([]);
    expect(double.messages.slice(1).map(({ type }) => type)).toEqual([
      ...["response.item.create", "response.item.create", "response.item.create", "response.create"],
      "session.commentary.append",
    ]);
  });

  test("does not hand over the calls of a response that fails", async () => {
    const { bench, talk } = await open({ delegation: responses });
    const failing = double.beginResponse();
    failing.call({ name: "buy", arguments: {} });
    failing.end("response.failed");
    const incomplete = double.beginResponse();
    incomplete.call({ name: "sell", arguments: {} });
    incomplete.end("response.incomplete");
    const [id] = double.call([{ name: "look", arguments: {} }]);
    await talk.steps(4);
    expect(talk.outputs.flatMap(({ delegation }) => delegation ?? []).map(({ name }) => name)).toEqual(["look"]);
    await talk.step({ text: [{ source: "background", text: "seen", delegation: id }] });
    await talk.step();
    expect(double.messages.slice(1).map(({ type }) => type)).toEqual(["response.item.create", "response.create"]);
    expect(bench.notes.filter(({ type }) => type === "lost").map(({ what }) => what)).toEqual([
      "function calls of a response that failed: buy",
      "function calls of a response that failed: sell",
    ]);
    expect(double.violations).toEqual([]);
  });

  test("goes on in a new session with its words when the old one expires, and tells what is lost (scenario 17)", async () => {
    const { bench, talk } = await open({ history: [{ role: "developer", text: "Be brief." }] });
    await talk.step();
    double.hear("I am Ada.");
    const id = double.delegate();
    const reply = double.beginReply();
    reply.text("Hello Ada!");
    reply.sound(sawtooth(4800));
    await talk.step();
    reply.end();
    await talk.steps(8);
    await talk.step({ text: [{ source: "user", text: "I typed this" }] });
    await talk.step();
    double.end("expired");
    await until("the loss is seen", () => bench.count("reconnecting") > 0);
    await bench.clock.advance(1);
    await until("another session", () => double.readyConnections === 2 && bench.count("reconnected") === 1);
    expect(bench.notes.find(({ type }) => type === "lost")?.what).toMatch(/sound of the conversation/);
    const start = double.messages.filter(({ type }) => type === "session.start").at(-1) as SessionStartEvent;
    expect(start.session.input?.map(({ role, content }) => `${role}: ${content[0].text}`)).toEqual([
      ...["developer: Be brief.", "user: I am Ada.", "assistant: Hello Ada!", "user: I typed this"],
    ]);
    // The work goes on; its id means nothing to the new session.
    await talk.step({ text: [{ source: "background", text: "Ada was found.", delegation: id }] });
    await talk.step();
    expect(double.messages.at(-1)).toMatchObject({ type: "session.commentary.append", delegation_id: null });
    expect(double.violations).toEqual([]);
  });

  test("tells results of calls of an earlier session as what they are", async () => {
    const { bench, talk } = await open({ delegation: responses });
    const [id] = double.call([{ name: "weather", arguments: { city: "Rome" } }]);
    await talk.stepUntil("it is handed over", () => talk.outputs.some(({ delegation }) => delegation !== undefined), 8);
    double.drop(1006);
    await until("the loss is seen", () => bench.count("reconnecting") > 0);
    await bench.clock.advance(1);
    await until("another session", () => bench.count("reconnected") === 1);
    await talk.step({ text: [{ source: "background", text: "It rains.", delegation: id }] });
    await talk.step();
    expect(double.messages.at(-1)).toMatchObject({
      ...{ type: "session.commentary.append", delegation_id: null },
      content: 'Result of weather({"city":"Rome"}): It rains.',
    });
    expect(double.violations).toEqual([]);
  });

  test.each([
    ["content", "UNSUPPORTED"],
    ["remote_hangup", "SESSION_CLOSED"],
    ["close_requested", "SESSION_CLOSED"],
  ] as const)("ends when the service closes the session: %s", async (reason, code) => {
    const { talk } = await open();
    await talk.step();
    double.end(reason);
    await until("the end", () => double.openConnections === 0);
    await expect(talk.turn()).rejects.toMatchObject({ code, message: expect.stringContaining("open another") });
  });

  test("waits for the service's word at the end, and says so when it does not come", async () => {
    const first = await open();
    await first.talk.step();
    await first.talk.session.close();
    expect(first.bench.count("lost")).toBe(0);
    expect(first.bench.clock.pending).toBe(0);

    double.confirmsClose = false;
    const second = await open();
    const closing = second.talk.session.close();
    await until("it has been asked", () => double.messages.at(-1)?.type === "session.close");
    await second.bench.clock.advance(2600);
    await closing;
    expect(second.bench.notes.filter(({ type }) => type === "lost")).toMatchObject([
      { what: expect.stringContaining("has ended") },
    ]);
  });

  test("passes over errors of the service that change nothing, and ends with those that do", async () => {
    const { bench, talk } = await open();
    double.fail("some_race", `what ${gptLiveKey} asked for cannot be had`);
    await talk.step();
    expect(bench.notes.filter(({ type }) => type === "swallowed")).toEqual([
      { type: "swallowed", code: "some_race", message: "what … asked for cannot be had" },
    ]);
    double.fail("invalid_api_key", "Incorrect API key provided: sk-doub*********cdef.", "invalid_request_error");
    await until("the end", () => double.openConnections === 0);
    const error = await talk.turn().catch((caught: unknown) => caught);
    expect(error).toMatchObject({ code: "ACCESS_DENIED" });
    expect(String(error)).not.toContain("cdef");
  });

  test("says which option a start was refused for", async () => {
    const bench = new WireBench(
      wireOf({ voice: { id: "x" }, delegation: { type: "responses", responses: { model: "m", temperature: 1 } } }),
      double,
    );
    await expect(bench.open()).rejects.toMatchObject({
      code: "UNSUPPORTED",
      message: expect.stringContaining("session.delegation.responses.temperature"),
      details: { serviceCode: "unknown_parameter", param: "session.delegation.responses.temperature" },
    });
  });

  test("silence leaves nothing behind in what is played: a reply then comes at once (scenario 19)", async () => {
    const { bench, talk } = await open();
    for (let turn = 0; turn < 600; turn++) {
      await talk.turn();
      if (turn % 20 === 0) await until("the service keeps up", () => double.receivedSamples >= (turn - 20) * 4800);
    }
    await until("all arrives", () => double.receivedSamples === 600 * 4800);
    const from = talk.outputs.length;
    double.beginReply().sound(sawtooth(9600));
    await talk.stepUntil("it speaks", () => talk.outputs.at(-1)?.decision === "speak", 3);
    expect(talk.outputs.length - from).toBeLessThanOrEqual(3);
    expect(bench.count("output-dropped") + bench.count("underrun")).toBe(0);
  });
});

test("a DuplexSession holds a conversation: asked, handed over, answered by id, said", async () => {
  const double = await startGptLiveDouble();
  const clock = new FakeClock();
  const engine = gptLiveEngine({ apiKey: gptLiveKey, baseUrl: `${double.url}/v1`, clock });
  const session = await DuplexSession.open({ engine, clock, pace: "as-fast-as-input" });
  const asked: DelegationEvent[] = [];
  const [heard, said]: string[][] = [[], []];
  let samples = 0;
  session.on("delegation", (event) => {
    asked.push(event);
    void session.deliver("It rains in Rome.", "now", { delegation: event.id });
  });
  session.on("heard-delta", ({ text }) => heard.push(text));
  session.on("text-delta", ({ text }) => said.push(text));
  session.on("speech", (pcm) => {
    samples += pcm.filter((value) => value !== 0).length;
  });
  const before = () => double.receivedSamples;
  const speak = async (turns: number) => {
    for (let turn = 0; turn < turns; turn++) {
      const sent = before();
      // At a microphone's rate; the session brings it to the service's.
      const written = session.writeAudio(new Float32Array(9600).fill(0.1), { sampleRate: 48_000 });
      for (let i = 0; i < 4; i++) await clock.advance(50);
      await written;
      if (double.receivedSamples === sent) await new Promise((resolve) => setTimeout(resolve, 5));
    }
  };
  try {
    await speak(3);
    double.hear("what is the weather in Rome?");
    const id = double.delegate();
    for (let i = 0; i < 1000 && double.answers.length === 0; i++) await speak(1);
    expect(asked).toMatchObject([{ id, task: "what is the weather in Rome?" }]);
    expect(double.answers).toEqual([{ id, result: "It rains in Rome." }]);
    const reply = double.beginReply();
    reply.text("It is raining.");
    reply.sound(sawtooth(9600));
    reply.end();
    for (let i = 0; i < 1000 && samples < 9600; i++) await speak(1);
    expect(samples).toBe(9600);
    expect(heard.join(" ")).toBe("what is the weather in Rome?");
    expect(said.join(" ")).toBe("It is raining.");
    expect(double.violations).toEqual([]);
  } finally {
    const closing = Promise.all([session.close(), engine.close()]);
    await until("the socket is closed", () => double.openConnections === 0);
    await clock.advance(10_000);
    await closing;
    await double.close();
  }
});

describe("options", () => {
  test("are checked", () => {
    const key = { apiKey: "k" };
    expect(() => gptLiveEngine({})).toThrow(TypeError);
    expect(() => gptLiveEngine({ apiKey: "" })).toThrow(/apiKey or token/);
    expect(() => gptLiveEngine({ ...key, sampleRate: 8000 as never })).toThrow(RangeError);
    expect(() => gptLiveEngine({ ...key, maxReplyMs: 1 })).toThrow(RangeError);
    expect(() => gptLiveEngine({ ...key, staleAfterMs: Number.NaN })).toThrow(RangeError);
    expect(() => gptLiveEngine({ ...key, delegation: { type: "decisions" } as never })).toThrow(TypeError);
    expect(() => gptLiveEngine({ token: async () => "t" })).not.toThrow();
  });
});
