// What a user reads when something fails: one line with the code and the fix, and where it came from only on request.

import { DuplexError } from "@microturn/core";
import { UsageError } from "./command/usage-error.js";
import { printable } from "./run/turn-lines.js";

/** Exit codes of the program. */
export const exitCodes = { done: 0, failed: 1, usage: 2, stopped: 130 } as const;

/** One line about an error; with `verbose` also its stack and causes. */
export function failureText(error: unknown, verbose: boolean): string {
  const line = `microturn: ${reason(error)}`;
  if (!verbose) return line;
  const stacks: string[] = [];
  for (let at = error; at instanceof Error && stacks.length < 8; at = at.cause) stacks.push(at.stack ?? at.message);
  return [line, ...stacks].join("\n");
}

/** The exit code that an error ends the program with. */
export function exitCodeOf(error: unknown): number {
  if (error instanceof UsageError) return exitCodes.usage;
  if (DuplexError.is(error, "ABORTED")) return exitCodes.stopped;
  return exitCodes.failed;
}

function reason(error: unknown): string {
  if (DuplexError.is(error)) return `${error.code}: ${lines(error.message)}`;
  if (error instanceof UsageError) return error.message;
  if (!(error instanceof Error)) return printable(String(error));
  const { code, path } = error as NodeJS.ErrnoException;
  const where = path === undefined ? "" : ` ${printable(path)}`;
  if (code === "ENOENT") return `there is no file${where}; check the path`;
  if (code === "EISDIR") return `${where.trim() || "the path"} is a folder; name a file in it`;
  if (code === "EACCES" || code === "EPERM")
    return `no permission for${where}; choose another place or change its rights`;
  if (code === "ENOSPC") return `the disk is full${where === "" ? "" : ` at${where}`}; free some space`;
  return lines(error.message);
}

/** Keeps the line breaks of a message that lists several things, and nothing else that moves the cursor. */
function lines(text: string): string {
  return text.split("\n").map(printable).join("\n  ");
}
