// Time that the host of a virtual machine took away from it. It comes in pieces of tens of milliseconds, and in a percentile of a
// few thousand micro-turns it is what is seen first.

import { readFileSync } from "node:fs";

/** Tells of each stretch of time whether the host took processor time in it, to within the 10 ms in which Linux counts. */
export class StolenTime {
  #ticks = stolenTicks();

  /** Whether it has since this was asked last, or since this was made; false where that is not told. */
  tookSome(): boolean {
    const before = this.#ticks;
    this.#ticks = stolenTicks();
    return this.#ticks > before;
  }
}

/** Over all processors, since the machine started. */
function stolenTicks(): number {
  try {
    // cpu user nice system idle iowait irq softirq steal …
    const [first = ""] = readFileSync("/proc/stat", "latin1").split("\n", 1);
    return Number(first.trim().split(/\s+/)[8] ?? 0);
  } catch {
    return 0;
  }
}
