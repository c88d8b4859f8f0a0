// The wire of Moshi against doubles of its two servers: the common suite, and what is particular to Moshi.

import { readFile } from "node:fs/promises";
import { type MoshiOptions, moshiEngine } from "@microturn/backend-remote";
import { DuplexError } from "@microturn/core";
import { afterEach, describe, expect, test } from "vitest";
import { type MoshiDouble, type MoshiDoubleOptions, moshiDouble } from "./moshi-double.js";
import { opusPackets, PageWriter, plainPackets } from "./moshi-ogg.js";
import { MoshiPeer, stepSamples } from "./moshi-peer.js";
import { plainOpus } from "./moshi-plain.js";
import { difference, sawtooth, until, WireBench } from "./wire-session.js";
import { describeWire } from "./wire-suite.js";

const secret = "key-of-moshi-server";
const profiles = ["python", "rust"] as const;
const unknown = [
  ...[Uint8Array.of(6), Uint8Array.of(3, 1), Uint8Array.of(8, 1, 2, 3), Uint8Array.of(200)],
  ...["text", new Uint8Array(0)],
];
const broken = [
  ...[Uint8Array.of(1), Uint8Array.of(1, 1, 2, 3), Uint8Array.of(1, 0x4f, 0x67, 0x67, 0x53, 1)],
  ...[Uint8Array.of(0, 1, 0, 0, 0, 0, 0, 0, 0), Uint8Array.of(2, 0xff, 0xfe), Uint8Array.of(7), Uint8Array.of(4, 0x7b)],
];

describe.each(profiles)("%s server", (profile) => {
  describeWire({
    name: `moshi, ${profile}, packets of plain PCM`,
    ...{ secret, unknown, broken, fatalCloses: [] },
    // Ten minutes are more than the Rust server gives; what it does then is tested below.
    double: () => moshiDouble({ profile, codec: plainPackets, key: secret, maxSteps: 10_000 }),
    // The suite holds more input back than is sensible for a model in real time.
    engine: ({ url }, options) => moshiEngine({ url, apiKey: secret, opus: plainOpus, maxHeldMs: 5000, ...options }),
  });
});

let double: MoshiDouble | undefined;
afterEach(() => double?.close());

async function bench(
  options: MoshiDoubleOptions,
  engineOptions: Partial<MoshiOptions> = {},
): Promise<{ double: MoshiDouble; make: (more?: Partial<MoshiOptions>) => WireBench }> {
  const made = await moshiDouble(options);
  double = made;
  const plain = options.codec === undefined ? {} : { opus: plainOpus };
  const make = (more: Partial<MoshiOptions> = {}) =>
    new WireBench(
      {
        name: "moshi",
        ...{ unknown, broken, fatalCloses: [] },
        double: async () => made,
        engine: ({ url }, connection) => moshiEngine({ url, ...plain, ...engineOptions, ...more, ...connection }),
      },
      made,
      more,
    );
  return { double: made, make };
}

test("a Python server that is taken lets others wait; that is told as SERVER_BUSY, and passes (scenario 2)", async () => {
  const { double, make } = await bench({ profile: "python", codec: plainPackets });
  const [first, second, third] = [make(), make({ connectTimeoutMs: 4000 }), make()];
  const talk = await first.open();
  const opening = second.open().then(
    () => undefined,
    (caught: unknown) => caught,
  );
  await until("both are connected", () => double.openConnections === 2);
  await second.clock.advance(4000);
  const error = (await opening) as DuplexError;
  expect(DuplexError.is(error, "SERVER_BUSY"), String(error)).toBe(true);
  expect(error.details).toEqual({ waitedMs: 4000 });
  await until("the second is gone", () => double.openConnections === 1);
  const waiting = third.open();
  await until("the third waits", () => double.openConnections === 2);
  await talk.step();
  await talk.session.close();
  const next = await waiting;
  await next.step();
  expect(double.readyConnections).toBe(2);
  await Promise.all([first, second, third].map(({ engine }) => engine.close()));
  expect(double.violations).toEqual([]);
});

test.each(profiles)(
  "80 ms steps against micro-turns for 60 s: no drift, nothing filled up (scenario 21, %s)",
  async (profile) => {
    const { double, make } = await bench({ profile, codec: plainPackets });
    const one = make();
    const talk = await one.open();
    const sound = sawtooth(60 * 24_000);
    const reply = double.beginReply();
    reply.sound(sound);
    reply.end();
    const outputs = await talk.steps(306);
    expect(difference(talk.sound(), sound)).toBe("");
    const spoken = outputs.map(({ speech }) => speech.every((value) => value !== 0));
    const start = spoken.indexOf(true);
    expect(start, "micro-turns until it is heard").toBeLessThan(4);
    expect(spoken.slice(start, start + 300)).toEqual(new Array(300).fill(true));
    expect(double.receivedSamples).toBe(306 * 4800);
    expect(one.count("underrun") + one.count("output-dropped")).toBe(0);
    await one.engine.close();
    expect(double.violations).toEqual([]);
  },
);

test("a stall of a second, then all at once: what is held stays bounded, and is counted (scenario 18)", async () => {
  const { double, make } = await bench({ profile: "python", codec: plainPackets });
  const one = make();
  const talk = await one.open();
  const sound = sawtooth(30 * 4800);
  const reply = double.beginReply();
  reply.sound(sound);
  reply.end();
  await talk.steps(5);
  double.pause();
  for (let turn = 0; turn < 5; turn++) await talk.turn();
  double.resume();
  await until("all arrives", () => double.receivedSamples === 10 * 4800);
  await talk.steps(27);
  const lost = one.notes
    .filter(({ type }) => type === "output-dropped")
    .reduce((sum, { samples }) => sum + Number(samples), 0);
  expect(one.count("underrun")).toBeGreaterThan(0);
  // What came in the stall, less what may be held: 800 ms of it and the micro-turn that is taken next.
  expect(lost).toBeGreaterThan(4800);
  expect(lost).toBeLessThan(6 * 4800);
  expect(talk.sound().length + lost).toBe(sound.length);
  const end = talk.sound().slice(-10 * 4800);
  expect(difference(end, sound.slice(-10 * 4800))).toBe("");
  await one.engine.close();
});

test("the Rust server ends after 360 s; the session goes on with a new conversation, and says so", async () => {
  const { double, make } = await bench({ profile: "rust", codec: plainPackets });
  const one = make();
  const talk = await one.open();
  for (let turn = 0; turn < 1799; turn++) {
    await talk.turn();
    if (turn % 20 === 0) await until("the server keeps up", () => double.receivedSamples >= turn * 4800);
  }
  expect(one.count("reconnecting")).toBe(0);
  for (let turn = 0; turn < 20 && one.count("reconnecting") === 0; turn++) {
    await talk.turn();
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
  await until("the end is seen", () => one.count("reconnecting") === 1);
  await one.clock.advance(0);
  await until("another connection", () => one.count("reconnected") === 1);
  const cause = one.notes.find(({ type }) => type === "reconnecting")?.cause as DuplexError;
  expect(cause.code).toBe("NETWORK_FAILED");
  expect(cause.message).toContain("360 s");
  expect(one.count("lost")).toBe(1);
  await talk.step();
  await one.engine.close();
});

test("sampling goes into the address, for the server in Rust", async () => {
  const { double, make } = await bench({ profile: "rust", codec: plainPackets });
  const one = make({ sampling: { textTopK: 25, audioSeed: 7, maxSteps: 20 } });
  const talk = await one.open();
  expect(Object.fromEntries(double.queries[0])).toEqual({ text_topk: "25", audio_seed: "7", max_steps: "20" });
  await talk.steps(3);
  for (let turn = 0; turn < 20 && one.count("reconnecting") === 0; turn++) {
    await talk.turn();
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
  expect(one.count("reconnecting"), "the server ends after 20 steps").toBe(1);
  await one.engine.close();
});

test.each(profiles)("a tone goes to the server and another comes back, by Opus (%s)", async (profile) => {
  const { double, make } = await bench({ profile });
  const one = make();
  const talk = await one.open();
  const reply = double.beginReply();
  reply.text("▁Hel");
  reply.text("lo");
  reply.sound(Int16Array.from({ length: 2 * 24_000 }, (_, i) => 9830 * Math.sin((2 * Math.PI * 440 * i) / 24_000)));
  reply.end();
  for (let turn = 0; turn < 20; turn++) {
    await talk.step({
      audio: Float32Array.from(
        { length: 4800 },
        (_, i) => 0.3 * Math.sin((2 * Math.PI * 300 * (turn * 4800 + i)) / 24_000),
      ),
    });
  }
  expect(talk.text()).toBe("Hello");
  const speaking = talk.outputs.map(({ decision }) => decision).join(" ");
  // It begins with the step before, and ends with the quiet that tells its end: 2 s and up to 0.6 s more.
  expect(speaking).toMatch(/^(listen ){1,3}(speak ){10,13}(listen ?){4,9}$/);
  const from = talk.outputs.findIndex(({ decision }) => decision === "speak") + 1;
  const heard = Float32Array.from(talk.outputs.slice(from, from + 8).flatMap(({ speech }) => [...speech]));
  expect(amplitude(heard, 440)).toBeCloseTo(0.3, 1);
  const understood = Float32Array.from(double.received(), (value) => value / 32768);
  expect(understood.length).toBe(20 * 4800);
  expect(amplitude(understood.slice(4800), 300)).toBeCloseTo(0.3, 1);
  await one.engine.close();
  expect(double.violations).toEqual([]);
});

describe("the doubles", () => {
  const clientMessages = async () => {
    const text = await readFile(new URL("../../../fixtures/moshi/python-client.json", import.meta.url), "utf8");
    return (JSON.parse(text) as string[]).map((message) => Buffer.from(message, "base64"));
  };
  const peerOf = (profile: (typeof profiles)[number]) => {
    const sent: Uint8Array[] = [];
    const ended: number[] = [];
    const peer = new MoshiPeer({
      ...{ profile, codec: opusPackets() },
      send: (message) => void sent.push(message),
      end: () => void ended.push(sent.length),
    });
    return { peer, sent, ended };
  };

  test.each(profiles)("take what Kyutai's own client sent (recorded, %s)", async (profile) => {
    const { peer, sent } = peerOf(profile);
    peer.start();
    for (const message of await clientMessages()) peer.receive(message, true);
    expect(peer.violations).toEqual([]);
    expect(peer.steps).toBe(25);
    expect(
      amplitude(
        Float32Array.from(peer.received().slice(4800), (value) => value / 32768),
        300,
      ),
    ).toBeCloseTo(0.3, 2);
    const kinds = sent.map((message) => message[0]);
    // In Rust metadata, the handshake and the header come first, then a page at a time.
    if (profile === "rust") expect(kinds).toEqual([4, 0, 1, ...new Array(24 * 2).fill(1)]);
    else expect(kinds).toEqual([0, ...new Array(24).fill(1)]);
  });

  test("say nothing while they hear nothing", () => {
    const { peer, sent } = peerOf("python");
    peer.start();
    expect(sent).toEqual([Uint8Array.of(0)]);
    const writer = new PageWriter(1);
    peer.receive(Buffer.concat([Buffer.of(1), writer.header()]), true);
    expect(peer.steps).toBe(0);
    expect(sent).toHaveLength(1);
  });

  test("refuse what no client should send: Rust ends, Python goes on", () => {
    const cases = [
      ["text", false, "a text message"],
      ["\u0009image", true, "kind 9"],
    ] as const;
    for (const [text, isBinary, what] of cases) {
      for (const profile of profiles) {
        const { peer, ended } = peerOf(profile);
        peer.start();
        peer.receive(Buffer.from(text), isBinary);
        expect(peer.violations).toEqual([what]);
        expect(ended.length).toBe(profile === "rust" ? 1 : 0);
      }
    }
    const { peer } = peerOf("python");
    peer.receive(Uint8Array.of(1), true);
    expect(peer.violations).toEqual(["a message before the handshake"]);
  });

  test("refuse pages that are not in order, or altered", () => {
    const page = (writer: PageWriter) => writer.packet(new Uint8Array(10), stepSamples);
    const faults: ((writer: PageWriter) => Uint8Array)[] = [
      (writer) => {
        page(writer);
        return page(writer);
      },
      (writer) => {
        const bytes = page(writer);
        bytes[30] ^= 1;
        return bytes;
      },
      () => new PageWriter(2).header(),
    ];
    for (const fault of faults) {
      const { peer, ended } = peerOf("python");
      peer.start();
      const writer = new PageWriter(1);
      peer.receive(Buffer.concat([Buffer.of(1), writer.header(), fault(writer)]), true);
      expect(ended).toHaveLength(1);
    }
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
