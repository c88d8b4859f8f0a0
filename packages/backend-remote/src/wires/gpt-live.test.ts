import { DuplexError, type TextInput } from "@microturn/core";
import { describe, expect, test } from "vitest";
import { encodeBase64 } from "../codec/base64.js";
import { encodePcm16 } from "../codec/pcm16.js";
import { WireBench } from "../testing/wire-bench.js";
import { type GptLiveOptions, GptLiveWire, gptLiveEngine } from "./gpt-live.js";
import { gptLiveCorpus } from "./gpt-live-corpus.js";
import { redact, verdictOfClosed, verdictOfEnd, verdictOfError } from "./gpt-live-errors.js";
import { estimateTokens, splitForAppend, TextHistory } from "./gpt-live-history.js";

const apiKey = "sk-a-secret-of-the-test";

class Bench extends WireBench<GptLiveWire> {
  #units = 0;

  constructor(options: Partial<GptLiveOptions> = {}) {
    super(new GptLiveWire({ apiKey, ...options }));
  }

  ready(): this {
    return this.open().receive({ type: "session.started", session: {} });
  }

  units(count: number, text: readonly TextInput[] = []): this {
    for (let i = 0; i < count; i++) {
      const audio = new Float32Array(4800);
      this.wire.sendUnit({ index: this.#units++, audio, images: [], text: i === 0 ? text : [] });
    }
    return this;
  }

  /** @param ms - of sound at a level */
  sound(ms: number, level: number): this {
    const bytes = encodePcm16(new Float32Array(24 * ms).fill(level));
    return this.receive({ type: "session.output_audio.delta", delta: encodeBase64(bytes) });
  }

  words(delta: string, start_ms?: number): this {
    return this.receive({ type: "session.output_transcript.delta", delta, start_ms, end_ms: (start_ms ?? 0) + 100 });
  }

  /** What was told since the last call. */
  take(): unknown[][] {
    return this.told.splice(0);
  }
}

describe("the start", () => {
  test("sends nothing but session.start until the session has started, and is ready once", async () => {
    const bench = new Bench().open();
    expect(bench.sent).toEqual([
      {
        ...{ type: "session.start", event_id: "mt_0" },
        session: {
          model: "gpt-live-1",
          audio: { format: { type: "audio/pcm", rate: 24_000 } },
          delegation: { type: "client" },
        },
      },
    ]);
    expect(bench.take()).toEqual([]);
    bench.receive({ type: "session.started" }).receive({ type: "session.started" });
    expect(bench.take()).toEqual([["ready"]]);
    const request = await bench.wire.request(new AbortController().signal);
    expect(request).toEqual({
      url: "wss://api.openai.com/v1/live/sessions",
      headers: { Authorization: `Bearer ${apiKey}` },
    });
  });

  test("fetches a token for each connection", async () => {
    let count = 0;
    const { wire } = new Bench({ token: async () => `token-${++count}`, baseUrl: "http://localhost:1/v1/" });
    const { signal } = new AbortController();
    await wire.request(signal);
    expect(await wire.request(signal)).toEqual({
      url: "ws://localhost:1/v1/live/sessions",
      headers: { Authorization: "Bearer token-2" },
    });
  });

  test("refuses a session in another form of sound than was asked for", () => {
    const format = { type: "audio/pcm", rate: 16_000 };
    const bench = new Bench().open();
    expect(() => bench.receive({ type: "session.started", session: { audio: { format } } })).toThrow(/16000/);
    const odd = { type: { toString: 1 }, rate: { valueOf: 1 } };
    expect(() => bench.receive({ type: "session.started", session: { audio: { format: odd } } })).toThrow(DuplexError);
  });
});

test("refuses to run in a page, where no key may be", () => {
  (globalThis as { document?: unknown }).document = {};
  try {
    expect(() => gptLiveEngine({ apiKey })).toThrow(/server of yours/);
    expect(() => gptLiveEngine({ apiKey })).toThrow(TypeError);
  } finally {
    delete (globalThis as { document?: unknown }).document;
  }
});

describe("replies", () => {
  test("begin with the first sound and what was just before it, and end after a pause", () => {
    const bench = new Bench().ready();
    bench.take();
    bench.sound(500, 0.001).sound(100, 0.3);
    expect(bench.take()).toEqual([
      ["audio", 60 * 24, ""],
      ["audio", 100 * 24, ""],
    ]);
    bench.sound(790, 0);
    expect(bench.take()).toEqual([["audio", 790 * 24, ""]]);
    bench.sound(50, 0.3);
    expect(bench.take()).toEqual([["audio", 50 * 24, ""]]);
    bench.sound(1000, 0);
    expect(bench.take()).toEqual([
      ["audio", 800 * 24, ""],
      ["end", ""],
    ]);
    bench.sound(1000, 0);
    expect(bench.take()).toEqual([]);
  });

  test("end when no sound comes at all for 800 ms", () => {
    const bench = new Bench().ready().sound(100, 0.3).units(3);
    expect(bench.take().map(([type]) => type)).toEqual(["ready", "audio"]);
    expect(bench.units(1).take()).toEqual([["end", ""]]);
  });

  test("have their words at the times of the timeline, from their first words on", () => {
    const bench = new Bench().ready();
    bench.take();
    bench.words("One", 5000).words(" moment", 5300);
    expect(bench.take(), "words wait for their sound").toEqual([]);
    bench.sound(100, 0.3).words(", please.", 5700);
    expect(bench.take()).toEqual([
      ["text", "One", "", 0],
      ["text", " moment", "", 300],
      ["audio", 2400, ""],
      ["text", ", please.", "", 700],
    ]);
    bench.sound(900, 0).take();
    bench.words(" Late", 5800);
    expect(bench.take(), "words of a reply that is over").toEqual([
      ["text", " Late", ""],
      ["end", ""],
    ]);
    bench.words("Another", 9000);
    expect(bench.take()).toEqual([]);
    expect(bench.units(10).take(), "words whose sound does not come").toEqual([
      ["text", "Another", ""],
      ["end", ""],
    ]);
  });

  test("are dropped when they are silenced, until they pause", () => {
    const bench = new Bench().ready().sound(100, 0.3);
    bench.take();
    bench.wire.interrupt();
    bench.sound(3000, 0.3).words("not said", 100).sound(400, 0).sound(100, 0.3).sound(500, 0);
    expect(bench.take()).toEqual([]);
    bench.sound(100, 0.3).words("said", 4000);
    expect(bench.take().map(([type]) => type)).toEqual(["audio", "text"]);
    bench.wire.interrupt();
    bench.open();
    expect(bench.take(), "a reply that was under way when the connection broke").toEqual([]);
  });

  test("that are silenced while there is none leave the next as it is", () => {
    const bench = new Bench().ready();
    bench.wire.interrupt();
    bench.take();
    bench.sound(100, 0.3);
    expect(bench.take()).toEqual([["audio", 2400, ""]]);
  });
});

describe("the history", () => {
  test("joins the words of a speaker, and gives what fits, newest first chosen", () => {
    const history = new TextHistory([{ role: "developer", text: "Be brief." }]);
    for (const word of ["I ", "am ", "Ada."]) history.add("user", word);
    history.add("assistant", "Hello!");
    expect(history.items()).toEqual([
      { type: "message", role: "developer", content: [{ type: "input_text", text: "Be brief." }] },
      { type: "message", role: "user", content: [{ type: "input_text", text: "I am Ada." }] },
      { type: "message", role: "assistant", content: [{ type: "output_text", text: "Hello!" }] },
    ]);
    expect(history.lastOfUser(5)).toBe("Ada.");
    for (let i = 0; i < 300; i++) history.add(i % 2 === 0 ? "user" : "assistant", `${i} ${"word ".repeat(i % 50)}`);
    const items = history.items();
    expect(items.length).toBeLessThanOrEqual(128);
    expect(items.at(-1)?.content[0].text).toMatch(/^299 /);
    expect(items.reduce((sum, { content }) => sum + estimateTokens(content[0].text), 0)).toBeLessThan(8192);
  });

  test("gives at most 128 messages, and none without words", () => {
    const history = new TextHistory([]);
    for (let i = 0; i < 400; i++) history.add(i % 2 === 0 ? "user" : "assistant", i % 4 === 0 ? " " : "yes");
    expect(history.items().length).toBeLessThanOrEqual(128);
    expect(history.items().every(({ content }) => content[0].text !== "")).toBe(true);
  });

  test("holds no more than it gives, however much is said", () => {
    const history = new TextHistory([]);
    for (let i = 0; i < 1000; i++) history.add("user", "x".repeat(50_000));
    expect(JSON.stringify(history.items()).length).toBeLessThan(30_000);
  });
});

describe("splitting", () => {
  test("cuts at sentences, at words, or anywhere, and loses nothing", () => {
    expect(splitForAppend("  ")).toEqual([]);
    expect(splitForAppend("short")).toEqual(["short"]);
    const texts = [
      "A sentence that is here. ".repeat(200),
      "word ".repeat(1000),
      "x".repeat(10_000),
      "日本語の文。".repeat(500),
      "😀".repeat(2000),
    ];
    for (const text of texts) {
      const pieces = splitForAppend(text);
      expect(pieces.length).toBeGreaterThan(1);
      for (const piece of pieces) {
        expect(estimateTokens(piece)).toBeLessThanOrEqual(451);
        expect(new TextDecoder().decode(new TextEncoder().encode(piece)), "no half characters").toBe(piece);
      }
      expect(pieces.join("").replace(/\s/g, "")).toBe(text.replace(/\s/g, ""));
    }
    expect(splitForAppend(texts[0]).every((piece) => piece.endsWith("."))).toBe(true);
  });
});

describe("work", () => {
  const created = (id: string) => ({ type: "session.delegation.created", delegation: { id, target: "client" } });
  const said = (delta: string) => ({ type: "session.input_transcript.delta", delta });
  const result = (text: string, delegation?: string): TextInput => ({
    ...{ source: "background", text },
    ...(delegation === undefined ? {} : { delegation }),
  });

  test("is told at once when the user has been silent, and after a second at the latest", () => {
    const bench = new Bench().ready().receive(said("do it"));
    bench.units(2).take();
    expect(bench.receive(created("d1")).take()).toEqual([["delegation", { id: "d1", task: "do it" }]]);
    bench.receive(created("d2"));
    for (let i = 0; i < 6; i++) bench.receive(said(" now")).units(1);
    expect(bench.take().filter(([type]) => type === "delegation")).toHaveLength(1);
  });

  test("takes a result without an id for that of the oldest that is open, then for what it says", () => {
    const bench = new Bench().ready().receive(created("d1")).receive(created("d2"));
    bench.sent.length = 0;
    for (const text of ["one", "two", "three"]) bench.units(1, [result(text)]);
    const appended = bench.sent.filter(({ type }) => type === "session.commentary.append");
    expect(appended.map(({ delegation_id: id }) => id)).toEqual(["d1", "d2", null]);
  });

  test("gives an unknown id no meaning", () => {
    const bench = new Bench().ready().units(1, [result("x", "never seen")]);
    expect(bench.sent.at(-1)).toMatchObject({ type: "session.commentary.append", delegation_id: null });
  });

  test("does not grow without bound", () => {
    const bench = new Bench({ delegation: { type: "responses", responses: { model: "m" } } }).ready();
    for (let i = 0; i < 20_000; i++) {
      bench.receive({ type: "response.event", delegation_id: `d${i}`, event: { type: "response.created" } });
      const item = { type: "function_call", call_id: `c${i}`, name: "f", arguments: "x".repeat(1000) };
      bench.receive({
        ...{ type: "response.event", delegation_id: `d${i % 40}` },
        event: { type: "response.output_item.done", item },
      });
      bench.receive(created(`e${i}`)).receive(said("more "));
    }
    bench.take();
    bench.open();
    const lost = bench.notes.flatMap((note) => (note.type === "lost" ? [Number.parseInt(note.what, 10)] : []));
    expect(lost).toHaveLength(1);
    expect(lost[0]).toBeLessThanOrEqual(32 * 32);
  });
});

describe("the end", () => {
  test.each([
    [{ code: 1006, reason: "", status: 401 }, "ACCESS_DENIED", false],
    [{ code: 1006, reason: "", status: 403 }, "ACCESS_DENIED", false],
    [{ code: 1006, reason: "", status: 404 }, "UNSUPPORTED", false],
    [{ code: 1006, reason: "", status: 429, retryAfterS: 3 }, "SERVER_BUSY", true],
    [{ code: 1006, reason: "", status: 500 }, "NETWORK_FAILED", true],
    [{ code: 1006, reason: "", status: 503 }, "SERVER_BUSY", true],
    [{ code: 1000, reason: "" }, "NETWORK_FAILED", true],
    [{ code: 1006, reason: "" }, "NETWORK_FAILED", true],
    [{ code: 1008, reason: "policy" }, "ACCESS_DENIED", false],
    [{ code: 1009, reason: "" }, "PROTOCOL_VIOLATION", false],
    [{ code: 1013, reason: "" }, "SERVER_BUSY", true],
  ] as const)("of a connection with %o is %s", (end, code, retry) => {
    const verdict = verdictOfEnd(end, [apiKey]);
    expect(verdict).toMatchObject({ error: { code }, retry });
    expect(verdict.error.message).toMatch(/; .{8,}/);
  });

  test("knows the service's own reasons and codes", () => {
    expect(verdictOfClosed("expired")).toMatchObject({ error: { code: "NETWORK_FAILED" }, retry: true });
    expect(verdictOfClosed("connection_lost").retry).toBe(true);
    expect(verdictOfClosed("something new").retry).toBe(true);
    const error = (code: string, type = "") => ({ code, type, message: "" });
    expect(verdictOfError(error("unknown_parameter"), true)).toBeUndefined();
    expect(verdictOfError(error("session_expired"), true)?.retry).toBe(true);
    expect(verdictOfError(error("insufficient_quota"), true)?.error.code).toBe("SERVER_BUSY");
    expect(verdictOfError(error("rate_limit_exceeded"), false)?.error.code).toBe("SERVER_BUSY");
    expect(verdictOfError(error("", "server_error"), false)?.error.code).toBe("NETWORK_FAILED");
    expect(verdictOfError(error("model_not_found"), false)?.error.code).toBe("UNSUPPORTED");
  });

  test("keeps keys out of what is told", () => {
    expect(redact(`a ${apiKey} b`, [apiKey])).toBe("a … b");
    expect(redact("Incorrect API key provided: sk-proj-**********cdef.", [])).not.toContain("cdef");
    const { error } = verdictOfEnd({ code: 1006, reason: "", status: 401, body: `key ${apiKey}` }, [apiKey]);
    expect(JSON.stringify([error.message, error.details])).not.toContain(apiKey);
  });

  test("that was asked for is no failure", () => {
    const bench = new Bench().ready();
    bench.wire.goodbye();
    expect(bench.sent.at(-1)?.type).toBe("session.close");
    bench.take();
    bench.receive({ type: "session.closed", reason: "close_requested" });
    expect(bench.take()).toEqual([["fail", "SESSION_CLOSED", true]]);
    bench.wire.closed({ code: 1000, reason: "" });
    expect(bench.notes).toEqual([]);
  });
});

describe("broken messages", () => {
  test("understands every message of the corpus, and notes what means nothing here", () => {
    const bench = new Bench().ready();
    for (const message of gptLiveCorpus) bench.wire.receive(message);
    expect(bench.notes.flatMap((note) => (note.type === "raw" ? [note.message] : []))).toMatchObject([
      { type: "info" },
      { type: "transport.dtmf.received" },
    ]);
    expect(bench.take().map(([type]) => type)).toEqual(
      expect.arrayContaining(["audio", "text", "heard", "delegation", "fail"]),
    );
  });
});
