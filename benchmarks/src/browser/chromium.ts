// The browser that pages are measured in: Chromium, without a window.

import { existsSync } from "node:fs";
import { type Browser, chromium } from "playwright-core";

/** Where a Chromium is; undefined if there is none. */
const executablePath = ["/usr/bin/chromium", "/usr/bin/chromium-browser", "/usr/bin/google-chrome"].find((path) =>
  existsSync(path),
);

/** Starts it. @returns undefined if this machine has none */
export async function openChromium(flags: readonly string[]): Promise<Browser | undefined> {
  if (executablePath === undefined) return undefined;
  return chromium.launch({ executablePath, args: ["--headless=new", "--no-sandbox", "--mute-audio", ...flags] });
}

/** In place of figures. */
export const skipped = { rows: [{ name: "skipped", value: "no Chromium on this machine" }] } as const;
