// Our engine for the duplex wire at our own server: an engine that gives back what it hears, so that a sample that is lost or
// doubled on either way is seen; and what is told both ways.

import { vllmOmniEngine } from "@microturn/backend-remote";
import { DuplexSession, type TurnInput, type TurnOutput } from "@microturn/core";
import { type Script, scriptedEngine } from "@microturn/core/testing";
import { createServer, type MicroturnServer } from "@microturn/server";
import { afterEach, expect, test } from "vitest";
import { KillingProxy } from "./killing-proxy.js";
import { PatientClock } from "./patient-clock.js";
import { difference, type Note, sawtooth, soundOf, until } from "./wire-session.js";

const turnSamples = 3200;
const stops: (() => unknown)[] = [];
afterEach(async () => {
  for (const stop of stops.splice(0).reverse()) await stop();
});

/** Our server over a script that speaks at 24 kHz, and our engine for it, over a line that can be cut. */
async function bench(script: Script, options: Partial<Parameters<typeof vllmOmniEngine>[0]> = {}) {
  const clock = new PatientClock(8);
  const scripted = scriptedEngine({ script, capabilities: { outputSampleRate: 24_000, truncates: true }, clock });
  const limits = { maxAheadMs: 60_000, maxMessagesPerSecond: 5000, maxSlowShare: 1, graceMs: 600_000 };
  const server: MicroturnServer = createServer({
    ...{ engine: clock.watch(scripted), auth: { apiKeys: ["key-ours"] }, clock, limits },
  });
  const { port } = await server.listen({ port: 0 });
  await server.ready;
  const proxy = await KillingProxy.start(port);
  const notes: Note[] = [];
  const engine = vllmOmniEngine({
    ...{ url: `ws://127.0.0.1:${proxy.port}`, apiKey: "key-ours", clock, inputs: ["video", "text"], truncates: true },
    ...{
      reconnectMs: 600_000,
      maxHeldMs: 60_000,
      onNote: (note) => void notes.push(note as unknown as Note),
      ...options,
    },
  });
  stops.push(
    ...[() => clock.stop(), () => scripted.close(), () => server.close(), () => proxy.close(), () => engine.close()],
  );
  return { clock, scripted, server, proxy, notes, engine };
}

/** What was heard, and as much again as makes it 24 kHz; nothing for silence. */
function echo({ audio }: TurnInput): ReturnType<Script> {
  const heard = audio.slice(-turnSamples);
  if (heard.every((sample) => sample === 0)) return { decision: "listen" };
  const speech = new Float32Array(4800).fill(-0.5);
  speech.set(heard);
  return { decision: "speak", speech };
}

test("loses and doubles no sample while its connection is cut again and again", { timeout: 120_000 }, async () => {
  const { server, proxy, notes, engine } = await bench(echo);
  const session = await engine.open();
  const turns = 120;
  const sound = sawtooth(turns * turnSamples);
  const outputs: TurnOutput[] = [];
  const echoed = () => Int16Array.from(soundOf(outputs).filter((sample) => sample > 0));
  // What a break has held up follows.
  for (let index = 0; index < 2 * turns && (index < turns || echoed().length < sound.length); index++) {
    const pcm = sound.subarray(index * turnSamples, (index + 1) * turnSamples);
    const audio = new Float32Array(turnSamples);
    for (const [i, value] of pcm.entries()) audio[i] = value / 32_768;
    if (index % 9 === 4 && index < turns) proxy.cut();
    outputs.push(await session.step({ index, turns: 1, audio, images: [], text: [] }));
  }
  expect(difference(echoed(), sound)).toBe("");
  expect(notes.filter(({ type }) => type === "reconnected").length).toBeGreaterThan(3);
  expect(notes.filter(({ type }) => ["lost", "input-dropped", "output-dropped"].includes(type))).toEqual([]);
  expect(server.openSessions).toBe(1);
  await session.close();
  await until("the server lets the session go", () => server.openSessions === 0);
});

test("tells what was heard, yields, calls, delivers, types and shows", { timeout: 120_000 }, async () => {
  const weather = { name: "weather", parameters: { type: "object", properties: { task: { type: "string" } } } };
  const seen: { typed: string[]; results: string[]; images: number } = { typed: [], results: [], images: 0 };
  const { clock, scripted, notes, engine } = await bench(
    ({ text, images }, memory) => {
      seen.images += images.length;
      for (const one of text) (one.source === "user" ? seen.typed : seen.results).push(one.text);
      const turn = Number(memory.turn ?? 0) + 1;
      memory.turn = turn;
      if (turn <= 5) return { decision: "listen", heard: turn === 5 ? "how is the weather?" : "" };
      if (turn <= 15) return { decision: "speak", speech: 0.3, text: `word${turn}` };
      if (turn === 16) return { decision: "listen", yielded: true };
      if (turn === 25) return { decision: "listen", delegation: { task: "weather in Rome", id: "w", name: "weather" } };
      return { decision: "listen" };
    },
    { tools: [weather] },
  );
  const session = await DuplexSession.open({ engine, clock, sampleRate: 16_000 });
  const [user, said]: string[][] = [[], []];
  let unheard = "";
  let flushes = 0;
  session.on("heard-delta", ({ text }) => user.push(text));
  session.on("text-delta", ({ text }) => said.push(text));
  session.on("flush", (event) => {
    flushes++;
    unheard = event.unheard ?? "";
  });
  session.on("delegation", ({ id, task }) => void session.deliver(`done: ${task}`, "now", { delegation: id }));
  // A player that is one micro-turn behind, and stops in the middle of it when it is flushed.
  session.on("speech", (pcm, { turnIndex, fence }) => {
    if (turnIndex > 0) session.played({ turnIndex, samples: Math.floor(pcm.length / 2), fence });
  });
  session.sendText("good morning");
  session.writeImage({ data: new Uint8Array(40 * 40 * 4).fill(90), width: 40, height: 40, timeMs: 0 });
  for (let turn = 0; turn < 60; turn++) await session.writeAudio(new Float32Array(turnSamples).fill(0.1));
  await until("the result", () => seen.results.length > 0);
  await session.close();
  expect(user.join(" ")).toBe("how is the weather?");
  expect(said.join(" ")).toMatch(/^word6 word7 .*word1[0-5]$/);
  expect(flushes).toBe(1);
  expect(unheard).toBe("");
  expect(seen.typed).toEqual(["good morning"]);
  expect(seen.images).toBe(1);
  expect(seen.results).toEqual([expect.stringContaining("done: ")]);
  // The server's engine hears of the client's player.
  const heardOf = scripted.steps.flatMap(({ played }) => played ?? []);
  expect(heardOf.length).toBeGreaterThan(3);
  expect(notes.filter(({ type }) => type === "swallowed")).toEqual([]);
});

test("a server without room is busy, and one that does not know the key refuses", async () => {
  const { proxy, engine } = await bench(() => ({}), {});
  const strange = vllmOmniEngine({ url: `ws://127.0.0.1:${proxy.port}`, apiKey: "key-of-another" });
  await expect(strange.open()).rejects.toMatchObject({ code: "ACCESS_DENIED" });
  const open = [];
  for (let i = 0; i < 8; i++) open.push(await engine.open());
  await expect(engine.open()).rejects.toMatchObject({ code: "SERVER_BUSY" });
  await Promise.all(open.map((session) => session.close()));
});
