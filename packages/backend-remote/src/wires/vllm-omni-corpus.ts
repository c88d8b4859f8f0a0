// Right messages of the duplex wire of vLLM-Omni, every kind that its documentation names, and what our server adds: for tests
// that break them.

const sound = "AAABAAIAAwAEAAUABgAHAAgACQAKAAsADAANAA4ADwA=";
const at = { response_id: "r1", item_id: "item_r1", output_index: 0, content_index: 0 };
const metadata = { session_id: "s", epoch: 0, model_speak: true, end_of_turn: false, audio_duration_ms: 1000 };
const item = { id: "item_r1", object: "realtime.item", type: "message", role: "assistant", status: "completed" };
const call = { id: "item_fc", type: "function_call", status: "completed", name: "weather", call_id: "call_1" };
const capabilities = {
  ...{ implementation_level: "model_native_duplex", supports_barge_in: true, supports_session_resume: true },
  ...{ supports_audio_truncate: true, chunk_period_ms: 1000, input_modes: ["append_audio_chunk"] },
  ...{ required_input_modalities: ["audio"], optional_input_modalities: ["video"], supports_text_only_turn: true },
};
const session = {
  ...{ object: "realtime.session", id: "s", epoch: 0, state: "open", capabilities },
  audio: {
    input: { format: { type: "audio/pcm", rate: 16_000 } },
    output: { format: { type: "audio/pcm", rate: 24_000 } },
  },
};
const ours = {
  supports_video: true,
  supports_tools: true,
  input_modes: ["audio", "video"],
  model_forgets_unheard: true,
};
const user = { item_id: "item_u", content_index: 0 };

/** Messages of the server, as text. */
export const vllmOmniCorpus: readonly string[] = [
  { type: "session.created", attachment_generation: 1, resume_token: "rt_1", session },
  {
    ...{ type: "session.created", session_id: "s", incarnation: "inc_1", resume_token: "rt_1", server_event_seq: 1 },
    session: { ...session, capabilities: { ...capabilities, ...ours } },
  },
  { type: "session.updated", session },
  { type: "session.resumed", session_id: "s", session, attachment_generation: 2, resume_token: "rt_2" },
  {
    ...{ type: "session.resumed", resume_token: "rt_2", server_event_seq: 4, session },
    input_audio: { received_appends: 3, received_bytes: 19_200, received_ms: 600 },
  },
  { type: "session.resync_required", session_id: "s", reason: "journal_gap" },
  { type: "session.resync_required", reason: "journal_overflow", first_server_event_seq: 5, last_server_event_seq: 9 },
  { type: "session.replaced", session_id: "s", attachment_generation: 1 },
  { type: "session.expired", session_id: "s", reason: "disconnect_grace_expired" },
  { type: "session.closed", session_id: "s", epoch: 3, reason: "shutdown", event: { type: "session.closed" } },
  { type: "session.draining", left_ms: 20_000 },
  { type: "session.heartbeat_ack", session_id: "s" },
  {
    ...{ type: "response.created", response_id: "r1", server_event_seq: 2 },
    response: { id: "r1", status: "in_progress", metadata: { duplex_event: { epoch: 0, turn_id: 1 } } },
  },
  { type: "response.output_item.added", response_id: "r1", output_index: 0, item },
  { type: "response.content_part.added", ...at, part: { type: "audio", transcript: "" } },
  { type: "response.speak", ...at, metadata: { session_id: "s", epoch: 0, model_speak: true } },
  {
    ...{ type: "response.output_audio.delta", ...at, delta: sound, format: "pcm16", sample_rate_hz: 24_000 },
    metadata: { ...metadata, audio_text_marks: [{ text_chars: 11, audio_end_ms: 1000 }] },
  },
  { type: "response.output_audio.delta", ...at, delta: "AAAB", metadata: { ...metadata, epoch: 1 } },
  { type: "response.output_audio.delta", ...at, response_id: "r2", delta: "" },
  { type: "response.output_audio_transcript.delta", ...at, delta: "It is sunny" },
  { type: "response.output_text.delta", ...at, response_id: "r3", delta: "Tomorrow looks" },
  { type: "response.output_audio.done", ...at },
  { type: "response.output_item.done", response_id: "r1", output_index: 0, item },
  {
    ...{ type: "response.done", response_id: "r1" },
    response: { id: "r1", status: "completed", status_details: null, output: [item], metadata: { epoch: 0 } },
  },
  {
    ...{ type: "response.done", response_id: "r2" },
    response: {
      id: "r2",
      status: "cancelled",
      status_details: { type: "cancelled", reason: "barge_in" },
      metadata: { epoch: 2 },
    },
  },
  {
    type: "response.done",
    response: { id: "r3", status: "failed", status_details: { type: "failed", reason: "engine" } },
  },
  {
    type: "response.output_item.done",
    response_id: "r4",
    output_index: 0,
    item: { ...call, arguments: '{"city":"Rome"}' },
  },
  { type: "response.done", response_id: "r4", response: { id: "r4", status: "completed", output: [call] } },
  {
    type: "duplex.function_call.done",
    event: { type: "function_call.done", call_id: null, name: null, arguments: "{" },
  },
  {
    type: "response.listen",
    session_id: "s",
    epoch: 0,
    response: { status: "listening", metadata: { reason: "model_listen" } },
  },
  { type: "response.listen", response_id: "r1", response: { status: "listening", metadata: { model_listen: true } } },
  {
    type: "overlap.decision",
    session_id: "s",
    epoch: 0,
    policy: "listen_only",
    action: "listen",
    metadata: { overlap_ms: 1400 },
  },
  { type: "overlap.decision", session_id: "s", epoch: 0, policy: "barge_in_on_speech", action: "barge_in" },
  { type: "output_audio_buffer.cleared", response_id: "r1" },
  { type: "input_audio_buffer.committed", item_id: "item_u", event: { type: "input.committed", turn_id: 1, epoch: 0 } },
  { type: "conversation.item.input_audio_transcription.delta", ...user, delta: "what is " },
  { type: "conversation.item.input_audio_transcription.completed", ...user, transcript: "what is the weather" },
  {
    type: "playback.acknowledged",
    event: { epoch: 0, item_id: "item_r1", played_ms: 1000, playback: { played_ms: 1000 } },
  },
  { type: "error", error: { type: "rate_limit_error", code: "input_backpressure", message: "full", event_id: "mt-2" } },
  {
    type: "error",
    error: { type: "invalid_request_error", code: "response_not_active", message: "no", event_id: "interrupt-3" },
  },
  {
    type: "error",
    error: { type: "rate_limit_error", code: "resource_exhausted", message: "limit=4", retry_after_ms: 5000 },
  },
  { type: "error", error: "Unknown or expired duplex session: s", code: "session_resume_expired" },
  { type: "error", error: { type: "server_error", code: "runtime_append_failed", message: "stale epoch" } },
].map((message) => JSON.stringify(message));
