// What the sockets of a session may do to each other: a lost welcome, a connection that was replaced, a client that says nothing.

import { DuplexError } from "@microturn/core";
import { decodeServerMessage, MessageEncoder, type ServerMessage, type WelcomeMessage } from "@microturn/core/protocol";
import { type ScriptedEngineOptions, scriptedEngine } from "@microturn/core/testing";
import { afterEach, describe, expect, it, vi } from "vitest";
import { Admission } from "../admission/admission.js";
import { silentLogger } from "../log.js";
import { Metrics } from "../metrics.js";
import { defaultLimits, type ServedConnection, type ServerContext } from "../sessions/server-context.js";
import { type HeldSessions, MicroTurnConnection } from "./micro-turn-connection.js";

const encoder = new MessageEncoder();
type Resume = { readonly session: string; readonly token: string; readonly lastAnswer: number };
const hello = (resume?: Resume) =>
  encoder.client({
    ...{ kind: "hello", version: 1, seed: 0, temperature: 0, speech: "pcm16" },
    ...(resume === undefined ? {} : { resume }),
  });
const step = (sequence: number) =>
  encoder.client({
    ...{ kind: "step", sequence },
    input: { index: sequence, turns: 1, audio: new Float32Array(3200), images: [], text: [] },
  });

const settled = () => new Promise((resolve) => setTimeout(resolve, 0));

afterEach(() => {
  vi.useRealTimers();
});

function place(engineOptions: ScriptedEngineOptions = {}) {
  const engine = scriptedEngine(engineOptions);
  const admission = new Admission({ maxSessions: 4, turnDurationMs: 200, maxSlowShare: 1 });
  const context: ServerContext = {
    ...{ engine, admission, limits: defaultLimits, metrics: new Metrics(), log: silentLogger },
  };
  const sessions: HeldSessions = new Map();
  let decoded = 0;
  const connect = () => {
    const messages: ServerMessage[] = [];
    const state = { closed: undefined as number | undefined, destroyed: false, queuedBytes: 0 };
    const connection: ServedConnection = {
      get queuedBytes() {
        return state.queuedBytes;
      },
      send: (message) => messages.push(decodeServerMessage(message as Uint8Array)),
      sendText: () => {
        throw new Error("this wire has no text");
      },
      close: (code) => {
        state.closed ??= code;
      },
      destroy: () => {
        state.destroyed = true;
      },
    };
    const served = new MicroTurnConnection(connection, {
      ...{ context, sessions, principal: { subject: "test", id: "test" } },
      decodeImage: () => {
        decoded++;
        return { data: new Uint8Array(3 * 1000 * 2000), width: 1000, height: 2000 };
      },
    });
    const open = async (resume?: Resume) => {
      served.receive(hello(resume));
      await settled();
      return messages.at(-1) as WelcomeMessage;
    };
    return { served, messages, state, open };
  };
  return { connect, engine, admission, sessions, decoded: () => decoded };
}

describe("a session that goes on", () => {
  it("takes the client's token until a newer one has come, however many welcomes are lost", async () => {
    const { connect } = place();
    const { session, token } = await connect().open();
    let last = token;
    for (let lost = 0; lost < 4; lost++) {
      const welcome = await connect().open({ session, token, lastAnswer: -1 });
      expect(welcome.kind).toBe("welcome");
      last = welcome.token;
    }
    // Once a new one was shown, the old one is of no use to anybody.
    expect((await connect().open({ session, token: last, lastAnswer: -1 })).kind).toBe("welcome");
    expect(await connect().open({ session, token, lastAnswer: -1 })).toMatchObject({ code: "ACCESS_DENIED" });
  });

  it("hears nothing any more from a connection that was replaced", async () => {
    const { connect, sessions, engine } = place();
    const first = connect();
    const { session, token } = await first.open();
    const second = connect();
    await second.open({ session, token, lastAnswer: -1 });
    expect(first.state.closed).toBe(4001);
    first.served.receive(step(7));
    first.served.receive(new Uint8Array([0x77]));
    first.served.receive(encoder.client({ kind: "close" }));
    first.served.closed();
    second.served.receive(step(0));
    await settled();
    expect(second.messages.at(-1)).toMatchObject({ kind: "output", sequence: 0 });
    expect([sessions.size, engine.openSessions, second.state.closed]).toEqual([1, 1, undefined]);
  });

  it("is refused to one who has missed more answers than are kept, instead of going on with a hole", async () => {
    const { connect } = place();
    const first = connect();
    const { session, token } = await first.open();
    for (let sequence = 0; sequence < 20; sequence++) {
      first.served.receive(step(sequence));
      await settled();
    }
    first.served.closed();
    const late = connect();
    expect(await late.open({ session, token, lastAnswer: 2 })).toMatchObject({
      kind: "failure",
      code: "SESSION_CLOSED",
    });
    const intime = connect();
    await intime.open({ session, token, lastAnswer: 3 });
    expect(intime.messages.map((message) => ("sequence" in message ? message.sequence : message.kind))).toEqual([
      "welcome",
      ...Array.from({ length: 16 }, (_, i) => i + 4),
    ]);
  });
});

describe("a place", () => {
  it("is given back when the engine has closed the session, not before", async () => {
    const { connect, engine, admission } = place();
    let release = () => {};
    const open = engine.open.bind(engine);
    engine.open = async (options) => {
      const session = await open(options);
      const close = session.close.bind(session);
      session.close = () =>
        new Promise<void>((resolve) => {
          release = () => void close().then(resolve);
        });
      return session;
    };
    const { served, open: opened } = connect();
    await opened();
    served.receive(encoder.client({ kind: "close" }));
    await settled();
    expect([admission.open, engine.openSessions]).toEqual([1, 1]);
    release();
    await settled();
    expect([admission.open, engine.openSessions]).toEqual([0, 0]);
  });

  it("is given back when the engine cannot open, and when the client leaves meanwhile", async () => {
    const { connect, engine, admission } = place();
    const open = engine.open.bind(engine);
    engine.open = () => Promise.reject(new DuplexError("UNSUPPORTED", "no row"));
    expect(await connect().open()).toMatchObject({ kind: "failure", code: "UNSUPPORTED" });
    expect(admission.open).toBe(0);
    engine.open = open;
    const left = connect();
    left.served.receive(hello());
    left.served.closed();
    await settled();
    expect([admission.open, engine.openSessions]).toEqual([0, 0]);
  });
});

describe("a client", () => {
  it("that says no hello is not waited for", () => {
    vi.useFakeTimers();
    const { connect } = place();
    const { state, messages } = connect();
    vi.advanceTimersByTime(9_000);
    expect(state.closed).toBeUndefined();
    vi.advanceTimersByTime(2_000);
    expect(state.closed).toBe(1008);
    expect(messages).toMatchObject([{ kind: "failure", code: "PROTOCOL_VIOLATION" }]);
  });

  it("that asks for signs of life and reads none is cut", async () => {
    const { connect } = place();
    const { served, state, open } = connect();
    await open();
    state.queuedBytes = defaultLimits.maxQueuedBytes + 1;
    served.receive(encoder.client({ kind: "ping", id: 1 }));
    expect(state.destroyed).toBe(true);
  });

  it("that sends large pictures as JPEG without end keeps nobody else from being served", async () => {
    const { connect, decoded } = place();
    const { served, state, messages, open } = connect();
    await open();
    const image = { data: new Uint8Array(3), width: 1, height: 1, timeMs: 0 };
    for (let sequence = 0; sequence < 3; sequence++) {
      const bytes = encoder.client({
        ...{ kind: "step", sequence },
        input: {
          ...{ index: sequence, turns: 1, audio: new Float32Array(3200), text: [] },
          images: Array.from({ length: 16 }, () => image),
        },
      });
      // Each image: its coding, then 2 + 2 + 8 + 4 bytes, then 3 of data.
      for (let i = 0; i < 16; i++) bytes[bytes.length - 20 * (i + 1)] = 2;
      served.receive(bytes);
    }
    expect(decoded()).toBeLessThan(8);
    expect(state.closed).toBe(1008);
    expect(messages.at(-1)).toMatchObject({ kind: "failure", message: expect.stringContaining("megapixels") });
  });
});
