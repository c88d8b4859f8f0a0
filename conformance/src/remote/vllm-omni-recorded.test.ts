// What vLLM-Omni's own client sent in a session with our server (vllm_omni.clients.duplex of vllm-omni 0.30, recorded with
// vllm-omni-vendor/vendor.py): its messages with all their fields, sent again to our server and to the double wherever that client is
// not installed. Where it is, realtime-omni-vendor.test.ts and vllm-omni-vendor.test.ts run it.

import { scriptedEngine } from "@microturn/core/testing";
import { createServer } from "@microturn/server";
import { expect, test } from "vitest";
import { WebSocket } from "ws";
import type { Json } from "./recorded-service.js";
import { VllmOmniDouble } from "./vllm-omni-double.js";
import { sawtooth, until } from "./wire-session.js";

const session = {
  ...{ model: "m", modalities: ["audio", "text"], input_audio_format: "pcm16", output_audio_format: "pcm16" },
  ...{ sample_rate_hz: 16_000, audio: { input: { sample_rate_hz: 16_000 }, output: { sample_rate_hz: 24_000 } } },
  ...{ turn_detection: null, instructions: "Be brief.", playback_commit_policy: "ack_only" },
  extra_body: { auto_response: true },
};

/** The recorded client: a second of sound, then it acknowledges all that comes and cancels the third response at its first sound. */
class RecordedClient {
  readonly events: Json[] = [];
  closedWith = 0;
  readonly #socket: WebSocket;
  #sent = 0;
  readonly #playedMs = new Map<string, number>();

  constructor(url: string) {
    this.#socket = new WebSocket(`${url}/v1/realtime?duplex=1&model=m&autostart=0`);
    this.#socket.on("open", () => this.#say("session.update", { session }));
    this.#socket.on("message", (data) => this.#take(JSON.parse(String(data))));
    this.#socket.on("close", (code) => {
      this.closedWith = code;
    });
  }

  of(type: string): Json[] {
    return this.events.filter((event) => event.type === type);
  }

  #take(event: Json): void {
    const { type, server_event_seq, response_id } = event;
    this.events.push(event);
    // Also of session.closed, which comes last.
    if (server_event_seq !== undefined)
      this.#socket.send(JSON.stringify({ type: "session.event_ack", server_event_seq }));
    if (type === "session.updated") this.#speak();
    if (type === "response.done" && this.of("response.done").length === 3) this.#say("session.close", {});
    if (type !== "response.output_audio.delta") return;
    const { sample_rate_hz, delta } = event;
    const ms = (500 * Buffer.from(delta, "base64").length) / sample_rate_hz;
    const played = (this.#playedMs.get(response_id) ?? 0) + ms;
    const first = !this.#playedMs.has(response_id);
    this.#playedMs.set(response_id, played);
    const played_ms = Math.round(played);
    this.#say("playback.ack", { played_ms, committed_ms: played_ms, response_id });
    // Once: sound that was sent before the service knew still comes, and there is nothing left to cancel then.
    if (first && this.#playedMs.size === 3) this.#say("response.cancel", { response_id });
  }

  #speak(): void {
    const bytes = Buffer.from(sawtooth(16_000).buffer);
    for (let ms = 200; ms <= 1000; ms += 200) {
      const audio = bytes.subarray(32 * (ms - 200), 32 * ms).toString("base64");
      const told = { format: "pcm16", sample_rate_hz: 16_000, duration_ms: 200, audio_end_ms: ms };
      this.#say("input_audio_buffer.append", { audio, ...told });
    }
  }

  #say(type: string, fields: object): void {
    this.#socket.send(JSON.stringify({ type, ...fields, event_id: `evt_${this.#sent++}` }));
  }
}

/** What every server of this wire must have told it. */
function check(client: RecordedClient): void {
  expect(client.of("error")).toEqual([]);
  expect(client.of("response.done").map(({ response }) => response.status)).toEqual([
    ...["completed", "completed", "cancelled"],
  ]);
  expect(client.of("playback.acknowledged").length).toBeGreaterThan(2);
  expect(client.events.at(-1).type).toBe("session.closed");
  expect(client.closedWith).toBe(1000);
}

test("our server takes all that vLLM-Omni's client sends (recorded)", async () => {
  // Speaks for a second of every two, whatever it hears.
  const script = ({ index }: { index: number }) =>
    index % 10 < 5 ? ({ decision: "speak", speech: 0.25, text: `word${index}` } as const) : {};
  const engine = scriptedEngine({ keepSteps: false, script });
  await using server = createServer({ engine, auth: "none", limits: { maxAheadMs: 60_000, maxSlowShare: 1 } });
  const { port } = await server.listen({ port: 0 });
  await server.ready;
  const client = new RecordedClient(`ws://127.0.0.1:${port}`);
  await until("the end", () => client.closedWith !== 0);
  check(client);
  await until("its session is gone", () => server.openSessions === 0);
});

test("the double of vLLM-Omni takes it, too", async () => {
  const double = await VllmOmniDouble.start();
  const client = new RecordedClient(double.url);
  await until("a second of sound", () => double.receivedSamples === 16_000);
  for (let count = 1; count <= 3; count++) {
    const reply = double.beginReply();
    reply.text("It is sunny.");
    reply.sound(sawtooth(4800));
    if (count < 3) reply.end();
    await until("the response is over", () => client.of("response.done").length === count);
  }
  await until("the end", () => client.closedWith !== 0);
  check(client);
  expect(double.violations).toEqual([]);
  await double.close();
});
