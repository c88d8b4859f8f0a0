// What a server does with strangers: raw sockets, broken messages, floods, slow readers. A scripted engine stands for the model.

import { createServer as createHttpServer } from "node:http";
import { connect } from "node:net";
import { DuplexError } from "@microturn/core";
import { decodeServerMessage, MessageEncoder, type ServerMessage, type WelcomeMessage } from "@microturn/core/protocol";
import { scriptedEngine } from "@microturn/core/testing";
import { afterEach, describe, expect, it } from "vitest";
import { WebSocket } from "ws";
import { createServer, createToken, type Logger, type MicroturnServer, type ServerOptions } from "./index.js";

const secret = "a secret for tests that is long enough to sign with";
const encoder = new MessageEncoder();
const hello = encoder.client({ kind: "hello", version: 1, seed: 0, temperature: 0, speech: "pcm16" });
const step = (sequence: number, turns = 1) =>
  encoder.client({
    ...{ kind: "step", sequence },
    input: { index: sequence, turns, audio: new Float32Array(3200 * turns), images: [], text: [] },
  });

const open: MicroturnServer[] = [];
afterEach(async () => {
  await Promise.all(open.splice(0).map((server) => server.close()));
});

async function serve(options: Partial<ServerOptions> = {}) {
  const engine = scriptedEngine({
    script: () => ({ decision: "speak", speech: 0.25, text: "hello" }),
    keepSteps: false,
  });
  const lines: object[] = [];
  const note = (fields: object, message: string) => lines.push({ ...fields, message });
  const log: Logger = { info: note, warn: note, error: note };
  const server = createServer({ engine, auth: "none", log, maxSessions: 4, ...options });
  open.push(server);
  const { url, port } = await server.listen({ port: 0 });
  await server.ready;
  return { server, engine, url, port, lines };
}

/** A raw client: what it sends is up to the test. */
async function client(
  port: number,
  { protocols = ["microturn.v1"], ...options }: { protocols?: string[]; headers?: Record<string, string> } = {},
) {
  const socket = new WebSocket(`ws://127.0.0.1:${port}/v1/micro-turn`, protocols, options);
  const messages: ServerMessage[] = [];
  const closed = new Promise<{ code: number; reason: string }>((resolve) => {
    socket.on("close", (code, reason) => resolve({ code, reason: reason.toString() }));
  });
  const status = new Promise<number>((resolve) => {
    socket.on("unexpected-response", (_request, response) => resolve(response.statusCode ?? 0));
    socket.on("open", () => resolve(101));
  });
  socket.on("message", (data: Buffer) => messages.push(decodeServerMessage(data)));
  socket.on("error", () => {});
  const answered = await status;
  return {
    socket,
    messages,
    closed,
    status: answered,
    until: (count: number) => until(() => messages.length >= count),
  };
}

async function until(condition: () => boolean): Promise<void> {
  while (!condition()) await new Promise((resolve) => setTimeout(resolve, 5));
}

describe("createServer", () => {
  it("wants an engine or a backend and a model, and a way to tell who may connect", () => {
    expect(() => createServer({ auth: "none" })).toThrow(TypeError);
    const engine = scriptedEngine();
    expect(() => createServer({ engine, auth: {} })).toThrow(/apiKeys, a secret/);
    expect(() => createServer({ engine, auth: { secret: "short" } })).toThrow(/32 bytes/);
  });

  it("refuses bounds that are none", () => {
    const engine = scriptedEngine();
    for (const maxSessions of [0, -1, 1.5, Number.NaN]) {
      expect(() => createServer({ engine, auth: "none", maxSessions }), String(maxSessions)).toThrow(RangeError);
    }
    const wrong = [
      { maxSessionMs: Number.POSITIVE_INFINITY },
      { graceMs: Number.NaN },
      { idleTimeoutMs: 0 },
      { maxSlowShare: 1.5 },
      { maxMessagesPerSecond: -1 },
    ];
    for (const limits of wrong) {
      expect(() => createServer({ engine, auth: "none", limits }), JSON.stringify(limits)).toThrow(RangeError);
    }
  });

  it("answers a hello, steps, pings and a close", async () => {
    const { port, engine, server } = await serve();
    const { socket, messages, until: come, closed } = await client(port);
    socket.send(hello);
    socket.send(encoder.client({ kind: "ping", id: 5 }));
    await come(2);
    for (let sequence = 0; sequence < 3; sequence++) {
      socket.send(step(sequence));
      await come(3 + sequence);
    }
    expect(messages.map(({ kind }) => kind).sort()).toEqual(["output", "output", "output", "pong", "welcome"]);
    expect(engine.openSessions).toBe(1);
    socket.send(encoder.client({ kind: "close" }));
    expect(await closed).toEqual({ code: 1000, reason: "closed" });
    await until(() => engine.openSessions === 0 && server.openSessions === 0);
  });

  it("shares a port with an application's own HTTP server", async () => {
    const { server } = await serve();
    const app = createHttpServer((request, response) => {
      if (request.url === "/app") response.end("app");
    });
    const detach = server.attach(app);
    await new Promise<void>((resolve) => app.listen(0, "127.0.0.1", resolve));
    const { port } = app.address() as { port: number };
    expect(await (await fetch(`http://127.0.0.1:${port}/app`)).text()).toBe("app");
    expect(await (await fetch(`http://127.0.0.1:${port}/healthz`)).json()).toEqual({ status: "ok" });
    const { socket, until: come } = await client(port);
    socket.send(hello);
    await come(1);
    socket.terminate();
    detach();
    await new Promise<void>((resolve) => app.close(() => resolve()));
  });

  it("takes its own paths from an application whose listeners answer and cut everything, and leaves it the others", async () => {
    const { server } = await serve();
    const app = createHttpServer((_request, response) => response.writeHead(404).end("app"));
    app.on("upgrade", (_request, socket) => socket.end("HTTP/1.1 418 I'm a teapot\r\n\r\n"));
    const detach = server.attach(app);
    await new Promise<void>((resolve) => app.listen(0, "127.0.0.1", resolve));
    const { port } = app.address() as { port: number };
    const get = async (path: string) => (await fetch(`http://127.0.0.1:${port}${path}`)).status;
    const upgradeOf = async (path: string) => {
      const socket = new WebSocket(`ws://127.0.0.1:${port}${path}`);
      socket.on("error", () => {});
      const status = await new Promise<number>((resolve) => {
        socket.on("unexpected-response", (_request, response) => resolve(response.statusCode ?? 0));
        socket.on("open", () => resolve(101));
      });
      socket.terminate();
      return status;
    };
    expect([await get("/healthz"), await get("/app")]).toEqual([200, 404]);
    expect([await upgradeOf("/v1/micro-turn"), await upgradeOf("/app")]).toEqual([101, 418]);
    detach();
    expect([await get("/healthz"), await upgradeOf("/v1/micro-turn")]).toEqual([404, 418]);
    await new Promise<void>((resolve) => app.close(() => resolve()));
  });

  it("answers a request for HTTP/2 by its old connection as if it had not asked, also in an application", async () => {
    const { server, port } = await serve();
    const ask = (at: number, path: string, more = "") => answerOf(at, `${requestOfHttp2(path)}${more}\r\n`);
    expect(await ask(port, "/healthz")).toMatch(/^HTTP\/1.1 200 OK.*connection: close.*{"status":"ok"}/is);
    expect(await ask(port, "/nothing")).toMatch(/^HTTP\/1.1 404 /);
    expect(await ask(port, "/healthz", "Content-Length: 3\r\n")).toMatch(/^HTTP\/1.1 400 .*no body/s);
    expect(await answerOf(port, upgrade.replace("/v1/micro-turn", "/nothing"))).toMatch(/^HTTP\/1.1 404 /);
    const app = createHttpServer((_request, response) => response.end("app"));
    const detach = server.attach(app);
    await new Promise<void>((resolve) => app.listen(0, "127.0.0.1", resolve));
    const { port: appPort } = app.address() as { port: number };
    expect(await ask(appPort, "/healthz")).toContain('{"status":"ok"}');
    expect(await ask(appPort, "/app")).toMatch(/^HTTP\/1.1 200 OK.*app/s);
    detach();
    await new Promise<void>((resolve) => app.close(() => resolve()));
  });

  it("closes at once, though a client that was refused holds its side of the connection open", async () => {
    const { port, server } = await serve({ auth: { secret } });
    const raw = connect({ port, host: "127.0.0.1", allowHalfOpen: true });
    raw.on("error", () => {});
    raw.write(upgrade);
    const answer = await new Promise<string>((resolve) => raw.once("data", (data) => resolve(String(data))));
    expect(answer).toContain("401 Unauthorized");
    const startMs = performance.now();
    await server.close();
    expect(performance.now() - startMs).toBeLessThan(5000);
    raw.destroy();
  });

  it("tells a client that comes back while it drains, too, and lets it go on until then", async () => {
    const { server, port } = await serve();
    const first = await client(port);
    first.socket.send(hello);
    await first.until(1);
    const { session, token } = first.messages[0] as WelcomeMessage;
    first.socket.terminate();
    await until(() => first.socket.readyState === WebSocket.CLOSED);
    const drained = server.drain({ withinMs: 3000 });
    const again = await client(port);
    again.socket.send(
      encoder.client({
        ...{ kind: "hello", version: 1, seed: 0, temperature: 0, speech: "pcm16" },
        resume: { session, token, lastAnswer: -1 },
      }),
    );
    again.socket.send(step(0));
    await again.until(3);
    expect(again.messages.map(({ kind }) => kind).sort()).toEqual(["draining", "output", "welcome"]);
    again.socket.send(encoder.client({ kind: "close" }));
    await drained;
    expect(server.openSessions).toBe(0);
  });

  it("does not blame the model when it is closed while that is being loaded, but does when that fails before", async () => {
    const lines: string[] = [];
    const note = (_fields: object, message: string) => void lines.push(message);
    const log: Logger = { info: note, warn: note, error: note };
    const taken = createHttpServer();
    await new Promise<void>((resolve) => taken.listen(0, "127.0.0.1", resolve));
    const { port } = taken.address() as { port: number };
    for (const where of [{ port }, { port: 0, host: "192.0.2.1" }]) {
      let giveUp = (_error: Error) => {};
      const load = () => new Promise<never>((_resolve, reject) => (giveUp = reject));
      const server = createServer({ engine: { ...scriptedEngine(), load }, auth: "none", log });
      await expect(server.listen(where)).rejects.toMatchObject({ code: "NETWORK_FAILED" });
      await server.close();
      giveUp(new DuplexError("SESSION_CLOSED", "the engine is closed"));
      await expect(server.ready).rejects.toMatchObject({ code: "SESSION_CLOSED" });
    }
    taken.close();
    expect(lines).toEqual([]);
    const load = () => Promise.reject(new DuplexError("MODEL_INVALID", "no such model"));
    const server = createServer({ engine: { ...scriptedEngine(), load }, auth: "none", log });
    await expect(server.ready).rejects.toMatchObject({ code: "MODEL_INVALID" });
    await server.close();
    expect(lines).toEqual(["the model could not be loaded"]);
  });

  it("counts in the text format of Prometheus", async () => {
    const { port, url } = await serve();
    const { socket, until: come } = await client(port);
    socket.send(hello);
    await come(1);
    socket.send(step(0));
    await come(2);
    const response = await fetch(`${url}/metrics`);
    expect(response.headers.get("content-type")).toMatch(/^text\/plain/);
    const text = await response.text();
    expect(text).toContain('microturn_sessions{state="connected"} 1');
    expect(text).toContain('microturn_sessions_opened_total{wire="micro-turn"} 1');
    expect(text).toContain("microturn_steps_total 1");
    expect(text).toMatch(/microturn_socket_bytes_total\{wire="micro-turn",direction="out"\} [1-9]/);
    socket.terminate();
  });
});

describe("access", () => {
  it("refuses who shows nothing, a wrong key, or an old token, with 401, and tells the log no secret", async () => {
    const { port, lines } = await serve({ auth: { apiKeys: ["right"], secret } });
    expect((await client(port)).status).toBe(401);
    expect((await client(port, { headers: { authorization: "Bearer wrong-key-9" } })).status).toBe(401);
    const token = await createToken({ secret: `${secret} of another` });
    expect((await client(port, { protocols: ["microturn.v1", `microturn-token.${token}`] })).status).toBe(401);
    const accepted = await client(port, { headers: { authorization: "Bearer right" } });
    expect(accepted.status).toBe(101);
    accepted.socket.terminate();
    const text = JSON.stringify(lines);
    for (const shown of ["wrong-key-9", "right", token]) expect(text).not.toContain(`"${shown}`);
    expect(text).not.toContain("    at ");
  });

  it("lets a page in by token, from the origins that it names, and echoes no token", async () => {
    const { port } = await serve({ auth: { secret }, origins: ["https://app.example"] });
    const protocols = async (origins?: string[]) => [
      "microturn.v1",
      `microturn-token.${await createToken({ secret, ...(origins === undefined ? {} : { origins }) })}`,
    ];
    const from = (origin: string) => ({ headers: { origin } });
    const right = await client(port, { protocols: await protocols(), ...from("https://app.example") });
    expect([right.status, right.socket.protocol]).toEqual([101, "microturn.v1"]);
    right.socket.terminate();
    expect((await client(port, { protocols: await protocols(), ...from("https://evil.example") })).status).toBe(403);
    const own = await client(port, {
      protocols: await protocols(["https://own.example"]),
      ...from("https://own.example"),
    });
    expect(own.status).toBe(101);
    own.socket.terminate();
    const other = await client(port, {
      protocols: await protocols(["https://own.example"]),
      ...from("https://app.example"),
    });
    expect(other.status).toBe(403);
  });

  it("keeps pages of other sites out of a server without keys", async () => {
    const { port } = await serve();
    expect((await client(port, { headers: { origin: "https://evil.example" } })).status).toBe(403);
    const same = await client(port, { headers: { origin: `http://127.0.0.1:${port}` } });
    expect(same.status).toBe(101);
    same.socket.terminate();
  });

  it("makes short-lived tokens for whoever has a key", async () => {
    const { port, url } = await serve({ auth: { apiKeys: ["right"], secret } });
    const ask = (body: unknown, key = "right") =>
      fetch(`${url}/v1/realtime/client_secrets`, {
        ...{ method: "POST", headers: { authorization: `Bearer ${key}` } },
        body: typeof body === "string" ? body : JSON.stringify(body),
      });
    expect((await ask({}, "wrong")).status).toBe(401);
    expect((await ask("{")).status).toBe(400);
    expect((await ask("x".repeat(70_000))).status).toBe(400);
    expect((await ask({ expires_after: { anchor: "created_at", seconds: 5 } })).status).toBe(400);
    const { value, expires_at } = (await (
      await ask({ expires_after: { anchor: "created_at", seconds: 20 } })
    ).json()) as {
      value: string;
      expires_at: number;
    };
    expect(expires_at - Date.now() / 1000).toBeLessThan(21);
    const page = await client(port, { protocols: ["microturn.v1", `microturn-token.${value}`] });
    expect(page.status).toBe(101);
    page.socket.terminate();
    expect((await fetch(`${url}/v1/realtime/client_secrets`)).status).toBe(405);
  });
});

describe("bad clients", () => {
  it("refuses who offers only sub-protocols that it does not speak, and says which one it does", async () => {
    const { server, port, lines } = await serve({ auth: { apiKeys: ["right"], secret } });
    const ask = (offered?: string) => {
      const more = offered === undefined ? "" : `Sec-WebSocket-Protocol: ${offered}\r\n`;
      return answerOf(port, upgrade.replace("Host: x\r\n", `Host: x\r\nAuthorization: Bearer right\r\n${more}`));
    };
    const token = await createToken({ secret });
    for (const offered of ["microturn.v2", "realtime", `microturn-token.${token}`, "microturn.v2, microturn.v3"]) {
      const [head, body] = (await ask(offered)).split("\r\n\r\n");
      expect(head, offered).toMatch(/^HTTP\/1.1 400 Bad Request\r\n.*application\/json/s);
      expect(JSON.parse(body)).toEqual({ error: { message: expect.stringContaining("sub-protocol microturn.v1") } });
    }
    const refused = lines.filter((line) => "problem" in line);
    expect(refused).toEqual(
      Array(4).fill({ status: 400, problem: expect.stringContaining("microturn.v1"), message: "connection refused" }),
    );
    expect(await server.metrics()).toContain('microturn_sessions_refused_total{reason="protocol"} 4');
    // A stranger is told first that it is one.
    expect((await client(port, { protocols: ["microturn.v2"] })).status).toBe(401);
    const headers = { authorization: "Bearer right" };
    for (const protocols of [[], ["microturn.v2", "microturn.v1"]]) {
      const { status, socket } = await client(port, { protocols, headers });
      expect([status, socket.protocol]).toEqual([101, protocols.at(-1) ?? ""]);
      socket.terminate();
    }
  });

  it("ends a connection that does not keep to the protocol, and says what was wrong", async () => {
    const { port, engine, url } = await serve();
    const wrong: [string, (Uint8Array | string)[], string][] = [
      ["text", ["hello"], "expected binary messages"],
      ["an unknown kind", [new Uint8Array([0x77])], "no messages of kind 119"],
      ["a step before the hello", [step(0)], "after the welcome only"],
      ["two hellos", [hello, hello], "expected one hello"],
      [
        "another version",
        [encoder.client({ kind: "hello", version: 9, seed: 0, temperature: 0, speech: "pcm16" })],
        "speaks version 1",
      ],
      ["nothing", [new Uint8Array(0)], "it ends within the kind of message"],
    ];
    for (const [what, sent, told] of wrong) {
      const { socket, messages, closed } = await client(port);
      for (const message of sent) socket.send(message);
      expect((await closed).code, what).toBe(1008);
      const failure = messages.at(-1);
      expect(failure, what).toMatchObject({
        kind: "failure",
        code: "PROTOCOL_VIOLATION",
        message: expect.stringContaining(told),
      });
    }
    await until(() => engine.openSessions === 0);
    expect(await (await fetch(`${url}/metrics`)).text()).toContain(
      'microturn_protocol_violations_total{wire="micro-turn"} 6',
    );
  });

  it("ends a session that leaves out a step, and leaves the others alone", async () => {
    const { port, engine } = await serve();
    const good = await client(port);
    const bad = await client(port);
    for (const { socket, until: come } of [good, bad]) {
      socket.send(hello);
      await come(1);
    }
    bad.socket.send(step(3));
    expect((await bad.closed).code).toBe(1008);
    expect(bad.messages.at(-1)).toMatchObject({
      kind: "failure",
      message: expect.stringContaining("expected step 0, got 3"),
    });
    good.socket.send(step(0));
    await good.until(2);
    await until(() => engine.openSessions === 1);
    good.socket.terminate();
  });

  it("takes no message of 100 MB, and no flood of messages", async () => {
    const { port } = await serve();
    const large = await client(port);
    large.socket.send(new Uint8Array(100 * 1024 * 1024));
    // 1009 by the server, or the connection broke while the rest was still being sent.
    expect([1006, 1009]).toContain((await large.closed).code);
    const fast = await client(port);
    fast.socket.send(hello);
    // On a machine that is busy 500 may come within the allowance.
    for (let id = 0; fast.socket.readyState === WebSocket.OPEN; id++) {
      fast.socket.send(encoder.client({ kind: "ping", id }));
      if (id % 100 === 99) await new Promise((resolve) => setImmediate(resolve));
    }
    expect(await fast.closed).toEqual({ code: 1008, reason: "more than 200 messages a second" });
  });

  it("hears nothing any more from one whom it has thrown out, and does not wait for him", async () => {
    const { port, engine } = await serve({ limits: { maxMessagesPerSecond: 20 } });
    const raw = connect(port, "127.0.0.1");
    raw.on("error", () => {});
    raw.resume();
    raw.write(upgrade);
    raw.write(frame(hello));
    await until(() => engine.openSessions === 1);
    for (let id = 0; id < 60; id++) raw.write(frame(encoder.client({ kind: "ping", id })));
    await new Promise((resolve) => setTimeout(resolve, 300));
    // The close frame is not answered, and by now a message would be allowed again.
    raw.write(frame(step(0)));
    const startMs = performance.now();
    await new Promise((resolve) => raw.on("close", resolve));
    expect(performance.now() - startMs).toBeLessThan(5000);
    expect(engine.openSessions).toBe(1);
  });

  it("takes no flood of WebSocket pings", async () => {
    const { port } = await serve();
    const { socket, closed } = await client(port);
    for (let i = 0; i < 60; i++) {
      for (let k = 0; k < 10; k++) socket.ping();
      await new Promise((resolve) => setTimeout(resolve, 2));
    }
    expect(await closed).toEqual({ code: 1008, reason: "more than 200 messages a second" });
  });

  it("lets others in though one sends its steps in bursts", async () => {
    const engine = scriptedEngine({ clock: { now: () => performance.now(), setTimer: timer }, stepMs: 30 });
    const { port } = await serve({ engine });
    const first = await client(port);
    first.socket.send(hello);
    await first.until(1);
    for (let sequence = 0; sequence < 14; sequence++) first.socket.send(step(sequence));
    await first.until(15);
    const second = await client(port);
    second.socket.send(hello);
    await second.until(1);
    expect(second.messages[0].kind).toBe("welcome");
    first.socket.terminate();
    second.socket.terminate();
  });

  it("computes no faster than real time for one who sends ahead, once the allowance is used", async () => {
    const { port } = await serve({ limits: { maxAheadMs: 2000 } });
    const { socket, messages, until: come } = await client(port);
    socket.send(hello);
    await come(1);
    const startMs = performance.now();
    for (let sequence = 0; sequence < 14; sequence++) {
      socket.send(step(sequence));
      await come(2 + sequence);
    }
    // Ten are free, four come at five a second; a slow machine only makes it longer.
    expect(performance.now() - startMs).toBeGreaterThan(4 * 190);
    expect(messages).toHaveLength(15);
    socket.terminate();
  });

  it("refuses steps by the thousand that wait for nothing", async () => {
    const { port } = await serve({ limits: { maxAheadMs: 200, maxMessagesPerSecond: 1000 } });
    const { socket, closed, messages } = await client(port);
    socket.send(hello);
    for (let sequence = 0; sequence < 40; sequence++) socket.send(step(sequence));
    expect((await closed).code).toBe(1008);
    expect(messages.at(-1)).toMatchObject({ kind: "failure", code: "PROTOCOL_VIOLATION" });
  });

  it("cuts a client that does not read, and keeps its session for a while", async () => {
    const engine = scriptedEngine({ script: () => ({ text: "x".repeat(200_000) }) });
    const { port, server, url } = await serve({ engine, limits: { maxQueuedBytes: 20_000, maxAheadMs: 3_600_000 } });
    const raw = connect(port, "127.0.0.1");
    raw.pause();
    raw.on("error", () => {});
    raw.write(upgrade);
    raw.write(frame(hello));
    await until(() => server.openSessions === 1);
    const lost = async () => (await (await fetch(`${url}/metrics`)).text()).includes("connections_lost_total 1");
    // What the operating system holds for it is some megabytes; what the server holds is bounded.
    for (let sequence = 0; sequence < 400 && !(await lost()); sequence++) {
      raw.write(frame(step(sequence)));
      for (let wait = 0; wait < 50 && engine.steps.length <= sequence; wait++)
        await new Promise((resolve) => setTimeout(resolve, 2));
    }
    expect(await lost()).toBe(true);
    expect(engine.steps.length).toBeLessThan(200);
    expect(server.openSessions).toBe(1);
    raw.destroy();
  });

  it("takes a half-open connection for lost", async () => {
    const { port, url } = await serve({ limits: { idleTimeoutMs: 100, graceMs: 60_000 } });
    const raw = connect(port, "127.0.0.1");
    raw.on("error", () => {});
    raw.write(upgrade);
    raw.write(frame(hello));
    raw.resume();
    // It never answers a ping.
    await new Promise((resolve) => raw.on("close", resolve));
    expect(await (await fetch(`${url}/metrics`)).text()).toContain("microturn_connections_lost_total 1");
  });

  it("ends a session in which no step comes, though its connection answers", async () => {
    // Long enough that a busy machine answers pings in time.
    const { port, server } = await serve({ limits: { maxQuietMs: 600, idleTimeoutMs: 1000 } });
    const { socket, messages, closed, until: come } = await client(port);
    socket.send(hello);
    await come(1);
    expect(await closed).toEqual({ code: 1000, reason: "idle" });
    expect(messages.at(-1)).toMatchObject({
      kind: "failure",
      code: "SESSION_CLOSED",
      message: expect.stringContaining("no step has come"),
    });
    await until(() => server.openSessions === 0);
  });

  it("ends the session of a page that goes away, and keeps that of a lost connection", async () => {
    const { port, server } = await serve({ limits: { graceMs: 600_000 } });
    const [page, lost] = [await client(port), await client(port)];
    for (const { socket, until: come } of [page, lost]) {
      socket.send(hello);
      await come(1);
    }
    lost.socket.terminate();
    page.socket.close(1001);
    await until(() => server.openSessions === 1);
    expect(await server.metrics()).toContain('microturn_sessions{state="held"} 1');
  });

  it("ends a session at its longest duration", async () => {
    const { port, server } = await serve({ limits: { maxSessionMs: 60 } });
    const { socket, messages, closed } = await client(port);
    socket.send(hello);
    expect((await closed).code).toBe(1000);
    expect(messages.at(-1)).toMatchObject({ kind: "failure", code: "SESSION_CLOSED" });
    await until(() => server.openSessions === 0);
  });

  it("refuses more sessions than it has, and says when to ask again", async () => {
    const { port } = await serve({ maxSessions: 1 });
    const first = await client(port);
    first.socket.send(hello);
    await first.until(1);
    const second = await client(port);
    second.socket.send(hello);
    expect((await second.closed).code).toBe(1013);
    expect(second.messages).toEqual([
      expect.objectContaining({ kind: "failure", code: "SERVER_BUSY", retryAfterMs: 5000 }),
    ]);
    first.socket.terminate();
  });

  it("refuses new sessions while those that are open are served too late", async () => {
    const engine = scriptedEngine({ clock: { now: () => performance.now(), setTimer: timer }, stepMs: 190 });
    const { port } = await serve({ engine });
    const first = await client(port);
    first.socket.send(hello);
    await first.until(1);
    for (let sequence = 0; sequence < 3; sequence++) {
      first.socket.send(step(sequence));
      await first.until(2 + sequence);
    }
    const second = await client(port);
    second.socket.send(hello);
    expect((await second.closed).code).toBe(1013);
    expect(second.messages[0]).toMatchObject({
      code: "SERVER_BUSY",
      message: expect.stringContaining("limit of real time"),
    });
    first.socket.terminate();
  });

  it("tells a client that the model failed, without its inside, and the log what it was", async () => {
    const engine = scriptedEngine({
      script: () => {
        throw new DuplexError("BACKEND_FAILED", "CUDA error 700 at /home/owner/secret/path");
      },
    });
    const { port, lines } = await serve({ engine });
    const { socket, messages, closed, until: come } = await client(port);
    socket.send(hello);
    await come(1);
    socket.send(step(0));
    expect((await closed).code).toBe(1011);
    expect(messages.at(-1)).toEqual({
      kind: "failure",
      code: "BACKEND_FAILED",
      message: "the model failed; open another session",
    });
    expect(JSON.stringify(lines)).toContain("CUDA error 700");
  });

  it("goes on when its logger throws", async () => {
    const full = () => {
      throw new Error("ENOSPC");
    };
    const { port } = await serve({ log: { info: full, warn: full, error: full } });
    const { socket, until: come } = await client(port);
    socket.send(hello);
    await come(1);
    socket.terminate();
  });
});

/** The request of a client that knows WebSockets by hand. */
const upgrade =
  "GET /v1/micro-turn HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n" +
  "Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\nSec-WebSocket-Version: 13\r\n\r\n";

/** A request of a client that would rather speak HTTP/2; without the empty line at its end. */
const requestOfHttp2 = (path: string) =>
  `GET ${path} HTTP/1.1\r\nHost: x\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABkAAQAAP__\r\nConnection: Upgrade, HTTP2-Settings\r\n`;

/** All that comes until the server closes. */
async function answerOf(port: number, request: string): Promise<string> {
  const socket = connect(port, "127.0.0.1");
  socket.write(request);
  const pieces: Buffer[] = [];
  for await (const piece of socket) pieces.push(piece as Buffer);
  return Buffer.concat(pieces).toString();
}

/** One masked WebSocket frame. */
function frame(payload: Uint8Array): Buffer {
  const head =
    payload.length < 126 ? [0x82, 0x80 | payload.length] : [0x82, 0xfe, payload.length >> 8, payload.length & 255];
  return Buffer.concat([Buffer.from([...head, 0, 0, 0, 0]), payload]);
}

function timer(callback: () => void, atMs: number): () => void {
  const handle = setTimeout(callback, Math.max(0, atMs - performance.now()));
  return () => clearTimeout(handle);
}
