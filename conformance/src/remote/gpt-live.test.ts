// OpenAI GPT-Live: the suite of wires, the scenarios of its own, and the double itself, which the vendor's client talks to.

import { type GptLiveOptions, gptLiveEngine } from "@microturn/backend-remote";
import { describe } from "vitest";
import { gptLiveKey, startGptLiveDouble } from "./gpt-live-double.js";
import type { WireUnderTest } from "./service-double.js";
import { describeWire } from "./wire-suite.js";

const responses = { type: "responses", responses: { model: "gpt-5.5", tools: [] } } as const;

function wireOf(options: Partial<GptLiveOptions> = {}): WireUnderTest & { double: typeof startGptLiveDouble } {
  return {
    name: "OpenAI GPT-Live",
    secret: gptLiveKey,
    double: () => startGptLiveDouble({ tools: options.delegation?.type === "responses" }),
    engine: (double, connection) =>
      gptLiveEngine({ apiKey: gptLiveKey, baseUrl: `${double.url}/v1`, ...options, ...connection }),
    unknown: [
      '{"type":"session.something.new","x":1}',
      '{"type":"info","event_id":"e","code":"notice","message":"hello"}',
      '{"type":"transport.ringing","event_id":"e","session_id":"s"}',
      Uint8Array.of(1, 2, 3),
    ],
    broken: [
      ...['{"type":"session.output_audio.delta"}', '{"type":"session.output_audio.delta","delta":"***"}'],
      ...['{"type":"session.output_audio.delta","delta":7}', '{"type":"session.output_transcript.delta","delta":null}'],
      '{"type":"session.output_transcript.delta","delta":"x","start_ms":1e999,"end_ms":"soon"}',
      ...['{"type":"session.input_transcript.delta","delta":{}}', '{"type":"session.delegation.created"}'],
      '{"type":"session.delegation.created","delegation":{"id":7,"target":"client"}}',
      ...[
        '{"type":"response.event"}',
        '{"type":"response.event","event":[]}',
        '{"type":"error"}',
        '{"type":"error","error":[]}',
      ],
      '{"type":"response.event","event":{"type":"response.output_item.done","item":{"type":"function_call","call_id":""}}}',
      ...['{"type":"session.started","session":{"audio":{"format":{"type":"audio/pcmu","rate":8000}}}}'],
    ],
    fatalCloses: [
      { code: 1008, reason: "policy", error: "ACCESS_DENIED" },
      { code: 1007, error: "PROTOCOL_VIOLATION" },
      { code: 1009, reason: "too big", error: "PROTOCOL_VIOLATION" },
    ],
  };
}

describe("responses", () => describeWire(wireOf({ delegation: responses })));
