// One version of a model, as a manifest names it: reads its files from what is kept, or brings them and keeps them.

import { DuplexError, type ReadOptions } from "@microturn/core";
import { type ManifestFile, manifestPath, parseManifest, sha256 } from "@microturn/core/model";
import { download } from "./download.js";
import type { ModelStore } from "./model-store.js";
import { PieceWriter } from "./piece-writer.js";
import { fileUrl, invalidFile, type ModelServer } from "./request.js";
import { freeBytes, reasonOf, type UnkeptFacts, type UnkeptReason } from "./storage-room.js";

/** Options of {@link ModelVersion}. */
export interface ModelVersionOptions {
  readonly server: ModelServer;
  /** Whether the manifest is kept already, with all that it names. */
  readonly isKept: boolean;
  readonly pieceBytes: number;
  /** Called when a file is not kept; what it throws ends the read. */
  readonly onUnkept: (reason: UnkeptReason, facts: UnkeptFacts) => void;
}

/** A version of a model. */
export class ModelVersion {
  readonly manifest: Uint8Array<ArrayBuffer>;
  readonly #files: readonly ManifestFile[];
  /** Hashes of the files. */
  readonly #named: ReadonlySet<string>;
  readonly #options: ModelVersionOptions;
  /** Hashes of files that are known to be kept. */
  readonly #kept = new Set<string>();
  /** Why it is not kept, if it is not; undefined before anyone asked for room. */
  #unkept: Promise<{ readonly reason: UnkeptReason; readonly facts: UnkeptFacts } | undefined> | undefined;
  #committed: boolean;

  /** @throws DuplexError `MODEL_INVALID` if the manifest is none */
  constructor(manifest: Uint8Array<ArrayBuffer>, options: ModelVersionOptions) {
    const { files } = parseManifest(new TextDecoder().decode(manifest));
    this.manifest = manifest;
    this.#files = [...files.weights, files.tokenizer];
    this.#named = new Set(this.#files.map(({ sha256 }) => sha256));
    this.#options = options;
    this.#committed = options.isKept;
  }

  /** Whether every file is kept, in its size. */
  async isWhole(store: ModelStore): Promise<boolean> {
    for (const file of this.#files) if (!(await store.heldBytes(file)).complete) return false;
    return true;
  }

  /** Reads a file; without a store it is not kept. @throws as `CachedModel.read` */
  async read(path: string, store: ModelStore | undefined, options: ReadOptions): Promise<Uint8Array> {
    const { signal, maxBytes = Number.POSITIVE_INFINITY } = options;
    const file = this.#files.find((one) => one.path === path);
    if (file === undefined) throw this.#invalid(path, `is not named by ${manifestPath}`);
    if (file.bytes > maxBytes) throw this.#invalid(path, `has ${file.bytes} bytes, at most ${maxBytes} were expected`);
    if (store === undefined) return this.#bring(file, options);
    let bytes = await this.#readKept(store, file, options);
    if (bytes === undefined) {
      this.#unkept ??= this.#makeRoom(store);
      const unkept = await this.#unkept;
      if (unkept !== undefined) {
        this.#options.onUnkept(unkept.reason, unkept.facts);
        return this.#bring(file, options);
      }
      const read = () => this.#readOrKeep(store, file, options);
      bytes = await store.exclusive(file.sha256, read, { signal });
    }
    await this.#commit(store);
    // Undefined only for those who do not wait.
    return bytes ?? this.#bring(file, options);
  }

  /** A file that is kept, whole and undamaged. */
  async #readKept(
    store: ModelStore,
    file: ManifestFile,
    { signal, onProgress }: ReadOptions,
  ): Promise<Uint8Array | undefined> {
    const record = await store.record(file).catch(() => undefined);
    if (record?.complete !== true) return undefined;
    const buffer = this.#allocate(file);
    const bytes = await store.readPieces(file, record, buffer, { signal, onProgress });
    if (bytes !== file.bytes || (await sha256(buffer)) !== file.sha256) return undefined;
    if (!this.#kept.has(file.sha256)) {
      this.#kept.add(file.sha256);
      await store.claim(file.sha256).catch(() => {});
    }
    return buffer;
  }

  /** While nobody else writes the file: reads it if another reader brought it meanwhile, else brings and keeps it. */
  async #readOrKeep(store: ModelStore, file: ManifestFile, options: ReadOptions): Promise<Uint8Array> {
    const brought = await this.#readKept(store, file, options);
    if (brought !== undefined) return brought;
    let record = await store.record(file).catch(() => undefined);
    if (record?.complete) {
      // Damaged.
      await store.drop(file.sha256).catch(() => {});
      record = undefined;
    }
    const { signal, onProgress } = options;
    const buffer = this.#allocate(file);
    const from = record === undefined ? 0 : await store.readPieces(file, record, buffer, { signal, onProgress });
    const canMakeWay = !this.#options.isKept && (await store.claimsOthers(this.#named).catch(() => false));
    const pieces = { store, file, pieceBytes: record?.pieceBytes ?? this.#options.pieceBytes };
    let lost: unknown;
    const onLost = (cause: unknown) => {
      lost = cause;
      if (!canMakeWay || reasonOf(cause) !== "no-room") this.#giveUpKeeping(cause);
    };
    const writer = new PieceWriter({ ...pieces, keptBytes: from, onLost });
    try {
      await download({
        ...{ server: this.#options.server, file, buffer, from, validator: record?.validator, writer },
        ...{ signal, onProgress },
      });
    } catch (error) {
      // The server has moved on from what is here: the next load begins with its manifest.
      if (this.#options.isKept && DuplexError.is(error, "MODEL_INVALID")) await store.deleteManifest().catch(() => {});
      throw error;
    }
    if (lost === undefined) this.#kept.add(file.sha256);
    else if (canMakeWay && reasonOf(lost) === "no-room") await this.#keepInstead(pieces, buffer);
    return buffer;
  }

  /** Keeps a file that is here in place of an older version: the browser has no room for both, and did not tell before. */
  async #keepInstead(
    { store, file, pieceBytes }: { store: ModelStore; file: ManifestFile; pieceBytes: number },
    buffer: Uint8Array<ArrayBuffer>,
  ): Promise<void> {
    let isKept = true;
    const onLost = (cause: unknown) => {
      isKept = false;
      this.#giveUpKeeping(cause);
    };
    const writer = new PieceWriter({ store, file, pieceBytes, onLost });
    try {
      await store.deleteManifest();
      await store.release(this.#named, { ifFree: true });
    } catch (cause) {
      onLost(cause);
      return;
    }
    await writer.restart(undefined);
    await writer.finish(buffer);
    if (isKept) this.#kept.add(file.sha256);
  }

  /** Makes this the version that is kept, once it is whole, and lets go of older ones. */
  async #commit(store: ModelStore): Promise<void> {
    if (this.#committed || this.#kept.size < this.#named.size) return;
    this.#committed = true;
    try {
      await store.putManifest(this.manifest);
      await store.release(this.#named, { ifFree: true });
    } catch (cause) {
      this.#giveUpKeeping(cause);
    }
  }

  /** Asks before the first byte whether what is missing has room. An older version makes way. @returns why not */
  async #makeRoom(store: ModelStore): Promise<{ reason: UnkeptReason; facts: UnkeptFacts } | undefined> {
    try {
      let neededBytes = 0;
      for (const file of this.#files) neededBytes += file.bytes - (await store.heldBytes(file)).bytes;
      const lacks = (free: number | undefined): free is number => free !== undefined && free < neededBytes;
      const atFirst = await freeBytes();
      if (!lacks(atFirst)) return undefined;
      if (!this.#options.isKept && !lacks(atFirst + (await store.storedBytes()))) {
        await store.deleteManifest();
        await store.release(this.#named, { ifFree: true });
      }
      const free = await freeBytes();
      return lacks(free) ? { reason: "no-room", facts: { neededBytes, freeBytes: free } } : undefined;
    } catch (cause) {
      return { reason: "failed", facts: { cause } };
    }
  }

  /** The rest of the version is not kept either. @throws what `onUnkept` throws */
  #giveUpKeeping(cause: unknown): void {
    const unkept = { reason: reasonOf(cause), facts: { cause } };
    this.#unkept = Promise.resolve(unkept);
    this.#options.onUnkept(unkept.reason, unkept.facts);
  }

  /** Downloads a file without keeping it. */
  async #bring(file: ManifestFile, { signal, onProgress }: ReadOptions): Promise<Uint8Array> {
    const buffer = this.#allocate(file);
    const { server } = this.#options;
    await download({ server, file, buffer, from: 0, validator: undefined, writer: undefined, signal, onProgress });
    return buffer;
  }

  #allocate(file: ManifestFile): Uint8Array<ArrayBuffer> {
    try {
      return new Uint8Array(file.bytes);
    } catch (cause) {
      throw this.#invalid(file.path, `has ${file.bytes} bytes, more than there is memory for`, cause);
    }
  }

  #invalid(path: string, problem: string, cause?: unknown): DuplexError {
    const { server } = this.#options;
    return invalidFile(server, problem, { path, url: fileUrl(server, path), cause });
  }
}
