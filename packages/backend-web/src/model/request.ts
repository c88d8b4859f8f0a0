// How a model's server is asked: with what, how often, how long silence may last, and in which words it fails.

import { DuplexError } from "@microturn/core";

/** What a request carries besides its URL; a plain value, so that it can be sent to a worker. */
export interface ModelRequest {
  /** Default `same-origin`: no cookies go elsewhere. */
  readonly credentials?: RequestCredentials;
  /** For example `Authorization`. Another origin must allow them. */
  readonly headers?: Readonly<Record<string, string>>;
  readonly referrerPolicy?: ReferrerPolicy;
  /** Use of the browser's HTTP cache; default `no-cache` for the manifest, and `no-store` for files that are kept here. */
  readonly cache?: RequestCache;
}

/** A model's server. */
export interface ModelServer {
  /** Name of the model, for messages. */
  readonly name: string;
  /** URL of the folder, with a slash at its end. */
  readonly base: string;
  readonly fetch: typeof fetch;
  readonly request: ModelRequest;
  /** Silence that counts as a broken connection, ms. */
  readonly stallMs: number;
}

/** Attempts in a row that gain nothing before it is given up. */
export const mostTries = 3;

/** The URL of a file of the model, whatever characters its path has. */
export function fileUrl({ base }: ModelServer, path: string): string {
  return new URL(path.split("/").map(encodeURIComponent).join("/"), base).href;
}

/** Whether the page's rules for other origins hold for this URL. */
export function isCrossOrigin(url: string): boolean {
  const { location } = globalThis as { location?: Location };
  return location !== undefined && new URL(url).origin !== location.origin;
}

/** Waits before another attempt: 250 ms, then 1 s. Returns early when aborted. @returns whether to try again */
export async function waitForTry(tries: number, signal: AbortSignal | undefined): Promise<boolean> {
  const { navigator } = globalThis as { navigator?: Navigator };
  if (tries >= mostTries || navigator?.onLine === false) return false;
  await new Promise<void>((resolve) => {
    const done = () => {
      clearTimeout(timer);
      signal?.removeEventListener("abort", done);
      resolve();
    };
    const timer = setTimeout(done, 250 * 4 ** (tries - 1));
    signal?.addEventListener("abort", done);
    if (signal?.aborted) done();
  });
  return signal?.aborted !== true;
}

/** Ends one attempt when its caller gives up or its server falls silent. */
export class Watch {
  readonly #controller = new AbortController();
  readonly #caller: AbortSignal | undefined;
  readonly #stallMs: number;
  #timer: ReturnType<typeof setTimeout> | undefined;

  constructor(caller: AbortSignal | undefined, stallMs: number) {
    this.#caller = caller;
    this.#stallMs = stallMs;
    caller?.addEventListener("abort", this.#stop);
    if (caller?.aborted) this.#stop();
    this.touch();
  }

  get signal(): AbortSignal {
    return this.#controller.signal;
  }

  /** Something came. */
  touch(): void {
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => {
      this.#controller.abort(new Error(`nothing came for ${this.#stallMs} ms`));
    }, this.#stallMs);
  }

  end(): void {
    clearTimeout(this.#timer);
    this.#caller?.removeEventListener("abort", this.#stop);
  }

  readonly #stop = (): void => this.#controller.abort(this.#caller?.reason);
}

/** The file, and where it was asked for. */
interface Failed {
  readonly path: string;
  readonly url: string;
  readonly status?: number;
  readonly cause?: unknown;
}

/** A file that is not the model's. */
export function invalidFile({ name, base }: ModelServer, problem: string, failed: Failed): DuplexError {
  const { path, url, status, cause } = failed;
  const answer = status === undefined ? "" : ` (status ${status})`;
  return new DuplexError(
    "MODEL_INVALID",
    `cachedModel: ${name}: ${path} ${problem}${answer}; serve the model's files, unchanged, under ${base}`,
    { cause, details: { file: path, url, ...(status === undefined ? {} : { status }) } },
  );
}

/** A server that gives nothing now. */
export function networkFailed({ name }: ModelServer, problem: string, failed: Failed): DuplexError {
  const { path, url, status, cause } = failed;
  const answer = status === undefined ? "" : ` (status ${status})`;
  const hint = isCrossOrigin(url)
    ? "; check the network, that the server allows this origin (CORS), and that the page's own policy does (connect-src)"
    : "; check the network";
  return new DuplexError(
    "NETWORK_FAILED",
    `cachedModel: ${name}: ${path} ${problem} from ${new URL(url).origin}${answer}${hint}, and load again`,
    { cause, details: { file: path, url, ...(status === undefined ? {} : { status }) } },
  );
}
