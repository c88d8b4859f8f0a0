// The socket in Node, by `ws`: it sets headers, tells why an upgrade was refused, bounds what it takes, and notices a peer that is gone
// without a word.

import type { IncomingMessage } from "node:http";
import { WebSocket } from "ws";
import type { MessageSocket, OpenSocket, SocketEnd } from "./message-socket.js";

const defaultMaxBytes = 16 * 1024 * 1024;
const goodbyeMs = 1000;
const maxBodyLength = 2000;
/** Pings (RFC 6455, section 5.5.2) that a peer may leave unanswered, one after the other, and how far they are apart, ms. */
const maxUnanswered = 3;
const pingMs = 5000;

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
  let stopPinging = () => {};
  socket.binaryType = "nodebuffer";
  // Small messages at a steady pace: none may wait for the next.
  socket.on("upgrade", (response) => response.socket.setNoDelay(true));
  socket.on("open", () => {
    stopPinging = pingRegularly(socket, (error) => {
      cause ??= error;
    });
    handlers.onOpen();
  });
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
    stopPinging();
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

/** Ends a connection whose other end does not live: by count, not by time, so that one is not blamed for a process that slept. */
function pingRegularly(socket: WebSocket, onDead: (error: Error) => void): () => void {
  let unanswered = 0;
  const lives = () => {
    unanswered = 0;
  };
  socket.on("message", lives);
  socket.on("pong", lives);
  const timer = setInterval(() => {
    if (unanswered === maxUnanswered) {
      onDead(new Error(`no sign of life for ${(maxUnanswered * pingMs) / 1000} s`));
      socket.terminate();
      return;
    }
    unanswered++;
    socket.ping(() => {});
  }, pingMs);
  timer.unref();
  return () => clearInterval(timer);
}

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
