// State is yours: one past, two futures, and a way back. A session is forked in the middle of a recording; one branch hears
// the rest of it, the other silence. Then the first goes back to where they parted.

import { readFile } from "node:fs/promises";
import { nodeBackend } from "@microturn/backend-node";
import { DuplexSession, mixToMono, readWav } from "@microturn/core";
import { localEngine } from "@microturn/core/local";
import { mini } from "@microturn/mini";

const backend = await nodeBackend();
const engine = localEngine({ model: mini, backend, maxSessions: 2 });
const { channels, sampleRate } = readWav(await readFile("fixtures/speech/conversation.wav"));
const recording = mixToMono(channels);
const half = Math.floor(recording.length / 2);

const session = await DuplexSession.open({ engine, sampleRate, pace: "as-fast-as-input", rewindMs: 20_000, tailMs: 0 });
const texts = collect(session);
await session.writeAudio(recording.subarray(0, half));

const branch = await session.fork({ rewindMs: 0 });
const parted = branch.turnIndex;
const branchTexts = collect(branch);
await Promise.all([
  session.writeAudio(recording.subarray(half)),
  branch.writeAudio(new Float32Array(recording.length - half)).then(() => branch.finish()),
]);
console.log(`parted at micro-turn ${parted}`);
console.log("heard silence: ", (await branchTexts).join(" "));

await session.rewind(Math.min(parted, session.turnIndex));
console.log(`back at micro-turn ${session.turnIndex}`);
await session.finish();
console.log("heard the rest:", (await texts).join(" "));
await engine.close();
await backend.close();

/** Everything a session says until it ends. */
async function collect(from: DuplexSession): Promise<string[]> {
  const said: string[] = [];
  for await (const turn of from) if (turn.output.text) said.push(turn.output.text);
  return said;
}
