// Takes the picture of a session that the README shows: node scripts/picture.mjs session.html docs/img/session.png
// Uses the Chromium of the machine. Keys after the two paths are pressed first, for example ArrowRight n n.

import { existsSync, statSync } from "node:fs";
import { resolve } from "node:path";
import { pathToFileURL } from "node:url";
import { chromium } from "playwright-core";

const [page = "session.html", picture = "docs/img/session.png", ...keys] = process.argv.slice(2);
const executablePath = ["/usr/bin/chromium", "/usr/bin/chromium-browser", "/usr/bin/google-chrome"].find((path) =>
  existsSync(path),
);
if (executablePath === undefined) throw new Error("picture: no Chromium on this machine; install the package chromium");

const browser = await chromium.launch({
  executablePath,
  args: ["--headless", "--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking"],
});
const tab = await (await browser.newContext({ offline: true, viewport: { width: 1440, height: 900 } })).newPage();
await tab.goto(pathToFileURL(resolve(page)).href);
await tab.waitForFunction(() => document.querySelectorAll("#figures .figure").length > 0);
for (const key of keys) await tab.keyboard.press(key);
await tab.waitForTimeout(300);
await tab.screenshot({ path: picture, fullPage: true });
await browser.close();
process.stdout.write(`${picture}: ${Math.round(statSync(picture).size / 1024)} KiB\n`);
