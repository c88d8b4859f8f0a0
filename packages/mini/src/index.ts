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
 * @param base - folder that holds `microturn.json`, `file:` (Node only), `http:` or `https:`; ends with a slash
 * @throws TypeError if `base` is no URL
 */
export function miniAt(base: string | URL): ModelSource {
  const folder = new URL(base);
  return {
    name: "mini",
    async read(path, { signal } = {}) {
      checkAborted(path, signal);
      const url = fileUrl(folder, path);
      return url.protocol === "file:" ? readFromDisk(url, path, signal) : readFromNet(url, path, signal);
    },
  };
}

/** The URL of a file of the model. @throws DuplexError `MODEL_INVALID` if the path leaves the folder */
function fileUrl(folder: URL, path: string): URL {
  const url = new URL(path, folder);
  const inside = url.origin === folder.origin && url.href.startsWith(folder.href) && !path.startsWith("/");
  if (!inside || path === "") {
    throw new DuplexError("MODEL_INVALID", `mini: expected the path of a file in the model's folder, got "${path}"`);
  }
  return url;
}

async function readFromDisk(url: URL, path: string, signal: AbortSignal | undefined): Promise<Uint8Array> {
  // Only Node gets here; a module for browsers must not import it at its top.
  const { readFile } = await import("node:fs/promises");
  try {
    return await readFile(url, signal === undefined ? {} : { signal });
  } catch (cause) {
    checkAborted(path, signal);
    throw new DuplexError("MODEL_INVALID", `mini: "${path}" is missing or cannot be read; reinstall @microturn/mini`, {
      cause,
      details: { path },
    });
  }
}

async function readFromNet(url: URL, path: string, signal: AbortSignal | undefined): Promise<Uint8Array> {
  let response: Response;
  try {
    response = await fetch(url, signal === undefined ? {} : { signal });
  } catch (cause) {
    checkAborted(path, signal);
    throw new DuplexError("MODEL_INVALID", `mini: "${path}" cannot be fetched from ${url.origin}; check the network`, {
      cause,
      details: { path },
    });
  }
  if (!response.ok) {
    throw new DuplexError(
      "MODEL_INVALID",
      `mini: "${path}" is not at ${url.href} (status ${response.status}); serve the files of @microturn/mini there`,
      { details: { path, status: response.status } },
    );
  }
  return new Uint8Array(await response.arrayBuffer());
}

function checkAborted(path: string, signal: AbortSignal | undefined): void {
  if (signal?.aborted) {
    throw new DuplexError("ABORTED", `mini: reading "${path}" was aborted by its caller`, { cause: signal.reason });
  }
}
