// Keeps a file piece by piece while it arrives, one write under way at a time; what cannot be kept ends the keeping, not
// the download.

import type { ManifestFile } from "@microturn/core/model";
import type { ModelStore } from "./model-store.js";
import type { Validator } from "./range-answer.js";

/** Options of {@link PieceWriter}. */
export interface PieceWriterOptions {
  readonly store: ModelStore;
  readonly file: ManifestFile;
  readonly pieceBytes: number;
  /** Bytes of the file that are kept already; default 0. */
  readonly keptBytes?: number;
  /** Called once when the browser refuses to keep more; what it throws ends the download. */
  readonly onLost: (cause: unknown) => void;
}

/** Writes the pieces of one file. */
export class PieceWriter {
  readonly #options: PieceWriterOptions;
  /** Bytes in whole pieces that are written, or about to be. */
  #written: number;
  #writing: Promise<void> = Promise.resolve();
  #lost = false;

  constructor(options: PieceWriterOptions) {
    const { keptBytes = 0, pieceBytes } = options;
    this.#options = options;
    this.#written = keptBytes - (keptBytes % pieceBytes);
  }

  /** The bytes that follow are the first of the file, of this version: what was kept is dropped. */
  async restart(validator: Validator | undefined): Promise<void> {
    const { store, file, pieceBytes } = this.#options;
    await this.#settle();
    await this.#attempt(async () => {
      await store.drop(file.sha256);
      await store.putRecord(file, { pieceBytes, complete: false, ...(validator === undefined ? {} : { validator }) });
    });
    this.#written = 0;
  }

  /** The first `at` bytes of the file are in `buffer`. */
  async advance(buffer: Uint8Array<ArrayBuffer>, at: number): Promise<void> {
    while (!this.#lost && at - this.#written >= this.#options.pieceBytes) {
      await this.#write(buffer, this.#written + this.#options.pieceBytes);
    }
  }

  /** No more comes for now: keeps also what is no whole piece. */
  async pause(buffer: Uint8Array<ArrayBuffer>, at: number): Promise<void> {
    await this.advance(buffer, at);
    if (at > this.#written) await this.#write(buffer, at);
    await this.#settle();
  }

  /** The file is whole, and its hash is right. */
  async finish(buffer: Uint8Array<ArrayBuffer>): Promise<void> {
    const { store, file, pieceBytes } = this.#options;
    await this.pause(buffer, buffer.length);
    await this.#attempt(() => store.putRecord(file, { pieceBytes, complete: true }));
  }

  /** The file is not what it should be. */
  async discard(): Promise<void> {
    await this.#settle();
    await this.#attempt(() => this.#options.store.drop(this.#options.file.sha256));
  }

  async #write(buffer: Uint8Array<ArrayBuffer>, end: number): Promise<void> {
    await this.#settle();
    if (this.#lost) return;
    const { store, file, pieceBytes } = this.#options;
    const start = this.#written;
    this.#written = end;
    this.#writing = store.putPiece(file, Math.floor(start / pieceBytes), buffer.subarray(start, end));
    // A failure is seen when the next piece comes.
    this.#writing.catch(() => {});
  }

  async #settle(): Promise<void> {
    const writing = this.#writing;
    this.#writing = Promise.resolve();
    await this.#attempt(() => writing);
  }

  async #attempt(work: () => Promise<void>): Promise<void> {
    if (this.#lost) return;
    try {
      await work();
    } catch (cause) {
      this.#lost = true;
      const { store, file, onLost } = this.#options;
      await store.drop(file.sha256).catch(() => {});
      onLost(cause);
    }
  }
}
