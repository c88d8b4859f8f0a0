// The tools of an MCP server: mini hands a question over, the background model asks a railway's server, and mini says what it found.
// Of what the server offers, the background may use what is allowed here. The question is typed; spoken it is the same.

import { fileURLToPath } from "node:url";
import { nodeBackend } from "@microturn/backend-node";
import { DuplexSession } from "@microturn/core";
import { localEngine } from "@microturn/core/local";
import { mini } from "@microturn/mini";
import { backgroundModel } from "@microturn/tools";
import { connectMcp } from "@microturn/tools/mcp";
import { backgroundLanguageModel } from "./background-language-model.js";
import { scriptedLanguageModel } from "./scripted-language-model.js";

/** What a language model would do, where there is none: look at the timetable, and say what is in it. */
const script = scriptedLanguageModel(({ results }) => {
  if (results.length === 0) return { call: "departures", input: { to: "Paris" } };
  const [hour, minute, platform] = /"leaves":"(\d+):(\d+)","platform":(\d+)/.exec(results.join())?.slice(1) ?? [];
  if (hour === undefined) return { say: "There is no train to Paris." };
  return { say: `The next train to Paris leaves at ${hour} ${minute} from platform ${platform}.` };
});

const { model, name } = await backgroundLanguageModel(script);
const railway = await connectMcp(
  { command: process.execPath, args: [fileURLToPath(new URL("mcp-server.js", import.meta.url))] },
  { allow: ["departures"] },
);
console.log(`in the background: ${name}, with ${Object.keys(railway.tools).join(", ")}`);

const background = backgroundModel({ model, tools: railway.tools });
const backend = await nodeBackend();
const session = await DuplexSession.open({
  engine: localEngine({ model: mini, backend }),
  background,
  pace: "as-fast-as-input",
});

let over = false;
session.on("delegation", ({ task }) => console.log(`asked to look up: ${task}`));
session.on("tool-call", (call) => {
  if (call.state === "running") console.log(`calls ${call.name} with ${JSON.stringify(call.arguments)}`);
});
session.on("tool-result", ({ outcome, result, error }) =>
  console.log(`${outcome}: ${JSON.stringify(result ?? error)}`),
);
session.on("background-end", () => {
  over = true;
});

/** The microphone of somebody who says nothing: until the answer is there, and ten seconds more in which it is said. */
async function silence(): Promise<void> {
  const untilMs = 300_000;
  while (!over && session.timeMs < untilMs) await session.writeAudio(new Float32Array(3200));
  await session.writeAudio(new Float32Array(160_000));
  await session.finish();
}

session.sendText("when does the next train to paris leave");
const listening = silence();
const said: string[] = [];
for await (const { output } of session) if (output.text) said.push(output.text);
await listening;
console.log(`says: ${said.join(" ")}`);
await background.close();
await railway.close();
await backend.close();
