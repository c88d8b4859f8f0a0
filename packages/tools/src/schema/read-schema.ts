// One way to use every kind of schema: Standard Schema (Zod, Valibot, ArkType, …), the AI SDK's, and plain JSON Schema.
// It gives the JSON Schema that the model is shown, and says in words why a value does not fit.

import type { StandardJSONSchemaV1, StandardSchemaV1 } from "@standard-schema/spec";
import type { AiSchema, JsonSchema, Schema } from "../tool.js";
import { JsonSchemaValidator } from "./json-schema.js";
import { describe } from "./json-value.js";
import { describeIssues, type Issue } from "./problems.js";

/** Whether a value fits, with what the schema made of it: defaults and conversions applied. */
export type Validation =
  | { readonly ok: true; readonly value: unknown }
  | { readonly ok: false; readonly problem: string };

/** A schema of any kind. */
export interface ReadSchema {
  /**
   * What the model is shown.
   *
   * @throws TypeError if there is none; the message names the fix
   */
  jsonSchema(): Promise<JsonSchema>;
  /** Brings in what it takes to validate, so that nothing is loaded later. @throws TypeError if the schema itself cannot be used */
  load(): Promise<void>;
  /** Whether a value fits; what is wrong is one line that begins with the path. Nothing that a model may send makes it throw. */
  validate(value: unknown): Promise<Validation>;
}

type StandardProps = StandardSchemaV1.Props & { readonly jsonSchema?: StandardJSONSchemaV1.Converter };

const aiSymbol = Symbol.for("vercel.ai.schema");

/**
 * Reads a schema of any kind.
 *
 * @param options.input - it is what a tool takes: its JSON Schema must be that of an object, as models give nothing else
 * @throws TypeError if it is no schema
 * @example
 * const schema = readSchema(z.object({ city: z.string() }), { input: true });
 * await schema.validate({}); // { ok: false, problem: "city: expected string, got nothing" }
 */
export function readSchema(schema: Schema, options: { readonly input?: boolean } = {}): ReadSchema {
  const read = readAnySchema(schema);
  if (options.input !== true) return read;
  return {
    jsonSchema: async () => objectSchema(await read.jsonSchema()),
    load: () => read.load(),
    validate: (value) => read.validate(value),
  };
}

function readAnySchema(schema: unknown): ReadSchema {
  if ((typeof schema !== "object" && typeof schema !== "function") || schema === null) {
    throw new TypeError(`tool: expected a schema, got ${schema === null ? "null" : typeof schema}`);
  }
  if ("~standard" in schema) return readStandardSchema((schema as StandardSchemaV1)["~standard"]);
  if (aiSymbol in schema) return readAiSchema(schema as unknown as AiSchema);
  if (typeof schema === "function") return readAnySchema((schema as () => unknown)()); // a lazy schema of the AI SDK
  if (Array.isArray(schema)) throw new TypeError("tool: expected a schema, got an array");
  return readJsonSchema(schema as JsonSchema);
}

function readStandardSchema(standard: StandardProps): ReadSchema {
  return {
    jsonSchema: async () => standardJsonSchema(standard),
    load: async () => {},
    async validate(value) {
      try {
        const result = await standard.validate(value);
        if (result.issues !== undefined) return { ok: false, problem: describeIssues(result.issues) };
        return { ok: true, value: result.value };
      } catch (error) {
        // Too deep for the library, or a check of the application that throws.
        return { ok: false, problem: `it cannot be validated: ${describe(error, 300)}` };
      }
    },
  };
}

/** What goes in, as that is what the model has to give. */
function standardJsonSchema({ vendor, jsonSchema }: StandardProps): JsonSchema {
  if (jsonSchema === undefined) {
    throw new TypeError(
      `tool: expected a schema with a JSON Schema to show to the model, got one of ${vendor} without; ${fix(vendor)}`,
    );
  }
  try {
    return jsonSchema.input({ target: "draft-07" });
  } catch (error) {
    try {
      return jsonSchema.input({ target: "draft-2020-12" });
    } catch {
      const said = describe(error, 300);
      throw new TypeError(
        `tool: the schema of ${vendor} has no JSON Schema to show to the model: ${said}; ${otherFix}`,
        {
          cause: error,
        },
      );
    }
  }
}

const otherFix = "take types that JSON has, or wrap a JSON Schema by jsonSchema() of the package ai";

function fix(vendor: string): string {
  if (vendor === "valibot") return "wrap it by toStandardJsonSchema() of @valibot/to-json-schema";
  if (vendor === "zod")
    return "take zod 4.2 or later, and for zod 3 or zod/mini wrap it by zodSchema() of the package ai";
  return `take a release of ${vendor} that has Standard JSON Schema, or wrap a JSON Schema by jsonSchema() of the package ai`;
}

function readAiSchema(schema: AiSchema): ReadSchema {
  let loading: Promise<ReadSchema> | undefined;
  const plain = () => {
    loading ??= Promise.resolve(schema.jsonSchema).then(readJsonSchema);
    return loading;
  };
  return {
    jsonSchema: async () => schema.jsonSchema,
    async load() {
      if (schema.validate === undefined) await (await plain()).load();
    },
    async validate(value) {
      if (schema.validate === undefined) return (await plain()).validate(value);
      try {
        const result = await schema.validate(value);
        return result.success
          ? { ok: true, value: result.value }
          : { ok: false, problem: describeAiError(result.error) };
      } catch (error) {
        return { ok: false, problem: `it cannot be validated: ${describe(error, 300)}` };
      }
    },
  };
}

/** The AI SDK gives Zod's error, or one of its own whose cause are the issues. */
function describeAiError(error: Error): string {
  for (const issues of [
    (error as { issues?: unknown }).issues,
    error.cause,
    (error.cause as { issues?: unknown })?.issues,
  ]) {
    if (Array.isArray(issues) && issues.length > 0) return describeIssues(issues as Issue[]);
  }
  return describe(error, 300);
}

function readJsonSchema(schema: JsonSchema): ReadSchema {
  let loading: Promise<JsonSchemaValidator> | undefined;
  const load = () => {
    loading ??= import("@cfworker/json-schema").then(({ Validator }) => new JsonSchemaValidator(schema, Validator));
    return loading;
  };
  return {
    jsonSchema: async () => schema,
    async load() {
      await load();
    },
    validate: async (value) => (await load()).validate(value),
  };
}

function objectSchema(schema: JsonSchema): JsonSchema {
  if (schema.type === "object") return schema;
  const got = typeof schema.type === "string" ? `type "${schema.type}"` : "none";
  throw new TypeError(
    `tool: expected an input schema whose root has type "object", got ${got}; put what the tool takes into one object, { "type": "object", "properties": {} } if it takes nothing`,
  );
}
