// Entry of a page that makes web engines and runs the checks of the engine suite on one, each when it is named.

import { type WebEngine, type WebEngineOptions, webEngine } from "@microturn/backend-web";
import type { EngineCapabilities } from "@microturn/core";
import { tinyAcoustic, tinyModelFiles } from "@microturn/core/testing";
import { type EngineContext, engineChecks } from "../engine-suite.js";

/** What the page offers to the test that drives it. */
export interface EnginePage {
  /** @param fromPage - the page reads the model, else the worker does, from the page's server */
  open(options: Omit<WebEngineOptions, "model">, fromPage: boolean): Promise<string>;
  /** @returns why it was skipped, or "" */
  check(name: string): Promise<string>;
}

class Skipped extends Error {}

let factory: () => WebEngine;
let engine: WebEngine;
let capabilities: EngineCapabilities;

const page: EnginePage = {
  async open(options, fromPage) {
    const files = await tinyModelFiles({ seed: 3, duplex: { acoustic: tinyAcoustic } });
    const model = {
      name: "tiny",
      read: async (path: string) => files.get(path) ?? Promise.reject(new Error(`no such file: ${path}`)),
    };
    const worker = () => new Worker("/worker.js", { type: "module" });
    factory = () => webEngine({ ...options, worker, model: fromPage ? model : "/tiny/" });
    engine = factory();
    capabilities = await engine.load();
    return engine.choice?.description ?? "";
  },
  async check(name) {
    const check = engineChecks.find((one) => one.name === name);
    if (check === undefined) throw new Error(`no check "${name}"`);
    const context: EngineContext = {
      engine,
      capabilities,
      fresh: async () => factory(),
      skip(reason) {
        throw new Skipped(reason);
      },
    };
    try {
      await check.run(context);
      return "";
    } catch (error) {
      if (error instanceof Skipped) return error.message;
      throw error;
    }
  },
};

Object.assign(window, { page });
