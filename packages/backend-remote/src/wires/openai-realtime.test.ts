import { DuplexError, type TextInput } from "@microturn/core";
import { describe, expect, test } from "vitest";
import { encodeBase64 } from "../codec/base64.js";
import { encodePcm16 } from "../codec/pcm16.js";
import { WireBench } from "../testing/wire-bench.js";
import { OpenAIRealtimeWire, openaiRealtimeEngine } from "./openai-realtime.js";
import { openaiRealtimeCorpus } from "./openai-realtime-corpus.js";
import { redactKeys, verdictOfEnd, verdictOfError } from "./openai-realtime-errors.js";
import { RealtimeHistory } from "./openai-realtime-history.js";
import {
  type OpenAIRealtimeOptions,
  type RealtimeTurnDetection,
  realtimeRequest,
  realtimeSession,
} from "./openai-realtime-options.js";
import { RealtimeResponses } from "./openai-realtime-responses.js";

const apiKey = "sk-a-secret-of-the-test";

class Bench extends WireBench<OpenAIRealtimeWire> {
  #units = 0;

  constructor(options: Partial<OpenAIRealtimeOptions> = {}) {
    super(new OpenAIRealtimeWire({ apiKey, ...options }));
  }

  ready(): this {
    return this.open().receive({ type: "session.created", session: {} }, { type: "session.updated", session: {} });
  }

  units(count: number, text: readonly TextInput[] = []): this {
    for (let i = 0; i < count; i++) {
      const audio = new Float32Array(4800);
      this.wire.sendUnit({ index: this.#units++, audio, images: [], text: i === 0 ? text : [] });
    }
    return this;
  }

  /** Types of what was sent since the last call, but for sound. */
  types(): string[] {
    const types = this.sent.splice(0).map(({ type }) => String(type));
    return types.filter((type) => type !== "input_audio_buffer.append");
  }

  take(): unknown[][] {
    return this.told.splice(0);
  }
}

const sound = (samples: number) => encodeBase64(encodePcm16(new Float32Array(samples).fill(0.1)));
const of = (response: string, item: string) => ({ response_id: response, item_id: item, content_index: 0 });
const created = (id: string) => ({ type: "response.created", response: { id } });
const done = (id: string, status = "completed") => ({ type: "response.done", response: { id, status, output: [] } });

describe("options of openaiRealtimeEngine", () => {
  test.each<[string, object]>([
    ["no key", {}],
    ["two keys", { apiKey, token: () => "ek" }],
    ["an empty key", { apiKey: "" }],
    ["an address that is no socket's", { apiKey, baseUrl: "https://api.openai.com/v1" }],
    ["an unknown spelling", { apiKey, spelling: "alpha" }],
    ["a tool without a name", { apiKey, tools: [{ name: "look up" }] }],
  ])("are refused with TypeError: %s", (_, options) => {
    expect(() => openaiRealtimeEngine(options as OpenAIRealtimeOptions)).toThrow(TypeError);
  });

  test("are refused with RangeError beyond their range", () => {
    for (const options of [{ imageIntervalMs: -1 }, { maxImages: 0 }, { connectTimeoutMs: 0 }, { maxSessions: 1.5 }]) {
      expect(() => openaiRealtimeEngine({ apiKey, ...options })).toThrow(RangeError);
    }
  });

  test("with a key are refused in a page", () => {
    const scope = globalThis as { document?: unknown };
    scope.document = {};
    try {
      expect(() => openaiRealtimeEngine({ apiKey })).toThrow(/createRealtimeToken/);
      expect(() => openaiRealtimeEngine({ headers: { "api-key": "x" } })).toThrow(TypeError);
      openaiRealtimeEngine({ token: () => "ek_1" });
    } finally {
      delete scope.document;
    }
  });

  test("say where to connect, and as whom", async () => {
    const { request } = await realtimeRequest({ apiKey });
    expect(request).toEqual({
      url: "wss://api.openai.com/v1/realtime?model=gpt-realtime-2",
      headers: { Authorization: `Bearer ${apiKey}` },
    });
    const beta = await realtimeRequest({ apiKey, spelling: "beta", model: "qwen omni" });
    expect(beta.request.headers).toMatchObject({ "OpenAI-Beta": "realtime=v1" });
    expect(beta.request.url).toContain("model=qwen+omni");
    const azure = await realtimeRequest({
      ...{ headers: { "api-key": "azure" }, baseUrl: "wss://x.openai.azure.com/openai/v1/?api-version=1" },
    });
    expect(azure.request.url).toBe("wss://x.openai.azure.com/openai/v1/realtime?api-version=1&model=gpt-realtime-2");
    expect(azure.secrets).toEqual(["azure"]);
    const page = await realtimeRequest({ token: () => "ek_1" });
    expect(page.request.protocols).toEqual(["realtime", "openai-insecure-api-key.ek_1"]);
    await expect(realtimeRequest({ token: () => "" })).rejects.toMatchObject({ code: "ACCESS_DENIED" });
  });

  test("name every field of voice activity detection", () => {
    const detection: RealtimeTurnDetection = {
      type: "server_vad",
      ...{
        threshold: 0.6,
        prefixPaddingMs: 100,
        silenceDurationMs: 300,
        idleTimeoutMs: 6000,
        interruptResponse: false,
      },
    };
    const { audio } = realtimeSession({ apiKey, turnDetection: detection }) as { audio: { input: object } };
    expect(audio.input).toMatchObject({
      turn_detection: {
        ...{ type: "server_vad", threshold: 0.6, prefix_padding_ms: 100, silence_duration_ms: 300 },
        ...{ idle_timeout_ms: 6000, interrupt_response: false },
      },
    });
    expect(realtimeSession({ apiKey, transcription: false, tools: [] })).not.toHaveProperty("tools");
  });

  test("are told as capabilities", async () => {
    const capabilities = await openaiRealtimeEngine({ apiKey, maxSessions: 3 }).load();
    expect(capabilities).toMatchObject({
      ...{ turnDurationMs: 200, inputSampleRate: 24_000, outputSampleRate: 24_000, maxSessions: 3 },
      ...{ inputs: ["audio", "video", "text"], outputs: ["audio", "text", "heard"], truncates: true, delegation: true },
      identity: { model: "gpt-realtime-2", backend: "api.openai.com" },
    });
    const plain = await openaiRealtimeEngine({ apiKey, tools: [], transcription: false }).load();
    expect(plain).toMatchObject({ delegation: false, outputs: ["audio", "text"] });
  });
});

describe("the codec of OpenAI Realtime", () => {
  test("sends nothing before session.created, and is ready with session.updated", () => {
    const bench = new Bench().open();
    expect(bench.types()).toEqual([]);
    bench.receive({ type: "session.created", session: {} }, { type: "rate_limits.updated" });
    expect(bench.types()).toEqual(["session.update"]);
    expect(bench.take()).toEqual([]);
    bench.receive({ type: "session.updated", session: {} });
    expect(bench.take()).toEqual([["ready"]]);
    expect(() => new Bench().open().receive({ type: "session.updated" })).toThrow(DuplexError);
  });

  test("names replies by their item, and ends them once their words are there too", () => {
    const bench = new Bench().ready();
    bench.take();
    bench.receive(
      created("r1"),
      { type: "response.output_audio.delta", ...of("r1", "i1"), delta: sound(100) },
      { type: "response.output_audio.done", ...of("r1", "i1") },
      { type: "response.output_audio_transcript.delta", ...of("r1", "i1"), delta: "It rains." },
      { type: "response.output_item.done", response_id: "r1", item: { id: "i1", type: "message" } },
    );
    expect(bench.take()).toEqual([
      ["audio", 100, "i1"],
      ["text", "It rains.", "i1"],
      ["end", "i1"],
    ]);
  });

  test("passes over what still comes of a response that was cut, and takes the next", () => {
    const bench = new Bench().ready();
    bench.receive(created("r1"), { type: "response.output_audio.delta", ...of("r1", "i1"), delta: sound(100) });
    bench.take();
    const late = [
      { type: "response.output_audio.delta", ...of("r1", "i1"), delta: sound(100) },
      { type: "response.output_audio_transcript.delta", ...of("r1", "i1"), delta: "late" },
    ];
    bench.receive({ type: "input_audio_buffer.speech_started" }, ...late, done("r1", "cancelled"), ...late);
    expect(bench.take()).toEqual([["flush"], ["end", "i1"]]);
    bench.receive(created("r2"), { type: "response.output_audio.delta", ...of("r2", "i2"), delta: sound(7) });
    expect(bench.take()).toEqual([["audio", 7, "i2"]]);
  });

  test("does not carry half a sample from one item to the next", () => {
    const bench = new Bench().ready();
    bench.take();
    bench.receive(
      { type: "response.output_audio.delta", ...of("r1", "i1"), delta: "AAAB" },
      { type: "response.output_audio.delta", ...of("r1", "i2"), delta: "AAABAA==" },
    );
    expect(bench.take()).toEqual([
      ["audio", 1, "i1"],
      ["audio", 2, "i2"],
    ]);
  });

  test("takes results of calls for what they are, and makes the arguments readable", () => {
    const bench = new Bench().ready();
    bench.types();
    bench.take();
    const call = (call_id: string, name: string, text: string) => ({
      ...{ type: "response.output_item.done", response_id: "r1" },
      item: { id: `item ${call_id}`, type: "function_call", call_id, name, arguments: text },
    });
    bench.receive(
      created("r1"),
      call("c1", "delegate", '{"task":"look it up"}'),
      call("c2", "add", '{"a":1}'),
      call("c3", "odd", "{"),
      done("r1"),
    );
    expect(bench.take().map(([type, value]) => [type, value])).toEqual([
      ["delegation", { id: "c1", name: "delegate", task: "look it up", arguments: { task: "look it up" } }],
      ["delegation", { id: "c2", name: "add", task: 'add {"a":1}', arguments: { a: 1 } }],
      ["delegation", { id: "c3", name: "odd", task: "odd {", arguments: "{" }],
    ]);
    bench.receive(created("r2"), call("c4", "add", "{}"), done("r2", "cancelled"));
    expect(bench.take()).toEqual([]);
    // Another connection knows nothing of them.
    bench.ready();
    expect(bench.take().filter(([type]) => type === "cancelled")).toHaveLength(3);
    bench.types();
    bench.units(1, [{ source: "background", text: "late", delegation: "c2" }]);
    const content = [{ type: "input_text", text: 'Result of add {"a":1}: late' }];
    expect(bench.sent[1]).toMatchObject({ item: { type: "message", role: "system", content } });
  });

  test("asks again for what had not been answered when the connection broke, once", () => {
    const bench = new Bench().ready();
    const calls = ["c1", "c2"].map((call_id) => ({
      ...{ type: "response.output_item.done", response_id: "r1" },
      item: { id: `item ${call_id}`, type: "function_call", call_id, name: "add", arguments: "{}" },
    }));
    bench.receive(created("r1"), ...calls, done("r1"));
    bench.units(1, [{ source: "background", text: "one", delegation: "c1" }]);
    bench.units(1, [{ source: "background", text: "two", delegation: "c2" }]);
    expect(bench.types().slice(-1)).toEqual(["response.create"]);
    // The response is as lost as the results: the words go along, and it is asked for again.
    bench.ready();
    const sent = [...bench.sent];
    expect(bench.types()).toEqual([
      ...["session.update", "conversation.item.create", "conversation.item.create", "response.create"],
    ]);
    expect(JSON.stringify(sent)).toMatch(/"one".*"two"/);
    bench.receive(created("r2"), done("r2"));
    bench.ready();
    expect(bench.types()).not.toContain("response.create");
  });

  test("tells the service of a function what it knows, and nothing else", () => {
    const more = { strict: false, behavior: "NON_BLOCKING" };
    const { tools } = realtimeSession({ apiKey, tools: [{ name: "add", description: "Adds.", ...more }] });
    expect(tools).toEqual([{ type: "function", name: "add", description: "Adds." }]);
  });

  test("waits no longer for a response that does not come", () => {
    const bench = new Bench().ready();
    bench.types();
    bench.receive({ type: "input_audio_buffer.committed", item_id: "i0" });
    bench.units(1, [{ source: "background", text: "ding" }]);
    expect(bench.types()).toEqual(["conversation.item.create"]);
    bench.units(30);
    expect(bench.types()).toEqual(["response.create"]);
  });

  test("a minute of sound in one message, bytes, and formats of its own are refused", () => {
    const huge = { type: "response.output_audio.delta", ...of("r1", "i1"), delta: "A".repeat(5_000_000) };
    expect(() => new Bench().ready().receive(huge)).toThrow(/a minute/);
    expect(() => new Bench().ready().wire.receive(Uint8Array.of(1, 2))).toThrow(/PROTOCOL|expected text/);
    const odd = { audio: { input: { format: { type: "audio/pcm", rate: 16_000 } } } };
    const bench = new Bench().open().receive({ type: "session.created" });
    expect(() => bench.receive({ type: "session.updated", session: odd })).toThrow(/16000/);
  });

  test("understands every message of the corpus, and notes what means nothing here", () => {
    const bench = new Bench().ready();
    for (const message of openaiRealtimeCorpus) bench.wire.receive(message);
    expect(bench.notes.flatMap((note) => (note.type === "raw" ? [note.message] : []))).toMatchObject([
      { type: "output_audio_buffer.started" },
      { type: "mcp_list_tools.completed" },
    ]);
    const kinds = new Set(bench.take().map(([type]) => type));
    expect([...kinds].sort()).toEqual(["audio", "delegation", "end", "fail", "flush", "heard", "ready", "text"]);
  });
});

describe("one response at a time", () => {
  function bench() {
    const sent: string[] = [];
    const responses = new RealtimeResponses({
      create: () => void sent.push("create"),
      cancel: (id) => void sent.push(`cancel ${id}`),
    });
    return { responses, sent };
  }

  test("what waits while one is under way is asked for once, after it", () => {
    const { responses, sent } = bench();
    responses.want("a");
    responses.want("b");
    expect(sent).toEqual(["create"]);
    responses.created("r1");
    responses.want("c");
    responses.done("r1");
    expect(sent).toEqual(["create", "create"]);
    responses.created("r2");
    responses.done("r2");
    expect(sent).toEqual(["create", "create"]);
  });

  test("one that the service began with our item in it is not asked for again", () => {
    const { responses, sent } = bench();
    responses.expect();
    responses.want("a");
    responses.itemAdded("a");
    responses.created("r1");
    responses.done("r1");
    expect(sent).toEqual([]);
    responses.created("r2");
    responses.want("b");
    responses.itemAdded("b");
    responses.done("r2");
    expect(sent).toEqual(["create"]);
  });

  test("a refusal because one is under way is made up for, another is not", () => {
    const { responses, sent } = bench();
    responses.want("a");
    responses.created("of the service");
    responses.want("b");
    responses.refused(true);
    responses.done("of the service");
    expect(sent).toEqual(["create", "create"]);
    responses.refused(false);
    responses.done("nothing");
    expect(sent).toEqual(["create", "create"]);
  });

  test("a cancel goes out once, and the answer to what comes after it is heard", () => {
    const { responses, sent } = bench();
    responses.created("r1");
    responses.interrupt();
    responses.interrupt();
    responses.want("a");
    expect(sent).toEqual(["cancel r1"]);
    expect(responses.isWanted("r1")).toBe(false);
    responses.done("r1");
    responses.created("r2");
    expect(sent).toEqual(["cancel r1", "create"]);
    expect(responses.isWanted("r2")).toBe(true);
  });

  test("an orphan is cancelled when it comes, and what was typed after it is answered", () => {
    const { responses, sent } = bench();
    responses.want("a");
    responses.interrupt();
    responses.want("b");
    responses.itemAdded("b");
    responses.created("r1");
    expect(sent).toEqual(["create", "cancel r1"]);
    responses.done("r1");
    expect(sent).toEqual(["create", "cancel r1", "create"]);
    responses.created("r2");
    expect(responses.isWanted("r2")).toBe(true);
  });

  test("a cancel that came too late frees the way", () => {
    const { responses, sent } = bench();
    responses.created("r1");
    responses.want("a");
    responses.noneActive("cancel-another-7");
    expect(sent).toEqual([]);
    responses.noneActive("cancel-r1-8");
    expect(sent).toEqual(["create"]);
  });
});

describe("the history of OpenAI Realtime", () => {
  test("keeps the order of items, whenever their words come", () => {
    const history = new RealtimeHistory();
    history.place("u", "user");
    history.add("a", "assistant", "It ");
    history.add("a", "assistant", "rains.");
    history.place("u", "user", "How is it?");
    history.place("empty", "user");
    expect(history.items()).toEqual([
      { role: "user", text: "How is it?" },
      { role: "assistant", text: "It rains." },
    ]);
  });

  test("cuts words in proportion to what was heard, at the end of one", () => {
    const history = new RealtimeHistory();
    history.add("a", "assistant", "one two three four five six");
    history.addSound("a", 3000);
    history.cut("a", 1500);
    expect(history.items()[0].text).toBe("one two three …");
    expect(history.soundOf("a")).toBe(1500);
    history.cut("a", 1);
    expect(history.items()).toEqual([]);
  });

  test("is bounded, and keeps the last", () => {
    const history = new RealtimeHistory();
    for (let i = 0; i < 1000; i++) history.add(`${i}`, "user", `${i} ${"x".repeat(9000)}`);
    const items = history.items();
    expect(items.at(-1)?.text).toMatch(/^999 /);
    expect(items.reduce((sum, { text }) => sum + text.length, 0)).toBeLessThanOrEqual(24_000);
  });
});

describe("errors of OpenAI Realtime", () => {
  const error = (code: string, type = "invalid_request_error") => ({
    code,
    type,
    message: "m",
    param: "",
    eventId: "",
  });

  test.each<[string, string, string, boolean | undefined]>([
    ["invalid_api_key", "ACCESS_DENIED", "ACCESS_DENIED", false],
    ["insufficient_quota", "SERVER_BUSY", "SERVER_BUSY", false],
    ["session_expired", "NETWORK_FAILED", "NETWORK_FAILED", true],
    ["rate_limit_exceeded", "SERVER_BUSY", "none", true],
    ["invalid_value", "UNSUPPORTED", "none", false],
    ["model_not_found", "UNSUPPORTED", "none", false],
  ])("%s", (code, opening, open, retry) => {
    expect(verdictOfError(error(code), false)).toMatchObject({ error: { code: opening }, retry });
    expect(verdictOfError(error(code), true)?.error.code ?? "none").toBe(open);
  });

  test.each<[object, string, boolean]>([
    [{ status: 401, body: `Incorrect API key provided: ${apiKey}` }, "ACCESS_DENIED", false],
    [{ status: 403 }, "ACCESS_DENIED", false],
    [{ status: 404 }, "UNSUPPORTED", false],
    [{ status: 429, retryAfterS: 3 }, "SERVER_BUSY", true],
    [{ status: 429 }, "SERVER_BUSY", false],
    [{ status: 500 }, "NETWORK_FAILED", true],
    [{ status: 503 }, "SERVER_BUSY", true],
    [{ code: 1000 }, "NETWORK_FAILED", true],
    [{ code: 1001 }, "NETWORK_FAILED", true],
    [{ code: 1006 }, "NETWORK_FAILED", true],
    [{ code: 1008 }, "ACCESS_DENIED", false],
    [{ code: 1009 }, "PROTOCOL_VIOLATION", false],
    [{ code: 1011 }, "NETWORK_FAILED", true],
    [{ code: 1013 }, "SERVER_BUSY", true],
    [{ code: 3000 }, "ACCESS_DENIED", false],
  ])("the end %j", (end, code, retry) => {
    const verdict = verdictOfEnd({ code: 1006, reason: "", ...end }, [apiKey]);
    expect(verdict).toMatchObject({ error: { code }, retry });
    expect(verdict.error.message).not.toContain(apiKey);
    if ("retryAfterS" in end) expect(verdict.error.details.retryAfterMs).toBe(3000);
  });

  test("keys are taken out, also those that are not ours", () => {
    expect(redactKeys(`${apiKey} sk-proj-1234***9999 ek_abcdef`, [apiKey])).toBe("… sk-… ek_…");
  });
});
