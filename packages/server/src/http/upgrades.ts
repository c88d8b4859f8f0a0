// The server's place among the listeners of an HTTP server, and what becomes of an upgrade that it does not make.

import { type IncomingMessage, type Server, ServerResponse } from "node:http";
import type { Socket } from "node:net";
import type { Duplex } from "node:stream";

/** Listens before all who listen by now, and passes on to them what is not taken. @returns puts them back */
export function takeFrom<Arguments extends unknown[]>(
  server: Server,
  event: "request" | "upgrade",
  { take, refuse }: { take(...values: Arguments): boolean; refuse(...values: Arguments): void },
): () => void {
  const others = server.rawListeners(event) as ((...values: Arguments) => void)[];
  let attached = true;
  const listener = (...values: Arguments) => {
    if (attached && take(...values)) return;
    for (const other of others) other.apply(server, values);
    // What nobody answers would stay open.
    if (attached && others.length === 0 && server.listenerCount(event) === 1) refuse(...values);
  };
  const asListener = listener as (...values: unknown[]) => void;
  server.removeAllListeners(event);
  server.on(event, asListener);
  return () => {
    attached = false;
    // Where another has attached itself since, that one calls this one, which passes everything on.
    if (!server.listeners(event).includes(asListener)) return;
    server.off(event, asListener);
    for (const other of [...others].reverse()) server.prependListener(event, other as (...values: unknown[]) => void);
  };
}

/**
 * Answers a request as if it had not asked for another protocol, which a server may (RFC 9110, section 7.8): `Upgrade: h2c`, for
 * example. Node has let go of the connection by then, so it closes after the answer, and a body is not read.
 */
export function answerWithoutUpgrade(server: Server, request: IncomingMessage, socket: Duplex): void {
  const { headers } = request;
  if (headers["transfer-encoding"] !== undefined || Number(headers["content-length"] ?? 0) > 0) {
    refuseUpgrade(socket, 400, "Bad Request", "expected no body in a request that asks for an upgrade");
    return;
  }
  socket.on("error", () => socket.destroy());
  const response = new ServerResponse(request);
  response.shouldKeepAlive = false;
  response.assignSocket(socket as Socket);
  response.once("finish", () => socket.end(() => socket.destroy()));
  server.emit("request", request, response);
}

/** Whether a request asks for a WebSocket, and not for something else. */
export function asksForWebSocket({ headers }: IncomingMessage): boolean {
  return headers.upgrade?.toLowerCase() === "websocket";
}

/** Answers a request for an upgrade without one, and closes. */
export function refuseUpgrade(
  socket: Duplex,
  status: number,
  phrase: string,
  problem: string,
  headers: Record<string, string> = {},
): void {
  const body = `${JSON.stringify({ error: { message: problem } })}\n`;
  const lines = {
    "Content-Type": "application/json",
    "Content-Length": String(Buffer.byteLength(body)),
    Connection: "close",
    ...headers,
  };
  const head = Object.entries(lines).map(([name, value]) => `${name}: ${value}\r\n`);
  // A client that does not hang up would hold the socket, which is nobody else's to close any more.
  socket.once("finish", () => socket.destroy());
  socket.end(`HTTP/1.1 ${status} ${phrase}\r\n${head.join("")}\r\n${body}`);
}
