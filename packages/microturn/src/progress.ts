// Shows how far a load has come: one line that is rewritten on a terminal, one line at the start of each stage elsewhere.

import type { LoadProgress } from "@microturn/core";
import type { Output } from "./io.js";

const words: Readonly<Record<LoadProgress["stage"], string>> = {
  read: "reading the model",
  check: "checking its files",
  build: "building the graph",
  start: "starting the runtime",
};

/** A progress line on a stream. */
export class ProgressLine {
  readonly #stream: Output;
  #shown = "";

  constructor(stream: Output) {
    this.#stream = stream;
  }

  update({ stage, done, total }: LoadProgress): void {
    const percent = total > 0 ? ` ${Math.floor((100 * Math.min(done, total)) / total)} %` : "";
    const text = this.#stream.isTTY === true ? `${words[stage]}${percent}` : words[stage];
    if (text === this.#shown) return;
    this.#shown = text;
    this.#stream.write(this.#stream.isTTY === true ? `\r\u001b[2K${text}` : `${text}\n`);
  }

  /** Removes the line from a terminal. */
  clear(): void {
    if (this.#stream.isTTY === true && this.#shown !== "") this.#stream.write("\r\u001b[2K");
    this.#shown = "";
  }
}
