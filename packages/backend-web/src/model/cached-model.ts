// A model on a server as a source of files that keeps what it read: the next load needs no network.
// The rules are in docs/model-loading.md.

import {
  DuplexError,
  type ManifestFile,
  type ModelSource,
  manifestPath,
  parseManifest,
  type ReadOptions,
  sha256,
} from "@microturn/core";
import { download } from "./download.js";
import { exclusive } from "./exclusive.js";
import { requestManifest } from "./manifest-request.js";
import { ModelStore } from "./model-store.js";
import { PieceWriter } from "./piece-writer.js";
import { fileUrl, invalidFile, type ModelRequest, type ModelServer } from "./request.js";
import { freeBytes, reasonOf, type UnkeptReason, unkept } from "./storage-room.js";

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

/** A version of the model: its manifest, and what that names. */
interface Version {
  readonly manifest: Uint8Array<ArrayBuffer>;
  readonly files: readonly ManifestFile[];
  /** Whether the manifest came from the cache. */
  readonly kept: boolean;
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
  #version: Version | undefined;
  /** Hashes of files of the version that are known to be kept. */
  #keptFiles = new Set<string>();
  /** Whether there is room for the version; undefined before anyone asked. */
  #room: Promise<DuplexError | undefined> | undefined;

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
      return await this.#readFile(path, options);
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
    if (store !== undefined) await this.#release(store, new Set());
  }

  async #readManifest({ signal, maxBytes = mostManifestBytes, onProgress }: ReadOptions): Promise<Version> {
    this.#warning = undefined;
    this.#room = undefined;
    const store = await this.#storeOrWarning();
    const kept = store === undefined ? undefined : await this.#keptVersion(store);
    let version = this.#options.manifest === "cache-first" ? kept : undefined;
    version ??= await this.#requestVersion(kept, { signal, maxBytes });
    if (version.manifest.length > maxBytes) {
      throw this.#invalid(manifestPath, `has ${version.manifest.length} bytes, at most ${maxBytes} were expected`);
    }
    onProgress?.(version.manifest.length);
    this.#version = version;
    this.#keptFiles = new Set();
    return version;
  }

  /** The version on the server, or the one that is here whole if the server cannot be reached. */
  async #requestVersion(
    kept: Version | undefined,
    { signal, maxBytes }: { signal: AbortSignal | undefined; maxBytes: number },
  ): Promise<Version> {
    const once = kept !== undefined;
    const stallMs = Math.min(this.#server.stallMs, once ? manifestPatienceMs : Number.POSITIVE_INFINITY);
    try {
      const manifest = await requestManifest({ ...this.#server, stallMs }, { maxBytes, once, signal });
      return { manifest, files: filesOf(manifest), kept: kept !== undefined && sameBytes(manifest, kept.manifest) };
    } catch (error) {
      if (kept !== undefined && DuplexError.is(error, "NETWORK_FAILED")) return kept;
      throw error;
    }
  }

  /** The version that is here, if it is whole. */
  async #keptVersion(store: ModelStore): Promise<Version | undefined> {
    try {
      const manifest = await store.manifest();
      if (manifest === undefined) return undefined;
      const files = filesOf(manifest);
      for (const file of files) if (!(await store.heldBytes(file)).complete) return undefined;
      return { manifest, files, kept: true };
    } catch {
      // Damaged, or of a later format: as if there was none.
      return undefined;
    }
  }

  async #readFile(path: string, options: ReadOptions): Promise<Uint8Array> {
    const { signal, maxBytes = Number.POSITIVE_INFINITY } = options;
    const version = this.#version ?? (await this.#readManifest({ ...(signal === undefined ? {} : { signal }) }));
    const file = version.files.find((one) => one.path === path);
    if (file === undefined) throw this.#invalid(path, `is not named by ${manifestPath}`);
    if (file.bytes > maxBytes) {
      throw this.#invalid(path, `has ${file.bytes} bytes, at most ${maxBytes} were expected`);
    }
    const store = await this.#storeOrWarning();
    if (store === undefined) return this.#download(version, file, undefined, options);
    let bytes = await this.#readKept(store, file, options);
    if (bytes === undefined) {
      const unroomed = await this.#makeRoom(store, version);
      if (unroomed !== undefined) {
        this.#warn(unroomed);
        return this.#download(version, file, undefined, options);
      }
      const read = async () => {
        // Another reader may have brought it meanwhile; if not, what is here is damaged.
        const brought = await this.#readKept(store, file, options);
        if (brought !== undefined) return brought;
        if ((await store.record(file).catch(() => undefined))?.complete) await store.drop(file.sha256);
        return this.#download(version, file, store, options);
      };
      bytes = await exclusive(this.#lockName(file.sha256), read, { signal });
    }
    await this.#commit(store, version);
    return bytes;
  }

  /** A file that is here, whole and undamaged. */
  async #readKept(store: ModelStore, file: ManifestFile, options: ReadOptions): Promise<Uint8Array | undefined> {
    const { signal, onProgress } = options;
    const record = await store.record(file).catch(() => undefined);
    if (record?.complete !== true) return undefined;
    const buffer = this.#allocate(file);
    const bytes = await store.readPieces(file, record, buffer, { signal, onProgress });
    if (bytes !== file.bytes || (await sha256(buffer)) !== file.sha256) return undefined;
    if (!this.#keptFiles.has(file.sha256)) {
      this.#keptFiles.add(file.sha256);
      await store.claim(file.sha256).catch(() => {});
    }
    return buffer;
  }

  /** Downloads a file, into the store if there is one. */
  async #download(
    version: Version,
    file: ManifestFile,
    store: ModelStore | undefined,
    options: ReadOptions,
  ): Promise<Uint8Array> {
    const { signal, onProgress } = options;
    const buffer = this.#allocate(file);
    const job = { server: this.#server, file, buffer, signal, onProgress };
    if (store === undefined) {
      await download({ ...job, from: 0, validator: undefined, writer: undefined });
      return buffer;
    }
    const record = await store.record(file).catch(() => undefined);
    const from = record === undefined ? 0 : await store.readPieces(file, record, buffer, { signal, onProgress });
    const canMakeWay = !version.kept && (await this.#hasOlder(store, version));
    const pieces = { store, file, pieceBytes: record?.pieceBytes ?? this.#pieceBytes, keptBytes: from };
    let lost: UnkeptReason | undefined;
    const writer = new PieceWriter({
      ...pieces,
      onLost: (cause) => {
        lost = reasonOf(cause);
        if (lost !== "no-room" || !canMakeWay) this.#giveUpKeeping(cause);
      },
    });
    try {
      await download({ ...job, from, validator: record?.validator, writer });
    } catch (error) {
      // The server has moved on from the version that is here: the next load begins with its manifest.
      if (version.kept && DuplexError.is(error, "MODEL_INVALID")) await store.deleteManifest().catch(() => {});
      throw error;
    }
    if (lost === "no-room" && canMakeWay) {
      // The estimate was wrong, as it is where a browser does not tell its limit: now an older version makes way.
      await store.deleteManifest();
      await this.#releaseOlder(store, version);
      lost = undefined;
      const again = new PieceWriter({
        ...pieces,
        keptBytes: 0,
        onLost: (cause) => {
          lost = reasonOf(cause);
          this.#giveUpKeeping(cause);
        },
      });
      await again.restart(undefined);
      await again.finish(buffer);
    }
    if (lost === undefined) this.#keptFiles.add(file.sha256);
    return buffer;
  }

  /** The rest of the version is not kept either. @throws with `requireCache` */
  #giveUpKeeping(cause: unknown): void {
    this.#room = Promise.resolve(this.#warn(this.#unkept(reasonOf(cause), { cause })));
  }

  /** Whether files are kept that this version does not name. */
  async #hasOlder(store: ModelStore, { files }: Version): Promise<boolean> {
    const named = new Set(files.map(({ sha256 }) => sha256));
    for (const hash of (await store.claims()).keys()) if (!named.has(hash)) return true;
    return false;
  }

  /** Makes a version the one that is here, once it is here whole, and lets go of older ones. */
  async #commit(store: ModelStore, version: Version): Promise<void> {
    if (version.kept || version !== this.#version) return;
    if (!version.files.every(({ sha256 }) => this.#keptFiles.has(sha256))) return;
    try {
      await store.putManifest(version.manifest);
      await this.#releaseOlder(store, version);
    } catch (cause) {
      this.#warn(this.#unkept(reasonOf(cause), { cause }));
    }
  }

  /**
   * Gives up the claims to all files but those in `keep`, and deletes what no other model claims.
   *
   * @param options.ifFree - leaves what somebody reads now; default false: waits for that
   */
  async #release(
    store: ModelStore,
    keep: ReadonlySet<string>,
    { ifFree = false }: { ifFree?: boolean } = {},
  ): Promise<void> {
    for (const [hash, { shared }] of await store.claims()) {
      if (keep.has(hash)) continue;
      const release = async () => {
        if (!shared) await store.drop(hash);
        await store.deleteClaim(hash);
      };
      await exclusive(this.#lockName(hash), release, { ifFree });
    }
  }

  #releaseOlder(store: ModelStore, { files }: Version): Promise<void> {
    return this.#release(store, new Set(files.map(({ sha256 }) => sha256)), { ifFree: true });
  }

  /** Whether what is missing of a version has room; asked once, before the first byte. An older version makes way. */
  #makeRoom(store: ModelStore, version: Version): Promise<DuplexError | undefined> {
    const ask = async () => {
      let needed = 0;
      for (const file of version.files) needed += file.bytes - (await store.heldBytes(file)).bytes;
      const lacks = (free: number | undefined): free is number => free !== undefined && free < needed;
      const atFirst = await freeBytes();
      if (!lacks(atFirst)) return undefined;
      if (!version.kept && !lacks(atFirst + (await store.storedBytes()))) {
        await store.deleteManifest();
        await this.#releaseOlder(store, version);
      }
      const free = await freeBytes();
      return lacks(free) ? this.#unkept("no-room", { neededBytes: needed, freeBytes: free }) : undefined;
    };
    this.#room ??= ask().catch((cause) => this.#unkept("failed", { cause }));
    return this.#room;
  }

  #store(): Promise<ModelStore> {
    return ModelStore.open(this.#cacheName, this.#server.base);
  }

  async #storeOrWarning(): Promise<ModelStore | undefined> {
    try {
      return await this.#store();
    } catch (cause) {
      this.#warn(this.#unkept("no-cache", { cause }));
      return undefined;
    }
  }

  #unkept(reason: UnkeptReason, facts: { cause?: unknown; neededBytes?: number; freeBytes?: number }): DuplexError {
    return unkept(this.name, reason, facts);
  }

  /** Tells once per load that the model is not kept. @throws the warning, with `requireCache` */
  #warn(warning: DuplexError): DuplexError {
    if (this.#options.requireCache) throw warning;
    if (this.#warning === undefined) {
      this.#warning = warning;
      const { onWarning } = this.#options;
      // One that throws does not end the load.
      if (onWarning !== undefined) queueMicrotask(() => onWarning(warning));
    }
    return warning;
  }

  #allocate(file: ManifestFile): Uint8Array<ArrayBuffer> {
    try {
      return new Uint8Array(file.bytes);
    } catch (cause) {
      throw this.#invalid(file.path, `has ${file.bytes} bytes, more than there is memory for`, cause);
    }
  }

  #invalid(path: string, problem: string, cause?: unknown): DuplexError {
    return invalidFile(this.#server, problem, { path, url: fileUrl(this.#server, path), cause });
  }

  #lockName(hash: string): string {
    return `microturn ${this.#cacheName} ${hash}`;
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

/** @throws DuplexError `MODEL_INVALID` */
function filesOf(manifest: Uint8Array): readonly ManifestFile[] {
  const { files } = parseManifest(new TextDecoder().decode(manifest));
  return [...files.weights, files.tokenizer];
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
