// One at a time by name: across tabs and workers where the browser has Web Locks, else within this thread.

const queues = new Map<string, Promise<unknown>>();

/** Options of {@link exclusive}. */
export interface ExclusiveOptions {
  /** Gives up waiting; rejects with its reason. It does not stop work that has begun. */
  readonly signal?: AbortSignal | undefined;
  /** Does not wait: does nothing, and gives undefined, if somebody runs. */
  readonly ifFree?: boolean;
}

/** Runs `work` when nobody else of that name runs; its result, or undefined with `ifFree` if somebody does. */
export async function exclusive<Result>(
  name: string,
  work: () => Promise<Result>,
  { signal, ifFree = false }: ExclusiveOptions = {},
): Promise<Result | undefined> {
  const { locks } = (globalThis as { navigator?: Partial<Navigator> }).navigator ?? {};
  if (locks === undefined) {
    return ifFree && queues.has(name) ? undefined : inThisThread(name, work, signal);
  }
  // The platform allows only one of the two options.
  const options = ifFree ? { ifAvailable: true } : signal === undefined ? {} : { signal };
  return locks.request(name, options, (lock) => (lock === null ? undefined : work()));
}

async function inThisThread<Result>(
  name: string,
  work: () => Promise<Result>,
  signal: AbortSignal | undefined,
): Promise<Result> {
  const before = queues.get(name);
  let done = () => {};
  const end = new Promise<void>((resolve) => {
    done = resolve;
  });
  const mine = Promise.all([before, end]);
  queues.set(name, mine);
  try {
    await Promise.race([before, rejection(signal)]);
    return await work();
  } finally {
    done();
    if (queues.get(name) === mine) queues.delete(name);
  }
}

/** Rejects when the signal fires; never resolves. */
function rejection(signal: AbortSignal | undefined): Promise<never> {
  return new Promise((_, reject) => {
    if (signal?.aborted) reject(signal.reason);
    signal?.addEventListener("abort", () => reject(signal.reason), { once: true });
  });
}
