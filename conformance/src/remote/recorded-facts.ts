// What the services did in recordings of pydantic/pydantic-ai (tests/realtime/cassettes; MIT licence; gpt-realtime and gpt-realtime-2.1,
// gemini-3.1-flash-live-preview and 2.5, gpt-live-1; 2026): which messages, with which fields, in which order. The words are ours.

import type { Json, RecordedMessage } from "./recorded-service.js";

/** Fields of OpenAI Realtime's events, but for `type` and `event_id`; `a.b` is a field of a field. */
export const realtimeFields: Readonly<Record<string, string>> = {
  "session.created":
    "session.type session.object session.id session.model session.output_modalities session.instructions session.tools session.tool_choice session.max_output_tokens session.tracing session.truncation session.prompt session.expires_at session.audio session.include",
  "input_audio_buffer.speech_started": "audio_start_ms item_id",
  "input_audio_buffer.speech_stopped": "audio_end_ms item_id",
  "input_audio_buffer.committed": "previous_item_id item_id",
  "conversation.item.added":
    "previous_item_id item.id item.type item.status item.role item.content item.name item.call_id item.arguments item.output item.phase",
  "response.created":
    "response.object response.id response.status response.status_details response.output response.conversation_id response.output_modalities response.max_output_tokens response.audio response.usage response.metadata",
  "conversation.item.input_audio_transcription.delta": "item_id content_index delta obfuscation",
  "conversation.item.input_audio_transcription.completed": "item_id content_index transcript usage.type usage.seconds",
  "response.output_item.added":
    "response_id output_index item.id item.type item.status item.role item.content item.name item.call_id item.arguments item.phase",
  "response.content_part.added": "response_id item_id output_index content_index part.type part.transcript part.text",
  "response.output_audio_transcript.delta": "response_id item_id output_index content_index delta obfuscation",
  "response.output_audio.delta": "response_id item_id output_index content_index delta",
  "response.output_audio.done": "response_id item_id output_index content_index",
  "response.output_audio_transcript.done": "response_id item_id output_index content_index transcript",
  "response.function_call_arguments.delta": "response_id item_id output_index call_id delta obfuscation",
  "response.function_call_arguments.done": "response_id item_id output_index call_id name arguments",
  "rate_limits.updated": "rate_limits",
};
const same: Readonly<Record<string, string>> = {
  "session.updated": "session.created",
  "conversation.item.done": "conversation.item.added",
  "response.content_part.done": "response.content_part.added",
  "response.output_item.done": "response.output_item.added",
  "response.done": "response.created",
};

/** @returns names that an event of this type had, or undefined if none was recorded */
export function recordedFields(type: string): readonly string[] | undefined {
  return realtimeFields[same[type] ?? type]?.split(" ");
}

/** Events of a spoken turn that is answered, in order; those that may come anywhere between are left out. */
export const spokenTurnOrder: readonly string[] = [
  ...["input_audio_buffer.speech_started", "input_audio_buffer.speech_stopped", "input_audio_buffer.committed"],
  ...["conversation.item.added", "conversation.item.done", "response.created", "response.output_item.added"],
  ...["conversation.item.added", "response.content_part.added", "response.output_audio_transcript.delta"],
  ...["response.output_audio.delta", "response.output_audio.done", "response.output_audio_transcript.done"],
  ...["response.content_part.done", "conversation.item.done", "response.output_item.done", "response.done"],
];

/** Events of a response that calls a function, and of its result. */
export const calledOrder: readonly string[] = [
  ...["response.created", "response.output_item.added", "conversation.item.added"],
  ...["response.function_call_arguments.delta", "response.function_call_arguments.done", "conversation.item.done"],
  ...["response.output_item.done", "response.done", "conversation.item.added", "conversation.item.done"],
];

/** A few bytes that are sound, and some that are none; whoever plays them makes them longer. */
const [loud, silent] = [Buffer.from([0, 16, 0, 32]).toString("base64"), Buffer.alloc(4).toString("base64")];
const answer = { type: "function_call_output", call_id: "call_1", output: "rain" };
const says = (data: Json): RecordedMessage => ({ from: "service", data });
const does = (data: Json): RecordedMessage => ({ from: "client", data });

/**
 * OpenAI Realtime: words of the user come while he speaks; a message and a call in one response, their events among each other; the
 * result is given before the response is done.
 */
export function realtimeRecording(): RecordedMessage[] {
  let events = 0;
  const event = (type: string, fields: Json) => says({ type, event_id: `event_${++events}`, ...fields });
  const format = { type: "audio/pcm", rate: 24_000 };
  const session = { session: { type: "realtime", audio: { input: { format }, output: { format } } } };
  const user = { item_id: "item_user", content_index: 0 };
  const heard = "conversation.item.input_audio_transcription";
  const item = (id: string, fields: object) => ({ item: { id, ...fields }, previous_item_id: null });
  const message = (status: string, content: Json[]) => ({ type: "message", status, role: "assistant", content });
  const call = (status: string, text: string) => ({
    ...{ type: "function_call", status, name: "weather", call_id: "call_1", arguments: text },
  });
  const of = (response_id: string, item_id: string, output_index = 0) => ({
    ...{ response_id, item_id, output_index, content_index: 0 },
  });
  const response = (id: string, status: string) => ({
    response: { object: "realtime.response", id, status, output: [] },
  });
  const [first, second] = [of("resp_1", "item_1"), of("resp_2", "item_3")];
  const begin = (id: string, at: Json) => [
    event("response.output_item.added", { ...at, item: { id, ...message("in_progress", []) } }),
    event("conversation.item.added", item(id, message("in_progress", []))),
    event("response.content_part.added", { ...at, part: { type: "audio", transcript: "" } }),
  ];
  const end = (id: string, at: Json, transcript: string) => [
    event("response.output_audio.done", at),
    event("response.output_audio_transcript.done", { ...at, transcript }),
    event("response.content_part.done", { ...at, part: { type: "audio", transcript } }),
    event("conversation.item.done", item(id, message("completed", []))),
    event("response.output_item.done", { ...at, item: { id, ...message("completed", []) } }),
  ];
  const say = (at: Json, delta: string) => event("response.output_audio_transcript.delta", { ...at, delta });
  const sound = (at: Json) => event("response.output_audio.delta", { ...at, delta: loud });
  return [
    event("session.created", session),
    ...[does({ type: "session.update", ...session }), event("session.updated", session)],
    event("input_audio_buffer.speech_started", { audio_start_ms: 1460, item_id: user.item_id }),
    ...[" Will", " it rain"].map((delta) => event(`${heard}.delta`, { ...user, delta })),
    event("input_audio_buffer.speech_stopped", { audio_end_ms: 4256, item_id: user.item_id }),
    event("input_audio_buffer.committed", { item_id: user.item_id, previous_item_id: null }),
    event("conversation.item.added", item(user.item_id, { type: "message", status: "completed", role: "user" })),
    event("conversation.item.done", item(user.item_id, { type: "message", status: "completed", role: "user" })),
    event("response.created", response("resp_1", "in_progress")),
    event(`${heard}.delta`, { ...user, delta: "?" }),
    ...[...begin("item_1", first), say(first, "One"), sound(first)],
    event("response.output_item.added", { ...of("resp_1", "", 1), item: { id: "item_2", ...call("in_progress", "") } }),
    event("conversation.item.added", item("item_2", call("in_progress", ""))),
    event("response.function_call_arguments.delta", { ...of("resp_1", "item_2", 1), call_id: "call_1", delta: "{" }),
    ...[say(first, " moment."), sound(first), ...end("item_1", first, "One moment.")],
    event(`${heard}.completed`, { ...user, transcript: "Will it rain?", usage: { type: "duration", seconds: 3 } }),
    event("response.function_call_arguments.done", {
      ...of("resp_1", "item_2", 1),
      call_id: "call_1",
      arguments: "{}",
    }),
    event("conversation.item.done", item("item_2", call("completed", "{}"))),
    event("response.output_item.done", { ...of("resp_1", "", 1), item: { id: "item_2", ...call("completed", "{}") } }),
    does({ type: "conversation.item.create", item: answer }),
    event("response.done", response("resp_1", "completed")),
    does({ type: "response.create" }),
    event("rate_limits.updated", { rate_limits: [] }),
    event("conversation.item.added", item("item_result", answer)),
    event("conversation.item.done", item("item_result", answer)),
    event("response.created", response("resp_2", "in_progress")),
    // Words are well ahead of the sound, or all of them before it.
    ...[...begin("item_3", second), say(second, "Yes, it"), say(second, " rains."), sound(second), sound(second)],
    ...[sound(second), ...end("item_3", second, "Yes, it rains.")],
    event("response.done", response("resp_2", "completed")),
  ];
}

/**
 * Gemini Live: content that is empty, a thought as text, words before the sound of their reply (2.5) and in one message with it (3.1), no
 * `generationComplete`, and a reply soon after the one before.
 */
export function geminiRecording(): RecordedMessage[] {
  const part = { inlineData: { mimeType: "audio/pcm;rate=24000", data: loud } };
  const content = (serverContent: object) => says({ serverContent });
  const words = (text: string) => content({ outputTranscription: { text } });
  const sound = content({ modelTurn: { parts: [part] } });
  return [
    ...[does({ setup: {} }), says({ setupComplete: {} })],
    ...[" Will", " it rain?"].map((text) => content({ inputTranscription: { text } })),
    ...[content({ modelTurn: { parts: [{ text: "**Thinking**", thought: true }] } }), content({})],
    says({ toolCall: { functionCalls: [{ id: "function-call-1", name: "weather", args: { city: "Rome" } }] } }),
    does({ tool_response: { functionResponses: [{ id: "function-call-1", name: "weather", response: {} }] } }),
    ...[says({ sessionResumptionUpdate: { newHandle: "handle", resumable: true } }), content({})],
    ...[words("IT RAINS"), sound, sound, content({ generationComplete: true })],
    says({ serverContent: { turnComplete: true }, usageMetadata: { totalTokenCount: 1 } }),
    ...[words("SHALL WE"), sound, sound, says({ serverContent: { turnComplete: true } })],
    content({ modelTurn: { parts: [part] }, outputTranscription: { text: "Go" } }),
    ...[sound, content({ modelTurn: { parts: [part] }, outputTranscription: { text: " in." } })],
    ...[content({ generationComplete: true }), says({ serverContent: { turnComplete: true } })],
  ];
}

/**
 * GPT-Live: a piece of sound for each 100 ms of the user's, from the first second on, silence too; words two pieces before their sound;
 * a backend response whose `output` is empty, and whose results are taken before it is complete; a pause of half a second in a reply.
 */
export function liveRecording(): RecordedMessage[] {
  let events = 0;
  const event = (type: string, fields: Json) => says({ type, event_id: `event_${++events}`, ...fields });
  const sound = (delta: string, count: number) =>
    Array.from({ length: count }, () => says({ type: "session.output_audio.delta", delta }));
  const words = (side: string, delta: string, start_ms: number) =>
    event(`session.${side}_transcript.delta`, { delta, start_ms, end_ms: start_ms + 200 });
  const nested = (type: string, fields: Json) =>
    event("response.event", { delegation_id: "item_1", event: { type, ...fields } });
  const response = (id: string, status: string) => ({ response: { id, object: "response", status, output: [] } });
  const call = (status: string, text: string) => ({
    item: { id: "fc_1", type: "function_call", status, call_id: "call_1", name: "weather", arguments: text },
  });
  const format = { type: "audio/pcm", rate: 24_000 };
  const started = { id: "live_1", expires_at: 1_800_000_000, status: "active", input: [] };
  return [
    does({ type: "session.start", session: {} }),
    event("session.started", { session: { ...started, audio: { format, output: { voice: "marin" } } } }),
    ...[...sound(silent, 8), words("input", "Will", 600), ...sound(silent, 2), words("input", " it rain?", 800)],
    ...sound(silent, 10),
    event("session.delegation.created", {
      ...{ offset_ms: 2000 },
      delegation: { id: "item_1", type: "delegation", target: "responses", response_id: "resp_1" },
    }),
    ...[
      nested("response.created", response("resp_1", "in_progress")),
      nested("response.in_progress", response("resp_1", "")),
    ],
    ...[...sound(silent, 1), words("output", "Sure,", 2200), ...sound(silent, 1), words("output", " one", 2400)],
    ...[...sound(silent, 1), ...sound(loud, 3)],
    nested("response.output_item.added", call("in_progress", "")),
    nested("response.function_call_arguments.delta", { delta: "{}", item_id: "fc_1", output_index: 0 }),
    nested("response.function_call_arguments.done", { arguments: "{}", item_id: "fc_1", output_index: 0 }),
    nested("response.output_item.done", call("completed", "{}")),
    ...[does({ type: "response.item.create", item: answer }), does({ type: "response.create" })],
    ...[words("output", " moment.", 2600), ...sound(loud, 4)],
    nested("response.completed", response("resp_1", "completed")),
    ...sound(loud, 1),
    nested("response.created", response("resp_2", "in_progress")),
    nested("response.output_text.delta", { delta: "It rains.", item_id: "msg_1", output_index: 0 }),
    nested("response.output_item.done", {
      item: { id: "msg_1", type: "message", status: "completed", role: "assistant" },
    }),
    nested("response.completed", response("resp_2", "completed")),
    ...[...sound(silent, 4), words("output", " It", 3600), ...sound(silent, 1), words("output", " rains.", 3800)],
    ...[...sound(loud, 5), ...sound(silent, 12)],
  ];
}
