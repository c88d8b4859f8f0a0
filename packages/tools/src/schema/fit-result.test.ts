import { describe, expect, it } from "vitest";
import { z } from "zod";
import { fitResult } from "./fit-result.js";
import { readSchema } from "./read-schema.js";

describe("fitResult", () => {
  it("makes nothing null, a date text, and counts bytes", async () => {
    expect(await fitResult(undefined, { maxBytes: 10 })).toEqual({ ok: true, value: null, bytes: 4 });
    expect(await fitResult({ at: new Date(0) }, { maxBytes: 100 })).toMatchObject({
      value: { at: "1970-01-01T00:00:00.000Z" },
    });
  });

  it("looks at the value as the tool gave it, and gives what the schema makes of it", async () => {
    const schema = readSchema(z.object({ at: z.date(), n: z.number().default(1) }));
    expect(await fitResult({ at: new Date(0), secret: "x" }, { schema, maxBytes: 100 })).toMatchObject({
      ok: true,
      value: { at: "1970-01-01T00:00:00.000Z", n: 1 },
    });
    expect(await fitResult(undefined, { schema: readSchema(z.void()), maxBytes: 100 })).toMatchObject({ value: null });
  });

  it("refuses another shape, also of plain JSON Schema", async () => {
    const json = readSchema({ type: "object", properties: { n: { type: "number" } }, required: ["n"] });
    expect(await fitResult({ n: "1" }, { schema: json, maxBytes: 100 })).toEqual({
      ok: false,
      problem: "n: expected number, got string",
    });
    expect(await fitResult("nothing", { schema: readSchema(z.number()), maxBytes: 100 })).toMatchObject({ ok: false });
  });

  it("refuses 10 MB before its schema sees them", async () => {
    let looked = 0;
    const schema = readSchema(z.object({ text: z.string().refine(() => ++looked > 0) }));
    const result = await fitResult({ text: "x".repeat(10_000_000) }, { schema, maxBytes: 65_536 });
    expect(result).toEqual({ ok: false, problem: "it is longer than 65536 bytes of JSON" });
    expect(looked).toBe(0);
  });

  it("measures again what a schema made longer", async () => {
    const schema = readSchema(z.string().transform((text) => text.repeat(100)));
    expect(await fitResult("0123456789", { schema, maxBytes: 500 })).toMatchObject({ ok: false });
  });
});
