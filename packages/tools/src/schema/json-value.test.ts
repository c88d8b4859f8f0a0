import { describe, expect, it } from "vitest";
import { readJson } from "./json-value.js";

const bytesOf = (value: unknown) => new TextEncoder().encode(JSON.stringify(value)).length;
const problemOf = (value: unknown, maxBytes = 1000) => {
  const json = readJson(value, { maxBytes });
  return json.ok ? "none" : json.problem;
};

describe("readJson", () => {
  it("counts the bytes that JSON has in UTF-8, and copies what JSON holds", () => {
    const values = [
      null,
      true,
      false,
      0,
      -0,
      -12.5e-9,
      1e300,
      "",
      'quote " slash \\ \b\f\n\r\t \u0001 \u001f \u007f é ¿ ߿ ࠀ 日本 😀',
      "\ud800 alone, \udc00 alone, \ud83d",
      [],
      [1, "two", [3, []], {}],
      { a: 1, b: { c: [null, "x"] }, "": "empty", "é😀": 2 },
      new Date(0),
      Number.NaN,
      [Number.POSITIVE_INFINITY, undefined],
      { left: undefined, out: 1, also: undefined },
    ];
    for (const value of values) {
      const json = readJson(value, { maxBytes: 1000 });
      expect(json).toEqual({ ok: true, value: JSON.parse(JSON.stringify(value)), bytes: bytesOf(value) });
    }
  });

  it("agrees with JSON.stringify on the size of every UTF-16 unit, alone and in pairs", () => {
    for (let unit = 0; unit < 0x10000; unit++) {
      const text = `a${String.fromCharCode(unit)}b`;
      const json = readJson(text, { maxBytes: 100 });
      if (!json.ok || json.bytes !== bytesOf(text)) expect.unreachable(`unit ${unit.toString(16)}`);
    }
    expect(readJson("\ud83d\ude00\ud83d", { maxBytes: 100 })).toMatchObject({ bytes: 4 + 6 + 2 });
  });

  it("takes exactly maxBytes and not one more", () => {
    const value = { text: "12345", list: [1, 2, 3], nested: { é: null } };
    const size = bytesOf(value);
    expect(problemOf(value, size)).toBe("none");
    expect(problemOf(value, size - 1)).toBe(`it is longer than ${size - 1} bytes of JSON`);
  });

  it("gives up on what is too long without working through it", () => {
    let read = 0;
    const endless = new Proxy([] as unknown[], {
      get(target, key) {
        if (key === "length") return 1e9;
        read++;
        return Reflect.get(target, key);
      },
    });
    expect(problemOf(endless)).toContain("longer than 1000 bytes");
    expect(read).toBeLessThan(5);
    const laughs = Array.from({ length: 50 }).reduce<unknown>((inner) => [inner, inner], "ha");
    expect(problemOf(laughs)).toContain("longer than 1000 bytes");
  });

  it("names the place of what JSON cannot say", () => {
    const cycle: { list: unknown[] } = { list: [] };
    cycle.list.push({ back: cycle });
    expect(problemOf({ items: [0, { n: 5n }] })).toBe("items[1].n: a BigInt is not JSON; give a number or a string");
    expect(problemOf({ run: () => 1 })).toBe("run: a function is not JSON");
    expect(problemOf(Symbol("x"))).toBe("a symbol is not JSON");
    expect(problemOf(cycle)).toBe("list[0].back: it contains itself");
    expect(problemOf({ found: new Map([[1, 2]]) })).toBe("found: a Map is not JSON; give a plain object or an array");
    expect(problemOf(new Error("x"))).toContain("a Error is not JSON");
    expect(problemOf({ pcm: new Float32Array(3) })).toContain("pcm: binary data is not JSON");
  });

  it("takes the same object twice, when it does not contain itself", () => {
    const shared = { x: 1 };
    expect(readJson([shared, shared], { maxBytes: 100 })).toMatchObject({ ok: true, value: [{ x: 1 }, { x: 1 }] });
  });

  it("refuses keys that reach for prototypes, and leaves Object as it is", () => {
    expect(problemOf(JSON.parse('{"a":{"__proto__":{"admin":true}}}'))).toContain(
      "a.__proto__: a key of this name is not taken",
    );
    expect(problemOf(JSON.parse('{"constructor":{"prototype":{"admin":true}}}'))).toContain("not taken");
    expect(problemOf({ constructor: "Frank Lloyd Wright" })).toBe("none");
    expect(({} as { admin?: boolean }).admin).toBeUndefined();
  });

  it("refuses deep nesting, objects that throw when they are read, and stays whole", () => {
    const deep = JSON.parse("[".repeat(100_000) + "]".repeat(100_000));
    expect(problemOf(deep, 1e9)).toContain("nested deeper than 200");
    const bad = {
      get secret(): never {
        throw new Error("not for you");
      },
    };
    expect(problemOf(bad)).toBe("it cannot be read: not for you");
    expect(problemOf({ at: new Date(Number.NaN) })).toBe("none");
  });

  it("keeps a copy that later changes do not reach", () => {
    const value = { list: [1] };
    const json = readJson(value, { maxBytes: 100 });
    value.list.push(2);
    expect(json).toMatchObject({ value: { list: [1] } });
  });
});
