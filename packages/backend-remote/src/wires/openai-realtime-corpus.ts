// Right messages of OpenAI Realtime, every kind that its published types name and a wire may get: for tests that break them.

const part = { event_id: "event_1", response_id: "resp_1", item_id: "item_1", output_index: 0, content_index: 0 };
const message = { id: "item_1", object: "realtime.item", type: "message", role: "assistant", status: "completed" };
const call = { id: "item_2", object: "realtime.item", type: "function_call", call_id: "call_1", name: "weather" };
const response = { object: "realtime.response", id: "resp_1", status: "in_progress", output: [] };
const format = { type: "audio/pcm", rate: 24_000 };
const session = {
  ...{ type: "realtime", id: "sess_1", model: "gpt-realtime-2", output_modalities: ["audio"], tools: [] },
  audio: { input: { format, turn_detection: { type: "server_vad" } }, output: { format, voice: "marin" } },
};
const transcription = "conversation.item.input_audio_transcription";
const error = (type: string, code: string, text: string) => ({
  ...{ type: "error", event_id: "event_9" },
  error: { type, code, message: text, param: null, event_id: "create-7" },
});

/** Messages of the server, as text. */
export const openaiRealtimeCorpus: readonly string[] = [
  { type: "session.created", event_id: "event_0", session },
  { type: "session.updated", event_id: "event_0", session },
  { type: "session.updated", session: { modalities: ["audio", "text"], input_audio_format: "pcm16" } },
  { type: "conversation.created", conversation: { id: "conv_1", object: "realtime.conversation" } },
  { type: "input_audio_buffer.speech_started", audio_start_ms: 100, item_id: "item_0" },
  { type: "input_audio_buffer.speech_stopped", audio_end_ms: 900, item_id: "item_0" },
  { type: "input_audio_buffer.committed", item_id: "item_0", previous_item_id: null },
  { type: "input_audio_buffer.cleared", event_id: "event_2" },
  { type: "input_audio_buffer.timeout_triggered", audio_start_ms: 0, audio_end_ms: 5000, item_id: "item_0" },
  {
    type: "conversation.item.added",
    previous_item_id: null,
    item: { ...message, id: "item_0", role: "user", content: [] },
  },
  { type: "conversation.item.done", previous_item_id: null, item: { ...message, content: [] } },
  { type: "conversation.item.created", previous_item_id: null, item: { ...message, id: "mt_1_2", content: [] } },
  { type: "conversation.item.deleted", item_id: "item_1" },
  { type: "conversation.item.truncated", item_id: "item_1", content_index: 0, audio_end_ms: 430 },
  { type: `${transcription}.delta`, item_id: "item_0", content_index: 0, delta: "what is " },
  { type: `${transcription}.delta`, item_id: "item_3", content_index: 0, delta: "later" },
  { type: `${transcription}.completed`, item_id: "item_0", content_index: 0, transcript: "what is it?" },
  { type: `${transcription}.failed`, item_id: "item_3", content_index: 0, error: { code: "audio_unintelligible" } },
  { type: `${transcription}.segment`, item_id: "item_0", id: "seg", start: 0, end: 1, speaker: "A", text: "what" },
  { type: "response.created", event_id: "event_3", response },
  { type: "response.output_item.added", response_id: "resp_1", output_index: 0, item: { ...message, content: [] } },
  { ...part, type: "response.content_part.added", part: { type: "audio", transcript: "" } },
  { ...part, type: "response.output_audio.delta", delta: "AAABAAIAAwAEAAUABgAHAAgACQAKAAsADAANAA4ADwA=" },
  { ...part, type: "response.output_audio.delta", delta: "AAAB" },
  { ...part, type: "response.output_audio.delta", delta: "" },
  { ...part, type: "response.audio.delta", delta: "ABAAEAAQABA" },
  { ...part, type: "response.output_audio_transcript.delta", delta: "It " },
  { ...part, type: "response.audio_transcript.delta", delta: "rains." },
  { ...part, type: "response.output_text.delta", delta: "in words" },
  { ...part, type: "response.output_audio.done" },
  { ...part, type: "response.output_audio_transcript.done", transcript: "It rains." },
  { ...part, type: "response.content_part.done", part: { type: "audio", transcript: "It rains." } },
  { type: "response.output_item.done", response_id: "resp_1", output_index: 0, item: { ...message, content: [] } },
  { ...part, type: "response.function_call_arguments.delta", call_id: "call_1", delta: "{" },
  { ...part, type: "response.function_call_arguments.done", call_id: "call_1", name: "weather", arguments: "{}" },
  { type: "response.output_item.done", response_id: "resp_1", item: { ...call, arguments: '{"city":"Rome"}' } },
  { type: "response.done", response: { ...response, status: "completed", output: [message, call] } },
  {
    type: "response.done",
    response: {
      ...{ ...response, status: "cancelled" },
      status_details: { type: "cancelled", reason: "turn_detected" },
    },
  },
  {
    type: "response.done",
    response: {
      ...{ ...response, status: "failed" },
      status_details: { type: "failed", error: { type: "server_error", code: "rate_limit_exceeded", message: "wait" } },
    },
  },
  { type: "rate_limits.updated", rate_limits: [{ name: "tokens", limit: 1, remaining: 0, reset_seconds: 1 }] },
  error("invalid_request_error", "conversation_already_has_active_response", "Conversation already has one: resp_1."),
  error("invalid_request_error", "response_cancel_not_active", "Cancellation failed: no active response found"),
  error("invalid_request_error", "invalid_value", "Invalid value."),
  error("server_error", "server_error", "The server had an error."),
  error("invalid_request_error", "session_expired", "Your session hit the maximum duration of 60 minutes."),
  { type: "output_audio_buffer.started", event_id: "event_8", response_id: "resp_1" },
  { type: "mcp_list_tools.completed", event_id: "event_8", item_id: "item_9" },
].map((one) => JSON.stringify(one));
