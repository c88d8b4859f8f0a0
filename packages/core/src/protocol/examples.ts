// One message of every kind and shape: for round trips, mutations, and the table of docs/protocol.md.

import type { EngineCapabilities, TurnInput } from "../engine.js";
import type { ClientMessage, ServerMessage } from "./messages.js";

const capabilities: EngineCapabilities = {
  ...{ turnDurationMs: 200, inputSampleRate: 16_000, outputSampleRate: 16_000 },
  ...{ inputs: ["audio", "video"], outputs: ["audio", "text", "heard"] },
  ...{ saysText: true, hearsText: true, decisions: true, delegation: true, snapshots: false },
  ...{ deterministic: true, truncates: false, maxSessions: 16, dmel: "dmel-20", image: { width: 39, height: 40 } },
  identity: { model: "mini 0.3.0", backend: "cpu int8" },
};

/** A phase-continuous tone: what is lost or doubled shows. */
function tone(samples: number): Float32Array {
  return Float32Array.from({ length: samples }, (_, i) => 0.5 * Math.sin(i / 7));
}

/** What a client says, one of each kind and more of the step. */
export function exampleClientMessages(): ClientMessage[] {
  const step = (input: Partial<TurnInput>): ClientMessage => ({
    ...{ kind: "step", sequence: 2 },
    input: { index: 4, turns: 1, audio: new Float32Array(0), images: [], text: [], ...input },
  });
  const pixels = Uint8Array.from({ length: 5 * 6 * 3 }, (_, i) => 3 + i);
  return [
    { kind: "hello", version: 1, seed: 7, temperature: 0.5, speech: "pcm16" },
    {
      ...{ kind: "hello", version: 1, seed: 0, temperature: 0, speech: "float32" },
      resume: { session: "s-1", token: "t-1", lastAnswer: -1 },
    },
    step({ dmel: Uint8Array.from({ length: 160 }, (_, i) => i) }),
    step({ turns: 2, audio: tone(6400), forceListen: true, played: { turnIndex: 3, samples: 1234 } }),
    step({
      audio: new Float32Array(3200),
      images: [
        { data: pixels, width: 5, height: 6, timeMs: 812.5 },
        { data: new Uint8Array(4 * 2 * 2).fill(9), width: 2, height: 2, timeMs: 900 },
      ],
      text: [
        { source: "user", text: "what is the weather" },
        { source: "background", text: "Il pleut à Paris. 雨", delivery: 3, delegation: "d-1" },
        { source: "background", text: "to know", silent: true },
      ],
    }),
    { kind: "ping", id: 99 },
    { kind: "close" },
  ];
}

/** What the server says, one of each kind and more of the output. */
export function exampleServerMessages(): ServerMessage[] {
  const timing = { encodeMs: 0.5, waitMs: 1.25, runMs: 8, decodeMs: 2 };
  const limits = { graceMs: 30_000, idleTimeoutMs: 60_000, maxSessionMs: 0 };
  return [
    { kind: "welcome", version: 1, session: "s-1", token: "t-1", capabilities, ...limits },
    {
      ...{ kind: "output", sequence: 4 },
      output: {
        ...{ decision: "speak", speech: tone(3200), text: "hello there", heard: "good morning", timing },
        inside: { controls: new Uint8Array([2, 2, 0, 1]) },
      },
    },
    {
      ...{ kind: "output", sequence: 5 },
      output: {
        ...{ decision: "listen", yielded: true, speech: new Float32Array(3200), text: "", heard: "", timing },
        unsaid: [{ delivery: 2, words: "and so on" }, { words: "雨" }],
        delegation: { task: "weather in Paris", id: "d-1", name: "weather", arguments: { city: "Paris" } },
      },
    },
    { kind: "welcome", version: 1, session: "s-1", token: "t-2", capabilities, ...limits, lastStep: 5 },
    { kind: "refused", sequence: 6, code: "UNSUPPORTED", message: "step: no video here" },
    { kind: "failure", code: "SERVER_BUSY", message: "no room", retryAfterMs: 1500 },
    { kind: "pong", id: 99 },
    { kind: "draining", leftMs: 10_000 },
  ];
}
