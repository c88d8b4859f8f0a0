// Entry of a worker that owns a web backend and runs the checks of the backend suite on it, each when it is named.

import { type WebBackend, type WebBackendOptions, webBackend } from "@microturn/backend-web";
import { backendChecks } from "../backend-suite.js";

/** What the worker is asked: to make the backend, or to run a check. */
export type CheckRequest = { readonly open: WebBackendOptions } | { readonly check: string };

/** What comes back: words about the backend, or why it failed. */
export type CheckReply = { readonly said: string } | { readonly failure: string };

let backend: WebBackend | undefined;
let options: WebBackendOptions = {};

addEventListener("message", async ({ data }: MessageEvent<CheckRequest>) => {
  let reply: CheckReply;
  try {
    reply = { said: await answer(data) };
  } catch (error) {
    reply = { failure: error instanceof Error ? `${error.message}\n${error.stack}` : String(error) };
  }
  postMessage(reply);
});

async function answer(request: CheckRequest): Promise<string> {
  if ("open" in request) {
    options = request.open;
    backend = await webBackend(options);
    return backend.capabilities.device;
  }
  const check = backendChecks.find(({ name }) => name === request.check);
  if (check === undefined || backend === undefined) throw new Error(`no check "${request.check}", or no backend`);
  await check.run({ backend, fresh: () => webBackend(options) });
  return "";
}
