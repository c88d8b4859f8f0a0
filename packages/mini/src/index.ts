// The bundled model as a source of files: from this package's folder in Node, by URL everywhere else.

import { DuplexError, type ModelSource } from "@microturn/core";

/**
 * The files of mini, the interaction model that comes with the project.
 *
 * In Node they are read from this package; elsewhere they are fetched from beside this module. When a bundler moves the
 * module away from its files, serve the files and use {@link miniAt}.
 *
 * @example
 * const engine = localEngine({ model: mini, backend: nodeBackend() });
 */
export const mini: ModelSource = miniAt(new URL("..", import.meta.url));

/**
 * The files of mini at another place.
 *
 * @param base - folder that holds `microturn.json`, `file:` (Node only), `http:` or `https:`, without query and fragment
 * @throws TypeError if `base` is no URL of a folder
 */
export function miniAt(base: string | URL): ModelSource {
  const folder = new URL(base);
  if (folder.search !== "" || folder.hash !== "") {
    throw new TypeError(`miniAt: expected the URL of a folder, without query and fragment, got ${folder.href}`);
  }
  if (!folder.pathname.endsWith("/")) folder.pathname += "/";
  return {
    name: "mini",
    // Only what another thread or a cache can fetch.
    ...(folder.protocol === "file:" ? {} : { base: folder.href }),
    async read(path, { signal, maxBytes = Number.POSITIVE_INFINITY, onProgress = () => {} } = {}) {
      checkAborted(path, signal);
      const url = fileUrl(folder, path);
      const read = url.protocol === "file:" ? readFromDisk : readFromNet;
      return read(url, { path, signal, maxBytes, onProgress });
    },
  };
}

/** What to read, when to give up, and whom to tell. */
interface Request {
  readonly path: string;
  readonly signal: AbortSignal | undefined;
  readonly maxBytes: number;
  readonly onProgress: (bytes: number) => void;
}

/** The URL of a file of the model. @throws DuplexError `MODEL_INVALID` if the path leaves the folder */
function fileUrl(folder: URL, path: string): URL {
  const parts = path.split("/");
  if (parts.some((part) => part === "" || part === "." || part === "..")) {
    throw invalid(path, "is no path of a file in the model's folder");
  }
  return new URL(parts.map(encodeURIComponent).join("/"), folder);
}

async function readFromDisk(url: URL, { path, signal, maxBytes, onProgress }: Request): Promise<Uint8Array> {
  // Only Node gets here; a bundle for browsers must neither hold this module nor look for it.
  const name = ["node:fs", "promises"].join("/");
  const { readFile, stat }: typeof import("node:fs/promises") = await import(
    /* webpackIgnore: true */ /* @vite-ignore */ name
  );
  let size: number;
  let bytes: Uint8Array | undefined;
  try {
    ({ size } = await stat(url));
    if (size <= maxBytes) bytes = await readFile(url, signal === undefined ? {} : { signal });
  } catch (cause) {
    checkAborted(path, signal);
    throw invalid(path, "is missing or cannot be read; reinstall @microturn/mini", { cause });
  }
  if (bytes === undefined) {
    throw invalid(path, `has ${size} bytes, at most ${maxBytes} were expected; reinstall @microturn/mini`);
  }
  onProgress(bytes.length);
  return bytes;
}

async function readFromNet(url: URL, request: Request): Promise<Uint8Array> {
  const { path, signal } = request;
  try {
    const response = await fetch(url, signal === undefined ? {} : { signal });
    if (response.ok) return await bytesOf(response, request);
    throw invalid(path, `is not at ${url.href} (status ${response.status}); serve the files of @microturn/mini there`, {
      details: { status: response.status },
    });
  } catch (cause) {
    checkAborted(path, signal);
    if (DuplexError.is(cause)) throw cause;
    throw new DuplexError(
      "NETWORK_FAILED",
      `mini: "${path}" cannot be fetched from ${url.origin}; check the network and load again`,
      { cause, details: { file: path, url: url.href } },
    );
  }
}

/** The body of a response; it is let go as soon as it is too long, whatever it said of its length. */
async function bytesOf({ body }: Response, { path, maxBytes, onProgress }: Request): Promise<Uint8Array> {
  const pieces: Uint8Array[] = [];
  let size = 0;
  const reader = body?.getReader();
  for (let next = await reader?.read(); next !== undefined && !next.done; next = await reader?.read()) {
    size += next.value.length;
    if (size > maxBytes) {
      reader?.cancel().catch(() => {});
      throw invalid(path, `has more than the ${maxBytes} bytes that were expected; serve the files of @microturn/mini`);
    }
    pieces.push(next.value);
    onProgress(size);
  }
  const bytes = new Uint8Array(size);
  let at = 0;
  for (const piece of pieces) {
    bytes.set(piece, at);
    at += piece.length;
  }
  return bytes;
}

function invalid(
  path: string,
  problem: string,
  { cause, details }: { cause?: unknown; details?: object } = {},
): DuplexError {
  return new DuplexError("MODEL_INVALID", `mini: "${path}" ${problem}`, { cause, details: { ...details, file: path } });
}

function checkAborted(path: string, signal: AbortSignal | undefined): void {
  if (signal?.aborted) {
    throw new DuplexError("ABORTED", `mini: reading "${path}" was aborted by its caller`, { cause: signal.reason });
  }
}
