// `microturn demo`: a page on this machine in which one talks with a model that runs in the browser.

import { modelFolder } from "@microturn/backend-node";
import { mini } from "@microturn/mini";
import type { DemoOptions } from "../command/command-line.js";
import { exitCodes } from "../failure.js";
import { type Io, inkFor } from "../io.js";
import { type DemoFolders, demoHeaders, demoPlaces, installedFolders } from "./demo-files.js";
import { type FileServer, isPortInUse, startFileServer } from "./file-server.js";
import { openBrowser } from "./open-browser.js";

/** What the demo is made of; tests pass their own. */
export interface DemoParts {
  readonly folders: DemoFolders;
  readonly openBrowser: (url: string) => void;
}

/** A browser keeps the model, and the permission for the microphone, by the page's address: it should stay the same. */
const usualPort = 8200;

/**
 * Serves the page until it is stopped.
 *
 * @returns 0 when it was stopped: that is how it ends
 * @throws Error if the port is in use; DuplexError `MODEL_INVALID` if there is no model
 */
export async function runDemo(options: DemoOptions, io: Io, parts?: DemoParts): Promise<number> {
  const { model, port, isolated, open } = options;
  const folders = parts?.folders ?? installedFolders();
  const places = await demoPlaces(model === undefined ? mini : modelFolder(model), folders, isolated);
  const start = (at: number) => startFileServer({ places, headers: demoHeaders(isolated), port: at });
  const ink = inkFor(io.stdout);
  let server: FileServer;
  let note = "";
  try {
    server = await start(port ?? usualPort);
  } catch (error) {
    if (port !== undefined || !isPortInUse(error)) throw error;
    server = await start(0);
    note = `Port ${usualPort}, the usual one, is in use. At another address the browser loads the model once more.\n`;
  }
  const { url } = server;
  io.stdout.write(
    `Talk with the model at ${ink.bold(url)}\n${note}Everything runs in that page, and nothing leaves this machine. Ctrl-C ends it.\n`,
  );
  if (open) (parts?.openBrowser ?? openBrowser)(url);
  await stopped(io.stop);
  await server.close();
  return exitCodes.done;
}

function stopped(signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) resolve();
    else signal.addEventListener("abort", () => resolve(), { once: true });
  });
}
