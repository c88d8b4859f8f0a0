import { describe, expect, it } from "vitest";
import { briefJson, briefText } from "./brief.js";

describe("briefText", () => {
  it("makes one line without what turns the direction or moves a cursor", () => {
    expect(briefText(" a\n\u001b[31mb\u202ec\u2066d ", 40)).toBe("a [31mb c d");
  });

  it("cuts, and leaves no half of a character", () => {
    expect(briefText("abcdef", 6)).toBe("abcdef");
    expect(briefText("abcdefg", 6)).toBe("abcde…");
    expect(briefText("abcd😀fg", 6)).toBe("abcd…");
  });

  it("says that it left something out, also where unruly characters took the room", () => {
    expect(briefText(`${"\n".repeat(30)}abc`, 10)).toBe("…");
  });
});

describe("briefJson", () => {
  it("writes what JSON writes, if there is room", () => {
    const value = { a: [1, 'x"', null, true], b: { c: -0.5 }, d: [], e: {} };
    expect(briefJson(value, 200)).toBe(JSON.stringify(value));
    expect([briefJson(undefined, 9), briefJson("t", 9), briefJson(null, 9)]).toEqual(["", '"t"', "null"]);
  });

  it("cuts what is wide, long or deep, and looks at no more than it shows", () => {
    let looked = 0;
    const wide = new Proxy(new Array(1_000_000).fill(7), {
      get: (target, name) => {
        looked++;
        return Reflect.get(target, name);
      },
    });
    expect(briefJson(wide, 12)).toBe("[7,7,7,7,7,…");
    expect(looked).toBeLessThan(60);
    expect(briefJson({ text: "y".repeat(1e6) }, 20)).toBe(`{"text":"${"y".repeat(10)}…`);
    const deep = JSON.parse(`${"[".repeat(5_000)}${"]".repeat(5_000)}`) as unknown;
    expect(briefJson(deep, 100)).toBe("[[[[[…]]]]]");
  });
});
