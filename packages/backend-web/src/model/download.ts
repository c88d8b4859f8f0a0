// Downloads one file of a model to its size and SHA-256, going on by range where it broke off, now or at an earlier time.

import { DuplexError } from "@microturn/core";
import { type ManifestFile, sha256 } from "@microturn/core/model";
import type { PieceWriter } from "./piece-writer.js";
import { bodyBytes, kindOf, readAnswer, type Validator, validatorOf } from "./range-answer.js";
import {
  fileUrl,
  invalidFile,
  isCrossOrigin,
  type ModelServer,
  mostTries,
  networkFailed,
  Watch,
  waitForTry,
} from "./request.js";

/** What to download, and what is here of it. */
export interface DownloadJob {
  readonly server: ModelServer;
  readonly file: ManifestFile;
  /** Room for the whole file; its first `from` bytes are here. */
  readonly buffer: Uint8Array<ArrayBuffer>;
  readonly from: number;
  readonly validator: Validator | undefined;
  /** Where what comes is kept, if it is. */
  readonly writer: PieceWriter | undefined;
  readonly signal: AbortSignal | undefined;
  /** Called with the bytes that are here; goes back when the server makes it start over. */
  readonly onProgress: ((bytes: number) => void) | undefined;
}

/** Gain that makes another attempt worth while, whatever came before. */
const gainBytes = 1 << 20;

/**
 * Fills the buffer of a job.
 *
 * @throws DuplexError `MODEL_INVALID` if the server has no such file, or another one; `NETWORK_FAILED` after three attempts in
 *   a row that gained nothing; the reason of the signal. What came is kept, unless it is wrong
 */
export async function download(job: DownloadJob): Promise<void> {
  await new Download(job).run();
}

class Download {
  readonly #job: DownloadJob;
  readonly #url: string;
  #at: number;
  #validator: Validator | undefined;
  /** Whether what is here came in one answer: two may have been of two versions. */
  #whole = false;
  #ranges = true;

  constructor(job: DownloadJob) {
    this.#job = job;
    this.#url = fileUrl(job.server, job.file.path);
    this.#at = job.from;
    this.#validator = job.validator;
  }

  async run(): Promise<void> {
    const { file, buffer, writer } = this.#job;
    for (;;) {
      try {
        await this.#fill();
      } catch (error) {
        await (isWrong(error) ? writer?.discard() : writer?.pause(buffer, this.#at))?.catch(() => {});
        throw error;
      }
      const hash = await sha256(buffer);
      if (hash === file.sha256) break;
      await writer?.discard();
      if (this.#whole || file.bytes === 0) {
        throw this.#invalid(`was altered: SHA-256 is ${hash}, the manifest says ${file.sha256}`);
      }
      this.#at = 0;
      this.#ranges = false;
    }
    await writer?.finish(buffer);
  }

  /** Asks until every byte is here. */
  async #fill(): Promise<void> {
    const { file, signal } = this.#job;
    let tries = 0;
    while (this.#at < file.bytes) {
      const before = this.#at;
      const brokenOff = await this.#attempt(tries + 1 === mostTries);
      signal?.throwIfAborted();
      tries = brokenOff === undefined || this.#at - before >= gainBytes ? 0 : tries + 1;
      if (brokenOff === undefined) continue;
      const again = await waitForTry(Math.max(tries, 1), signal);
      signal?.throwIfAborted();
      if (!again) throw brokenOff;
    }
  }

  /** One request; why it ended before its end, if it did. */
  async #attempt(isLast: boolean): Promise<DuplexError | undefined> {
    const { server, file, signal } = this.#job;
    const watch = new Watch(signal, server.stallMs);
    try {
      // A server that does not allow ranges from here may seem to be off: the last attempt does without.
      const from = this.#ranges && !(isLast && isCrossOrigin(this.#url)) ? this.#at : 0;
      let response: Response;
      try {
        response = await server.fetch(this.#url, { ...server.request, ...this.#headers(from), signal: watch.signal });
      } catch (cause) {
        return this.#failed("cannot be fetched", { cause: watch.signal.reason ?? cause });
      }
      const { status } = response;
      const asked = { url: this.#url, from, size: file.bytes, validator: this.#validator };
      const answer = readAnswer(response, asked);
      if (answer.kind === "bytes") return await this.#take(response, answer.from, watch);
      response.body?.cancel().catch(() => {});
      if (answer.kind === "refused") throw this.#invalid(answer.problem, { status });
      if (answer.kind === "busy") return this.#failed("is not given now", { status });
      this.#ranges = false;
      return undefined;
    } finally {
      watch.end();
    }
  }

  /** Takes a body that begins with the byte `from`. */
  async #take(response: Response, from: number, watch: Watch): Promise<DuplexError | undefined> {
    const { file, buffer, writer, onProgress } = this.#job;
    if (from === 0) {
      this.#at = 0;
      this.#validator = validatorOf(response, this.#url);
      await writer?.restart(this.#validator);
    }
    this.#whole = from === 0;
    const reader = response.body?.getReader();
    try {
      for (;;) {
        let next: ReadableStreamReadResult<Uint8Array> | undefined;
        try {
          next = await reader?.read();
        } catch (cause) {
          return this.#failed(`broke off after ${this.#at} of ${file.bytes} bytes`, {
            cause: watch.signal.reason ?? cause,
          });
        }
        if (next?.value === undefined) break;
        watch.touch();
        if (this.#at + next.value.length > file.bytes) {
          throw this.#invalid(`has more than the ${file.bytes} bytes that the manifest says${kindOf(response)}`);
        }
        buffer.set(next.value, this.#at);
        this.#at += next.value.length;
        onProgress?.(this.#at);
        await writer?.advance(buffer, this.#at);
      }
    } finally {
      reader?.cancel().catch(() => {});
    }
    if (this.#at === file.bytes) return undefined;
    // A server may give less of the rest than it was asked for.
    if (response.status === 206 && this.#at > from) return undefined;
    const cut = this.#invalid(
      `is cut: it has ${this.#at} bytes there${kindOf(response)}, the manifest says ${file.bytes}`,
    );
    // A body that ends where its head said is no connection that broke.
    if (response.status === 200 && bodyBytes(response) === this.#at) throw cut;
    return cut;
  }

  #headers(from: number): RequestInit {
    const { request } = this.#job.server;
    const headers: Record<string, string> = { ...request.headers };
    if (from > 0) {
      headers.Range = `bytes=${from}-`;
      const { etag, lastModified, url } = this.#validator ?? {};
      const version = url === this.#url ? (etag ?? lastModified) : undefined;
      // Another origin would have to allow this header, and few do: there the hash alone tells versions apart.
      if (version !== undefined && !isCrossOrigin(this.#url)) headers["If-Range"] = version;
    }
    const cache = request.cache ?? (this.#job.writer === undefined ? "default" : "no-store");
    return { headers, cache };
  }

  #invalid(problem: string, facts: { status?: number } = {}): DuplexError {
    return invalidFile(this.#job.server, problem, { path: this.#job.file.path, url: this.#url, ...facts });
  }

  #failed(problem: string, facts: { status?: number; cause?: unknown }): DuplexError {
    return networkFailed(this.#job.server, problem, { path: this.#job.file.path, url: this.#url, ...facts });
  }
}

/** Whether what came is another file, so that none of it is of use. */
function isWrong(error: unknown): boolean {
  return DuplexError.is(error, "MODEL_INVALID") && (error.details.status ?? 200) === 200;
}
