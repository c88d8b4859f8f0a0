// What recordings of the services show, played to our engines, and held against the doubles: the double sends nothing that the
// service does not, and keeps its order.

import { describe, expect, test } from "vitest";
import { WebSocket } from "ws";
import { OpenAIRealtimeDouble } from "./openai-realtime-double.js";
import {
  calledOrder,
  geminiRecording,
  liveRecording,
  realtimeRecording,
  recordedFields,
  spokenTurnOrder,
} from "./recorded-facts.js";
import type { Json } from "./recorded-service.js";
import { expected, play } from "./recorded-talk.js";
import { sawtooth, until } from "./wire-session.js";

const recordings = [
  ["OpenAI Realtime", realtimeRecording(), "One moment. Yes, it rains.", []],
  ["Gemini Live", geminiRecording(), "IT RAINS SHALL WE Go in.", ["raw serverContent", "raw serverContent"]],
  ["GPT-Live", liveRecording(), "Sure, one moment. It rains.", []],
] as const;

describe("an engine", () => {
  test.each(recordings)("for %s makes of the service's messages what they say", async (_, messages, words, raw) => {
    const { cut, ...talk } = expected(messages);
    expect(talk).toMatchObject({ said: words, heard: "Will it rain?", calls: [{ name: "weather" }] });
    expect(cut).toBe(false);
    expect(await play(messages)).toEqual({ ...talk, notes: raw });
  });
});

describe("the double of OpenAI Realtime", () => {
  test("sends events and fields that the service was seen to send, in its order", async () => {
    const double = await OpenAIRealtimeDouble.start();
    const headers = { Authorization: "Bearer sk-right" };
    const socket = new WebSocket(`${double.url}/v1/realtime?model=m`, { headers });
    const events: Json[] = [];
    socket.on("message", (data) => events.push(JSON.parse(String(data))));
    const say = (event: object) => socket.send(JSON.stringify(event));
    const come = (type: string, count = 1) =>
      until(type, () => events.filter((event) => event.type === type).length === count);
    await come("session.created");
    say({ type: "session.update", session: { type: "realtime" } });
    await come("session.updated");
    double.hear("will it rain?");
    const reply = double.beginReply();
    reply.text("Let me see.");
    reply.sound(sawtooth(2400));
    reply.end();
    const [call_id] = double.call([{ name: "weather", arguments: {} }]);
    await come("response.done", 2);
    say({ type: "conversation.item.create", item: { type: "function_call_output", call_id, output: "rain" } });
    await come("conversation.item.done", 4);
    const anywhere = /transcription|rate_limits|^session/;
    const order = events.map(({ type }) => type).filter((type) => !anywhere.test(type));
    expect(order).toEqual([...spokenTurnOrder, ...calledOrder]);
    for (const { type, event_id, ...fields } of events) {
      expect(event_id, type).toEqual(expect.any(String));
      const strange = namesOf(fields).filter((name) => !recordedFields(type)?.includes(name));
      expect(strange, `${type} has what the service's has not`).toEqual([]);
    }
    socket.close();
    await double.close();
  });
});

/** Names of fields, and of the fields of those that are objects. */
function namesOf(fields: Json): string[] {
  return Object.entries<Json>(fields).flatMap(([name, value]) =>
    typeof value === "object" && value !== null && !Array.isArray(value)
      ? Object.keys(value).map((inner) => `${name}.${inner}`)
      : [name],
  );
}
