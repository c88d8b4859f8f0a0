import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { chromiumPath, withoutChromium } from "../../../scripts/browser-testing.js";
import type { MediaKit } from "./testing/kit.js";
import { type MediaPages, openMediaPages } from "./testing/media-page.js";
import { testPicture } from "./testing/test-picture.js";

declare const kit: MediaKit;

describe.skipIf(chromiumPath === undefined)(`the camera in a browser${withoutChromium}`, () => {
  let pages: MediaPages;
  let folder = "";
  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), "camera-"));
    const film = join(folder, "quarters.y4m");
    await writeFile(film, testPicture());
    pages = await openMediaPages({
      flags: [`--use-file-for-fake-video-capture=${film}`, "--auto-select-desktop-capture-source=Entire screen"],
    });
  });
  afterAll(async () => {
    await pages?.close();
    await rm(folder, { recursive: true });
  });

  it.each([
    ["by track processor", true],
    ["from a video element", false],
  ])("shows the model pairs of moments in the right colours, %s", async (_, byProcessor) => {
    const page = await pages.open();
    const result = await page.evaluate(async (byProcessor) => {
      const global = globalThis as Record<string, unknown>;
      const hadProcessor = "MediaStreamTrackProcessor" in globalThis;
      if (!byProcessor) global.MediaStreamTrackProcessor = undefined;
      // Every frame that was read must be closed again.
      let [read, closed] = [0, 0];
      const original = ReadableStreamDefaultReader.prototype.read;
      ReadableStreamDefaultReader.prototype.read = async function (...args) {
        const result = await original.apply(this, args);
        if (result.value instanceof VideoFrame) read++;
        return result;
      };
      const close = VideoFrame.prototype.close;
      VideoFrame.prototype.close = function () {
        closed++;
        close.call(this);
      };
      const session = await kit.core.DuplexSession.open({ engine: kit.scriptedEngine() });
      const camera = await kit.attachCamera(session, { size: { width: 39, height: 40 } });
      const [track] = camera.stream.getTracks();
      const microphone = await kit.attachMicrophone(session, { muted: true });
      const turns: {
        index: number;
        images: { timeMs: number; width: number; height: number; quarters: number[][] }[];
      }[] = [];
      await new Promise<void>((resolve) => {
        session.on("turn-end", ({ turn }) => {
          const images = turn.input.images.map(({ data, width, height, timeMs }) => {
            const at = (x: number, y: number) => [...data.subarray(4 * (y * width + x), 4 * (y * width + x) + 3)];
            return { timeMs, width, height, quarters: [at(9, 10), at(29, 10), at(9, 30), at(29, 30)] };
          });
          turns.push({ index: turn.index, images });
          if (turn.index === 14) resolve();
        });
      });
      const { images, settings } = camera;
      await session.close();
      await Promise.all([camera.ended, microphone.ended]);
      return { hadProcessor, turns, images, settings, state: camera.state, track: track.readyState, read, closed };
    }, byProcessor);
    expect(page.problems).toEqual([]);
    expect(result.hadProcessor).toBe(true);
    expect(result.images).toBeGreaterThan(10);
    const all = result.turns.flatMap(({ images }) => images);
    for (const { width, height, quarters } of all) {
      expect([width, height]).toEqual([39, 40]);
      const colours = [
        [255, 0, 0],
        [0, 255, 0],
        [0, 0, 255],
        [255, 255, 255],
      ];
      colours.forEach((colour, i) => {
        for (const channel of [0, 1, 2]) expect(Math.abs(quarters[i][channel] - colour[channel])).toBeLessThan(30);
      });
    }
    for (const { index, images } of result.turns) {
      expect(images.length).toBeLessThanOrEqual(2);
      for (const { timeMs } of images) expect(timeMs).toBeLessThan((index + 1) * 200);
    }
    // The first micro-turns pass while the devices start; a slow machine may miss some later.
    const paired = result.turns.slice(3).filter(({ images }) => images.length === 2);
    expect(paired.length).toBeGreaterThan(2);
    expect(result.turns.filter(({ images }) => images.length > 0).length).toBeGreaterThan(7);
    for (const { images } of paired) expect(images[1].timeMs).toBeGreaterThan(images[0].timeMs);
    expect(result).toMatchObject({ state: "closed", track: "ended" });
    expect(result.read > 0).toBe(byProcessor);
    expect(result.closed).toBe(result.read);
  });

  it("keeps the budget: images per micro-turn, and patches per image", async () => {
    const page = await pages.open();
    const result = await page.evaluate(async () => {
      const open = async (maxPatchTokens?: number) => {
        const session = await kit.core.DuplexSession.open({ engine: kit.scriptedEngine() });
        const budget = maxPatchTokens === undefined ? {} : { maxPatchTokens };
        const camera = await kit.attachCamera(session, { maxImagesPerTurn: 1, ...budget });
        const microphone = await kit.attachMicrophone(session, { muted: true });
        const counts: number[] = [];
        let size = [0, 0];
        await new Promise<void>((resolve) => {
          session.on("turn-end", ({ turn }) => {
            counts.push(turn.input.images.length);
            for (const { width, height } of turn.input.images) size = [width, height];
            if (turn.index === 9) resolve();
          });
        });
        await session.close();
        await Promise.all([camera.ended, microphone.ended]);
        return { counts, size };
      };
      return [await open(), await open(12)];
    });
    for (const { counts } of result) {
      expect(Math.max(...counts)).toBe(1);
      expect(counts.filter((count) => count === 1).length).toBeGreaterThan(4);
    }
    expect(result[0].size).toEqual([320, 240]);
    const [width, height] = result[1].size;
    expect(Math.ceil(height / 40) * (Math.floor(width / 40) + 1)).toBeLessThanOrEqual(12);
    expect(width).toBeGreaterThan(100);
    expect(width / height).toBeCloseTo(4 / 3, 1);
  });

  it("scales to the picture that the model looks at, unless it is told otherwise", async () => {
    const page = await pages.open();
    const sizes = await page.evaluate(async () => {
      const image = { width: 39, height: 40 };
      const shown = async (options: Parameters<typeof kit.attachCamera>[1]) => {
        const engine = kit.scriptedEngine({ capabilities: { image } });
        const session = await kit.core.DuplexSession.open({ engine });
        const camera = await kit.attachCamera(session, options);
        const microphone = await kit.attachMicrophone(session, { muted: true });
        const size = await new Promise<number[]>((resolve) => {
          session.on("turn-end", ({ turn }) => {
            for (const { width, height } of turn.input.images) resolve([width, height]);
          });
        });
        await session.close();
        await Promise.all([camera.ended, microphone.ended]);
        return size;
      };
      return [await shown({}), await shown({ maxPatchTokens: 54 }), await shown({ size: { width: 20, height: 10 } })];
    });
    expect(sizes).toEqual([
      [39, 40],
      [320, 240],
      [20, 10],
    ]);
  });

  it("shows nothing while it is muted, goes over to another device, and reports one that is lost", async () => {
    const page = await pages.open();
    const result = await page.evaluate(async () => {
      const session = await kit.core.DuplexSession.open({ engine: kit.scriptedEngine() });
      const states: string[] = [];
      const camera = await kit.attachCamera(session, { muted: true, onStateChange: (state) => states.push(state) });
      const microphone = await kit.attachMicrophone(session, { muted: true });
      const turns = async (count: number) => {
        const until = session.turnIndex + count;
        while (session.turnIndex < until) await new Promise((resolve) => setTimeout(resolve, 10));
      };
      await turns(4);
      const whileMuted = camera.images;
      camera.muted = false;
      await turns(4);
      const unmuted = camera.images;
      const wrong = await camera.use("no such camera").catch((error) => error.code);
      const devices = await camera.devices();
      await camera.use(devices[devices.length - 1].deviceId);
      await turns(4);
      const switched = camera.images;
      const [track] = camera.stream.getTracks();
      track.stop();
      track.dispatchEvent(new Event("ended"));
      const lost = camera.state;
      await turns(6);
      const recovered = { state: camera.state, images: camera.images };
      await camera.close();
      await session.close();
      await microphone.ended;
      return { whileMuted, unmuted, wrong, switched, lost, recovered, states };
    });
    expect(result.whileMuted).toBe(0);
    expect(result.unmuted).toBeGreaterThan(2);
    expect(result.wrong).toBe("MEDIA_UNAVAILABLE");
    expect(result.switched).toBeGreaterThan(result.unmuted + 2);
    expect(result.lost).toBe("lost");
    expect(result.recovered.state).toBe("live");
    expect(result.recovered.images).toBeGreaterThan(result.switched);
    expect(result.states).toEqual(["lost", "live", "closed"]);
  });

  it("shows a screen, and closes when the user stops sharing it", async () => {
    const page = await pages.open();
    const result = await page.evaluate(async () => {
      const session = await kit.core.DuplexSession.open({ engine: kit.scriptedEngine() });
      const camera = await kit.attachCamera(session, { source: "screen" });
      const microphone = await kit.attachMicrophone(session, { muted: true });
      const startMs = performance.now();
      while (camera.images === 0 && performance.now() - startMs < 10_000) await new Promise((go) => setTimeout(go, 20));
      const { images } = camera;
      const [track] = camera.stream.getTracks();
      track.stop();
      track.dispatchEvent(new Event("ended"));
      await camera.ended;
      const open = !session.closed;
      await session.close();
      await microphone.ended;
      return { images, state: camera.state, open };
    });
    expect(result.images).toBeGreaterThan(0);
    expect(result).toMatchObject({ state: "closed", open: true });
  });

  it("refuses a session that sees nothing, options out of their range, and a session that has ended", async () => {
    const page = await pages.open();
    const result = await page.evaluate(async () => {
      const asked: string[] = [];
      const devices = navigator.mediaDevices;
      devices.getUserMedia = async () => {
        asked.push("camera");
        throw new DOMException("busy", "NotReadableError");
      };
      const deaf = await kit.core.DuplexSession.open({
        engine: kit.scriptedEngine({ capabilities: { inputs: ["audio"] } }),
      });
      const session = await kit.core.DuplexSession.open({ engine: kit.scriptedEngine() });
      const fails = (promise: Promise<unknown>) =>
        promise.then(
          () => "no error",
          (error) => error.details?.reason ?? error.code ?? error.name,
        );
      const blind = await fails(kit.attachCamera(deaf));
      const many = await fails(kit.attachCamera(session, { maxImagesPerTurn: 9 }));
      const tokens = await fails(kit.attachCamera(session, { maxPatchTokens: 0 }));
      const before = asked.length;
      const busy = await fails(kit.attachCamera(session));
      await Promise.all([session.close(), deaf.close()]);
      const ended = await fails(kit.attachCamera(session));
      return { blind, many, tokens, before, busy, ended };
    });
    expect(result).toEqual({
      ...{ blind: "UNSUPPORTED", many: "RangeError", tokens: "RangeError", before: 0 },
      ...{ busy: "device-busy", ended: "SESSION_CLOSED" },
    });
  });
});

describe.skipIf(chromiumPath === undefined)(`a camera that cannot be had${withoutChromium}`, () => {
  it.each([
    ["permission was denied", ["--use-fake-device-for-media-stream"], "permission-denied", "address bar"],
    ["there is no camera", ["--use-fake-ui-for-media-stream"], "no-device", "camera"],
  ] as const)("tells that %s, and leaves the session as it was", async (_, flags, reason, words) => {
    const pages = await openMediaPages({ devices: false, flags });
    try {
      const page = await pages.open({ context: await pages.browser.newContext({ permissions: [] }) });
      const result = await page.evaluate(async () => {
        const session = await kit.core.DuplexSession.open({ engine: kit.scriptedEngine() });
        const failure = await kit.attachCamera(session).then(
          () => undefined,
          ({ code, details, message }) => ({ code, ...details, message }),
        );
        const { closed } = session;
        await session.close();
        return { ...failure, closed };
      });
      expect(result).toMatchObject({ code: "MEDIA_UNAVAILABLE", reason, closed: false });
      expect(result.message).toContain(words);
    } finally {
      await pages.close();
    }
  });
});
