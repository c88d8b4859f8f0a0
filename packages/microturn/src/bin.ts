// The program's entry: real streams, and signals that stop cleanly the first time and at once the second time.

import { exitCodes } from "./failure.js";
import { main } from "./main.js";

const stop = new AbortController();
// Ctrl-C, the usual request to end, and a terminal that was closed.
for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) {
  process.on(signal, () => {
    if (stop.signal.aborted) process.exit(exitCodes.stopped);
    stop.abort();
  });
}

const { stdin, stdout, stderr } = process;
process.exitCode = await main(process.argv.slice(2), { stdin, stdout, stderr, stop: stop.signal });
// A pipe on stdin that nobody closes would keep the process alive.
stdin.destroy();
