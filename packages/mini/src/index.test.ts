import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { DuplexError } from "@microturn/core";
import { afterEach, describe, expect, it } from "vitest";
import { miniAt } from "./index.js";

const cleanUp: (() => Promise<unknown> | unknown)[] = [];
afterEach(async () => {
  for (const undo of cleanUp.splice(0)) await undo();
});

async function folder(): Promise<URL> {
  const path = await mkdtemp(join(tmpdir(), "mini-"));
  cleanUp.push(() => rm(path, { recursive: true }));
  await writeFile(join(path, "a.bin"), Uint8Array.of(1, 2, 3));
  return pathToFileURL(`${path}/`);
}

describe("miniAt", () => {
  it("reads files of a folder", async () => {
    const source = miniAt(await folder());
    expect([...(await source.read("a.bin"))]).toEqual([1, 2, 3]);
  });

  it("says which file is missing and how to get it back", async () => {
    const failure = await miniAt(await folder())
      .read("b.bin")
      .catch((error: unknown) => error);
    expect(DuplexError.is(failure, "MODEL_INVALID")).toBe(true);
    expect(String(failure)).toContain('"b.bin" is missing');
  });

  it("refuses paths that leave its folder", async () => {
    const source = miniAt(await folder());
    for (const path of [
      "../x",
      "/etc/hostname",
      "a/../../x",
      "file:///etc/hostname",
      "http://elsewhere/x",
      "%2e%2e/x",
      "",
    ]) {
      const failure = await source.read(path).catch((error: unknown) => error);
      expect(DuplexError.is(failure, "MODEL_INVALID"), path).toBe(true);
    }
  });

  it("fetches by URL, and tells a missing file and a dead server apart", async () => {
    const server = createServer((request, response) => {
      if (request.url === "/models/a.bin") response.end(Uint8Array.of(4, 5));
      else response.writeHead(404).end();
    });
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    const close = () => new Promise((resolve) => server.close(resolve));
    const { port } = server.address() as AddressInfo;
    const source = miniAt(`http://127.0.0.1:${port}/models/`);
    expect([...(await source.read("a.bin"))]).toEqual([4, 5]);
    expect(String(await source.read("b.bin").catch((error: unknown) => error))).toContain("status 404");
    server.closeAllConnections();
    await close();
    const failure = await source.read("a.bin").catch((error: unknown) => error);
    expect(String(failure)).toContain("cannot be fetched");
    expect(DuplexError.is(failure, "NETWORK_FAILED")).toBe(true);
  });

  it("takes a folder without its last slash, and names that mean something in a URL", async () => {
    const place = await folder();
    await writeFile(new URL("a%2520b%23c.bin", place), Uint8Array.of(7));
    const source = miniAt(place.href.replace(/\/$/, ""));
    expect([...(await source.read("a.bin"))]).toEqual([1, 2, 3]);
    expect([...(await source.read("a%20b#c.bin"))]).toEqual([7]);
    expect(() => miniAt("http://example.org/mini/?v=1")).toThrow(TypeError);
  });

  it("gives up on a file that is larger than it may be", async () => {
    const server = createServer((_, response) => {
      // No length, and no end.
      const timer = setInterval(() => response.write(new Uint8Array(65_536)), 1);
      response.on("close", () => clearInterval(timer));
    });
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    cleanUp.push(() => server.close());
    const { port } = server.address() as AddressInfo;
    for (const source of [miniAt(`http://127.0.0.1:${port}/`), miniAt(await folder())]) {
      const failure = await source.read("a.bin", { maxBytes: 2 }).catch((error: unknown) => error);
      expect(DuplexError.is(failure, "MODEL_INVALID")).toBe(true);
      expect(failure).toMatchObject({ details: { file: "a.bin" } });
    }
  });

  it("says how far it is, from a folder and by URL", async () => {
    const server = createServer((_, response) => {
      response.write(new Uint8Array(4));
      response.end(new Uint8Array(2));
    });
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    cleanUp.push(() => server.close());
    const { port } = server.address() as AddressInfo;
    const steps: number[] = [];
    await miniAt(await folder()).read("a.bin", { onProgress: (bytes) => steps.push(bytes) });
    expect(steps).toEqual([3]);
    await miniAt(`http://127.0.0.1:${port}/`).read("a.bin", { onProgress: (bytes) => steps.push(bytes) });
    expect(steps.at(-1)).toBe(6);
  });

  it("tells where its files lie if others can fetch them there", async () => {
    expect(miniAt("https://example.org/mini").base).toBe("https://example.org/mini/");
    expect("base" in miniAt(await folder())).toBe(false);
  });

  it("does nothing once its caller has given up", async () => {
    const source = miniAt(await folder());
    const failure = await source.read("a.bin", { signal: AbortSignal.abort() }).catch((error: unknown) => error);
    expect(DuplexError.is(failure, "ABORTED")).toBe(true);
  });
});
