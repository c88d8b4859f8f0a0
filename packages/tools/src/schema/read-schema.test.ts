import { toStandardJsonSchema } from "@valibot/to-json-schema";
import { tool as aiTool, jsonSchema, zodSchema } from "ai";
import { type } from "arktype";
import * as v from "valibot";
import { describe, expect, it } from "vitest";
import { z } from "zod";
import * as mini from "zod/mini";
import * as z3 from "zod/v3";
import type { Schema, ToolSet } from "../tool.js";
import { readSchema } from "./read-schema.js";

const weatherJson = {
  type: "object",
  properties: {
    city: { type: "string" },
    days: { type: "integer", maximum: 14 },
    unit: { enum: ["C", "F"] },
    places: { type: "array", items: { type: "object", properties: { lat: { type: "number" } }, required: ["lat"] } },
  },
  required: ["city"],
  additionalProperties: false,
} as const;

const withCity: Record<string, Schema> = {
  "Zod 4": z.object({ city: z.string() }),
  "Valibot with its JSON Schema": toStandardJsonSchema(v.object({ city: v.string() })),
  ArkType: type({ city: "string" }),
  "zodSchema() of the AI SDK": zodSchema(z.object({ city: z.string() })),
  "zodSchema() of the AI SDK over zod/mini": zodSchema(mini.object({ city: mini.string() })),
  "zodSchema() of the AI SDK over zod 3": zodSchema(z3.object({ city: z3.string() })),
  "jsonSchema() of the AI SDK": jsonSchema({
    type: "object",
    properties: { city: { type: "string" } },
    required: ["city"],
  }),
  "a lazy schema of the AI SDK": (() => zodSchema(z.object({ city: z.string() }))) as Schema,
  "JSON Schema": { type: "object", properties: { city: { type: "string" } }, required: ["city"] },
};

const problemOf = async (schema: Schema, value: unknown) => {
  const result = await readSchema(schema).validate(value);
  return result.ok ? "none" : result.problem;
};

describe("readSchema", () => {
  for (const [name, schema] of Object.entries(withCity)) {
    it(`reads ${name}: shows an object to the model, takes what fits, and says where the rest is wrong`, async () => {
      const read = readSchema(schema, { input: true });
      expect(await read.jsonSchema()).toMatchObject({
        type: "object",
        properties: { city: { type: "string" } },
        required: ["city"],
      });
      expect(await read.validate({ city: "Rome" })).toEqual({ ok: true, value: { city: "Rome" } });
      for (const bad of [{}, { city: 5 }]) {
        const result = await read.validate(bad);
        expect(result.ok ? "fits" : result.problem).toMatch(/^city\b.{3,80}$/);
      }
    });

    it(`reads ${name}: nothing that is sent makes it throw`, async () => {
      const cycle: Record<string, unknown> = { city: "Rome" };
      cycle.self = cycle;
      const hostile = [
        undefined,
        null,
        5n,
        Symbol("x"),
        () => 1,
        "text",
        [],
        cycle,
        { city: 5n },
        { city: "x".repeat(5_000_000), more: Array.from({ length: 1000 }, () => ({})) },
        JSON.parse('{"city":"Rome","__proto__":{"city":1},"constructor":{"prototype":{}}}'),
        JSON.parse(`{"city":${"[".repeat(50_000)}${"]".repeat(50_000)}}`),
        Object.create(null),
        new Proxy(
          {},
          {
            get: () => {
              throw new Error("trap");
            },
            has: () => true,
            ownKeys: () => {
              throw new Error("trap");
            },
          },
        ),
      ];
      for (const value of hostile) {
        const result = await readSchema(schema).validate(value);
        if (!result.ok) expect(result.problem.length).toBeLessThan(2000);
      }
      expect(({} as { city?: unknown }).city).toBeUndefined();
    });
  }

  it("speaks one language about what is not there", async () => {
    expect(await problemOf(withCity["Zod 4"] as Schema, {})).toBe("city: expected string, got nothing");
    expect(await problemOf(withCity["JSON Schema"] as Schema, {})).toBe("city: expected string, got nothing");
    expect(await problemOf(withCity["zodSchema() of the AI SDK"] as Schema, {})).toBe(
      "city: expected string, got nothing",
    );
    expect(await problemOf(withCity.ArkType as Schema, {})).toBe("city must be a string (was missing)");
    expect(await problemOf(v.object({ city: v.string() }), { city: 3 })).toBe("city: expected string, got 3");
  });

  it("names place and reason in plain JSON Schema", async () => {
    const cases: [unknown, string][] = [
      [{ city: "Rome", days: 3, unit: "C", places: [{ lat: 1 }] }, "none"],
      [5, "expected object, got number"],
      [[], "expected object, got array"],
      [{ city: null }, "city: expected string, got null"],
      [{ city: "Rome", days: 2.5 }, "days: expected integer, got number"],
      [{ city: "Rome", days: 15 }, "days: 15 is greater than 14."],
      [{ city: "Rome", unit: "K" }, 'unit: it does not match any of ["C","F"].'],
      [{ city: "Rome", places: [{ lat: 1 }, {}] }, "places[1].lat: expected number, got nothing"],
      [{ city: "Rome", place: 1 }, "place: this is not taken"],
    ];
    for (const [value, problem] of cases) expect(await problemOf(weatherJson, value)).toBe(problem);
  });

  it("leaves a frozen JSON Schema as it is, and takes one of draft 7", async () => {
    const schema = Object.freeze({
      $schema: "http://json-schema.org/draft-07/schema#",
      type: "object",
      properties: Object.freeze({ at: Object.freeze({ $ref: "#/definitions/place" }) }),
      definitions: Object.freeze({ place: Object.freeze({ type: "string", minLength: 2 }) }),
    });
    expect(await problemOf(schema, { at: "Rome" })).toBe("none");
    expect(await problemOf(schema, { at: "R" })).toBe("at: String is too short (1 < 2).");
    expect(Object.getOwnPropertyNames(schema)).not.toContain("__absolute_uri__");
  });

  it("takes a recursive schema, and refuses a value that contains itself", async () => {
    const tree = {
      type: "object",
      properties: { kids: { type: "array", items: { $ref: "#" } } },
      additionalProperties: false,
    };
    expect(await problemOf(tree, { kids: [{ kids: [] }] })).toBe("none");
    const cycle: { kids: unknown[] } = { kids: [] };
    cycle.kids.push(cycle);
    expect(await problemOf(tree, cycle)).toBe("kids[0]: it contains itself");
  });

  it("applies what the schema applies: defaults, conversions, checks that take time", async () => {
    const schema = z.object({
      city: z.string().transform(async (name) => name.trim()),
      days: z.number().default(3),
    });
    expect(await readSchema(schema).validate({ city: " Rome " })).toEqual({
      ok: true,
      value: { city: "Rome", days: 3 },
    });
    expect(await readSchema(schema).jsonSchema()).toMatchObject({ required: ["city"] });
  });

  it("tells at most five problems, and a check of the application that throws is one", async () => {
    const many = z.object({ list: z.array(z.string()) });
    expect(await problemOf(many, { list: [1, 2, 3, 4, 5, 6, 7] })).toMatch(
      /^list\[0\]: .*; list\[4\]: [^;]*; and 2 more$/,
    );
    const throws = z.object({
      city: z.string().refine(() => {
        throw new Error("the list of cities is down");
      }),
    });
    expect(await problemOf(throws, { city: "Rome" })).toBe("it cannot be validated: the list of cities is down");
  });

  it("names the fix where there is no JSON Schema for the model", async () => {
    const shown = (schema: Schema) => readSchema(schema, { input: true }).jsonSchema();
    await expect(shown(v.object({ city: v.string() }))).rejects.toThrow(
      "toStandardJsonSchema() of @valibot/to-json-schema",
    );
    await expect(shown(mini.object({ city: mini.string() }) as Schema)).rejects.toThrow(
      "zodSchema() of the package ai",
    );
    await expect(shown(z3.object({ city: z3.string() }) as Schema)).rejects.toThrow(TypeError);
    await expect(shown(z.object({ at: z.date() }))).rejects.toThrow("Date cannot be represented");
  });

  it("refuses an input that is no object, as models give objects", async () => {
    for (const schema of [
      z.string(),
      type("string"),
      { type: "string" },
      {},
      z.union([z.object({ a: z.string() }), z.object({})]),
    ]) {
      await expect(readSchema(schema as Schema, { input: true }).jsonSchema()).rejects.toThrow('type "object"');
      await expect(readSchema(schema as Schema).jsonSchema()).resolves.toBeDefined();
    }
  });

  it("refuses what is no schema", () => {
    for (const none of [null, undefined, 5, "object", []]) expect(() => readSchema(none as never)).toThrow(TypeError);
  });

  it("says of a JSON Schema that cannot be used what is wrong with it", async () => {
    await expect(readSchema({ type: "object", properties: { a: 5n } } as Schema).validate({})).rejects.toThrow(
      "properties.a",
    );
    expect(await problemOf({ type: "object", properties: { a: { $ref: "#/nowhere" } } }, { a: 1 })).toContain(
      "Unresolved $ref",
    );
  });

  it("takes tools of the AI SDK by their types", () => {
    const tools: ToolSet = {
      weather: aiTool({
        description: "The weather",
        inputSchema: z.object({ city: z.string() }),
        needsApproval: async ({ city }, { toolCallId }) => city === "Rome" && toolCallId !== "",
        execute: async ({ city }, { abortSignal, messages }) => ({
          city,
          aborted: abortSignal?.aborted,
          n: messages.length,
        }),
      }),
      forecast: aiTool({
        inputSchema: jsonSchema<{ city: string }>({ type: "object" }),
        async *execute({ city }) {
          yield `looking at ${city}`;
          yield "sunny";
        },
      }),
    };
    expect(Object.keys(tools)).toHaveLength(2);
  });
});
