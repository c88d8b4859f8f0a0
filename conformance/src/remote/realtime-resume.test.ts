// The JSON wire over connections that break: an engine that gives back what it hears, so that a sample that is lost or doubled on
// either way is seen.

import { scriptedEngine } from "@microturn/core/testing";
import { createServer, createToken } from "@microturn/server";
import { describe, expect, it } from "vitest";
import { WebSocket } from "ws";
import { KillingProxy } from "./killing-proxy.js";
import { PatientClock } from "./patient-clock.js";
import { difference, sawtooth, until } from "./wire-session.js";

// biome-ignore lint/suspicious/noExplicitAny: events of many shapes
type Told = { readonly type: string; readonly [name: string]: any };

/** A client as docs/server.md describes one: it counts what it has, and sends again what has not arrived. */
class ResumingClient {
  readonly events: Told[] = [];
  resumes = 0;
  readonly #url: string;
  readonly #bytes: Buffer;
  #socket: WebSocket | undefined;
  #sent = 0;
  #last = 0;
  #session: { session_id: string; incarnation: string; resume_token: string } | undefined;
  #over = false;

  constructor(url: string, sound: Int16Array) {
    this.#url = url;
    this.#bytes = Buffer.from(sound.buffer, sound.byteOffset, sound.byteLength);
    this.#connect();
  }

  get sound(): Int16Array {
    const deltas = this.events.filter(({ type }) => type === "response.output_audio.delta");
    const bytes = Buffer.concat(deltas.map(({ delta }) => Buffer.from(delta, "base64")));
    return new Int16Array(bytes.buffer.slice(bytes.byteOffset, bytes.byteOffset + bytes.length));
  }

  close(): void {
    this.#over = true;
    this.#socket?.close();
  }

  #connect(): void {
    const resuming = this.#session;
    const socket = new WebSocket(`${this.#url}${resuming === undefined ? "" : "?autostart=0"}`);
    this.#socket = socket;
    socket.on("error", () => {});
    socket.on("open", () => {
      if (resuming === undefined) return;
      this.#say({ type: "session.resume", ...resuming, last_received_server_event_seq: this.#last });
    });
    socket.on("message", (data) => this.#take(JSON.parse(String(data))));
    socket.on("close", () => {
      if (!this.#over) setTimeout(() => this.#connect(), 2);
    });
  }

  #take(event: Told): void {
    const { type, server_event_seq, session_id, incarnation, resume_token } = event;
    if (type === "session.created" || type === "session.resumed") {
      this.#session = { session_id, incarnation, resume_token };
      if (type === "session.created") {
        const format = { type: "audio/pcm", rate: 16_000 };
        this.#say({ type: "session.update", session: { audio: { input: { format }, output: { format } } } });
        this.#sendSound();
      } else {
        this.resumes++;
        this.#sent = event.input_audio.received_bytes;
        this.#sendSound();
        return;
      }
    }
    if (server_event_seq === undefined) throw new Error(`${type} without a number`);
    if (server_event_seq !== this.#last + 1) throw new Error(`got event ${server_event_seq} after ${this.#last}`);
    this.#last = server_event_seq;
    this.events.push(event);
    if (server_event_seq % 10 === 0) this.#say({ type: "session.event_ack", server_event_seq });
  }

  /** All that is left, in pieces of odd sizes. */
  #sendSound(): void {
    for (; this.#sent < this.#bytes.length; this.#sent += 3001) {
      const audio = this.#bytes.subarray(this.#sent, this.#sent + 3001).toString("base64");
      this.#say({ type: "input_audio_buffer.append", audio });
    }
  }

  #say(event: object): void {
    if (this.#socket?.readyState === WebSocket.OPEN) this.#socket.send(JSON.stringify(event));
  }
}

describe("the JSON wire", () => {
  it("loses and doubles no sample and no event while its connection is cut again and again", async () => {
    const clock = new PatientClock(4);
    const engine = scriptedEngine({
      clock,
      script: ({ audio }) => ({ decision: "speak", speech: audio.slice(-3200) }),
    });
    const limits = { maxAheadMs: 60_000, maxMessagesPerSecond: 5000, maxSlowShare: 1, graceMs: 600_000 };
    const server = createServer({ engine: clock.watch(engine), auth: "none", clock, limits });
    const { port } = await server.listen({ port: 0 });
    await server.ready;
    const proxy = await KillingProxy.start(port);
    const sound = sawtooth(20 * 16_000);
    const client = new ResumingClient(`ws://127.0.0.1:${proxy.port}/v1/realtime`, sound);
    await until("the session", () => client.events.length > 1);
    for (let cuts = 0; cuts < 40; cuts++) {
      const resumes = client.resumes;
      // While sound is on the way, while it is computed, and while the client is coming back.
      await new Promise((resolve) => setTimeout(resolve, (cuts * 7) % 40));
      proxy.cut();
      if (cuts % 5 !== 4) await until("another connection", () => client.resumes > resumes);
    }
    await until("all of the sound", () => client.sound.length >= sound.length);
    expect(client.sound.length).toBe(sound.length);
    expect(difference(client.sound, sound)).toBe("");
    expect(client.resumes).toBeGreaterThan(30);
    expect(server.openSessions).toBe(1);
    client.close();
    await until("the end", () => server.openSessions === 0);
    await proxy.close();
    await server.close();
    clock.stop();
  });

  it("keeps a session for its grace time only", async () => {
    await using server = createServer({ engine: scriptedEngine(), auth: "none", limits: { graceMs: 50 } });
    const { port } = await server.listen({ port: 0 });
    await server.ready;
    const socket = new WebSocket(`ws://127.0.0.1:${port}/v1/realtime`);
    socket.on("error", () => {});
    await until("the session", () => server.openSessions === 1);
    socket.terminate();
    await until("its end", () => server.openSessions === 0);
  });

  it("refuses an event that is too large with a word, and cuts one that is much too large", async () => {
    const limits = { maxMessageBytes: 10_000 };
    await using server = createServer({ engine: scriptedEngine(), auth: "none", limits });
    const { port } = await server.listen({ port: 0 });
    await server.ready;
    const socket = new WebSocket(`ws://127.0.0.1:${port}/v1/realtime`);
    const told: Told[] = [];
    let code = 0;
    socket.on("message", (data) => void told.push(JSON.parse(String(data))));
    socket.on("close", (how) => {
      code = how;
    });
    await until("the session", () => told.length === 1);
    socket.send(JSON.stringify({ type: "input_audio_buffer.append", audio: "A".repeat(20_000), event_id: "big" }));
    await until("the refusal", () =>
      told.some(({ type, error }) => type === "error" && error.code === "event_too_large"),
    );
    socket.send("x".repeat(50_000));
    await until("the cut", () => code === 1009);
  });

  it("lets a page in by the sub-protocol of OpenAI's clients, counts it, and refuses one too many in words", async () => {
    const secret = "a secret for tests that is long enough to sign with";
    await using server = createServer({ engine: scriptedEngine(), auth: { secret }, maxSessions: 1 });
    const { port } = await server.listen({ port: 0 });
    await server.ready;
    const open = async (token: string) => {
      const told: Told[] = [];
      const end = { code: 0 };
      const protocols = ["realtime", `openai-insecure-api-key.${token}`];
      const socket = new WebSocket(`ws://127.0.0.1:${port}/v1/realtime?model=any`, protocols);
      socket.on("message", (data) => void told.push(JSON.parse(String(data))));
      socket.on("error", () => {});
      socket.on("close", (code) => {
        end.code = code;
      });
      await until("an answer", () => told.length > 0 || end.code !== 0);
      return { socket, told, end };
    };
    const token = await createToken({ secret, maxSessions: 2 });
    const first = await open(token);
    expect([first.socket.protocol, first.told[0].type]).toEqual(["realtime", "session.created"]);
    expect(await server.metrics()).toContain('microturn_sessions_opened_total{wire="realtime"} 1');
    const second = await open(token);
    expect(second.told[0].error).toMatchObject({ code: "duplex_session_busy", retry_after_ms: 5000 });
    await until("its end", () => second.end.code === 1013);
    expect((await open("nonsense")).end.code).toBe(1006);
    first.socket.close();
    await until("room", () => server.openSessions === 0);
    expect((await open(token)).told[0].type).toBe("session.created");
  });

  it("tells clients that the server drains, and ends what is left", async () => {
    const server = createServer({ engine: scriptedEngine(), auth: "none" });
    const { port } = await server.listen({ port: 0 });
    await server.ready;
    const socket = new WebSocket(`ws://127.0.0.1:${port}/v1/realtime`);
    const told: Told[] = [];
    let code = 0;
    socket.on("message", (data) => void told.push(JSON.parse(String(data))));
    socket.on("close", (how) => {
      code = how;
    });
    await until("the session", () => told.length === 1);
    await server.drain({ withinMs: 100 });
    await server.close();
    await until("the end", () => code === 1001);
    expect(told.slice(1).map(({ type, left_ms, reason }) => [type, left_ms ?? reason])).toEqual([
      ["session.draining", 100],
      ["session.closed", "drained"],
    ]);
  });
});
