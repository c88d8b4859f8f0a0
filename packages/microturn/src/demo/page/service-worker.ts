// Keeps the files of the page, so that it works when its server is gone. The server is asked first: what is kept is never older
// than need be. The model is kept elsewhere, by the one that loads it.

/** What the server put before this script. */
interface Version {
  /** Files of the page, kept all at once. */
  readonly page: readonly string[];
  /** Changes with every file of the page and of the engine. */
  readonly version: string;
}

/** The part of the browser's scope that is used here. */
interface Scope {
  readonly microturnDemo: Version;
  readonly clients: { claim(): Promise<void> };
  readonly location: Location;
  skipWaiting(): Promise<void>;
  addEventListener(type: "install" | "activate", listener: (event: Extendable) => void): void;
  addEventListener(type: "fetch", listener: (event: Fetching) => void): void;
}
interface Extendable {
  waitUntil(work: Promise<unknown>): void;
}
interface Fetching extends Extendable {
  readonly request: Request;
  respondWith(response: Promise<Response>): void;
}

const scope = globalThis as unknown as Scope;
const { page, version } = scope.microturnDemo;
const pageCache = `microturn-demo-page-${version}`;
/** Files of the engine are large, and which of them a browser needs shows when it asks for them. */
const engineCache = "microturn-demo-engine";
const engineFolders = ["/engine/", "/runtime/"];

scope.addEventListener("install", (event) => event.waitUntil(install()));
scope.addEventListener("activate", (event) => event.waitUntil(activate()));
scope.addEventListener("fetch", (event) => {
  const { request } = event;
  const { origin, pathname } = new URL(request.url);
  if (request.method !== "GET" || origin !== scope.location.origin) return;
  if (page.includes(pathname))
    event.respondWith(fromServer(request).catch((error) => fromCache(pageCache, pathname, error)));
  else if (engineFolders.some((folder) => pathname.startsWith(folder))) event.respondWith(engineFile(event, pathname));
});

async function install(): Promise<void> {
  const cache = await caches.open(pageCache);
  await cache.addAll(page.map((path) => new Request(path, { cache: "no-cache" })));
  // What is kept of the engine belongs to this version of the page as well.
  const engine = await caches.open(engineCache);
  for (const { url } of await engine.keys()) await keep(engine, url, await fetch(url, { cache: "no-cache" }));
  await scope.skipWaiting();
}

async function activate(): Promise<void> {
  for (const name of await caches.keys()) {
    if (name.startsWith("microturn-demo-page-") && name !== pageCache) await caches.delete(name);
  }
  await scope.clients.claim();
}

/** A server that fails is as good as none. */
async function fromServer(request: Request): Promise<Response> {
  const response = await fetch(request);
  if (response.status >= 500) throw new Error(`status ${response.status}`);
  return response;
}

async function fromCache(name: string, path: string, error: unknown): Promise<Response> {
  const kept = await (await caches.open(name)).match(path);
  if (kept === undefined) throw error;
  return kept;
}

async function engineFile(event: Fetching, path: string): Promise<Response> {
  let response: Response;
  try {
    response = await fromServer(event.request);
  } catch (error) {
    return fromCache(engineCache, path, error);
  }
  const copy = response.clone();
  event.waitUntil(caches.open(engineCache).then((cache) => keep(cache, path, copy)));
  return response;
}

/** Keeps a file, unless it is kept, or is gone. A full disk is no reason to fail. */
async function keep(cache: Cache, path: string, response: Response): Promise<void> {
  const kept = await cache.match(path);
  const same = kept !== undefined && kept.headers.get("ETag") === response.headers.get("ETag");
  if (response.status === 404) await cache.delete(path);
  else if (response.status === 200 && !same) await cache.put(path, response).catch(() => {});
  else await response.body?.cancel();
}
