import type { TextInput } from "@microturn/core";
import { afterEach, describe, expect, test } from "vitest";
import { WireBench } from "../testing/wire-bench.js";
import type { WireUnit } from "../wire.js";
import { GeminiLiveWire, geminiLiveEngine } from "./gemini-live.js";
import { geminiLiveCorpus } from "./gemini-live-corpus.js";
import { geminiVerdict } from "./gemini-live-errors.js";
import type { GeminiLiveOptions } from "./gemini-live-setup.js";

const model = "gemini-3.1-flash-live-preview";
const apiKey = "AIza-secret";

class Bench extends WireBench<GeminiLiveWire> {
  #units = 0;

  constructor(options: Partial<GeminiLiveOptions> = {}) {
    super(new GeminiLiveWire({ model, apiKey, ...options }));
  }

  /** The service sends its JSON in binary frames. */
  override receive(...messages: object[]): this {
    for (const message of messages) this.wire.receive(new TextEncoder().encode(JSON.stringify(message)));
    return this;
  }

  ready(): this {
    return this.open().receive({ setupComplete: {} });
  }

  unit({ audio = new Float32Array(3200), images = [], text = [] }: Partial<WireUnit> = {}): this {
    this.wire.sendUnit({ index: this.#units++, audio, images, text });
    return this;
  }
}

const content = (serverContent: object) => ({ serverContent });
const sound = content({
  modelTurn: { parts: [{ inlineData: { mimeType: "audio/pcm;rate=24000", data: "AAABAAIA" } }] },
});

describe("options", () => {
  const refused = (options: Partial<GeminiLiveOptions>, what: RegExp) =>
    expect(() => geminiLiveEngine({ model, apiKey, ...options })).toThrow(what);

  afterEach(() => {
    delete (globalThis as { document?: unknown }).document;
  });

  test("are refused where they do not go together, in words that name the fix", () => {
    refused({ model: "" }, /model must be named/);
    refused({ token: () => "x" }, /one of apiKey and token/);
    expect(() => geminiLiveEngine({ model })).toThrow(/one of apiKey and token/);
    refused({ vertex: { project: "p", location: "us-central1" } }, /give token/);
    refused({ baseUrl: "https://example.com" }, /ws:\/\/ or wss:\/\//);
    refused({ baseUrl: "wss://[broken" }, /ws:\/\/ or wss:\/\//);
    refused({ baseUrl: "wss://example.com/?key=1" }, /without query/);
    refused({ apiVersion: "v1/../x" }, /apiVersion/);
    refused({ temperature: Number.NaN }, /temperature must be 0 … 2/);
    refused({ tools: [{ name: "watch", severalResults: true }] }, /severalResults of watch needs NON_BLOCKING/);
    refused({ connectTimeoutMs: 0 }, /connectTimeoutMs/);
  });

  test("let no key into a page", () => {
    (globalThis as { document?: unknown }).document = {};
    refused({}, /ephemeral tokens/);
    geminiLiveEngine({ model, token: () => "auth_tokens/x" });
    const vertex = { project: "p", location: "us-central1" };
    expect(() => geminiLiveEngine({ model, token: () => "ya29", vertex })).toThrow(/a page cannot send/);
  });

  test("make the first message and the address", async () => {
    const bench = new Bench({ voice: "Kore", setup: { generationConfig: { topK: 3 }, proactivity: {} } }).open();
    expect(bench.sent).toEqual([
      {
        setup: {
          model: `models/${model}`,
          generationConfig: {
            ...{ responseModalities: ["AUDIO"], topK: 3 },
            speechConfig: { voiceConfig: { prebuiltVoiceConfig: { voiceName: "Kore" } } },
          },
          ...{
            contextWindowCompression: { slidingWindow: {} },
            inputAudioTranscription: {},
            outputAudioTranscription: {},
          },
          ...{ proactivity: {}, sessionResumption: {} },
        },
      },
    ]);
    expect(await bench.wire.request()).toEqual({
      url: "wss://generativelanguage.googleapis.com/ws/google.ai.generativelanguage.v1beta.GenerativeService.BidiGenerateContent?key=AIza-secret",
    });
    const vertex = { project: "p", location: "us-central1" };
    const { wire } = new Bench({ ...({ apiKey: undefined } as object), token: () => "ya29", vertex });
    expect(await wire.request()).toEqual({
      url: "wss://us-central1-aiplatform.googleapis.com/ws/google.cloud.aiplatform.v1beta1.LlmBidiService/BidiGenerateContent",
      headers: { Authorization: "Bearer ya29" },
    });
  });

  test("of a token that is none end the opening with ACCESS_DENIED", async () => {
    const { wire } = new Bench({ ...({ apiKey: undefined } as object), token: () => "" });
    await expect(wire.request()).rejects.toMatchObject({ code: "ACCESS_DENIED" });
  });

  test("without resumption and compression leave them out", () => {
    const { setup } = new Bench({ resume: false, contextCompression: false }).open().sent[0] as { setup: object };
    expect(Object.keys(setup)).not.toContain("sessionResumption");
    expect(Object.keys(setup)).not.toContain("contextWindowCompression");
  });
});

describe("a session", () => {
  test("sends a micro-turn as one message of 16-bit PCM at 16 kHz", () => {
    const bench = new Bench().ready();
    const audio = Float32Array.from({ length: 3200 }, (_, i) => (i % 2 === 0 ? 0.5 : -0.5));
    bench.unit({ audio, text: [{ source: "user", text: "hello" }] });
    expect(bench.sent[1]).toEqual({ realtimeInput: { text: "hello" } });
    const { audio: blob } = (bench.sent[2] as { realtimeInput: { audio: { data: string; mimeType: string } } })
      .realtimeInput;
    expect(blob.mimeType).toBe("audio/pcm;rate=16000");
    const bytes = Buffer.from(blob.data, "base64");
    expect([bytes.length, bytes.readInt16LE(0), bytes.readInt16LE(2)]).toEqual([6400, 16_384, -16_384]);
  });

  test("says nothing before setupComplete, and ready once", () => {
    const bench = new Bench().open().receive(sound).receive({ setupComplete: {} }).receive({ setupComplete: {} });
    expect(bench.told).toEqual([["ready"]]);
    expect(bench.notes).toMatchObject([{ type: "raw" }]);
  });

  test("names each reply, and ends it when all of it has come", () => {
    const bench = new Bench()
      .ready()
      .receive(sound)
      .receive(content({ generationComplete: true }))
      .receive(sound);
    bench.receive(content({ turnComplete: true })).receive(content({ turnComplete: true }));
    expect(bench.told.slice(1)).toEqual([
      ...[
        ["audio", 3, "reply-1"],
        ["end", "reply-1"],
        ["audio", 3, "reply-2"],
        ["end", "reply-2"],
      ],
    ]);
  });

  test("gives words before a reply's sound to that reply, and words that no sound follows to the one before", () => {
    const words = (text: string) => content({ outputTranscription: { text } });
    const bench = new Bench().ready();
    bench.receive(words("First."), sound, content({ turnComplete: true })).unit();
    bench.receive(words("Sec"), words("ond."), sound, content({ turnComplete: true })).unit();
    expect(bench.told.splice(0).slice(1)).toEqual([
      ...[
        ["text", "First.", "reply-1"],
        ["audio", 3, "reply-1"],
        ["end", "reply-1"],
      ],
      ...[
        ["text", "Second.", "reply-2"],
        ["audio", 3, "reply-2"],
        ["end", "reply-2"],
      ],
    ]);
    bench.receive(words(" Late.")).unit().unit();
    expect(bench.told).toEqual([]);
    expect(bench.unit().told).toEqual([
      ["text", " Late.", "reply-2"],
      ["end", "reply-2"],
    ]);
  });

  test("drops what comes of a reply that it was told to end, until its turn is over", () => {
    const bench = new Bench().ready().receive(sound);
    bench.wire.interrupt();
    bench.receive(sound).receive(content({ outputTranscription: { text: "more" }, generationComplete: true }));
    for (let i = 0; i < 50; i++) bench.unit();
    bench
      .receive(sound)
      .receive(content({ turnComplete: true }))
      .receive(sound);
    expect(bench.told.slice(1)).toEqual([
      ["audio", 3, "reply-1"],
      ["audio", 3, "reply-2"],
    ]);
  });

  test("is not muted by an end that is asked for when nothing is said", () => {
    const bench = new Bench().ready();
    bench.wire.interrupt();
    expect(bench.receive(sound).told.at(-1)).toEqual(["audio", 3, "reply-1"]);
  });

  test("answers again what was answered since the handle was made, once the next connection is ready", () => {
    const behavior = "NON_BLOCKING";
    const bench = new Bench({ tools: [{ name: "look", behavior }] }).ready();
    const call = (id: string) => ({ toolCall: { functionCalls: [{ id, name: "look", args: {} }] } });
    const handle = (newHandle: string) => ({ sessionResumptionUpdate: { newHandle, resumable: true } });
    const result = (text: string, delegation: string): TextInput => ({ source: "background", text, delegation });
    const answers = () =>
      bench.sent.splice(0).flatMap((message) => {
        const { functionResponses = [] } = (message.toolResponse ?? {}) as { functionResponses?: { id: string }[] };
        return functionResponses.map(({ id }) => id);
      });
    bench.receive(call("a"), call("b"), call("c"), handle("one"), call("d"));
    bench.unit({ text: [result("1", "a")] });
    bench.receive(handle("two"));
    bench.unit({ text: [result("2", "b"), result("4", "d")] });
    expect(answers()).toEqual(["a", "b", "d"]);
    bench.open();
    expect(answers()).toEqual([]);
    bench.receive({ setupComplete: {} });
    // a is in the handle as answered, and c is still open.
    expect(answers()).toEqual(["b", "d"]);
    bench.ready();
    expect(answers()).toEqual(["b", "d"]);
    bench.unit({ text: [result("3", "c")] });
    expect(answers()).toEqual(["c"]);
  });

  test("keeps no more than 64 calls, and gives up the oldest", () => {
    const bench = new Bench().ready();
    const calls = (from: number) =>
      Array.from({ length: 40 }, (_, i) => ({ id: `c${from + i}`, name: "weather", args: {} }));
    bench.receive({ toolCall: { functionCalls: calls(0) } }).receive({ toolCall: { functionCalls: calls(40) } });
    expect(bench.told.filter(([type]) => type === "cancelled").map(([, id]) => id)).toEqual(
      Array.from({ length: 16 }, (_, i) => `c${i}`),
    );
    const answer = (delegation: string): TextInput => ({ source: "background", text: "x", delegation });
    bench.unit({ text: [answer("c3")] });
    expect(bench.notes.at(-1)).toMatchObject({ type: "swallowed" });
  });

  test("refuses arguments that are too large, and sound at another rate", () => {
    const bench = new Bench().ready();
    const args = { text: "x".repeat(70_000) };
    expect(() => bench.receive({ toolCall: { functionCalls: [{ id: "a", name: "f", args }] } })).toThrow(
      /at most 65536/,
    );
    const inlineData = { mimeType: "audio/pcm;rate=48000", data: "AAAA" };
    expect(() => bench.receive(content({ modelTurn: { parts: [{ inlineData }] } }))).toThrow(/got 48000 Hz/);
    expect(() => bench.wire.receive("nonsense")).toThrow(/expected JSON/);
  });

  test("understands every message of the corpus", () => {
    const bench = new Bench().ready();
    for (const message of geminiLiveCorpus) bench.wire.receive(message);
    expect(bench.notes).toEqual([]);
  });
});

describe("the end of a connection", () => {
  const ending = { secret: apiKey, setup: { model }, announced: false };

  test.each([
    [{ code: 1006, reason: "", status: 401 }, "ACCESS_DENIED", false],
    [{ code: 1006, reason: "", status: 400, body: "API key not valid." }, "ACCESS_DENIED", false],
    [{ code: 1006, reason: "", status: 404 }, "UNSUPPORTED", false],
    [{ code: 1006, reason: "", status: 429, retryAfterS: 3 }, "SERVER_BUSY", false],
    [{ code: 1006, reason: "", status: 502 }, "NETWORK_FAILED", true],
    [{ code: 1006, reason: "", status: 503 }, "SERVER_BUSY", true],
    [{ code: 1000, reason: "" }, "NETWORK_FAILED", true],
    [{ code: 1006, reason: "" }, "NETWORK_FAILED", true],
    [{ code: 1007, reason: "API key expired. Please renew the API key." }, "ACCESS_DENIED", false],
    [{ code: 1007, reason: "Request contains an invalid argument." }, "UNSUPPORTED", false],
    [{ code: 1008, reason: "Operation is not implemented, or supported, or enabled." }, "UNSUPPORTED", false],
    [{ code: 1008, reason: "The operation was aborted." }, "NETWORK_FAILED", true],
    [{ code: 1011, reason: "Internal error encountered." }, "NETWORK_FAILED", true],
    [{ code: 1011, reason: "Your prepayment credits are depleted." }, "SERVER_BUSY", false],
    [{ code: 1013, reason: "" }, "SERVER_BUSY", true],
  ])("%o is %s, retry %s", (end, code, retry) => {
    const verdict = geminiVerdict(end, ending);
    expect([verdict.error.code, verdict.retry]).toEqual([code, retry]);
    expect(verdict.error.message).toMatch(/; \w.{10,}/);
  });

  test("names the wait, and never the key", () => {
    const busy = geminiVerdict({ code: 1006, reason: "", status: 429, retryAfterS: 3 }, ending);
    expect(busy.error.details).toMatchObject({ status: 429, retryAfterMs: 3000 });
    const told = geminiVerdict({ code: 1008, reason: `bad key ${apiKey}` }, ending).error;
    expect(JSON.stringify([told.message, told.details])).not.toContain(apiKey);
  });

  test("that was announced is no failure, whatever its code", () => {
    expect(geminiVerdict({ code: 1008, reason: "x" }, { ...ending, announced: true }).retry).toBe(true);
  });
});
