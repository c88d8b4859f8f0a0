// A session with a recorded service, and what must come of it: the words, what was heard and the calls, read from the recording
// itself, in another way than an engine reads them.

import { geminiLiveEngine, gptLiveEngine, openaiRealtimeEngine } from "@microturn/backend-remote";
import type { Engine, TextInput } from "@microturn/core";
import { FakeClock } from "@microturn/core/testing";
import { type Json, kindOf, type RecordedMessage, RecordedService } from "./recorded-service.js";
import { until } from "./wire-session.js";

/** What a conversation comes to. */
export interface Talk {
  readonly said: string;
  readonly heard: string;
  readonly calls: readonly { readonly name: string; readonly arguments: unknown }[];
}

/** What a recording comes to, and whether the user's voice may have cut replies: a client hears more or less of those. */
export interface ExpectedTalk extends Talk {
  readonly cut: boolean;
}

/** What an engine made of a recording. */
export interface PlayedTalk extends Talk {
  /** Notes by type, of messages that mean nothing their kind. */
  readonly notes: readonly string[];
}

/** Sound of one message where a recording has cut it down: 100 ms of a quiet tone. */
const sound = Buffer.from(Int16Array.from({ length: 2400 }, (_, i) => 3000 * Math.sin(i / 4)).buffer);

/** Recordings keep a few bytes of each piece of sound; here each has 100 ms again, and silence stays silence. */
function withSound(data: Json): Json {
  const filled = (base64: string) => {
    const bytes = Buffer.from(base64, "base64");
    const loud = bytes.some((byte, at) => at % 2 === 1 && byte !== 0 && byte !== 255);
    return (loud ? sound : Buffer.alloc(sound.length)).toString("base64");
  };
  if (/audio\.delta$/.test(kindOf(data))) return { ...data, delta: filled(data.delta) };
  const parts = data.serverContent?.modelTurn?.parts;
  if (!Array.isArray(parts)) return data;
  const whole = parts.map((part: Json) =>
    part.inlineData === undefined
      ? part
      : { ...part, inlineData: { ...part.inlineData, data: filled(part.inlineData.data) } },
  );
  return { ...data, serverContent: { ...data.serverContent, modelTurn: { parts: whole } } };
}

/** Plays a recording to our engine for its service, and answers each call at once. */
export async function play(messages: readonly RecordedMessage[]): Promise<PlayedTalk> {
  const kind = serviceOf(messages);
  const whole = messages.map(({ from, data }) => ({ from, data: from === "service" ? withSound(data) : data }));
  const service = await RecordedService.start(whole, { binary: kind === "gemini" });
  const clock = new FakeClock();
  const notes: string[] = [];
  const onNote = (note: Json) => {
    notes.push(note.type === "raw" ? `raw ${kindOf(note.message)}` : note.type);
  };
  const common = { clock, onNote, reconnectMs: 0, baseUrl: service.url, apiKey: "key-recorded" };
  const engines: Record<typeof kind, () => Engine> = {
    gemini: () => geminiLiveEngine({ ...common, model: "gemini-recorded" }),
    live: () => gptLiveEngine({ ...common, delegation: { type: "responses", responses: { model: "recorded" } } }),
    realtime: () => openaiRealtimeEngine(common),
  };
  const engine = engines[kind]();
  const [said, heard]: string[][] = [[], []];
  const calls: { name: string; arguments: unknown }[] = [];
  try {
    const session = await engine.open();
    const audio = new Float32Array((session.capabilities.inputSampleRate * session.capabilities.turnDurationMs) / 1000);
    let text: TextInput[] = [];
    let quiet = 0;
    for (let index = 0; quiet < 12; index++) {
      const stepping = session.step({ index, turns: 1, audio, images: [], text });
      text = [];
      stepping.catch(() => {});
      await clock.advance(session.capabilities.turnDurationMs);
      const { delegation, ...output } = await stepping;
      if (output.text !== "") said.push(output.text);
      if (output.heard !== "") heard.push(output.heard);
      if (delegation !== undefined) {
        const { id = "", name = "" } = delegation;
        calls.push({ name, arguments: delegation.arguments });
        text = [{ source: "background", text: "done", delegation: id, delivery: index }];
      }
      // What the service says to this micro-turn is on its way.
      await new Promise((resolve) => setTimeout(resolve, 2));
      quiet = service.over && output.decision === "listen" ? quiet + 1 : 0;
      if (index > 2000) throw new Error("the recording does not come to its end");
    }
    await session.close();
  } finally {
    await engine.close();
    await service.close();
  }
  await until("no timer is left", () => clock.pending === 0);
  return { said: tidy(said.join(" ")), heard: tidy(heard.join(" ")), calls, notes };
}

/** What a recording says that must come of it. */
export function expected(messages: readonly RecordedMessage[]): ExpectedTalk {
  const told = messages.filter(({ from }) => from === "service").map(({ data }) => data);
  const kind = serviceOf(messages);
  if (kind === "gemini") {
    const content = told.map(({ serverContent }) => serverContent ?? {});
    return {
      cut: content.some(({ interrupted }) => interrupted === true),
      said: tidy(content.map((one) => `${one.outputTranscription?.text ?? ""}${one.turnComplete ? " " : ""}`).join("")),
      heard: tidy(content.map(({ inputTranscription }) => inputTranscription?.text ?? "").join("")),
      calls: told
        .flatMap(({ toolCall }) => toolCall?.functionCalls ?? [])
        .map(({ name, args }) => ({ name, arguments: args })),
    };
  }
  const of = (type: string) => told.filter((one) => one.type === type);
  const callsOf = (items: readonly Json[]) =>
    items
      .filter(({ type }) => type === "function_call")
      .map((item) => ({ name: item.name, arguments: JSON.parse(item.arguments) }));
  if (kind === "live") {
    const events = of("response.event").map(({ event }) => event);
    const words = (side: string) => of(`session.${side}_transcript.delta`).map(({ delta }) => delta);
    return {
      cut: false,
      said: tidy(words("output").join("")),
      heard: tidy(words("input").join("")),
      calls: callsOf(events.filter(({ type }) => type === "response.output_item.done").map(({ item }) => item)),
    };
  }
  const spoken = told.filter(({ type }) => /^response\.(output_)?(audio_transcript|text)\.done$/.test(type));
  const understood = of("conversation.item.input_audio_transcription.completed");
  return {
    cut: of("input_audio_buffer.speech_started").length > 1,
    said: tidy(spoken.map(({ transcript, text }) => transcript ?? text).join(" ")),
    heard: tidy(understood.map(({ transcript }) => transcript).join(" ")),
    calls: callsOf(of("response.output_item.done").map(({ item }) => item)),
  };
}

function serviceOf(messages: readonly RecordedMessage[]): "gemini" | "live" | "realtime" {
  const first = messages.find(({ from }) => from === "client")?.data ?? {};
  return first.setup !== undefined ? "gemini" : first.type === "session.start" ? "live" : "realtime";
}

function tidy(words: string): string {
  return words.trim().replace(/\s+/g, " ");
}
