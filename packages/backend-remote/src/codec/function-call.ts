// Functions as services of OpenAI's family know them: declared by name and schema, called by a name and JSON in a string.

import type { WireDelegation } from "../wire.js";

/** A function as an application declares it. */
export interface DeclaredFunction {
  readonly name: string;
  readonly description?: string;
  readonly parameters?: Readonly<Record<string, unknown>>;
}

/** A function as these services are told of it: fields of other services (`strict`) are refused by some. */
export function functionTool({ name, description, parameters }: DeclaredFunction): Record<string, unknown> {
  return {
    ...{ type: "function", name },
    ...(description === undefined ? {} : { description }),
    ...(parameters === undefined ? {} : { parameters }),
  };
}

/** @param text - the arguments; what is not JSON is passed on as it is */
export function functionCall(id: string, name: string, text: string): WireDelegation {
  let value: unknown = text;
  try {
    value = JSON.parse(text);
  } catch {
    // The model's slip: whoever carries it out sees the text as it is.
  }
  const fields = typeof value === "object" && value !== null ? (value as Readonly<Record<string, unknown>>) : {};
  const { task } = fields;
  const onlyTask = typeof task === "string" && Object.keys(fields).length === 1;
  return { id, name, arguments: value, task: onlyTask ? task : `${name} ${text}`.trim() };
}
