// What the client of our server makes of a connection that does not do what it should. The socket is under the test's control.

import { DuplexError, type EngineCapabilities, type TurnInput } from "@microturn/core";
import { decodeClientMessage, MessageEncoder, type ServerMessage } from "@microturn/core/protocol";
import { FakeClock } from "@microturn/core/testing";
import { describe, expect, it } from "vitest";
import type { OpenSocket, SocketEnd, SocketHandlers } from "../socket/message-socket.js";
import { type MicroturnEngineOptions, microturnEngine } from "./micro-turn-engine.js";

const encoder = new MessageEncoder();
const capabilities: EngineCapabilities = {
  ...{ turnDurationMs: 200, inputSampleRate: 16_000, outputSampleRate: 16_000, maxSessions: 4 },
  ...{ inputs: ["audio"], outputs: ["audio"], saysText: false, hearsText: false, decisions: true },
  ...{ delegation: false, snapshots: false, deterministic: true, truncates: false },
};
const limits = { graceMs: 30_000, idleTimeoutMs: 30_000, maxSessionMs: 0 };
const welcome = (lastStep?: number): ServerMessage => ({
  ...{ kind: "welcome", version: 1, session: "s", token: "t", capabilities, ...limits },
  ...(lastStep === undefined ? {} : { lastStep }),
});
const input = (index: number): TurnInput => ({
  ...{ index, turns: 1, audio: new Float32Array(3200), images: [], text: [] },
});

function place(options: Partial<MicroturnEngineOptions> = {}) {
  const clock = new FakeClock();
  const sockets: { handlers: SocketHandlers; sent: string[]; say(message: ServerMessage): void; over: boolean }[] = [];
  const openSocket: OpenSocket = (_request, handlers) => {
    const socket = {
      ...{ handlers, sent: [] as string[], over: false },
      say: (message: ServerMessage) => handlers.onMessage(encoder.server(message)),
    };
    sockets.push(socket);
    const end = (reason: SocketEnd) => {
      if (socket.over) return;
      socket.over = true;
      queueMicrotask(() => handlers.onClose(reason));
    };
    return {
      queuedBytes: 0,
      send: (message) => socket.sent.push(decodeClientMessage(message as Uint8Array).kind),
      close: () => end({ code: 1000, reason: "" }),
      destroy: () => end({ code: 1006, reason: "" }),
    };
  };
  const engine = microturnEngine({ url: "ws://nowhere", clock, openSocket, ...options });
  const opened = async () => {
    const opening = engine.open();
    await clock.advance(0);
    sockets[0].handlers.onOpen();
    sockets[0].say(welcome());
    return opening;
  };
  return { clock, sockets, engine, opened };
}

describe("microturnEngine", () => {
  it("gives a connection that is being made all of connectTimeoutMs, while a step waits", async () => {
    const { clock, sockets, opened } = place();
    const session = await opened();
    sockets[0].handlers.onClose({ code: 1006, reason: "" });
    const answer = session.step(input(0));
    await clock.advance(9_000);
    expect(sockets).toHaveLength(2);
    expect(sockets[1].over).toBe(false);
    sockets[1].handlers.onOpen();
    sockets[1].say(welcome(-1));
    expect(sockets[1].sent).toEqual(["hello", "step"]);
    const timing = { encodeMs: 0, waitMs: 0, runMs: 1, decodeMs: 0 };
    const output = { decision: "listen", speech: new Float32Array(3200), text: "", heard: "", timing } as const;
    sockets[1].say({ kind: "output", sequence: 0, output });
    expect((await answer).decision).toBe("listen");
  });

  it("does not send again and again what a server found too large or too much", async () => {
    for (const code of [1008, 1009]) {
      const { clock, sockets, opened } = place();
      const session = await opened();
      const answer = session.step(input(0)).catch((error: DuplexError) => error);
      sockets[0].handlers.onClose({ code, reason: "more than 1048576 bytes" });
      await clock.advance(1_000);
      expect(sockets).toHaveLength(1);
      expect(await answer).toMatchObject({
        code: "PROTOCOL_VIOLATION",
        message: expect.stringContaining("more than 1048576 bytes"),
      });
    }
  });

  it("loads for one who waits though another, who asked first, has given up", async () => {
    const { clock, sockets, engine } = place();
    const abort = new AbortController();
    const first = engine.load({ signal: abort.signal }).catch((error: DuplexError) => error.code);
    const second = engine.load();
    await clock.advance(0);
    abort.abort();
    expect(await first).toBe("ABORTED");
    await clock.advance(0);
    expect(sockets).toHaveLength(2);
    sockets[1].handlers.onOpen();
    sockets[1].say(welcome());
    expect((await second).turnDurationMs).toBe(200);
  });

  it("says what is wrong with a token that cannot travel, and not what it is", async () => {
    for (const token of ['{"token":"secret-1"}', "secret-1\n", ""]) {
      const { engine, sockets } = place({ token: () => token });
      const error = await engine.open().catch((reason: unknown) => reason);
      expect(DuplexError.is(error, "ACCESS_DENIED")).toBe(true);
      expect(String(error)).not.toContain("secret-1");
      expect(sockets).toHaveLength(0);
    }
  });
});
