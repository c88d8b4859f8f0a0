import { toStandardJsonSchema } from "@valibot/to-json-schema";
import { tool as aiTool, jsonSchema } from "ai";
import { type } from "arktype";
import * as v from "valibot";
import { describe, expect, it } from "vitest";
import { z } from "zod";
import { tool } from "../tool.js";
import { functionsOf } from "./functions-of.js";

const parameters = {
  type: "object",
  properties: { city: { type: "string" } },
  required: ["city"],
};

describe("functions for an interaction model", () => {
  it("are the tools of a set, whatever their schemas are made with", async () => {
    const functions = await functionsOf({
      plain: tool({ description: "of a city", inputSchema: parameters }),
      zod: tool({ inputSchema: z.object({ city: z.string() }) }),
      valibot: tool({ inputSchema: toStandardJsonSchema(v.object({ city: v.string() })) }),
      arktype: tool({ inputSchema: type({ city: "string" }) }),
      sdk: aiTool({ description: "", inputSchema: jsonSchema(parameters) }),
    });
    expect(functions.map(({ name }) => name)).toEqual(["plain", "zod", "valibot", "arktype", "sdk"]);
    for (const one of functions) {
      expect(one).toMatchObject({ type: "function", strict: false, parameters });
      // Which draft, and no fields that hold nothing: services refuse what they do not know.
      expect(Object.keys(one.parameters)).not.toContain("$schema");
      expect(Object.keys(one).sort()).toEqual(
        [...(one.name === "plain" ? ["description"] : []), "name", "parameters", "strict", "type"].sort(),
      );
    }
    expect(functions[0].description).toBe("of a city");
  });

  it("ask for what goes in, and not for what a schema makes of it", async () => {
    const inputSchema = z.object({ days: z.number().default(1), when: z.string().transform((text) => text.length) });
    const [{ parameters }] = await functionsOf({ weather: tool({ inputSchema }) });
    expect(parameters).toMatchObject({
      properties: { days: { type: "number", default: 1 }, when: { type: "string" } },
      required: ["when"],
    });
  });

  it("leave out what a provider runs, and refuse what the background could not run", async () => {
    const provided = { type: "provider", id: "openai.web_search", name: "web_search", args: {}, inputSchema: {} };
    expect(await functionsOf({ search: provided as never })).toEqual([]);
    await expect(functionsOf({ "no name": tool({ inputSchema: parameters }) })).rejects.toThrow(/expected a name/);
    await expect(functionsOf({ list: tool({ inputSchema: { type: "array" } }) })).rejects.toThrow(/"object"/);
    await expect(functionsOf({ bare: tool({ inputSchema: v.object({}) }) })).rejects.toThrow(/toStandardJsonSchema/);
  });
});
