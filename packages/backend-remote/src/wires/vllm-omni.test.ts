import { DuplexError, type TextInput } from "@microturn/core";
import { describe, expect, test } from "vitest";
import { encodeBase64 } from "../codec/base64.js";
import { encodePcm16 } from "../codec/pcm16.js";
import { mutateJson, seededRandom } from "../testing/mutate-json.js";
import { WireBench } from "../testing/wire-bench.js";
import type { WirePlayed } from "../wire.js";
import { VllmOmniWire, vllmOmniEngine } from "./vllm-omni.js";
import { vllmOmniCorpus } from "./vllm-omni-corpus.js";
import { verdictOfOmniEnd } from "./vllm-omni-errors.js";
import { omniRequest, type VllmOmniOptions } from "./vllm-omni-options.js";
import { MarkedText } from "./vllm-omni-text.js";

const url = "ws://127.0.0.1:8099";
const apiKey = "key-of-the-test";
const can = { supports_session_resume: true, supports_audio_truncate: true, chunk_period_ms: 200 };

class Bench extends WireBench<VllmOmniWire> {
  #units = 0;

  constructor(options: Partial<VllmOmniOptions> = {}) {
    super(new VllmOmniWire({ url, apiKey, ...options }));
  }

  /** A session that is open. */
  ready(capabilities: object = can): this {
    const session = { id: "s", epoch: 0, capabilities };
    return this.open().receive({ type: "session.created", resume_token: "t1", incarnation: "i1", session });
  }

  units(count = 1, text: readonly TextInput[] = [], played: readonly WirePlayed[] = []): this {
    for (let i = 0; i < count; i++) {
      const { inputSampleRate } = this.wire.capabilities;
      const audio = new Float32Array(inputSampleRate / 5);
      this.wire.sendUnit({ index: this.#units++, audio, images: [], text, played });
    }
    return this;
  }

  take(): unknown[][] {
    return this.told.splice(0);
  }

  sentOf(type: string): Record<string, unknown>[] {
    return this.sent.filter((message) => message.type === type);
  }
}

function sound(id: string, samples: number, metadata: object = {}): object {
  const delta = encodeBase64(encodePcm16(new Float32Array(samples).fill(0.5)));
  return { type: "response.output_audio.delta", response_id: id, item_id: `item_${id}`, delta, metadata };
}

const created = (id: string, epoch = 0) => ({ type: "response.created", response: { id, metadata: { epoch } } });

describe("the wire of vLLM-Omni", () => {
  test("asks for a session, and goes on with it by its ticket", () => {
    const bench = new Bench({ model: "m" }).ready();
    expect(bench.take()).toEqual([["ready"]]);
    expect(bench.sent[0]).toMatchObject({ type: "session.update", session: { model: "m", turn_detection: null } });
    bench.receive({ ...created("r"), server_event_seq: 7 }).units(3);
    expect(bench.sentOf("session.event_ack").map((ack) => ack.server_event_seq)).toEqual([7]);
    bench.wire.closed({ code: 1006, reason: "" });
    bench.sent.length = 0;
    bench.open();
    expect(bench.sent).toEqual([
      expect.objectContaining({
        ...{ type: "session.resume", session_id: "s", resume_token: "t1", incarnation: "i1" },
        last_received_server_event_seq: 7,
      }),
    ]);
    bench.receive({ type: "session.resumed", resume_token: "t2", server_event_seq: 7 });
    // A replay that begins with what there was.
    bench.receive({ ...sound("r", 10), server_event_seq: 7 }, { ...sound("r", 20), server_event_seq: 8 });
    expect(bench.take()).toEqual([["ready"], ["audio", 20, "r"]]);
    bench.wire.closed({ code: 1006, reason: "" });
    bench.open();
    expect(bench.sent.at(-1)).toMatchObject({ resume_token: "t2", last_received_server_event_seq: 8 });
  });

  test("sends again what has not arrived, where the server tells, and counts what is gone", () => {
    const bench = new Bench().ready().units(100);
    bench.receive({ type: "error", error: { code: "input_backpressure", event_id: bench.sent.at(-1)?.event_id } });
    bench.wire.closed({ code: 1006, reason: "" });
    bench.sent.length = 0;
    bench.open().receive({ type: "session.resumed", resume_token: "t2", input_audio: { received_appends: 97 } });
    const again = bench.sentOf("input_audio_buffer.append").map((append) => append.audio_end_ms);
    expect(again).toEqual([19_600, 19_800]);
    bench.wire.closed({ code: 1006, reason: "" });
    bench.open().receive({ type: "session.resumed", resume_token: "t3", input_audio: { received_appends: 9 } });
    expect(bench.notes.slice(-1)).toEqual([{ type: "input-dropped", units: 27 }]);
    expect(bench.told.filter(([type]) => type === "ready")).toHaveLength(3);
  });

  test("asks for less where the server tells what it has, once, and tells the loss once", () => {
    const bench = new Bench().ready().receive({ ...created("r"), server_event_seq: 3 });
    bench.wire.closed({ code: 1006, reason: "" });
    bench.open();
    const resync = {
      type: "session.resync_required",
      reason: "x",
      first_server_event_seq: 9,
      last_server_event_seq: 12,
    };
    bench.receive(resync);
    expect(bench.sent.at(-1)).toMatchObject({ type: "session.resume", last_received_server_event_seq: 8 });
    expect(bench.notes.filter(({ type }) => type === "lost")).toHaveLength(1);
    bench.receive(resync);
    expect(bench.take().at(-1)).toEqual(["fail", "NETWORK_FAILED", true]);
    bench.ready();
    expect(bench.notes.filter(({ type }) => type === "lost")).toHaveLength(1);
  });

  test("drops sound of an older epoch, and flushes when the epoch rises", () => {
    const bench = new Bench().ready().receive(created("a"), sound("a", 10, { epoch: 0 }));
    bench.receive(created("b", 2), sound("a", 11), sound("c", 12, { epoch: 1 }), sound("b", 13, { epoch: 2 }));
    expect(bench.take()).toEqual([["ready"], ["audio", 10, "a"], ["flush"], ["audio", 13, "b"]]);
  });

  test("an interruption that the service does not confirm is given up", () => {
    const bench = new Bench().ready().receive(created("a"), sound("a", 10, { epoch: 0 }));
    bench.wire.interrupt();
    bench.wire.interrupt();
    expect(bench.sentOf("response.cancel")).toHaveLength(1);
    bench
      .receive(sound("b", 11, { epoch: 0 }))
      .units(10)
      .receive(sound("c", 12, { epoch: 0 }));
    expect(bench.take().slice(1)).toEqual([
      ["audio", 10, "a"],
      ["audio", 12, "c"],
    ]);
  });

  test("flushes what a service clears, but not for a response that another has followed", () => {
    const bench = new Bench().ready().receive(created("a"), sound("a", 10), created("b"), sound("b", 10));
    bench.take();
    bench.receive({ type: "output_audio_buffer.cleared", response_id: "a" });
    expect(bench.take()).toEqual([]);
    bench.receive({ type: "output_audio_buffer.cleared", response_id: "b" }, sound("b", 5));
    expect(bench.take()).toEqual([["flush"]]);
  });

  test("tells calls when their response is complete; their results ask for a response only where the server wants that", () => {
    const item = { type: "function_call", call_id: "c1", name: "weather", arguments: '{"task":"Rome"}' };
    const done = { type: "response.done", response: { id: "r", status: "completed" } };
    for (const supports_tools of [undefined, true]) {
      const bench = new Bench({ tools: [{ name: "weather" }] }).ready({ ...can, supports_tools });
      bench.receive(created("r"), { type: "response.output_item.done", response_id: "r", item });
      expect(bench.take()).toEqual([["ready"]]);
      bench.receive(done);
      expect(bench.take()[0]).toEqual([
        "delegation",
        { id: "c1", name: "weather", arguments: { task: "Rome" }, task: "Rome" },
      ]);
      bench.receive(created("next")).units(1, [{ source: "background", text: "rain", delegation: "c1" }]);
      expect(bench.sentOf("conversation.item.create")).toMatchObject([
        { item: { type: "function_call_output", call_id: "c1", output: "rain" } },
      ]);
      expect(bench.sentOf("response.create")).toHaveLength(0);
      bench.receive({ type: "response.done", response: { id: "next", status: "completed" } });
      expect(bench.sentOf("response.create")).toHaveLength(supports_tools === true ? 1 : 0);
    }
  });

  test("a server without capabilities is no duplex server", () => {
    const bench = new Bench().open();
    expect(() => bench.receive({ type: "session.created", session: { id: "s" } })).toThrow(/session_mode: duplex/);
  });

  test("places words between marks, by characters as Python counts", () => {
    const text = new MarkedText();
    text.mark([{ text_chars: 8, audio_end_ms: 800 }], 0);
    expect(text.add("🙂🙂 four")).toEqual([
      { text: "🙂🙂 ", atMs: 0 },
      { text: "four", atMs: 300 },
    ]);
    text.mark([{ text_chars: 12, audio_end_ms: 3000 }, null, { text_chars: 4, audio_end_ms: 9 }], 2600);
    expect(text.add("e five six")).toEqual([
      { text: "e ", atMs: 700 },
      { text: "five ", atMs: 2700 },
      { text: "six", atMs: undefined },
    ]);
  });

  test("keeps keys to itself, and to Node", async () => {
    expect(() => vllmOmniEngine({ url, apiKey, token: () => "t" })).toThrow(TypeError);
    expect(() => vllmOmniEngine({ url: "localhost:8099" })).toThrow(TypeError);
    expect(() => vllmOmniEngine({ url, refAudio: "/etc/voice.wav" })).toThrow(/data URL/);
    expect(() => vllmOmniEngine({ url, reserveMs: -1 })).toThrow(RangeError);
    expect((await omniRequest({ url, apiKey })).request.headers).toEqual({ Authorization: `Bearer ${apiKey}` });
    await expect(omniRequest({ url, token: () => "two words" })).rejects.toMatchObject({ code: "ACCESS_DENIED" });
    const scope = globalThis as { document?: unknown };
    scope.document = {};
    try {
      expect(() => vllmOmniEngine({ url, apiKey })).toThrow(/a page must not hold a key/);
      const { request } = await omniRequest({ url: "https://host/v1/duplex?a=b", token: async () => "ek_1" });
      expect(request).toEqual({
        url: "wss://host/v1/duplex?a=b&duplex=1&autostart=0",
        protocols: ["realtime", "openai-insecure-api-key.ek_1"],
      });
    } finally {
      delete scope.document;
    }
    const { error } = verdictOfOmniEnd({ code: 1006, reason: "", status: 401, body: `bad ${apiKey}` }, [apiKey]);
    expect(error.message).not.toContain(apiKey);
  });

  test.each([
    [{ code: 1006, reason: "", status: 403 }, "ACCESS_DENIED", false],
    [{ code: 1006, reason: "", status: 404 }, "UNSUPPORTED", false],
    [{ code: 1006, reason: "", status: 429, retryAfterS: 3 }, "SERVER_BUSY", true],
    [{ code: 1006, reason: "", status: 502 }, "NETWORK_FAILED", true],
    [{ code: 1013, reason: "" }, "SERVER_BUSY", true],
    [{ code: 1009, reason: "" }, "PROTOCOL_VIOLATION", false],
    [{ code: 1001, reason: "" }, "NETWORK_FAILED", true],
  ])("%j ends with %s", (end, code, retry) => {
    const verdict = verdictOfOmniEnd(end, []);
    expect([verdict.error.code, verdict.retry]).toEqual([code, retry]);
  });

  test("survives broken messages, with errors of one kind", () => {
    let refusals = 0;
    for (let round = 0; round < 4; round++) {
      const random = seededRandom(round + 1);
      const bench = new Bench({ inputFormat: round % 2 === 0 ? "pcm16" : "pcm_f32le" }).ready();
      for (let i = 0; i < 1500; i++) {
        const text = mutateJson(vllmOmniCorpus, random);
        try {
          bench.wire.receive(i % 50 === 0 ? new TextEncoder().encode(text) : text);
        } catch (error) {
          const typed = DuplexError.is(error) && ["PROTOCOL_VIOLATION", "UNSUPPORTED"].includes(error.code);
          if (!typed) throw new Error(`message ${i}: ${text}`, { cause: error });
          refusals++;
          bench.wire.closed({ code: 1002, reason: "" });
          if (refusals % 3 === 0) bench.open();
          else bench.ready();
        }
        if (i % 7 === 0) {
          bench.units(
            1,
            [{ source: "background", text: "x", delegation: "call_1" }],
            [{ reply: "r1", heardMs: i / 3 }],
          );
        }
        if (i % 101 === 0) bench.wire.interrupt();
        if (i % 103 === 0) bench.wire.truncate("r1", 100.7);
        bench.sent.length = 0;
        bench.told.length = 0;
      }
      const fresh = new Bench().ready().receive(created("r"), sound("r", 100));
      expect(fresh.take()).toEqual([["ready"], ["audio", 100, "r"]]);
    }
    expect(refusals).toBeGreaterThan(200);
  });

  test("understands every message of the corpus", () => {
    const bench = new Bench().ready();
    for (const message of vllmOmniCorpus) bench.wire.receive(message);
    expect(bench.notes.filter(({ type }) => type === "raw")).toEqual([]);
    const kinds = new Set(bench.take().map(([type]) => type));
    expect([...kinds].sort()).toEqual(["audio", "delegation", "end", "fail", "flush", "heard", "ready", "text"]);
  });
});
