import { describe, expect, it } from "vitest";
import { ExpertTally, expertsMarkdown, momentOf } from "./experts.js";

const turn = (startMs: number, decision: "listen" | "speak" = "listen", text = "", heard = "") => {
  return { startMs, output: { decision, text, heard } };
};
const said = (onsetMs: number, endMs: number) => {
  return { key: "greet", text: "hello", voice: "flite:rms", heldPhrasing: false, onsetMs, endMs };
};
const load = (...values: number[]) => ({
  inside: {
    dmel: new Uint8Array(160),
    controls: new Uint8Array(4),
    expertLoad: Float32Array.from(values),
    expertShape: [2, 2] as const,
  },
});

it("tells by truth and decision what goes on in a micro-turn", () => {
  const one = { events: [said(450, 800)] };
  expect(momentOf(turn(0), one, 200)).toBe("nobody");
  expect(momentOf(turn(400), one, 200)).toBe("user");
  expect(momentOf(turn(600, "speak"), one, 200)).toBe("both");
  expect(momentOf(turn(800, "speak"), one, 200)).toBe("mini");
  expect(momentOf(turn(0), { ...one, color: [{ ms: 0, rgb: [255, 0, 0] as const }] }, 200)).toBe("nobody, camera");
  expect(momentOf(turn(800, "speak", "seven "), one, 200)).toBe("text");
  expect(momentOf(turn(600, "speak", "seven ", "count "), one, 200)).toBe("text");
  expect(momentOf(turn(600, "listen", "", "count "), one, 200)).toBe("transcript");
  expect(momentOf(turn(800, "speak", " ", " "), one, 200)).toBe("mini");
  const images = { file: "a.images.gz", width: 39, height: 40, everyMs: 100 };
  expect(momentOf(turn(0), { ...one, images }, 200)).toBe("nobody, camera");
});

describe("ExpertTally", () => {
  it("gives shares by layer and moment, and how far they are apart", () => {
    const tally = new ExpertTally();
    tally.add("user", load(1, 0, 0.5, 0.5));
    tally.add("user", load(0.5, 0.5, 0.5, 0.5));
    tally.add("mini", load(0, 2, 1, 1));
    tally.add("text", load(0, 1, 1, 1));
    tally.add("nobody", {});
    const [first, second] = tally.layers();
    expect(first.shares.get("user")).toEqual([0.75, 0.25]);
    expect(first.shares.get("mini")).toEqual([0, 1]);
    expect(first.shares.get("text")).toEqual([0, 1]);
    expect(first.specialisation).toBeCloseTo(0.5, 12); // 0.75, 0.75 and, between mini and text, 0
    expect(second.specialisation).toBe(0);
    expect(tally.count("nobody")).toBe(0);
    expect(expertsMarkdown(tally).split("\n")).toEqual([
      "| Mixture layer | user | mini | text | Specialisation |",
      "|---|---|---|---|---|",
      "| 1 | 1: 75 %, 2: 25 % | 2: 100 %, 1: 0 % | 2: 100 %, 1: 0 % | 0.50 |",
      "| 2 | 1: 50 %, 2: 50 % | 1: 50 %, 2: 50 % | 1: 50 %, 2: 50 % | 0.00 |",
      "",
      "Micro-turns: user 2, mini 1, text 1.",
    ]);
  });

  it("refuses the loads of two models", () => {
    const tally = new ExpertTally();
    tally.add("user", load(1, 0, 1, 0));
    const { inside } = load(1, 0, 1, 0);
    expect(() => tally.add("mini", { inside: { ...inside, expertShape: [1, 4] } })).toThrow(RangeError);
  });
});
