// The example of "With a background" in docs/remote.md, compiled with everything else and held to the letter by a test.
// Nothing runs it: it goes to a service.

import { delegateTool, openaiRealtimeEngine } from "@microturn/backend-remote";
import { DuplexSession } from "@microturn/core";
import { backgroundModel, functionsOf, tool } from "@microturn/tools";
import { z } from "zod";

const tools = {
  weather: tool({
    description: "The weather in a city, now.",
    inputSchema: z.object({ city: z.string() }),
    execute: async ({ city }) => (await fetch(`https://weather.example/${encodeURIComponent(city)}`)).json(),
  }),
};
const engine = openaiRealtimeEngine({
  apiKey: process.env.OPENAI_API_KEY ?? "",
  tools: [...(await functionsOf(tools)), delegateTool],
});
const model = "openai/gpt-5-mini"; // of the AI SDK's gateway, or a model of a provider's package
const background = backgroundModel({ model, tools, deliver: "when-quiet" });
const session = await DuplexSession.open({ engine, background });
session.on("tool-result", ({ name, outcome }) => console.log(`${name}: ${outcome}`));
