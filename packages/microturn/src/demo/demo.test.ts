import { existsSync } from "node:fs";
import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { createServer } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { PassThrough } from "node:stream";
import { tinyModelFiles } from "@microturn/core/testing";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { DemoOptions } from "../command/command-line.js";
import { runDemo } from "./demo.js";
import { type DemoFolders, installedFolders } from "./demo-files.js";

let folder = "";
let folders: DemoFolders;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "demo-"));
  const at = (name: string) => join(folder, name);
  folders = {
    page: at("page"),
    viewer: at("viewer"),
    engine: at("engine"),
    runtime: at("engine/ort"),
    media: at("media"),
  };
  const files = [
    "page/page.js",
    "page/save-worker.js",
    "page/timeline-worker.js",
    "page/service-worker.js",
    "viewer/page.js",
    "engine/worker.js",
  ];
  files.push(
    "engine/ort/runtime.mjs",
    "engine/ort/runtime.wasm",
    "media/capture-worklet.js",
    "media/player-worklet.js",
  );
  for (const name of files) await write(name, `// ${name}`);
  for (const [name, bytes] of await tinyModelFiles({ seed: 1 })) await write(join("model", name), bytes);
  await write("model/diary.txt", "private");
});
afterAll(() => rm(folder, { recursive: true }));

async function write(name: string, content: string | Uint8Array): Promise<void> {
  await mkdir(join(folder, name, ".."), { recursive: true });
  await writeFile(join(folder, name), content);
}

/** Runs the demo for as long as `use` takes. */
async function withDemo(
  options: Partial<DemoOptions> & { readonly usualPort?: true },
  use: (url: string, printed: string) => Promise<void>,
) {
  const stop = new AbortController();
  const opened: string[] = [];
  let printed = "";
  let started = () => {};
  const running = new Promise<void>((resolve) => {
    started = resolve;
  });
  const write = (text: string | Uint8Array) => {
    printed += String(text);
    started();
    return true;
  };
  const stream = { write, on: () => undefined };
  const io = { stdin: new PassThrough(), stdout: stream, stderr: stream, stop: stop.signal };
  const { usualPort, ...given } = options;
  const port = usualPort ? {} : { port: 0 };
  const all = { model: join(folder, "model"), ...port, open: true, isolated: true, verbose: false, ...given };
  const ended = runDemo(all, io, { folders, openBrowser: (url) => opened.push(url) });
  await Promise.race([running, ended]);
  try {
    const [url] = /http:\S+/.exec(printed) ?? [""];
    await use(url, printed);
  } finally {
    stop.abort();
  }
  return { code: await ended, opened, printed };
}

const get = async (url: string, path: string) => {
  const response = await fetch(new URL(path, url));
  return { status: response.status, headers: response.headers, text: await response.text() };
};

describe("microturn demo", () => {
  it("serves page, scripts, worklets, runtime and model until it is stopped, and says where", async () => {
    let at = "";
    const { code, opened, printed } = await withDemo({}, async (url) => {
      at = url;
      expect((await get(url, "/")).text).toContain("<h1>Talk with mini</h1>");
      const paths = [
        "style.css",
        "icon.svg",
        "page.js",
        "save-worker.js",
        "timeline-worker.js",
        "viewer.js",
        "engine/worker.js",
      ];
      paths.push("runtime/runtime.wasm", "media/capture-worklet.js", "media/player-worklet.js", "model/microturn.json");
      for (const path of paths) expect([path, (await get(url, path)).status]).toEqual([path, 200]);
      const { files } = JSON.parse((await get(url, "model/microturn.json")).text);
      const weights = await get(url, `model/${files.weights[0].path}`);
      expect(weights.headers.get("ETag")).toBe(`"${files.weights[0].sha256}"`);
    });
    expect(code).toBe(0);
    expect(opened).toEqual([at]);
    expect(printed).toContain(`Talk with the model at ${at}`);
    await expect(fetch(at)).rejects.toThrow();
  });

  it("gives no other file of the model's folder", async () => {
    await withDemo({}, async (url) => {
      expect((await get(url, "model/diary.txt")).status).toBe(404);
    });
  });

  it("keeps the page to itself by a strict policy, and isolates it unless it is told not to", async () => {
    await withDemo({ open: false }, async (url) => {
      const { headers } = await get(url, "/");
      const policy = headers.get("Content-Security-Policy") ?? "";
      expect(policy).toContain("default-src 'self'; script-src 'self' 'wasm-unsafe-eval'; worker-src 'self'");
      expect(policy).not.toMatch(/unsafe-inline|'unsafe-eval'|https?:|blob:|data:|\*/);
      expect(headers.get("Cross-Origin-Opener-Policy")).toBe("same-origin");
      expect(headers.get("Cross-Origin-Embedder-Policy")).toBe("require-corp");
    });
    const { opened } = await withDemo({ open: false, isolated: false }, async (url) => {
      expect((await get(url, "/")).headers.get("Cross-Origin-Embedder-Policy")).toBeNull();
    });
    expect(opened).toEqual([]);
  });

  it("makes another service worker whenever a file of the page or of the engine is another", async () => {
    const version = async () => {
      let script = "";
      await withDemo({}, async (url) => {
        script = (await get(url, "service-worker.js")).text;
      });
      expect(script).toContain("// page/service-worker.js");
      const { page, version: found } = JSON.parse(script.slice(script.indexOf("{"), script.indexOf(";\n")));
      expect(page).toContain("/media/player-worklet.js");
      return found as string;
    };
    const first = await version();
    expect(await version()).toBe(first);
    await write("page/page.js", "// another page.js");
    const second = await version();
    expect(second).not.toBe(first);
    await write("engine/ort/runtime.mjs", "// another runtime");
    expect(await version()).not.toBe(second);
  });

  it("goes to a free port when the usual one is in use, but not when one was asked for", async () => {
    const other = createServer();
    await new Promise<void>((resolve) => other.listen(8200, "127.0.0.1", resolve).once("error", () => resolve()));
    try {
      await withDemo({ usualPort: true }, async (url, printed) => {
        expect(printed).toContain("Port 8200, the usual one, is in use.");
        expect(url).not.toContain(":8200/");
        expect((await get(url, "/")).status).toBe(200);
      });
      await expect(withDemo({ port: 8200 }, async () => {})).rejects.toThrow("port 8200 is in use; choose another");
    } finally {
      other.close();
    }
  });

  it("says at once that there is no model", async () => {
    await expect(withDemo({ model: join(folder, "nothing") }, async () => {})).rejects.toThrow(
      /no folder or installed package/,
    );
  });
});

const builtFiles = () => {
  const { page, viewer, engine, runtime, media } = installedFolders();
  return [
    ...["page.js", "save-worker.js", "timeline-worker.js", "service-worker.js"].map((name) => join(page, name)),
    ...[join(viewer, "page.js"), join(engine, "worker.js"), join(runtime, "ort-wasm-simd-threaded.wasm")],
    ...[join(media, "capture-worklet.js"), join(media, "player-worklet.js")],
  ];
};
const unbuilt = ["microturn", "backend-web", "media"].filter(
  (name) => !existsSync(new URL(`../../../${name}/dist/.built`, import.meta.url)),
);
const reason = unbuilt.length > 0 ? ` (skipped: ${unbuilt.join(", ")} not built; run npm run build)` : "";

describe.skipIf(unbuilt.length > 0)(`the builds of the packages${reason}`, () => {
  it("hold everything that the demo serves", () => {
    expect(builtFiles().filter((path) => !existsSync(path))).toEqual([]);
  });
});
