// The version of this package, read from its own package.json.

import { readFileSync } from "node:fs";
import { createRequire } from "node:module";

/** For example `0.1.0`. */
export function version(): string {
  const path = createRequire(import.meta.url).resolve("microturn/package.json");
  const { version: found } = JSON.parse(readFileSync(path, "utf8")) as { version: string };
  return found;
}
