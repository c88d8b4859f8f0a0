// Right messages of the duplex wire of vLLM-Omni, every kind that a wire may get: for tests that break them.

const at = { response_id: "resp_1", item_id: "item_1", output_index: 0, content_index: 0 };
const capabilities = {
  ...{ implementation_level: "native_duplex", chunk_period_ms: 1000, supports_session_resume: true },
  ...{ supports_barge_in: true, supports_audio_truncate: true, supports_tools: true, supports_text_only_turn: true },
  ...{ required_input_modalities: ["audio"], optional_input_modalities: ["video", "text"] },
};
const session = {
  ...{ id: "sess_1", object: "realtime.session", model: "m", capabilities, epoch: 0 },
  audio: { output: { format: { type: "audio/pcm", rate: 24_000 }, sample_rate_hz: 24_000 } },
};
const ticket = { session_id: "sess_1", resume_token: "token-1", incarnation: 1, attachment_generation: 1 };
const sound = "AAABAAIAAwAEAAUABgAHAAgACQAKAAsADAANAA4ADwA=";
const call = { id: "item_2", type: "function_call", call_id: "call_1", name: "weather" };
const metadata = { epoch: 0, audio_duration_ms: 200 };
const done = (status: string, more: object = {}) => ({
  type: "response.done",
  response: { id: "resp_1", status, output: [], metadata: { duplex_event: { epoch: 0 } }, ...more },
});
const transcription = "conversation.item.input_audio_transcription";
const numbered = (server_event_seq: number, event: object) => ({ ...event, server_event_seq });

/** Messages of the server, as text. */
export const vllmOmniCorpus: readonly string[] = [
  { type: "session.created", server_event_seq: 1, session, ...ticket },
  { type: "session.updated", session },
  { type: "session.resumed", server_event_seq: 4, replayed_events: 2, session, ...ticket, resume_token: "token-2" },
  { type: "session.resync_required", session_id: "sess_1", reason: "journal_gap" },
  { type: "session.replaced", session_id: "sess_1" },
  { type: "session.expired", session_id: "sess_1", reason: "idle_timeout" },
  { type: "session.closed", session_id: "sess_1", reason: "max_duration" },
  { type: "session.heartbeat_ack", time_ms: 30_000, epoch: 0 },
  {
    type: "response.created",
    response: { id: "resp_1", status: "in_progress", metadata: { duplex_event: { epoch: 0 } } },
  },
  numbered(2, { type: "response.created", response: { id: "resp_2", status: "in_progress" } }),
  { type: "response.speak", ...at, metadata: { epoch: 0, model_speak: true } },
  { type: "response.output_item.added", response_id: "resp_1", item: { id: "item_1", type: "message" } },
  { type: "response.output_audio.delta", ...at, delta: sound, format: "pcm16", sample_rate_hz: 24_000, metadata },
  {
    ...{ type: "response.output_audio.delta", ...at, delta: sound },
    metadata: {
      ...metadata,
      audio_text_marks: [
        { text_chars: 3, audio_end_ms: 90 },
        { text_chars: 9, audio_end_ms: 200 },
      ],
    },
  },
  { type: "response.output_audio.delta", ...at, response_id: "resp_2", item_id: "item_3", delta: "AAAB" },
  numbered(3, { type: "response.output_audio.delta", ...at, delta: "", metadata: { epoch: 1 } }),
  { type: "response.output_audio_transcript.delta", ...at, delta: "It rains " },
  { type: "response.output_audio_transcript.delta", ...at, delta: "in Rome. 雨" },
  { type: "response.output_text.delta", ...at, response_id: "resp_2", delta: "in words" },
  { type: "response.output_audio.done", ...at },
  { type: "response.output_item.done", response_id: "resp_1", item: { ...call, arguments: '{"city":"Rome"}' } },
  { type: "response.output_item.done", response_id: "resp_1", item: { ...call, call_id: "call_2", arguments: "{}" } },
  done("completed"),
  done("cancelled"),
  done("failed", { status_details: { type: "failed", reason: "engine_error" } }),
  { type: "response.listen", response_id: "resp_1", response: { id: "resp_1", metadata: { epoch: 0 } } },
  { type: "response.listen", response: { status: "listening", metadata: { model_listen: false } } },
  { type: "overlap.decision", action: "barge_in", epoch: 1 },
  { type: "overlap.decision", action: "continue" },
  { type: "output_audio_buffer.cleared", response_id: "resp_1" },
  { type: `${transcription}.delta`, item_id: "item_0", delta: "what is " },
  { type: `${transcription}.delta`, item_id: "item_4", delta: "later" },
  { type: `${transcription}.completed`, item_id: "item_0", transcript: "what is it?" },
  { type: "duplex.function_call.done", arguments: "{" },
  { type: "playback.acknowledged", event: { response_id: "resp_1", item_id: "item_1", epoch: 0 } },
  { type: "input_audio_buffer.speech_started", audio_start_ms: 100, item_id: "item_0" },
  { type: "error", error: { type: "invalid_request_error", code: "response_not_active", message: "No response." } },
  {
    type: "error",
    error: { type: "rate_limit_error", code: "input_backpressure", message: "Slower.", event_id: "mt-7" },
  },
  { type: "error", error: { code: "resource_exhausted", message: "busy", retry_after_ms: 1500 } },
  { type: "error", error: "Unsupported audio format", code: "unsupported_audio_format", param: "session.audio" },
  { type: "error", error: { code: "session_resume_expired", message: "Too late.", param: "resume_token" } },
  { type: "error", error: { type: "server_error", code: "runtime_failed", message: "Sorry." } },
].map((message) => JSON.stringify(message));
