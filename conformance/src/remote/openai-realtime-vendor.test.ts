// The double of OpenAI Realtime is no imagination of ours: the clients that OpenAI publishes hold sessions with it.

import { connect } from "node:net";
import { OpenAIRealtimeWebSocket, RealtimeAgent, RealtimeSession, tool } from "@openai/agents-realtime";
import OpenAI from "openai";
import { OpenAIRealtimeWS } from "openai/realtime/ws";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { WebSocket } from "ws";
import { z } from "zod";
import { OpenAIRealtimeDouble } from "./openai-realtime-double.js";
import { sawtooth, until } from "./wire-session.js";

const key = "sk-vendor";
let double: OpenAIRealtimeDouble;

beforeEach(async () => {
  double = await OpenAIRealtimeDouble.start({ key });
});
afterEach(() => double.close());

describe("the double of OpenAI Realtime", () => {
  test("holds a session with OpenAIRealtimeWS of the package openai", async () => {
    const client = new OpenAI({ apiKey: key, baseURL: `http://127.0.0.1:${double.port}/v1` });
    // The package speaks wss only; the socket under it is plain here.
    const options = { createConnection: () => connect(double.port, "127.0.0.1") } as object;
    const socket = new OpenAIRealtimeWS({ model: "gpt-realtime-2", options }, client);
    const types: string[] = [];
    const errors: string[] = [];
    const sound: Buffer[] = [];
    socket.on("event", ({ type }) => void types.push(type));
    socket.on("error", (error) => void errors.push(error.message));
    socket.on("response.output_audio.delta", ({ delta }) => void sound.push(Buffer.from(delta, "base64")));
    const come = (type: string, count = 1) => {
      return until(type, () => types.filter((one) => one === type).length >= count);
    };
    await come("session.created");
    socket.send({
      type: "session.update",
      session: {
        ...{ type: "realtime", instructions: "Be brief.", output_modalities: ["audio"] },
        audio: { input: { turn_detection: null } },
        tools: [{ type: "function", name: "weather", parameters: { type: "object", properties: {} } }],
      },
    });
    await come("session.updated");
    const second = Buffer.from(sawtooth(24_000).buffer).toString("base64");
    socket.send({ type: "input_audio_buffer.append", audio: second });
    socket.send({ type: "input_audio_buffer.commit" });
    await come("input_audio_buffer.committed");
    socket.send({ type: "response.create" });
    await come("response.created");
    const reply = double.beginReply();
    reply.text("It rains.");
    reply.sound(sawtooth(12_000), { oddBytes: true });
    reply.end();
    await come("response.done");
    expect(Buffer.concat(sound).equals(Buffer.from(sawtooth(12_000).buffer))).toBe(true);
    const begun = types.indexOf("response.created");
    expect(types.slice(begun).filter((type) => !type.endsWith(".delta"))).toEqual([
      ...["response.created", "response.output_item.added", "conversation.item.added", "response.content_part.added"],
      ...["response.output_audio.done", "response.output_audio_transcript.done", "response.content_part.done"],
      ...["conversation.item.done", "response.output_item.done", "response.done", "rate_limits.updated"],
    ]);
    socket.send({ type: "response.create" });
    await come("response.created", 2);
    const [call_id] = double.call([{ name: "weather", arguments: { city: "Rome" } }]);
    await come("response.done", 2);
    socket.send({ type: "conversation.item.create", item: { type: "function_call_output", call_id, output: "rain" } });
    await come("conversation.item.done", 4);
    expect(double.answers).toEqual([{ id: call_id, result: "rain" }]);
    expect(double.receivedSamples).toBe(24_000);
    expect(double.violations).toEqual([]);
    expect(errors).toEqual([]);
    // And it refuses what the service refuses.
    socket.send({ type: "response.cancel" });
    socket.send({ type: "input_audio_buffer.commit" });
    await come("error", 2);
    expect(errors.join(" ")).toMatch(/no active response found.*buffer too small/);
    socket.close();
    await until("the end", () => double.openConnections === 0);
  });

  test("holds a conversation with RealtimeSession of @openai/agents-realtime, calls a tool, and is interrupted", async () => {
    const asked: string[] = [];
    const agent = new RealtimeAgent({
      name: "Guide",
      instructions: "You are a guide in Rome.",
      tools: [
        tool({
          ...{ name: "weather", description: "Tells the weather.", parameters: z.object({ city: z.string() }) },
          execute: async ({ city }) => {
            asked.push(city);
            return "it rains";
          },
        }),
      ],
    });
    const transport = new OpenAIRealtimeWebSocket({ url: `${double.url}/v1/realtime?model=gpt-realtime-2` });
    const session = new RealtimeSession(agent, { transport, model: "gpt-realtime-2" });
    const errors: unknown[] = [];
    let bytes = 0;
    let interrupted = 0;
    session.on("error", ({ error }) => void errors.push(error));
    session.on("audio", ({ data }) => {
      bytes += data.byteLength;
    });
    session.on("audio_interrupted", () => {
      interrupted++;
    });
    await session.connect({ apiKey: key });
    await until("the settings", () => double.readyConnections === 1);
    expect(double.session.instructions).toBe("You are a guide in Rome.");
    session.sendAudio(sawtooth(4800).buffer as ArrayBuffer);
    await until("the sound", () => double.receivedSamples === 4800);
    double.hear("what is the weather like?");
    double.call([{ name: "weather", arguments: { city: "Rome" } }]);
    await until("the answer", () => double.answers.length === 1);
    expect(asked).toEqual(["Rome"]);
    expect(double.answers[0].result).toContain("it rains");
    await until("the continuation", () => double.eventsOf("response.create").length === 1);
    const reply = double.beginReply();
    reply.text("It rains in Rome, so take an umbrella.");
    reply.sound(sawtooth(48_000));
    await until("the sound of the reply", () => bytes === 96_000);
    reply.cut();
    await until("the cut", () => double.eventsOf("conversation.item.truncate").length === 1);
    expect(interrupted).toBe(1);
    session.sendMessage("thank you");
    await until("the text", () => double.receivedTexts.includes("thank you"));
    await until("the next response", () => double.eventsOf("response.create").length === 2);
    double.beginReply().end();
    // It cancels what the service has cancelled already: the race that both sides pass over.
    expect(double.violations.filter((one) => !one.includes("response_cancel_not_active"))).toEqual([]);
    expect(errors.length).toBe(double.violations.length);
    session.close();
    await until("the end", () => double.openConnections === 0);
  });

  test("makes short-lived keys for the package openai", async () => {
    const client = new OpenAI({ apiKey: key, baseURL: `http://127.0.0.1:${double.port}/v1` });
    const { value } = await client.realtime.clientSecrets.create({
      expires_after: { anchor: "created_at", seconds: 60 },
      session: { type: "realtime", model: "gpt-realtime-2" },
    });
    expect(value).toMatch(/^ek_/);
    // Seen in reports: the anchor is asked for.
    await expect(client.realtime.clientSecrets.create({ expires_after: { seconds: 60 } })).rejects.toThrow(/anchor/);
  });

  test("refuses what the service refuses", async () => {
    const socket = new WebSocket(`${double.url}/v1/realtime?model=gpt-realtime-2`, {
      headers: { Authorization: `Bearer ${key}` },
    });
    const come: { type: string; error?: { code: string; message: string; event_id: string } }[] = [];
    socket.on("message", (data) => void come.push(JSON.parse(String(data))));
    await until("session.created", () => come.length === 1);
    let count = 0;
    /** @returns the code and the text of the error, which names the event */
    const refused = async (type: string, fields: object = {}) => {
      const event_id = `mine-${++count}`;
      socket.send(JSON.stringify({ type, event_id, ...fields }));
      const error = () => come.find((one) => one.error?.event_id === event_id)?.error;
      await until(`an error about ${type}`, () => error() !== undefined);
      return `${error()?.code}: ${error()?.message}`;
    };
    const truncate = (audio_end_ms: number, item_id: string) => {
      return refused("conversation.item.truncate", { item_id, content_index: 0, audio_end_ms });
    };
    expect(await refused("input_audio_buffer.commit")).toMatch(/^input_audio_buffer_commit_empty: .*only has 0.00ms/);
    expect(await refused("response.cancel")).toMatch(/^response_cancel_not_active/);
    expect(await refused("session.update", { session: { type: "realtime", voice: "x" } })).toMatch(
      /^unknown_parameter/,
    );
    expect(await refused("session.update", { session: { type: "realtime", model: "x" } })).toMatch(/model/);
    expect(await refused("session.update", { session: { instructions: "x" } })).toMatch(/session.type/);
    expect(await refused("input_audio_buffer.append", { audio: "", rate: 1 })).toMatch(/^unknown_parameter/);
    expect(await refused("response.listen")).toMatch(/^invalid_value/);
    socket.send(JSON.stringify({ type: "response.create" }));
    await until("response.created", () => come.some(({ type }) => type === "response.created"));
    expect(await refused("response.create")).toMatch(/^conversation_already_has_active_response: .*resp_/);
    double.beginReply().sound(sawtooth(2400));
    await until("sound", () => come.some(({ type }) => type === "response.output_audio.delta"));
    const added = come.find(({ type }) => type === "response.output_item.added") as unknown as { item: { id: string } };
    expect(await truncate(101, added.item.id)).toMatch(/already shorter than 101ms/);
    expect(await truncate(50.5, added.item.id)).toMatch(/^invalid_type/);
    expect(await truncate(0, added.item.id)).toMatch(/^unsupported_content_type/);
    expect(await truncate(50, "nothing")).toMatch(/does not exist/);
    const voice = { type: "realtime", audio: { output: { voice: "cedar" } } };
    expect(await refused("session.update", { session: voice })).toMatch(/^cannot_update_voice/);
    const output = { type: "function_call_output", call_id: "call_none", output: "x" };
    expect(await refused("conversation.item.create", { item: output })).toMatch(/^invalid_tool_call_id/);
    const spoken = { type: "message", role: "assistant", content: [{ type: "output_audio", audio: "" }] };
    expect(await refused("conversation.item.create", { item: spoken })).toMatch(/^invalid_value/);
    socket.send("{");
    await until("an error about JSON", () => come.at(-1)?.error?.code === "invalid_json");
    socket.close();
  });
});
