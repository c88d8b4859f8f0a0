// A server for the files of one page on this machine: whole or by range, with validators that hold, and nothing but what it was given.

import { createHash } from "node:crypto";
import type { BigIntStats } from "node:fs";
import { type FileHandle, open } from "node:fs/promises";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { extname, join } from "node:path";
import { pipeline } from "node:stream/promises";

/** What a path gives. */
export type Served =
  /** Bytes that are here. */
  | { readonly body: string | Uint8Array; readonly type: string }
  /** Bytes that are read when they are first asked for. `sha256` is theirs, lower-case hex. */
  | { readonly read: () => Promise<Uint8Array>; readonly sha256: string; readonly type: string }
  /** A file, or the files below a folder; their types follow from their names. */
  | { readonly file: string }
  | { readonly folder: string };

/** Options of {@link startFileServer}. */
export interface FileServerOptions {
  /** By path; one that ends in `/` and names a folder answers for all below it. */
  readonly places: Readonly<Record<string, Served>>;
  /** Sent with every answer. */
  readonly headers?: Readonly<Record<string, string>>;
  /** 0 is any free one. */
  readonly port: number;
}

/** A server that runs. */
export interface FileServer {
  /** Of its root, with a slash at its end. */
  readonly url: string;
  readonly port: number;
  /** Ends it, with every connection; always resolves. */
  close(): Promise<void>;
}

/** Only this machine reaches it. */
const address = "127.0.0.1";

/**
 * Starts a server on this machine.
 *
 * @throws Error with a way on, if the port cannot be had
 */
export async function startFileServer({ places, headers = {}, port }: FileServerOptions): Promise<FileServer> {
  const files = new Files(places);
  const server = createServer((request, response) => {
    for (const [name, value] of Object.entries(headers)) response.setHeader(name, value);
    answer(files, request, response).catch(() => {
      if (response.headersSent) response.destroy();
      else refuse(response, 500, "this file cannot be read");
    });
  });
  await new Promise<void>((resolve, reject) => {
    server.once("error", reject);
    server.listen(port, address, resolve);
  }).catch((error: unknown) => {
    throw portProblem(port, error);
  });
  const bound = (server.address() as AddressInfo).port;
  return {
    // A name that browsers trust, so that the page gets microphone, camera and threads.
    url: `http://localhost:${bound}/`,
    port: bound,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}

/** Whether a server could not be started because another has its port. */
export function isPortInUse(error: unknown): boolean {
  return error instanceof Error && (error.cause as NodeJS.ErrnoException | undefined)?.code === "EADDRINUSE";
}

function portProblem(port: number, cause: unknown): unknown {
  const { code } = cause as NodeJS.ErrnoException;
  if (code === "EADDRINUSE") {
    return new Error(`port ${port} is in use; choose another with --port, or any free one with --port 0`, { cause });
  }
  if (code === "EACCES") {
    return new Error(`port ${port} is not ours to use; choose one above 1023 with --port`, { cause });
  }
  return cause;
}

async function answer(files: Files, request: IncomingMessage, response: ServerResponse): Promise<void> {
  const { method, headers } = request;
  if (!isOfThisMachine(headers.host)) return refuse(response, 403, "this server answers for localhost only");
  if (method !== "GET" && method !== "HEAD") {
    response.setHeader("Allow", "GET, HEAD");
    return refuse(response, 405, "this server only gives files");
  }
  const found = await files.find(request.url ?? "/");
  if (found === undefined) return refuse(response, 404, "there is nothing here");
  try {
    response.setHeader("Content-Type", found.type);
    response.setHeader("ETag", found.etag);
    response.setHeader("Accept-Ranges", "bytes");
    // Kept, and asked for each time whether it is still the one.
    response.setHeader("Cache-Control", "no-cache");
    if (matches(headers["if-none-match"], found.etag)) {
      response.writeHead(304).end();
      return;
    }
    const ifRange = headers["if-range"];
    const range = ifRange === undefined || ifRange === found.etag ? rangeOf(headers.range, found.size) : "whole";
    if (range === "none") {
      response.setHeader("Content-Range", `bytes */${found.size}`);
      return refuse(response, 416, "the file is shorter");
    }
    const { from, to } = range === "whole" ? { from: 0, to: found.size - 1 } : range;
    response.setHeader("Content-Length", to - from + 1);
    if (range !== "whole") response.setHeader("Content-Range", `bytes ${from}-${to}/${found.size}`);
    response.writeHead(range === "whole" ? 200 : 206);
    if (method === "HEAD" || found.size === 0) response.end();
    else await found.send(response, from, to);
  } finally {
    await found.close();
  }
}

/** Another site that had its name point here would else read the files through the user's browser. */
function isOfThisMachine(host = ""): boolean {
  return /^(localhost|127\.0\.0\.1|\[::1\])(:\d+)?$/i.test(host);
}

function refuse(response: ServerResponse, status: number, why: string): void {
  response.setHeader("Content-Type", "text/plain; charset=utf-8");
  response.removeHeader("Content-Length");
  response.removeHeader("ETag");
  response.writeHead(status).end(`${why}\n`);
}

/** Of If-None-Match: weak comparison, as RFC 9110 has it. */
function matches(list: string | undefined, etag: string): boolean {
  if (list === undefined) return false;
  return list.split(",").some((one) => one.trim() === "*" || one.trim().replace(/^W\//, "") === etag);
}

/** The one range that was asked for; several at once, or one of another unit, get the whole file. */
function rangeOf(header: string | undefined, size: number): { from: number; to: number } | "whole" | "none" {
  const found = /^bytes=(\d*)-(\d*)$/.exec(header?.trim() ?? "");
  if (found === null || (found[1] === "" && found[2] === "")) return "whole";
  if (found[1] === "") {
    const last = Number(found[2]);
    return last === 0 || size === 0 ? "none" : { from: Math.max(0, size - last), to: size - 1 };
  }
  const from = Number(found[1]);
  const to = found[2] === "" ? size - 1 : Math.min(size - 1, Number(found[2]));
  if (found[2] !== "" && Number(found[2]) < from) return "whole";
  return from >= size ? "none" : { from, to };
}

/** Something to send. */
interface Found {
  readonly type: string;
  readonly size: number;
  /** Strong: equal only for equal bytes. */
  readonly etag: string;
  send(response: ServerResponse, from: number, to: number): Promise<void>;
  close(): Promise<void>;
}

class Files {
  readonly #places: Readonly<Record<string, Served>>;
  /** Hashes of files by what tells one state of a file from another. */
  readonly #hashes = new Map<string, string>();
  readonly #contents = new Map<string, Promise<Uint8Array>>();

  constructor(places: Readonly<Record<string, Served>>) {
    this.#places = places;
  }

  async find(target: string): Promise<Found | undefined> {
    const path = readPath(target);
    if (path === undefined) return undefined;
    if (Object.hasOwn(this.#places, path)) {
      const place = this.#places[path];
      if ("body" in place) return bytesOf(Buffer.from(place.body), place.type);
      if ("read" in place) return bytesOf(await this.#content(path, place.read), place.type, place.sha256);
      if ("file" in place) return this.#file(place.file);
    }
    for (const [prefix, place] of Object.entries(this.#places)) {
      if ("folder" in place && prefix.endsWith("/") && path.startsWith(prefix) && path !== prefix) {
        return this.#file(join(place.folder, path.slice(prefix.length)));
      }
    }
    return undefined;
  }

  #content(path: string, read: () => Promise<Uint8Array>): Promise<Uint8Array> {
    const known = this.#contents.get(path);
    if (known !== undefined) return known;
    const reading = read();
    this.#contents.set(path, reading);
    reading.catch(() => this.#contents.delete(path));
    return reading;
  }

  async #file(path: string): Promise<Found | undefined> {
    const file = await open(path, "r").catch(() => undefined);
    if (file === undefined) return undefined;
    try {
      const stats = await file.stat({ bigint: true });
      if (!stats.isFile()) {
        await file.close();
        return undefined;
      }
      return {
        type: typeOf(path),
        size: Number(stats.size),
        etag: `"${await this.#hash(file, stats)}"`,
        send: (response, from, to) =>
          pipeline(file.createReadStream({ start: from, end: to, autoClose: false }), response),
        close: () => file.close(),
      };
    } catch (error) {
      await file.close();
      throw error;
    }
  }

  /** Times alone would not do: packages are installed with one and the same for all files of all versions. */
  async #hash(file: FileHandle, { dev, ino, size, mtimeNs, ctimeNs }: BigIntStats): Promise<string> {
    const key = [dev, ino, size, mtimeNs, ctimeNs].join(" ");
    const known = this.#hashes.get(key);
    if (known !== undefined) return known;
    const hash = createHash("sha256");
    for await (const piece of file.createReadStream({ start: 0, autoClose: false })) hash.update(piece);
    const made = hash.digest("hex");
    this.#hashes.set(key, made);
    return made;
  }
}

function bytesOf(bytes: Uint8Array, type: string, sha256?: string): Found {
  return {
    type,
    size: bytes.length,
    etag: `"${sha256 ?? createHash("sha256").update(bytes).digest("hex")}"`,
    send: async (response, from, to) => void response.end(bytes.subarray(from, to + 1)),
    close: async () => {},
  };
}

/** The path of a request, decoded; undefined for one that could lead out of a folder, or to a hidden file. */
function readPath(target: string): string | undefined {
  const [path] = target.split(/[?#]/, 1);
  if (!path.startsWith("/")) return undefined;
  let parts: string[];
  try {
    parts = path.slice(1).split("/").map(decodeURIComponent);
  } catch {
    return undefined;
  }
  const last = parts.length - 1;
  // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is looked for
  const bad = (part: string, i: number) => /^\.|[\\/:\u0000-\u001f]/.test(part) || (part === "" && i < last);
  return parts.some(bad) ? undefined : `/${parts.join("/")}`;
}

const types: Readonly<Record<string, string>> = {
  ".html": "text/html; charset=utf-8",
  ".css": "text/css; charset=utf-8",
  ".js": "text/javascript; charset=utf-8",
  ".mjs": "text/javascript; charset=utf-8",
  ".json": "application/json",
  ".map": "application/json",
  ".wasm": "application/wasm",
  ".svg": "image/svg+xml",
  ".png": "image/png",
  ".txt": "text/plain; charset=utf-8",
};

/** The MIME type of a file by its name. */
export function typeOf(path: string): string {
  return types[extname(path).toLowerCase()] ?? "application/octet-stream";
}
