// A browser starts no programs: stands in for node-stdio.ts there.

import { DuplexError } from "@microturn/core";

export function stdioTransport(): never {
  throw new DuplexError(
    "UNSUPPORTED",
    "connectMcp: expected Node for a server that is a program, got a browser; give the url of a server instead",
  );
}
