// OpenAI Realtime: the suite of wires over its double, and what is particular to it.

import { openaiRealtimeEngine } from "@microturn/backend-remote";
import { OpenAIRealtimeDouble } from "./openai-realtime-double.js";
import type { WireUnderTest } from "./service-double.js";
import { describeWire } from "./wire-suite.js";

const secret = "sk-right-and-secret";

const wire: WireUnderTest = {
  name: "OpenAI Realtime",
  secret,
  double: () => OpenAIRealtimeDouble.start({ key: secret }),
  engine: (double, options) => openaiRealtimeEngine({ apiKey: secret, baseUrl: `${double.url}/v1`, ...options }),
  unknown: [
    '{"type":"response.telepathy.delta","delta":"ommm"}',
    '{"type":"output_audio_buffer.started","response_id":"resp_x"}',
    '{"event_id":"e","type":"mcp_list_tools.in_progress","item_id":"x"}',
    '{"type":"input_audio_buffer.dtmf_event_received","event":"5","received_at":1}',
  ],
  broken: [
    '{"type":"error"}',
    '{"type":"error","error":17}',
    '{"type":"error","error":{"code":{},"message":[1]}}',
    '{"type":"response.created"}',
    '{"type":"response.created","response":{"id":17}}',
    '{"type":"response.done","response":{"id":"never seen","status":"completed","output":7}}',
    '{"type":"response.done","response":{"id":"r","status":"failed","status_details":{"error":"no"}}}',
    '{"type":"response.output_audio.delta","response_id":"r","item_id":"i","delta":17}',
    '{"type":"response.output_audio.delta","response_id":"r","item_id":"i","delta":"ßß"}',
    '{"type":"response.output_audio.delta","delta":"AAAA"}',
    `{"type":"response.output_audio.delta","response_id":"r","item_id":"i","delta":"${"A".repeat(5_000_000)}"}`,
    '{"type":"response.output_audio_transcript.delta","response_id":"r","item_id":"i","delta":{}}',
    '{"type":"response.output_item.done","item":{"type":"function_call","name":"x","arguments":"{"}}',
    '{"type":"response.output_item.done","item":null}',
    '{"type":"input_audio_buffer.committed"}',
    '{"type":"conversation.item.added","item":[]}',
    '{"type":"conversation.item.input_audio_transcription.completed","item_id":"i","transcript":5}',
    '{"type":"session.updated","session":null}',
  ],
  fatalCloses: [
    { code: 1008, error: "ACCESS_DENIED" },
    { code: 3000, reason: "invalid_request_error.invalid_api_key", error: "ACCESS_DENIED" },
    { code: 1007, error: "PROTOCOL_VIOLATION" },
  ],
};

describeWire(wire);
