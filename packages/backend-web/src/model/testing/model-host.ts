// A model on a server for tests: it keeps the rules of HTTP, unless a test tells it how to break them.

import { createHash, randomBytes } from "node:crypto";
import type { IncomingMessage, ServerResponse } from "node:http";
import { gzipSync } from "node:zlib";
import type { ModelManifest } from "@microturn/core/model";
import { tinyModel } from "@microturn/core/testing";

/** One request for a file of the model. */
export interface HostRequest {
  readonly path: string;
  readonly method: string;
  readonly range: string | undefined;
  readonly ifRange: string | undefined;
  readonly headers: IncomingMessage["headers"];
  /** Of the answer. */
  status: number;
  /** Bytes of the body that were given to the network. */
  sent: number;
}

/** How an answer differs from what it should be. */
export interface Behaviour {
  /** Answers with this status and no body. */
  readonly status?: number;
  /** Answers with other contents. */
  readonly body?: Uint8Array;
  /** Knows no ranges. */
  readonly withoutRanges?: boolean;
  /** Answers a range with another `Content-Range`. */
  readonly contentRange?: string;
  /** ETag instead of the hash; null for none. */
  readonly etag?: string | null;
  /** No `Content-Length`. */
  readonly chunked?: boolean;
  /** Compresses, whatever was asked for. */
  readonly gzip?: boolean;
  readonly type?: string;
  /** Sends so many bytes of the body, then the rest when `until` resolves, or breaks the connection. */
  readonly pauseAfter?: number;
  readonly until?: Promise<void>;
  readonly thenBreak?: boolean;
}

/** The files of a model, and what was asked of them. */
export class ModelHost {
  readonly files = new Map<string, Uint8Array>();
  readonly requests: HostRequest[] = [];
  behave: (request: HostRequest) => Behaviour = () => ({});
  headers: Readonly<Record<string, string>> = {};

  /** Requests for one file. */
  of(path: string): HostRequest[] {
    return this.requests.filter((request) => request.path === path);
  }

  /** For `startServer`, under a path that ends in a slash. */
  route(under: string): (request: IncomingMessage, response: ServerResponse) => void {
    return (message, response) => {
      const path = decodeURIComponent((message.url ?? "/").slice(under.length));
      const request: HostRequest = {
        path,
        method: message.method ?? "",
        range: message.headers.range,
        ifRange: message.headers["if-range"]?.toString(),
        headers: message.headers,
        status: 0,
        sent: 0,
      };
      this.requests.push(request);
      void this.#answer(request, response);
    };
  }

  async #answer(request: HostRequest, response: ServerResponse): Promise<void> {
    const how = this.behave(request);
    for (const [name, value] of Object.entries(this.headers)) response.setHeader(name, value);
    const file = how.body ?? this.files.get(request.path);
    request.status = how.status ?? (file === undefined ? 404 : 200);
    if (request.method === "OPTIONS") request.status = 204;
    if (request.status !== 200 || file === undefined) {
      response.writeHead(request.status).end();
      return;
    }
    const etag = how.etag === undefined ? `"${sha256Of(file).slice(0, 16)}"` : how.etag;
    if (etag !== null) response.setHeader("ETag", etag);
    response.setHeader("Content-Type", how.type ?? "application/octet-stream");
    let body = file;
    const [, start] = /^bytes=(\d+)-$/.exec(request.range ?? "") ?? [];
    const fits = request.ifRange === undefined || request.ifRange === etag;
    if (start !== undefined && fits && !how.withoutRanges) {
      if (Number(start) >= file.length) {
        request.status = 416;
        response.writeHead(416, { "Content-Range": `bytes */${file.length}` }).end();
        return;
      }
      request.status = 206;
      body = file.subarray(Number(start));
      response.setHeader("Content-Range", how.contentRange ?? `bytes ${start}-${file.length - 1}/${file.length}`);
    }
    if (how.gzip) {
      body = gzipSync(body);
      response.setHeader("Content-Encoding", "gzip");
    }
    if (!how.chunked) response.setHeader("Content-Length", body.length);
    response.statusCode = request.status;
    await this.#send(request, response, body, how);
  }

  async #send(request: HostRequest, response: ServerResponse, body: Uint8Array, how: Behaviour): Promise<void> {
    const { pauseAfter = body.length, until, thenBreak = false } = how;
    const stop = Math.min(pauseAfter, body.length);
    const write = (from: number, to: number) =>
      new Promise<void>((resolve) => {
        if (from === to) resolve();
        else response.write(body.subarray(from, to), () => resolve());
        request.sent += to - from;
      });
    response.flushHeaders();
    await write(0, stop);
    await until;
    if (thenBreak) {
      response.destroy();
      return;
    }
    if (stop < body.length) await write(stop, body.length);
    response.end();
  }
}

/** A model of random bytes, of these sizes: right in its manifest, and good for whoever does not look inside. */
export function randomModel(sizes: Readonly<Record<string, number>>, version = "1.0.0"): ModelHost {
  const host = new ModelHost();
  for (const [path, size] of Object.entries(sizes)) host.files.set(path, randomBytes(size));
  writeManifest(host, version);
  return host;
}

/** Writes the manifest of the files that are there; the last is the tokenizer. */
export function writeManifest(host: ModelHost, version: string): void {
  const files = [...host.files]
    .filter(([path]) => path !== "microturn.json")
    .map(([path, file]) => ({ path, bytes: file.length, sha256: sha256Of(file) }));
  const manifest: ModelManifest = {
    ...tinyModel().manifest,
    version,
    files: { weights: files.slice(0, -1), tokenizer: files[files.length - 1] },
  };
  host.files.set("microturn.json", Buffer.from(JSON.stringify(manifest)));
}

/** Lower-case hex. */
export function sha256Of(bytes: Uint8Array): string {
  return createHash("sha256").update(bytes).digest("hex");
}
