// Tells those who wait that something has changed. What has changed they look up themselves; no ring between looking and
// waiting is missed.

/** Rings for any number of waiters. */
export class Bell {
  #rings = 0;
  readonly #waiting = new Set<() => void>();

  /** How often it has rung. Read it, look at what may have changed, then wait. */
  get rings(): number {
    return this.#rings;
  }

  ring(): void {
    this.#rings++;
    for (const wake of [...this.#waiting]) wake();
  }

  /**
   * Resolves once it has rung more often than `heard`.
   *
   * @param options.signal - resolves as well when it fires
   * @param options.timeoutMs - and after this time; default never
   */
  wait(
    heard: number,
    options: { readonly signal?: AbortSignal | undefined; readonly timeoutMs?: number } = {},
  ): Promise<void> {
    const { signal, timeoutMs } = options;
    if (this.#rings !== heard || signal?.aborted) return Promise.resolve();
    return new Promise((resolve) => {
      const wake = () => {
        this.#waiting.delete(wake);
        signal?.removeEventListener("abort", wake);
        clearTimeout(timer);
        resolve();
      };
      const timer = timeoutMs === undefined ? undefined : setTimeout(wake, timeoutMs);
      this.#waiting.add(wake);
      signal?.addEventListener("abort", wake);
    });
  }
}
