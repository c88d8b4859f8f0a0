// One session as one HTML file: page, script, style and the trace itself, with nothing to fetch.

import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { traceHtml } from "./trace-html.js";

/**
 * Makes the self-contained page of a session.
 *
 * Its content security policy allows its own script and style by hash and no network at all; text of the session is
 * data in it, never markup. The trace can be read back from the page (`readTrace` takes the HTML too).
 *
 * @param trace - a trace as `writeTrace` gives it: JSON text
 * @returns HTML; about as long as the trace
 * @throws TypeError if `trace` is not JSON text of an object
 */
export function renderTraceHtml(trace: string): string {
  if (typeof trace !== "string" || !/^\s*\{/.test(trace)) {
    throw new TypeError("renderTraceHtml: expected the JSON text of a trace; pass what writeTrace returned");
  }
  const page = traceHtml(trace, viewerScript());
  return page.withHashes(page.toHash.map((text) => createHash("sha256").update(text).digest("base64")));
}

let cached: string | undefined;

/** The bundled page script. It is found through the package's own exports, from the sources and from the build alike. */
function viewerScript(): string {
  cached ??= readFileSync(createRequire(import.meta.url).resolve("microturn/viewer/page.js"), "utf8");
  return cached;
}
