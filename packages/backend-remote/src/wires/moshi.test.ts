import { readFile } from "node:fs/promises";
import { DuplexError } from "@microturn/core";
import { afterEach, describe, expect, test } from "vitest";
import { OggOpusReader } from "../ogg/ogg-opus.js";
import type { WireEvents, WireNote } from "../wire.js";
import { type MoshiOptions, MoshiWire, moshiEngine, settleMoshiOptions } from "./moshi.js";
import { moshiCorpus } from "./moshi-corpus.js";
import { MoshiSpeech } from "./moshi-speech.js";

const url = "ws://localhost:8998";
const recorded = async (name: string): Promise<Uint8Array[]> => {
  const text = await readFile(new URL(`../../../../fixtures/moshi/${name}`, import.meta.url), "utf8");
  return (JSON.parse(text) as string[]).map((message) => new Uint8Array(Buffer.from(message, "base64")));
};

/** A wire without a socket, and all that it told. */
class Bench {
  readonly wire: MoshiWire;
  readonly sent: Uint8Array[] = [];
  readonly told: unknown[][] = [];
  readonly notes: WireNote[] = [];
  readonly sound: Float32Array[] = [];
  #units = 0;

  constructor(options: Partial<MoshiOptions> = {}) {
    this.wire = new MoshiWire(settleMoshiOptions({ url, ...options }));
  }

  async open(): Promise<this> {
    await this.wire.request(new AbortController().signal);
    const tell =
      (type: string) =>
      (...values: unknown[]) =>
        void this.told.push([type, ...values]);
    const events: WireEvents = {
      send: (message) => void this.sent.push(message as Uint8Array),
      ready: tell("ready"),
      audio: (pcm, reply) => {
        this.sound.push(pcm);
        if (this.told.at(-1)?.[0] !== "audio") this.told.push(["audio", reply]);
      },
      ...{ text: tell("text"), heard: tell("heard"), replyEnd: tell("end"), flush: tell("flush") },
      ...{ delegation: tell("delegation"), delegationCancelled: tell("cancelled") },
      note: (note) => void this.notes.push(note),
      fail: (error, retry) => void this.told.push(["fail", error.code, retry]),
    };
    this.wire.opened(events);
    return this;
  }

  receive(...messages: (string | Uint8Array)[]): this {
    for (const message of messages) this.wire.receive(message);
    return this;
  }

  unit(): this {
    this.wire.sendUnit({ index: this.#units++, audio: new Float32Array(4800), images: [], text: [] });
    return this;
  }
}

describe("options", () => {
  afterEach(() => {
    delete (globalThis as { document?: unknown }).document;
  });

  test("are refused where they cannot be, in words that name the fix", () => {
    const refused = (options: Partial<MoshiOptions>, what: RegExp) =>
      expect(() => moshiEngine({ url, ...options })).toThrow(what);
    refused({ url: "localhost:8998" }, /ws:/);
    refused({ url: "not an address" }, /ws:\/\/localhost:8998/);
    refused({ url: "http://localhost" }, /ws: or wss:/);
    refused({ apiKey: "a", token: () => "b" }, /not both/);
    refused({ gateDb: 3 }, /gateDb must be -100 … 0/);
    refused({ maxBufferMs: 100 }, /maxBufferMs must be 440/);
    refused({ reserveMs: Number.NaN }, /reserveMs/);
    refused({ sampling: { textTopK: Number.NaN } }, /textTopK/);
    refused({ sampling: { topK: 3 } as object }, /no topK/);
    (globalThis as { document?: unknown }).document = {};
    refused({ apiKey: "a" }, /page/);
    expect(() => moshiEngine({ url, token: () => "short-lived" })).not.toThrow();
  });

  test("become the address: the usual path, sampling, and a token for each connection", async () => {
    const sampling = { textTemperature: 0.7, maxSteps: 100 };
    let tokens = 0;
    const { wire } = new Bench({ sampling, token: async () => `t${++tokens}` });
    const { signal } = new AbortController();
    const first = await wire.request(signal);
    expect(first.url).toBe("ws://localhost:8998/api/chat?text_temperature=0.7&max_steps=100&auth_id=t1");
    expect((await wire.request(signal)).url).toContain("auth_id=t2");
    const keyed = await new Bench({ url: "wss://host/moshi/chat", apiKey: "key" }).wire.request(signal);
    expect(keyed).toMatchObject({ url: "wss://host/moshi/chat", headers: { "kyutai-api-key": "key" } });
  });
});

describe("a connection", () => {
  test("sends nothing before the handshake, then its header, then five packets for each micro-turn", async () => {
    for (const handshake of [Uint8Array.of(0), new Uint8Array(9)]) {
      const bench = await new Bench().open();
      bench.receive(moshiCorpus[0]);
      expect(bench.sent).toEqual([]);
      bench.receive(handshake);
      expect(bench.told).toEqual([["ready"]]);
      bench.unit().unit();
      expect(bench.sent.map((message) => message[0])).toEqual(new Array(11).fill(1));
      const reader = new OggOpusReader();
      let packets = 0;
      for (const message of bench.sent) reader.push(message.subarray(1), () => packets++);
      expect(packets).toBe(10);
    }
  });

  test("shakes hands once, and only for the protocol it knows", async () => {
    const bench = await new Bench().open();
    bench.receive(Uint8Array.of(0), Uint8Array.of(0));
    expect(bench.told).toEqual([["ready"]]);
    const other = await new Bench().open();
    expect(() => other.receive(Uint8Array.of(0, 2, 0, 0, 0, 0, 0, 0, 0))).toThrow(/protocol 0, got 2/);
  });

  test("passes over what means nothing here, and tells it", async () => {
    const bench = await new Bench().open();
    const strange = [
      "text",
      new Uint8Array(0),
      Uint8Array.of(3, 0),
      Uint8Array.of(6),
      Uint8Array.of(9),
      Uint8Array.of(99),
    ];
    bench.receive(Uint8Array.of(0), ...strange);
    expect(bench.notes.map(({ type }) => type)).toEqual(strange.map(() => "raw"));
    expect(bench.told).toEqual([["ready"]]);
  });

  test("tells what the server says is wrong", async () => {
    const bench = await new Bench().open();
    bench.receive(moshiCorpus[9], Uint8Array.of(0), moshiCorpus[9]);
    expect(bench.told).toEqual([["fail", "NETWORK_FAILED", false], ["ready"], ["fail", "NETWORK_FAILED", true]]);
  });

  test("that ends is told by how it ended", async () => {
    const verdictOf = async (end: object, ready = false, units = 0) => {
      const bench = await new Bench().open();
      if (ready) bench.receive(Uint8Array.of(0));
      for (let i = 0; i < units; i++)
        bench.wire.sendUnit({ index: i, audio: new Float32Array(0), images: [], text: [] });
      const { error, retry } = bench.wire.closed({ code: 1006, reason: "", ...end });
      expect(error.message).toMatch(/check|try again|log|360 s/);
      return `${error.code} ${retry}${error.details.retryAfterMs ?? ""} ${error.message.includes("360 s")}`;
    };
    expect(await verdictOf({ status: 401 })).toBe("ACCESS_DENIED false false");
    expect(await verdictOf({ status: 503, retryAfterS: 2 })).toBe("SERVER_BUSY true2000 false");
    expect(await verdictOf({ status: 404 })).toBe("NETWORK_FAILED false false");
    expect(await verdictOf({ status: 502 })).toBe("NETWORK_FAILED true false");
    expect(await verdictOf({})).toBe("NETWORK_FAILED true false");
    expect(await verdictOf({ reason: "bye" }, true)).toBe("NETWORK_FAILED true false");
    expect(await verdictOf({}, true, 1799)).toBe("NETWORK_FAILED true true");
  });

  test("that is silent means that the server is taken", () => {
    expect(new Bench().wire.unanswered(5000)).toMatchObject({ code: "SERVER_BUSY", details: { waitedMs: 5000 } });
  });

  test("after another begins a new conversation, and says so", async () => {
    const bench = await new Bench().open();
    bench.receive(Uint8Array.of(0)).unit();
    bench.wire.closed({ code: 1006, reason: "" });
    await bench.open();
    expect(bench.notes).toEqual([{ type: "lost", what: expect.stringContaining("conversation") }]);
    const before = bench.sent.length;
    bench.receive(Uint8Array.of(0));
    expect(bench.sent[before][6]).toBe(2);
  });

  test("that was said goodbye to takes and gives nothing more", async () => {
    const bench = await new Bench().open();
    bench.receive(...moshiCorpus.slice(0, 4));
    bench.wire.goodbye();
    bench.receive(...moshiCorpus).unit();
    expect(bench.told).toEqual([["ready"]]);
  });

  test("hears what Kyutai's own server sent: one reply, its words in their place, its tone (recorded)", async () => {
    const bench = await new Bench().open();
    bench.receive(...(await recorded("python-server.json")));
    const texts = bench.told.filter(([type]) => type === "text");
    expect(texts.map(([, text]) => text).join("")).toBe(" Hello from Moshi.€");
    expect(texts.map(([, , reply]) => reply)).toEqual(texts.map(() => "reply 1"));
    // Of steps 4, 5, 7, 10, 11 and 16; the reply begins one packet before step 4.
    expect(texts.map(([, , , atMs]) => atMs)).toEqual([40, 120, 280, 520, 600, 1000]);
    expect(bench.told.filter(([type]) => type === "end")).toEqual([["end", "reply 1"]]);
    const sound = Float32Array.from(bench.sound.flatMap((pcm) => [...pcm]));
    const tone = sound.subarray(2 * 1920, 20 * 1920);
    expect(tone.length).toBe(18 * 1920);
    expect(amplitude(tone, 440)).toBeCloseTo(0.3, 2);
    expect(Math.hypot(...tone) / Math.sqrt(tone.length)).toBeCloseTo(0.3 / Math.SQRT2, 2);
  });

  test("gives the same sound wherever its bytes are cut into messages (scenario 20)", async () => {
    const messages = (await recorded("python-server.json")).slice(0, 16);
    const whole = (await new Bench({ gateDb: -100 }).open()).receive(...messages);
    const stream = Uint8Array.from(
      messages.filter(([kind]) => kind === 1).flatMap((message) => [...message.subarray(1)]),
    );
    for (const size of [1, 2, 27, 100, 997]) {
      const bench = (await new Bench({ gateDb: -100 }).open()).receive(Uint8Array.of(0));
      for (let at = 0; at < stream.length; at += size) {
        bench.receive(Uint8Array.of(1, ...stream.subarray(at, at + size)));
        bench.receive(Uint8Array.of(77));
      }
      expect(bench.sound.length).toBeGreaterThan(8);
      expect(bench.sound).toEqual(whole.sound);
    }
  });

  test("ends with a typed error at a page that was altered (scenario 20)", async () => {
    const bench = (await new Bench().open()).receive(Uint8Array.of(0));
    const message = Uint8Array.from(moshiCorpus[3]);
    message[message.length - 3] ^= 4;
    expect(() => bench.receive(message)).toThrow(/CRC/);
    try {
      (await new Bench().open()).receive(message);
    } catch (error) {
      expect(DuplexError.is(error, "PROTOCOL_VIOLATION")).toBe(true);
    }
  });
});

describe("the energy gate", () => {
  const loud = (samples = 960) => new Float32Array(samples).fill(0.1);
  const still = (samples = 960) => new Float32Array(samples);

  function gate() {
    const told: string[] = [];
    let names = 0;
    const events = {
      audio: (pcm: Float32Array, reply: string) => void told.push(`${reply}:${pcm[0] > 0 ? "loud" : "still"}`),
      text: (text: string, reply: string, atMs: number) => void told.push(`${reply}:"${text}"@${atMs}`),
      replyEnd: (reply: string) => void told.push(`${reply}.`),
    };
    const speech = new MoshiSpeech(events, () => `${++names}`, { gateDb: -50, hangoverMs: 400 });
    return { told, speech };
  }

  test("passes no silence on, but what comes just before a reply and the quiet that ends it", () => {
    const { told, speech } = gate();
    for (let i = 0; i < 20; i++) speech.addSound(still());
    expect(told).toEqual([]);
    speech.addSound(loud());
    expect(told).toEqual(["1:still", "1:loud"]);
    told.length = 0;
    for (let i = 0; i < 20; i++) speech.addSound(still());
    expect(told).toEqual([...new Array(10).fill("1:still"), "1."]);
  });

  test("stays open over a pause between words", () => {
    const { told, speech } = gate();
    speech.addSound(loud());
    for (let i = 0; i < 9; i++) speech.addSound(still());
    speech.addSound(loud());
    expect(told.every((line) => line.startsWith("1:"))).toBe(true);
    expect(told).toHaveLength(11);
  });

  test("opens for a word, too, and gives it its step", () => {
    const { told, speech } = gate();
    for (let i = 0; i < 4; i++) speech.addSound(still());
    speech.addText(" Hi");
    speech.addSound(still());
    speech.addSound(still());
    speech.addText(" there");
    expect(told).toEqual(["1:still", "1:still", '1:" Hi"@0', "1:still", "1:still", '1:" there"@80']);
  });

  test("after an interruption passes over the rest of what is said, and hears the next reply", () => {
    const { told, speech } = gate();
    speech.addSound(loud());
    speech.mute();
    told.length = 0;
    for (let i = 0; i < 30; i++) speech.addSound(loud());
    speech.addText(" and on");
    expect(told).toEqual([]);
    for (let i = 0; i < 10; i++) speech.addSound(still());
    speech.addSound(loud());
    expect(told).toEqual(["2:loud"]);
  });

  test("puts together characters that come as bytes", () => {
    const { told, speech } = gate();
    for (const piece of ["<0xE2>", "<0x82>", "<0xAC>", "▁uro", "<0xE2>", "!"]) speech.addText(piece);
    expect(told).toEqual(['1:"€"@0', '1:" uro"@0', '1:"\ufffd!"@0']);
  });
});

/** Of a sine in a sound at 24 kHz. */
function amplitude(sound: Float32Array, hertz: number): number {
  let [re, im] = [0, 0];
  for (let i = 0; i < sound.length; i++) {
    const phase = (2 * Math.PI * hertz * i) / 24_000;
    re += sound[i] * Math.cos(phase);
    im += sound[i] * Math.sin(phase);
  }
  return (2 * Math.hypot(re, im)) / sound.length;
}
