// Behind a proxy that speaks TLS, as docs/server.md has it: OpenAI's own client comes by https and wss with nothing changed in it, and
// a page whose address is the proxy's is a page of the server's own host.

import { execFileSync, spawnSync } from "node:child_process";
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { connect } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createServer as createTlsServer, type Server } from "node:tls";
import { scriptedEngine } from "@microturn/core/testing";
import { createServer, createToken, type MicroturnServer } from "@microturn/server";
import OpenAI from "openai";
import { OpenAIRealtimeWS } from "openai/realtime/ws";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { WebSocket } from "ws";
import { PatientClock } from "./patient-clock.js";
import { until } from "./wire-session.js";

const key = "sk-ours";
const secret = "a secret for tests that is long enough to sign with";
const without =
  spawnSync("openssl", ["version"]).status === 0 ? "" : " (skipped: there is no openssl to make a certificate)";
const clock = new PatientClock(8);
let server: MicroturnServer;
let proxy: Server;
let ca: Buffer;
let origin: string;

describe.skipIf(without !== "")(`behind TLS${without}`, () => {
  beforeAll(async () => {
    const folder = await mkdtemp(join(tmpdir(), "microturn-tls-"));
    const files = { key: join(folder, "key.pem"), cert: join(folder, "cert.pem") };
    const subject = ["-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost", "-days", "1"];
    const made = ["-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes"];
    execFileSync("openssl", ["req", ...made, "-keyout", files.key, "-out", files.cert, ...subject], {
      stdio: "ignore",
    });
    ca = await readFile(files.cert);
    const tls = { key: await readFile(files.key), cert: ca };
    await rm(folder, { recursive: true });
    const engine = scriptedEngine({
      ...{ clock, keepSteps: false },
      script: ({ index }) => (index < 3 ? { decision: "speak", speech: 0.25, text: `word${index}` } : {}),
    });
    server = createServer({ engine: clock.watch(engine), clock, auth: { apiKeys: [key], secret } });
    const { port } = await server.listen({ port: 0 });
    await server.ready;
    proxy = createTlsServer(tls, (client) => {
      const upstream = connect(port, "127.0.0.1");
      for (const socket of [client, upstream]) socket.on("error", () => {});
      client.pipe(upstream).pipe(client);
    });
    await new Promise<void>((resolve) => proxy.listen(0, "127.0.0.1", resolve));
    origin = `https://localhost:${(proxy.address() as { port: number }).port}`;
  });
  afterAll(async () => {
    await server.close();
    await new Promise((resolve) => proxy.close(resolve));
    clock.stop();
  });

  test("OpenAIRealtimeWS of the package openai talks over wss", async () => {
    const client = new OpenAI({ apiKey: key, baseURL: `${origin}/v1` });
    const socket = new OpenAIRealtimeWS({ model: "any", options: { ca } }, client);
    expect(socket.url.href).toMatch(/^wss:\/\/localhost:\d+\/v1\/realtime/);
    const types: string[] = [];
    const errors: string[] = [];
    socket.on("event", ({ type }) => void types.push(type));
    socket.on("error", ({ message }) => void errors.push(message));
    await until("session.created", () => types.includes("session.created"));
    const audio = Buffer.alloc(9600).toString("base64");
    for (let turn = 0; turn < 6; turn++) socket.send({ type: "input_audio_buffer.append", audio });
    await until("a response", () => types.includes("response.done"));
    expect(types.filter((type) => type === "response.output_audio.delta").length).toBeGreaterThanOrEqual(3);
    expect(errors).toEqual([]);
    socket.close();
    await until("the end", () => server.openSessions === 0);
  });

  test("a page of the proxy's own address comes in by a token, and one of another does not", async () => {
    const open = async (from: string) => {
      const protocols = ["microturn.v1", `microturn-token.${await createToken({ secret })}`];
      const socket = new WebSocket(`${origin.replace("https", "wss")}/v1/micro-turn`, protocols, { ca, origin: from });
      socket.on("error", () => {});
      const status = await new Promise<number>((resolve) => {
        socket.on("unexpected-response", (_request, response) => resolve(response.statusCode ?? 0));
        socket.on("open", () => resolve(101));
      });
      socket.terminate();
      return status;
    };
    expect(await open(origin)).toBe(101);
    expect(await open("https://evil.example")).toBe(403);
  });
});
