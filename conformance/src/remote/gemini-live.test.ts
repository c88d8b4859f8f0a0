// Gemini Live: the suite of wires, the scenarios of its own, and the double itself, which the vendor's client talks to.

import { GoogleGenAI, type LiveServerMessage, Modality, type Session } from "@google/genai";
import { type GeminiLiveOptions, geminiLiveEngine } from "@microturn/backend-remote";
import { DuplexSession, type TextInput } from "@microturn/core";
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { WebSocket } from "ws";
import { GeminiLiveDouble } from "./gemini-live-double.js";
import type { WireUnderTest } from "./service-double.js";
import { difference, sawtooth, until, WireBench, type WireSession } from "./wire-session.js";
import { describeWire } from "./wire-suite.js";

const model = "gemini-3.1-flash-live-preview";
const apiKey = "AIza-a-secret-of-the-test";
const second = 24_000;

function wireOf(options: Partial<GeminiLiveOptions> = {}): WireUnderTest {
  return {
    name: "Gemini Live",
    secret: apiKey,
    double: () => GeminiLiveDouble.start(),
    engine: (double, connection) =>
      geminiLiveEngine({
        ...{ model, baseUrl: double.url, tools: [{ name: "weather" }, { name: "time" }] },
        ...(options.token === undefined ? { apiKey } : {}),
        ...options,
        ...connection,
      }),
    unknown: ['{"brandNew":{"x":1}}', '{"serverContent":{"somethingNew":[1]}}', '{"serverContent":7}'],
    broken: [
      ...['{"serverContent":null}', '{"serverContent":{"modelTurn":{"parts":[null,7,{"inlineData":{"data":5}}]}}}'],
      '{"serverContent":{"modelTurn":{"parts":[{"inlineData":{"data":"***","mimeType":"audio/pcm"}}]}}}',
      '{"serverContent":{"modelTurn":{"parts":[{"inlineData":{"data":"AAAA","mimeType":"audio/pcm;rate=0"}}]}}}',
      ...['{"serverContent":{"modelTurn":{"parts":{"length":9}},"interrupted":"yes"}}', '{"setupComplete":null}'],
      ...['{"toolCall":{"functionCalls":[{"id":7}]}}', '{"toolCall":{"functionCalls":{}}}', '{"toolCall":null}'],
      ...['{"toolCallCancellation":{"ids":[1,null]}}', '{"goAway":{}}', '{"goAway":{"timeLeft":"soon"}}'],
      ...['{"sessionResumptionUpdate":{"newHandle":5,"resumable":true}}', '{"sessionResumptionUpdate":null}'],
      `{"toolCall":{"functionCalls":[{"id":"x","name":"weather","args":${"[".repeat(30_000)}${"]".repeat(30_000)}}]}}`,
    ],
    fatalCloses: [
      { code: 1007, reason: "Request contains an invalid argument.", error: "UNSUPPORTED" },
      { code: 1007, reason: "API key not valid. Please pass a valid API key.", error: "ACCESS_DENIED" },
      { code: 1008, reason: "Operation is not implemented, or supported, or enabled.", error: "UNSUPPORTED" },
      { code: 1008, reason: "You exceeded your current quota", error: "SERVER_BUSY" },
      { code: 1009, error: "PROTOCOL_VIOLATION" },
    ],
  };
}

describeWire(wireOf());

describe("Gemini Live", () => {
  let double: GeminiLiveDouble;
  let bench: WireBench;
  beforeEach(async () => {
    double = await GeminiLiveDouble.start();
  });
  afterEach(async () => {
    await bench?.engine.close();
    expect(double.violations).toEqual([]);
    await double.close();
  });

  async function open(options: Partial<GeminiLiveOptions> = {}): Promise<WireSession> {
    bench = new WireBench(wireOf(options), double);
    return bench.open();
  }

  const said = (text: string, delegation?: string, silent = false): { text: TextInput[] } => ({
    text: [{ source: "background", text, silent, ...(delegation === undefined ? {} : { delegation }) }],
  });
  const handedOn = (talk: WireSession) => talk.outputs.flatMap(({ delegation }) => delegation ?? []);

  test.each(["binary", "text"] as const)("takes JSON in %s frames (scenario 3)", async (frames) => {
    double.frames = frames;
    const talk = await open();
    const sound = sawtooth(2 * second);
    double.content({ modelTurn: { parts: [double.part(sound)] }, outputTranscription: { text: "Hello there." } });
    double.content({ generationComplete: true });
    double.content({ turnComplete: true });
    double.hear("Hi");
    await talk.steps(12);
    expect(difference(talk.sound(), sound)).toBe("");
    expect(talk.text()).toBe("Hello there.");
    expect(talk.heard()).toBe("Hi");
  });

  test("takes several contents of one message in order, and a cut before the rest (scenario 4)", async () => {
    const talk = await open();
    const [first, next] = [sawtooth(4800), sawtooth(4800, 1)];
    double.content({
      modelTurn: { parts: [double.part(first), { text: "a thought", thought: true }, double.part(next)] },
      ...{ inputTranscription: { text: "so" }, outputTranscription: { text: "One two." }, generationComplete: true },
    });
    double.content({ turnComplete: true });
    await talk.steps(5);
    expect(difference(talk.sound(), Int16Array.of(...first, ...next))).toBe("");
    expect([talk.heard(), talk.text()]).toEqual(["so", "One two."]);

    const from = talk.outputs.length;
    double.beginReply().sound(sawtooth(second));
    await talk.stepUntil("it speaks", () => talk.outputs.at(-1)?.decision === "speak");
    const cut = talk.outputs.length;
    double.content({
      modelTurn: { parts: [double.part(sawtooth(second))] },
      ...{ outputTranscription: { text: "not to be heard" }, interrupted: true },
    });
    await talk.steps(4);
    expect(talk.outputs.slice(cut).filter(({ yielded }) => yielded)).toHaveLength(1);
    expect(talk.sound(cut)).toHaveLength(0);
    expect(talk.text(from)).toBe("");
    double.content({ turnComplete: true });
    double.beginReply().sound(sawtooth(second));
    double.content({ generationComplete: true });
    await talk.steps(8);
    expect(talk.sound(cut)).toHaveLength(second);
  });

  test("gives words that come after their turn to the reply that they are of (scenario 6)", async () => {
    const talk = await open();
    const reply = double.beginReply();
    reply.sound(sawtooth(second / 2));
    reply.text("Good");
    reply.end();
    await talk.step();
    reply.text(" morning.");
    await talk.steps(6);
    expect(talk.text()).toBe("Good morning.");
    double.beginReply().sound(sawtooth(second / 2));
    double.content({ generationComplete: true });
    await talk.steps(5);
    expect(talk.text()).toBe("Good morning.");
  });

  test("passes over an interruption of nothing, also twice, and hears the next reply whole (scenario 10)", async () => {
    const talk = await open();
    double.content({ interrupted: true });
    double.beginReply().end();
    const reply = double.beginReply();
    reply.sound(sawtooth(4800));
    reply.end();
    await talk.steps(4);
    double.content({ interrupted: true });
    double.content({ interrupted: true });
    await talk.steps(2);
    double.beginReply().sound(sawtooth(4800, 2));
    double.content({ generationComplete: true });
    await talk.steps(4);
    expect(talk.outputs.filter(({ yielded }) => yielded)).toHaveLength(0);
    expect(difference(talk.sound(), Int16Array.of(...sawtooth(4800), ...sawtooth(4800, 2)))).toBe("");
    expect(bench.count("swallowed")).toBe(0);
  });

  test("is not silent for good when the end of a cut reply never comes", async () => {
    const talk = await open();
    double.beginReply().sound(sawtooth(second));
    await talk.steps(2);
    double.content({ interrupted: true });
    await talk.steps(11);
    const from = talk.outputs.length;
    double.beginReply().sound(sawtooth(4800, 3));
    double.content({ generationComplete: true });
    await talk.steps(3);
    expect(difference(talk.sound(from), sawtooth(4800, 3))).toBe("");
  });

  test("answers calls that block together, after the last of them (scenario 11)", async () => {
    const talk = await open();
    const ids = double.call([
      { name: "weather", arguments: { city: "Rome" } },
      { name: "time", arguments: {} },
    ]);
    await talk.stepUntil("both", () => handedOn(talk).length === 2);
    expect(handedOn(talk)).toEqual([
      { id: ids[0], name: "weather", arguments: { city: "Rome" }, task: "Rome" },
      { id: ids[1], name: "time", arguments: {}, task: "time" },
    ]);
    await talk.step(said("noon", ids[1]));
    await talk.steps(2);
    expect(double.messages).toEqual([]);
    await talk.step(said("rain", ids[0]));
    await until("the answers", () => double.responses.length > 0);
    expect(double.messages).toEqual([
      {
        toolResponse: {
          functionResponses: [
            { id: ids[1], name: "time", response: { output: "noon" } },
            { id: ids[0], name: "weather", response: { output: "rain" } },
          ],
        },
      },
    ]);
  });

  test("drops the result of a call that was cancelled, and answers what waited for it (scenario 12)", async () => {
    const talk = await open();
    const ids = double.call([
      { name: "weather", arguments: {} },
      { name: "time", arguments: {} },
      { name: "time", arguments: { zone: "UTC" } },
    ]);
    await talk.step();
    await talk.step(said("rain", ids[0]));
    // The third was not handed on yet: nobody hears of it. The second was, and its answer comes too late.
    double.cancel([ids[1], ids[2]]);
    await talk.steps(3);
    await until("the answer that is left", () => double.answers.length === 1);
    expect(handedOn(talk).map(({ id }) => id)).toEqual(ids.slice(0, 2));
    await talk.step(said("noon", ids[1]));
    await talk.step();
    expect(double.answers).toEqual([{ id: ids[0], result: "rain" }]);
    expect([double.ignored, double.receivedTexts]).toEqual([[], []]);
    expect(bench.count("swallowed")).toBe(1);
  });

  test("maps silent, quiet and urgent results of calls that do not block, and several of one (scenario 13)", async () => {
    const behavior = "NON_BLOCKING";
    const talk = await open({
      tools: [
        { name: "look", behavior },
        { name: "alarm", behavior, scheduling: "INTERRUPT" },
        { name: "watch", behavior, severalResults: true },
        { name: "wait", behavior: "BLOCKING" },
      ],
    });
    const names = ["look", "look", "alarm", "watch", "wait"];
    const ids = double.call(names.map((name) => ({ name, arguments: {} })));
    await talk.stepUntil("all", () => handedOn(talk).length === names.length);
    const results: readonly (readonly [which: number, text: string, silent: boolean])[] = [
      [0, "quiet", false],
      [1, "to know", true],
      [2, "fire", false],
      [3, "a", false],
      [3, "b", true],
      [3, " ", false],
      [4, "done", true],
    ];
    for (const [which, text, silent] of results) await talk.step(said(text, ids[which], silent));
    await until("all answers", () => double.responses.length === results.length);
    const seen = double.responses.map(({ name, response, scheduling, willContinue }) => [
      ...[name, response.output, scheduling, willContinue],
    ]);
    expect(seen).toEqual([
      ["look", "quiet", "WHEN_IDLE", undefined],
      ["look", "to know", "SILENT", undefined],
      ["alarm", "fire", "INTERRUPT", undefined],
      ["watch", "a", "WHEN_IDLE", true],
      ["watch", "b", "SILENT", true],
      ["watch", undefined, "SILENT", false],
      ["wait", "done", undefined, undefined],
    ]);
  });

  test("tells what no call asked for as no words of the user, and silently without a turn", async () => {
    const talk = await open();
    await talk.step(said("the door is open"));
    await talk.step(said("it is Monday", undefined, true));
    await until("both", () => double.messages.length === 2);
    expect(double.messages[0]).toEqual({
      realtimeInput: { text: "[information from the background, not said by the user] the door is open" },
    });
    expect(double.messages[1]).toMatchObject({ clientContent: { turnComplete: false, turns: [{ role: "user" }] } });
    expect(double.receivedTexts[1]).toContain("it is Monday");
  });

  test("leaves before the end that goAway names, with the last good handle, and says nothing twice (scenario 15)", async () => {
    const talk = await open();
    double.handle("good-1");
    const reply = double.beginReply();
    double.handle(undefined);
    reply.sound(sawtooth(second));
    double.sendJson({ goAway: { timeLeft: "10s" } });
    await talk.steps(3);
    reply.end();
    expect(double.readyConnections).toBe(1);
    // Between replies, once its past is kept, is the time to go.
    double.handle("good-2");
    await until("it leaves", () => bench.count("reconnecting") === 1);
    await bench.clock.advance(1);
    await until("another connection", () => double.readyConnections === 2 && double.openConnections === 1);
    await talk.steps(6);
    expect(difference(talk.sound(), sawtooth(second))).toBe("");
    expect(double.setups.map(({ sessionResumption }) => sessionResumption)).toEqual([{}, { handle: "good-2" }]);
    expect([bench.count("reconnected"), bench.count("lost"), bench.count("input-dropped")]).toEqual([1, 0, 0]);
    expect(talk.outputs.filter(({ yielded }) => yielded)).toHaveLength(0);
  });

  test("leaves in mid-reply when the time is up (scenario 15)", async () => {
    const talk = await open();
    double.handle("good-1");
    double.beginReply().sound(sawtooth(4 * second));
    double.handle(undefined);
    double.sendJson({ goAway: { timeLeft: "4s" } });
    await talk.steps(4);
    expect(double.readyConnections).toBe(1);
    await talk.turn();
    await talk.turn();
    await until("another connection", () => double.readyConnections === 2 && double.openConnections === 1);
    expect(double.setups[1].sessionResumption).toEqual({ handle: "good-1" });
    for (let i = 0; i < 20; i++) await talk.turn();
    expect(difference(talk.sound(), sawtooth(4 * second))).toBe("");
  });

  test.each([
    [1001, "going away"],
    [1011, "Internal error encountered."],
    [1008, "The operation was aborted."],
    [1000, ""],
  ])("comes back with its handle after close %i", async (code, reason) => {
    const talk = await open();
    double.handle("good");
    await talk.step();
    double.drop(code, reason);
    await until("the loss", () => bench.count("reconnecting") === 1);
    await bench.clock.advance(1);
    await until("another connection", () => double.readyConnections === 2);
    expect(double.setups[1].sessionResumption).toEqual({ handle: "good" });
    expect(bench.count("lost")).toBe(0);
  });

  test("goes on without its past when the handle is too old, and says so once", async () => {
    const talk = await open();
    double.handle("old");
    await talk.step();
    double.expire("old");
    double.drop(1006);
    await until("the loss", () => bench.count("reconnecting") === 1);
    await bench.clock.advance(1);
    await until("the handle is refused", () => bench.count("reconnecting") === 2);
    await bench.clock.advance(1000);
    await until("another connection", () => double.readyConnections === 2);
    expect(double.setups.map(({ sessionResumption }) => sessionResumption)).toEqual([{}, { handle: "old" }, {}]);
    expect(bench.count("lost")).toBe(1);
    await talk.turn();
  });

  test("tells the result of a call that another connection knows nothing of as text", async () => {
    const talk = await open();
    double.handle("before");
    const [lost] = double.call([{ name: "weather", arguments: {} }]);
    await talk.stepUntil("the call", () => handedOn(talk).length === 1);
    double.drop(1006);
    await until("the loss", () => bench.count("reconnecting") === 1);
    await bench.clock.advance(1);
    await until("another connection", () => double.readyConnections === 2);
    await talk.turn(said("rain", lost));
    await until("the text", () => double.receivedTexts.length === 1);
    expect(double.receivedTexts[0]).toBe("[result of weather, not said by the user] rain");
    expect(double.responses).toEqual([]);
  });

  test("sends one image a second, the newest, as a JPEG", async () => {
    const talk = await open();
    const image = (red: number, timeMs: number) => {
      const data = new Uint8Array(16 * 16 * 3);
      for (let i = 0; i < data.length; i += 3) data[i] = red;
      return { data, width: 16, height: 16, timeMs };
    };
    for (let turn = 0; turn < 13; turn++)
      await talk.step({ images: [image(0, turn * 200), image(10 * turn, turn * 200)] });
    await talk.steps(6);
    await until("the images", () => double.images.length === 4);
    expect(double.images.every((bytes) => bytes.readUInt16BE(0) === 0xffd8)).toBe(true);
    // In micro-turns 0, 5, 10 and the one that was left.
    expect(double.messages.every(({ realtimeInput }) => Object.keys(realtimeInput as object)[0] === "video")).toBe(
      true,
    );
  });

  test("takes a token for each connection to the constrained method, and Vertex AI with a bearer token", async () => {
    let count = 0;
    await open({ token: () => Promise.resolve(`auth_tokens/${++count}`) });
    double.drop(1006);
    await until("the loss", () => bench.count("reconnecting") === 1);
    await bench.clock.advance(1);
    await until("another connection", () => double.readyConnections === 2);
    expect(count).toBe(2);
    expect(double.paths.at(-1)).toBe(
      "/ws/google.ai.generativelanguage.v1alpha.GenerativeService.BidiGenerateContentConstrained",
    );
    await bench.engine.close();
    const vertex = { project: "my-project", location: "europe-west4" };
    await open({ token: () => "ya29.token", vertex });
    expect(double.paths.at(-1)).toBe("/ws/google.cloud.aiplatform.v1beta1.LlmBidiService/BidiGenerateContent");
    expect(double.setups.at(-1)?.model).toBe(
      `projects/my-project/locations/europe-west4/publishers/google/models/${model}`,
    );
  });

  test("carries a DuplexSession: speech, a delegation and its result, typed text, at the rates of the app", async () => {
    const engine = geminiLiveEngine({ model, apiKey, baseUrl: double.url, tools: [{ name: "weather" }] });
    const session = await DuplexSession.open({ engine });
    const heard: number[] = [];
    session.on("speech", (pcm) => {
      for (const value of pcm) if (value !== 0) heard.push(Math.round(value * 32768));
    });
    session.on("delegation", ({ id, name, task }) => {
      void session.deliver(`${name} in ${task}: rain`, "now", { delegation: id });
    });
    const microphone = new AbortController();
    const talking = (async () => {
      const quiet = new Float32Array(9600);
      while (!microphone.signal.aborted) await session.writeAudio(quiet, { sampleRate: 48_000 });
    })();
    const sound = sawtooth(second);
    const reply = double.beginReply();
    reply.sound(sound);
    reply.end();
    const [id] = double.call([{ name: "weather", arguments: { city: "Rome" } }]);
    session.sendText("and tomorrow?");
    await until("all of it", () => heard.length === sound.length && double.answers.length > 0);
    expect(difference(Int16Array.from(heard), sound)).toBe("");
    expect(double.answers).toEqual([{ id, result: "weather in Rome: rain" }]);
    expect(double.receivedTexts).toEqual(["and tomorrow?"]);
    microphone.abort();
    await talking;
    await session.close();
    await engine.close();
    await until("the socket is closed", () => double.openConnections === 0);
  });

  test("tells a model that is not known, and a setup that is not taken, with what was sent", async () => {
    await expect(open({ model: "gpt-live" })).rejects.toMatchObject({
      code: "UNSUPPORTED",
      details: { closeCode: 1008 },
    });
    const error = await open({ setup: { nonsense: true } }).catch((caught: unknown) => caught);
    expect(error).toMatchObject({ code: "UNSUPPORTED", details: { closeCode: 1007, setup: { nonsense: true } } });
    expect(String(error)).toContain("Unknown name");
    double.violations.length = 0;
  });
});

describe("the double of Gemini Live, by @google/genai", () => {
  let double: GeminiLiveDouble;
  let session: Session | undefined;
  const got: LiveServerMessage[] = [];
  const closes: { code: number; reason: string }[] = [];
  beforeEach(async () => {
    double = await GeminiLiveDouble.start();
    got.length = 0;
    closes.length = 0;
  });
  afterEach(async () => {
    vi.restoreAllMocks();
    session?.close();
    await double.close();
  });

  const callbacks = {
    onmessage: (message: LiveServerMessage) => void got.push(message),
    onclose: ({ code, reason }: { code: number; reason: string }) => void closes.push({ code, reason }),
  };
  const client = (key = "test-key", apiVersion?: string) =>
    new GoogleGenAI({
      apiKey: key,
      httpOptions: {
        baseUrl: double.url.replace("ws:", "http:"),
        ...(apiVersion === undefined ? {} : { apiVersion }),
      },
    });

  test("holds a session: sound, words, an interruption, a call and its answer, a handle", async () => {
    session = await client().live.connect({
      model,
      config: { responseModalities: [Modality.AUDIO], sessionResumption: {}, outputAudioTranscription: {} },
      callbacks,
    });
    session.sendRealtimeInput({
      audio: { data: Buffer.alloc(6400).toString("base64"), mimeType: "audio/pcm;rate=16000" },
    });
    session.sendRealtimeInput({ text: "hello" });
    session.sendRealtimeInput({ video: { data: "/9j/", mimeType: "image/jpeg" } });
    session.sendClientContent({ turns: [{ role: "user", parts: [{ text: "so far" }] }], turnComplete: false });
    await until("all arrives", () => double.receivedTexts.length === 2 && double.images.length === 1);
    expect(double.receivedSamples).toBe(3200);
    expect(double.receivedTexts).toEqual(["hello", "so far"]);

    const reply = double.beginReply();
    reply.sound(sawtooth(4800));
    reply.text("Hi");
    reply.cut();
    const [id] = double.call([{ name: "weather", arguments: { city: "Rome" } }]);
    double.cancel(["other"]);
    double.handle("state-1");
    double.sendJson({ goAway: { timeLeft: "50s" } });
    await until("all of it", () => got.some(({ goAway }) => goAway !== undefined));
    const sound = Buffer.concat(got.map(({ data }) => Buffer.from(data ?? "", "base64")));
    expect(sound).toHaveLength(9600);
    expect(got.some(({ serverContent }) => serverContent?.outputTranscription?.text === "Hi")).toBe(true);
    expect(got.some(({ serverContent }) => serverContent?.interrupted === true)).toBe(true);
    expect(got.find(({ toolCall }) => toolCall)?.toolCall?.functionCalls).toEqual([
      { id, name: "weather", args: { city: "Rome" } },
    ]);
    expect(got.find((one) => one.sessionResumptionUpdate)?.sessionResumptionUpdate?.newHandle).toBe("state-1");
    session.sendToolResponse({ functionResponses: [{ id, name: "weather", response: { output: "rain" } }] });
    await until("the answer", () => double.answers.length === 1);
    expect(double.answers).toEqual([{ id, result: "rain" }]);
    expect(double.violations).toEqual([]);
  });

  test("takes an ephemeral token with v1alpha only", async () => {
    // The client warns of what this test tries.
    vi.spyOn(console, "warn").mockImplementation(() => {});
    session = await client("auth_tokens/abc", "v1alpha").live.connect({ model, callbacks });
    expect(double.readyConnections).toBe(1);
    await expect(client("auth_tokens/abc", "v1beta").live.connect({ model, callbacks })).rejects.toThrow(/1008/);
  });

  test("refuses an unknown model, a wrong setup, a second one, and anything before it", async () => {
    await expect(client().live.connect({ model: "other", callbacks })).rejects.toThrow(/1008/);
    const setup = { model: `models/${model}` };
    const closes = (...messages: object[]) =>
      new Promise<number>((resolve) => {
        const path = "ws/google.ai.generativelanguage.v1beta.GenerativeService.BidiGenerateContent?key=k";
        const socket = new WebSocket(`${double.url}/${path}`);
        socket.on("open", () => socket.send(JSON.stringify(messages[0])));
        socket.on("message", () => socket.send(JSON.stringify(messages[1])));
        socket.on("close", resolve);
      });
    expect(await closes({ setup: { ...setup, nonsense: 1 } })).toBe(1007);
    expect(await closes({ setup }, { setup })).toBe(1007);
    expect(await closes({ realtimeInput: { text: "early" } })).toBe(1007);
    expect(await closes({ setup }, { toolResponse: { functionResponses: [{ name: "no id", response: {} }] } })).toBe(
      1007,
    );
  });

  test("passes over the answer to a call that it does not know", async () => {
    session = await client().live.connect({ model, callbacks });
    session.sendToolResponse({ functionResponses: [{ id: "never", name: "weather", response: {} }] });
    await until("it is passed over", () => double.ignored.length === 1);
    expect([double.answers, double.violations]).toEqual([[], []]);
  });

  test("refuses marks of activity beside its own detection", async () => {
    session = await client().live.connect({ model, callbacks });
    session.sendRealtimeInput({ activityStart: {} });
    await until("the close", () => closes.some(({ code }) => code === 1007));
  });

  test("gets the setup that our engine sends, for the same wishes", async () => {
    const tools = [{ name: "weather", description: "of a city", parameters: { type: "object" } }];
    const engine = geminiLiveEngine({
      ...{ model, apiKey, baseUrl: double.url, instructions: "Be kind.", voice: "Kore", language: "en-US", tools },
      ...{
        temperature: 0.5,
        mediaResolution: "low",
        contextCompression: { triggerTokens: 20_000, targetTokens: 8000 },
      },
    });
    await engine.open();
    session = await client().live.connect({
      model,
      config: {
        responseModalities: [Modality.AUDIO],
        temperature: 0.5,
        mediaResolution: "MEDIA_RESOLUTION_LOW" as never,
        speechConfig: { voiceConfig: { prebuiltVoiceConfig: { voiceName: "Kore" } }, languageCode: "en-US" },
        systemInstruction: { parts: [{ text: "Be kind." }] },
        tools: [
          {
            functionDeclarations: tools.map(({ parameters, ...one }) => ({ ...one, parametersJsonSchema: parameters })),
          },
        ],
        contextWindowCompression: { triggerTokens: "20000", slidingWindow: { targetTokens: "8000" } },
        ...{ sessionResumption: {}, inputAudioTranscription: {}, outputAudioTranscription: {} },
      },
      callbacks,
    });
    await engine.close();
    expect(double.setups[0]).toEqual(double.setups[1]);
  });
});
