import { DuplexError } from "@microturn/core";
import { codeOf } from "@microturn/core/testing";
import { describe, expect, it, vi } from "vitest";
import type { Call } from "./engine-messages.js";
import { FakeWorker, report, type Script } from "./testing/fake-worker.js";
import { type DeviceChange, type WebEngineOptions, webEngine } from "./web-engine.js";

/** An engine whose workers are fakes, the nth with the nth script, and what it told. */
function engineOver(scripts: readonly Script[] = [], options: Partial<WebEngineOptions> = {}) {
  const workers: FakeWorker[] = [];
  const changes: DeviceChange[] = [];
  const engine = webEngine({
    model: { name: "none", read: () => Promise.reject(new Error("nothing is read")) },
    devices: ["wasm"],
    worker() {
      const worker = new FakeWorker(scripts[workers.length]);
      workers.push(worker);
      return worker as unknown as Worker;
    },
    onDeviceChange: (change) => void changes.push(change),
    ...options,
  });
  return { engine, workers, changes };
}

const input = (index: number) => ({ index, turns: 1, audio: new Float32Array(3200), images: [], text: [] });
const kinds = (worker: FakeWorker) => worker.calls.map(({ kind }) => kind);
const never = new Promise<never>(() => {});
/** Leaves the first call of a kind open, and loses the device in it. */
const losesIn =
  (kind: Call["kind"], nth = 1): Script =>
  (call, worker) => {
    if (call.kind !== kind || --nth !== 0) return undefined;
    worker.lose("told to");
    return never;
  };
const later = (ms = 0) => new Promise((resolve) => setTimeout(resolve, ms));

describe("webEngine, its worker a fake", () => {
  it("opens in the next worker when the first is lost in mid-open", async () => {
    const { engine, workers, changes } = engineOver([losesIn("open")]);
    const session = await engine.open();
    expect((await session.step(input(0))).text).toBe("0");
    expect(workers.map(({ terminated }) => terminated)).toEqual([true, false]);
    expect(changes).toMatchObject([{ reason: expect.stringContaining("told to"), sessions: 0 }]);
    await engine.close();
  });

  it("goes on when the next worker is lost too, before the session is where it was", async () => {
    const { engine, workers, changes } = engineOver([losesIn("step", 3), losesIn("step", 2)]);
    const session = await engine.open();
    const said: string[] = [];
    for (let index = 0; index < 5; index++) said.push((await session.step(input(index))).text);
    expect(said).toEqual(["0", "1", "2", "3", "4"]);
    expect(kinds(workers[2])).toEqual(["load", "open", "step", "step", "step", "step", "step"]);
    // The move that came to nothing is not told.
    await later();
    expect(changes).toHaveLength(1);
    await engine.close();
  });

  it("gives up after four losses with the reason, and loads anew when it is asked again", async () => {
    const { engine, workers } = engineOver([1, 2, 3, 4].map(() => losesIn("step")));
    const session = await engine.open();
    await expect(session.step(input(0))).rejects.toMatchObject({
      code: "BACKEND_FAILED",
      message: "webEngine: lost 4 times in a minute; the last time, the device was lost (told to)",
    });
    expect(engine.choice).toBeUndefined();
    const again = await engine.open();
    expect((await again.step(input(0))).text).toBe("0");
    expect(workers).toHaveLength(5);
    await engine.close();
    expect(workers.every(({ terminated }) => terminated)).toBe(true);
  });

  it("counts losses by the minute in which a device worked, however long the moves take", async () => {
    let nowMs = 0;
    const now = vi.spyOn(performance, "now").mockImplementation(() => nowMs);
    try {
      const losesSlowly =
        (kind: Call["kind"], ms: number): Script =>
        (call, worker) => {
          if (call.kind !== kind) return undefined;
          void later().then(() => {
            nowMs += ms;
            worker.lose("told to");
          });
          return never;
        };
      const inMoves = engineOver([losesIn("step"), ...[1, 2, 3, 4].map(() => losesSlowly("open", 61_000))]);
      const lost = await inMoves.engine.open();
      await expect(lost.step(input(0))).rejects.toThrow("lost 4 times in a minute");
      expect(inMoves.workers).toHaveLength(4);
      const atWork = engineOver([1, 2, 3, 4, 5].map(() => losesSlowly("step", 61_000)));
      const session = await atWork.engine.open();
      expect((await session.step(input(0))).text).toBe("0");
      expect(atWork.workers).toHaveLength(6);
      await Promise.all([inMoves.engine.close(), atWork.engine.close()]);
    } finally {
      now.mockRestore();
    }
  });

  it("takes a checkpoint every 25 steps, and repeats only what came after it", async () => {
    const { engine, workers } = engineOver([losesIn("step", 31)]);
    const session = await engine.open();
    for (let index = 0; index < 32; index++) await session.step(input(index));
    const steps = workers[1].calls.flatMap((call) => (call.kind === "step" ? [call.input.index] : []));
    expect(kinds(workers[1]).slice(0, 3)).toEqual(["load", "open", "restore"]);
    expect(steps).toEqual([25, 26, 27, 28, 29, 30, 31]);
    await engine.close();
  });

  it("repeats images and levels as they were, whatever the caller did with them", async () => {
    const { engine, workers } = engineOver([losesIn("step", 2)]);
    const session = await engine.open();
    const data = new Uint8Array(4).fill(7);
    const dmel = new Uint8Array(160).fill(7);
    const audio = new Float32Array(0);
    await session.step({ ...input(0), audio, dmel, images: [{ data, width: 1, height: 1, timeMs: 0 }] });
    data.fill(9);
    dmel.fill(9);
    await session.step(input(1));
    const [repeated] = workers[1].calls.flatMap((call) => (call.kind === "step" ? [call.input] : []));
    expect([...repeated.images[0].data]).toEqual([7, 7, 7, 7]);
    expect(new Set(repeated.dmel)).toEqual(new Set([7]));
    await engine.close();
  });

  it("lets a session be closed while it moves, and repeats nothing for it", async () => {
    const loads: (() => void)[] = [];
    const slow: Script = (call) =>
      call.kind === "load" ? new Promise<never>((_, reject) => loads.push(() => reject(new Error("late")))) : undefined;
    const { engine, workers } = engineOver([losesIn("step"), slow]);
    const session = await engine.open();
    const stepping = codeOf(session.step(input(0)));
    await later();
    await session.close();
    await engine.close();
    expect(await stepping).toBe("SESSION_CLOSED");
    expect(kinds(workers[1])).not.toContain("open");
    expect(workers.every(({ terminated }) => terminated)).toBe(true);
  });

  it("refuses an open that is answered after the close, and keeps no session", async () => {
    let answer: (value: never) => void = () => {};
    const slow: Script = (call) =>
      call.kind === "open"
        ? new Promise((resolve) => {
            answer = resolve;
          })
        : undefined;
    const { engine, workers } = engineOver([slow]);
    const opening = codeOf(engine.open());
    await later();
    const closing = engine.close();
    answer({} as never);
    expect(await opening).toBe("SESSION_CLOSED");
    await closing;
    expect(workers[0].terminated).toBe(true);
  });

  it("tells what a worker cannot be sent, and what cannot be made a worker", async () => {
    const { engine } = engineOver();
    const session = await engine.open();
    expect(await codeOf(session.restore({ engine: "fake", data: () => {} }))).toBe("UNSUPPORTED");
    expect((await session.step(input(0))).text).toBe("0");
    await engine.close();
    const worker = () => {
      throw new Error("another origin");
    };
    await expect(engineOver([], { worker }).engine.load()).rejects.toMatchObject({
      code: "BACKEND_UNAVAILABLE",
      message: expect.stringContaining("another origin"),
    });
  });

  describe("with a smaller model for slow devices", () => {
    const smaller = { name: "smaller", read: () => Promise.reject(new Error("nothing is read")) };
    /** Loads in so many milliseconds a micro-turn. */
    const takes =
      (turnMs: number, then: Script = () => undefined): Script =>
      (call, worker) =>
        call.kind === "load"
          ? Promise.resolve({ ...report, calibration: { turnMs, keepsUp: turnMs <= 160 } })
          : then(call, worker);
    const modelOf = ({ calls: [first] }: FakeWorker) => first?.kind === "load" && first.options.modelName;

    it("leaves it alone where the model keeps up, or a slow one is asked for", async () => {
      for (const [turnMs, acceptSlow] of [
        [160, false],
        [161, true],
      ] as const) {
        const { engine, workers } = engineOver([takes(turnMs)], { smaller, acceptSlow });
        await engine.load();
        expect(workers).toHaveLength(1);
        expect(engine.choice).toMatchObject({ model: "none", calibration: { turnMs } });
        expect(engine.choice).not.toHaveProperty("tooLarge");
        await engine.close();
      }
    });

    it("takes it where no device keeps up, says why, and stays with it when the device is lost", async () => {
      const { engine, workers } = engineOver([takes(500), takes(90, losesIn("step")), takes(90)], { smaller });
      const session = await engine.open();
      expect(workers.map(modelOf)).toEqual(["none", "smaller"]);
      const choice = { model: "smaller", tooLarge: { model: "none", description: "fake", turnMs: 500 } };
      expect(engine.choice).toMatchObject({ ...choice, calibration: { turnMs: 90, keepsUp: true } });
      expect((await session.step(input(0))).text).toBe("0");
      expect(workers.map(modelOf)).toEqual(["none", "smaller", "smaller"]);
      expect(engine.choice).toMatchObject(choice);
      await engine.close();
      expect(workers.every(({ terminated }) => terminated)).toBe(true);
    });

    it("stays with the larger one, slow as it is, where the smaller cannot be had, and warns", async () => {
      const warnings: Error[] = [];
      const fails: Script = () => Promise.reject(new DuplexError("NETWORK_FAILED", "offline"));
      const { engine, workers } = engineOver([takes(500), fails], {
        smaller,
        onWarning: (warning) => void warnings.push(warning),
      });
      const session = await engine.open();
      expect(warnings).toMatchObject([{ code: "NETWORK_FAILED" }]);
      expect(engine.choice).toMatchObject({ model: "none", calibration: { keepsUp: false } });
      expect((await session.step(input(0))).text).toBe("0");
      expect(workers.map(({ terminated }) => terminated)).toEqual([false, true]);
      await engine.close();
    });

    it("leaves nothing behind when it is closed while it loads", async () => {
      const slow: Script = (call) => (call.kind === "load" ? never : undefined);
      const { engine, workers } = engineOver([takes(500), slow], { smaller });
      const loading = codeOf(engine.load());
      await later();
      expect(workers).toHaveLength(2);
      await engine.close();
      expect(await loading).toBe("SESSION_CLOSED");
      expect(workers.every(({ terminated }) => terminated)).toBe(true);
    });
  });

  it("refuses options that it cannot follow", () => {
    expect(() => engineOver([], { devices: [] })).toThrow(RangeError);
    expect(() => engineOver([], { devices: ["cpu" as "wasm"] })).toThrow(/known are webgpu, wasm/);
    expect(() => engineOver([], { maxSessions: 65 })).toThrow(RangeError);
    expect(() => engineOver([], { threads: 0 })).toThrow(RangeError);
    for (const startMargin of [-1, 21, Number.NaN, "3", null]) {
      expect(() => engineOver([], { startMargin: startMargin as number })).toThrow(/startMargin must be from 0 to 20/);
    }
    expect(() => webEngine({ model: "https://example.org/mini/?v=2" })).toThrow(TypeError);
    expect(() => engineOver([], { smaller: "https://example.org/tiny/#top" })).toThrow(TypeError);
  });
});
