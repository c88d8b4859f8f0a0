// A model on a server as a source of files that keeps what it read: the next load needs no network.
// The rules are in docs/model-loading.md.

import { DuplexError, type ModelSource, type ReadOptions } from "@microturn/core";
import { manifestPath } from "@microturn/core/model";
import { requestManifest } from "./manifest-request.js";
import { ModelStore } from "./model-store.js";
import { ModelVersion } from "./model-version.js";
import { fileUrl, invalidFile, type ModelRequest, type ModelServer } from "./request.js";
import { type UnkeptFacts, type UnkeptReason, unkept } from "./storage-room.js";

/** Options of {@link cachedModel} that a worker can be told as well: plain values. */
export interface CachedModelSettings {
  /** For messages; default the name of the source, else the last part of the URL. */
  readonly name?: string;
  /** Name of the cache in the Cache API, shared by all models; default `microturn-models`. */
  readonly cacheName?: string;
  /** Credentials, headers and the like, sent with every request. */
  readonly request?: ModelRequest;
  /**
   * Whether a model that is here whole is looked for on its server: `revalidate` (default) asks for its manifest, and goes on
   * with the one that is here if the server cannot be reached; `cache-first` asks nobody until `remove`.
   */
  readonly manifest?: "revalidate" | "cache-first";
  /** Bytes that are kept at once, 65,536 or more; default 4 MiB. A page that is closed meanwhile loses at most as many. */
  readonly pieceBytes?: number;
  /** Silence of the server that counts as a broken connection, ms; default 30,000. */
  readonly stallMs?: number;
  /** Fails with `STORAGE_UNAVAILABLE` where the model cannot be kept; default false: it loads without being kept. */
  readonly requireCache?: boolean;
}

/** Options of {@link cachedModel}. */
export interface CachedModelOptions extends CachedModelSettings {
  /** Fetches instead of the platform's, for example with a token that changes; then only this thread can read the model. */
  readonly fetch?: typeof fetch;
  /** Called when the model loads without being kept, with `STORAGE_UNAVAILABLE`; `details.reason` says why. */
  readonly onWarning?: (warning: DuplexError) => void;
}

/** The files of one model on a server, kept in this browser. Nothing is read before `read`. */
export interface CachedModel extends ModelSource {
  /** Absent where more than the URL is needed to read the files: with `fetch` or `request`. */
  readonly base?: string;
  /**
   * What makes the same model elsewhere: `cachedModel(settings.base, settings)` in a worker. Undefined with a `fetch` of its
   * own, which cannot be sent there.
   */
  readonly settings: (CachedModelSettings & { readonly base: string }) | undefined;
  /** Why what was read last is not kept; undefined if it is. */
  readonly warning: DuplexError | undefined;
  /**
   * Reads a file that the manifest names, or the manifest: from the cache, else from the server. Its size and SHA-256 are
   * right. A download that breaks off goes on where it was, three times, and at the next call.
   *
   * @throws DuplexError `MODEL_INVALID` with `details.file`, `url` and maybe `status` if the file is not there, cut or altered;
   *   `NETWORK_FAILED` if the server cannot be reached; `STORAGE_UNAVAILABLE` with `requireCache`; `UNSUPPORTED` on a page
   *   that is no secure context; `ABORTED`
   */
  read(path: string, options?: ReadOptions): Promise<Uint8Array>;
  /** Whether a load needs no network: the manifest and every file it names are here, in the right sizes. */
  isCached(): Promise<boolean>;
  /** Bytes that are kept for this model: files, parts of files and older versions. */
  storedBytes(): Promise<number>;
  /** Deletes all that is kept for this model, but for files that another one has as well; waits for reads under way. */
  remove(): Promise<void>;
}

/**
 * Makes a source that downloads a model once and keeps it in the Cache API.
 *
 * @param place - URL of the folder that holds `microturn.json`, `http:` or `https:`, relative to the page, without query and
 *   fragment; or a source with such a `base`
 * @throws TypeError if it is no such place
 * @throws RangeError if `pieceBytes` or `stallMs` are outside their range
 * @example
 * const model = cachedModel("https://example.org/models/mini/");
 * const loaded = await loadModel(model, { signal, onProgress: ({ done, total }) => bar.set(done / total) });
 */
export function cachedModel(place: string | URL | ModelSource, options: CachedModelOptions = {}): CachedModel {
  return new ModelOnServer(place, options);
}

const mostManifestBytes = 16 << 20;
/** A server that is silent for so long counts as out of reach where the model is here, ms. */
const manifestPatienceMs = 5000;

class ModelOnServer implements CachedModel {
  readonly name: string;
  readonly base?: string;
  readonly settings: (CachedModelSettings & { readonly base: string }) | undefined;
  readonly #server: ModelServer;
  readonly #options: CachedModelOptions;
  readonly #cacheName: string;
  readonly #pieceBytes: number;
  #warning: DuplexError | undefined;
  #version: ModelVersion | undefined;

  constructor(place: string | URL | ModelSource, options: CachedModelOptions) {
    const { fetch: ownFetch, onWarning: _, ...settings } = options;
    const { pieceBytes = 4 << 20, stallMs = 30_000, request, cacheName = "microturn-models" } = settings;
    if (!Number.isInteger(pieceBytes) || pieceBytes < 65_536) {
      throw new RangeError(`cachedModel: pieceBytes must be a whole number from 65536 on, got ${pieceBytes}`);
    }
    if (!(stallMs > 0 && stallMs < 2 ** 31)) {
      throw new RangeError(`cachedModel: stallMs must be more than 0 and less than 2^31, got ${stallMs}`);
    }
    const base = folderUrl(place);
    const sourceName = typeof place === "string" || place instanceof URL ? undefined : place.name;
    this.name = settings.name ?? sourceName ?? (base.split("/").at(-2) || new URL(base).host);
    if (ownFetch === undefined && request === undefined) this.base = base;
    this.settings = ownFetch === undefined ? { ...settings, name: this.name, base } : undefined;
    this.#options = options;
    this.#cacheName = cacheName;
    this.#pieceBytes = pieceBytes;
    // Not taken from its object: the platform's fetch needs it.
    const platformFetch: typeof fetch = (input, init) => globalThis.fetch(input, init);
    this.#server = { name: this.name, base, fetch: ownFetch ?? platformFetch, request: request ?? {}, stallMs };
  }

  get warning(): DuplexError | undefined {
    return this.#warning;
  }

  async read(path: string, options: ReadOptions = {}): Promise<Uint8Array> {
    const { signal } = options;
    try {
      signal?.throwIfAborted();
      requireSecureContext(this.name);
      if (path === manifestPath) return (await this.#readManifest(options)).manifest.slice();
      const version = this.#version ?? (await this.#readManifest(signal === undefined ? {} : { signal }));
      return await version.read(path, await this.#storeOrWarning(), options);
    } catch (cause) {
      if (!signal?.aborted) throw cause;
      throw new DuplexError("ABORTED", `cachedModel: ${this.name}: reading ${path} was aborted by its caller`, {
        cause: signal.reason,
      });
    }
  }

  async isCached(): Promise<boolean> {
    const store = await this.#store().catch(() => undefined);
    return store !== undefined && (await this.#keptVersion(store)) !== undefined;
  }

  async storedBytes(): Promise<number> {
    const store = await this.#store().catch(() => undefined);
    return (await store?.storedBytes()) ?? 0;
  }

  async remove(): Promise<void> {
    const store = await this.#store().catch(() => undefined);
    this.#version = undefined;
    await store?.deleteManifest();
    await store?.release(new Set());
  }

  async #readManifest({ signal, maxBytes = mostManifestBytes, onProgress }: ReadOptions): Promise<ModelVersion> {
    this.#warning = undefined;
    const store = await this.#storeOrWarning();
    const kept = store === undefined ? undefined : await this.#keptVersion(store);
    let version = this.#options.manifest === "cache-first" ? kept : undefined;
    version ??= await this.#requestVersion(kept, { signal, maxBytes });
    const { length } = version.manifest;
    if (length > maxBytes) {
      const url = fileUrl(this.#server, manifestPath);
      const problem = `has ${length} bytes, at most ${maxBytes} were expected`;
      throw invalidFile(this.#server, problem, { path: manifestPath, url });
    }
    onProgress?.(length);
    this.#version = version;
    return version;
  }

  /** The version on the server, or the one that is here whole if the server cannot be reached. */
  async #requestVersion(
    kept: ModelVersion | undefined,
    { signal, maxBytes }: { signal: AbortSignal | undefined; maxBytes: number },
  ): Promise<ModelVersion> {
    const once = kept !== undefined;
    const stallMs = Math.min(this.#server.stallMs, once ? manifestPatienceMs : Number.POSITIVE_INFINITY);
    try {
      const manifest = await requestManifest({ ...this.#server, stallMs }, { maxBytes, once, signal });
      return kept !== undefined && sameBytes(manifest, kept.manifest) ? kept : this.#versionOf(manifest, false);
    } catch (error) {
      if (kept !== undefined && DuplexError.is(error, "NETWORK_FAILED")) return kept;
      throw error;
    }
  }

  /** The version that is here, if it is whole. */
  async #keptVersion(store: ModelStore): Promise<ModelVersion | undefined> {
    try {
      const manifest = await store.manifest();
      const version = manifest === undefined ? undefined : this.#versionOf(manifest, true);
      return (await version?.isWhole(store)) ? version : undefined;
    } catch {
      // Damaged, or of a later format: as if there was none.
      return undefined;
    }
  }

  #versionOf(manifest: Uint8Array<ArrayBuffer>, isKept: boolean): ModelVersion {
    return new ModelVersion(manifest, {
      ...{ isKept, server: this.#server, pieceBytes: this.#pieceBytes },
      onUnkept: (reason, facts) => this.#warn(reason, facts),
    });
  }

  #store(): Promise<ModelStore> {
    return ModelStore.open(this.#cacheName, this.#server.base);
  }

  async #storeOrWarning(): Promise<ModelStore | undefined> {
    try {
      return await this.#store();
    } catch (cause) {
      this.#warn("no-cache", { cause });
      return undefined;
    }
  }

  /** Tells once per load that the model is not kept. @throws the warning, with `requireCache` */
  #warn(reason: UnkeptReason, facts: UnkeptFacts): void {
    const warning = unkept(this.name, reason, facts);
    if (this.#options.requireCache) throw warning;
    if (this.#warning !== undefined) return;
    this.#warning = warning;
    const { onWarning } = this.#options;
    // One that throws does not end the load.
    if (onWarning !== undefined) queueMicrotask(() => onWarning(warning));
  }
}

function folderUrl(place: string | URL | ModelSource): string {
  const given = typeof place === "string" || place instanceof URL ? place : place.base;
  if (given === undefined) {
    throw new TypeError(
      "cachedModel: expected a source whose files lie under a URL (base), this one has none; give the URL",
    );
  }
  const { document, location } = globalThis as { document?: Document; location?: Location };
  const url = new URL(given, document?.baseURI ?? location?.href);
  const isPlain = url.search === "" && url.hash === "" && url.username === "" && url.password === "";
  if (!isPlain || !/^https?:$/.test(url.protocol)) {
    throw new TypeError(
      `cachedModel: expected the http: or https: URL of a folder, without query, fragment and password, got ${url.protocol}//${url.host}${url.pathname}`,
    );
  }
  return url.pathname.endsWith("/") ? url.href : `${url.href}/`;
}

function sameBytes(a: Uint8Array, b: Uint8Array): boolean {
  return a.length === b.length && a.every((byte, index) => byte === b[index]);
}

function requireSecureContext(name: string): void {
  if (globalThis.crypto?.subtle === undefined) {
    throw new DuplexError(
      "UNSUPPORTED",
      `cachedModel: ${name}: expected a secure context, this page is none and cannot check its model; serve it over https or from localhost`,
    );
  }
}
