// The program: reads the command line, runs the command, turns what went wrong into a line and an exit code.

import { DuplexError } from "@microturn/core";
import { type Command, readCommandLine } from "./command/command-line.js";
import { runDemo } from "./demo/demo.js";
import { runDoctor } from "./doctor/doctor.js";
import { exitCodeOf, exitCodes, failureText } from "./failure.js";
import type { Io } from "./io.js";
import { runConversation } from "./run/run.js";
import { runServe } from "./serve/serve.js";
import { version } from "./version.js";

/**
 * Runs `microturn` with arguments.
 *
 * @param args - without the program's own name
 * @returns the exit code: 0 done, 1 failed, 2 the command line cannot be followed, 130 stopped by Ctrl-C
 */
export async function main(args: readonly string[], io: Io): Promise<number> {
  // Without a listener, a stream whose reader left (`microturn … | head`) ends the program in the middle of its work.
  let broken: NodeJS.ErrnoException | undefined;
  io.stdout.on("error", (error) => {
    broken ??= error;
  });
  io.stderr.on("error", () => {});
  const code = await follow(args, io);
  // A full disk is told some time after the write that met it, and last to the callback of a later one.
  await new Promise<void>((resolve) => {
    if (broken === undefined) io.stdout.write("", () => setImmediate(resolve));
    else resolve();
  });
  if (code !== exitCodes.done || broken === undefined || broken.code === "EPIPE") return code;
  io.stderr.write(`${failureText(broken, false)}\n`);
  return exitCodes.failed;
}

async function follow(args: readonly string[], io: Io): Promise<number> {
  let command: Command;
  try {
    command = readCommandLine(args);
  } catch (error) {
    io.stderr.write(`${failureText(error, false)}\n`);
    return exitCodeOf(error);
  }
  try {
    switch (command.name) {
      case "help":
        io.stdout.write(command.text);
        return exitCodes.done;
      case "version":
        io.stdout.write(`${version()}\n`);
        return exitCodes.done;
      case "run":
        return await runConversation(command.options, io);
      case "demo":
        return await runDemo(command.options, io);
      case "serve":
        return await runServe(command.options, io);
      case "doctor":
        return await runDoctor(command.options, io);
    }
  } catch (error) {
    if (io.stop.aborted && DuplexError.is(error, "ABORTED")) {
      io.stderr.write("microturn: stopped before it was done\n");
      return exitCodes.stopped;
    }
    const verbose = "options" in command && command.options.verbose;
    io.stderr.write(`${failureText(error, verbose)}\n`);
    return exitCodeOf(error);
  }
}
