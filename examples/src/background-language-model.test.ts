import { execFile } from "node:child_process";
import { mkdtemp, rm } from "node:fs/promises";
import { createServer, type IncomingMessage } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";
import { promisify } from "node:util";
import { stepCountIs, streamText, tool } from "ai";
import { build } from "esbuild";
import { afterEach, describe, expect, it, vi } from "vitest";
import { z } from "zod";
import { backgroundLanguageModel } from "./background-language-model.js";
import { scriptedLanguageModel } from "./scripted-language-model.js";

const script = scriptedLanguageModel(({ asked, results }) =>
  results.length === 0 ? { call: "weather", input: { city: asked } } : { say: `It is ${results[0]}.` },
);
const weather = tool({ inputSchema: z.object({ city: z.string() }), execute: ({ city }) => `nice in ${city}` });

afterEach(() => vi.unstubAllGlobals());

describe("the language model of the examples", () => {
  it("is the script where the environment says nothing, or says so", async () => {
    expect(await backgroundLanguageModel(script, {})).toEqual({ model: script, name: "a script" });
    const asked = { OPENAI_API_KEY: "1", BACKGROUND_PROVIDER: "script" };
    expect((await backgroundLanguageModel(script, asked)).model).toBe(script);
    const { text } = streamText({ model: script, prompt: "Paris", tools: { weather }, stopWhen: stepCountIs(2) });
    expect(await text).toBe("It is nice in Paris.");
  });

  it.each([
    [
      "tinker",
      "TINKER_API_KEY",
      "https://tinker.thinkingmachines.dev/services/tinker-prod/oai/api/v1/chat/completions",
    ],
    ["openai", "OPENAI_API_KEY", "https://api.openai.com/v1/responses"],
    ["anthropic", "ANTHROPIC_API_KEY", "https://api.anthropic.com/v1/messages"],
    ["google", "GOOGLE_GENERATIVE_AI_API_KEY", /^https:\/\/generativelanguage\.googleapis\.com\/.*gemini-flash-latest/],
  ])(
    "is one of %s where %s is set, asked at its address with the key and nothing else",
    async (provider, variable, address) => {
      const asked: { url: string; headers: string; body: Record<string, unknown> }[] = [];
      vi.stubGlobal("fetch", async (url: string | URL, init: RequestInit) => {
        const headers = JSON.stringify([...new Headers(init.headers)]);
        asked.push({ url: String(url), headers, body: JSON.parse(String(init.body)) });
        return new Response('{"error": {"message": "no"}}', { status: 400 });
      });
      const { model, name } = await backgroundLanguageModel(script, { [variable]: "key-of-the-test" });
      expect(name).toContain(` of ${provider}`);
      const onError = vi.fn();
      await streamText({ model, prompt: "hello", onError }).consumeStream();
      expect(onError).toHaveBeenCalled();
      expect(asked).toHaveLength(1);
      expect(asked[0].url).toMatch(address);
      expect(asked[0].headers).toContain("key-of-the-test");
      if (provider === "tinker") {
        expect(asked[0].body).toMatchObject({ model: "thinkingmachines/Inkling:peft:262144", reasoning_effort: "low" });
      }
    },
  );

  it("is that of any OpenAI-compatible server, which calls functions and says what they gave", async () => {
    const requests: { authorization: string | undefined; body: Record<string, unknown> }[] = [];
    const server = createServer(async (request, response) => {
      const body = await json(request);
      requests.push({ authorization: request.headers.authorization, body });
      const messages = body.messages as { role: string; content: string }[];
      const given = messages.find(({ role }) => role === "tool")?.content;
      const call = { index: 0, id: "1", type: "function", function: { name: "weather", arguments: '{"city":"Rome"}' } };
      const delta = given === undefined ? { tool_calls: [call] } : { content: `It is ${given}.` };
      response.writeHead(200, { "content-type": "text/event-stream" });
      const finish_reason = given === undefined ? "tool_calls" : "stop";
      response.write(`data: ${JSON.stringify({ choices: [{ index: 0, delta }] })}\n\n`);
      response.end(
        `data: ${JSON.stringify({ choices: [{ index: 0, delta: {}, finish_reason }] })}\n\ndata: [DONE]\n\n`,
      );
    });
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    try {
      const { model, name } = await backgroundLanguageModel(script, {
        OPENAI_COMPATIBLE_URL: `http://127.0.0.1:${(server.address() as AddressInfo).port}/v1`,
        OPENAI_COMPATIBLE_API_KEY: "local-key",
        BACKGROUND_MODEL: "small",
      });
      expect(name).toBe("small of compatible");
      const { text } = streamText({ model, prompt: "Rome?", tools: { weather }, stopWhen: stepCountIs(2) });
      expect(await text).toBe("It is nice in Rome.");
      expect(requests).toHaveLength(2);
      expect(requests[0]).toMatchObject({ authorization: "Bearer local-key", body: { model: "small", stream: true } });
    } finally {
      server.closeAllConnections();
      server.close();
    }
  });

  it("says what is missing", async () => {
    await expect(backgroundLanguageModel(script, { BACKGROUND_PROVIDER: "openai" })).rejects.toThrow(
      /expected OPENAI_API_KEY to be set/,
    );
    await expect(backgroundLanguageModel(script, { BACKGROUND_PROVIDER: "constructor" })).rejects.toThrow(
      /expected tinker, openai, anthropic, google, compatible or script/,
    );
    // A folder from which no package can be found.
    const folder = await mkdtemp(join(tmpdir(), "no-packages-"));
    try {
      const outfile = join(folder, "choice.mjs");
      const entryPoints = [fileURLToPath(new URL("background-language-model.ts", import.meta.url))];
      await build({ entryPoints, outfile, bundle: true, format: "esm", packages: "external", logLevel: "error" });
      const asks = `import { backgroundLanguageModel } from ${JSON.stringify(pathToFileURL(outfile).href)};
        backgroundLanguageModel("script").catch(({ message }) => console.log(message));`;
      const { stdout } = await promisify(execFile)(process.execPath, ["--input-type=module", "-e", asks], {
        cwd: folder,
        env: { ANTHROPIC_API_KEY: "1" },
      });
      expect(stdout.trim()).toBe(
        "ANTHROPIC_API_KEY is set, but @ai-sdk/anthropic is not installed: npm install @ai-sdk/anthropic",
      );
    } finally {
      await rm(folder, { recursive: true });
    }
  });
});

async function json(request: IncomingMessage): Promise<Record<string, unknown>> {
  let text = "";
  for await (const chunk of request) text += chunk;
  return JSON.parse(text);
}
