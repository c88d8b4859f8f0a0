// Where the files of a model come from: a folder, a package, a web cache. Core itself reads none of them.

/** Reads the files of one model. */
export interface ModelSource {
  /** For progress and error messages: a path, package name or address. */
  readonly name: string;
  /**
   * URL of the folder that the files lie under, with a slash at its end, if they do: an engine that runs elsewhere (in a
   * worker) may then read them itself. A source that needs more than their URLs to read them has none.
   */
  readonly base?: string;
  /**
   * Reads a whole file.
   *
   * @param path - relative to the model, with `/`
   * @throws DuplexError `MODEL_INVALID` with `details.file` if there is no such file, it cannot be read, or it is larger
   *   than it may be; `NETWORK_FAILED` if it lies elsewhere and cannot be reached; `ABORTED`
   */
  read(path: string, options?: ReadOptions): Promise<Uint8Array>;
}

/** Options of {@link ModelSource.read}. */
export interface ReadOptions {
  /** Gives up with `ABORTED`. */
  readonly signal?: AbortSignal;
  /** A file of more bytes is refused before its bytes take memory; default no limit. */
  readonly maxBytes?: number;
  /** Called with the bytes of this file read so far, in any steps or not at all; a source that starts over goes back. */
  readonly onProgress?: (bytes: number) => void;
}
