// A call of a function as services of OpenAI's family give it: a name, and arguments as JSON in a string.

import type { WireDelegation } from "../wire.js";

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
