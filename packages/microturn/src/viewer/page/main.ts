// Entry of the page: takes the trace out of the document, shows it, or says why it cannot.

import { readTrace } from "@microturn/core";
import { element } from "./dom.js";
import { viewOfTrace } from "./from-trace.js";
import { mount } from "./mount.js";

async function start(): Promise<void> {
  const data = element("microturn-trace", HTMLScriptElement);
  mount(viewOfTrace(await readTrace(data.textContent ?? "")));
}

start().catch((error: unknown) => {
  element("failure", HTMLElement).textContent =
    `This session cannot be shown: ${error instanceof Error ? error.message : String(error)}`;
});
