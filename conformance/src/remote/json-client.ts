// A client of the JSON wire that says what a test says, and keeps what it is told.

import { WebSocket } from "ws";
import type { Json } from "./recorded-service.js";

/** Connects. @param url - of the server, `http:` or `ws:`, without a path */
export function jsonClient(url: string, key: string) {
  const headers = { Authorization: `Bearer ${key}` };
  const socket = new WebSocket(`${url.replace("http", "ws")}/v1/realtime`, { headers });
  const told: Json[] = [];
  /** The code with which it was closed; 0 before. */
  const end = { code: 0 };
  socket.on("error", () => {});
  socket.on("close", (code) => {
    end.code = code;
  });
  socket.on("message", (data) => told.push(JSON.parse(String(data))));
  return {
    ...{ socket, told, end },
    say: (event: object) => socket.send(JSON.stringify(event)),
    of: (type: string) => told.filter((event) => event.type === type),
  };
}
