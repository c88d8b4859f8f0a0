// What may be told of the background: in events, records, traces and viewers. A tool gets what it was given, as it is.

import { cutText, plainCopy, toldBounds } from "./plain-copy.js";
import { redacted, redactText, secretForms, WordRedactor } from "./secret-text.js";

/** Where a value is told. */
export type RedactedPlace = "arguments" | "result" | "error" | "progress";

/** Options of {@link Redaction}. */
export interface RedactionOptions {
  /**
   * Values that are taken out wherever they are found, 4 … 4096 characters each: keys, passwords, addresses. What looks like a key or stands
   * under a name such as `password` is taken out anyway.
   */
  readonly secrets?: readonly string[] | undefined;
  /**
   * Takes out more: gets a copy of the arguments, the result, the error or the progress of a call, in which the rest is done, and
   * gives what is told instead. If it throws, nothing of it is told. What the background says is not given to it: that is said aloud.
   */
  readonly redact?: ((value: unknown, where: RedactedPlace) => unknown) | undefined;
}

/** Longest text of an error or of progress. */
const maxTextLength = 1000;
/** See `maxHeld` of the words: a form that begins inside the bound ends inside this. */
const margin = 4096;

export class Redaction {
  readonly #secrets: readonly string[];
  readonly #redact: RedactionOptions["redact"];

  /** @throws TypeError or RangeError for secrets that cannot be looked for */
  constructor({ secrets = [], redact }: RedactionOptions = {}) {
    if (!Array.isArray(secrets)) throw new TypeError("secrets: expected an array of strings");
    if (redact !== undefined && typeof redact !== "function") throw new TypeError("redact: expected a function");
    this.#secrets = secretForms(secrets);
    this.#redact = redact;
  }

  /** Arguments or a result as they may be told, at most about 4 KB of them as JSON. */
  value(value: unknown, where: RedactedPlace): unknown {
    const copy = plainCopy(value, (text) => redactText(text, this.#secrets));
    if (this.#redact === undefined) return copy;
    // What the application gives is bounded too, and plain.
    return plainCopy(this.#ask(copy, where), (text) => text, { ...toldBounds, maxLength: 2 * toldBounds.maxLength });
  }

  /** Text of a call as it may be told, at most 1000 characters. */
  text(text: string, where: RedactedPlace): string {
    const shown = cutText(redactText(text.slice(0, maxTextLength + margin), this.#secrets), maxTextLength);
    if (this.#redact === undefined) return shown;
    const given = this.#ask(shown, where);
    return typeof given === "string" ? cutText(given, maxTextLength) : redacted;
  }

  /** What a trace may hold: text without what looks secret, whole; anything else as where it is told. */
  recorded(value: unknown): unknown {
    if (typeof value === "string") return redactText(value, this.#secrets);
    return this.value(value, "arguments");
  }

  /** For words that come one after the other. */
  words(): WordRedactor {
    return new WordRedactor(this.#secrets);
  }

  #ask(value: unknown, where: RedactedPlace): unknown {
    try {
      return this.#redact?.(value, where);
    } catch {
      return redacted;
    }
  }
}
