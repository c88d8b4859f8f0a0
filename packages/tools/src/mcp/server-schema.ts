// The JSON Schema of a server's tool as the model may see it: of bounded size and depth, its prose cleaned and cut like a
// description, since it is read like one. Keywords are told from names: a property may be called "description".
// No regular expression of a server is run here: one that backtracks stops the whole process for hours. Patterns are told in words.

import type { JsonSchema } from "../tool.js";
import { isObject, oneLine } from "./server-text.js";

const maxDepth = 32;
const maxSchemaChars = 65_536;
const maxPatternChars = 200;

const prose = new Set(["title", "description"]);
const ofSchemas = new Set(["properties", "$defs", "definitions", "dependentSchemas"]);
const expressions = new Set(["pattern", "patternProperties"]);
/** Mean something else where some of the names are given by patterns that are left out. */
const otherNames = new Set(["additionalProperties", "unevaluatedProperties"]);
const data = new Set(["enum", "const", "default", "examples", "required", "type"]);
/** Would refuse what is right, without the patterns in them. */
const conditions = new Set(["not", "if", "then", "else"]);

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

/** A schema by which results are checked, without what must not be run. @throws RangeError with the reason, if it is too deep */
export function checkableSchema(schema: JsonSchema): JsonSchema {
  return clean(schema, Number.MAX_SAFE_INTEGER, 0);
}

function clean(schema: JsonSchema, maxChars: number, depth: number): JsonSchema {
  if (depth > maxDepth) throw new RangeError(`a schema of it is more than ${maxDepth} levels deep`);
  const named = schema.patternProperties !== undefined;
  const kept = Object.entries(schema)
    .filter(([key]) => key !== "$comment" && !expressions.has(key) && !(named && otherNames.has(key)))
    .filter(([key, value]) => !(conditions.has(key) && hasExpression(value)))
    .map(([key, value]): [string, unknown] => [key === "oneOf" && hasExpression(value) ? "anyOf" : key, value]);
  if (typeof schema.pattern === "string") {
    const words = [schema.description, `Pattern: ${oneLine(schema.pattern, maxPatternChars)}`];
    const description = words.filter((one) => typeof one === "string" && one !== "").join(" ");
    kept.splice(0, kept.length, ...kept.filter(([key]) => key !== "description"), ["description", description]);
  }
  // From entries, as an assignment to a key named __proto__ would set the prototype.
  return Object.fromEntries(kept.map(([key, value]) => [key, keyword(key, value, maxChars, depth)]));
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

function hasExpression(value: unknown): boolean {
  return /"pattern(?:Properties)?":/.test(JSON.stringify(value) ?? "");
}

/** Data of the schema: left as it is, as long as it is not too deep. */
function bounded(value: unknown, depth: number): unknown {
  if (depth > maxDepth) throw new RangeError(`a schema of it is more than ${maxDepth} levels deep`);
  if (typeof value === "object" && value !== null) {
    for (const one of Object.values(value)) bounded(one, depth + 1);
  }
  return value;
}
