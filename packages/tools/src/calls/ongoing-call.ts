// A call from the moment when it is asked for until it is over, as the table keeps it.

import { DuplexError } from "@microturn/core";
import { describe } from "../schema/json-value.js";
import type { Tool } from "../tool.js";
import { CallJournal } from "./call-journal.js";
import type { CallEnding, CallRequest } from "./call-request.js";
import { unknownEnding } from "./earlier-calls.js";

/** One call under way. */
export class OngoingCall {
  readonly request: CallRequest;
  readonly tool: Tool | undefined;
  readonly irreversible: boolean;
  readonly journal: CallJournal;
  /** How it ended, as soon as that is known; never rejects. */
  readonly ending: Promise<CallEnding>;
  /** What is the same for calls that do the same, with the name of the tool; empty until the arguments have been read. */
  key = "";
  /** The tool has been called. */
  begun = false;
  /** Resolves when the tool has really stopped, which may be never. */
  settled: Promise<void> = Promise.resolve();
  readonly #abort = new AbortController();
  readonly #onSignal = () => this.end(describe(this.request.signal.reason, 300));
  #why = "";
  #tell: (ending: CallEnding) => void = () => {};

  constructor(request: CallRequest, tool: Tool | undefined) {
    this.request = request;
    this.tool = tool;
    this.irreversible = tool?.irreversible === true;
    this.journal = new CallJournal(request, {
      spoken: tool?.progress === "spoken",
      onFailure: () => this.end("its log cannot be written"),
    });
    this.ending = new Promise((resolve) => {
      this.#tell = resolve;
    });
    request.signal.addEventListener("abort", this.#onSignal, { once: true });
    if (request.signal.aborted) this.#onSignal();
  }

  /** Fires when the call is ended from outside. */
  get signal(): AbortSignal {
    return this.#abort.signal;
  }

  /** Ends it from outside. */
  end(why: string): void {
    if (this.signal.aborted) return;
    this.#why = why;
    this.#abort.abort(new DuplexError("ABORTED", `${this.request.name}: the call was ended: ${why}`));
  }

  /** The ending of a call that was ended from outside. */
  ended(): CallEnding {
    if (this.begun && this.irreversible) return unknownEnding(`it was ended while it ran: ${this.#why}`);
    return { outcome: "cancelled", error: this.#why };
  }

  /** Makes the ending known to those who wait for it. */
  decide(ending: CallEnding): void {
    this.request.signal.removeEventListener("abort", this.#onSignal);
    this.#tell(ending);
  }
}
