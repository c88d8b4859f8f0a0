import { describe, expect, it } from "vitest";
import { argumentsFor, chooseTool, type FunctionTool, OpenCalls, readTools, spokenOutput } from "./function-tools.js";

const tool = (name: string, description?: string, parameters?: object): FunctionTool => ({
  ...{ type: "function", name },
  ...(description === undefined ? {} : { description }),
  ...(parameters === undefined ? {} : { parameters: parameters as never }),
});
const tools = [
  tool("sendMail", "Sends a letter."),
  tool("weather_forecast", "Tells how it will be outside."),
  tool("lookup", "Finds facts about a city."),
];

describe("functions of a client", () => {
  it("gives a task to the function that shares the most words with it, else to the first", () => {
    const chosen = (task: string) => chooseTool(tools, "auto", { task })?.name;
    expect(chosen("what is the weather in paris")).toBe("weather_forecast");
    expect(chosen("send a mail to bob")).toBe("sendMail");
    expect(chosen("facts about rome")).toBe("lookup");
    expect(chosen("xyzzy")).toBe("sendMail");
  });

  it("does as the model or the client says", () => {
    expect(chooseTool(tools, "auto", { task: "send mail", name: "lookup" })?.name).toBe("lookup");
    expect(chooseTool(tools, { type: "function", name: "lookup" }, { task: "send mail" })?.name).toBe("lookup");
    expect(chooseTool(tools, "none", { task: "send mail" })).toBeUndefined();
    expect(chooseTool([], "auto", { task: "send mail" })).toBeUndefined();
  });

  it("puts the task into the strings that the schema requires", () => {
    const string = { type: "string" };
    const schema = (properties: object, required?: string[]) => tool("f", undefined, { properties, required });
    const args = (one: FunctionTool, task = "rain in paris") => JSON.parse(argumentsFor(one, { task }));
    expect(args(schema({ a: string, b: string, n: { type: "number" } }, ["b", "n"]))).toEqual({ b: "rain in paris" });
    expect(args(schema({ n: { type: "number" }, a: { type: ["string", "null"] } }))).toEqual({ a: "rain in paris" });
    const city = { type: "string", enum: ["Rome", "Paris"] };
    expect(args(schema({ city }, ["city"]))).toEqual({ city: "Paris" });
    expect(args(schema({ city }, ["city"]), "hello")).toEqual({ city: "Rome" });
    expect(args(tool("f"))).toEqual({});
    expect(argumentsFor(tool("f"), { task: "x", arguments: { a: 1 } })).toBe('{"a":1}');
  });

  it("says the words of an output, and an output without words as it stands", () => {
    expect(spokenOutput("It rains.")).toBe("It rains.");
    expect(spokenOutput('"It rains."')).toBe("It rains.");
    expect(spokenOutput('{"ok":true,"answer":"It rains."}')).toBe("It rains.");
    expect(spokenOutput('{"degrees":14}')).toBe('{"degrees":14}');
    expect(spokenOutput("14")).toBe("14");
  });

  it("takes one output for each call", () => {
    const calls = new OpenCalls();
    calls.add("c1", "d1");
    expect(calls.answer("c1")).toEqual({ delegation: "d1" });
    expect(() => calls.answer("c1")).toThrow(/not found/);
    for (let i = 0; i < 300; i++) calls.add(`n${i}`, undefined);
    expect(() => calls.answer("n0")).toThrow(/not found/);
    expect(calls.answer("n299")).toEqual({ delegation: undefined });
  });

  it("reads functions, and nothing else", () => {
    expect(readTools([{ type: "function", name: "f", description: null, parameters: null }])).toEqual([tool("f")]);
    for (const wrong of [{}, [1], [{ type: "mcp" }], [{ type: "function", name: "a b" }], Array(200).fill(tool("f"))]) {
      expect(() => readTools(wrong)).toThrow(/session\.tools/);
    }
  });
});
