// What browser tests share: Debian's Chromium, a server on this machine, and bundles made from the sources.

import { existsSync, readFileSync, statSync } from "node:fs";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { extname, join } from "node:path";
import { type BuildOptions, build } from "esbuild";
import { type Browser, chromium } from "playwright-core";
import { sourceAliases } from "./source-aliases.js";

/** Where a Chromium is, or undefined: its tests are then counted as skipped. */
export const chromiumPath = ["/usr/bin/chromium", "/usr/bin/chromium-browser", "/usr/bin/google-chrome"].find((path) =>
  existsSync(path),
);

/** Why browser tests do not run here, if they do not; for the name of their `describe`. */
export const withoutChromium = chromiumPath === undefined ? " (skipped: no Chromium on this machine)" : "";

/** What Playwright adds so that tabs in the background are as fast as any. */
const unthrottled = [
  "--disable-background-timer-throttling",
  "--disable-backgrounding-occluded-windows",
  "--disable-renderer-backgrounding",
];

/**
 * Starts Chromium without a window.
 *
 * @param flags - added to those that keep it quiet
 * @param options.throttles - slows down what is hidden, as it does for people; default false
 */
export function openChromium(flags: readonly string[] = [], { throttles = false } = {}): Promise<Browser> {
  return chromium.launch({
    ...(chromiumPath === undefined ? {} : { executablePath: chromiumPath }),
    ignoreDefaultArgs: throttles ? unthrottled : [],
    args: [
      ...["--headless=new", "--no-sandbox", "--disable-quic", "--no-first-run", "--mute-audio"],
      ...["--disable-background-networking", "--disable-component-update", "--disable-sync"],
      ...flags,
    ],
  });
}

/** Adds a software WebGPU adapter; see {@link openChromium}. */
export const webgpuFlags = ["--enable-unsafe-webgpu", "--use-webgpu-adapter=swiftshader"] as const;

/** Bundles a module with all that it imports, our packages from their sources. */
export async function bundle(entry: string, options: BuildOptions = {}): Promise<string> {
  const { outputFiles } = await build({
    entryPoints: [entry],
    bundle: true,
    write: false,
    format: "esm",
    platform: "browser",
    target: "es2022",
    sourcemap: "inline",
    logLevel: "error",
    ...options,
    alias: { ...sourceAliases, ...options.alias },
  });
  return outputFiles?.[0].text ?? "";
}

/** What a path of the server gives: a body (by its path's extension), a folder of files, or whatever a handler does. */
export type Route =
  | string
  | Uint8Array
  | { readonly folder: string }
  | ((request: IncomingMessage, response: ServerResponse) => void);

/** Options of {@link startServer}. */
export interface ServerOptions {
  /** By path; a path that ends in `/` also answers for all below it. The longest that fits is taken. */
  readonly routes: Readonly<Record<string, Route>>;
  /** Sends the headers that make a page cross-origin isolated (shared memory, threads). Default false. */
  readonly isolated?: boolean;
  /** Sent with everything. */
  readonly headers?: Readonly<Record<string, string>>;
}

/** A server on a free port of this machine. */
export interface TestServer {
  /** Without a slash at its end. */
  readonly url: string;
  /** Paths that were asked for, in order, with their query. */
  readonly requests: string[];
  close(): Promise<void>;
}

const types: Readonly<Record<string, string>> = {
  ".html": "text/html; charset=utf-8",
  ".js": "text/javascript",
  ".mjs": "text/javascript",
  ".json": "application/json",
  ".wasm": "application/wasm",
  ".wav": "audio/wav",
  ".css": "text/css",
};

/** Starts a server for a test. */
export async function startServer({ routes, isolated = false, headers = {} }: ServerOptions): Promise<TestServer> {
  const requests: string[] = [];
  const server = createServer((request, response) => {
    requests.push(request.url ?? "/");
    if (isolated) {
      response.setHeader("Cross-Origin-Opener-Policy", "same-origin");
      response.setHeader("Cross-Origin-Embedder-Policy", "require-corp");
      response.setHeader("Cross-Origin-Resource-Policy", "same-origin");
    }
    for (const [name, value] of Object.entries(headers)) response.setHeader(name, value);
    answer(routes, request, response);
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as AddressInfo;
  return {
    // "localhost" is a secure context, as an address of numbers is; both are this machine.
    url: `http://localhost:${port}`,
    requests,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}

function answer(routes: Readonly<Record<string, Route>>, request: IncomingMessage, response: ServerResponse): void {
  const path = decodeURIComponent(new URL(request.url ?? "/", "http://localhost").pathname);
  const found = Object.keys(routes)
    .filter((route) => route === path || (route.endsWith("/") && path.startsWith(route)))
    .sort((a, b) => b.length - a.length)[0];
  const route = found === undefined ? undefined : routes[found];
  if (typeof route === "function") {
    route(request, response);
    return;
  }
  let body: string | Uint8Array | undefined;
  if (typeof route === "string" || route instanceof Uint8Array) body = route;
  else if (route !== undefined && !path.includes("..")) {
    const file = join(route.folder, path.slice(found.length));
    if (statSync(file, { throwIfNoEntry: false })?.isFile()) body = readFileSync(file);
  }
  if (body === undefined) {
    response.writeHead(404, { "Content-Type": "text/plain" }).end(`nothing at ${path}`);
    return;
  }
  // A page that answers for all below it is a page there too.
  const name = typeof route === "string" || route instanceof Uint8Array ? found : path;
  const type = types[extname(name)] ?? (name.endsWith("/") ? types[".html"] : "application/octet-stream");
  response.writeHead(200, { "Content-Type": type, "Content-Length": Buffer.byteLength(body) }).end(body);
}
