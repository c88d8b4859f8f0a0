// Which file of which package is at which path of the demo's server, and the headers that keep its page to itself.

import { createHash } from "node:crypto";
import { readdir, readFile } from "node:fs/promises";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import type { ModelSource } from "@microturn/core";
import { manifestPath, parseManifest } from "@microturn/core/model";
import { type Served, typeOf } from "./file-server.js";
import { demoStyle } from "./style.js";
import { demoTemplate, icon } from "./template.js";

/** Where the built files are. */
export interface DemoFolders {
  /** `page.js`, `save-worker.js`, `timeline-worker.js` and `service-worker.js` of the demo. */
  readonly page: string;
  /** The script of the session viewer, for sessions that are saved. */
  readonly viewer: string;
  /** The worker of @microturn/backend-web, with what it imports. */
  readonly engine: string;
  /** The files of onnxruntime-web. */
  readonly runtime: string;
  /** The worklets of @microturn/media. */
  readonly media: string;
}

/** The folders of the packages that are installed. */
export function installedFolders(): DemoFolders {
  const { resolve } = createRequire(import.meta.url);
  const own = join(dirname(resolve("microturn/package.json")), "dist");
  const engine = dirname(resolve("@microturn/backend-web/worker.js"));
  return {
    page: join(own, "demo"),
    viewer: join(own, "viewer"),
    engine,
    runtime: join(engine, "ort"),
    media: dirname(resolve("@microturn/media/capture-worklet.js")),
  };
}

/**
 * What the demo's server gives. The model is its own files only, whatever else is in its folder.
 *
 * @param isolated - whether the page is served with the headers that let it share memory
 * @throws DuplexError `MODEL_INVALID` if there is no model
 */
export async function demoPlaces(
  model: ModelSource,
  folders: DemoFolders,
  isolated: boolean,
): Promise<Record<string, Served>> {
  const places: Record<string, Served> = {
    "/": { body: demoTemplate, type: typeOf("index.html") },
    "/style.css": { body: demoStyle, type: typeOf("style.css") },
    "/icon.svg": { body: icon, type: typeOf("icon.svg") },
    "/page.js": { file: join(folders.page, "page.js") },
    "/save-worker.js": { file: join(folders.page, "save-worker.js") },
    "/timeline-worker.js": { file: join(folders.page, "timeline-worker.js") },
    "/viewer.js": { file: join(folders.viewer, "page.js") },
    "/media/capture-worklet.js": { file: join(folders.media, "capture-worklet.js") },
    "/media/player-worklet.js": { file: join(folders.media, "player-worklet.js") },
  };
  const page = Object.keys(places);
  places["/service-worker.js"] = {
    body: await serviceWorker(folders, { page, places, isolated }),
    type: typeOf("service-worker.js"),
  };
  places["/engine/"] = { folder: folders.engine };
  places["/runtime/"] = { folder: folders.runtime };
  return { ...places, ...(await modelPlaces(model)) };
}

async function modelPlaces(model: ModelSource): Promise<Record<string, Served>> {
  const bytes = await model.read(manifestPath);
  const { files } = parseManifest(new TextDecoder().decode(bytes));
  const places: Record<string, Served> = { [`/model/${manifestPath}`]: { body: bytes, type: typeOf(manifestPath) } };
  for (const { path, sha256 } of [...files.weights, files.tokenizer]) {
    places[`/model/${path}`] = { read: () => model.read(path), sha256, type: typeOf(path) };
  }
  return places;
}

/** The service worker, told what belongs to this version of the page: with any other file it is another service worker. */
async function serviceWorker(
  folders: DemoFolders,
  { page, places, isolated }: { page: readonly string[]; places: Readonly<Record<string, Served>>; isolated: boolean },
): Promise<string> {
  const files = await Promise.all(page.map((path) => contentOf(places[path])));
  const engine = await Promise.all([...(await scriptsIn(folders.engine)), ...(await scriptsIn(folders.runtime))]);
  const version = digest([String(isolated), ...page, ...files, ...engine]);
  const script = await readFile(join(folders.page, "service-worker.js"), "utf8");
  return `self.microturnDemo = ${JSON.stringify({ page, version })};\n${script}`;
}

async function contentOf(place: Served): Promise<string | Uint8Array> {
  if ("body" in place) return place.body;
  if ("file" in place) return readFile(place.file);
  throw new TypeError("demo: expected files of the page");
}

/** The runtime's large files change with the scripts that load them. */
async function scriptsIn(folder: string): Promise<Promise<Uint8Array>[]> {
  const names = await readdir(folder);
  return names
    .filter((name) => /\.m?js$/.test(name))
    .sort()
    .map((name) => readFile(join(folder, name)));
}

function digest(parts: readonly (string | Uint8Array)[]): string {
  const hash = createHash("sha256");
  for (const part of parts) hash.update(`${part.length} `).update(part);
  return hash.digest("hex").slice(0, 16);
}

const policy = [
  "default-src 'self'",
  // The runtime is WebAssembly; nothing else is made from text.
  "script-src 'self' 'wasm-unsafe-eval'",
  "worker-src 'self'",
  "connect-src 'self'",
  "style-src 'self'",
  "img-src 'self'",
  "media-src 'self'",
  "object-src 'none'",
  "base-uri 'none'",
  "form-action 'none'",
  "frame-ancestors 'none'",
].join("; ");

/** Headers of everything that the server gives. */
export function demoHeaders(isolated: boolean): Record<string, string> {
  return {
    "Content-Security-Policy": policy,
    "Permissions-Policy": "microphone=(self), camera=(self), display-capture=()",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "Cross-Origin-Resource-Policy": "same-origin",
    ...(isolated
      ? { "Cross-Origin-Opener-Policy": "same-origin", "Cross-Origin-Embedder-Policy": "require-corp" }
      : {}),
  };
}
