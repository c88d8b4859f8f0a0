// The vendor's own client, as published (`vllm_omni.clients.duplex` of vllm-omni 0.30, in Python), holds a session with the double
// of vLLM-Omni: see vllm-omni-vendor/vendor.py. There is no client of the vendor's on npm. Everywhere, what the double sends is compared
// with the messages that the documentation shows (docs/serving/realtime_duplex_api.md), by their fields and their order.

import { spawn } from "node:child_process";
import { fileURLToPath } from "node:url";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { WebSocket } from "ws";
import { VllmOmniDouble } from "./vllm-omni-double.js";
import { sawtooth, until } from "./wire-session.js";

/** A Python that has websockets, pybase64, and vllm-omni (`pip install --no-deps vllm-omni`). */
const python = process.env.MICROTURN_VLLM_OMNI_PYTHON;
const script = fileURLToPath(new URL("./vllm-omni-vendor/vendor.py", import.meta.url));
const reason = python === undefined ? " (skipped: MICROTURN_VLLM_OMNI_PYTHON names no Python with vllm-omni)" : "";
let double: VllmOmniDouble;
beforeEach(async () => {
  double = await VllmOmniDouble.start();
});
afterEach(() => double.close());

interface Line {
  readonly what: string;
  readonly [name: string]: unknown;
}

/** The vendor's client, and the lines that it has said. */
function vendor(): { readonly lines: Line[]; readonly log: () => string; kill(): void } {
  const client = spawn(python as string, [script, "--url", double.url]);
  const lines: Line[] = [];
  let [out, log] = ["", ""];
  client.stderr.on("data", (text) => {
    log += text;
  });
  client.stdout.on("data", (text) => {
    out += text;
    const whole = out.split("\n");
    out = whole.pop() ?? "";
    for (const line of whole) lines.push(JSON.parse(line));
  });
  return { lines, log: () => log, kill: () => void client.kill() };
}

describe.skipIf(python === undefined)(`vLLM-Omni's own client${reason}`, () => {
  test("holds a session with the double, resumes it, and cancels", { timeout: 120_000 }, async () => {
    const { lines, log, kill } = vendor();
    const said = (what: string) => lines.filter((line) => line.what === what);
    try {
      await until("a second of sound", () => double.receivedSamples === 16_000);
      expect(said("open")[0]).toMatchObject({
        ...{ session: double.session.id },
        capabilities: { chunk_period_ms: 200, supports_session_resume: true },
      });
      double.listen();
      const first = double.beginReply();
      first.text("It is sunny");
      first.sound(sawtooth(24_000));
      first.end();
      await until("the first response", () => said("response").length === 1);
      expect(said("listen")).toHaveLength(1);
      const { generation } = double.session;
      double.drop(1006);
      await until("the loss is seen", () => double.session.socket === undefined);
      const second = double.beginReply();
      second.text("while you were away");
      second.sound(sawtooth(12_000));
      second.end();
      await until("the second response, over another connection", () => said("response").length === 2);
      expect(double.session.generation).toBe(generation + 1);
      const third = double.beginReply();
      third.sound(sawtooth(4800));
      await until("the end", () => said("closed").length === 1);
      expect(said("response")).toEqual([
        expect.objectContaining({ decision: "speak", text: "It is sunny", samples: 24_000, status: "completed" }),
        expect.objectContaining({ decision: "speak", text: "while you were away", samples: 12_000 }),
        expect.objectContaining({ decision: "speak", samples: 4800, status: "cancelled" }),
      ]);
      expect(said("response")[1].resumed).toBe(double.session.token);
      expect(double.violations).toEqual([]);
      expect(log()).not.toContain("Traceback");
    } finally {
      kill();
    }
  });

  test("is told that there is no room", { timeout: 60_000 }, async () => {
    double.capacity = 0;
    const { lines, kill } = vendor();
    try {
      await until("it is refused", () => lines.length === 1);
      expect(lines).toEqual([{ what: "refused", code: "resource_exhausted", problem: expect.any(String) }]);
    } finally {
      kill();
    }
  });
});

/** Fields that the documentation shows of each event, beside `type` and `server_event_seq`; `a.b` is a field of a field. */
const documented: Readonly<Record<string, string>> = {
  "session.created":
    "attachment_generation resume_token session session.capabilities session.epoch session.id session.audio",
  "session.updated": "session session.id",
  "session.heartbeat_ack": "session_id",
  "session.closed": "session_id epoch reason event",
  "session.resumed": "session_id session session.epoch attachment_generation resume_token",
  "conversation.item.added": "previous_item_id item item.id item.role",
  "conversation.item.created": "previous_item_id item item.id item.role",
  "conversation.item.done": "previous_item_id item item.id",
  "response.created": "response_id response response.id response.status response.metadata",
  "response.output_item.added": "response_id output_index item item.id",
  "response.content_part.added": "response_id item_id output_index content_index part",
  "response.speak": "response_id item_id output_index content_index metadata metadata.epoch metadata.model_speak",
  "response.output_audio.delta":
    "response_id item_id output_index content_index delta format sample_rate_hz metadata metadata.epoch metadata.audio_duration_ms metadata.audio_text_marks metadata.end_of_turn metadata.playback",
  "response.output_audio_transcript.delta": "response_id item_id output_index content_index delta",
  "response.output_audio.done": "response_id item_id output_index content_index",
  "response.output_audio_transcript.done": "response_id item_id output_index content_index transcript",
  "response.content_part.done": "response_id item_id output_index content_index part",
  "response.output_item.done": "response_id output_index item item.status",
  "response.done":
    "response_id response response.id response.status response.status_details response.output response.metadata",
  "rate_limits.updated": "rate_limits",
  "response.listen": "session_id epoch response response.status response.metadata",
  "playback.acknowledged":
    "event event.played_ms event.committed_ms event.truncate event.playback event.history_committed",
};

test("the double sends what the documentation shows, in its order", async () => {
  const socket = new WebSocket(`${double.url}/v1/realtime?duplex=1&autostart=0`);
  // biome-ignore lint/suspicious/noExplicitAny: events of many shapes
  const events: any[] = [];
  socket.on("message", (data) => events.push(JSON.parse(String(data))));
  await new Promise((resolve) => socket.once("open", resolve));
  const say = (message: object) => socket.send(JSON.stringify(message));
  say({ type: "session.update", session: { model: "m" } });
  await until("the session", () => events.length === 2);
  const reply = double.beginReply();
  reply.text("It is sunny");
  reply.sound(sawtooth(4800));
  const response_id = double.session.active?.id;
  reply.end();
  double.listen();
  say({ type: "session.heartbeat" });
  say({ type: "playback.ack", response_id, item_id: `item_${response_id}`, played_ms: 200, committed_ms: 200 });
  say({ type: "session.close" });
  await until("the end", () => events.at(-1)?.type === "session.closed");
  expect(events.map(({ type }) => type)).toEqual([
    ...["session.created", "session.updated", "response.created", "conversation.item.added"],
    ...["conversation.item.created", "response.output_item.added", "response.content_part.added", "response.speak"],
    ...["response.output_audio.delta", "response.output_audio_transcript.delta", "response.output_audio.done"],
    ...["response.output_audio_transcript.done", "response.content_part.done", "response.output_item.done"],
    ...["conversation.item.done", "response.done", "rate_limits.updated", "response.listen"],
    ...["session.heartbeat_ack", "playback.acknowledged", "session.closed"],
  ]);
  expect(events.slice(1).map((event) => event.server_event_seq)).toEqual(events.slice(1).map((_, i) => i + 1));
  for (const event of events) {
    const fields = documented[event.type].split(" ");
    for (const path of fields) {
      if (path === "event" && event.type === "session.closed") continue;
      const value = path.split(".").reduce((at, name) => at?.[name], event);
      expect(value, `${event.type} ${path}`).not.toBeUndefined();
    }
    const strange = Object.keys(event).filter((name) => !["type", "server_event_seq", ...fields].includes(name));
    expect(strange, event.type).toEqual([]);
  }
});
