// Validates by plain JSON Schema, with @cfworker/json-schema: it compiles nothing by `eval`, so that it works under the content
// security policies of pages. The library is brought in with the first such schema, and costs nobody else anything.

import type { Schema as CfSchema, OutputUnit, SchemaDraft, Validator } from "@cfworker/json-schema";
import type { JsonSchema } from "../tool.js";
import { describe, readJson } from "./json-value.js";
import { describeIssues } from "./problems.js";
import type { Validation } from "./read-schema.js";

/** Longest value that is looked at, in bytes of JSON. */
const maxBytes = 16 * 1024 * 1024;

/** Says whether values fit a JSON Schema. */
export class JsonSchemaValidator {
  readonly #schema: JsonSchema;
  readonly #validator: Validator;

  /** @param library - its validator @throws TypeError if the schema cannot be used */
  constructor(schema: JsonSchema, library: typeof Validator) {
    this.#schema = schema;
    // A copy, because the library writes into it.
    const copy = readJson(schema, { maxBytes });
    if (!copy.ok) throw new TypeError(`tool: expected a JSON Schema, got an object that is none: ${copy.problem}`);
    try {
      this.#validator = new library(copy.value as CfSchema, draftOf(schema));
    } catch (error) {
      throw new TypeError(`tool: expected a JSON Schema that can be used, but ${describe(error, 300)}`, {
        cause: error,
      });
    }
  }

  validate(value: unknown): Validation {
    const json = readJson(value, { maxBytes });
    if (!json.ok) return json;
    try {
      const { valid, errors } = this.#validator.validate(json.value);
      return valid ? { ok: true, value: json.value } : { ok: false, problem: this.#describe(errors, json.value) };
    } catch (error) {
      return { ok: false, problem: `it cannot be compared with its schema: ${describe(error, 300)}` };
    }
  }

  #describe(errors: readonly OutputUnit[], value: unknown): string {
    // Outer errors only say that an inner one follows.
    const leaf = errors.at(-1);
    if (leaf === undefined) return "it does not fit its schema";
    const path = pathOf(leaf.instanceLocation);
    const at = find(value, path);
    switch (leaf.keyword) {
      case "required": {
        const name = /"(.*)"/s.exec(leaf.error)?.[1] ?? "";
        const field = find(this.#schema, [...pathOf(leaf.keywordLocation).slice(0, -1), "properties", name, "type"]);
        return describeIssues([{ path: [...path, name], message: `expected ${wordsOf(field)}, got nothing` }]);
      }
      case "type": {
        const expected = wordsOf(find(this.#schema, pathOf(leaf.keywordLocation)));
        return describeIssues([{ path, message: `expected ${expected}, got ${kindOf(at)}` }]);
      }
      case "false":
        return describeIssues([{ path, message: "this is not taken" }]);
      default:
        return describeIssues([{ path, message: leaf.error.replace(/^Instance /, "it ") }]);
    }
  }
}

function draftOf(schema: JsonSchema): SchemaDraft {
  const named = typeof schema.$schema === "string" ? schema.$schema : "";
  if (named.includes("draft-07") || named.includes("draft-06")) return "7";
  if (named.includes("draft-04")) return "4";
  if (named.includes("2019-09")) return "2019-09";
  return "2020-12";
}

/** `#/items/0` as keys. */
function pathOf(pointer: string): PropertyKey[] {
  return pointer
    .split("/")
    .slice(1)
    .map((part) => decodeURI(part).replaceAll("~1", "/").replaceAll("~0", "~"))
    .map((part) => (/^(?:0|[1-9]\d{0,8})$/.test(part) ? Number(part) : part));
}

function find(value: unknown, path: readonly PropertyKey[]): unknown {
  let at = value;
  for (const key of path) {
    if (typeof at !== "object" || at === null || !Object.hasOwn(at, key)) return undefined;
    at = (at as Record<PropertyKey, unknown>)[key];
  }
  return at;
}

function wordsOf(type: unknown): string {
  if (typeof type === "string") return type;
  return Array.isArray(type) && type.length > 0 ? type.join(" or ") : "a value";
}

function kindOf(value: unknown): string {
  return value === null ? "null" : Array.isArray(value) ? "array" : typeof value;
}
