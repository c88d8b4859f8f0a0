// Right events of a client of the JSON wire, for tests that break them.

import { pcm } from "./realtime-bench.js";

const format = { type: "audio/pcm", rate: 16_000 };
const frame = Buffer.from([255, 216, 1, 2, 3]).toString("base64");
const parameters = { type: "object", properties: { task: { type: "string" } }, required: ["task"] };

export const realtimeCorpus: readonly string[] = [
  { type: "input_audio_buffer.append", audio: pcm(480, 0.3) },
  { type: "input_audio_buffer.append", audio: pcm(480, 0.3), event_id: "e1" },
  { type: "input_audio_buffer.append", audio: pcm(160, 0.3), sample_rate_hz: 16_000, is_speech: true, duration_ms: 10 },
  { type: "input_audio_buffer.append", audio: pcm(80, 0), video_frames: [frame] },
  { type: "input_audio_buffer.commit", event_id: "e2" },
  { type: "input_audio_buffer.clear" },
  {
    type: "session.update",
    session: {
      ...{ type: "realtime", instructions: "Be brief.", output_modalities: ["audio"], tool_choice: "auto" },
      tools: [{ type: "function", name: "delegate", description: "Does it.", parameters }],
      audio: {
        input: { format, turn_detection: { type: "server_vad", threshold: 0.5 }, transcription: { model: "m" } },
        output: { format, voice: "marin", speed: 1 },
      },
    },
  },
  { type: "session.update", session: { output_modalities: ["text"], temperature: 0.8, extra_body: { a: [1] } } },
  { type: "session.update", session: { audio: { input: { format: { type: "audio/pcmu" } } } } },
  { type: "session.update", session: { turn_detection: null, overlap_policy: "auto", idle_timeout_s: 300 } },
  {
    type: "conversation.item.create",
    item: { id: "item_1", type: "message", role: "user", content: [{ type: "input_text", text: "hello" }] },
  },
  {
    type: "conversation.item.create",
    previous_item_id: "root",
    item: {
      ...{ type: "message", role: "user" },
      content: [{ type: "input_image", image_url: `data:image/jpeg;base64,${frame}` }],
    },
  },
  {
    type: "conversation.item.create",
    item: { type: "message", role: "user", content: [{ type: "input_audio", audio: pcm(480, 0.1) }] },
  },
  {
    type: "conversation.item.create",
    previous_item_id: "item_1",
    item: { type: "message", role: "assistant", content: [{ type: "output_text", text: "hi" }] },
  },
  {
    type: "conversation.item.create",
    item: { type: "function_call_output", call_id: "call_1", output: '{"result":"it rains"}' },
  },
  { type: "conversation.item.retrieve", item_id: "item_1" },
  { type: "conversation.item.delete", item_id: "item_1" },
  { type: "conversation.item.truncate", item_id: "item_1", content_index: 0, audio_end_ms: 430 },
  { type: "response.create" },
  { type: "response.create", response: { instructions: "Say hello.", metadata: { a: "1" }, conversation: "auto" } },
  { type: "response.cancel" },
  { type: "output_audio_buffer.clear" },
  { type: "barge_in" },
  { type: "turn.signal", event: "barge_in" },
  { type: "playback.ack", response_id: "resp_1", item_id: "item_1", played_ms: 200, committed_ms: 100 },
  { type: "session.heartbeat" },
  { type: "session.event_ack", server_event_seq: 3 },
].map((event) => JSON.stringify(event));
