// Looks at a tool once, when the table is made: a mistake in it shows before anybody talks, and not in the middle of a call.

import { type ReadSchema, readSchema } from "../schema/read-schema.js";
import type { Tool } from "../tool.js";

/** A tool with its schemas read and its limits known. */
export interface ReadTool {
  readonly tool: Tool;
  readonly input: ReadSchema;
  readonly output: ReadSchema | undefined;
  readonly limits: ToolLimits;
}

/** The limits of a tool, defaults applied. */
export interface ToolLimits {
  readonly timeoutMs: number;
  readonly maxDurationMs: number;
  readonly concurrency: number;
  readonly maxResultBytes: number;
}

/**
 * @throws TypeError if the tool's name or a schema of it cannot be used
 * @throws RangeError if a limit is out of its range
 */
export function readTool(name: string, tool: Tool): ReadTool {
  if (!/^[A-Za-z0-9_-]{1,64}$/.test(name)) {
    throw new TypeError(
      `tool ${JSON.stringify(name)}: expected a name of letters, digits, _ and -, at most 64 of them`,
    );
  }
  const { timeoutMs = 30_000, maxDurationMs = 600_000, concurrency = 8, maxResultBytes = 65_536, retry } = tool;
  const limits = { timeoutMs, maxDurationMs, concurrency, maxResultBytes };
  for (const [limit, value] of Object.entries(limits)) {
    if (!(value > 0)) throw new RangeError(`tool ${name}: expected ${limit} above 0, got ${value}`);
  }
  if (concurrency < 1) throw new RangeError(`tool ${name}: expected concurrency of at least 1, got ${concurrency}`);
  if (retry !== undefined && !(Number.isInteger(retry.attempts) && retry.attempts >= 1 && retry.attempts <= 10)) {
    throw new RangeError(`tool ${name}: expected retry.attempts from 1 to 10, got ${retry.attempts}`);
  }
  if (retry?.delayMs !== undefined && !(retry.delayMs >= 0)) {
    throw new RangeError(`tool ${name}: expected retry.delayMs of at least 0, got ${retry.delayMs}`);
  }
  const input = readNamed(name, "inputSchema", tool.inputSchema);
  const output = tool.outputSchema === undefined ? undefined : readNamed(name, "outputSchema", tool.outputSchema);
  return { tool, input, output, limits };
}

function readNamed(name: string, field: string, schema: Tool["inputSchema"]): ReadSchema {
  try {
    return readSchema(schema, { input: field === "inputSchema" });
  } catch (error) {
    throw new TypeError(`tool ${name}: ${field} cannot be used: ${(error as Error).message}`, { cause: error });
  }
}
