// Functions of the client: which one a task is given to, what its arguments are, and what its output says aloud. A model that
// names function and arguments itself decides; `mini` hands over a task in words.

import type { Delegation } from "@microturn/core";
import { checkKnown, type Fields, fieldsOf, invalidType, invalidValue, stringAt } from "./fields.js";
import { RealtimeError } from "./realtime-error.js";

/** A function of the client, as `session.tools` has it. */
export interface FunctionTool {
  readonly type: "function";
  readonly name: string;
  readonly description?: string;
  /** JSON schema of the arguments. */
  readonly parameters?: Fields;
}

/** `session.tool_choice`. */
export type ToolChoice = "auto" | "none" | "required" | { readonly type: "function"; readonly name: string };

const maxTools = 128;

/** @throws RealtimeError for anything but functions */
export function readTools(value: unknown): readonly FunctionTool[] {
  if (value === null) return [];
  if (!Array.isArray(value)) throw invalidType("session.tools", "an array");
  if (value.length > maxTools) throw invalidValue("session.tools", `expected at most ${maxTools}`);
  return value.map((one, index) => {
    const param = `session.tools[${index}]`;
    const tool = fieldsOf(one);
    if (tool === undefined) throw invalidType(param, "an object");
    if (tool.type !== "function") throw invalidValue(`${param}.type`, "this server calls functions only");
    checkKnown(tool, ["type", "name", "description", "parameters"], `${param}.`);
    const name = stringAt(tool, "name", `${param}.name`);
    if (!/^[\w-]{1,64}$/.test(name)) throw invalidValue(`${param}.name`, "expected letters, figures, _ and -");
    const { description, parameters } = tool;
    if (description !== undefined && description !== null && typeof description !== "string") {
      throw invalidType(`${param}.description`, "a string");
    }
    const schema = fieldsOf(parameters);
    if (parameters !== undefined && parameters !== null && schema === undefined) {
      throw invalidType(`${param}.parameters`, "an object");
    }
    return {
      ...{ type: "function", name },
      ...(typeof description === "string" ? { description } : {}),
      ...(schema === undefined ? {} : { parameters: schema }),
    };
  });
}

/** @throws RealtimeError */
export function readToolChoice(value: unknown): ToolChoice {
  if (value === null || value === "auto") return "auto";
  if (value === "none" || value === "required") return value;
  const choice = fieldsOf(value);
  if (choice?.type === "function") {
    return { type: "function", name: stringAt(choice, "name", "session.tool_choice.name") };
  }
  throw invalidValue("session.tool_choice", "expected 'auto', 'none', 'required', or a function");
}

/**
 * Which function a task is given to: the one that the model names, else the one of `tool_choice`, else the one whose name and
 * description share the most words with the task, else the first.
 *
 * @returns undefined if there is none
 */
export function chooseTool(
  tools: readonly FunctionTool[],
  choice: ToolChoice,
  { task, name }: Delegation,
): FunctionTool | undefined {
  if (choice === "none") return undefined;
  const named = name ?? (typeof choice === "object" ? choice.name : undefined);
  const found = tools.find((tool) => tool.name === named);
  if (found !== undefined) return found;
  const words = wordsOf(task);
  const shared = (tool: FunctionTool) =>
    [...wordsOf(`${tool.name} ${tool.description ?? ""}`)].filter((word) => words.has(word)).length;
  let best = tools[0];
  for (const tool of tools) if (shared(tool) > shared(best)) best = tool;
  return best;
}

/**
 * Arguments as JSON: those of the model, else the task in every required string of the schema, or in the first string if none
 * is required. Of a string that must be one of several, the one that the task names, else the first.
 */
export function argumentsFor({ parameters }: FunctionTool, delegation: Delegation): string {
  if (fieldsOf(delegation.arguments) !== undefined) return JSON.stringify(delegation.arguments);
  const properties = Object.entries(fieldsOf(parameters?.properties) ?? {}).flatMap(([name, value]) => {
    const schema = fieldsOf(value);
    return schema !== undefined && isString(schema) ? [{ name, schema }] : [];
  });
  const required = Array.isArray(parameters?.required) ? (parameters.required as unknown[]) : [];
  const wanted = properties.filter(({ name }) => required.includes(name));
  const filled = wanted.length > 0 ? wanted : properties.slice(0, 1);
  return JSON.stringify(Object.fromEntries(filled.map(({ name, schema }) => [name, textFor(schema, delegation.task)])));
}

/** What is said of the output of a function: its words, where it has some, else the output as it stands. */
export function spokenOutput(output: string): string {
  let value: unknown;
  try {
    value = JSON.parse(output);
  } catch {
    return output;
  }
  if (typeof value === "string") return value;
  const fields = fieldsOf(value);
  for (const name of ["result", "text", "answer", "output", "message"]) {
    const words = fields?.[name];
    if (typeof words === "string" && words.trim() !== "") return words;
  }
  return output;
}

/** Calls that the client was asked to make, and has not answered. */
export class OpenCalls {
  readonly #calls = new Map<string, { readonly delegation: string | undefined }>();

  add(callId: string, delegation: string | undefined): void {
    this.#calls.set(callId, { delegation });
    // A client that never answers must not fill the memory.
    const [oldest] = this.#calls.keys();
    if (this.#calls.size > 256) this.#calls.delete(oldest);
  }

  /** @returns the delegation that the call is of. @throws RealtimeError `invalid_tool_call_id` */
  answer(callId: string): { readonly delegation: string | undefined } {
    const call = this.#calls.get(callId);
    if (call === undefined) {
      throw new RealtimeError(
        "invalid_tool_call_id",
        "Tool call ID not found: expected the call_id of a function_call that has no output yet.",
        { param: "item.call_id" },
      );
    }
    this.#calls.delete(callId);
    return call;
  }
}

function isString({ type }: Fields): boolean {
  return type === "string" || (Array.isArray(type) && type.includes("string"));
}

function textFor(schema: Fields, task: string): string {
  if (!Array.isArray(schema.enum)) return task;
  const allowed = schema.enum.filter((value): value is string => typeof value === "string");
  const words = task.toLowerCase();
  return allowed.find((value) => words.includes(value.toLowerCase())) ?? allowed[0] ?? task;
}

function wordsOf(text: string): Set<string> {
  return new Set(
    text
      .replace(/([a-z])([A-Z])/g, "$1 $2")
      .toLowerCase()
      .split(/[^\p{L}\p{N}]+/u)
      .filter((word) => word.length > 2),
  );
}
