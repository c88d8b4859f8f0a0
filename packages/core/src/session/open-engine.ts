// Opening an engine session within a deadline (rule 9): it settles, and nothing that comes too late is left open.

import type { EngineSession } from "../engine.js";
import { DuplexError } from "../errors.js";
import type { DuplexSessionOptions, SessionSettings } from "./session-options.js";

/**
 * @param prepare - what else must be done before the session is open; the deadline covers it too
 * @throws DuplexError `OPEN_TIMEOUT`, `ABORTED`, and whatever the engine, the background's `load` or `prepare` throws
 */
export function openEngine<Result>(
  options: DuplexSessionOptions,
  settings: SessionSettings,
  prepare: (session: EngineSession) => Promise<Result>,
): Promise<Result> {
  const { engine, background, signal, onProgress } = options;
  const { clock, seed, temperature, openTimeoutMs } = settings;
  return new Promise((resolve, reject) => {
    const controller = new AbortController();
    let settled = false;
    const giveUp = (error: DuplexError) => {
      if (settled) return;
      settle();
      controller.abort(error);
      reject(error);
    };
    const abort = () =>
      giveUp(new DuplexError("ABORTED", "DuplexSession.open: its signal was aborted", { cause: signal?.reason }));
    const cancelTimer = clock.setTimer(
      () =>
        giveUp(
          new DuplexError(
            "OPEN_TIMEOUT",
            `DuplexSession.open: expected the engine to open within ${openTimeoutMs} ms; call engine.load() first, or raise openTimeoutMs`,
            { details: { openTimeoutMs } },
          ),
        ),
      clock.now() + openTimeoutMs,
    );
    const settle = () => {
      settled = true;
      cancelTimer();
      signal?.removeEventListener("abort", abort);
    };
    if (signal?.aborted) {
      abort();
      return;
    }
    signal?.addEventListener("abort", abort, { once: true });
    const progress = onProgress === undefined ? {} : { onProgress };
    const open = async () => {
      const loaded = background?.load?.({ signal: controller.signal });
      // If the engine does not open, nobody waits for it.
      loaded?.catch(() => {});
      const session = await engine.open({ seed, temperature, signal: controller.signal, ...progress });
      try {
        await loaded;
        controller.signal.throwIfAborted();
        const prepared = await prepare(session);
        controller.signal.throwIfAborted();
        settle();
        resolve(prepared);
      } catch (error) {
        void closeQuietly(session);
        throw error;
      }
    };
    open().catch((error: unknown) => {
      if (settled) return;
      settle();
      reject(error);
    });
  });
}

/** Closes something. Resolves also when its `close` throws, rejects, or gives no promise. */
export async function closeQuietly(held: { close(): Promise<void> }): Promise<void> {
  try {
    await held.close();
  } catch {
    // There is nothing left to do with it.
  }
}
