// The demo from the sources, for its tests: scripts bundled into a folder of their own, in place of the builds.

import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { bundle } from "../../../../../scripts/browser-testing.js";
import type { DemoFolders } from "../demo-files.js";

const root = (path: string) => fileURLToPath(new URL(`../../../../../${path}`, import.meta.url));
const externWasm = { conditions: ["onnxruntime-web-use-extern-wasm"] };

/** Builds it. @returns the folders, and what removes them */
export async function bundledDemo(): Promise<{ readonly folders: DemoFolders; remove(): Promise<void> }> {
  const folder = await mkdtemp(join(tmpdir(), "demo-"));
  const scripts = {
    "page/page.js": "packages/microturn/src/demo/page/main.ts",
    "page/save-worker.js": "packages/microturn/src/demo/page/save-worker.ts",
    "page/timeline-worker.js": "packages/microturn/src/demo/page/timeline-worker.ts",
    "page/service-worker.js": "packages/microturn/src/demo/page/service-worker.ts",
    "engine/worker.js": "packages/backend-web/src/worker.ts",
    "media/capture-worklet.js": "packages/media/src/worklets/capture-worklet.ts",
    "media/player-worklet.js": "packages/media/src/worklets/player-worklet.ts",
    "media/recorder-worklet.js": "packages/media/src/testing/recorder-worklet.ts",
  };
  for (const [path, entry] of Object.entries(scripts)) {
    await mkdir(dirname(join(folder, path)), { recursive: true });
    await writeFile(join(folder, path), await bundle(root(entry), { ...externWasm, minify: true, sourcemap: false }));
  }
  return {
    folders: {
      page: join(folder, "page"),
      viewer: root("packages/microturn/dist/viewer"),
      engine: join(folder, "engine"),
      runtime: root("node_modules/onnxruntime-web/dist"),
      media: join(folder, "media"),
    },
    remove: () => rm(folder, { recursive: true }),
  };
}
