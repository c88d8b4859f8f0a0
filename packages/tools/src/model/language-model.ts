// The AI SDK as far as it is used here, version 6 or 7, brought in only when there is a language model to ask.

import { DuplexError } from "@microturn/core";
import type { JsonSchema } from "../tool.js";

/**
 * A language model of the AI SDK (`openai("…")`, `anthropic("…")`, …), or the id of one that its registry or gateway knows. Written
 * down by its shape, so that the types hold without `ai` and with either version of it.
 */
export type LanguageModel =
  | string
  | { readonly specificationVersion: string; readonly provider: string; readonly modelId: string };

/** What is used of `ai`. */
export type AiSdk = Pick<typeof import("ai"), "streamText" | "jsonSchema" | "stepCountIs">;

/** @throws DuplexError `BACKGROUND_FAILED` if `ai` is not installed */
export async function importAiSdk(): Promise<AiSdk> {
  try {
    return await import("ai");
  } catch (cause) {
    throw new DuplexError(
      "BACKGROUND_FAILED",
      "backgroundModel: a language model needs the AI SDK, which cannot be imported; npm install ai",
      { cause },
    );
  }
}

/** A tool as the model sees it. It has no `execute`, so that the AI SDK runs nothing. */
export function shownTool(sdk: AiSdk, description: string | undefined, schema: JsonSchema): unknown {
  return { ...(description === undefined ? {} : { description }), inputSchema: sdk.jsonSchema(schema) };
}
