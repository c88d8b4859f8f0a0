// The wires of other services, for the fuzz runner.

import { GeminiLiveWire } from "../../../packages/backend-remote/src/wires/gemini-live.js";
import { geminiLiveCorpus } from "../../../packages/backend-remote/src/wires/gemini-live-corpus.js";
import { GptLiveWire } from "../../../packages/backend-remote/src/wires/gpt-live.js";
import { gptLiveCorpus } from "../../../packages/backend-remote/src/wires/gpt-live-corpus.js";
import { OpenAIRealtimeWire } from "../../../packages/backend-remote/src/wires/openai-realtime.js";
import { openaiRealtimeCorpus } from "../../../packages/backend-remote/src/wires/openai-realtime-corpus.js";
import { VllmOmniWire } from "../../../packages/backend-remote/src/wires/vllm-omni.js";
import { vllmOmniCorpus } from "../../../packages/backend-remote/src/wires/vllm-omni-corpus.js";
import type { FuzzTarget } from "./fuzz-target.js";
import { wireTarget } from "./wire-subject.js";

const apiKey = "sk-of-the-fuzz-run";
/** 200 ms of loud sound at 24 kHz. */
const sound = Buffer.from(new Int16Array(4800).fill(9000).buffer).toString("base64");
const texts = (...messages: object[]) => messages.map((message) => JSON.stringify(message));

const geminiLive = wireTarget({
  ...{ name: "gemini-live", corpus: geminiLiveCorpus },
  create: (random) =>
    new GeminiLiveWire({
      ...{ model: "gemini-3.1-flash-live-preview", apiKey },
      tools: random() < 0.5 ? [] : [{ name: "weather", behavior: random() < 0.5 ? "NON_BLOCKING" : "BLOCKING" }],
    }),
  handshake: () => texts({ setupComplete: {} }),
  sound: () =>
    texts(
      { serverContent: { turnComplete: true } },
      {
        serverContent: { modelTurn: { parts: [{ inlineData: { mimeType: "audio/pcm;rate=24000", data: sound } }] } },
      },
    ),
});

const gptLive = wireTarget({
  ...{ name: "gpt-live", corpus: gptLiveCorpus },
  create: (random) =>
    new GptLiveWire({
      apiKey,
      delegation: random() < 0.5 ? { type: "client" } : { type: "responses", responses: { model: "m" } },
    }),
  handshake: () => texts({ type: "session.started", session: {} }),
  sound: () => texts({ type: "session.output_audio.delta", delta: sound }),
});

const openaiRealtime = wireTarget({
  ...{ name: "openai-realtime", corpus: openaiRealtimeCorpus },
  create: (random) =>
    new OpenAIRealtimeWire({
      apiKey,
      ...(random() < 0.5 ? {} : { turnDetection: { type: "none" }, spelling: "beta" }),
    }),
  handshake: () => texts({ type: "session.created", session: {} }, { type: "session.updated", session: {} }),
  sound: (number) =>
    texts(
      { type: "response.created", response: { id: `resp_new_${number}` } },
      {
        ...{ type: "response.output_audio.delta", response_id: `resp_new_${number}`, item_id: `item_new_${number}` },
        ...{ content_index: 0, delta: sound },
      },
    ),
});

const vllmOmni = wireTarget({
  ...{ name: "vllm-omni", corpus: vllmOmniCorpus },
  create: (random) =>
    new VllmOmniWire({
      ...{ url: "ws://localhost:8099", model: "m", apiKey, inputs: ["video", "text"], truncates: random() < 0.5 },
      tools: [{ name: "weather" }],
      inputFormat: random() < 0.8 ? "pcm16" : "pcm_f32le",
    }),
  handshake: (opening) =>
    texts(
      opening.includes('"session.resume"')
        ? { type: "session.resumed", resume_token: "token-next", session: {} }
        : JSON.parse(vllmOmniCorpus[0]),
    ),
  sound: (number) =>
    // Sound of an epoch that has passed is dropped, and a broken message may have named any: numbers end there.
    texts(
      { type: "response.created", response: { id: `resp_new_${number}` }, epoch: Number.MAX_SAFE_INTEGER },
      {
        ...{ type: "response.output_audio.delta", response_id: `resp_new_${number}`, item_id: `item_new_${number}` },
        ...{ content_index: 0, delta: sound },
      },
    ),
});

export const wireTargets: readonly FuzzTarget[] = [geminiLive, gptLive, openaiRealtime, vllmOmni];
