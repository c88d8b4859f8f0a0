// What browser tests of model loading call in a page or a worker: reads whole models and reports what happened.

import { DuplexError } from "@microturn/core";
import { loadModel, sha256 } from "@microturn/core/model";
import { type CachedModel, type CachedModelSettings, cachedModel } from "../cached-model.js";
import { exclusive } from "../exclusive.js";

/** What a test asks for. */
export interface LoadOrder {
  readonly base: string;
  readonly settings?: CachedModelSettings;
  /** Aborts when this share of all bytes has come. */
  readonly abortAt?: number;
  /** Aborts when `modelPage.abort` is called with this name. */
  readonly name?: string;
  /** Loads with `loadModel`, which also looks inside. */
  readonly withLoadModel?: boolean;
}

/** What came of it. */
export interface LoadReport {
  /** Of the error, or "none". */
  readonly code: string;
  readonly message: string;
  readonly details: Readonly<Record<string, unknown>>;
  /** SHA-256 of what was read, by path. */
  readonly files: Readonly<Record<string, string>>;
  /** Bytes done, as reported. */
  readonly progress: readonly number[];
  readonly total: number;
  /** `details.reason` of each warning. */
  readonly warnings: readonly unknown[];
  readonly isCached: boolean;
  readonly storedBytes: number;
}

const controllers = new Map<string, AbortController>();
const progressOf = new Map<string, number>();

/** Loads a model as `loadModel` does: the manifest, then each file; without looking inside, so that bytes may be any. */
async function readAll(
  model: CachedModel,
  signal: AbortSignal,
  onProgress: (done: number, total: number) => void,
): Promise<Record<string, string>> {
  const manifest = JSON.parse(new TextDecoder().decode(await model.read("microturn.json", { signal })));
  const files: { path: string; bytes: number }[] = [...manifest.files.weights, manifest.files.tokenizer];
  const total = files.reduce((sum, { bytes }) => sum + bytes, 0);
  const hashes: Record<string, string> = {};
  let done = 0;
  for (const { path, bytes } of files) {
    const content = await model.read(path, {
      signal,
      maxBytes: bytes,
      onProgress: (read) => onProgress(done + read, total),
    });
    hashes[path] = await sha256(content);
    done += bytes;
  }
  return hashes;
}

async function load({ base, settings = {}, abortAt = 2, name = "", withLoadModel }: LoadOrder): Promise<LoadReport> {
  const warnings: unknown[] = [];
  const progress: number[] = [];
  let total = 0;
  const controller = new AbortController();
  controllers.set(name, controller);
  const model = cachedModel(base, { ...settings, onWarning: ({ details }) => warnings.push(details.reason) });
  const onProgress = (done: number, all: number) => {
    progress.push(done);
    progressOf.set(name, done);
    total = all;
    if (done >= abortAt * all) controller.abort(new Error("enough"));
  };
  const { signal } = controller;
  let files: Record<string, string> = {};
  let error: unknown;
  try {
    if (withLoadModel) {
      await loadModel(model, {
        signal,
        onProgress: (now) => {
          if (now.stage === "read") onProgress(now.done, now.total);
        },
      });
    } else files = await readAll(model, signal, onProgress);
  } catch (cause) {
    error = cause;
  }
  return {
    code: error === undefined ? "none" : DuplexError.is(error) ? error.code : "not a DuplexError",
    message: error === undefined ? "" : String(error),
    details: DuplexError.is(error) ? JSON.parse(JSON.stringify(error.details)) : {},
    ...{ files, progress, total, warnings },
    isCached: await model.isCached(),
    storedBytes: await model.storedBytes(),
  };
}

const modelPage = {
  load,
  abort: (name: string) => controllers.get(name)?.abort(),
  progress: (name: string) => progressOf.get(name) ?? 0,
  isCached: (base: string) => cachedModel(base).isCached(),
  storedBytes: (base: string) => cachedModel(base).storedBytes(),
  remove: (base: string) => cachedModel(base).remove(),
  /** Loads in a worker that runs this module. */
  loadInWorker(script: string, order: LoadOrder): Promise<LoadReport> {
    const worker = new Worker(script, { type: "module" });
    return new Promise<LoadReport>((resolve, reject) => {
      worker.onmessage = ({ data }) => resolve(data);
      worker.onerror = ({ message }) => reject(new Error(message));
      worker.postMessage(order);
    }).finally(() => worker.terminate());
  },
  /** Takes a lock and keeps it. */
  hold: (name: string) => new Promise<void>((held) => void exclusive(name, () => new Promise(() => held()))),
  /** Waits for a lock, gives up at once, and says what comes of it. */
  async giveUpLock(name: string): Promise<string> {
    const controller = new AbortController();
    const lock = exclusive(name, async () => "had it", { signal: controller.signal });
    controller.abort(new Error("gave up"));
    return (await lock.catch(({ message }: Error) => message)) ?? "nothing";
  },
  /** Keys of everything in the cache of models. */
  async keys(): Promise<string[]> {
    const cache = await caches.open("microturn-models");
    return (await cache.keys()).map(({ url }) => url);
  },
  /** Replaces one byte of each entry whose key ends so. */
  async damage(end: string): Promise<number> {
    const cache = await caches.open("microturn-models");
    let damaged = 0;
    for (const key of await cache.keys()) {
      if (!key.url.endsWith(end)) continue;
      const response = await cache.match(key);
      const bytes = new Uint8Array((await response?.arrayBuffer()) ?? new ArrayBuffer(0));
      bytes[bytes.length >> 1] ^= 1;
      await cache.put(key, new Response(bytes, response));
      damaged++;
    }
    return damaged;
  },
};

/** Global in a page that runs this module. */
export type ModelPage = typeof modelPage;

Object.assign(globalThis, { modelPage });
if (typeof document === "undefined") {
  globalThis.addEventListener("message", ({ data }: MessageEvent<LoadOrder>) => {
    void load(data).then((report) => postMessage(report));
  });
}
