// The socket in Node, by `ws`: it sets headers, tells why an upgrade was refused, and bounds what it takes.

import type { IncomingMessage } from "node:http";
import { WebSocket } from "ws";
import type { MessageSocket, OpenSocket, SocketEnd } from "./message-socket.js";

const defaultMaxBytes = 16 * 1024 * 1024;
const goodbyeMs = 1000;
const maxBodyLength = 2000;

export const openSocket: OpenSocket = (request, handlers): MessageSocket => {
  const { url, protocols = [], headers = {}, maxMessageBytes = defaultMaxBytes } = request;
  const socket = new WebSocket(url, [...protocols], {
    headers: { ...headers },
    maxPayload: maxMessageBytes,
    perMessageDeflate: false,
  });
  let refusal: Partial<SocketEnd> = {};
  let cause: unknown;
  let goodbye: ReturnType<typeof setTimeout> | undefined;
  socket.binaryType = "nodebuffer";
  // Small messages at a steady pace: none may wait for the next.
  socket.on("upgrade", (response) => response.socket.setNoDelay(true));
  socket.on("open", () => handlers.onOpen());
  socket.on("message", (data: Buffer, isBinary) => handlers.onMessage(isBinary ? data : data.toString("utf8")));
  socket.on("error", (error) => {
    cause ??= error;
  });
  socket.on("unexpected-response", (_request, response) => {
    void readRefusal(response).then((told) => {
      refusal = told;
      socket.terminate();
    });
  });
  socket.on("close", (code, reason) => {
    clearTimeout(goodbye);
    handlers.onClose({ code, reason: reason.toString("utf8"), ...refusal, ...(cause === undefined ? {} : { cause }) });
  });
  return {
    get queuedBytes() {
      return socket.bufferedAmount;
    },
    send(message) {
      if (socket.readyState === WebSocket.OPEN) socket.send(message, () => {});
    },
    close(code, reason) {
      if (socket.readyState >= WebSocket.CLOSING) return;
      socket.close(code, reason);
      goodbye = setTimeout(() => socket.terminate(), goodbyeMs);
      goodbye.unref();
    },
    destroy() {
      socket.terminate();
    },
  };
};

async function readRefusal(response: IncomingMessage): Promise<Partial<SocketEnd>> {
  let body = "";
  try {
    response.setEncoding("utf8");
    for await (const piece of response) {
      body += piece;
      if (body.length >= maxBodyLength) break;
    }
  } catch {
    // The status says enough.
  }
  const retryAfterS = Number(response.headers["retry-after"]);
  return {
    status: response.statusCode ?? 0,
    body: body.slice(0, maxBodyLength),
    ...(retryAfterS >= 0 ? { retryAfterS } : {}),
  };
}
