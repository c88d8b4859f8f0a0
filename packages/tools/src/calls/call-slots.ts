// How many calls run at once: over all tools, and of each tool. Who finds no room waits; first come, first served.

/** Room for one call. */
export interface CallSlot {
  /** Gives it back, once. */
  release(): void;
}

interface Waiting {
  readonly name: string;
  readonly enter: (slot: CallSlot) => void;
}

/** The slots of all calls. A call whose tool is full holds up no other tool. */
export class CallSlots {
  readonly #limit: number;
  readonly #limitOf: (name: string) => number;
  readonly #taken = new Map<string, number>();
  #waiting: Waiting[] = [];
  #running = 0;

  /**
   * @param limit - calls that run at once
   * @param limitOf - of those, how many of the tool with this name
   */
  constructor(limit: number, limitOf: (name: string) => number) {
    this.#limit = limit;
    this.#limitOf = limitOf;
  }

  /** Slots that are taken. */
  get running(): number {
    return this.#running;
  }

  /** A slot, if there is one now. Whoever waits already cannot have it: it waits for another tool's. */
  take(name: string): CallSlot | undefined {
    const ofTool = this.#taken.get(name) ?? 0;
    if (this.#running >= this.#limit || ofTool >= this.#limitOf(name)) return undefined;
    this.#running++;
    this.#taken.set(name, ofTool + 1);
    return { release: () => this.#free(name) };
  }

  /**
   * A slot, as soon as there is one.
   *
   * @param signal - gives up waiting: rejects with its reason
   */
  wait(name: string, signal: AbortSignal): Promise<CallSlot> {
    return new Promise((resolve, reject) => {
      if (signal.aborted) return reject(signal.reason);
      const slot = this.take(name);
      if (slot !== undefined) return resolve(slot);
      const leave = () => {
        this.#waiting = this.#waiting.filter((one) => one !== waiting);
        reject(signal.reason);
      };
      const waiting: Waiting = {
        name,
        enter(slot) {
          signal.removeEventListener("abort", leave);
          resolve(slot);
        },
      };
      this.#waiting.push(waiting);
      signal.addEventListener("abort", leave, { once: true });
    });
  }

  #free(name: string): void {
    this.#running--;
    const left = (this.#taken.get(name) ?? 1) - 1;
    if (left === 0) this.#taken.delete(name);
    else this.#taken.set(name, left);
    for (const waiting of this.#waiting) {
      const slot = this.take(waiting.name);
      if (slot === undefined) continue;
      this.#waiting = this.#waiting.filter((one) => one !== waiting);
      waiting.enter(slot);
      return;
    }
  }
}
