import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { chromiumPath, withoutChromium } from "../../../scripts/browser-testing.js";
import type { MediaKit } from "./testing/kit.js";
import { type MediaPages, openMediaPages } from "./testing/media-page.js";
import { type Listening, listen, stretches } from "./testing/recordings.js";

declare const kit: MediaKit;

describe.skipIf(chromiumPath === undefined)(`the speaker in a browser${withoutChromium}`, () => {
  let pages: MediaPages;
  beforeAll(async () => {
    pages = await openMediaPages();
  });
  afterAll(() => pages?.close());

  /** A page with a session that is fed by a silent microphone and recorded at the speaker; see each test for its script. */
  async function conversation(what: {
    readonly turns: number;
    readonly yieldAt?: readonly number[];
    prebufferMs?: number;
  }) {
    const page = await pages.open();
    const result = await page.evaluate(async ({ turns, yieldAt = [], prebufferMs = 40 }) => {
      const engine = kit.scriptedEngine({
        // It speaks all the time, but listens for four micro-turns after it has yielded.
        script: ({ index }) => {
          if (yieldAt.includes(index)) return { yielded: true };
          const quiet = yieldAt.some((turn) => index > turn && index < turn + 4);
          return quiet || index >= turns ? {} : { decision: "speak", speech: 0.3 };
        },
      });
      const session = await kit.core.DuplexSession.open({ engine });
      const audioContext = new AudioContext();
      const recorder = await kit.recordNode(audioContext);
      const flushedAt: number[] = [];
      session.on("flush", () => {
        recorder.mark();
        flushedAt.push(audioContext.currentTime * audioContext.sampleRate);
      });
      const speaker = kit.attachSpeaker(session, {
        ...{ audioContext, destination: recorder.node, prebufferMs, maxPrebufferMs: Math.max(80, prebufferMs) },
      });
      await speaker.ready;
      const microphone = await kit.attachMicrophone(session, { audioContext, muted: true });
      await new Promise<void>((resolve) => {
        session.on("turn-end", ({ turn }) => {
          if (turn.index === turns + 2) resolve();
        });
      });
      const { statistics } = speaker;
      const recording = await recorder.read();
      await session.close();
      await Promise.all([speaker.ended, microphone.ended]);
      const { state } = audioContext;
      await audioContext.close();
      const { samples, marks } = recording;
      return {
        ...{ samples: kit.toText(samples), marks, flushedAt, statistics, state },
        sampleRate: audioContext.sampleRate,
      };
    }, what);
    expect(page.problems).toEqual([]);
    await page.close();
    return { ...result, samples: listen(result.samples as Listening) };
  }

  it("plays what comes, without a gap and without a click", async () => {
    const { samples, sampleRate, statistics, state } = await conversation({ turns: 20, prebufferMs: 200 });
    const sounds = stretches(samples, sampleRate / 200);
    // A gap may only be there if this machine was too slow, which the player then counts.
    expect(sounds.length - 1).toBeLessThanOrEqual(statistics.underruns);
    if (statistics.underruns === 0) {
      const seconds = (sounds[0].to - sounds[0].from) / sampleRate;
      expect(seconds).toBeGreaterThan(3.95);
      expect(seconds).toBeLessThan(4.05);
    }
    let [steepest, loudest] = [0, 0];
    for (let i = 1; i < samples.length; i++) {
      steepest = Math.max(steepest, Math.abs(samples[i] - samples[i - 1]));
      loudest = Math.max(loudest, samples[i]);
    }
    expect(steepest).toBeLessThan((1.5 * 0.3 * 2 * Math.PI * 200) / sampleRate);
    expect(loudest).toBeGreaterThan(0.28);
    // The context was passed in: it is not ours to close.
    expect(state).toBe("running");
  });

  it("is silent within 20 ms of the model's decision to yield (rule 5), and stays so", async () => {
    const yieldAt = [6, 14, 22, 30, 38];
    const { samples, sampleRate, marks, flushedAt } = await conversation({ turns: 40, yieldAt });
    expect(marks).toHaveLength(yieldAt.length);
    const byAudioThread: number[] = [];
    const byPage: number[] = [];
    marks.forEach(({ at: mark, frame }, i) => {
      const until = Math.min(samples.length, mark + Math.round(0.6 * sampleRate));
      let last = mark - 1;
      for (let at = mark; at < until; at++) if (samples[at] !== 0) last = at;
      byAudioThread.push((1000 * (last + 1 - mark)) / sampleRate);
      byPage.push((1000 * (frame + last + 1 - mark - flushedAt[i])) / sampleRate);
      // It was speaking: there was something to silence.
      const before = samples.subarray(mark - Math.round(0.02 * sampleRate), mark);
      expect(Math.max(...before), `before flush ${i}`).toBeGreaterThan(0.05);
    });
    console.info(`flush to silence, ms: by the audio thread ${figures(byAudioThread)}; by the page ${figures(byPage)}`);
    expect(Math.max(...byAudioThread)).toBeLessThan(20);
    // The page's clock has the wait for a busy machine in it: the best counts.
    expect(Math.min(...byPage)).toBeLessThan(20);
  });

  it("knows what is heard at any moment (rule 4), the latency of the loudspeaker included", async () => {
    const page = await pages.open();
    const result = await page.evaluate(async () => {
      // Each micro-turn is louder than the one before: what is recorded tells which one it is.
      const engine = kit.scriptedEngine({
        script: ({ index }) => (index === 9 ? { yielded: true } : { decision: "speak", speech: 0.04 * (index + 1) }),
      });
      const session = await kit.core.DuplexSession.open({ engine });
      const audioContext = new AudioContext();
      const { sampleRate } = audioContext;
      const recorder = await kit.recordNode(audioContext);
      const speaker = kit.attachSpeaker(session, { audioContext, destination: recorder.node });
      await speaker.ready;
      const microphone = await kit.attachMicrophone(session, { audioContext, muted: true });
      const before = speaker.heard;
      const found: { turnIndex: number; samples: number; frame: number }[] = [];
      while (session.turnIndex < 20) {
        await new Promise((resolve) => setTimeout(resolve, 7));
        const { contextTime = 0, performanceTime = 0 } = audioContext.getOutputTimestamp();
        const heard = speaker.heard;
        const frame = (contextTime + (performance.now() - performanceTime) / 1000) * sampleRate;
        if (heard !== undefined) found.push({ ...heard, frame });
      }
      recorder.mark();
      await new Promise((resolve) => setTimeout(resolve, 100));
      const { samples, marks } = await recorder.read();
      await session.close();
      await Promise.all([speaker.ended, microphone.ended]);
      await audioContext.close();
      return { before, found, marks, samples: kit.toText(samples), sampleRate };
    });
    const samples = listen(result.samples);
    const { before, found, marks, sampleRate } = result;
    expect(before).toBeUndefined();
    const [ahead, behind]: [unknown[], unknown[]] = [[], []];
    let checked = 0;
    for (const { turnIndex, samples: count, frame } of found) {
      // Within a micro-turn by 10 ms: much less than the latency of a loudspeaker.
      if (count < 240 || count > 3040) continue;
      const at = Math.round(marks[0].at + frame - marks[0].frame);
      const peak = samples.subarray(at - Math.round(0.005 * sampleRate), at).reduce((most, x) => Math.max(most, x), 0);
      const expected = turnIndex === 9 ? 0 : 0.04 * (turnIndex + 1);
      checked++;
      if (peak < expected - 0.02) ahead.push({ turnIndex, count, peak, expected });
      if (peak > expected + 0.02) behind.push({ turnIndex, count, peak, expected });
    }
    expect(checked).toBeGreaterThan(50);
    // Never more than was heard (the two readings of the clock are a moment apart); less while a busy page reads no reports.
    expect(ahead.length, JSON.stringify(ahead.slice(0, 5))).toBeLessThan(checked / 20);
    expect(behind.length, JSON.stringify(behind.slice(0, 5))).toBeLessThan(checked / 4);
    const turns = found.map(({ turnIndex }) => turnIndex);
    expect(turns).toEqual([...turns].sort((a, b) => a - b));
    // What the flush cut off was never heard: the last micro-turn before it stops short of its end.
    const last = found.filter(({ turnIndex }) => turnIndex < 9).at(-1);
    expect(last?.turnIndex === 8 && last.samples === 3200).toBe(false);
  });

  it("tells the session, which cuts the conversation where the sound stopped being heard (rule 4)", async () => {
    const page = await pages.open();
    const result = await page.evaluate(async () => {
      // A word per micro-turn, each louder than the one before: what is recorded tells which words were heard.
      const engine = kit.scriptedEngine({
        script: ({ index }) => {
          if (index === 12) return { delegation: { task: "" } };
          if (index > 9) return {};
          const said = { decision: "speak", speech: 0.04 * (index + 1), text: `word${index}` } as const;
          return index === 9 ? { yielded: true } : said;
        },
      });
      const session = await kit.core.DuplexSession.open({ engine });
      const audioContext = new AudioContext();
      const recorder = await kit.recordNode(audioContext);
      let unheard = "";
      session.on("flush", (event) => {
        recorder.mark();
        unheard = event.unheard;
      });
      const played: number[] = [];
      session.on("turn-end", ({ turn: { input } }) => {
        if (input.played !== undefined) played.push(input.played.turnIndex + input.played.samples / 3200);
      });
      const delegated = new Promise<string>((resolve) => {
        session.on("delegation", ({ conversation }) => resolve(conversation.map(({ text }) => text).join(" ")));
      });
      // A player that runs late: what it holds back is said, but not heard, when the model yields.
      const late = { prebufferMs: 500, maxPrebufferMs: 500 };
      const speaker = kit.attachSpeaker(session, { audioContext, destination: recorder.node, ...late });
      await speaker.ready;
      const microphone = await kit.attachMicrophone(session, { audioContext, muted: true });
      const heard = await delegated;
      const { samples, marks } = await recorder.read();
      await session.close();
      await Promise.all([speaker.ended, microphone.ended]);
      await audioContext.close();
      return { unheard, heard, played, marks, samples: kit.toText(samples), sampleRate: audioContext.sampleRate };
    });
    expect(page.problems).toEqual([]);
    const { heard, unheard, played, marks, sampleRate } = result;
    const words = Array.from({ length: 9 }, (_, index) => `word${index}`);
    expect(`${heard} ${unheard}`.split(" ")).toEqual(words);
    const before = listen(result.samples).subarray(0, marks[0].at);
    const loudest = before.subarray(-Math.round(0.02 * sampleRate)).reduce((most, x) => Math.max(most, x), 0);
    const sounding = Math.round(loudest / 0.04) - 1;
    // The word whose sound was under way may count or not; a busy page may know of less.
    const count = heard.split(" ").length;
    expect(count).toBeLessThanOrEqual(sounding + 1);
    expect(count).toBeGreaterThanOrEqual(sounding - 1);
    expect(sounding).toBeLessThan(8);
    // It was told all the time, forward only.
    expect(played.length).toBeGreaterThan(5);
    expect(played).toEqual([...played].sort((a, b) => a - b));
  });

  it("tells that nothing was heard as long as the page's audio is suspended (rule 4)", async () => {
    const page = await pages.open();
    const result = await page.evaluate(async () => {
      const engine = kit.scriptedEngine({
        script: ({ index }) =>
          index === 6 ? { delegation: { task: "" } } : { decision: "speak", speech: 0.3, text: `word${index}` },
      });
      const session = await kit.core.DuplexSession.open({ engine, pace: "as-fast-as-input", tailMs: 0 });
      const audioContext = new AudioContext();
      await audioContext.suspend();
      const speaker = kit.attachSpeaker(session, { audioContext });
      await speaker.ready;
      const told: unknown[] = [];
      session.on("flush", ({ unheard }) => told.push(unheard));
      session.on("delegation", ({ conversation }) => told.push(conversation));
      session.on("turn-end", ({ turnIndex }) => {
        if (turnIndex === 4) session.interrupt();
      });
      await session.writeAudio(new Float32Array(3200 * 7));
      await session.finish();
      await audioContext.close();
      await speaker.ended;
      return told;
    });
    expect(result).toEqual(["word0 word1 word2 word3 word4", [{ speaker: "assistant", text: "word5", turnIndex: 5 }]]);
  });

  it("keeps out what carries an old fence: the step that was under way when the app interrupted (rule 5)", async () => {
    const page = await pages.open();
    const result = await page.evaluate(async () => {
      const { DuplexSession, systemClock } = kit.core;
      const script = () => ({ decision: "speak", speech: 0.3 }) as const;
      const engine = kit.scriptedEngine({ script, stepMs: 120, clock: systemClock });
      const session = await DuplexSession.open({ engine });
      const audioContext = new AudioContext();
      const recorder = await kit.recordNode(audioContext);
      const speaker = kit.attachSpeaker(session, { audioContext, destination: recorder.node });
      await speaker.ready;
      const microphone = await kit.attachMicrophone(session, { audioContext, muted: true });
      const after: { fence: number; silent: boolean }[] = [];
      let fence = 0;
      await new Promise<void>((resolve) => {
        session.on("speech", (_, event) => {
          if (fence > 0) after.push({ fence: event.fence, silent: event.silent });
          if (after.length === 3) setTimeout(resolve, 300);
        });
        session.on("turn-start", ({ turnIndex }) => {
          if (turnIndex !== 6) return;
          setTimeout(() => {
            session.on("flush", (event) => {
              fence = event.fence;
            });
            recorder.mark();
            session.interrupt();
          }, 40);
        });
      });
      const { samples, marks } = await recorder.read();
      await session.close();
      await Promise.all([speaker.ended, microphone.ended]);
      await audioContext.close();
      return { samples: kit.toText(samples), marks, after, fence, sampleRate: audioContext.sampleRate };
    });
    const samples = listen(result.samples);
    const { marks, after, fence, sampleRate } = result;
    // The step under way gave sound under the old fence, and the session handed it out.
    expect(after[0]).toEqual({ fence: fence - 1, silent: false });
    const silentFrom = marks[0].at + Math.round(0.02 * sampleRate);
    const sounds = stretches(samples, 48).filter(({ to }) => to > silentFrom);
    // Its 200 ms were not played: the next sound is that of the first micro-turn which may speak again, 400 ms later.
    for (const { from } of sounds) expect(from - marks[0].at).toBeGreaterThan(0.25 * sampleRate);
    expect(sounds.length).toBeGreaterThan(0);
  });

  it("holds the newest second while the page's audio is suspended, and plays it when it runs", async () => {
    const page = await pages.open();
    const result = await page.evaluate(async () => {
      const engine = kit.scriptedEngine({ script: () => ({ decision: "speak", speech: 0.3 }) });
      const session = await kit.core.DuplexSession.open({ engine, pace: "as-fast-as-input", tailMs: 0 });
      const audioContext = new AudioContext();
      const recorder = await kit.recordNode(audioContext);
      await audioContext.suspend();
      const states: string[] = [];
      const onStateChange = (state: string) => states.push(state);
      const speaker = kit.attachSpeaker(session, { audioContext, destination: recorder.node, onStateChange });
      await speaker.ready;
      const before = speaker.state;
      await session.writeAudio(new Float32Array(16_000 * 6));
      while (session.turnIndex < 30) await new Promise((resolve) => setTimeout(resolve, 5));
      const suspended = speaker.statistics;
      const heard = speaker.heard;
      await speaker.resume();
      await session.finish();
      await speaker.ended;
      const { samples } = await recorder.read();
      await audioContext.close();
      const { sampleRate } = audioContext;
      return { before, suspended, heard, states, samples: kit.toText(samples), sampleRate };
    });
    expect(result.before).toBe("suspended");
    expect(result.suspended.queuedMs).toBeCloseTo(1000, 3);
    expect(result.suspended.droppedMs).toBeCloseTo(5000, 3);
    expect(result.heard).toBeUndefined();
    expect(result.states).toEqual(["running"]);
    const sounds = stretches(listen(result.samples), 48);
    // The session has ended meanwhile; what was queued is played to its end all the same.
    expect(sounds).toHaveLength(1);
    expect((sounds[0].to - sounds[0].from) / result.sampleRate).toBeCloseTo(1, 1);
  });

  it("plays to its end what is queued when the session ends, then lets its context go; close() cuts it off", async () => {
    const page = await pages.open();
    const result = await page.evaluate(async () => {
      const open = async () => {
        const engine = kit.scriptedEngine({ script: () => ({ decision: "speak", speech: 0.3 }) });
        const session = await kit.core.DuplexSession.open({ engine, pace: "as-fast-as-input", tailMs: 0 });
        const contexts: AudioContext[] = [];
        const Original = AudioContext;
        globalThis.AudioContext = class extends Original {
          constructor(options?: AudioContextOptions) {
            super(options);
            contexts.push(this);
          }
        };
        const speaker = kit.attachSpeaker(session, { maxQueuedMs: 5000 });
        globalThis.AudioContext = Original;
        await speaker.ready;
        await session.writeAudio(new Float32Array(16_000));
        await session.finish();
        return { speaker, context: contexts[0] };
      };
      const first = await open();
      const started = performance.now();
      await first.speaker.ended;
      const playedMs = performance.now() - started;
      const second = await open();
      const closing = performance.now();
      await second.speaker.close();
      const closedMs = performance.now() - closing;
      return {
        ...{ playedMs, closedMs, states: [first.context.state, second.context.state], speaker: first.speaker.state },
        last: first.speaker.heard,
      };
    });
    expect(result.states).toEqual(["closed", "closed"]);
    expect(result.speaker).toBe("closed");
    expect(result.playedMs).toBeGreaterThan(900);
    expect(result.closedMs).toBeLessThan(900);
    expect(result.last).toEqual({ turnIndex: 4, samples: 3200, fence: 0 });
  });

  it("plays what came while its filter was made, at 44.1 kHz, also when the session has ended by then", async () => {
    const page = await pages.open();
    const result = await page.evaluate(async () => {
      const engine = kit.scriptedEngine({
        script: ({ index }) => (index < 5 ? { decision: "speak", speech: 0.1 * (index + 1) } : {}),
      });
      const session = await kit.core.DuplexSession.open({ engine, pace: "as-fast-as-input", tailMs: 0 });
      const audioContext = new AudioContext({ sampleRate: 44_100 });
      const recorder = await kit.recordNode(audioContext);
      const speaker = kit.attachSpeaker(session, { audioContext, destination: recorder.node });
      let ready = false;
      void speaker.ready.then(() => {
        ready = true;
      });
      await session.writeAudio(new Float32Array(16_000));
      await session.finish();
      const early = { ready, queuedMs: speaker.statistics.queuedMs };
      await speaker.ended;
      const { samples } = await recorder.read();
      await audioContext.close();
      return { early, heard: speaker.heard, samples: kit.toText(samples), sampleRate: audioContext.sampleRate };
    });
    expect(page.problems).toEqual([]);
    const { early, heard, sampleRate } = result;
    expect(early.ready).toBe(false);
    expect(early.queuedMs).toBeCloseTo(1000, 3);
    expect(heard).toEqual({ turnIndex: 4, samples: 3200, fence: 0 });
    const samples = listen(result.samples);
    const sounds = stretches(samples, 48);
    expect(sounds).toHaveLength(1);
    const [{ from, to }] = sounds;
    expect((to - from) / sampleRate).toBeCloseTo(1, 1);
    // All of it, in its order: each micro-turn is louder than the one before.
    const peaks = Array.from({ length: 5 }, (_, turn) => {
      const at = from + Math.round((0.2 * turn + 0.05) * sampleRate);
      return Math.max(...samples.subarray(at, at + Math.round(0.1 * sampleRate)));
    });
    peaks.forEach((peak, turn) => {
      expect(peak).toBeCloseTo(0.1 * (turn + 1), 1);
    });
  });

  it("goes over to another loudspeaker, back to the system's when that is unplugged, and keeps the present one if one fails", async () => {
    const page = await pages.open();
    const result = await page.evaluate(async () => {
      const engine = kit.scriptedEngine({ script: () => ({ decision: "speak", speech: 0.3 }) });
      const session = await kit.core.DuplexSession.open({ engine });
      const contexts: (AudioContext & { sinkId?: string })[] = [];
      const Original = AudioContext;
      globalThis.AudioContext = class extends Original {
        constructor(options?: AudioContextOptions) {
          super(options);
          contexts.push(this);
        }
      };
      const speaker = kit.attachSpeaker(session);
      const microphone = await kit.attachMicrophone(session, { muted: true });
      /** Where it plays, once it has played on there. */
      const playsOn = async () => {
        const from = (speaker.heard?.turnIndex ?? -1) + 2;
        while ((speaker.heard?.turnIndex ?? -1) < from) await new Promise((resolve) => setTimeout(resolve, 10));
        return contexts[0].sinkId;
      };
      const fails = (promise: Promise<unknown>) =>
        promise.then(
          () => "no error",
          ({ code, details, message }) => `${code} ${details.reason ?? ""} ${message}`,
        );
      const listed = await speaker.devices();
      const [other] = listed.filter(({ deviceId }) => deviceId !== "default");
      const first = await playsOn();
      await speaker.use(other.deviceId);
      const second = await playsOn();
      const wrong = await fails(speaker.use("no such device"));
      const devices = navigator.mediaDevices;
      const list = devices.enumerateDevices.bind(devices);
      // Another device went, or came.
      devices.dispatchEvent(new Event("devicechange"));
      const kept = await playsOn();
      devices.enumerateDevices = async () => (await list()).filter(({ deviceId }) => deviceId !== other.deviceId);
      devices.dispatchEvent(new Event("devicechange"));
      const startMs = performance.now();
      while (contexts[0].sinkId !== "" && performance.now() < startMs + 5000) {
        await new Promise((resolve) => setTimeout(resolve, 10));
      }
      const unplugged = await playsOn();
      Object.assign(contexts[0], { setSinkId: undefined });
      const noChoice = await fails(speaker.use(""));
      const state = speaker.state;
      await speaker.close();
      const closed = await fails(speaker.use(""));
      await session.close();
      await microphone.ended;
      return {
        ...{ first, second, kept, unplugged, wrong, noChoice, closed, state, other: other.deviceId },
        ...{ kinds: listed.map(({ kind }) => kind), contexts: contexts.length },
      };
    });
    expect(page.problems).toEqual([]);
    const { first, second, kept, unplugged, other } = result;
    expect([first, second, kept, unplugged]).toEqual(["", other, other, ""]);
    expect(new Set(result.kinds)).toEqual(new Set(["audiooutput"]));
    expect(result.wrong).toMatch(/^MEDIA_UNAVAILABLE no-device .*devices\(\)/);
    expect(result.noChoice).toMatch(/^UNSUPPORTED .*audio element/);
    expect(result.closed).toMatch(/^SESSION_CLOSED/);
    expect(result).toMatchObject({ state: "running", contexts: 1 });
  });

  it("keeps its queue against a clock that drifts, on the audio thread itself", async () => {
    const page = await pages.open();
    // A context without a device renders as fast as it can, so that nothing here depends on this machine's speed.
    const run = (ppm: number) =>
      page.evaluate(async (ppm) => {
        const [sampleRate, seconds] = [48_000, 60];
        const context = new OfflineAudioContext(1, sampleRate * seconds, sampleRate);
        await context.audioWorklet.addModule("/player-worklet.js");
        const node = new AudioWorkletNode(context, "microturn-player", {
          ...{ numberOfInputs: 0, outputChannelCount: [1] },
          processorOptions: { prebufferMs: 40, maxPrebufferMs: 80, maxQueuedMs: 1000, fadeMs: 5 },
        });
        node.connect(context.destination);
        const rates: number[] = [];
        let last = new Float64Array(0);
        node.port.onmessage = ({ data }) => {
          last = data;
          rates.push(data[6]);
        };
        const period = 0.2 / (1 + ppm / 1e6);
        for (let time = period; time < seconds; time += period) {
          void context.suspend(Math.round((time * sampleRate) / 128) * (128 / sampleRate)).then(() => {
            const piece = new Float32Array(9600).fill(0.25);
            node.port.postMessage(piece, [piece.buffer]);
            void context.resume();
          });
        }
        const samples = (await context.startRendering()).getChannelData(0);
        await new Promise((resolve) => setTimeout(resolve, 50));
        const [underruns, dropped, queued] = [last[4], last[5], last[3]];
        let silent = 0;
        for (let at = 48_000; at < samples.length; at++) if (samples[at] < 0.2) silent++;
        return { underruns, dropped, queued, silent, low: Math.min(...rates), high: Math.max(...rates) };
      }, ppm);
    for (const ppm of [2000, -2000]) {
      const { underruns, dropped, queued, silent, low, high } = await run(ppm);
      // Left alone, 2000 ppm of a minute are 120 ms: more than the prebuffer of 40 ms.
      expect({ underruns, dropped, silent }, `${ppm} ppm`).toEqual({ underruns: 0, dropped: 0, silent: 0 });
      expect(queued).toBeLessThan(0.3 * 48_000);
      expect(low).toBeGreaterThanOrEqual(0.995);
      expect(high).toBeLessThanOrEqual(1.005);
      expect(ppm > 0 ? high : 2 - low).toBeGreaterThan(1.001);
    }
  });
});

function figures(values: readonly number[]): string {
  const sorted = [...values].sort((a, b) => a - b);
  return `${sorted.map((value) => value.toFixed(1)).join(" ")} (median ${sorted[sorted.length >> 1].toFixed(1)})`;
}
