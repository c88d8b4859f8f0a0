// Asks a model's server for its manifest: a small file whose size and hash nobody knows beforehand.

import { manifestPath } from "@microturn/core/model";
import { kindOf, readAnswer } from "./range-answer.js";
import { fileUrl, invalidFile, type ModelServer, networkFailed, Watch, waitForTry } from "./request.js";

/** Options of {@link requestManifest}. */
export interface ManifestRequestOptions {
  /** A longer answer is refused. */
  readonly maxBytes: number;
  /** Gives up at the first failure: there is another manifest to go on with. */
  readonly once: boolean;
  readonly signal: AbortSignal | undefined;
}

/**
 * Fetches `microturn.json`.
 *
 * @throws DuplexError `MODEL_INVALID` if it is not there, too long or a page; `NETWORK_FAILED`; the reason of the signal
 */
export async function requestManifest(
  server: ModelServer,
  { maxBytes, once, signal }: ManifestRequestOptions,
): Promise<Uint8Array<ArrayBuffer>> {
  const url = fileUrl(server, manifestPath);
  const place = { path: manifestPath, url };
  const attempt = async () => {
    const watch = new Watch(signal, server.stallMs);
    try {
      const cache = server.request.cache ?? "no-cache";
      const response = await server.fetch(url, { ...server.request, cache, signal: watch.signal });
      const { status } = response;
      const answer = readAnswer(response, { url, from: 0, size: maxBytes, validator: undefined });
      if (answer.kind === "busy") return networkFailed(server, "is not given now", { ...place, status });
      if (status !== 200) {
        const problem = answer.kind === "refused" ? answer.problem : "is not given out";
        return invalidFile(server, problem, { ...place, status });
      }
      if (kindOf(response) !== "") return invalidFile(server, "is a page there, of text/html", place);
      const bytes = await bodyOf(response, maxBytes, watch);
      return bytes ?? invalidFile(server, `has more than ${maxBytes} bytes there`, place);
    } catch (cause) {
      return networkFailed(server, "cannot be fetched", { ...place, cause: watch.signal.reason ?? cause });
    } finally {
      watch.end();
    }
  };
  for (let tries = 1; ; tries++) {
    const result = await attempt();
    signal?.throwIfAborted();
    if (result instanceof Uint8Array) return result;
    const again = result.code === "NETWORK_FAILED" && !once && (await waitForTry(tries, signal));
    signal?.throwIfAborted();
    if (!again) throw result;
  }
}

/** A body; undefined, and let go, as soon as it is too long. */
async function bodyOf(
  { body }: Response,
  maxBytes: number,
  watch: Watch,
): Promise<Uint8Array<ArrayBuffer> | undefined> {
  const pieces: Uint8Array<ArrayBuffer>[] = [];
  let size = 0;
  const reader = body?.getReader();
  for (let next = await reader?.read(); next !== undefined && !next.done; next = await reader?.read()) {
    watch.touch();
    size += next.value.length;
    if (size > maxBytes) {
      reader?.cancel().catch(() => {});
      return undefined;
    }
    pieces.push(next.value);
  }
  return new Uint8Array(await new Blob(pieces).arrayBuffer());
}
