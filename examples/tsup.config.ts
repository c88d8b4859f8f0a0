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
    "src/weather-by-voice.ts",
    "src/to-do-list.ts",
    "src/watch-the-screen.ts",
  ],
  format: ["esm"],
  dts: false,
  clean: true,
  sourcemap: true,
  target: "node20",
  splitting: false,
  // Of the first an example has the one that it finds a key for; the others are CommonJS, one with its WebAssembly in a file.
  external: [/^@ai-sdk\//, "jpeg-js", "node-sqlite3-wasm"],
});
