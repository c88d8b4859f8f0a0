// The engine suite over a socket: our server with a real graph, our client, and what only a connection that breaks can show.

import { nodeBackend } from "@microturn/backend-node";
import { microturnEngine, type WireNote } from "@microturn/backend-remote";
import type { Engine, TurnInput, TurnOutput } from "@microturn/core";
import { localEngine } from "@microturn/core/local";
import { tinyAcoustic, tinyModel } from "@microturn/core/testing";
import { createServer, createToken, type MicroturnServer } from "@microturn/server";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { describeEngine } from "../engine-suite.js";
import { KillingProxy } from "./killing-proxy.js";
import { micros } from "./micro-turn-talk.js";

const secret = "a secret for tests that is long enough to sign with";
const model = tinyModel({ seed: 3, duplex: { acoustic: tinyAcoustic } });
const backend = nodeBackend({ providers: ["cpu"], threads: 1 });
const local = localEngine({ model, backend, maxSessions: 4 });
/** Checks run faster than real time, and beside other tests. */
const limits = { maxAheadMs: 3_600_000, maxSlowShare: 1 };
let server: MicroturnServer;
let address: { port: number; url: string };

beforeAll(async () => {
  server = createServer({ engine: local, auth: { secret, apiKeys: ["key-1"] }, limits });
  address = await server.listen({ port: 0 });
  await server.ready;
});
afterAll(async () => {
  await server.close();
  await local.close();
  await (await backend).close();
});

const remote = (options: Partial<Parameters<typeof microturnEngine>[0]> = {}): Engine =>
  microturnEngine({ url: address.url, apiKey: "key-1", maxSessions: 4, ...options });

describeEngine("on our server by the micro-turn wire, dMel and pcm16", () => remote());
describeEngine("on our server by the micro-turn wire, float32 both ways", () =>
  remote({ speech: "float32", audio: "pcm16" }),
);

/** What counts of an output: everything but times. */
const essence = ({ timing: _, inside: __, yielded = false, ...rest }: TurnOutput) => ({ ...rest, yielded });

async function play(engine: Engine, inputs: readonly TurnInput[]): Promise<TurnOutput[]> {
  const session = await engine.open({ seed: 5, temperature: 1 });
  const outputs: TurnOutput[] = [];
  for (const input of inputs) outputs.push(await session.step(input));
  await session.close();
  return outputs;
}

describe("the micro-turn wire", () => {
  it("gives the bits of the engine in process, with dMel levels and scaled pictures sent instead of samples and frames", async () => {
    const inputs = micros(40);
    const here = await play(local, inputs);
    const there = await play(remote({ speech: "float32" }), inputs);
    expect(there.map(essence)).toEqual(here.map(essence));
    expect(here.some(({ speech }) => speech.some((sample) => sample !== 0))).toBe(true);
  });

  it("opens with a short-lived token, and not with one that has expired, is altered, or is of another server", async () => {
    const opened = await remoteWith(await createToken({ secret })).open();
    await opened.close();
    const old = await createToken({ secret, expiresInS: 1 });
    await new Promise((resolve) => setTimeout(resolve, 2100));
    for (const token of [
      old,
      `${old.slice(0, -3)}abc`,
      await createToken({ secret: `${secret} and another` }),
      "nonsense",
    ]) {
      await expect(remoteWith(token).open()).rejects.toMatchObject({ code: "ACCESS_DENIED" });
    }
    const wrongKey = microturnEngine({ url: address.url, apiKey: "key-2" });
    await expect(wrongKey.open()).rejects.toMatchObject({ code: "ACCESS_DENIED" });
  });

  it("lets a token have as many sessions as it says", async () => {
    const token = await createToken({ secret, maxSessions: 2 });
    const engine = remoteWith(token);
    const first = await engine.open();
    const second = await engine.open();
    await expect(engine.open()).rejects.toMatchObject({ code: "SERVER_BUSY", details: { retryAfterMs: 5000 } });
    await first.close();
    await until(() => server.openSessions === 1);
    const third = await engine.open();
    await Promise.all([second.close(), third.close()]);
    await until(() => server.openSessions === 0);
  });

  it("loses and doubles no micro-turn while its connection is cut again and again", async () => {
    const proxy = await KillingProxy.start(address.port);
    const notes: WireNote[] = [];
    const engine = microturnEngine({
      ...{ url: `ws://127.0.0.1:${proxy.port}`, apiKey: "key-1", speech: "float32" },
      onNote: (note) => notes.push(note),
    });
    const inputs = micros(60);
    const session = await engine.open({ seed: 5, temperature: 1 });
    const outputs: TurnOutput[] = [];
    for (const input of inputs) {
      const step = session.step(input);
      // Before the step has arrived, while it is computed, and while its output is on the way.
      if (input.index % 3 === 0) setTimeout(() => proxy.cut(), input.index % 9);
      outputs.push(await step);
    }
    await session.close();
    await proxy.close();
    expect(notes.filter(({ type }) => type === "reconnected").length).toBeGreaterThan(10);
    const unbroken = await play(local, inputs);
    expect(outputs.map(essence)).toEqual(unbroken.map(essence));
  });

  it("ends a session that nobody comes back to, and tells one who comes too late", async () => {
    await using brief = createServer({ engine: local, auth: "none", limits: { ...limits, graceMs: 50 } });
    const { port } = await brief.listen({ port: 0 });
    await brief.ready;
    const proxy = await KillingProxy.start(port);
    const session = await microturnEngine({ url: `ws://127.0.0.1:${proxy.port}` }).open();
    await session.step(micros(1)[0]);
    proxy.refuse(true);
    proxy.cut();
    await until(() => brief.openSessions === 0);
    proxy.refuse(false);
    await expect(session.step(micros(2)[1])).rejects.toMatchObject({ code: "SESSION_CLOSED" });
    await session.close();
    await proxy.close();
  });

  it("refuses more texts than a message holds, and goes on", async () => {
    const session = await remote().open();
    const [input] = micros(1);
    const text = Array.from({ length: 1025 }, () => ({ source: "user", text: "hi" }) as const);
    await expect(session.step({ ...input, text })).rejects.toMatchObject({ code: "INPUT_OVERFLOW" });
    expect((await session.step(input)).speech).toHaveLength(3200);
    await session.close();
  });

  it("takes more merged micro-turns than a message holds", async () => {
    const inputs = micros(120);
    const audio = new Float32Array(120 * 3200);
    for (const [i, input] of inputs.entries()) audio.set(input.audio, 3200 * i);
    const merged = { ...inputs[119], turns: 120, audio, images: [], text: [] };
    const played = async (engine: Engine) => {
      const session = await engine.open({ seed: 5, temperature: 1 });
      const first = await session.step(merged);
      const next = await session.step({ ...inputs[0], index: 120 });
      await session.close();
      return [first, next];
    };
    const [here, there] = [await played(local), await played(remote({ speech: "float32" }))];
    expect(there.map(({ heard }) => heard)).toEqual(here.map(({ heard }) => heard));
    expect(there[1].speech).toEqual(here[1].speech);
  });

  it("tells a client whose server has started anew that its session is gone", async () => {
    const first = createServer({ engine: local, auth: "none", limits });
    const { port } = await first.listen({ port: 0 });
    await first.ready;
    const proxy = await KillingProxy.start(port);
    const session = await microturnEngine({ url: `ws://127.0.0.1:${proxy.port}` }).open();
    await session.step(micros(1)[0]);
    // As a process that dies: nothing is said.
    proxy.refuse(true);
    proxy.cut();
    await first.close();
    await using second = createServer({ engine: local, auth: "none", limits });
    await second.listen({ port });
    await second.ready;
    proxy.refuse(false);
    await expect(session.step(micros(2)[1])).rejects.toMatchObject({ code: "SESSION_CLOSED" });
    await session.close();
    await proxy.close();
  });

  it("tells clients when it drains, lets nobody in, and ends what is left", async () => {
    const draining = createServer({ engine: local, auth: "none", limits });
    const { port, url } = await draining.listen({ port: 0 });
    await draining.ready;
    const notes: WireNote[] = [];
    const engine = microturnEngine({ url: `ws://127.0.0.1:${port}`, onNote: (note) => notes.push(note) });
    const session = await engine.open();
    await session.step(micros(1)[0]);
    const drained = draining.drain({ withinMs: 100 });
    expect((await fetch(`${url}/readyz`)).status).toBe(503);
    expect((await fetch(`${url}/healthz`)).status).toBe(200);
    await expect(engine.open()).rejects.toMatchObject({ code: "SERVER_BUSY" });
    await drained;
    expect(notes).toContainEqual({ type: "draining", leftMs: 100 });
    await draining.close();
    await expect(session.step(micros(2)[1])).rejects.toMatchObject({ code: "SESSION_CLOSED" });
    await session.close();
  });
});

function remoteWith(token: string): Engine {
  return microturnEngine({ url: address.url, token: () => token });
}

async function until(condition: () => boolean): Promise<void> {
  while (!condition()) await new Promise((resolve) => setTimeout(resolve, 5));
}
