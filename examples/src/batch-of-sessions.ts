// Eight conversations in one process: one engine, one model in memory, and one run of the graph for all that are due.

import { readFile } from "node:fs/promises";
import { nodeBackend } from "@microturn/backend-node";
import { DuplexSession, mixToMono, readWav } from "@microturn/core";
import { localEngine } from "@microturn/core/local";
import { mini } from "@microturn/mini";

const count = 8;
const backend = await nodeBackend();
const engine = localEngine({ model: mini, backend, maxSessions: count });
const { channels, sampleRate } = readWav(await readFile("fixtures/speech/conversation.wav"));
const recording = mixToMono(channels);

const started = performance.now();
const turns = await Promise.all(Array.from({ length: count }, (_, i) => converse(i)));
const seconds = (performance.now() - started) / 1000;
const spoken = (count * recording.length) / sampleRate;
console.log(
  `${count} conversations, ${turns.reduce((sum, n) => sum + n, 0)} micro-turns, ${(spoken / seconds).toFixed(1)} x real time in all`,
);
await engine.close();
await backend.close();

/** One conversation; each begins a little later than the one before. */
async function converse(index: number): Promise<number> {
  const session = await DuplexSession.open({
    engine,
    seed: index,
    sampleRate,
    pace: "as-fast-as-input",
    tailMs: 2_000,
  });
  const speaking = session
    .writeAudio(new Float32Array(index * 0.2 * sampleRate))
    .then(() => session.writeAudio(recording))
    .then(() => session.finish());
  let micro = 0;
  for await (const turn of session) {
    micro++;
    if (turn.output.text) console.log(`session ${index}  ${turn.startMs} ms  ${turn.output.text}`);
  }
  await speaking;
  return micro;
}
