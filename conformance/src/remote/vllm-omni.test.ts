// vLLM-Omni: the suite of wires over its double, and what is particular to it.

import { type ConnectionOptions, type VllmOmniOptions, vllmOmniEngine } from "@microturn/backend-remote";
import type { ServiceDouble, WireUnderTest } from "./service-double.js";
import { VllmOmniDouble } from "./vllm-omni-double.js";
import { describeWire } from "./wire-suite.js";

const secret = "key-right-and-secret";

const wire: WireUnderTest = {
  name: "vLLM-Omni",
  secret,
  double: () => VllmOmniDouble.start({ key: secret }),
  engine,
  unknown: [
    '{"type":"response.telepathy.delta","delta":"ommm","server_event_seq":0.5}',
    '{"type":"duplex.mood","metadata":{"epoch":"happy"}}',
  ],
  broken: [
    '{"type":"error"}',
    '{"type":"error","error":17}',
    '{"type":"error","error":{"code":{},"message":[1]}}',
    '{"type":"response.created"}',
    '{"type":"response.created","response":{"id":17}}',
    '{"type":"response.done","response":{"id":"never seen","status":"completed","output":7}}',
    '{"type":"response.done","response_id":"r","response":{"status":"failed","status_details":[]}}',
    '{"type":"response.output_audio.delta","response_id":"r","delta":17}',
    '{"type":"response.output_audio.delta","response_id":"r","delta":"ßß"}',
    '{"type":"response.output_audio.delta","delta":"AAAA"}',
    `{"type":"response.output_audio.delta","response_id":"r","delta":"${"A".repeat(5_000_000)}"}`,
    '{"type":"response.output_audio_transcript.delta","response_id":"r","delta":{}}',
    '{"type":"response.output_audio.delta","response_id":"r","delta":"AAAA","metadata":{"audio_text_marks":[null,{}]}}',
    '{"type":"response.output_item.done","item":{"type":"function_call","name":"x","arguments":"{"}}',
    '{"type":"response.listen","response":[]}',
    '{"type":"overlap.decision","action":{}}',
    '{"type":"conversation.item.input_audio_transcription.completed","transcript":5}',
    '{"type":"session.resumed","resume_token":"x"}',
    '{"type":"session.created","session":null}',
  ],
  fatalCloses: [
    { code: 1008, error: "ACCESS_DENIED" },
    { code: 1007, error: "PROTOCOL_VIOLATION" },
  ],
};

function engine(double: ServiceDouble, options: ConnectionOptions & Partial<VllmOmniOptions> = {}) {
  const { inputs = ["video", "text"], tools = [{ name: "weather" }, { name: "time" }] } = options;
  return vllmOmniEngine({ url: double.url, model: "m", apiKey: secret, inputs, tools, truncates: true, ...options });
}

describeWire(wire);
