import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { request } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type FileServer, isPortInUse, startFileServer } from "./file-server.js";

let folder = "";
let server: FileServer;
const bytes = Uint8Array.from({ length: 1000 }, (_, i) => i % 251);

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "files-"));
  await mkdir(join(folder, "public/deep"), { recursive: true });
  await writeFile(join(folder, "secret.txt"), "secret");
  for (const name of ["a.js", "a.mjs", "a.wasm", "a.json", "a.css", "a.bin", "deep/b.js", ".hidden"]) {
    await writeFile(join(folder, "public", name), name);
  }
  await writeFile(join(folder, "public/empty.js"), "");
  let reads = 0;
  server = await startFileServer({
    port: 0,
    headers: { "Content-Security-Policy": "default-src 'self'" },
    places: {
      "/": { body: "<!doctype html>", type: "text/html; charset=utf-8" },
      "/one.js": { file: join(folder, "public/a.js") },
      "/gone.js": { file: join(folder, "public/gone.js") },
      "/files/": { folder: join(folder, "public") },
      "/model/weights": {
        read: async () => {
          reads++;
          if (reads === 1) throw new Error("not yet");
          return bytes;
        },
        sha256: "abc",
        type: "application/octet-stream",
      },
    },
  });
});
afterAll(async () => {
  await server?.close();
  await rm(folder, { recursive: true });
});

/** Paths and headers as they stand: `fetch` would tidy them up. */
function ask(path: string, headers: Record<string, string> = {}, method = "GET") {
  return new Promise<{ status: number; headers: Record<string, string>; body: Buffer }>((resolve, reject) => {
    const asked = request({ port: server.port, host: "127.0.0.1", path, method, headers }, (response) => {
      const parts: Buffer[] = [];
      response.on("data", (part) => parts.push(part));
      response.on("end", () => {
        const { statusCode: status = 0 } = response;
        resolve({ status, headers: response.headers as Record<string, string>, body: Buffer.concat(parts) });
      });
    });
    asked.on("error", reject);
    asked.end();
  });
}

describe("the file server", () => {
  it("gives each kind of file its type, and the headers of the page with all of them", async () => {
    const types = {
      "/": "text/html; charset=utf-8",
      "/one.js": "text/javascript; charset=utf-8",
      "/files/a.mjs": "text/javascript; charset=utf-8",
      "/files/deep/b.js?query": "text/javascript; charset=utf-8",
      "/files/a.wasm": "application/wasm",
      "/files/a.json": "application/json",
      "/files/a.css": "text/css; charset=utf-8",
      "/files/a.bin": "application/octet-stream",
    };
    for (const [path, type] of Object.entries(types)) {
      const { status, headers } = await ask(path);
      expect([path, status, headers["content-type"]]).toEqual([path, 200, type]);
      expect(headers["content-security-policy"]).toBe("default-src 'self'");
      expect(headers.etag).toMatch(/^"[0-9a-f]{64}"$/);
    }
    expect((await ask("/gone.js")).headers["content-security-policy"]).toBe("default-src 'self'");
  });

  it.each([
    ...[
      "/secret.txt",
      "/files/../secret.txt",
      "/files/%2e%2e/secret.txt",
      "/files/..%2fsecret.txt",
      "/files/..\\secret.txt",
    ],
    ...[
      "/files/deep/../../../secret.txt",
      "//files/a.js",
      "/files//a.js",
      "/files/.hidden",
      "/files/%00a.js",
      "/files/%zz",
    ],
    ...["/files/", "/files/deep", "/files/nothing.js", "/gone.js", "/nowhere", "/constructor", "files/a.js"],
  ])("gives nothing for %s", async (path) => {
    const { status, body } = await ask(path);
    expect([400, 404]).toContain(status);
    expect(body.toString()).not.toContain("secret");
  });

  it("answers for its own names only, and to those who ask for files only", async () => {
    const { port } = server;
    expect((await ask("/", { host: `evil.example:${port}` })).status).toBe(403);
    for (const host of [`localhost:${port}`, `127.0.0.1:${port}`]) expect((await ask("/", { host })).status).toBe(200);
    const posted = await ask("/", {}, "POST");
    expect([posted.status, posted.headers.allow]).toEqual([405, "GET, HEAD"]);
  });

  it("reads what it has to read when it is asked for, and again if that failed", async () => {
    expect((await ask("/model/weights")).status).toBe(500);
    const { status, headers, body } = await ask("/model/weights");
    expect([status, headers.etag, headers["accept-ranges"], headers["content-length"]]).toEqual([
      ...[200, '"abc"', "bytes", "1000"],
    ]);
    expect(new Uint8Array(body)).toEqual(bytes);
  });

  it("gives the rest of a file, so that a download goes on", async () => {
    const ranges: [string, number, number][] = [
      ["bytes=600-", 600, 1000],
      ["bytes=10-19", 10, 20],
      ["bytes=990-5000", 990, 1000],
      ["bytes=-10", 990, 1000],
    ];
    for (const [range, from, to] of ranges) {
      const { status, headers, body } = await ask("/model/weights", { range, "if-range": '"abc"' });
      expect([range, status, headers["content-range"]]).toEqual([range, 206, `bytes ${from}-${to - 1}/1000`]);
      expect(new Uint8Array(body)).toEqual(bytes.subarray(from, to));
    }
    const file = await ask("/files/deep/b.js", { range: "bytes=5-" });
    expect([file.status, file.body.toString()]).toEqual([206, "b.js"]);
  });

  it("gives the whole file when it is another one by now, or for ranges that nobody needs", async () => {
    for (const headers of [
      { range: "bytes=600-", "if-range": '"another"' },
      { range: "bytes=600-", "if-range": 'W/"abc"' },
      { range: "bytes=0-1,5-6" },
      { range: "lines=1-2" },
      { range: "bytes=9-3" },
    ]) {
      const { status, body } = await ask("/model/weights", headers);
      expect([status, body.length]).toEqual([200, 1000]);
    }
    const beyond = await ask("/model/weights", { range: "bytes=1000-" });
    expect([beyond.status, beyond.headers["content-range"]]).toEqual([416, "bytes */1000"]);
  });

  it("says that a file is the same as before, by its bytes: equal times and sizes do not deceive it", async () => {
    const path = join(folder, "public/changing.js");
    await writeFile(path, "one");
    const { etag } = (await ask("/files/changing.js")).headers;
    for (const list of [etag, `"x", ${etag}`, `W/${etag}`, "*"]) {
      const same = await ask("/files/changing.js", { "if-none-match": list });
      expect([same.status, same.body.length]).toEqual([304, 0]);
    }
    await writeFile(path, "two");
    const changed = await ask("/files/changing.js", { "if-none-match": etag });
    expect([changed.status, changed.body.toString()]).toEqual([200, "two"]);
  });

  it("tells the length without the bytes, and has empty files", async () => {
    const { status, headers, body } = await ask("/files/a.wasm", {}, "HEAD");
    expect([status, headers["content-length"], body.length]).toEqual([200, "6", 0]);
    expect((await ask("/files/empty.js")).headers["content-length"]).toBe("0");
  });

  it("says that a port is in use, and what to do", async () => {
    const taken = startFileServer({ port: server.port, places: {} });
    await expect(taken).rejects.toThrow(`port ${server.port} is in use; choose another with --port`);
    expect(isPortInUse(await taken.catch((error: unknown) => error))).toBe(true);
    expect(isPortInUse(new Error("other"))).toBe(false);
  });
});
