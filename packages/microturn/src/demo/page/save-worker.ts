// Makes the page of a session, away from the page that talks: packing a quarter of an hour of sound takes a while.

import { type SessionTrace, writeTrace } from "@microturn/core";
import { traceHtml } from "../../viewer/trace-html.js";

const scope = globalThis as unknown as {
  postMessage(message: string | { readonly failure: string }): void;
  addEventListener(type: "message", listener: (event: MessageEvent<SessionTrace>) => void): void;
};

scope.addEventListener("message", async ({ data }) => {
  try {
    const viewer = await fetch("/viewer.js");
    if (!viewer.ok) throw new Error(`the viewer is not there (status ${viewer.status})`);
    scope.postMessage(await pageOf(data, await viewer.text()));
  } catch (error) {
    scope.postMessage({ failure: error instanceof Error ? error.message : String(error) });
  }
});

async function pageOf(trace: SessionTrace, script: string): Promise<string> {
  const page = traceHtml(await writeTrace(trace), script);
  return page.withHashes(await Promise.all(page.toHash.map(sha256)));
}

async function sha256(text: string): Promise<string> {
  const digest = new Uint8Array(await crypto.subtle.digest("SHA-256", new TextEncoder().encode(text)));
  return btoa(String.fromCharCode(...digest));
}
