import { describe, expect, test } from "vitest";
import { rowsToRun } from "./run-rows.js";

const flags = (text: string) => Uint8Array.from(text, Number);
const plan = (active: string, block: number | undefined = 4) => {
  const { count, rows, takes } = rowsToRun(active.length, flags(active), block);
  return { count, rows: [...rows].join(), takes: [...takes].join("") };
};

describe("rowsToRun", () => {
  test("takes the active rows, and the last of them again up to a multiple of the block", () => {
    expect(plan("01000000")).toEqual({ count: 4, rows: "1,1,1,1", takes: "1000" });
    expect(plan("100000000001")).toEqual({ count: 4, rows: "0,11,11,11", takes: "1100" });
    expect(plan("011101100000")).toEqual({ count: 8, rows: "1,2,3,5,6,6,6,6", takes: "11111000" });
    expect(plan("10100101")).toEqual({ count: 4, rows: "0,2,5,7", takes: "1111" });
  });

  test("takes all rows in their places when no smaller batch would do", () => {
    expect(plan("11111000")).toEqual({ count: 8, rows: "0,1,2,3,4,5,6,7", takes: "11111000" });
    expect(plan("0100")).toEqual({ count: 4, rows: "0,1,2,3", takes: "0100" });
    expect(rowsToRun(8, undefined, 4)).toMatchObject({ count: 8, takes: new Uint8Array(8).fill(1) });
  });

  test("takes none when none is active", () => {
    expect(plan("00000000")).toEqual({ count: 0, rows: "", takes: "" });
  });

  test("takes all rows of a state that is no multiple of the block, and without one", () => {
    expect(plan("010000")).toEqual({ count: 6, rows: "0,1,2,3,4,5", takes: "010000" });
    expect(plan("1")).toEqual({ count: 1, rows: "0", takes: "1" });
    const { count, takes } = rowsToRun(8, flags("01000000"), undefined);
    expect([count, [...takes].join("")]).toEqual([8, "01000000"]);
  });
});
