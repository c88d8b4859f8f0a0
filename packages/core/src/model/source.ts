// Where the files of a model come from: a folder, a package, a web cache. Core itself reads none of them.

/** Reads the files of one model. */
export interface ModelSource {
  /** For progress and error messages: a path, package name or address. */
  readonly name: string;
  /**
   * Reads a whole file.
   *
   * @param path - relative to the model, with `/`
   * @throws DuplexError `MODEL_INVALID` with `details.file` if there is no such file, it cannot be read, or it is larger
   *   than it may be; `ABORTED`
   */
  read(path: string, options?: ReadOptions): Promise<Uint8Array>;
}

/** Options of {@link ModelSource.read}. */
export interface ReadOptions {
  /** Gives up with `ABORTED`. */
  readonly signal?: AbortSignal;
  /** A file of more bytes is refused before its bytes take memory; default no limit. */
  readonly maxBytes?: number;
}
