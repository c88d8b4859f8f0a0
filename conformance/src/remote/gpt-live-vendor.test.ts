// The vendor's own client talks to the double of GPT-Live: `LiveWS` of the package `openai`, unmodified.

import OpenAI from "openai";
import { TranscriptGrouper, type TranscriptSegment } from "openai/helpers/live";
import type { WebSocketError } from "openai/resources/live/internal-base";
import type { ClientEvent, ServerEvent, SessionStartEvent } from "openai/resources/live/live";
import { LiveWS } from "openai/resources/live/ws";
import { afterEach, beforeEach, expect, test } from "vitest";
import { type GptLiveDouble, gptLiveKey, startGptLiveDouble } from "./gpt-live-double.js";
import { until } from "./wire-session.js";

let double: GptLiveDouble;
let client: Client;

beforeEach(async () => {
  double = await startGptLiveDouble();
});
afterEach(async () => {
  client?.socket.close();
  await double.close();
});

/** The vendor's client, and all that it understood. */
class Client {
  readonly events: ServerEvent[] = [];
  readonly errors: WebSocketError[] = [];
  closedWith: number | undefined;
  readonly socket: LiveWS;

  constructor(apiKey = gptLiveKey) {
    this.socket = new LiveWS(new OpenAI({ apiKey, baseURL: `${double.url.replace("ws:", "http:")}/v1` }));
    this.socket.on("event", (event) => this.events.push(event));
    this.socket.on("error", (error) => this.errors.push(error));
    this.socket.on("close", (code) => {
      this.closedWith = code;
    });
  }

  async start(session: Partial<SessionStartEvent["session"]> = {}): Promise<this> {
    this.socket.send({ type: "session.start", session: { model: "gpt-live-1", ...session } });
    await this.got("session.started");
    return this;
  }

  async got<Type extends ServerEvent["type"]>(type: Type): Promise<Extract<ServerEvent, { type: Type }>> {
    const find = () => this.events.find((event) => event.type === type);
    await until(type, () => find() !== undefined);
    return find() as Extract<ServerEvent, { type: Type }>;
  }

  /** Sends what the service refuses. @returns the code of its error */
  async refused(event: unknown): Promise<string | undefined> {
    const before = this.errors.length;
    this.socket.send(event as ClientEvent);
    await until("an error", () => this.errors.length > before);
    return this.errors.at(-1)?.error?.error.code;
  }
}

const silence = Buffer.alloc(9600).toString("base64");
const responses = { type: "responses", responses: { model: "gpt-5.5" } } as const;

test("holds a session: sound both ways, words, work for the application, mute, and a confirmed end", async () => {
  client = await new Client().start({ audio: { format: { type: "audio/pcm", rate: 24_000 } } });
  const { session } = await client.got("session.started");
  expect(session).toMatchObject({ status: "active", audio: { format: { rate: 24_000 } }, id: expect.any(String) });

  client.socket.send({ type: "session.input_audio.append", audio: silence });
  expect((await client.got("session.output_audio.delta")).delta).toBe(silence);

  double.hear("what is the weather?");
  const reply = double.beginReply();
  reply.text("one moment");
  reply.sound(Int16Array.of(1, -2, 3));
  expect(await client.got("session.input_transcript.delta")).toMatchObject({ start_ms: 0, end_ms: 200 });
  expect(await client.got("session.output_transcript.delta")).toMatchObject({ delta: "one moment" });

  const id = double.delegate();
  expect((await client.got("session.delegation.created")).delegation).toEqual({
    id,
    type: "delegation",
    target: "client",
  });
  const content = "It rains.";
  client.socket.send({ type: "session.commentary.append", delegation_id: id, content, event_id: "mine" });
  expect(await client.got("session.commentary.appended")).toMatchObject({ client_event_id: "mine", start_ms: 200 });
  client.socket.send({ type: "session.thinking.append", delegation_id: null, content: "It is Monday." });
  client.socket.send({ type: "session.instructions.append", delegation_id: null, content: "Be brief." });
  await client.got("session.thinking.appended");
  await client.got("session.instructions.appended");
  expect(double.answers).toEqual([{ id, result: content }]);

  client.socket.send({ type: "session.input_audio.mute" });
  await client.got("session.input_audio.muted");
  client.socket.send({ type: "session.input_audio.append", audio: Buffer.alloc(4800, 1).toString("base64") });
  client.socket.send({ type: "session.input_audio.unmute" });
  await client.got("session.input_audio.unmuted");
  expect(
    double.received().every((sample) => sample === 0),
    "a muted microphone is silence",
  ).toBe(true);

  client.socket.send({ type: "session.close" });
  expect(await client.got("session.closed")).toMatchObject({ reason: "close_requested", usage: { seconds: 0.3 } });
  await until("the socket is closed", () => client.closedWith === 1000);
  expect(client.errors).toEqual([]);
  expect(double.violations).toEqual([]);
});

test("answers the calls of a backend, all of them before it goes on", async () => {
  client = await new Client().start({ delegation: responses });
  const ids = double.call([
    { name: "weather", arguments: { city: "Rome" } },
    { name: "time", arguments: {} },
  ]);
  const done = () => client.events.filter((event) => event.type === "response.event").map(({ event }) => event);
  await until("the response is complete", () => done().at(-1)?.type === "response.completed");
  expect(done().map(({ type }) => type)).toEqual([
    ...["response.created", "response.output_item.done", "response.output_item.done", "response.completed"],
  ]);
  const answer = (call_id: string) => {
    const item = { type: "function_call_output", call_id, output: "done" } as const;
    client.socket.send({ type: "response.item.create", item });
  };
  answer(ids[1]);
  expect(await client.refused({ type: "response.create" })).toBe("invalid_event");
  answer(ids[0]);
  client.socket.send({ type: "response.create" });
  client.socket.send({ type: "session.update", session: { delegation: { type: "responses", responses: {} } } });
  await client.got("session.updated");
  expect(double.violations).toHaveLength(1);
  expect(double.answers.map(({ id }) => id)).toEqual([ids[1], ids[0]]);
});

test("is refused where it does not keep to the rules", async () => {
  client = new Client();
  expect(await client.refused({ type: "session.input_audio.append", audio: silence })).toBe("session_not_started");
  const model = "gpt-live-1";
  expect(await client.refused({ type: "session.start", session: { model, voice: "marin" } })).toBe("unknown_parameter");
  expect(client.errors.at(-1)?.error?.error.param).toBe("session.voice");
  await client.start({ delegation: null });
  expect(await client.refused({ type: "session.start", session: { model } })).toBe("unknown_parameter");
  const append = { type: "session.commentary.append", content: "x" };
  expect(await client.refused(append)).toBe("unknown_parameter");
  expect(await client.refused({ ...append, delegation_id: "dlg_of_another" })).toBe("invalid_value");
  expect(await client.refused({ ...append, delegation_id: null, content: "x".repeat(2004) })).toMatch(/max_length/);
  expect(await client.refused({ type: "session.update", session: { delegation: responses } })).toBe(
    "unknown_parameter",
  );
  expect(await client.refused({ type: "response.create" })).toBe("invalid_event");
  expect(await client.refused({ type: "session.rename" })).toBe("invalid_event");
  const input = Array.from({ length: 129 }, () => ({ role: "user", content: [{ type: "input_text", text: "x" }] }));
  expect(await client.refused({ type: "session.start", session: { model, input } })).toBe("invalid_value");
});

test("needs a key", async () => {
  client = new Client("sk-another");
  await until("an error", () => client.errors.length > 0);
  expect(client.errors[0].message).toContain("401");
});

test("groups words as the vendor's own helper does", async () => {
  client = await new Client().start();
  const grouper = new TranscriptGrouper();
  const closed: TranscriptSegment[] = [];
  grouper.on("segment.closed", ({ segment }) => closed.push(segment));
  client.socket.on("event", (event) => grouper.push(event));
  client.socket.send({ type: "session.input_audio.append", audio: silence });
  await client.got("session.output_audio.delta");
  double.hear("what time ");
  double.hear("is it?");
  const reply = double.beginReply();
  for (const word of "It is noon.".match(/\S+\s?/g) ?? []) reply.text(word);
  await until("the words", () => client.events.filter(({ type }) => type.includes("transcript")).length === 5);
  client.socket.send({ type: "session.close" });
  await client.got("session.closed");
  await until("both are grouped", () => closed.length === 2);
  expect(closed.map(({ speaker, text }) => `${speaker}: ${text}`)).toEqual([
    "user: what time is it?",
    "assistant: It is noon.",
  ]);
});
