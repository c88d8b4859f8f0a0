// Ask for the weather by voice, and go on talking: mini says that it will look, a tool runs in the background, a question that is
// asked meanwhile is answered, and the weather is said when nobody speaks.

import { nodeBackend } from "@microturn/backend-node";
import { DuplexSession } from "@microturn/core";
import { localEngine } from "@microturn/core/local";
import { mini } from "@microturn/mini";
import { backgroundModel, tool } from "@microturn/tools";
import { z } from "zod";
import { backgroundLanguageModel } from "./background-language-model.js";
import { microphone } from "./microphone.js";
import { scriptedLanguageModel } from "./scripted-language-model.js";
import { printTimeLine } from "./time-line.js";

const forecasts: Readonly<Record<string, { readonly celsius: number; readonly sky: string }>> = {
  berlin: { celsius: 9, sky: "clear sky" },
  paris: { celsius: 14, sky: "light rain until the evening" },
  rome: { celsius: 22, sky: "some clouds" },
};

/** A weather service that is slow: it takes as long as the user needs for another question, so that mini is speaking when it is done. */
const weather = tool({
  description: "The weather of today in a city.",
  inputSchema: z.object({ city: z.string().describe("its name, in English") }),
  async execute({ city }, { progress }) {
    progress("asks the weather station");
    const readyMs = session.timeMs + 3200;
    for await (const { startMs } of session) if (startMs >= readyMs) break;
    const forecast = forecasts[city.toLowerCase()];
    if (forecast === undefined) throw new Error(`expected one of ${Object.keys(forecasts).join(", ")}, got ${city}`);
    return forecast;
  },
});

/** What a language model would do, where there is none: call the tool, and put its result into a sentence. */
const script = scriptedLanguageModel(({ asked, results: [result] }) => {
  const city = Object.keys(forecasts).find((name) => asked.toLowerCase().includes(name));
  if (city === undefined) return { say: "I only know the weather of some cities." };
  if (result === undefined) return { call: "weather", input: { city } };
  const { celsius, sky } = JSON.parse(result).result;
  return { say: `In ${city} it is ${celsius} degrees, with ${sky}.` };
});

const { model, name } = await backgroundLanguageModel(script);
console.log(`in the background: ${name}`);
const background = backgroundModel({ model, tools: { weather }, deliver: "when-quiet" });
const backend = await nodeBackend();
const session = await DuplexSession.open({
  engine: localEngine({ model: mini, backend }),
  background,
  // A script answers at once. A language model takes its time, and so does the conversation with it.
  pace: model === script ? "as-fast-as-input" : "realtime",
});
const timeLine = printTimeLine(session);

let begun = false;
let over = false;
session.on("tool-call", ({ state }) => {
  begun ||= state === "running";
});
session.on("background-end", () => {
  over = true;
});

const user = microphone(session);
await user.play("question", 0, 3.4); // what is the weather like in paris
await user.silenceUntil("the tool runs", () => begun || over);
await user.silence(1000);
await user.play("conversation", 4, 6.4); // what is seven plus eight
await user.silenceUntil("the answer is there", () => over);
await user.silence(8000);
await session.finish();
console.log(`says: ${timeLine.said}`);
await background.close();
await backend.close();
