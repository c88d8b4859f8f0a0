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
  signal?.throwIfAborted();
  let hasBegun = false;
  const begin = (): Promise<Result> => {
    signal?.throwIfAborted();
    hasBegun = true;
    return work();
  };
  const { locks } = (globalThis as { navigator?: Partial<Navigator> }).navigator ?? {};
  const turn =
    locks === undefined
      ? inThisThread(name, begin, ifFree)
      : locks.request(name, { ifAvailable: ifFree }, (lock) => (lock === null ? undefined : begin()));
  if (signal === undefined) return turn;
  // Not left to the platform: Chromium forgets an abort that comes while it still asks whether the page may have locks.
  return new Promise((resolve, reject) => {
    const giveUp = () => {
      if (!hasBegun) reject(signal.reason);
    };
    signal.addEventListener("abort", giveUp);
    turn.then(resolve, reject).finally(() => signal.removeEventListener("abort", giveUp));
  });
}

async function inThisThread<Result>(
  name: string,
  begin: () => Promise<Result>,
  ifFree: boolean,
): Promise<Result | undefined> {
  const before = queues.get(name);
  if (ifFree && before !== undefined) return undefined;
  const mine = Promise.resolve(before).then(begin);
  // Those who come later wait for its end, whatever that is.
  const end = mine.then(
    () => {},
    () => {},
  );
  queues.set(name, end);
  try {
    return await mine;
  } finally {
    if (queues.get(name) === end) queues.delete(name);
  }
}
