// Recordings of the services themselves, played to our engines. Public ones are in the tests of pydantic/pydantic-ai
// (tests/realtime/cassettes, MIT licence): OpenAI Realtime, the same at Azure and xAI, Gemini Live, GPT-Live. They are not kept here:
// name a folder of them in MICROTURN_RECORDED_WIRES.

import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { parse } from "yaml";
import type { Json, RecordedMessage } from "./recorded-service.js";
import { expected, play } from "./recorded-talk.js";

const folder = process.env.MICROTURN_RECORDED_WIRES;
const reason = folder === undefined ? " (skipped: MICROTURN_RECORDED_WIRES names no folder of recordings)" : "";
/** What services send beyond what means something here: `serverContent` that is empty (Gemini); the rest is xAI's. */
const meaningless = new Set([
  ...["raw serverContent", "raw ping", "raw conversation.item.input_audio_transcription.updated"],
  // Of the conversation before, on a connection that goes on with it.
  "raw conversation.item.added",
]);

/** Connections of all recordings that a WebSocket of ours could have had. */
function recordings(): { name: string; messages: RecordedMessage[] }[] {
  if (folder === undefined) return [{ name: "any", messages: [] }];
  const found: { name: string; messages: RecordedMessage[] }[] = [];
  for (const name of readdirSync(folder, { recursive: true }).map(String).sort()) {
    if (!name.endsWith(".yaml") || /webrtc|sideband|elevenlabs/.test(name)) continue;
    const { interactions } = parse(readFileSync(join(folder, name), "utf8")) as { interactions: Json[] };
    let messages: RecordedMessage[] = [];
    const connections = [messages];
    for (const { kind, direction, data } of interactions) {
      if (kind === "message") messages.push({ from: direction === "sent" ? "client" : "service", data });
      else {
        messages = [];
        connections.push(messages);
      }
    }
    for (const [at, one] of connections.entries()) {
      if (one.length > 0)
        found.push({ name: connections.length > 1 ? `${name}, connection ${at + 1}` : name, messages: one });
    }
  }
  return found;
}

describe.skipIf(folder === undefined)(`recordings of services${reason}`, () => {
  test.each(recordings())("$name", async ({ messages }) => {
    const { notes, said, ...talk } = await play(messages);
    const { said: words, cut, ...rest } = expected(messages);
    expect(talk).toEqual(rest);
    if (cut) expect(inOrder(said.split(" "), words.split(" ")), `"${said}" of "${words}"`).toBe(true);
    else expect(said).toBe(words);
    expect(notes.filter((note) => !meaningless.has(note))).toEqual([]);
  });
});

/** Whether all of a list is in another, in this order. */
function inOrder(some: readonly string[], all: readonly string[]): boolean {
  let at = 0;
  for (const one of all) if (one === some[at]) at++;
  return at === some.length;
}
