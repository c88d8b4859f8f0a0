// Time that the host of a virtual machine took away from it. It comes in pieces of tens of milliseconds, and in a percentile of a
// few thousand micro-turns it is what is seen first.

import { readFileSync } from "node:fs";

const tickMs = 10;

/** Processor time that the host has taken since the machine started, over all processors, ms in steps of 10; 0 where that is not told. */
export function stolenMs(): number {
  try {
    // cpu user nice system idle iowait irq softirq steal …
    const [first = ""] = readFileSync("/proc/stat", "latin1").split("\n", 1);
    return tickMs * Number(first.trim().split(/\s+/)[8] ?? 0);
  } catch {
    return 0;
  }
}
