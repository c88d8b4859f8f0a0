// Which language model works in the background of the page: a script, so that the example runs offline, or one at a server.
// A page has no secrets: whoever opens it can read all that is in it. So it asks its own server, which has the key and passes the
// question on (`server.proxy` in vite.config.ts; yours will also look at who asks, and how often).

import type { LanguageModel } from "ai";
import { scriptedLanguageModel } from "../src/scripted-language-model.js";

/** What the page gives to `backgroundModel`. */
export async function languageModel(): Promise<LanguageModel> {
  const id: string | undefined = import.meta.env.VITE_BACKGROUND_MODEL;
  if (!id) return script;
  const { createOpenAICompatible } = await import("@ai-sdk/openai-compatible");
  return createOpenAICompatible({ name: "own-server", baseURL: new URL("model/v1", document.baseURI).href })(id);
}

/** What a language model would do, where there is none: call the tools, and put their results into sentences. */
const script = scriptedLanguageModel(({ asked, results }) => {
  const task = /<task>\s*(.*?)\s*<\/task>/s.exec(asked)?.[1] ?? "";
  const [first, second] = results.map((result) => JSON.parse(result));
  const city = /weather.* in (\w+)/.exec(task)?.[1];
  if (city !== undefined) {
    if (first === undefined) return { call: "weather", input: { city } };
    if (first.outcome !== "done") return { say: `I could not find out the weather in ${city}.` };
    const { celsius, sky } = first.result;
    return { say: `In ${city} it is ${celsius} degrees, with ${sky}.` };
  }
  const title = /remind me to (.*)/.exec(task)?.[1];
  if (title !== undefined) {
    return first === undefined ? { call: "add_item", input: { title } } : { say: "It is on your list." };
  }
  if (first === undefined) return { call: "list_items", input: {} };
  const titles: string[] = first.result.items.map((item: { title: string }) => item.title);
  const meant = titles.find((one) => task.includes(one));
  if (!task.includes("delete") || meant === undefined) return { say: `On your list: ${titles.join(", ")}.` };
  if (second === undefined) return { call: "delete_item", input: { title: meant } };
  return { say: second.outcome === "done" ? "It is off your list." : "I have left it on your list." };
});
