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

/** A clock that is `ms` later at each look, so that every step takes as long. */
function ticking(ms: number): () => number {
  let time = 0;
  return () => {
    time += ms;
    return time;
  };
}

const good: Instruments = {
  now: ticking(10),
  probe: async () => [cuda, cpu],
  open: async () => {
    const engine = scriptedEngine();
    return { engine, notes: [], close: () => engine.close() };
  },
  nodeVersion: "20.11.0",
};

async function examine(instruments: Partial<Instruments>, stop = new AbortController().signal) {
  const chunks: string[] = [];
  const stream = {
    write: (chunk: string | Uint8Array) => {
      chunks.push(String(chunk));
      return true;
    },
    on: () => undefined,
  };
  const silent = { write: () => true, on: () => undefined };
  const io = { stdin: new PassThrough(), stdout: stream, stderr: silent, stop };
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
    expect(text).toContain("p50 10.0 ms, p99 10.0 ms of 200 ms: keeps time, 20.0 x as fast");
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
    const { code, text } = await examine({ now: ticking(201) });
    expect(code).toBe(1);
    expect(text).toContain("too slow for a live conversation");
  });

  it("finds a machine ready on which any provider keeps time, and says how to choose it", async () => {
    const fast = { ...cuda, works: true, device: "a GPU", reason: "", fix: "" };
    const open: Instruments["open"] = async ({ providers }) => {
      if (providers[0] === "cpu") throw new DuplexError("BACKEND_FAILED", "too little memory");
      return good.open({ providers });
    };
    const { code, text } = await examine({ probe: async () => [fast, cpu], open });
    expect(code).toBe(0);
    expect(text).toContain("✗ cpu     BACKEND_FAILED");
    expect(text).toContain("session.html --providers cuda");
    const slow = await examine({ probe: async () => [fast], now: ticking(300) });
    expect(slow.code).toBe(1);
  });

  it("stops when it is told to, in every part, and judges nothing then", async () => {
    for (const part of ["probe", "load", "steps"]) {
      const stop = new AbortController();
      const abort = (here: string) => {
        if (part === here) stop.abort();
      };
      const instruments: Partial<Instruments> = {
        probe: async (signal) => {
          abort("probe");
          if (signal.aborted) throw new DuplexError("ABORTED", "probe: stopped");
          return [cpu];
        },
        open: async () => {
          const engine = scriptedEngine({
            script: () => {
              abort("steps");
              return {};
            },
          });
          abort("load");
          return { engine, notes: [], close: () => engine.close() };
        },
      };
      const failure = await examine(instruments, stop.signal).catch((error: unknown) => error);
      expect(DuplexError.is(failure, "ABORTED"), part).toBe(true);
    }
  });

  it("is not ready without a provider or on an old Node", async () => {
    expect((await examine({ probe: async () => [cuda] })).code).toBe(1);
    const old = await examine({ nodeVersion: "18.20.0" });
    expect(old.code).toBe(1);
    expect(old.text).toContain("at least 20.11 is needed");
  });
});
