// Right messages of GPT-Live, every kind that its published types name: for tests that break them.

const sound = "AAABAAIAAwAEAAUABgAHAAgACQAKAAsADAANAA4ADwA=";
const loud = "ABAAEAAQABAAEAAQABAAEAAQABA=";
const session = {
  ...{ id: "live_1", status: "active", model: "gpt-live-1", expires_at: 1_800_000_000 },
  audio: { format: { type: "audio/pcm", rate: 24_000 }, output: { voice: "marin" } },
};
const at = { event_id: "event_1", start_ms: 200, end_ms: 400 };
const call = { id: "fc_1", type: "function_call", status: "completed", call_id: "call_1", name: "weather" };
const nested = (event: object) => ({ type: "response.event", event_id: "event_2", delegation_id: "dlg_2", event });

/** Messages of the server, as text. */
export const gptLiveCorpus: readonly string[] = [
  { type: "session.started", event_id: "event_0", session },
  { type: "session.updated", event_id: "event_0", session },
  { type: "session.output_audio.delta", delta: sound },
  { type: "session.output_audio.delta", delta: loud },
  { type: "session.output_audio.delta", delta: "AAAB" },
  { type: "session.output_audio.delta", delta: "" },
  { type: "session.output_audio.delta", delta: loud, start_ms: 0, end_ms: 40 },
  { type: "session.input_transcript.delta", delta: "what is the ", ...at },
  { type: "session.input_transcript.delta", delta: "weather?", ...at, start_ms: 400, end_ms: 800 },
  { type: "session.output_transcript.delta", delta: "One ", ...at },
  { type: "session.output_transcript.delta", delta: "moment.", ...at, start_ms: 500, end_ms: 900 },
  {
    ...{ type: "session.delegation.created", event_id: "event_3", offset_ms: 900 },
    delegation: { id: "dlg_1", type: "delegation", target: "client" },
  },
  {
    ...{ type: "session.delegation.created", event_id: "event_4", offset_ms: 950 },
    delegation: { id: "dlg_2", type: "delegation", target: "responses", response_id: "resp_1" },
  },
  nested({ type: "response.created", response: { id: "resp_1", status: "in_progress" } }),
  nested({ type: "response.output_item.added", item: { ...call, arguments: "" } }),
  nested({ type: "response.output_item.done", item: { ...call, arguments: '{"city":"Rome"}' } }),
  nested({ type: "response.output_item.done", item: { ...call, call_id: "call_2", arguments: "{}" } }),
  nested({ type: "response.output_text.delta", delta: "It rains." }),
  nested({ type: "response.completed", response: { id: "resp_1", status: "completed" } }),
  nested({ type: "response.failed", response: { id: "resp_1", status: "failed", error: { code: "server_error" } } }),
  nested({ type: "response.incomplete", response: { id: "resp_1", incomplete_details: { reason: "content_filter" } } }),
  { type: "session.commentary.appended", client_event_id: "mt_7", ...at },
  { type: "session.thinking.appended", client_event_id: "mt_8", ...at },
  { type: "session.instructions.appended", ...at },
  { type: "session.input_audio.muted", event_id: "event_5" },
  { type: "session.input_audio.unmuted", event_id: "event_6" },
  {
    type: "session.usage.updated",
    event_id: "event_7",
    usage: { seconds: 12.5 },
    context_window: { usage_ratio: 0.1 },
  },
  { type: "session.closed", event_id: "event_8", reason: "expired", session, usage: { seconds: 13 } },
  {
    ...{ type: "error", event_id: "event_9", client_event_id: "mt_9" },
    error: { type: "invalid_request_error", code: "unknown_parameter", message: "Unknown parameter: 'x'.", param: "x" },
  },
  { type: "error", event_id: "event_10", error: { type: "server_error", code: "server_error", message: "Sorry." } },
  { type: "info", event_id: "event_11", code: "notice", message: "hello" },
  { type: "transport.dtmf.received", event_id: "event_12", event: "5" },
].map((message) => JSON.stringify(message));
