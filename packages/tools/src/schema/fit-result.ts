// Makes what a tool gave fit for the log and for the model: of the shape that was promised, JSON, and not too long.

import { type JsonReading, readJson } from "./json-value.js";
import type { ReadSchema } from "./read-schema.js";

/**
 * The size is looked at before the shape, so that no schema works through 10 MB; nothing gives `null`.
 *
 * @param options.schema - what it must look like; its conversions and defaults are applied
 * @param options.maxBytes - longest JSON, in bytes of UTF-8
 * @returns a plain copy, or what is wrong in words
 */
export async function fitResult(
  value: unknown,
  options: { readonly schema?: ReadSchema | undefined; readonly maxBytes: number },
): Promise<JsonReading> {
  const { schema, maxBytes } = options;
  const json = readJson(value, { maxBytes });
  if (schema === undefined || !json.ok) return json;
  // The value itself, not its copy: a schema may ask for a Date.
  const validation = await schema.validate(value);
  return validation.ok ? readJson(validation.value, { maxBytes }) : validation;
}
