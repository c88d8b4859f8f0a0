// Broken events by the thousand into the JSON wire of our server: each is refused in words or taken, and the session lives on.

import type { Script } from "@microturn/core/testing";
import { describe, expect, it } from "vitest";
import { mutateJson, seededRandom } from "../../../packages/backend-remote/src/testing/mutate-json.js";
import { type BenchClient, RealtimeBench } from "../../../packages/server/src/realtime/realtime-bench.js";
import { realtimeCorpus } from "../../../packages/server/src/realtime/realtime-corpus.js";

const messages = 6000;

/** Speaks, yields, hears and hands over by chance. */
function lively(random: () => number): Script {
  return (_, memory) => {
    const speaking = memory.speaking === true;
    const next = random() < 0.8 ? speaking : !speaking;
    memory.speaking = next;
    return {
      ...(next ? { decision: "speak" as const, speech: 0.1, text: random() < 0.5 ? "word" : "" } : {}),
      ...(speaking && !next && random() < 0.5 ? { yielded: true } : {}),
      ...(random() < 0.2 ? { heard: "yes" } : {}),
      ...(random() < 0.05 ? { delegation: { task: "look", id: `d${Math.floor(random() * 9)}` } } : {}),
    };
  };
}

/** Names that the server has given, put where the corpus has its own. */
function named(text: string, { told }: BenchClient, random: () => number): string {
  const recent = told.slice(-60);
  const ids = (name: string) => recent.flatMap((event) => (typeof event[name] === "string" ? [event[name]] : []));
  const pick = (values: string[], other: string) => values[Math.floor(random() * values.length)] ?? other;
  return text
    .replaceAll('"item_1"', () => JSON.stringify(random() < 0.7 ? pick(ids("item_id"), "item_1") : "item_1"))
    .replaceAll('"call_1"', () => JSON.stringify(pick(ids("call_id"), "call_1")))
    .replaceAll('"resp_1"', () => JSON.stringify(pick(ids("response_id"), "resp_1")));
}

describe("broken events", () => {
  it.each([1, 2, 3])("end no session and show nothing of the inside (seed %i)", async (seed) => {
    const random = seededRandom(seed);
    const bench = new RealtimeBench(
      { script: lively(random), keepSteps: false, capabilities: { saysText: true } },
      { maxSessionMs: 1e9 },
    );
    let client = await bench.connect();
    const codes = new Set<string>();
    let [sequence, sent] = [0, 0];
    let { session_id, incarnation, resume_token } = client.told[0];
    const look = () => {
      for (const event of client.told.splice(0)) {
        if (event.type === "error") codes.add(event.error.code);
        if (event.type === "session.resumed") continue;
        expect(event.server_event_seq).toBe(++sequence);
        expect(client.closed).toBeUndefined();
      }
    };
    for (; sent < messages / 3; sent++) {
      client.connection.receive(named(mutateJson(realtimeCorpus, random), client, random));
      if (random() < 0.2) await bench.clock.advance(200 * Math.ceil(4 * random()));
      if (random() < 0.05) look();
      if (random() < 0.01) {
        look();
        client.lose();
        client = await bench.connect("autostart=0");
        await client.say({
          ...{ type: "session.resume", session_id, incarnation, resume_token },
          last_received_server_event_seq: sequence,
        });
        ({ session_id, incarnation, resume_token } = client.told[0]);
      }
    }
    look();
    expect([...codes]).not.toContain("internal_error");
    expect(codes.size).toBeGreaterThan(10);
    await client.say({ type: "session.heartbeat" });
    expect(client.types()).toContain("session.heartbeat_ack");
    await client.say({ type: "session.close" });
    expect(client.types().at(-1)).toBe("session.closed");
    expect([bench.sessions.size, bench.engine.openSessions, bench.context.admission.open]).toEqual([0, 0, 0]);
    expect(bench.clock.pending).toBe(0);
  });
});
