// The self-contained page of a session, put together from its parts; in Node and in a browser, which hash in different ways.

import { style } from "./style.js";
import { template } from "./template.js";

/** A page that lacks the hashes in its content security policy. */
export interface UnhashedPage {
  /** Texts whose SHA-256 it allows. */
  readonly toHash: readonly string[];
  /** The page. @param hashes - of `toHash`, in base64 */
  withHashes(hashes: readonly string[]): string;
}

/**
 * Puts the page together.
 *
 * @param trace - as `writeTrace` gives it
 * @param viewer - the script of the viewer
 */
export function traceHtml(trace: string, viewer: string): UnhashedPage {
  // Inside a script element only `</script` and `<!--` mean anything; both can stand only in strings and patterns.
  const script = viewer.replaceAll("</script", "<\\/script").replaceAll("<!--", "\\x3c!--");
  return {
    toHash: [script, style],
    withHashes([scriptHash, styleHash]) {
      const policy = [
        "default-src 'none'",
        `script-src 'sha256-${scriptHash}'`,
        `style-src 'sha256-${styleHash}'`,
        "base-uri 'none'",
        "form-action 'none'",
      ].join("; ");
      return template({ style, script, data: inScript(trace), policy });
    },
  };
}

/** JSON that cannot end the script element it stands in: every `<` is written as an escape that JSON knows. */
function inScript(json: string): string {
  return json.replaceAll("<", "\\u003c").replaceAll("\u2028", "\\u2028").replaceAll("\u2029", "\\u2029");
}
