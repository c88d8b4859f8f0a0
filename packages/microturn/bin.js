#!/usr/bin/env node
// The program `microturn`. It stands outside the build so that npm finds it, and links it, in a fresh clone too.

import { existsSync } from "node:fs";

if (existsSync(new URL("dist/bin.js", import.meta.url))) await import("./dist/bin.js");
else {
  process.stderr.write("microturn: it is not built yet; run npm run build first\n");
  process.exitCode = 1;
}
