// What goes wrong around a server, case by case, on both wires: a typed error on either side, the sessions of others go on, and
// nothing is left behind or told to the log that is nobody's business.

import { createServer as createNetServer } from "node:net";
import { microturnEngine, openaiRealtimeEngine, vllmOmniEngine } from "@microturn/backend-remote";
import { DuplexError, type EngineSession } from "@microturn/core";
import { decodeServerMessage, MessageEncoder, type ServerMessage } from "@microturn/core/protocol";
import { scriptedEngine } from "@microturn/core/testing";
import { createServer, createToken, type Logger, type MicroturnServer } from "@microturn/server";
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { WebSocket, WebSocketServer } from "ws";
import { jsonClient } from "./json-client.js";
import { KillingProxy } from "./killing-proxy.js";
import type { Json } from "./recorded-service.js";
import { until } from "./wire-session.js";

const key = "sk-key-of-the-server";
const secret = "a secret for tests that is long enough to sign with";
const encoder = new MessageEncoder();
const limits = { maxMessageBytes: 200_000, maxAheadMs: 60_000, maxSlowShare: 1, graceMs: 2000 };
/** A micro-turn of silence for a step; the same and a second in base64 for the JSON wire. */
const silence = new Float32Array(3200);
const micro = Buffer.alloc(9600).toString("base64");
const second = Buffer.alloc(48_000).toString("base64");
const large = Buffer.alloc(100 * 1024 * 1024);

let scripted: ReturnType<typeof scriptedEngine>;
let server: MicroturnServer;
let port: number;
let lines: string[];
/** Two sessions of others, one on each wire. */
let others: { readonly step: () => Promise<void>; readonly close: () => Promise<void> };

beforeEach(async () => {
  lines = [];
  const note = (fields: object, message: string) => void lines.push(JSON.stringify({ ...fields, message }));
  const log: Logger = { info: note, warn: note, error: note };
  scripted = scriptedEngine({ keepSteps: false, script: () => ({ decision: "speak", speech: 0.25, text: "hello" }) });
  server = createServer({ engine: scripted, auth: { apiKeys: [key], secret }, log, limits, maxSessions: 6 });
  ({ port } = await server.listen({ port: 0 }));
  await server.ready;
  others = await openOthers();
});

afterEach(async () => {
  vi.useRealTimers();
  // The others were not touched by it.
  for (let turn = 0; turn < 3; turn++) await others.step();
  await others.close();
  await until("all sessions are gone", () => server.openSessions === 0 && scripted.openSessions === 0);
  await server.close();
  const told = lines.join("\n");
  expect(told).not.toContain("    at ");
  for (const nobodys of [key, secret, "eyJ", "sk-another", "hello"]) expect(told).not.toContain(nobodys);
});

async function openOthers(): Promise<typeof others> {
  const engine = microturnEngine({ url: `ws://127.0.0.1:${port}`, apiKey: key });
  const session = await engine.open();
  const client = await json();
  let index = 0;
  return {
    step: async () => {
      expect((await stepOf(session, index++)).text).toBe("hello");
      const before = client.of("response.output_audio.delta").length;
      client.say({ type: "input_audio_buffer.append", audio: micro });
      await until("sound for another", () => client.of("response.output_audio.delta").length > before);
      expect(client.of("error")).toEqual([]);
    },
    close: async () => {
      client.socket.close();
      await engine.close();
    },
  };
}

const stepOf = (session: EngineSession, index: number) =>
  session.step({ index, turns: 1, audio: silence, images: [], text: [] });

/** A client of the JSON wire, whose session is open. */
async function json(at = port) {
  const client = jsonClient(`ws://127.0.0.1:${at}`, key);
  const { told, say, of } = client;
  await until("session.created", () => told.length > 0);
  /** @returns the code of the error that answers it */
  const refused = async (event: object): Promise<string> => {
    const before = of("error").length;
    say(event);
    await until("an error", () => of("error").length > before);
    const { code, message } = of("error")[before].error;
    expect(message.length, "says what was wrong").toBeGreaterThan(10);
    return code;
  };
  return { ...client, refused };
}

/** A client of the micro-turn wire that sends what it likes. */
async function raw() {
  const headers = { Authorization: `Bearer ${key}` };
  const socket = new WebSocket(`ws://127.0.0.1:${port}/v1/micro-turn`, ["microturn.v1"], { headers });
  const told: ServerMessage[] = [];
  const end = { code: 0 };
  socket.on("error", () => {});
  socket.on("close", (code) => {
    end.code = code;
  });
  socket.on("message", (data: Buffer) => told.push(decodeServerMessage(data)));
  await new Promise((resolve) => socket.once("open", resolve));
  return { socket, told, end };
}

/** Clients of ours, each with its own wire, that come with a key or token. */
const clients = (token: string, at = port) => [
  microturnEngine({ url: `ws://127.0.0.1:${at}`, token: () => token, reconnectMs: 0 }),
  vllmOmniEngine({ url: `ws://127.0.0.1:${at}`, token: async () => token, reconnectMs: 0 }),
  openaiRealtimeEngine({ baseUrl: `ws://127.0.0.1:${at}/v1`, apiKey: token, model: "m", reconnectMs: 0 }),
];

/** What opening comes to. */
const codeOf = (opening: Promise<unknown>) =>
  opening.then(
    () => "open",
    (error: unknown) => (DuplexError.is(error) ? error.code : String(error)),
  );

describe("on both wires", () => {
  test("a wrong key or token, and one that has expired", async () => {
    const token = await createToken({ secret, expiresInS: 10, maxSessions: 3 });
    for (const engine of clients(token)) {
      expect(await codeOf(engine.open())).toBe("open");
      await engine.close();
    }
    await until("they have left", () => server.openSessions === 2);
    vi.useFakeTimers({ toFake: ["Date"], now: Date.now() + 11_000 });
    const wrong = [token, "sk-another", await createToken({ secret: `${secret} of another` })];
    for (const engine of wrong.flatMap((one) => clients(one))) {
      expect(await codeOf(engine.open())).toBe("ACCESS_DENIED");
      await engine.close();
    }
    expect(lines.filter((line) => line.includes("connection refused"))).toHaveLength(9);
    expect(lines.join()).toContain("expired");
  });

  test("a clock that jumps, forth and back", async () => {
    const proxy = await KillingProxy.start(port);
    const engine = microturnEngine({ url: `ws://127.0.0.1:${proxy.port}`, apiKey: key });
    const session = await engine.open();
    const client = await json();
    let index = 0;
    for (const jumpMs of [3_600_000, -7_200_000, 86_400_000 * 400]) {
      vi.useFakeTimers({ toFake: ["Date"], now: Date.now() + jumpMs });
      expect((await stepOf(session, index++)).text).toBe("hello");
      // It comes back, too: nothing of that goes by the time of day.
      proxy.cut();
      expect((await stepOf(session, index++)).text).toBe("hello");
      client.say({ type: "input_audio_buffer.append", audio: second });
      await until("sound", () => client.of("response.output_audio.delta").length >= 5 * (index / 2));
      client.say({ type: "session.heartbeat" });
      await until("a sign of life", () => client.of("session.heartbeat_ack").length === index / 2);
      vi.useRealTimers();
    }
    expect(client.of("error")).toEqual([]);
    expect(client.end.code).toBe(0);
    client.socket.close();
    await engine.close();
    await proxy.close();
  });

  test("a message of 100 MB, from a client and from a server", async () => {
    const [one, other] = [await json(), await raw()];
    one.socket.send(large);
    other.socket.send(large);
    // 1009 by the server, or the connection broke while the rest was still being sent.
    await until("both are closed", () => one.end.code !== 0 && other.end.code !== 0);
    expect([1006, 1009]).toContain(one.end.code);
    expect([1006, 1009]).toContain(other.end.code);
    const hostile = new WebSocketServer({ port: 0, host: "127.0.0.1" });
    await new Promise((resolve) => hostile.once("listening", resolve));
    hostile.on("connection", (socket) => {
      socket.on("error", () => {});
      socket.send(large);
    });
    const before = process.memoryUsage().arrayBuffers;
    for (const engine of clients("token-for-strangers", (hostile.address() as { port: number }).port)) {
      expect(["NETWORK_FAILED", "PROTOCOL_VIOLATION"]).toContain(await codeOf(engine.open()));
      await engine.close();
    }
    expect(process.memoryUsage().arrayBuffers - before, "bytes that were taken in").toBeLessThan(large.length);
    hostile.close();
  });

  test("a connection that is half open: the client notices, and goes on over another", async () => {
    const proxy = await KillingProxy.start(port);
    const notes: string[] = [];
    const engine = microturnEngine({
      ...{ url: `ws://127.0.0.1:${proxy.port}`, apiKey: key, stallTimeoutMs: 100 },
      onNote: ({ type }) => notes.push(type),
    });
    const session = await engine.open();
    expect((await stepOf(session, 0)).text).toBe("hello");
    proxy.freeze();
    expect((await stepOf(session, 1)).text).toBe("hello");
    expect(notes).toEqual(["reconnecting", "reconnected"]);
    await engine.close();
    await proxy.close();
  });

  test("a port that is in use", async () => {
    const second = createServer({ engine: scripted, auth: { apiKeys: [key] } });
    const error = await second.listen({ port }).catch((reason: unknown) => reason);
    expect(error).toMatchObject({ code: "NETWORK_FAILED", details: { port } });
    expect((error as Error).message).toMatch(new RegExp(`port ${port} is in use; stop what uses it`));
    // It can be had elsewhere, and lets go of everything.
    const { port: free } = await second.listen({ port: 0 });
    expect((await fetch(`http://127.0.0.1:${free}/healthz`)).status).toBe(200);
    await second.close();
    await new Promise<void>((resolve) => {
      const again = createNetServer().listen(free, "127.0.0.1", () => again.close(() => resolve()));
    });
  });
});

describe("on the JSON wire", () => {
  test("events that are not known, that come in the wrong state, and sound in another format or too fast", async () => {
    const { socket, say, refused, of, end } = await json();
    expect(await refused({ type: "session.fly" })).toBe("unknown_event");
    expect(await refused({ type: "response.cancel" })).toBe("response_cancel_not_active");
    expect(await refused({ type: "session.resume", session_id: "s", incarnation: "i", resume_token: "t" })).toBe(
      "invalid_event",
    );
    const input = (format: object) => ({ type: "session.update", session: { audio: { input: { format } } } });
    expect(await refused(input({ type: "audio/opus" }))).toBe("invalid_value");
    expect(await refused(input({ type: "audio/pcm", rate: 96_000 }))).toBe("invalid_value");
    expect(await refused({ type: "input_audio_buffer.append", audio: "no base64!" })).toBe("invalid_value");
    // A minute ahead is too much; what was refused can be sent again.
    for (let s = 0; s < 62; s++) say({ type: "input_audio_buffer.append", audio: second });
    await until("it is refused", () => of("error").at(-1)?.error.code === "input_backpressure");
    say({ type: "session.heartbeat" });
    await until("the session goes on", () => of("session.heartbeat_ack").length === 1);
    expect(of("session.heartbeat_ack")[0].received_audio_ms).toBeLessThanOrEqual(61_000);
    expect(end.code).toBe(0);
    socket.close();
  });

  test("a client that does not read: its connection is cut, and its session waits for another", async () => {
    const slow = await json();
    const text = "x".repeat(60_000);
    const item = { id: "item_long", type: "message", role: "user", content: [{ type: "input_text", text }] };
    slow.say({ type: "conversation.item.create", item });
    await until("the item", () => slow.of("conversation.item.done").length === 1);
    slow.socket.pause();
    const lost = async () => (await server.metrics()).includes("microturn_connections_lost_total 1");
    // What the operating system holds for it is some megabytes; what the server holds is bounded.
    for (let count = 0; count < 300 && !(await lost()); count++) {
      slow.say({ type: "conversation.item.retrieve", item_id: "item_long" });
      await new Promise((resolve) => setTimeout(resolve, 2));
    }
    expect(await lost()).toBe(true);
    expect(server.openSessions).toBe(3);
    slow.socket.resume();
    await until("it sees that, too", () => slow.end.code === 1006);
    expect(slow.of("conversation.item.retrieved").every((event) => event.item.content[0].text === text)).toBe(true);
  });

  test("a server that starts anew: the client is told what is lost, and its session goes on in another conversation", async () => {
    const scriptedToo = scriptedEngine({ script: () => ({ decision: "speak", speech: 0.25, text: "again" }) });
    const start = () => createServer({ engine: scriptedToo, auth: { apiKeys: [key] }, limits });
    const first = start();
    const { port: at } = await first.listen({ port: 0 });
    await first.ready;
    const notes: Json[] = [];
    const onNote = (note: object) => void notes.push(note);
    const engine = vllmOmniEngine({ url: `ws://127.0.0.1:${at}`, apiKey: key, onNote });
    const session = await engine.open();
    await session.step({ index: 0, turns: 1, audio: silence, images: [], text: [] });
    await first.close();
    const next = start();
    await next.listen({ port: at });
    await next.ready;
    let said = "";
    for (let index = 1; !/again/.test(said) || !notes.some(({ type }) => type === "lost"); index++) {
      if (index > 100) throw new Error(`it does not go on: ${JSON.stringify(notes)}`);
      said = (await session.step({ index, turns: 1, audio: silence, images: [], text: [] })).text;
    }
    expect(notes.filter(({ type }) => type === "lost")).toHaveLength(1);
    await engine.close();
    await until("it has left", () => next.openSessions === 0);
    await next.close();
  });
});

describe("on the micro-turn wire", () => {
  test("another version, an unknown message, a step in the wrong state, and sound that is none", async () => {
    const hello = { kind: "hello", version: 1, seed: 0, temperature: 0, speech: "pcm16" } as const;
    const input = { index: 0, turns: 1, audio: silence, images: [], text: [] };
    const half = { ...input, audio: silence.subarray(0, 1600) };
    const wrong: [Uint8Array[], RegExp][] = [
      [[encoder.client({ ...hello, version: 2 })], /speaks version 1 of the wire, the other 2/],
      [[Uint8Array.of(0x7f)], /no messages of kind 127/],
      [[encoder.client({ kind: "step", sequence: 0, input })], /after the welcome only/],
      [[encoder.client(hello), encoder.client({ kind: "step", sequence: 0, input: half })], /expected 3200 samples/],
    ];
    for (const [messages, told] of wrong) {
      const { socket, told: answers, end } = await raw();
      for (const message of messages) {
        socket.send(message);
        if (messages.length > 1) await until("the welcome", () => answers.length > 0);
      }
      await until("it is closed", () => end.code === 1008);
      expect(answers.at(-1)).toMatchObject({ kind: "failure", code: "PROTOCOL_VIOLATION" });
      expect((answers.at(-1) as { message: string }).message).toMatch(told);
    }
    // Levels, which this engine does not take: the step changes nothing, and the session goes on.
    const { socket, told: answers } = await raw();
    socket.send(encoder.client(hello));
    await until("the welcome", () => answers.length === 1);
    const levels = { ...input, audio: new Float32Array(0), dmel: new Uint8Array(160) };
    socket.send(encoder.client({ kind: "step", sequence: 0, input: levels }));
    socket.send(encoder.client({ kind: "step", sequence: 1, input }));
    await until("both are answered", () => answers.length === 3);
    expect(answers.slice(1)).toMatchObject([
      { kind: "refused", code: "UNSUPPORTED" },
      { kind: "output", sequence: 1 },
    ]);
    socket.send(encoder.client({ kind: "close" }));
  });

  test("a server of another version", async () => {
    const strange = new WebSocketServer({ port: 0, host: "127.0.0.1", handleProtocols: () => "microturn.v1" });
    await new Promise((resolve) => strange.once("listening", resolve));
    strange.on("connection", (socket) => socket.on("message", () => socket.send(Uint8Array.of(0x41, 2, 0, 0, 0, 0))));
    const engine = microturnEngine({ url: `ws://127.0.0.1:${(strange.address() as { port: number }).port}` });
    const error = await engine.open().catch((reason: unknown) => reason);
    expect(error).toMatchObject({ code: "PROTOCOL_VIOLATION", message: expect.stringMatching(/update the older/) });
    await engine.close();
    strange.close();
  });
});
