import { defineConfig } from "tsup";

export default defineConfig({
  entry: [
    "src/ten-lines.ts",
    "src/live-microphone.ts",
    "src/fork-and-rewind.ts",
    "src/batch-of-sessions.ts",
    "src/hand-over.ts",
    "src/server-and-client.ts",
    "src/mcp-tools.ts",
    "src/mcp-server.ts",
  ],
  format: ["esm"],
  dts: false,
  clean: true,
  sourcemap: true,
  target: "node20",
  splitting: false,
  // Of the first kind an example has the one that it finds a key for; the other one brings its WebAssembly along in a file.
  external: [/^@ai-sdk\//, "node-sqlite3-wasm"],
});
