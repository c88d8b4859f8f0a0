// What a page with Microturn asks of Vite, each line with its reason.

import { createReadStream } from "node:fs";
import { readFile } from "node:fs/promises";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import { defineConfig, type Plugin } from "vite";

/** Headers that let the page share memory: the processor then computes with more than one thread. Send them in production too. */
const isolation = {
  "Cross-Origin-Opener-Policy": "same-origin",
  "Cross-Origin-Embedder-Policy": "require-corp",
};

export default defineConfig({
  base: "./",
  plugins: [modelFiles("@microturn/mini", "mini")],
  worker: {
    // The engine's worker loads parts of itself when it needs them, which a classic worker cannot.
    format: "es",
  },
  optimizeDeps: {
    // In development, the packages stay where they are: their workers and worklets are files beside their modules.
    exclude: ["@microturn/backend-web", "@microturn/media"],
  },
  build: {
    target: "es2022",
    // An audio worklet that became a data: URL is refused by most content security policies.
    assetsInlineLimit: 0,
    // What is large is WebAssembly, and is loaded when it is needed.
    chunkSizeWarningLimit: 1000,
  },
  server: { headers: isolation },
  preview: { headers: isolation },
});

/** Serves the files of a model package under a folder of the page, and copies them there in a build. */
function modelFiles(packageName: string, folder: string): Plugin {
  const place = dirname(createRequire(import.meta.url).resolve(`${packageName}/package.json`));
  const names = async () => {
    const { files } = JSON.parse(await readFile(join(place, "microturn.json"), "utf8"));
    const others: { path: string }[] = [...files.weights, files.tokenizer];
    return ["microturn.json", ...others.map(({ path }) => path)];
  };
  return {
    name: `model-files:${packageName}`,
    async configureServer({ middlewares }) {
      const known = await names();
      middlewares.use(`/${folder}`, (request, response, next) => {
        const name = decodeURIComponent((request.url ?? "").split("?")[0].slice(1));
        if (known.includes(name)) createReadStream(join(place, name)).pipe(response);
        else next();
      });
    },
    async generateBundle() {
      for (const name of await names()) {
        this.emitFile({ type: "asset", fileName: `${folder}/${name}`, source: await readFile(join(place, name)) });
      }
    },
  };
}
