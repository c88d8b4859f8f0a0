// Work that is handed over: mini cannot know the weather, so it says that it will look, and the session tells the application
// what was asked. What the application finds is said when nobody speaks, while mini goes on listening.

import { readFile } from "node:fs/promises";
import { nodeBackend } from "@microturn/backend-node";
import { DuplexSession, mixToMono, readWav } from "@microturn/core";
import { localEngine } from "@microturn/core/local";
import { mini } from "@microturn/mini";

/** Stands for whatever knows: a weather service, a database, a large language model. */
async function lookUp(question: string): Promise<string> {
  if (!/weather.*paris/.test(question)) return "I could not find that.";
  return "In Paris it is 14 degrees, with light rain until the evening.";
}

const backend = await nodeBackend();
const session = await DuplexSession.open({ engine: localEngine({ model: mini, backend }), pace: "as-fast-as-input" });

session.on("delegation", async ({ task }) => {
  console.log(`asked to look up: ${task}`);
  const answer = await lookUp(task);
  if (session.closed) return console.log("the answer came too late");
  const { kind } = await session.deliver(answer, "when-quiet");
  console.log(`the answer ${kind === "entered" ? "is being said" : "came too late"}`);
});

const { channels, sampleRate } = readWav(await readFile("fixtures/speech/question.wav"));
const listening = session.writeAudio(mixToMono(channels), { sampleRate }).then(() => session.finish());
const said: string[] = [];
for await (const { output } of session) if (output.text) said.push(output.text);
await listening;
console.log(`says: ${said.join(" ")}`);
await backend.close();
