import { describe, expect, it } from "vitest";
import type { ContextEntry } from "../jobs/job.js";
import { compactContext } from "./compact-context.js";

const entry = (text: string, timeMs = 0): ContextEntry => ({ speaker: "user", text, timeMs });
const size = (entries: readonly ContextEntry[]) => entries.reduce((sum, { text }) => sum + text.length + 24, 0);

const halfPair = /[\uD800-\uDBFF](?![\uDC00-\uDFFF])|(?<![\uD800-\uDBFF])[\uDC00-\uDFFF]/;

describe("compactContext", () => {
  it("leaves a conversation that fits as it is", () => {
    const entries = [entry("a"), entry("b"), entry("c")];
    expect(compactContext(entries)).toEqual({ entries, leftOut: 0 });
    expect(compactContext([])).toEqual({ entries: [], leftOut: 0 });
  });

  it("keeps the first two entries and the newest that fit, and says how many are gone", () => {
    const entries = Array.from({ length: 100 }, (_, index) => entry(`entry number ${index} `.padEnd(76, "."), index));
    const { entries: kept, leftOut } = compactContext(entries, { maxChars: 1000 });
    expect(kept.map(({ timeMs }) => timeMs)).toEqual([0, 1, 92, 93, 94, 95, 96, 97, 98, 99]);
    expect(leftOut).toBe(90);
  });

  it("cuts one long entry in its middle, and splits no character", () => {
    const { entries, leftOut } = compactContext([entry("😀".repeat(500))], { maxChars: 300 });
    expect(leftOut).toBe(0);
    expect(entries[0]?.text).toMatch(/^(😀)+…(😀)+$/u);
    expect(size(entries)).toBeLessThanOrEqual(100);
  });

  it("leaves no gap: once an entry does not fit, no older one is kept in its place", () => {
    const entries = [
      entry("a"),
      entry("b"),
      entry("short"),
      entry("x".repeat(60)),
      entry("y".repeat(60)),
      entry("z".repeat(60)),
    ];
    const { entries: kept, leftOut } = compactContext(entries, { maxChars: 256 });
    expect(kept.map(({ text }) => text[0])).toEqual(["a", "b", "y", "z"]);
    expect(leftOut).toBe(2);
  });

  it("refuses a bound that is too small to hold anything", () => {
    expect(() => compactContext([], { maxChars: 255 })).toThrow(RangeError);
    expect(() => compactContext([], { maxChars: Number.NaN })).toThrow(RangeError);
  });

  it("is never longer than the bound, keeps order and the newest, and changes nothing when it is done twice (2000 random ones)", () => {
    // Numerical Recipes' generator, seeded.
    let state = 6;
    const random = () => {
      state = (state * 1664525 + 1013904223) % 2 ** 32;
      return state / 2 ** 32;
    };
    const upTo = (most: number) => Math.floor(random() * (most + 1));
    let cut = 0;
    let shortened = 0;
    for (let round = 0; round < 2000; round++) {
      const maxChars = 256 + upTo(3000);
      const longest = random() < 0.3 ? 4000 : 200;
      const entries = Array.from({ length: upTo(60) }, (_, index) => entry("ab😀".repeat(upTo(longest) / 4), index));
      const { entries: kept, leftOut } = compactContext(entries, { maxChars });
      expect(size(kept)).toBeLessThanOrEqual(maxChars);
      expect(kept.length + leftOut).toBe(entries.length);
      const times = kept.map(({ timeMs }) => timeMs);
      expect(times).toEqual([...times].sort((a, b) => a - b));
      expect(times.at(-1)).toBe(entries.at(-1)?.timeMs);
      expect(times.slice(0, 2)).toEqual(entries.slice(0, 2).map(({ timeMs }) => timeMs));
      const wrong = kept.filter((one) => {
        const whole = entries[one.timeMs]?.text ?? "";
        if (one.text === whole) return false;
        shortened++;
        const [head = "", tail = ""] = one.text.split("…");
        return !whole.startsWith(head) || !whole.endsWith(tail) || halfPair.test(one.text);
      });
      expect(wrong).toEqual([]);
      expect(compactContext(kept, { maxChars })).toEqual({ entries: kept, leftOut: 0 });
      if (leftOut > 0) cut++;
    }
    expect(cut).toBeGreaterThan(500);
    expect(shortened).toBeGreaterThan(500);
  });
});
