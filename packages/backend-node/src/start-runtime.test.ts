import { writeFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { howToGet, nodeProviders, profileNames } from "./providers.js";
import { type Ort, sessionOptions, tryProvider } from "./start-runtime.js";

const settings = { threads: 3, spinning: false, deviceId: 2 };

/** A runtime that computes the right product and says in its profile that `ranOn` did it. */
function fakeRuntime(names: readonly string[], ranOn: string): Ort {
  const create = async (_: Uint8Array, options: { profileFilePrefix: string }) => ({
    run: async () => ({ c: { data: Float32Array.of(19, 22, 43, 50) } }),
    endProfiling: () =>
      writeFileSync(`${options.profileFilePrefix}.json`, JSON.stringify([{ args: { provider: ranOn } }, {}])),
    release: async () => undefined,
  });
  const fake = {
    Tensor: class {},
    listSupportedBackends: () => names.map((name) => ({ name })),
    InferenceSession: { create },
  };
  return fake as unknown as Ort;
}

describe("sessionOptions", () => {
  test("asks for exactly one provider, so that none is fallen back to", () => {
    for (const provider of nodeProviders) expect(sessionOptions(provider, settings).executionProviders).toHaveLength(1);
    expect(sessionOptions("cuda", settings).executionProviders).toEqual([{ name: "cuda", deviceId: 2 }]);
    expect(sessionOptions("cpu", settings).executionProviders).toEqual(["cpu"]);
  });

  test("passes threads on, and waiting in a busy loop only on request", () => {
    expect(sessionOptions("cpu", settings)).toMatchObject({
      intraOpNumThreads: 3,
      extra: { session: { intra_op: { allow_spinning: "0" } } },
    });
    expect(sessionOptions("cpu", { ...settings, spinning: true }).extra).toEqual({
      session: { intra_op: { allow_spinning: "1" } },
    });
  });
});

describe("tryProvider", () => {
  test("trusts a provider that the profile names", async () => {
    const ort = fakeRuntime(["webgpu"], profileNames.webgpu);
    expect(await tryProvider(ort, "webgpu", {}, new Uint8Array())).toBeUndefined();
  });

  test("does not trust a right result that another provider computed", async () => {
    const ort = fakeRuntime(["webgpu"], profileNames.cpu);
    expect(await tryProvider(ort, "webgpu", {}, new Uint8Array())).toContain("on another provider");
  });

  test("does not ask for a provider that the build does not contain", async () => {
    expect(await tryProvider(fakeRuntime(["cpu"], ""), "webgpu", {}, new Uint8Array())).toContain(
      "does not contain it",
    );
  });
});

describe("howToGet", () => {
  test("gives the command for CUDA only where there is one", () => {
    expect(howToGet("cuda", "linux", "x64")).toContain("--onnxruntime-node-install=cuda12");
    expect(howToGet("cuda", "darwin", "arm64")).toMatch(/linux-x64 only \(this is darwin-arm64\)/);
    expect(howToGet("cuda", "win32", "x64")).not.toContain("npm rebuild");
  });

  test("names the driver that WebGPU needs on each platform", () => {
    expect(howToGet("webgpu", "linux", "x64")).toContain("Vulkan");
    expect(howToGet("webgpu", "win32", "x64")).toContain("Direct3D 12");
    expect(howToGet("webgpu", "darwin", "arm64")).toContain("Metal");
  });
});
