// A recording into the bundled model, and what it heard and said, micro-turn by micro-turn. The README shows this file.

import { readFile } from "node:fs/promises";
import { nodeBackend } from "@microturn/backend-node";
import { DuplexSession, mixToMono, readWav } from "@microturn/core";
import { localEngine } from "@microturn/core/local";
import { mini } from "@microturn/mini";

const backend = await nodeBackend();
const session = await DuplexSession.open({ engine: localEngine({ model: mini, backend }), pace: "as-fast-as-input" });

const { channels, sampleRate } = readWav(await readFile("fixtures/speech/conversation.wav"));
const listening = session.writeAudio(mixToMono(channels), { sampleRate }).then(() => session.finish());

for await (const { startMs, output } of session) {
  if (output.heard) console.log(`${startMs} ms  heard: ${output.heard}`);
  if (output.text) console.log(`${startMs} ms  says:  ${output.text}`);
}
await listening;
await backend.close();
