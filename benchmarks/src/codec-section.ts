// The codecs' table, in the form of the other sections.

import { codecBench } from "./codecs.js";
import type { BenchSection } from "./report.js";

/** Speed of the codecs on one core. */
export async function codecsSection(): Promise<BenchSection> {
  return { title: "Codecs, one core", rows: await codecBench() };
}
