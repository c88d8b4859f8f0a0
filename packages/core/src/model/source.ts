// Where the files of a model come from: a folder, a package, a web cache. Core itself reads none of them.

/** Reads the files of one model. */
export interface ModelSource {
  /** For progress and error messages: a path, package name or address. */
  readonly name: string;
  /**
   * Reads a whole file.
   *
   * @param path - relative to the model, with `/`
   * @throws DuplexError `MODEL_INVALID` if there is no such file or it cannot be read, `ABORTED`
   */
  read(path: string, options?: { readonly signal?: AbortSignal }): Promise<Uint8Array>;
}
