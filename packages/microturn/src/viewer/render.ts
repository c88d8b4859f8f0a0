// One session as one HTML file: page, script, style and the trace itself, with nothing to fetch.

import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { style } from "./style.js";
import { template } from "./template.js";

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
  const script = pageScript();
  const policy = [
    "default-src 'none'",
    `script-src ${hashSource(script)}`,
    `style-src ${hashSource(style)}`,
    "base-uri 'none'",
    "form-action 'none'",
  ].join("; ");
  return template({ style, script, data: inScript(trace), policy });
}

/** JSON that cannot end the script element it stands in: every `<` is written as an escape that JSON knows. */
function inScript(json: string): string {
  return json.replaceAll("<", "\\u003c").replaceAll("\u2028", "\\u2028").replaceAll("\u2029", "\\u2029");
}

let cached: string | undefined;

/** The bundled page script. It is found through the package's own exports, from the sources and from the build alike. */
function pageScript(): string {
  if (cached === undefined) {
    const path = createRequire(import.meta.url).resolve("microturn/viewer/page.js");
    // Inside a script element only `</script` and `<!--` mean anything; both can stand only in strings and patterns.
    cached = readFileSync(path, "utf8").replaceAll("</script", "<\\/script").replaceAll("<!--", "\\x3c!--");
  }
  return cached;
}

function hashSource(text: string): string {
  return `'sha256-${createHash("sha256").update(text).digest("base64")}'`;
}
