// Entry of the worker that `webEngine` starts: runtime, model, codecs and state live here, so that the page never waits.

import { EngineHost } from "./engine-host.js";
import type { ToPage, ToWorker } from "./engine-messages.js";
import { cachedModel } from "./model/cached-model.js";

const scope = globalThis as unknown as {
  postMessage(message: ToPage, transfer: Transferable[]): void;
  addEventListener(type: "message", listener: (event: MessageEvent<ToWorker>) => void): void;
};

const host = new EngineHost(
  (message, transfer) => scope.postMessage(message, transfer),
  (place, onWarning) => cachedModel(place.base, { ...place, onWarning }),
);
scope.addEventListener("message", ({ data }) => host.take(data));
