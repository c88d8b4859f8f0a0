// What is kept of models in the Cache API: files under their SHA-256, in pieces, so that a new version never meets an old
// file and two models share one; and, by model, its manifest and its claims to files.

import type { ManifestFile } from "@microturn/core/model";
import { type ExclusiveOptions, exclusive } from "./exclusive.js";
import type { Validator } from "./range-answer.js";

/** What is known of a file that is kept, whole or in part. */
export interface FileRecord {
  /** All its pieces have this many bytes, the last one maybe fewer. */
  readonly pieceBytes: number;
  /** Every piece was here, and their hash was right. */
  readonly complete: boolean;
  /** Of the pieces of a part. */
  readonly validator?: Validator;
}

/** Never asked for over the network: entries of a cache have URLs. */
const root = "https://microturn.invalid/";

/** The part of the Cache API that belongs to one model. */
export class ModelStore {
  readonly #cache: Cache;
  readonly #cacheName: string;
  readonly #model: string;

  private constructor(cache: Cache, cacheName: string, base: string) {
    this.#cache = cache;
    this.#cacheName = cacheName;
    this.#model = encodeURIComponent(base);
  }

  /** @throws whatever a browser without a cache for this page throws */
  static async open(cacheName: string, base: string): Promise<ModelStore> {
    return new ModelStore(await caches.open(cacheName), cacheName, base);
  }

  /** Runs `work` when nobody else, in no tab, writes this file. */
  exclusive<Result>(
    sha256: string,
    work: () => Promise<Result>,
    options: ExclusiveOptions = {},
  ): Promise<Result | undefined> {
    return exclusive(`microturn ${this.#cacheName} ${sha256}`, work, options);
  }

  /** The manifest of the newest version that was kept whole. */
  async manifest(): Promise<Uint8Array<ArrayBuffer> | undefined> {
    const response = await this.#cache.match(this.#manifestKey);
    return response === undefined ? undefined : new Uint8Array(await response.arrayBuffer());
  }

  async putManifest(bytes: Uint8Array<ArrayBuffer>): Promise<void> {
    await this.#cache.put(this.#manifestKey, new Response(bytes, { headers: { "Content-Type": "application/json" } }));
  }

  async deleteManifest(): Promise<void> {
    await this.#cache.delete(this.#manifestKey);
  }

  async record({ sha256 }: ManifestFile): Promise<FileRecord | undefined> {
    const response = await this.#cache.match(recordKey(sha256));
    const record: unknown = await response?.json().catch(() => undefined);
    return isRecord(record) ? record : undefined;
  }

  /** Writes the record of a file, and that this model needs it. */
  async putRecord({ sha256 }: ManifestFile, record: FileRecord): Promise<void> {
    await this.claim(sha256);
    await this.#cache.put(recordKey(sha256), new Response(JSON.stringify(record)));
  }

  /** This model needs the file: `release` of another model leaves it here. */
  async claim(sha256: string): Promise<void> {
    await this.#cache.put(`${root}claims/${sha256}/${this.#model}`, new Response());
  }

  async putPiece({ sha256 }: ManifestFile, index: number, bytes: Uint8Array<ArrayBuffer>): Promise<void> {
    const headers = { "Content-Length": String(bytes.length) };
    await this.#cache.put(pieceKey(sha256, index), new Response(bytes, { headers }));
  }

  /**
   * Reads the pieces of a file that are here, from the first on without a gap.
   *
   * @param into - room for the whole file
   * @param options.onProgress - called with bytes read so far
   * @returns bytes at the start of `into` that were read
   */
  async readPieces(
    file: ManifestFile,
    { pieceBytes }: FileRecord,
    into: Uint8Array,
    {
      signal,
      onProgress,
    }: { signal?: AbortSignal | undefined; onProgress?: ((bytes: number) => void) | undefined } = {},
  ): Promise<number> {
    let at = 0;
    for (let index = 0; at < file.bytes; index++) {
      const piece = await this.#cache.match(pieceKey(file.sha256, index)).catch(() => undefined);
      const wanted = Math.min(pieceBytes, file.bytes - at);
      const got = piece === undefined ? 0 : await readBody(piece, into.subarray(at, at + wanted));
      signal?.throwIfAborted();
      at += got;
      onProgress?.(at);
      // The last piece of a download that was broken off is shorter.
      if (got < wanted) break;
    }
    return at;
  }

  /** Bytes of a file that are here, from the first on without a gap; unread. */
  async heldBytes(file: ManifestFile): Promise<{ readonly bytes: number; readonly complete: boolean }> {
    const record = await this.record(file);
    let bytes = 0;
    for (let index = 0; record !== undefined && bytes < file.bytes; index++) {
      const wanted = Math.min(record.pieceBytes, file.bytes - bytes);
      const size = await this.#sizeOf(pieceKey(file.sha256, index));
      if (size > wanted) break;
      bytes += size;
      if (size < wanted) break;
    }
    return { bytes, complete: record?.complete === true && bytes === file.bytes };
  }

  /** Deletes a file, whole or in part, for every model. */
  async drop(sha256: string): Promise<void> {
    // The record first: pieces without one are not looked at.
    await this.#cache.delete(recordKey(sha256));
    for (const key of await this.#keys(`files/${sha256}/`)) await this.#cache.delete(key);
  }

  /** Whether this model claims files that are none of these, by hash. */
  async claimsOthers(named: ReadonlySet<string>): Promise<boolean> {
    for (const sha256 of (await this.#claims()).keys()) if (!named.has(sha256)) return true;
    return false;
  }

  /**
   * Gives up the claims to all files but those in `keep`, by hash, and deletes what no other model claims.
   *
   * @param options.ifFree - leaves what somebody writes now; default false: waits for that
   */
  async release(keep: ReadonlySet<string>, { ifFree = false }: { readonly ifFree?: boolean } = {}): Promise<void> {
    for (const [sha256, { shared }] of await this.#claims()) {
      if (keep.has(sha256)) continue;
      const release = async () => {
        if (!shared) await this.drop(sha256);
        await this.#cache.delete(`${root}claims/${sha256}/${this.#model}`);
      };
      await this.exclusive(sha256, release, { ifFree });
    }
  }

  /** Bytes of the manifest and of all that this model claims, with parts and older versions. */
  async storedBytes(): Promise<number> {
    let bytes = (await this.manifest())?.length ?? 0;
    for (const sha256 of (await this.#claims()).keys()) {
      for (const key of await this.#keys(`files/${sha256}/pieces/`)) bytes += await this.#sizeOf(key);
    }
    return bytes;
  }

  /** Files that this model claims, and whether another one does as well. */
  async #claims(): Promise<ReadonlyMap<string, { readonly shared: boolean }>> {
    const claims = new Map<string, { shared: boolean }>();
    const others = new Set<string>();
    for (const key of await this.#keys("claims/")) {
      const [sha256, model] = key.slice(`${root}claims/`.length).split("/");
      if (model === this.#model) claims.set(sha256, { shared: false });
      else others.add(sha256);
    }
    for (const [sha256, claim] of claims) claim.shared = others.has(sha256);
    return claims;
  }

  get #manifestKey(): string {
    return `${root}manifests/${this.#model}`;
  }

  async #keys(prefix: string): Promise<string[]> {
    const keys = await this.#cache.keys();
    return keys.map(({ url }) => url).filter((url) => url.startsWith(root + prefix));
  }

  /**
   * Bytes of an entry, as they were when it was written; 0 if there is none. Its body is let go at once: the space of an entry
   * that was asked for and not read stays taken after its deletion, in Chromium until the response is collected.
   */
  async #sizeOf(key: string): Promise<number> {
    const response = await this.#cache.match(key);
    await response?.body?.cancel();
    return Number(response?.headers.get("Content-Length") ?? 0);
  }
}

const recordKey = (sha256: string) => `${root}files/${sha256}/record`;
const pieceKey = (sha256: string, index: number) => `${root}files/${sha256}/pieces/${index}`;

/** Fills `into` from a body; bytes that came, or 0 if it holds too many or cannot be read. */
async function readBody({ body }: Response, into: Uint8Array): Promise<number> {
  const reader = body?.getReader();
  let at = 0;
  try {
    for (let next = await reader?.read(); next !== undefined && !next.done; next = await reader?.read()) {
      if (at + next.value.length > into.length) return 0;
      into.set(next.value, at);
      at += next.value.length;
    }
    return at;
  } catch {
    return 0;
  } finally {
    reader?.cancel().catch(() => {});
  }
}

function isRecord(value: unknown): value is FileRecord {
  const { pieceBytes, complete } = (value ?? {}) as Partial<FileRecord>;
  return Number.isInteger(pieceBytes) && Number(pieceBytes) > 0 && typeof complete === "boolean";
}
