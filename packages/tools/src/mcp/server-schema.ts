// The JSON Schema of a server's tool as the model may see it: of bounded size and depth, its prose cleaned and cut like a
// description, since it is read like one. Keywords are told from names: a property may be called "description".

import type { JsonSchema } from "../tool.js";
import { isObject, oneLine } from "./server-text.js";

const maxDepth = 32;
const maxSchemaChars = 65_536;

const prose = new Set(["title", "description"]);
const ofSchemas = new Set(["properties", "patternProperties", "$defs", "definitions", "dependentSchemas"]);
const data = new Set(["enum", "const", "default", "examples", "required", "type"]);

/**
 * @param schema - as the server sent it
 * @param maxChars - longest title and description in it
 * @throws RangeError with the reason, if it is too large or too deep
 */
export function cleanSchema(schema: JsonSchema, maxChars: number): JsonSchema {
  const cleaned = clean(schema, maxChars, 0);
  const size = JSON.stringify(cleaned).length;
  if (size > maxSchemaChars) throw new RangeError(`its inputSchema has ${size} characters, at most ${maxSchemaChars}`);
  return cleaned;
}

function clean(schema: JsonSchema, maxChars: number, depth: number): JsonSchema {
  if (depth > maxDepth) throw new RangeError(`its inputSchema is more than ${maxDepth} levels deep`);
  // From entries, as an assignment to a key named __proto__ would set the prototype.
  return Object.fromEntries(
    Object.entries(schema)
      .filter(([key]) => key !== "$comment")
      .map(([key, value]) => [key, keyword(key, value, maxChars, depth)]),
  );
}

function keyword(key: string, value: unknown, maxChars: number, depth: number): unknown {
  if (prose.has(key)) return oneLine(value, maxChars);
  if (data.has(key)) return bounded(value, depth);
  if (ofSchemas.has(key) && isObject(value)) {
    return Object.fromEntries(
      Object.entries(value).map(([name, one]) => [name, isObject(one) ? clean(one, maxChars, depth + 1) : one]),
    );
  }
  if (Array.isArray(value)) return value.map((one) => (isObject(one) ? clean(one, maxChars, depth + 1) : one));
  return isObject(value) ? clean(value, maxChars, depth + 1) : value;
}

/** Data of the schema: left as it is, as long as it is not too deep. */
function bounded(value: unknown, depth: number): unknown {
  if (depth > maxDepth) throw new RangeError(`its inputSchema is more than ${maxDepth} levels deep`);
  if (typeof value === "object" && value !== null) {
    for (const one of Object.values(value)) bounded(one, depth + 1);
  }
  return value;
}
