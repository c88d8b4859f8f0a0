// Typed access to untrusted JSON: each read names the field, what was expected and what came.

/** Makes the error that a failed read throws. */
export type Refuse = (problem: string) => Error;

/** A JSON object whose fields are checked as they are read. */
export class Fields {
  readonly path: string;
  readonly #object: Readonly<Record<string, unknown>>;
  readonly #refuse: Refuse;

  private constructor(object: Readonly<Record<string, unknown>>, path: string, refuse: Refuse) {
    this.#object = object;
    this.path = path;
    this.#refuse = refuse;
  }

  /** @param path - names the object in messages */
  static of(value: unknown, path: string, refuse: Refuse): Fields {
    if (typeof value !== "object" || value === null || Array.isArray(value)) {
      throw refuse(`${path}: expected an object, got ${describe(value)}`);
    }
    return new Fields(value as Record<string, unknown>, path, refuse);
  }

  object(name: string): Fields {
    return Fields.of(this.#get(name), `${this.path}.${name}`, this.#refuse);
  }

  optionalObject(name: string): Fields | undefined {
    return this.#get(name) === undefined ? undefined : this.object(name);
  }

  objects(name: string, most: number): Fields[] {
    return this.#array(name, most).map((value, i) => Fields.of(value, `${this.path}.${name}[${i}]`, this.#refuse));
  }

  optionalObjects(name: string, most: number): Fields[] {
    return this.#get(name) === undefined ? [] : this.objects(name, most);
  }

  optionalIntegers(name: string, length: number, low: number, high: number): number[] | undefined {
    if (this.#get(name) === undefined) return undefined;
    const values = this.#array(name, length);
    const fine =
      values.length === length && values.every((v) => Number.isInteger(v) && Number(v) >= low && Number(v) <= high);
    if (!fine) this.#fail(name, `${length} whole numbers from ${low} to ${high}`);
    return values.map(Number);
  }

  text(name: string): string {
    const value = this.#get(name);
    return typeof value === "string" ? value : this.#fail(name, "text");
  }

  optionalText(name: string): string | undefined {
    return this.#get(name) === undefined ? undefined : this.text(name);
  }

  /** All fields, which must be text. */
  texts(): Record<string, string> {
    return Object.fromEntries(Object.keys(this.#object).map((name) => [name, this.text(name)]));
  }

  optionalTexts(name: string, most: number): string[] | undefined {
    if (this.#get(name) === undefined) return undefined;
    const values = this.#array(name, most);
    if (!values.every((value) => typeof value === "string")) this.#fail(name, "a list of texts");
    return values.map(String);
  }

  /** Whatever JSON is there; undefined if nothing is. */
  json(name: string): unknown {
    return this.#get(name);
  }

  oneOf<Word extends string>(name: string, words: readonly Word[]): Word {
    const value = this.#get(name);
    return words.find((word) => word === value) ?? this.#fail(name, `one of ${words.join(", ")}`);
  }

  optionalOneOf<Word extends string>(name: string, words: readonly Word[]): Word | undefined {
    return this.#get(name) === undefined ? undefined : this.oneOf(name, words);
  }

  boolean(name: string): boolean {
    const value = this.#get(name);
    return typeof value === "boolean" ? value : this.#fail(name, "true or false");
  }

  optionalBoolean(name: string): boolean | undefined {
    return this.#get(name) === undefined ? undefined : this.boolean(name);
  }

  number(name: string, low: number, high: number): number {
    const value = this.#get(name);
    return typeof value === "number" && value >= low && value <= high
      ? value
      : this.#fail(name, `a number from ${low} to ${high}`);
  }

  integer(name: string, low: number, high: number): number {
    const value = this.number(name, low, high);
    return Number.isInteger(value) ? value : this.#fail(name, "a whole number");
  }

  optionalInteger(name: string, low: number, high: number): number | undefined {
    return this.#get(name) === undefined ? undefined : this.integer(name, low, high);
  }

  #get(name: string): unknown {
    return Object.hasOwn(this.#object, name) ? this.#object[name] : undefined;
  }

  #array(name: string, most: number): readonly unknown[] {
    const value = this.#get(name);
    return Array.isArray(value) && value.length <= most ? value : this.#fail(name, `a list of at most ${most}`);
  }

  #fail(name: string, expected: string): never {
    throw this.#refuse(`${this.path}.${name}: expected ${expected}, got ${describe(this.#get(name))}`);
  }
}

function describe(value: unknown): string {
  if (value === undefined) return "nothing";
  const text = JSON.stringify(value);
  return text.length > 60 ? `${text.slice(0, 60)}…` : text;
}
