// Our server with mini behind it, held to by the clients that OpenAI publishes, by a script with nothing but a WebSocket, and by
// our own engine for OpenAI Realtime: they speak to mini, it answers, calls a function of theirs, and is interrupted.

import { readFile } from "node:fs/promises";
import { connect } from "node:net";
import { fileURLToPath } from "node:url";
import { nodeBackend } from "@microturn/backend-node";
import { openaiRealtimeEngine, vllmOmniEngine } from "@microturn/backend-remote";
import { DuplexSession, type Engine, mixToMono, readWav, resample } from "@microturn/core";
import { localEngine } from "@microturn/core/local";
import { mini } from "@microturn/mini";
import { createServer, createToken, type MicroturnServer } from "@microturn/server";
import { OpenAIRealtimeWebSocket, RealtimeAgent, RealtimeSession, tool } from "@openai/agents-realtime";
import OpenAI from "openai";
import { OpenAIRealtimeWS } from "openai/realtime/ws";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { WebSocket } from "ws";
import { z } from "zod";
import { PatientClock } from "./patient-clock.js";
import { until } from "./wire-session.js";

const key = "sk-ours";
const secret = "a secret for tests that is long enough to sign with";
const answer = "In Paris it is 14 degrees, with light rain until the evening.";
/** The machine may be busy with other tests. */
const longMs = 400_000;
const backend = nodeBackend({ providers: ["cpu"], threads: 1 });
const engine = localEngine({ model: mini, backend, maxSessions: 8 });
const clock = new PatientClock(8);
let server: MicroturnServer;
let port: number;
/** "count to nine", broken into by "what is your name"; then "what is the weather like in paris", and "thank you". 24 kHz. */
let sound: Int16Array;

beforeAll(async () => {
  const [count, weather] = await Promise.all([recording("barge-in"), recording("question")]);
  // Of words into its own voice mini catches more or less, depending on where they fall between the hops of its ear (50 ms). These
  // are places where it hears both requests; what is checked here is the wire.
  sound = Int16Array.from([...new Int16Array(720), ...count, ...new Int16Array(480), ...weather]);
  const limits = { maxAheadMs: 60_000, maxSlowShare: 1, maxMessagesPerSecond: 2000, graceMs: 120_000 };
  server = createServer({ engine: clock.watch(engine), clock, auth: { apiKeys: [key], secret }, limits });
  ({ port } = await server.listen({ port: 0 }));
  await server.ready;
});
afterAll(async () => {
  await server.close();
  await engine.close();
  await (await backend).close();
  clock.stop();
});

async function recording(name: string): Promise<Int16Array> {
  const file = fileURLToPath(new URL(`../../../fixtures/speech/${name}.wav`, import.meta.url));
  const { channels, sampleRate } = readWav(await readFile(file));
  const mono = resample(mixToMono(channels), { inputRate: sampleRate, outputRate: 24_000 });
  return Int16Array.from(mono, (sample) => Math.max(-32_768, Math.min(32_767, Math.round(sample * 32_768))));
}

/** The sound in pieces of 100 ms. */
function pieces(): Buffer[] {
  const bytes = Buffer.from(sound.buffer, sound.byteOffset, sound.byteLength);
  return Array.from({ length: Math.ceil(bytes.length / 4800) }, (_, i) => bytes.subarray(4800 * i, 4800 * (i + 1)));
}

// biome-ignore lint/suspicious/noExplicitAny: events of many shapes
type Told = { readonly type: string; readonly [name: string]: any };

/** What a client was told, and what it made of it. */
class Heard {
  readonly events: Told[] = [];
  readonly errors: string[] = [];

  take(event: Told): void {
    this.events.push(event);
    if (event.type === "error") this.errors.push(`${event.error.code}: ${event.error.message}`);
  }

  of(type: string): Told[] {
    return this.events.filter((event) => event.type === type);
  }

  /** What was said, response by response. */
  get said(): string[] {
    return this.of("response.output_audio_transcript.done").map(({ transcript }) => transcript);
  }

  /** What the user was heard to say. */
  get user(): string {
    const type = "conversation.item.input_audio_transcription.completed";
    return this.of(type)
      .map(({ transcript }) => transcript)
      .join(" ");
  }

  /** Loudest sample of a response, 0 … 1. */
  loudest(responseId: string): number {
    let most = 0;
    for (const { response_id, delta } of this.of("response.output_audio.delta")) {
      if (response_id !== responseId) continue;
      const bytes = Buffer.from(delta, "base64");
      for (let at = 0; at < bytes.length; at += 2) most = Math.max(most, Math.abs(bytes.readInt16LE(at)) / 32_768);
    }
    return most;
  }

  /** What every client must have seen of this conversation. */
  check(): void {
    expect(this.errors).toEqual([]);
    expect(this.user).toMatch(/count to nine.*your name.*weather.*paris.*thank you/);
    const ended = this.of("response.done").map(({ response }) => response);
    const of = (words: RegExp) =>
      ended.find(({ output }) => output.some((item: Told) => words.test(item.content?.[0]?.transcript ?? "")));
    // It was told to count, and stopped when it was broken into.
    expect(of(/^one two three/)).toMatchObject({ status: "cancelled", status_details: { reason: "turn_detected" } });
    expect(this.said.join(" / ")).not.toContain("seven");
    expect(of(/my name is mini$/)).toMatchObject({ status: "completed" });
    expect(of(/in paris it is fourteen degrees with light rain/)).toMatchObject({ status: "completed" });
    for (const { id, output } of ended) {
      if (output.some((item: Told) => item.type === "message")) expect(this.loudest(id)).toBeGreaterThan(0.05);
    }
    // Silence after the yield: no sound of that response any more.
    const cut = this.events.findIndex(
      ({ type, response }) => type === "response.done" && response.status === "cancelled",
    );
    const { id } = this.events[cut].response;
    expect(this.events.slice(cut).some(({ response_id }) => response_id === id)).toBe(false);
    const started = this.events.slice(0, cut).findLastIndex(({ type }) => type === "input_audio_buffer.speech_started");
    expect(this.events.slice(started, cut).some(({ type }) => type === "response.output_audio.delta")).toBe(false);
  }
}

const weather = {
  ...{ type: "function" as const, name: "weather", description: "Tells the weather of a place." },
  parameters: { type: "object", properties: { question: { type: "string" } }, required: ["question"] },
};

describe("our server with mini", () => {
  test.concurrent("holds a spoken conversation with OpenAIRealtimeWS of the package openai", {
    timeout: longMs,
  }, async () => {
    const client = new OpenAI({ apiKey: key, baseURL: `http://127.0.0.1:${port}/v1` });
    // The package speaks wss only; the socket under it is plain here.
    const options = { createConnection: () => connect(port, "127.0.0.1") } as object;
    const socket = new OpenAIRealtimeWS({ model: "mini", options }, client);
    const heard = new Heard();
    socket.on("event", (event) => heard.take(event as Told));
    socket.on("error", (error) => void heard.errors.push(error.message));
    await until("session.created", () => heard.of("session.created").length === 1, longMs);
    socket.send({ type: "session.update", session: { type: "realtime", instructions: "Be brief.", tools: [weather] } });
    for (const piece of pieces()) socket.send({ type: "input_audio_buffer.append", audio: piece.toString("base64") });
    // As the protocol says: outputs and one response.create once the response with the calls is done.
    socket.on("response.done", ({ response }) => {
      const calls = (response.output ?? []).filter((item) => item.type === "function_call");
      for (const { call_id, arguments: json } of calls) {
        expect(JSON.parse(json ?? "").question).toContain("weather");
        const output = JSON.stringify({ result: answer });
        const item = { type: "function_call_output" as const, call_id: String(call_id), output };
        socket.send({ type: "conversation.item.create", item });
      }
      if (calls.length > 0) socket.send({ type: "response.create" });
    });
    await until("thank you", () => /welcome/.test(heard.said.join(" ")), longMs);
    socket.close();
    heard.check();
  });

  test.concurrent("holds it with RealtimeSession of @openai/agents-realtime, which calls a tool and is interrupted", {
    timeout: longMs,
  }, async () => {
    const asked: string[] = [];
    const agent = new RealtimeAgent({
      ...{ name: "Guide", instructions: "You are a guide in Paris." },
      tools: [
        tool({
          ...{
            name: "weather",
            description: "Tells the weather of a place.",
            parameters: z.object({ question: z.string() }),
          },
          execute: async ({ question }) => {
            asked.push(question);
            return answer;
          },
        }),
      ],
    });
    const transport = new OpenAIRealtimeWebSocket({ url: `ws://127.0.0.1:${port}/v1/realtime?model=mini` });
    const session = new RealtimeSession(agent, { transport, model: "mini" });
    const heard = new Heard();
    let [bytes, interrupted] = [0, 0];
    transport.on("*", (event) => heard.take(event as Told));
    session.on("audio", ({ data }) => {
      bytes += data.byteLength;
    });
    session.on("audio_interrupted", () => {
      interrupted++;
    });
    await session.connect({ apiKey: await createToken({ secret }) });
    for (const piece of pieces()) session.sendAudio(Uint8Array.from(piece).buffer);
    await until("thank you", () => /welcome/.test(heard.said.join(" ")), longMs);
    session.sendMessage("What is 2 + 3?");
    await until("the sum", () => /two plus three is five/.test(heard.said.join(" ")), longMs);
    expect(asked.length).toBe(1);
    expect(asked[0]).toContain("weather");
    expect(interrupted).toBeGreaterThan(0);
    expect(bytes).toBeGreaterThan(3 * 48_000);
    const said = session.history.flatMap((item) => (item.type === "message" ? [item.role] : []));
    expect(said).toContain("user");
    expect(said).toContain("assistant");
    session.close();
    heard.check();
  });

  test.concurrent("holds it with a script and a WebSocket, which loses its connection and comes back", {
    timeout: longMs,
  }, async () => {
    const headers = { Authorization: `Bearer ${key}` };
    const heard = new Heard();
    const url = `ws://127.0.0.1:${port}/v1/realtime`;
    let socket = new WebSocket(url, { headers });
    const say = (event: object) => socket.send(JSON.stringify(event));
    const listen = () => {
      socket.on("error", () => {});
      socket.on("message", (data) => {
        const event = JSON.parse(String(data)) as Told;
        heard.take(event);
        if (event.type === "response.output_audio.delta" && event.metadata.audio_end_ms > 0) {
          const { response_id, item_id } = event;
          say({ type: "playback.ack", response_id, item_id, played_ms: event.metadata.audio_start_ms });
        }
        if (event.type !== "response.function_call_arguments.done") return;
        const item = { type: "function_call_output", call_id: event.call_id, output: answer };
        say({ type: "conversation.item.create", item });
      });
    };
    listen();
    await until("session.created", () => heard.events.length > 0, longMs);
    say({ type: "session.update", session: { tools: [weather] } });
    const all = pieces();
    const half = all.length >> 1;
    for (const piece of all.slice(0, half)) say({ type: "input_audio_buffer.append", audio: piece.toString("base64") });
    await until("it counts", () => heard.of("response.output_audio.delta").length > 2, longMs);
    socket.terminate();
    const { session_id, incarnation, resume_token } = heard.events[0];
    const last = heard.events.at(-1)?.server_event_seq;
    socket = new WebSocket(`${url}?autostart=0`, { headers });
    listen();
    await new Promise((resolve) => socket.once("open", resolve));
    const come = heard.events.length;
    say({
      ...{ type: "session.resume", session_id, incarnation, resume_token, last_received_server_event_seq: last },
    });
    await until("session.resumed", () => heard.of("session.resumed").length === 1, longMs);
    expect(heard.events[come].type).toBe("session.resumed");
    const { received_bytes } = heard.events[come].input_audio;
    // What had not arrived is sent again, and the rest.
    const bytes = Buffer.concat(all);
    for (let at = received_bytes; at < bytes.length; at += 4800) {
      say({ type: "input_audio_buffer.append", audio: bytes.subarray(at, at + 4800).toString("base64") });
    }
    await until("the call", () => heard.of("response.function_call_arguments.done").length === 1, longMs);
    await until(
      "its response",
      () => heard.of("response.done").some(({ response }) => response.output.length > 1),
      longMs,
    );
    say({ type: "response.create" });
    await until("thank you", () => /welcome/.test(heard.said.join(" ")), longMs);
    const numbered = heard.events.filter(({ type }) => type !== "session.resumed");
    expect(numbered.map(({ server_event_seq }) => server_event_seq)).toEqual(numbered.map((_, i) => i + 1));
    say({ type: "session.close" });
    await until("session.closed", () => heard.of("session.closed").length === 1, longMs);
    heard.check();
  });

  const engines: [string, () => Engine][] = [
    [
      "OpenAI Realtime",
      () =>
        openaiRealtimeEngine({
          ...{ apiKey: key, baseUrl: `ws://127.0.0.1:${port}/v1`, model: "mini", tools: [weather] },
        }),
    ],
    [
      "the duplex wire of vLLM-Omni",
      () => vllmOmniEngine({ url: `ws://127.0.0.1:${port}`, apiKey: key, tools: [weather] }),
    ],
  ];
  test.concurrent.each(engines)("holds it with our own engine for %s", { timeout: longMs }, async (_, make) => {
    const remote = make();
    const session = await DuplexSession.open({
      ...{ engine: clock.watch(remote), clock, sampleRate: 24_000, maxQueuedMs: 60_000 },
    });
    const [user, said]: string[][] = [[], []];
    let flushes = 0;
    let loudest = 0;
    session.on("heard-delta", ({ text }) => user.push(text));
    session.on("text-delta", ({ text }) => said.push(text));
    session.on("flush", () => {
      flushes++;
    });
    session.on("speech", (pcm) => {
      for (const sample of pcm) loudest = Math.max(loudest, Math.abs(sample));
    });
    session.on("delegation", ({ id }) => void session.deliver(answer, "now", { delegation: id }));
    await session.writeAudio(Float32Array.from(sound, (value) => value / 32_768));
    await session.finish({ tailMs: 6000 });
    expect(user.join(" ")).toMatch(/count to nine.*your name.*weather.*paris.*thank you/);
    expect(said.join(" ")).toMatch(/one two three.*my name is mini.*in paris it is fourteen degrees/);
    expect(said.join(" ")).not.toContain("seven");
    expect(flushes).toBeGreaterThan(0);
    expect(loudest).toBeGreaterThan(0.05);
    await remote.close();
  });
});
