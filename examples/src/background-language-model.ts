// Which language model works in the background of the examples: a real one where the environment has a key for it, else the
// script that the example brings along. The packages of the providers are loaded only when they are used.
//
//   TINKER_API_KEY                Inkling of Thinking Machines, by Tinker's OpenAI-compatible endpoint
//   OPENAI_API_KEY                OpenAI
//   ANTHROPIC_API_KEY             Anthropic
//   GOOGLE_GENERATIVE_AI_API_KEY  Google
//   OPENAI_COMPATIBLE_URL         any OpenAI-compatible server, for example http://127.0.0.1:8080/v1 of llama.cpp, with
//                                 OPENAI_COMPATIBLE_API_KEY if it wants one
//   BACKGROUND_MODEL              the id of another model than the one that is taken
//   BACKGROUND_PROVIDER           tinker, openai, anthropic, google, compatible or script, where several could be taken

import type { LanguageModel } from "ai";

type Environment = Readonly<Record<string, string | undefined>>;

interface Provider {
  /** The variable that says that this one is to be used. */
  readonly variable: string;
  readonly packageName: string;
  readonly defaultId: string;
  load(id: string, environment: Environment): Promise<LanguageModel>;
}

const providers: Readonly<Record<string, Provider>> = {
  tinker: {
    variable: "TINKER_API_KEY",
    packageName: "@ai-sdk/openai-compatible",
    // Address and id: https://tinker-docs.thinkingmachines.ai/inference/openai/overview/
    defaultId: "thinkingmachines/Inkling:peft:262144",
    async load(id, { TINKER_API_KEY: apiKey = "" }) {
      const { createOpenAICompatible } = await import("@ai-sdk/openai-compatible");
      return createOpenAICompatible({
        name: "tinker",
        baseURL: "https://tinker.thinkingmachines.dev/services/tinker-prod/oai/api/v1",
        apiKey,
        // Somebody waits for the answer: Inkling thinks with effort 0.9 unless it is told how much (…/openai/chat-completions/).
        transformRequestBody: (body) => ({ reasoning_effort: "low", ...body }),
      })(id);
    },
  },
  openai: {
    variable: "OPENAI_API_KEY",
    packageName: "@ai-sdk/openai",
    defaultId: "gpt-5-mini",
    async load(id, { OPENAI_API_KEY: apiKey = "" }) {
      const { createOpenAI } = await import("@ai-sdk/openai");
      return createOpenAI({ apiKey })(id);
    },
  },
  anthropic: {
    variable: "ANTHROPIC_API_KEY",
    packageName: "@ai-sdk/anthropic",
    defaultId: "claude-haiku-4-5",
    async load(id, { ANTHROPIC_API_KEY: apiKey = "" }) {
      const { createAnthropic } = await import("@ai-sdk/anthropic");
      return createAnthropic({ apiKey })(id);
    },
  },
  google: {
    variable: "GOOGLE_GENERATIVE_AI_API_KEY",
    packageName: "@ai-sdk/google",
    defaultId: "gemini-flash-latest",
    async load(id, { GOOGLE_GENERATIVE_AI_API_KEY: apiKey = "" }) {
      const { createGoogleGenerativeAI } = await import("@ai-sdk/google");
      return createGoogleGenerativeAI({ apiKey })(id);
    },
  },
  compatible: {
    variable: "OPENAI_COMPATIBLE_URL",
    packageName: "@ai-sdk/openai-compatible",
    defaultId: "default",
    async load(id, { OPENAI_COMPATIBLE_URL: baseURL = "", OPENAI_COMPATIBLE_API_KEY: apiKey }) {
      const { createOpenAICompatible } = await import("@ai-sdk/openai-compatible");
      return createOpenAICompatible({ name: "local", baseURL, ...(apiKey !== undefined && { apiKey }) })(id);
    },
  },
};

/**
 * The language model that an example gives to `backgroundModel`.
 *
 * @param script - does the work where no real model is to be had, so that the example runs offline; see `scriptedLanguageModel`
 * @param environment - default `process.env`
 * @throws Error that names the fix, if a provider is wanted whose key or package is missing
 */
export async function backgroundLanguageModel(
  script: LanguageModel,
  environment: Environment = process.env,
): Promise<{ readonly model: LanguageModel /** For people. */; readonly name: string }> {
  const wanted = environment.BACKGROUND_PROVIDER || undefined;
  const found = wanted ?? Object.keys(providers).find((one) => environment[providers[one].variable]) ?? "script";
  if (found === "script") return { model: script, name: "a script" };
  if (!Object.hasOwn(providers, found)) {
    throw new Error(
      `BACKGROUND_PROVIDER: expected ${Object.keys(providers).join(", ")} or script, got ${JSON.stringify(found)}`,
    );
  }
  const { variable, packageName, defaultId, load } = providers[found];
  if (!environment[variable])
    throw new Error(`BACKGROUND_PROVIDER is ${found}: expected ${variable} to be set as well`);
  const id = environment.BACKGROUND_MODEL || defaultId;
  try {
    return { model: await load(id, environment), name: `${id} of ${found}` };
  } catch (cause) {
    if ((cause as { code?: unknown }).code !== "ERR_MODULE_NOT_FOUND") throw cause;
    throw new Error(`${variable} is set, but ${packageName} is not installed: npm install ${packageName}`, { cause });
  }
}
