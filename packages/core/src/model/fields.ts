// Reads untrusted JSON field by field: every field is asked for once, unknown ones are errors, and messages name the field.

import { DuplexError } from "../errors.js";

/** One object of the JSON under inspection. */
export class Fields {
  private readonly asked = new Set<string>();
  private readonly record: Record<string, unknown>;

  /**
   * @param where - of the object, for messages, for example `config.duplex`
   * @throws DuplexError `MODEL_INVALID` if the value is not an object
   */
  constructor(
    value: unknown,
    readonly where: string,
  ) {
    if (typeof value !== "object" || value === null || Array.isArray(value)) throw invalid(where, "an object", value);
    this.record = value as Record<string, unknown>;
  }

  has(name: string): boolean {
    return Object.hasOwn(this.record, name) && this.record[name] !== undefined;
  }

  /** The raw value of a field, or undefined. */
  value(name: string): unknown {
    this.asked.add(name);
    return this.has(name) ? this.record[name] : undefined;
  }

  /** An integer in a range. */
  count(name: string, least: number, most: number): number {
    const value = this.value(name);
    if (typeof value !== "number" || !Number.isInteger(value) || value < least || value > most) {
      throw this.invalid(name, `an integer ${least} to ${most}`, value);
    }
    return value;
  }

  /** A finite number in a range. */
  number(name: string, least: number, most: number): number {
    const value = this.value(name);
    if (typeof value !== "number" || !Number.isFinite(value) || value < least || value > most) {
      throw this.invalid(name, `a number ${least} to ${most}`, value);
    }
    return value;
  }

  /** True or false. */
  flag(name: string): boolean {
    const value = this.value(name);
    if (typeof value !== "boolean") throw this.invalid(name, "true or false", value);
    return value;
  }

  /** A string that a pattern matches, of at most 10,000 characters. */
  text(name: string, pattern = /^/, expected = "a string"): string {
    const value = this.value(name);
    if (typeof value !== "string" || value.length > 10_000 || !pattern.test(value))
      throw this.invalid(name, expected, value);
    return value;
  }

  /** One of some values. */
  choice<Value extends string | number>(name: string, values: readonly Value[]): Value {
    const value = this.value(name);
    const found = values.find((one) => one === value);
    if (found === undefined)
      throw this.invalid(name, `one of ${values.map((one) => JSON.stringify(one)).join(", ")}`, value);
    return found;
  }

  /** A list, each item read by `read`. */
  list<Item>(name: string, least: number, most: number, read: (item: unknown, where: string) => Item): Item[] {
    const value = this.value(name);
    if (!Array.isArray(value) || value.length < least || value.length > most) {
      throw this.invalid(
        name,
        `a list of ${least} to ${most} items`,
        Array.isArray(value) ? `${value.length} items` : value,
      );
    }
    return value.map((item, index) => read(item, `${this.where}.${name}[${index}]`));
  }

  /** An object inside this one. */
  object(name: string): Fields {
    return new Fields(this.value(name), `${this.where}.${name}`);
  }

  /** Refuses fields that were not asked for. */
  done(): void {
    const unknown = Object.keys(this.record).filter((name) => !this.asked.has(name));
    if (unknown.length === 0) return;
    const known = [...this.asked].sort().join(", ");
    throw new DuplexError(
      "MODEL_INVALID",
      `${this.where}: unknown field ${JSON.stringify(unknown[0])}; known are ${known}. Correct it, or update @microturn/core if the model is newer`,
      { details: { field: `${this.where}.${unknown[0]}` } },
    );
  }

  invalid(name: string, expected: string, got: unknown): DuplexError {
    return invalid(`${this.where}.${name}`, expected, got);
  }
}

/** The error for a field that does not hold what it should. */
export function invalid(field: string, expected: string, got: unknown): DuplexError {
  const text = got === undefined ? "nothing" : typeof got === "string" ? got : JSON.stringify(got);
  const shown = text.length > 100 ? `${text.slice(0, 100)}…` : text;
  return new DuplexError(
    "MODEL_INVALID",
    `${field}: expected ${expected}, got ${shown}; correct the model's configuration`,
    {
      details: { field },
    },
  );
}
