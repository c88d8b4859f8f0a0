// A copy of any value that is safe to show: plain data, bounded in depth and size, without what looks secret.

import { redacted } from "./secret-text.js";

/** Bounds of a copy. */
export interface CopyBounds {
  /** Length of the copy as JSON, at most about this. */
  readonly maxLength: number;
  readonly maxDepth: number;
  /** Entries of one object or array. */
  readonly maxEntries: number;
  readonly maxTextLength: number;
}

/** What is told of a call: enough to see what it was. */
export const toldBounds: CopyBounds = { maxLength: 4096, maxDepth: 8, maxEntries: 64, maxTextLength: 1024 };

/** Text beyond the bound that is looked at as well, so that what is cut in the middle is known for what it is. */
const margin = 4096;
/** Names that hold something secret, whatever is around them; compared without case, `-`, `_` and spaces. */
const secretName =
  /authoriz|passw(?:or)?d|passphrase|secret|apikey|accesskey|privatekey|signingkey|encryptionkey|credential|cookie|token$|bearer|jwt/;
const secretNames = new Set([
  "auth",
  "pwd",
  "pin",
  "cvv",
  "cvc",
  "otp",
  "sid",
  "session",
  "sessionid",
  "sessionkey",
  "signature",
]);

/** Whether a value under this name is taken out. */
export function isSecretName(name: string): boolean {
  const plain = name
    .slice(0, 256)
    .toLowerCase()
    .replace(/[-_\s.]/g, "");
  return secretName.test(plain) || secretNames.has(plain);
}

/**
 * Copies a value as plain data, fit for JSON. What is left out is named in place: `"… 812 more characters"`.
 *
 * @param text - what becomes of a string, such as `redactText`
 */
export function plainCopy(value: unknown, text: (value: string) => string, bounds: CopyBounds = toldBounds): unknown {
  return new Copier(text, bounds).copy(value, 0);
}

/** Cuts a text to a length; says how much was left out. */
export function cutText(text: string, maxLength: number): string {
  if (text.length <= maxLength) return text;
  // Not in the middle of a character.
  const end = /[\ud800-\udbff]/.test(text[maxLength - 1]) ? maxLength - 1 : maxLength;
  return `${text.slice(0, end)}… ${text.length - end} more characters`;
}

class Copier {
  readonly #text: (value: string) => string;
  readonly #bounds: CopyBounds;
  #left: number;

  constructor(text: (value: string) => string, bounds: CopyBounds) {
    this.#text = text;
    this.#bounds = bounds;
    this.#left = bounds.maxLength;
  }

  copy(value: unknown, depth: number): unknown {
    this.#left -= 4;
    switch (typeof value) {
      case "string":
        return this.#string(value);
      case "number":
        return Number.isFinite(value) ? value : String(value);
      case "boolean":
        return value;
      case "bigint":
        return this.#string(String(value).slice(0, 64));
      case "object":
        return value === null ? null : this.#object(value, depth);
      default:
        return undefined;
    }
  }

  #string(value: string): string {
    const room = Math.max(16, Math.min(this.#bounds.maxTextLength, this.#left));
    const shown = this.#text(value.slice(0, room + margin));
    const cut = value.length > room + margin;
    const rest = cut ? value.length - room - margin : 0;
    this.#left -= Math.min(shown.length, room);
    if (!cut || shown.length > room) {
      const short = shown.length <= room ? shown : cutText(shown, room);
      return cut
        ? short.replace(/(\d+) more characters$/, (_, more) => `${Number(more) + rest} more characters`)
        : short;
    }
    return `${shown}… ${rest} more characters`;
  }

  #object(value: object, depth: number): unknown {
    if (depth >= this.#bounds.maxDepth) return "… too deep";
    if (ArrayBuffer.isView(value) || value instanceof ArrayBuffer) return `${value.byteLength} bytes`;
    // What a stranger's object does when it is read (a getter, a proxy) must not reach the conversation.
    try {
      const { toJSON } = value as { toJSON?: unknown };
      if (typeof toJSON === "function") return this.copy(toJSON.call(value, ""), depth + 1);
      return Array.isArray(value) ? this.#array(value, depth) : this.#record(value, depth);
    } catch {
      return "… cannot be read";
    }
  }

  #array(value: readonly unknown[], depth: number): unknown[] {
    const out: unknown[] = [];
    for (const one of value) {
      if (out.length >= this.#bounds.maxEntries || this.#left <= 0) {
        out.push(`… ${value.length - out.length} more`);
        break;
      }
      out.push(this.copy(one, depth + 1) ?? null);
    }
    return out;
  }

  #record(value: object, depth: number): Record<string, unknown> {
    const out: Record<string, unknown> = {};
    const names = Object.keys(value);
    const given = value as Record<string, unknown>;
    const header = ["name", "key", "header"].map((name) => given[name]).find((name) => typeof name === "string");
    for (const [i, name] of names.entries()) {
      if (i >= this.#bounds.maxEntries || this.#left <= 0) {
        out["…"] = `${names.length - i} more`;
        break;
      }
      const shown = this.#text(name.slice(0, 128));
      this.#left -= shown.length + 4;
      // { name: "Authorization", value: "…" } is a header too.
      const secret = isSecretName(name) || (name === "value" && typeof header === "string" && isSecretName(header));
      const one = given[name];
      const copied =
        secret && one !== null && typeof one !== "boolean" && one !== undefined ? redacted : this.copy(one, depth + 1);
      // "__proto__" is a name like any other here.
      if (copied !== undefined)
        Object.defineProperty(out, shown, { value: copied, enumerable: true, configurable: true, writable: true });
    }
    return out;
  }
}
