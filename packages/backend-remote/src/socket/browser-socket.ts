// The socket in a page: the platform's own. It sends no headers and does not tell why an upgrade was refused.

import type { MessageSocket, OpenSocket } from "./message-socket.js";

const goodbyeMs = 1000;

export const openSocket: OpenSocket = (request, handlers): MessageSocket => {
  const { url, protocols = [], headers = {} } = request;
  if (Object.keys(headers).length > 0) {
    throw new TypeError(
      `openSocket: a page cannot set headers (${Object.keys(headers).join(", ")}); keep keys on a server of yours, and give the page a short-lived token`,
    );
  }
  const socket = new WebSocket(url, [...protocols]);
  socket.binaryType = "arraybuffer";
  let told = false;
  let goodbye: ReturnType<typeof setTimeout> | undefined;
  const end = (code: number, reason: string) => {
    clearTimeout(goodbye);
    if (told) return;
    told = true;
    handlers.onClose({ code, reason });
  };
  socket.onopen = () => handlers.onOpen();
  socket.onmessage = ({ data }: MessageEvent<string | ArrayBuffer>) => {
    if (!told) handlers.onMessage(typeof data === "string" ? data : new Uint8Array(data));
  };
  socket.onclose = ({ code, reason }) => end(code, reason);
  return {
    get queuedBytes() {
      return socket.bufferedAmount;
    },
    send(message) {
      if (socket.readyState === WebSocket.OPEN) socket.send(message as string | Uint8Array<ArrayBuffer>);
    },
    close(code, reason) {
      if (socket.readyState >= WebSocket.CLOSING) return;
      // A page may give 1000 and 3000 … 4999 only.
      if (code === undefined || (code !== 1000 && code < 3000)) socket.close();
      else socket.close(code, reason);
      goodbye = setTimeout(() => end(1006, ""), goodbyeMs);
    },
    destroy() {
      // The platform has no way to end it without a word: it is asked to close, and not listened to any more.
      socket.close();
      queueMicrotask(() => end(1006, ""));
    },
  };
};
