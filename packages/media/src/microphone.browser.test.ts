import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { readWav } from "@microturn/core";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { openBackgroundTab } from "../../../scripts/background-tab.js";
import { chromiumPath, withoutChromium } from "../../../scripts/browser-testing.js";
import type { MediaKit } from "./testing/kit.js";
import { type MediaPages, openMediaPages } from "./testing/media-page.js";
import { bestMatch, listen } from "./testing/recordings.js";

declare const kit: MediaKit;

const speechFile = fileURLToPath(new URL("../../../fixtures/speech/question.wav", import.meta.url));

describe.skipIf(chromiumPath === undefined)(`the microphone in a browser${withoutChromium}`, () => {
  it.each([
    ["through shared memory, in an isolated page", true],
    ["by messages, in a page that is not isolated", false],
  ])("lets the session hear speech as it is, %s", async (_, isolated) => {
    const pages = await openMediaPages({ flags: [`--use-file-for-fake-audio-capture=${speechFile}`] });
    try {
      const page = await pages.open({ isolated });
      const result = await page.evaluate(async () => {
        const engine = kit.scriptedEngine();
        const session = await kit.core.DuplexSession.open({ engine });
        const microphone = await kit.attachMicrophone(session, {
          ...{ echoCancellation: false, noiseSuppression: false, autoGainControl: false },
        });
        let loudest = 0;
        await new Promise<void>((resolve) => {
          session.on("turn-end", ({ turn }) => {
            loudest = Math.max(loudest, microphone.level);
            if (turn.index === 34) resolve();
          });
        });
        const { settings, lostSamples } = microphone;
        await session.close();
        await microphone.ended;
        const heard = new Float32Array(3200 * engine.steps.reduce((sum, step) => sum + step.turns, 0));
        let at = 0;
        for (const { audio } of engine.steps) {
          heard.set(audio, at);
          at += audio.length;
        }
        return { heard: kit.toText(heard), settings, lostSamples, loudest, isolated: crossOriginIsolated };
      });
      expect(page.problems).toEqual([]);
      expect(result.isolated).toBe(isolated);
      expect(result.settings).toMatchObject({ echoCancellation: false, noiseSuppression: false });
      expect(result.lostSamples).toBe(0);
      expect(result.loudest).toBeGreaterThan(0.01);
      const { channels, sampleRate } = readWav(readFileSync(speechFile));
      expect(sampleRate).toBe(16_000);
      // Second by second, wherever the browser began to play the file; the middle one counts, as a slow machine may stutter.
      const heard = listen(result.heard);
      const found = loudSeconds(channels[0]).map((second) => bestMatch(heard, second).correlation);
      const middle = found.sort((a, b) => a - b)[found.length >> 1];
      expect(middle).toBeGreaterThan(0.97);
      console.info(`speech of the file in the session: correlation ${middle.toFixed(4)}`);
    } finally {
      await pages.close();
    }
  });
});

/** The seconds of a recording at 16 kHz in which someone speaks. */
function loudSeconds(samples: Float32Array): Float32Array[] {
  const seconds: Float32Array[] = [];
  for (let at = 0; at + 16_000 <= samples.length; at += 16_000) seconds.push(samples.subarray(at, at + 16_000));
  const power = (second: Float32Array) => second.reduce((sum, value) => sum + value * value, 0);
  const most = Math.max(...seconds.map(power));
  return seconds.filter((second) => power(second) > most / 2);
}

describe.skipIf(chromiumPath === undefined)(`whatever becomes of a microphone${withoutChromium}`, () => {
  let pages: MediaPages;
  beforeAll(async () => {
    pages = await openMediaPages();
  });
  afterAll(() => pages?.close());

  it("keeps the session's clock while it is muted, and sends zeros then (rule 1)", async () => {
    const page = await pages.open();
    const result = await page.evaluate(async () => {
      const engine = kit.scriptedEngine();
      const session = await kit.core.DuplexSession.open({ engine });
      const microphone = await kit.attachMicrophone(session, { autoGainControl: false });
      const peaks: number[] = [];
      let from = Number.NaN;
      let until = Number.NaN;
      await new Promise<void>((resolve) => {
        session.on("turn-end", ({ turn }) => {
          peaks.push(Math.max(...turn.input.audio));
          // In the session of a page that is late, sound waits that came before.
          const received = Math.ceil(session.timeMs / 200);
          if (turn.index === 9) {
            microphone.muted = true;
            from = received;
          }
          if (turn.index === from + 8) {
            microphone.muted = false;
            until = received - 1;
          }
          if (turn.index === until + 11) resolve();
        });
      });
      const { state, settings } = microphone;
      const enabled = microphone.stream.getAudioTracks()[0].enabled;
      const wallMs = performance.now();
      const before = session.timeMs;
      await microphone.close();
      await session.close();
      return { peaks, from, until, state, settings, enabled, before, wallMs };
    });
    // The fake device beeps every half a second or so.
    const { peaks, from, until } = result;
    expect(Math.max(...peaks.slice(0, 10))).toBeGreaterThan(0.01);
    expect(until - from).toBeGreaterThanOrEqual(7);
    expect(peaks.slice(from, until).every((peak) => peak === 0)).toBe(true);
    expect(Math.max(...peaks.slice(until + 2))).toBeGreaterThan(0.01);
    expect(result.enabled).toBe(true);
    expect(result.state).toBe("live");
  });

  it("keeps the clock when the device is unplugged, and goes on with the default one when there is one again", async () => {
    const page = await pages.open();
    const result = await page.evaluate(async () => {
      const session = await kit.core.DuplexSession.open({ engine: kit.scriptedEngine() });
      const states: string[] = [];
      const microphone = await kit.attachMicrophone(session, { onStateChange: (state) => states.push(state) });
      const peaks: number[] = [];
      session.on("turn-end", ({ turn }) => peaks.push(Math.max(...turn.input.audio)));
      const turns = async (count: number) => {
        const until = peaks.length + count;
        while (peaks.length < until) await new Promise((resolve) => setTimeout(resolve, 10));
      };
      await turns(5);
      // What a browser does when a device is pulled out: its track ends, and the list of devices is shorter.
      const devices = navigator.mediaDevices;
      const list = devices.enumerateDevices.bind(devices);
      devices.enumerateDevices = async () => [];
      const [track] = microphone.stream.getAudioTracks();
      track.stop();
      track.dispatchEvent(new Event("ended"));
      const lost = microphone.state;
      await turns(6);
      const stillLost = microphone.state;
      devices.dispatchEvent(new Event("devicechange"));
      await turns(1);
      const beforeIt = microphone.state;
      devices.enumerateDevices = list;
      devices.dispatchEvent(new Event("devicechange"));
      await turns(8);
      const after = microphone.state;
      const [next] = microphone.stream.getAudioTracks();
      await session.close();
      await microphone.ended;
      return { states, lost, stillLost, beforeIt, after, peaks, next: next.readyState, same: next === track };
    });
    expect([result.lost, result.stillLost, result.beforeIt, result.after]).toEqual(["lost", "lost", "lost", "live"]);
    expect(result.states.filter((state) => state !== "suspended")).toEqual(["lost", "live", "closed"]);
    expect(result.peaks.slice(7, 11).every((peak) => peak === 0)).toBe(true);
    expect(Math.max(...result.peaks.slice(13))).toBeGreaterThan(0.01);
    // The session's end let the new device go.
    expect(result).toMatchObject({ same: false, next: "ended" });
  });

  it("goes over to another device without a hole, and keeps the present one if that fails", async () => {
    const page = await pages.open();
    const result = await page.evaluate(async () => {
      const session = await kit.core.DuplexSession.open({ engine: kit.scriptedEngine() });
      const microphone = await kit.attachMicrophone(session);
      const devices = await microphone.devices();
      const [before] = microphone.stream.getAudioTracks();
      let turns = 0;
      session.on("turn-end", () => turns++);
      const wrong = await microphone.use("no such device").then(
        () => undefined,
        (error) => ({ code: error.code, reason: error.details.reason, message: error.message }),
      );
      const kept = before.readyState;
      const other = devices.find(
        ({ deviceId }) => deviceId !== before.getSettings().deviceId && deviceId !== "default",
      );
      const startMs = session.timeMs;
      await microphone.use(other?.deviceId ?? "");
      const start = turns;
      while (turns < start + 4) await new Promise((resolve) => setTimeout(resolve, 10));
      const now = microphone.settings.deviceId;
      const ended = before.readyState;
      await microphone.close();
      const closed = await microphone.use("default").catch((error) => error.code);
      await session.close();
      return {
        ...{ wrong, kept, ended, now, other: other?.deviceId, closed, kinds: devices.map(({ kind }) => kind) },
        advanced: session.timeMs - startMs,
      };
    });
    expect(result.wrong).toMatchObject({ code: "MEDIA_UNAVAILABLE", reason: "no-device" });
    expect(result.wrong?.message).toContain("devices()");
    expect(result.kept).toBe("live");
    expect(result.ended).toBe("ended");
    expect(result.now).toBe(result.other);
    expect(new Set(result.kinds)).toEqual(new Set(["audioinput"]));
    expect(result.advanced).toBeGreaterThan(500);
    expect(result.closed).toBe("SESSION_CLOSED");
  });

  it("hears a stream of the app's own, and leaves it to the app at the end", async () => {
    const page = await pages.open();
    const result = await page.evaluate(async () => {
      const engine = kit.scriptedEngine();
      const session = await kit.core.DuplexSession.open({ engine });
      const audioContext = new AudioContext();
      const tone = new OscillatorNode(audioContext, { frequency: 440 });
      const gain = new GainNode(audioContext, { gain: 0.5 });
      const out = audioContext.createMediaStreamDestination();
      tone.connect(gain).connect(out);
      tone.start();
      const microphone = await kit.attachMicrophone(session, { audioContext, stream: out.stream });
      while (session.turnIndex < 12) await new Promise((resolve) => setTimeout(resolve, 10));
      await microphone.close();
      await session.close();
      const [track] = out.stream.getTracks();
      const kept = { track: track.readyState, context: audioContext.state };
      await audioContext.close();
      return { heard: engine.steps.slice(2).map(({ audio }) => kit.toText(audio)), kept };
    });
    expect(result.kept).toEqual({ track: "live", context: "running" });
    const heard = result.heard.map(listen);
    const crossings = heard.map((samples) => samples.filter((x, i) => i > 0 && x >= 0 !== samples[i - 1] >= 0).length);
    // The middle one of the micro-turns, as a slow machine may stutter: 440 Hz cross zero 176 times in 200 ms.
    const middle = crossings.sort((a, b) => a - b)[crossings.length >> 1];
    expect(Math.abs(middle - 176), String(crossings)).toBeLessThanOrEqual(1);
    // Half the amplitude, the way of streams through two channels and back included.
    const loudest = Math.max(...heard.map((samples) => Math.max(...samples)));
    expect(loudest).toBeGreaterThan(0.3);
    expect(loudest).toBeLessThan(0.6);
  });

  it("lets device and context go with the session, and holds nothing of a session that had ended", async () => {
    const page = await pages.open();
    const result = await page.evaluate(async () => {
      const contexts: AudioContext[] = [];
      const Original = AudioContext;
      globalThis.AudioContext = class extends Original {
        constructor(options?: AudioContextOptions) {
          super(options);
          contexts.push(this);
        }
      };
      const session = await kit.core.DuplexSession.open({ engine: kit.scriptedEngine() });
      const speaker = kit.attachSpeaker(session);
      const microphone = await kit.attachMicrophone(session);
      const [track] = microphone.stream.getTracks();
      await microphone.close();
      const shared = { contexts: contexts.length, state: contexts[0].state, track: track.readyState };
      await session.close();
      await speaker.ended;
      await microphone.close();
      const ended = { state: contexts[0].state, microphone: microphone.state, level: microphone.level };
      const closed = await kit.attachMicrophone(session).catch((error) => error.code);
      const abort = new AbortController();
      const another = await kit.core.DuplexSession.open({ engine: kit.scriptedEngine() });
      const opening = kit.attachMicrophone(another, { signal: abort.signal }).catch((error) => error.code);
      abort.abort();
      const aborted = await opening;
      const late = new AbortController();
      const third = await kit.attachMicrophone(another, { signal: late.signal });
      const [thirdTrack] = third.stream.getTracks();
      late.abort();
      await third.ended;
      await another.close();
      return { shared, ended, closed, aborted, third: thirdTrack.readyState, left: contexts.map(({ state }) => state) };
    });
    expect(result.shared).toMatchObject({ contexts: 1, track: "ended" });
    expect(result.shared.state).not.toBe("closed");
    expect(result.ended).toEqual({ state: "closed", microphone: "closed", level: 0 });
    expect(result.closed).toBe("SESSION_CLOSED");
    expect(result.aborted).toBe("ABORTED");
    expect(result.third).toBe("ended");
    expect(new Set(result.left)).toEqual(new Set(["closed"]));
    expect(page.problems).toEqual([]);
  });

  it("settles when the session ends, or the app gives up, while the user is still asked", async () => {
    const page = await pages.open();
    const result = await page.evaluate(async () => {
      const devices = navigator.mediaDevices;
      const ask = devices.getUserMedia.bind(devices);
      const streams: MediaStream[] = [];
      let answer = () => {};
      devices.getUserMedia = async (constraints) => {
        await new Promise<void>((resolve) => {
          answer = resolve;
        });
        const stream = await ask(constraints);
        streams.push(stream);
        return stream;
      };
      const session = await kit.core.DuplexSession.open({ engine: kit.scriptedEngine() });
      const abort = new AbortController();
      const given = kit.attachMicrophone(session, { signal: abort.signal }).catch((error) => error.code);
      const second = await kit.attachMicrophone(session).catch((error) => error.name);
      await new Promise((resolve) => setTimeout(resolve, 50));
      abort.abort();
      const aborted = await given;
      answer();
      const late = kit.attachMicrophone(session).catch((error) => error.code);
      await new Promise((resolve) => setTimeout(resolve, 50));
      await session.close();
      answer();
      const ended = await late;
      await new Promise((resolve) => setTimeout(resolve, 50));
      const tracks = streams.flatMap((stream) => stream.getTracks()).map(({ readyState }) => readyState);
      return { second, aborted, ended, tracks };
    });
    expect(result).toEqual({
      ...{ second: "TypeError", aborted: "ABORTED", ended: "SESSION_CLOSED" },
      tracks: ["ended", "ended"],
    });
  });

  it("says so when its worklet cannot be loaded, and holds no device then", async () => {
    const page = await pages.open();
    const result = await page.evaluate(async () => {
      const devices = navigator.mediaDevices;
      const ask = devices.getUserMedia.bind(devices);
      const streams: MediaStream[] = [];
      devices.getUserMedia = async (constraints) => {
        const stream = await ask(constraints);
        streams.push(stream);
        return stream;
      };
      const session = await kit.core.DuplexSession.open({ engine: kit.scriptedEngine() });
      const error = await kit.attachMicrophone(session, { workletUrl: "/nothing.js" }).catch((cause) => cause);
      const blob = URL.createObjectURL(new Blob([""], { type: "text/javascript" }));
      const forbidden = await kit.attachMicrophone(session, { workletUrl: blob }).catch((cause) => cause);
      const speaker = kit.attachSpeaker(session, { workletUrl: "/nothing.js" });
      const ready = await speaker.ready.catch((cause) => cause);
      await speaker.ended;
      await session.close();
      return {
        errors: [error, forbidden, ready].map(({ code, details, message }) => ({ code, ...details, message })),
        tracks: streams.flatMap((stream) => stream.getTracks()).map(({ readyState }) => readyState),
        speaker: speaker.state,
      };
    });
    for (const error of result.errors)
      expect(error).toMatchObject({ code: "MEDIA_UNAVAILABLE", reason: "worklet-failed" });
    expect(result.errors[1].message).toContain("Content-Security-Policy");
    expect(result.tracks).toEqual(["ended", "ended"]);
    expect(result.speaker).toBe("closed");
  });

  it("can be attached and closed again and again: nothing is used up", async () => {
    const page = await pages.open();
    const result = await page.evaluate(async () => {
      const contexts: AudioContext[] = [];
      const Original = AudioContext;
      globalThis.AudioContext = class extends Original {
        constructor(options?: AudioContextOptions) {
          super(options);
          contexts.push(this);
        }
      };
      const tracks: MediaStreamTrack[] = [];
      const session = await kit.core.DuplexSession.open({ engine: kit.scriptedEngine() });
      for (let round = 0; round < 12; round++) {
        const speaker = kit.attachSpeaker(session);
        const microphone = await kit.attachMicrophone(session);
        tracks.push(...microphone.stream.getTracks());
        await Promise.all([microphone.close(), speaker.close()]);
      }
      const before = session.timeMs;
      const microphone = await kit.attachMicrophone(session);
      while (session.timeMs < before + 400) await new Promise((resolve) => setTimeout(resolve, 10));
      await microphone.close();
      await session.close();
      return {
        live: tracks.filter(({ readyState }) => readyState === "live").length,
        open: contexts.filter(({ state }) => state !== "closed").length,
        contexts: contexts.length,
      };
    });
    expect(result).toEqual({ live: 0, open: 0, contexts: 13 });
    expect(page.problems).toEqual([]);
  });

  it("stands still while the page's audio is suspended, and goes on when it runs again (rules 1 and 3)", async () => {
    const page = await pages.open();
    const result = await page.evaluate(async () => {
      const session = await kit.core.DuplexSession.open({ engine: kit.scriptedEngine() });
      const audioContext = new AudioContext();
      const states: string[] = [];
      const onStateChange = (state: string) => states.push(state);
      const microphone = await kit.attachMicrophone(session, { audioContext, onStateChange });
      const until = async (turn: number) => {
        while (session.turnIndex < turn) await new Promise((resolve) => setTimeout(resolve, 10));
      };
      await until(3);
      states.length = 0;
      await audioContext.suspend();
      // What was captured before is on its way.
      await new Promise((resolve) => setTimeout(resolve, 500));
      const suspendedMs = session.timeMs;
      await new Promise((resolve) => setTimeout(resolve, 2500));
      const stillMs = session.timeMs;
      await audioContext.resume();
      await until(session.turnIndex + 5);
      const { lostSamples } = microphone;
      await session.close();
      await audioContext.close();
      return { stoodStill: stillMs - suspendedMs, lostSamples, states: states.slice(0, 2) };
    });
    expect(result).toEqual({ stoodStill: 0, lostSamples: 0, states: ["suspended", "live"] });
  });

  it("carries on with two sessions in one page, each with audio of its own", async () => {
    const page = await pages.open();
    const result = await page.evaluate(async () => {
      const open = async () => {
        const session = await kit.core.DuplexSession.open({ engine: kit.scriptedEngine() });
        return { session, microphone: await kit.attachMicrophone(session), speaker: kit.attachSpeaker(session) };
      };
      const [one, two] = [await open(), await open()];
      const turns = async ({ session }: typeof one, count: number) => {
        const until = session.turnIndex + count;
        while (session.turnIndex < until) await new Promise((resolve) => setTimeout(resolve, 10));
      };
      await Promise.all([turns(one, 4), turns(two, 4)]);
      await one.session.close();
      await Promise.all([one.microphone.ended, one.speaker.ended]);
      await turns(two, 4);
      const states = [one.microphone.state, one.speaker.state, two.microphone.state, two.speaker.state];
      await two.session.close();
      await Promise.all([two.microphone.ended, two.speaker.ended]);
      return states;
    });
    expect(result).toEqual(["closed", "closed", "live", "running"]);
  });
});

describe.skipIf(chromiumPath === undefined)(`without a microphone${withoutChromium}`, () => {
  const attach = async (pages: MediaPages, page: Awaited<ReturnType<MediaPages["open"]>>) => {
    try {
      return await page.evaluate(async () => {
        const session = await kit.core.DuplexSession.open({ engine: kit.scriptedEngine() });
        const result = await kit.attachMicrophone(session).then(
          () => undefined,
          ({ code, details, message }) => ({ code, ...details, message }),
        );
        await session.close();
        return result;
      });
    } finally {
      await pages.close();
    }
  };

  it("tells that permission was denied", async () => {
    const pages = await openMediaPages({ devices: false, flags: ["--use-fake-device-for-media-stream"] });
    const context = await pages.browser.newContext({ permissions: [] });
    const result = await attach(pages, await pages.open({ context }));
    expect(result).toMatchObject({ code: "MEDIA_UNAVAILABLE", reason: "permission-denied" });
    expect(result?.message).toContain("address bar");
  });

  it("tells that there is no microphone", async () => {
    const pages = await openMediaPages({ devices: false, flags: ["--use-fake-ui-for-media-stream"] });
    const result = await attach(pages, await pages.open());
    expect(result).toMatchObject({ code: "MEDIA_UNAVAILABLE", reason: "no-device" });
  });

  it("tells that the page is not secure", async () => {
    const pages = await openMediaPages({ flags: ["--host-resolver-rules=MAP insecure.test 127.0.0.1"] });
    const result = await attach(pages, await pages.open({ host: "insecure.test", isolated: false }));
    expect(result).toMatchObject({ code: "MEDIA_UNAVAILABLE", reason: "insecure-context" });
    expect(result?.message).toContain("https");
  });
});

describe.skipIf(chromiumPath === undefined)(`a session in a tab that is hidden${withoutChromium}`, () => {
  it("goes on listening and speaking behind another tab, and stands still while it is frozen (rule 1)", async () => {
    const pages = await openMediaPages({ throttles: true });
    try {
      const tab = await openBackgroundTab(pages.browser, `${await pages.serve()}/`);
      await tab.evaluate(async () => {
        const engine = kit.scriptedEngine({ script: () => ({ decision: "speak", speech: 0.3 }) });
        const session = await kit.core.DuplexSession.open({ engine });
        const speaker = kit.attachSpeaker(session);
        const microphone = await kit.attachMicrophone(session);
        let turns = 0;
        session.on("turn-end", () => {
          turns++;
        });
        let lastMs = performance.now();
        let slowest = 0;
        setInterval(() => {
          slowest = Math.max(slowest, performance.now() - lastMs);
          lastMs = performance.now();
        }, 20);
        Object.assign(window, {
          look() {
            const report = { turns, slowest, lost: microphone.lostSamples };
            const { state } = microphone;
            slowest = 0;
            return { ...report, states: [state, speaker.state], played: speaker.heard?.turnIndex ?? -1 };
          },
        });
      });
      const look = () => tab.evaluate(() => (window as unknown as { look(): HiddenReport }).look());
      const seconds = (count: number) => new Promise((resolve) => setTimeout(resolve, 1000 * count));
      await seconds(1);
      await tab.hide();
      const before = await look();
      await seconds(4);
      const hidden = await look();
      await tab.freeze();
      await seconds(4);
      await tab.thaw();
      await seconds(2);
      const thawed = await look();
      await tab.show();
      await expect.poll(async () => (await look()).turns, { timeout: 20_000 }).toBeGreaterThan(thawed.turns + 5);
      const again = await look();
      expect(hidden.slowest, "its timers were not slowed down").toBeGreaterThan(900);
      expect(thawed.slowest, "it was not frozen").toBeGreaterThan(3900);
      // 4 s, but for what a slow machine may stutter.
      expect(hidden.turns - before.turns).toBeGreaterThan(14);
      expect(hidden.played - before.played).toBeGreaterThan(14);
      // Of 6 s, 2 were heard: the browser stops the audio of a frozen page, so nothing of it is lost.
      expect(thawed.turns - hidden.turns).toBeGreaterThan(5);
      expect(thawed.turns - hidden.turns).toBeLessThan(16);
      expect(again.lost).toBe(0);
      expect(again.states).toEqual(["live", "running"]);
    } finally {
      await pages.close();
    }
  });
});

interface HiddenReport {
  readonly turns: number;
  /** Longest time between two ticks of a timer of 20 ms. */
  readonly slowest: number;
  readonly lost: number;
  readonly states: readonly string[];
  readonly played: number;
}
