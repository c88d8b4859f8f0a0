// Starts Chromium with fake devices and a page that has the kit; shared by the browser tests of this package.

import { fileURLToPath } from "node:url";
import type { Browser, BrowserContext, Page } from "playwright-core";
import { bundle, openChromium, type Route, startServer, type TestServer } from "../../../../scripts/browser-testing.js";

const source = (path: string) => fileURLToPath(new URL(`../${path}`, import.meta.url));

/** Options of {@link openMediaPages}. */
export interface MediaPagesOptions {
  /** Added to those that make a microphone and a camera. */
  readonly flags?: readonly string[];
  /** Fake devices that allow themselves; default true. */
  readonly devices?: boolean;
  /** Slows down what is hidden, as browsers do; default false. */
  readonly throttles?: boolean;
  readonly routes?: Readonly<Record<string, Route>>;
  /** The script of the pages; default `testing/kit.ts`. */
  readonly entry?: string;
}

/** A browser, and servers of one page: cross-origin isolated or not, with a strict policy. */
export interface MediaPages {
  readonly browser: Browser;
  /** Opens a page; problems that it reports are collected. */
  open(options?: {
    readonly isolated?: boolean;
    readonly context?: BrowserContext;
    readonly path?: string;
    /** Name of the server; default localhost, which browsers trust. */
    readonly host?: string;
  }): Promise<Page & { readonly problems: string[] }>;
  /** Starts a server of the page, for those who open it themselves. @returns its address */
  serve(isolated?: boolean): Promise<string>;
  close(): Promise<void>;
}

/** What every page is served with: nothing from elsewhere, no inline script, no blob, no eval. */
const policy = "default-src 'none'; script-src 'self'; worker-src 'self'; connect-src 'self'; media-src 'self'";

/** Bundles the kit and starts the browser. */
export async function openMediaPages(options: MediaPagesOptions = {}): Promise<MediaPages> {
  const { flags = [], devices = true, throttles = false, entry = "testing/kit.ts" } = options;
  const [script, capture, player, recorder] = await Promise.all(
    [entry, "worklets/capture-worklet.ts", "worklets/player-worklet.ts", "testing/recorder-worklet.ts"].map((path) =>
      bundle(source(path), { sourcemap: false }),
    ),
  );
  const routes: Record<string, Route> = {
    "/": '<!doctype html><meta charset="utf-8"><title>loading</title><div id="root"></div><script type="module" src="/page.js"></script>',
    "/page.js": script,
    "/capture-worklet.js": capture,
    "/player-worklet.js": player,
    "/recorder-worklet.js": recorder,
    "/favicon.ico": "",
    ...options.routes,
  };
  const fake = ["--use-fake-device-for-media-stream", "--use-fake-ui-for-media-stream"];
  const browser = await openChromium([...(devices ? fake : []), ...flags], { throttles });
  const servers = new Map<boolean, TestServer>();
  const serve = async (isolated = true) => {
    const server =
      servers.get(isolated) ??
      (await startServer({ routes, isolated, headers: { "Content-Security-Policy": policy } }));
    servers.set(isolated, server);
    return server.url;
  };
  return {
    browser,
    serve,
    async open({ isolated = true, context, path = "/", host = "localhost" } = {}) {
      const url = await serve(isolated);
      const page = await (context ?? browser).newPage();
      const problems: string[] = [];
      page.on("pageerror", (error) => problems.push(error.message));
      page.on("console", (message) => {
        if (message.type() === "error") problems.push(message.text());
      });
      // Looking into a page counts as a touch of the user; a page that waits for one must not be looked into.
      const ready = page
        .waitForEvent("console", (message) => message.text() === "ready")
        .catch(() => {
          throw new Error(`the page did not start: ${problems.join("; ")}`);
        });
      await page.goto(`${url.replace("localhost", host)}${path}`);
      await ready;
      return Object.assign(page, { problems });
    },
    async close() {
      await browser.close();
      for (const server of servers.values()) await server.close();
    },
  };
}
