// The program's entry: real streams, and Ctrl-C that stops cleanly the first time and at once the second time.

import { exitCodes } from "./failure.js";
import { main } from "./main.js";

const stop = new AbortController();
process.on("SIGINT", () => {
  if (stop.signal.aborted) process.exit(exitCodes.stopped);
  stop.abort();
});
process.on("SIGTERM", () => stop.abort());

const { stdin, stdout, stderr } = process;
process.exitCode = await main(process.argv.slice(2), { stdin, stdout, stderr, stop: stop.signal });
// A pipe on stdin that nobody closes would keep the process alive.
stdin.destroy();
