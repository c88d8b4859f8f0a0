import { defineConfig } from "tsup";

const entry = {
  index: "src/index.ts",
  worker: "src/worker/index.ts",
  bullmq: "src/bullmq/index.ts",
  "mcp/index": "src/mcp/index.ts",
};

export default defineConfig({
  // How an MCP server that is a program is started is chosen by the "imports" of package.json, by whoever bundles or runs.
  entry: {
    ...entry,
    "mcp/stdio/node-stdio": "src/mcp/stdio/node-stdio.ts",
    "mcp/stdio/browser-stdio": "src/mcp/stdio/browser-stdio.ts",
  },
  format: ["esm"],
  dts: { entry, banner: '/// <reference lib="esnext.disposable" />' },
  clean: true,
  sourcemap: true,
  target: "es2022",
  splitting: true,
  external: ["#mcp-stdio"],
});
