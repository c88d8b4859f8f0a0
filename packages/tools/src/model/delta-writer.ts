// Words into the log of a job, in their order, one append at a time: what comes meanwhile goes with the next one.

/** Writes the words of an answer. */
export class DeltaWriter {
  readonly #append: (text: string) => Promise<void>;
  readonly #onError: (error: unknown) => void;
  #waiting = "";
  #pump: Promise<void> | undefined;
  #failure: { readonly error: unknown } | undefined;
  /** Last character that was given: whether a space is needed before what comes. */
  #last: string;
  #newPart = false;

  /**
   * @param options.said - words that are in the log already
   * @param options.onError - an append failed; nothing more is written
   */
  constructor(
    append: (text: string) => Promise<void>,
    { said, onError }: { readonly said: string; readonly onError: (error: unknown) => void },
  ) {
    this.#append = append;
    this.#onError = onError;
    this.#last = said.at(-1) ?? "";
  }

  /** What comes next is a text of its own: set off by a space from what came before. */
  startPart(): void {
    this.#newPart = true;
  }

  write(text: string): void {
    let words = this.#last === "" || this.#newPart ? text.trimStart() : text;
    if (words === "" || this.#failure !== undefined) return;
    if (this.#newPart && this.#last !== "" && !/\s/.test(this.#last)) words = ` ${words}`;
    this.#newPart = false;
    this.#last = words.at(-1) as string;
    this.#waiting += words;
    this.#pump ??= this.#run();
  }

  /** Resolves once all words are in the log. @throws what the append threw */
  async settled(): Promise<void> {
    await this.#pump;
    if (this.#failure !== undefined) throw this.#failure.error;
  }

  async #run(): Promise<void> {
    try {
      while (this.#waiting !== "") {
        const text = this.#waiting;
        this.#waiting = "";
        await this.#append(text);
      }
    } catch (error) {
      this.#failure = { error };
      this.#onError(error);
    } finally {
      this.#pump = undefined;
    }
  }
}
