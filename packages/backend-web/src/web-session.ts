// The page's side of one conversation: steps go to the worker, and enough is remembered to go on in another one.

import {
  DuplexError,
  type EngineCapabilities,
  type EngineSession,
  type EngineSnapshot,
  type TurnInput,
  type TurnOutput,
} from "@microturn/core";
import type { HostConnection } from "./host-connection.js";

/** Steps between two checkpoints: what has to be computed again when a device is lost is at most this. */
const checkpointSteps = 25;

/** Steps that are remembered where no checkpoint can be taken: more than any model of ours looks back. */
const mostSteps = 256;

/** How a session was opened. */
export interface WebSessionOptions {
  readonly number: number;
  readonly seed: number;
  readonly temperature: number;
  readonly onClose: (session: WebSession) => void;
}

/**
 * An `EngineSession` whose model is in a worker. When the worker's device is lost, the engine gives it another: its last
 * checkpoint is restored there, the steps since are repeated, and the step that was under way gets its output late.
 */
export class WebSession implements EngineSession {
  readonly capabilities: EngineCapabilities;
  readonly #options: WebSessionOptions;
  /** Where it lives; pending while it moves. */
  #home: Promise<HostConnection>;
  /** Settles after the last call; never rejects. */
  #tail: Promise<unknown> = Promise.resolve();
  #checkpoint: EngineSnapshot | undefined;
  /** Inputs since the checkpoint. */
  #since: TurnInput[] = [];
  #moving = false;
  #closed: Promise<void> | undefined;

  constructor(capabilities: EngineCapabilities, home: HostConnection, options: WebSessionOptions) {
    this.capabilities = capabilities;
    this.#home = Promise.resolve(home);
    this.#options = options;
  }

  async step(input: TurnInput): Promise<TurnOutput> {
    const startMs = performance.now();
    const output = await this.#inTurn("step", async (home) => {
      const output = await home.call({ kind: "step", session: this.#options.number, input });
      this.#remember(input);
      return output;
    });
    if (this.#since.length >= checkpointSteps && this.capabilities.snapshots) void this.#takeCheckpoint();
    const { encodeMs, waitMs, runMs, decodeMs } = output.timing;
    const elsewhere = performance.now() - startMs - encodeMs - waitMs - runMs - decodeMs;
    // The way to the worker and back is waiting too.
    return { ...output, timing: { encodeMs, waitMs: waitMs + Math.max(0, elsewhere), runMs, decodeMs } };
  }

  snapshot(): Promise<EngineSnapshot> {
    return this.#inTurn("snapshot", (home) => home.call({ kind: "snapshot", session: this.#options.number }));
  }

  restore(snapshot: EngineSnapshot): Promise<void> {
    return this.#inTurn("restore", async (home) => {
      await home.call({ kind: "restore", session: this.#options.number, snapshot });
      this.#checkpoint = snapshot;
      this.#since = [];
    });
  }

  close(): Promise<void> {
    this.#closed ??= this.#close();
    return this.#closed;
  }

  async #close(): Promise<void> {
    this.#options.onClose(this);
    // One that is on its way is let go by `move`; nobody waits for that.
    if (this.#moving) return;
    const home = await this.#home.catch(() => undefined);
    await home?.call({ kind: "close-session", session: this.#options.number }).catch(() => {});
  }

  /**
   * The engine calls this the moment that a device is lost.
   *
   * @param next - the worker to go on in; rejects when there is none
   * @returns settles when this session lives there
   */
  move(next: Promise<HostConnection>): Promise<void> {
    this.#moving = true;
    const home = this.#settleIn(next);
    this.#home = home;
    return home.then(
      () => {},
      () => {},
    );
  }

  async #settleIn(next: Promise<HostConnection>): Promise<HostConnection> {
    const home = await next;
    const { number: session, seed, temperature } = this.#options;
    if (this.#closed === undefined) {
      await home.call({ kind: "open", session, seed, temperature });
      if (this.#checkpoint !== undefined) await home.call({ kind: "restore", session, snapshot: this.#checkpoint });
      for (const input of this.#since) {
        if (this.#closed !== undefined) break;
        await home.call({ kind: "step", session, input });
      }
    }
    this.#moving = false;
    if (this.#closed !== undefined) home.call({ kind: "close-session", session }).catch(() => {});
    return home;
  }

  /** Calls come one after the other. One whose worker is lost on the way is repeated in the next, if there is a next. */
  async #inTurn<Result>(operation: string, call: (home: HostConnection) => Promise<Result>): Promise<Result> {
    const before = this.#tail;
    const result = (async () => {
      await before;
      for (;;) {
        if (this.#closed !== undefined) {
          throw new DuplexError("SESSION_CLOSED", `${operation}: the session was closed`);
        }
        const place = this.#home;
        try {
          return await call(await place);
        } catch (error) {
          // The same home, working or not: the call itself has failed, or nobody moves this session any more.
          if (this.#home === place) throw error;
        }
      }
    })();
    this.#tail = result.catch(() => {});
    return result;
  }

  /** Keeps an input of the last steps. The caller may do what it likes with its samples and pixels after the step. */
  #remember(input: TurnInput): void {
    const images = input.images.map((image) => ({ ...image, data: image.data.slice() }));
    const { audio, dmel } = input;
    const levels = dmel === undefined ? {} : { dmel: dmel.slice() };
    this.#since.push({ ...input, audio: audio.slice(), ...levels, images });
    if (this.#since.length > mostSteps) this.#since.shift();
  }

  async #takeCheckpoint(): Promise<void> {
    const count = this.#since.length;
    try {
      await this.#inTurn("checkpoint", async (home) => {
        if (this.#since.length !== count) return;
        this.#checkpoint = await home.call({ kind: "snapshot", session: this.#options.number });
        this.#since = [];
      });
    } catch {
      // It is taken after a later step.
    }
  }
}
