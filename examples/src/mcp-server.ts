// A small MCP server for mcp-tools.ts: a railway that knows when its trains leave, and would sell tickets too. Any server would do
// in its place, in any language; this one is a program that speaks by its standard input and output.

import { McpServer } from "@modelcontextprotocol/server";
import { serveStdio } from "@modelcontextprotocol/server/stdio";
import { z } from "zod";

const timetable = [
  { to: "Paris", leaves: "14:05", platform: 2 },
  { to: "Ulm", leaves: "14:20", platform: 7 },
  { to: "Paris", leaves: "16:05", platform: 3 },
];

serveStdio(() => {
  const server = new McpServer({ name: "railway", version: "1.0.0" });
  server.registerTool(
    "departures",
    {
      description: "When trains to a city leave, and from which platform; the next one first.",
      inputSchema: z.object({ to: z.string().describe("the city, in English") }),
      outputSchema: z.object({
        departures: z.array(z.object({ to: z.string(), leaves: z.string(), platform: z.number() })),
      }),
      annotations: { readOnlyHint: true },
    },
    ({ to }) => {
      const departures = timetable.filter((train) => train.to.toLowerCase() === to.toLowerCase());
      return {
        structuredContent: { departures },
        content: [{ type: "text", text: JSON.stringify({ departures }) }],
      };
    },
  );
  server.registerTool(
    "buy_ticket",
    { description: "Buys a ticket, always the dearest.", inputSchema: z.object({ to: z.string() }) },
    ({ to }) => ({ content: [{ type: "text", text: `bought a ticket to ${to} for 300 euros` }] }),
  );
  return server;
});
