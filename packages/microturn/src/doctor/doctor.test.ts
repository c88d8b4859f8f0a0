import { PassThrough } from "node:stream";
import { DuplexError } from "@microturn/core";
import { scriptedEngine } from "@microturn/core/testing";
import { describe, expect, it } from "vitest";
import { type Instruments, runDoctor } from "./doctor.js";

const cpu = { provider: "cpu", works: true, device: "a CPU", reason: "", fix: "" } as const;
const cuda = {
  provider: "cuda",
  works: false,
  device: "",
  reason: "libcudart is missing",
  fix: "install CUDA",
} as const;

const good: Instruments = {
  probe: async () => [cuda, cpu],
  open: async () => {
    const engine = scriptedEngine();
    return { engine, notes: [], close: () => engine.close() };
  },
  nodeVersion: "20.11.0",
};

async function examine(instruments: Partial<Instruments>) {
  const chunks: string[] = [];
  const stream = {
    write: (chunk: string | Uint8Array) => {
      chunks.push(String(chunk));
      return true;
    },
    on: () => undefined,
  };
  const silent = { write: () => true, on: () => undefined };
  const io = { stdin: new PassThrough(), stdout: stream, stderr: silent, stop: new AbortController().signal };
  const code = await runDoctor({ verbose: false }, io, { ...good, ...instruments });
  return { code, text: chunks.join("") };
}

describe("runDoctor", () => {
  it("finds a machine ready on which the CPU keeps time, and says how to get what is missing", async () => {
    const { code, text } = await examine({});
    expect(code).toBe(0);
    expect(text).toContain("✓ cpu     a CPU");
    expect(text).toContain("✗ cuda    libcudart is missing");
    expect(text).toContain("to get it, install CUDA");
    expect(text).toContain("keeps time");
    expect(text).toContain("Ready: microturn run");
  });

  it("says in one line what is wrong with the model", async () => {
    const { code, text } = await examine({
      open: async () => {
        throw new DuplexError("MODEL_INVALID", "weights.safetensors was altered; reinstall @microturn/mini");
      },
    });
    expect(code).toBe(1);
    expect(text).toContain("✗ cpu     MODEL_INVALID: weights.safetensors was altered; reinstall @microturn/mini");
    expect(text).not.toContain("    at ");
  });

  it("calls a machine too slow whose steps take longer than the tick", async () => {
    const clock = {
      now: () => performance.now(),
      setTimer: (callback: () => void) => {
        setTimeout(callback, 8);
        return () => {};
      },
    };
    const { code, text } = await examine({
      open: async () => {
        const engine = scriptedEngine({ stepMs: 8, clock, capabilities: { turnDurationMs: 4 } });
        return { engine, notes: [], close: () => engine.close() };
      },
    });
    expect(code).toBe(1);
    expect(text).toContain("too slow for a live conversation");
  });

  it("is not ready without a provider or on an old Node", async () => {
    expect((await examine({ probe: async () => [cuda] })).code).toBe(1);
    const old = await examine({ nodeVersion: "18.20.0" });
    expect(old.code).toBe(1);
    expect(old.text).toContain("at least 20.11 is needed");
  });
});
