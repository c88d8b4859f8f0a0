// What the pages that are measured are served by: pages with and without isolation, our scripts, mini, the runtime and recordings.

import { readFileSync, statSync } from "node:fs";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { extname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { build } from "esbuild";

const root = fileURLToPath(new URL("../../", import.meta.url));
const folders: Readonly<Record<string, string>> = {
  "/mini/": join(root, "packages/mini"),
  "/runtime/": join(root, "packages/backend-web/dist"),
  "/speech/": join(root, "fixtures/speech"),
};
const types: Readonly<Record<string, string>> = {
  ".js": "text/javascript",
  ".mjs": "text/javascript",
  ".wasm": "application/wasm",
  ".wav": "audio/wav",
};

/** A server of pages. */
export interface PageServer {
  /** Without a slash at its end. */
  readonly url: string;
  close(): Promise<void>;
}

/**
 * Serves what is measured on a free port of this machine.
 *
 * @param entries - scripts by path, each made of a source in this folder; the pages `/plain` and `/isolated` load `/page.js`
 */
export async function servePages(entries: Readonly<Record<string, string>>): Promise<PageServer> {
  const scripts = new Map<string, string>();
  for (const [path, entry] of Object.entries(entries)) scripts.set(path, await bundle(entry));
  const server = createServer((request, response) => {
    const path = new URL(request.url ?? "/", "http://localhost").pathname;
    response.setHeader("Cross-Origin-Resource-Policy", "same-origin");
    response.setHeader("Cache-Control", "max-age=3600");
    if (path !== "/plain") {
      response.setHeader("Cross-Origin-Opener-Policy", "same-origin");
      response.setHeader("Cross-Origin-Embedder-Policy", "require-corp");
    }
    const folder = Object.keys(folders).find((prefix) => path.startsWith(prefix));
    const file =
      folder === undefined || path.includes("..") ? undefined : join(folders[folder], path.slice(folder.length));
    const script = scripts.get(path);
    if (script !== undefined) response.setHeader("Content-Type", "text/javascript").end(script);
    else if (path === "/plain" || path === "/isolated") {
      response
        .setHeader("Content-Type", "text/html")
        .end('<!doctype html><title>bench</title><script type="module" src="/page.js"></script>');
    } else if (file !== undefined && statSync(file, { throwIfNoEntry: false })?.isFile()) {
      const { mtimeMs, size } = statSync(file);
      response.setHeader("ETag", `"${size}-${mtimeMs}"`);
      response.setHeader("Content-Type", types[extname(file)] ?? "application/octet-stream").end(readFileSync(file));
    } else response.writeHead(404).end();
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  return {
    url: `http://localhost:${(server.address() as AddressInfo).port}`,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}

async function bundle(entry: string): Promise<string> {
  const { outputFiles } = await build({
    entryPoints: [join(root, "benchmarks/src/browser", entry)],
    ...{ bundle: true, write: false, minify: true, format: "esm", platform: "browser", target: "es2022" },
    logLevel: "error",
    // The worker and its runtime have files of their own.
    external: ["onnxruntime-web"],
  });
  return outputFiles?.[0].text ?? "";
}
