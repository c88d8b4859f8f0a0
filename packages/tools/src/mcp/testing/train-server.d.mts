// What train-server.mjs has for those who import it.

import type { McpServer } from "@modelcontextprotocol/server";

export function trainServer(): McpServer;

/** Calls of `wait` so far in this process, and those that were cancelled. */
export const waits: { readonly begun: number; readonly cancelled: number };
