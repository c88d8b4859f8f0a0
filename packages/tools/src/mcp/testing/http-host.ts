// Serves something that answers web requests, such as the SDK's handler of MCP, on localhost.

import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { Readable } from "node:stream";

/** A server on a free port. */
export interface HttpHost {
  readonly url: string;
  /** Requests so far: `POST`, `DELETE` … */
  readonly methods: readonly string[];
  /** Ends it at once, whatever is under way. */
  close(): Promise<void>;
}

export async function httpHost(answer: (request: Request) => Promise<Response>): Promise<HttpHost> {
  const methods: string[] = [];
  const server = createServer((request, response) => {
    methods.push(request.method ?? "");
    pass(request, response, answer).catch(() => response.destroy());
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/mcp`,
    methods,
    async close() {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

async function pass(
  incoming: IncomingMessage,
  outgoing: ServerResponse,
  answer: (request: Request) => Promise<Response>,
): Promise<void> {
  const gone = new AbortController();
  outgoing.on("close", () => gone.abort());
  const chunks: Uint8Array[] = [];
  for await (const chunk of incoming) chunks.push(chunk);
  const request = new Request(`http://${incoming.headers.host}${incoming.url}`, {
    method: incoming.method ?? "GET",
    headers: Object.entries(incoming.headers).map(([name, value]): [string, string] => [name, String(value)]),
    body: chunks.length > 0 ? Buffer.concat(chunks) : null,
    signal: gone.signal,
  });
  const response = await answer(request);
  outgoing.writeHead(response.status, Object.fromEntries(response.headers));
  outgoing.flushHeaders();
  if (response.body === null) return void outgoing.end();
  Readable.fromWeb(response.body as import("node:stream/web").ReadableStream)
    .on("error", () => outgoing.destroy())
    .pipe(outgoing);
}
