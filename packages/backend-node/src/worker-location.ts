// Where the worker's file is: beside this module once built; in the package's build when the sources are run by tests.

import { existsSync } from "node:fs";

/** URL of a built file of this package, by its name in `dist`. */
export function builtFile(name: string): URL {
  const beside = new URL(name, import.meta.url);
  return existsSync(beside) ? beside : new URL(`../dist/${name}`, import.meta.url);
}
