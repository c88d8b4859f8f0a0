// What a command may touch of the world: streams and a way to be stopped. Tests pass their own.

import type { Readable } from "node:stream";

/** A stream that text or bytes go to. */
export interface Output {
  write(chunk: string | Uint8Array, callback?: (error?: Error | null) => void): boolean;
  on(event: "error", listener: (error: Error) => void): unknown;
  readonly isTTY?: boolean;
  readonly columns?: number;
}

/** The world of a command. */
export interface Io {
  /** With the number of what it reads, where it has one. */
  readonly stdin: Readable & { readonly fd?: number };
  readonly stdout: Output;
  readonly stderr: Output;
  /** Fires on Ctrl-C: stop taking input, keep what was produced, end. */
  readonly stop: AbortSignal;
}

/** Wraps text for a stream: colour on a terminal, none in a file or with NO_COLOR. */
export interface Ink {
  readonly dim: (text: string) => string;
  readonly bold: (text: string) => string;
  readonly user: (text: string) => string;
  readonly assistant: (text: string) => string;
  readonly bad: (text: string) => string;
}

/** Ink for a stream. */
export function inkFor(stream: Output): Ink {
  const colour = stream.isTTY === true && process.env.NO_COLOR === undefined;
  const wrap = (open: number, close: number) => (text: string) =>
    colour && text !== "" ? `\u001b[${open}m${text}\u001b[${close}m` : text;
  return { dim: wrap(2, 22), bold: wrap(1, 22), user: wrap(34, 39), assistant: wrap(33, 39), bad: wrap(31, 39) };
}
