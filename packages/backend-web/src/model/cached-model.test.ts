import { DuplexError } from "@microturn/core";
import { afterEach, describe, expect, it, vi } from "vitest";
import { startServer } from "../../../../scripts/browser-testing.js";
import { cachedModel } from "./cached-model.js";
import { randomModel } from "./testing/model-host.js";

const cleanUp: (() => Promise<unknown>)[] = [];
afterEach(async () => {
  for (const undo of cleanUp.splice(0)) await undo();
});

/** A small model on a server. */
async function serve() {
  const host = randomModel({ "a.safetensors": 200_000, "tokenizer.json": 100 });
  const server = await startServer({ routes: { "/model/": host.route("/model/") } });
  cleanUp.push(() => server.close());
  return { host, base: `${server.url}/model/` };
}

describe("cachedModel without a browser", () => {
  it("takes the URL of a folder, or a source that has one", () => {
    expect(cachedModel("https://example.org/models/mini").base).toBe("https://example.org/models/mini/");
    expect(cachedModel("https://example.org/models/mini").name).toBe("mini");
    expect(cachedModel("https://example.org/").name).toBe("example.org");
    const read = async () => new Uint8Array(0);
    const source = { name: "a model", base: "https://example.org/x/", read };
    expect(cachedModel(source)).toMatchObject({ name: "a model", base: "https://example.org/x/" });
    expect(() => cachedModel({ name: "a model", read })).toThrow(TypeError);
    for (const wrong of ["file:///x/", "https://example.org/?v=1", "https://me:secret@example.org/", "mini"]) {
      expect(() => cachedModel(wrong), wrong).toThrow(TypeError);
    }
    expect(() => cachedModel("https://me:secret@example.org/")).not.toThrow("secret");
    expect(() => cachedModel("https://example.org/", { pieceBytes: 1 })).toThrow(RangeError);
    expect(() => cachedModel("https://example.org/", { stallMs: 0 })).toThrow(RangeError);
  });

  it("has a base only where the URL is enough, and settings where they can be sent", () => {
    const place = "https://example.org/mini/";
    const settings = { request: { headers: { Authorization: "Bearer x" } }, requireCache: true } as const;
    const withHeaders = cachedModel(place, { ...settings, onWarning: () => {} });
    expect(withHeaders.base).toBeUndefined();
    expect(withHeaders.settings).toEqual({ ...settings, name: "mini", base: place });
    expect(structuredClone(withHeaders.settings)).toEqual(withHeaders.settings);
    const withFetch = cachedModel(place, { fetch });
    expect([withFetch.base, withFetch.settings]).toEqual([undefined, undefined]);
  });

  it("loads without keeping anything, and tells so once", async () => {
    const { host, base } = await serve();
    const onWarning = vi.fn();
    const model = cachedModel(base, { onWarning });
    await model.read("microturn.json");
    for (const path of ["a.safetensors", "tokenizer.json"]) {
      expect(Buffer.compare(await model.read(path), host.files.get(path) ?? new Uint8Array(0))).toBe(0);
    }
    expect(onWarning).toHaveBeenCalledTimes(1);
    expect(model.warning).toMatchObject({ code: "STORAGE_UNAVAILABLE", details: { reason: "no-cache" } });
    expect(await model.isCached()).toBe(false);
    expect(await model.storedBytes()).toBe(0);
    await model.remove();
  });

  it("sends what every request is to carry, through the fetch that it was given", async () => {
    const { host, base } = await serve();
    const own = vi.fn(fetch);
    const model = cachedModel(base, { fetch: own, request: { headers: { Authorization: "Bearer x" } } });
    await model.read("tokenizer.json");
    expect(own).toHaveBeenCalledTimes(2);
    expect(host.requests.map(({ path, headers }) => [path, headers.authorization])).toEqual([
      ["microturn.json", "Bearer x"],
      ["tokenizer.json", "Bearer x"],
    ]);
  });

  it("reads only what the manifest names, and nothing larger than it may be", async () => {
    const { host, base } = await serve();
    host.files.set("secret", Uint8Array.of(1));
    const model = cachedModel(base);
    const codeOf = (promise: Promise<unknown>) => promise.then(() => "none").catch(({ code }) => code);
    for (const path of ["secret", "../x", ""]) expect(await codeOf(model.read(path)), path).toBe("MODEL_INVALID");
    host.requests.length = 0;
    expect(await codeOf(model.read("a.safetensors", { maxBytes: 199_999 }))).toBe("MODEL_INVALID");
    expect(await codeOf(model.read("microturn.json", { maxBytes: 10 }))).toBe("MODEL_INVALID");
    expect(host.of("a.safetensors")).toEqual([]);
    expect(await codeOf(model.read("a.safetensors", { signal: AbortSignal.abort() }))).toBe("ABORTED");
  });

  it("says which server cannot be reached", async () => {
    const down = vi.fn(() => Promise.reject(new TypeError("fetch failed")));
    const failure = await cachedModel("https://example.org/mini/", { fetch: down })
      .read("microturn.json")
      .catch((e) => e);
    expect(DuplexError.is(failure, "NETWORK_FAILED")).toBe(true);
    expect(failure.message).toContain("https://example.org");
    expect(down).toHaveBeenCalledTimes(3);
  });

  it("gives up at once when it is aborted between two attempts", async () => {
    const controller = new AbortController();
    const down = vi.fn(() => {
      queueMicrotask(() => controller.abort());
      return Promise.reject(new TypeError("fetch failed"));
    });
    const { signal } = controller;
    const failure = await cachedModel("https://example.org/mini/", { fetch: down })
      .read("a", { signal })
      .catch((e) => e);
    expect(DuplexError.is(failure, "ABORTED")).toBe(true);
    expect(down).toHaveBeenCalledTimes(1);
  });
});
