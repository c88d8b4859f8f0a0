// Tools as functions that an interaction model is told of, so that it calls what the background then runs. One shape for all
// services: OpenAI's, with what GPT-Live needs besides; the engines send of it what their service knows.

import type { JsonSchema, ToolSet } from "../tool.js";

/** A function as the engines of `@microturn/backend-remote` take it among their tools. */
export interface FunctionDeclaration {
  readonly type: "function";
  readonly name: string;
  readonly description?: string;
  /** Of its arguments; the root is an object. */
  readonly parameters: JsonSchema;
  /**
   * GPT-Live must leave the schema as it is: made strict, every field would be required, and the model would give null for
   * those that it leaves out, which do not fit.
   */
  readonly strict: false;
}

/**
 * Declares tools to a model that calls functions by itself (OpenAI Realtime, GPT-Live, Gemini Live, vLLM-Omni): each call is a
 * delegation that names the tool, and a background with the same tools runs it, without asking a language model. Tools that a
 * provider runs are left out, as only a language model of that provider can call them.
 *
 * @returns in the order of the set
 * @throws TypeError for a tool that the background could not use: its name, its schema, or a schema without JSON Schema
 * @example
 * const engine = openaiRealtimeEngine({ apiKey, tools: await functionsOf(tools) });
 * const session = await DuplexSession.open({ engine, background: backgroundModel({ tools }) });
 */
export async function functionsOf(tools: ToolSet): Promise<readonly FunctionDeclaration[]> {
  // Brought in with the work that it is for, as one file: a page fetches it for its first session anyway.
  const { readTool } = await import("../worker/in-process.js");
  const own = Object.entries(tools).filter(([, tool]) => (tool as { readonly type?: unknown }).type !== "provider");
  return Promise.all(
    own.map(async ([name, tool]): Promise<FunctionDeclaration> => {
      // Which draft it is of is no field that Gemini Live knows.
      const { $schema: _, ...parameters } = await readTool(name, tool).input.jsonSchema();
      const { description } = tool;
      return {
        ...{ type: "function", name, parameters, strict: false },
        ...(description === undefined || description === "" ? {} : { description }),
      };
    }),
  );
}
