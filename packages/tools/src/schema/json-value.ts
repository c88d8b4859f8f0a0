// Takes a value as JSON would hold it: a plain copy, measured on the way, so that nothing is built that is too long to keep.
// What JSON cannot say is refused with the place of it, and so are keys that reach for prototypes.

/** A copy that JSON can hold with its size, or what keeps the value from being one. */
export type JsonReading =
  | { readonly ok: true; readonly value: unknown; readonly bytes: number }
  | { readonly ok: false; readonly problem: string };

/** Deeper values are refused: nobody means them, and readers overflow their stacks. */
const maxDepth = 200;

/**
 * Copies a value into plain JSON. `toJSON` is called, `undefined` in an object is left out and becomes `null` elsewhere, as do NaN
 * and the infinities. Refused are BigInt, functions, symbols, cycles, binary data, objects that JSON would empty (Map, Set,
 * Error, …), nesting beyond 200 and the keys `__proto__` and `constructor` with a `prototype`.
 *
 * @param options.maxBytes - longest JSON, in bytes of UTF-8; a longer value costs no more than what fits
 * @returns the copy and the bytes of its JSON in UTF-8, or one sentence that begins with the path: "items[3]: a BigInt is not JSON"
 */
export function readJson(value: unknown, { maxBytes }: { readonly maxBytes: number }): JsonReading {
  const reader = new JsonReader(maxBytes);
  try {
    return { ok: true, value: reader.read(value, ""), bytes: reader.bytes };
  } catch (error) {
    const said = error instanceof NotJson ? error.message : `it cannot be read: ${describe(error)}`;
    return { ok: false, problem: withPath(reader.path, said) };
  }
}

/** A path as it is written in code, then what is wrong there. */
export function withPath(path: readonly PropertyKey[], problem: string): string {
  let place = "";
  for (const key of path)
    place += typeof key === "number" ? `[${key}]` : place === "" ? String(key) : `.${String(key)}`;
  if (place.length > 120) place = `${place.slice(0, 119)}…`;
  return place === "" ? problem : `${place}: ${problem}`;
}

/** What was thrown, in words, at most `maxChars` of them and never a stack. Anything may be thrown. */
export function describe(error: unknown, maxChars = 2000): string {
  let text = "";
  try {
    text = String(error instanceof Error ? error.message || error.name : error);
  } catch {
    // An object without a usable text.
  }
  if (text === "") text = "no reason was given";
  return text.length > maxChars ? `${text.slice(0, maxChars - 1)}…` : text;
}

class NotJson extends Error {}

class JsonReader {
  readonly path: PropertyKey[] = [];
  bytes = 0;
  readonly #maxBytes: number;
  readonly #open = new Set<object>();

  constructor(maxBytes: number) {
    this.#maxBytes = maxBytes;
  }

  read(given: unknown, key: string): unknown {
    const value = hasToJson(given) ? given.toJSON(key) : given;
    if (value === null || value === undefined) return this.#took(4, null);
    switch (typeof value) {
      case "boolean":
        return this.#took(value ? 4 : 5, value);
      case "number":
        if (!Number.isFinite(value)) return this.#took(4, null);
        return this.#took(String(value).length, value === 0 ? 0 : value);
      case "string":
        return this.#took(this.#textBytes(value), value);
      case "object":
        return this.#readObject(value);
      case "bigint":
        throw new NotJson("a BigInt is not JSON; give a number or a string");
      default:
        throw new NotJson(`a ${typeof value} is not JSON`);
    }
  }

  #readObject(value: object): unknown {
    if (this.#open.has(value)) throw new NotJson("it contains itself");
    if (this.#open.size >= maxDepth) throw new NotJson(`it is nested deeper than ${maxDepth}`);
    if (ArrayBuffer.isView(value)) throw new NotJson("binary data is not JSON; give text, such as base64");
    this.#open.add(value);
    const copy = Array.isArray(value) ? this.#readItems(value) : this.#readFields(value);
    this.#open.delete(value);
    return copy;
  }

  #readItems(items: readonly unknown[]): unknown[] {
    this.#count(2 + Math.max(0, items.length - 1));
    this.#mayHold(items.length);
    const copy: unknown[] = [];
    for (let index = 0; index < items.length; index++) {
      this.path.push(index);
      copy.push(this.read(items[index], String(index)));
      this.path.pop();
    }
    return copy;
  }

  #readFields(value: object): Record<string, unknown> {
    const copy: Record<string, unknown> = {};
    this.#count(2);
    const keys = Object.keys(value);
    if (keys.length === 0 && !isPlain(value))
      throw new NotJson(`${kindOf(value)} is not JSON; give a plain object or an array`);
    let fields = 0;
    for (const key of keys) {
      const field = (value as Record<string, unknown>)[key];
      if (field === undefined) continue;
      this.path.push(key);
      if (reachesForPrototype(key, field)) throw new NotJson("a key of this name is not taken");
      this.#count(this.#textBytes(key) + (fields++ === 0 ? 1 : 2));
      copy[key] = this.read(field, key);
      this.path.pop();
    }
    return copy;
  }

  #took<Value>(bytes: number, value: Value): Value {
    this.#count(bytes);
    return value;
  }

  #count(bytes: number): void {
    this.bytes += bytes;
    this.#mayHold(0);
  }

  /** Whether so many more bytes, at the least, can fit. */
  #mayHold(bytes: number): void {
    if (this.bytes + bytes <= this.#maxBytes) return;
    this.path.length = 0;
    throw new NotJson(`it is longer than ${this.#maxBytes} bytes of JSON`);
  }

  /** Bytes of a string in JSON and UTF-8, with its quotes. */
  #textBytes(text: string): number {
    this.#mayHold(text.length + 2);
    let bytes = text.length + 2;
    for (let at = 0; at < text.length; at++) {
      const unit = text.charCodeAt(at);
      if (unit < 0x20) bytes += unit === 8 || unit === 9 || unit === 10 || unit === 12 || unit === 13 ? 1 : 5;
      else if (unit === 0x22 || unit === 0x5c) bytes += 1;
      else if (unit >= 0x80 && unit < 0x800) bytes += 1;
      else if (unit >= 0xd800 && unit < 0xe000) {
        const next = unit < 0xdc00 ? text.charCodeAt(at + 1) : 0;
        const paired = next >= 0xdc00 && next < 0xe000;
        bytes += paired ? 2 : 5; // 4 bytes for two units; alone it is escaped
        if (paired) at++;
      } else if (unit >= 0x800) bytes += 2;
    }
    return bytes;
  }
}

function hasToJson(value: unknown): value is { toJSON(key: string): unknown } {
  return typeof value === "object" && value !== null && typeof (value as { toJSON?: unknown }).toJSON === "function";
}

function isPlain(value: object): boolean {
  const prototype: unknown = Object.getPrototypeOf(value);
  return prototype === null || Object.getPrototypeOf(prototype) === null;
}

function kindOf(value: object): string {
  const name: unknown = value.constructor?.name;
  return typeof name === "string" && name !== "" ? `a ${name.slice(0, 40)}` : "this object";
}

function reachesForPrototype(key: string, field: unknown): boolean {
  if (key === "__proto__") return true;
  return key === "constructor" && typeof field === "object" && field !== null && Object.hasOwn(field, "prototype");
}
