// A function that the background may call: what it takes and gives, what it does, and what is allowed of it.

import type { StandardSchemaV1 } from "@standard-schema/spec";

/** JSON Schema, draft 2020-12 or 7, as an object. */
export type JsonSchema = Readonly<Record<string, unknown>>;

/**
 * What a value must look like: any Standard Schema (Zod 4, Valibot, ArkType, …), a plain JSON Schema, or a schema of the AI SDK
 * (`jsonSchema()`, `zodSchema()`), also a lazy one. A Standard Schema is shown to the model by its own JSON Schema.
 */
export type Schema<Value = unknown> =
  | StandardSchemaV1<unknown, Value>
  | AiSchema<Value>
  | (() => AiSchema<Value>)
  | JsonSchema;

/** The schema of the AI SDK, as far as it is used here. */
export interface AiSchema<Value = unknown> {
  readonly jsonSchema: JsonSchema | PromiseLike<JsonSchema>;
  readonly validate?: ((value: unknown) => AiValidation<Value> | PromiseLike<AiValidation<Value>>) | undefined;
}

/** What {@link AiSchema.validate} gives. */
export type AiValidation<Value> =
  | { readonly success: true; readonly value: Value }
  | { readonly success: false; readonly error: Error };

/**
 * A function that the background may call. A tool of the AI SDK (`tool()` of `ai`) is one as it is; what it lacks has its default:
 * `tool({ ...theirs, irreversible: true })`.
 */
// biome-ignore lint/suspicious/noExplicitAny: a set holds tools of all kinds, each with its own input
export interface Tool<Input = any, Output = any> {
  /** What it does and when to call it, for the model. */
  readonly description?: string | undefined;
  /** What it takes. Arguments that do not fit never reach `execute`: the model is told what is wrong. */
  readonly inputSchema: Schema<Input>;
  /** What it gives. A result that does not fit fails the call. */
  readonly outputSchema?: Schema<Output> | undefined;
  /**
   * Does it.
   *
   * @param input - fits `inputSchema`, defaults and conversions of the schema applied
   * @throws anything: the call has failed, in these words. A DuplexError `TOOL_FAILED` with `details.mayHaveRun` of an irreversible
   *   tool means that it cannot tell
   * @returns something that JSON can hold, at most `maxResultBytes` of it. Of an iterable the last value is the result, and the
   *   others are signs of life
   */
  execute?(input: Input, context: ToolContext): Output | PromiseLike<Output> | AsyncIterable<Output>;
  /**
   * What it does cannot be undone. It is run only when approved, not twice with the same key in one job, and never tried again. Default false. A tool of
   * the AI SDK with `needsApproval` counts as one that needs approval.
   */
  readonly irreversible?: boolean | undefined;
  /** Whether somebody must approve a call before it runs; default `irreversible`. Of the arguments, if it depends on them. */
  readonly needsApproval?:
    | boolean
    | ((input: Input, call: Pick<ToolContext, "toolCallId" | "messages">) => boolean | PromiseLike<boolean>)
    | undefined;
  /** A call without a sign of life for this long is ended, ms; progress starts it anew. Default 30 000. */
  readonly timeoutMs?: number | undefined;
  /** Longest time of a call in all, ms, whatever progress it makes; default 600 000. */
  readonly maxDurationMs?: number | undefined;
  /** Whether a call that failed is tried again; default not at all. Never for one that is irreversible. */
  readonly retry?: RetryRule | undefined;
  /**
   * What becomes of a call while another with the same key is under way: it runs as well (`allow`, default), is told so and
   * does not run (`reject`), ends the earlier one and runs (`replace`), or shares the result of the earlier one (`join`).
   */
  readonly duplicates?: "allow" | "reject" | "replace" | "join" | undefined;
  /**
   * What makes two calls of this tool the same; default its arguments. `() => ""` makes all calls the same, so that with `duplicates: "replace"` a later one takes the
   * place of an earlier one ("forget it, what about Rome?").
   */
  readonly key?: ((input: Input) => string) | undefined;
  /** Calls of this tool that run at once, over all sessions of the background; the others wait. Default 8. */
  readonly concurrency?: number | undefined;
  /** Longest result as JSON, in bytes of UTF-8; default 65 536. A longer one fails the call. */
  readonly maxResultBytes?: number | undefined;
  /** Whether it says its progress aloud: `spoken` when quiet, and dropped when it is not quiet soon. Default `silent`. */
  readonly progress?: "spoken" | "silent" | undefined;
}

/** When a call is tried again. */
export interface RetryRule {
  /** Tries in all, 1 … 10. */
  readonly attempts: number;
  /** Pause before the second try, ms; doubled each time, at most 30 000. Default 500. */
  readonly delayMs?: number | undefined;
  /** Whether this error is worth another try; default every one. */
  readonly when?: ((error: unknown) => boolean) | undefined;
}

/** What a tool learns of its call. */
export interface ToolContext {
  /** Unique for the call, and the same when it is tried again. The AI SDK calls it so. */
  readonly toolCallId: string;
  /** Fires when the call is ended from outside: cancelled, replaced, timed out, or nobody is there any more. */
  readonly abortSignal: AbortSignal;
  /** The same for every try of the same call, also after a crash: hand it to services that drop what they know already. */
  readonly idempotencyKey: string;
  /** The conversation that it is for, and the delegation in it. */
  readonly conversation: string;
  readonly delegation: string;
  /** Counts from 1. */
  readonly attempt: number;
  /** Says how far it is, in words; a sign of life. */
  progress(text: string): void;
  /** For tools of the AI SDK, which expect it; empty. */
  readonly messages: [];
}

/** A set of tools by name: letters, digits, `_` and `-`, at most 64 of them. */
export type ToolSet = Readonly<Record<string, Tool>>;

/** Gives a tool its types; it comes back as it is. */
export function tool<Input, Output>(definition: Tool<Input, Output>): Tool<Input, Output> {
  return definition;
}
