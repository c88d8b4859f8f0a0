// Reads a model from a folder or an installed npm package.

import { constants, type FileHandle, open, stat } from "node:fs/promises";
import { createRequire } from "node:module";
import { isAbsolute, join, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { DuplexError, type ModelSource } from "@microturn/core";

/** Bytes between two looks at the caller's signal. */
const chunkBytes = 16 << 20;

/**
 * A model in a folder, or in an npm package that holds one.
 *
 * @param location - a folder (path or `file:` URL), or the name of a package such as `@microturn/mini`, looked up in the
 *   `node_modules` folders from the working directory upwards. A folder of that name wins.
 * @returns a source whose `read` takes paths relative to the folder, with `/`; it throws DuplexError `MODEL_INVALID` for a
 *   file or folder that is not there and for a path that leaves the folder, and `ABORTED`
 */
export function modelFolder(location: string | URL): ModelSource {
  const place = typeof location === "string" ? location : fileURLToPath(location);
  let folder: Promise<string> | undefined;
  return {
    name: place,
    async read(path, { signal, maxBytes } = {}) {
      const inside = checkInside(place, path);
      folder ??= findFolder(place).catch((error: unknown) => {
        folder = undefined; // it may be there the next time
        throw error;
      });
      return readFile(join(await folder, inside), { path, place, signal, maxBytes });
    },
  };
}

/** A manifest names its own files; one that points elsewhere is not to be followed. */
function checkInside(place: string, path: string): string {
  const parts = path.split("/");
  const strange = path === "" || isAbsolute(path) || path.includes("\\") || path.includes("\0") || path.includes(":");
  if (strange || parts.some((part) => part === ".." || part === "." || part === "")) {
    throw new DuplexError(
      "MODEL_INVALID",
      `modelFolder: ${place} names the file ${JSON.stringify(path)}; a model's files must lie in its own folder`,
      { details: { file: path } },
    );
  }
  return join(...parts);
}

async function findFolder(place: string): Promise<string> {
  const candidates = [resolve(place)];
  if (/^(@[\w.~-]+\/)?[\w~-][\w.~-]*$/.test(place)) {
    const lookup = createRequire(join(process.cwd(), "package.json")).resolve.paths(place) ?? [];
    candidates.push(...lookup.map((modules) => join(modules, place)));
  }
  for (const candidate of candidates) {
    const info = await stat(candidate).catch(() => undefined);
    if (info?.isDirectory()) return candidate;
  }
  throw new DuplexError(
    "MODEL_INVALID",
    `modelFolder: there is no folder or installed package ${JSON.stringify(place)}; looked in ${candidates.join(", ")}`,
  );
}

async function readFile(
  full: string,
  {
    path,
    place,
    signal,
    maxBytes = Number.POSITIVE_INFINITY,
  }: { path: string; place: string; signal: AbortSignal | undefined; maxBytes: number | undefined },
): Promise<Uint8Array> {
  checkSignal(signal);
  let file: FileHandle | undefined;
  try {
    // A pipe by the name of a file would else be waited for until somebody writes to it.
    file = await open(full, constants.O_RDONLY | (constants.O_NONBLOCK ?? 0));
    const info = await file.stat();
    if (!info.isFile()) throw new Error("it is not a file");
    if (info.size > maxBytes) throw new Error(`it has ${info.size} bytes, at most ${maxBytes} were expected`);
    const bytes = new Uint8Array(info.size);
    let offset = 0;
    while (offset < bytes.length) {
      checkSignal(signal);
      const { bytesRead } = await file.read(bytes, offset, Math.min(chunkBytes, bytes.length - offset), offset);
      if (bytesRead === 0) break;
      offset += bytesRead;
    }
    return bytes.subarray(0, offset);
  } catch (cause) {
    if (DuplexError.is(cause)) throw cause;
    const reason =
      (cause as NodeJS.ErrnoException).code === "ENOENT" ? "is missing" : `cannot be read (${messageOf(cause)})`;
    throw new DuplexError(
      "MODEL_INVALID",
      `modelFolder: ${path} ${reason} in ${place}; copy the model again or reinstall its package`,
      { cause, details: { file: path } },
    );
  } finally {
    await file?.close();
  }
}

function checkSignal(signal: AbortSignal | undefined): void {
  if (signal?.aborted)
    throw new DuplexError("ABORTED", "modelFolder: the caller's signal fired", { cause: signal.reason });
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
