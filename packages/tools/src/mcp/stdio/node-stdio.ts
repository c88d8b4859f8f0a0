// The way to a server that is a program of this machine: a child process, spoken to by its standard input and output.

import { StdioClientTransport } from "@modelcontextprotocol/client/stdio";
import type { McpStdioServer } from "../connect-mcp.js";

/** @param onStderr - gets what the program writes to its standard error */
export function stdioTransport(
  { command, args = [], env = {}, cwd }: McpStdioServer,
  onStderr: (text: string) => void,
): StdioClientTransport {
  const transport = new StdioClientTransport({
    command,
    args: [...args],
    env: { ...env },
    stderr: "pipe",
    ...(cwd === undefined ? {} : { cwd }),
  });
  transport.stderr?.on("data", (chunk: Buffer) => onStderr(chunk.toString("utf8")));
  return transport;
}
