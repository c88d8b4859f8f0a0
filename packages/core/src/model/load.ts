// Loads a model: reads its manifest and files from a source, checks sizes and hashes, and everything against the config.

import { DuplexError } from "../errors.js";
import { checkNumbers, checkWeights } from "./check-weights.js";
import type { ModelConfig } from "./config.js";
import { type ManifestFile, type ModelManifest, parseManifest } from "./manifest.js";
import { joinShards, readSafetensors } from "./safetensors.js";
import type { ModelSource } from "./source.js";
import { Tokenizer } from "./tokenizer.js";
import { createWeights, type Weights } from "./weights.js";

/** A model in memory, checked. */
export interface LoadedModel {
  readonly manifest: ModelManifest;
  readonly config: ModelConfig;
  readonly weights: Weights;
  readonly tokenizer: Tokenizer;
}

/** Options of {@link loadModel}. */
export interface LoadModelOptions {
  readonly signal?: AbortSignal;
  /** Called with bytes read so far and in all, which never go back; the manifest itself is not counted. */
  readonly onProgress?: (progress: { readonly stage: "read" | "check"; done: number; total: number }) => void;
}

/** Name of the manifest in every model. */
export const manifestPath = "microturn.json";
const mostManifestBytes = 16 << 20;

/**
 * Loads and checks a model.
 *
 * @throws DuplexError `MODEL_INVALID` naming the file and the fix when a file is missing, cut or altered, when the manifest
 *   has an unknown field or an impossible size, or when weights and configuration do not belong together; `NETWORK_FAILED`
 *   when a file lies elsewhere and cannot be reached; `UNSUPPORTED` on a page that is no secure context; `ABORTED`
 */
export async function loadModel(source: ModelSource, options: LoadModelOptions = {}): Promise<LoadedModel> {
  const { signal, onProgress } = options;
  const manifest = parseManifest(
    decodeText(source, manifestPath, await read(source, { path: manifestPath, bytes: mostManifestBytes }, signal)),
  );
  const files = [...manifest.files.weights, manifest.files.tokenizer];
  const total = files.reduce((sum, file) => sum + file.bytes, 0);
  let done = 0;
  let shown = -1;
  // What a source reports is shown where it leads on: one may start over, or count too many.
  const report = (reached: number) => {
    if (reached <= shown) return;
    shown = reached;
    onProgress?.({ stage: "read", done: reached, total });
  };
  const contents = new Map<string, Uint8Array>();
  report(done);
  for (const file of files) {
    const bytes = await read(source, file, signal, (bytes) => report(done + Math.min(bytes, file.bytes)));
    await checkFile(source, file, bytes);
    contents.set(file.path, bytes);
    done += file.bytes;
    report(done);
  }
  const content = (file: ManifestFile) => contents.get(file.path) ?? new Uint8Array(0);

  onProgress?.({ stage: "check", done: 0, total: 1 });
  const shards = manifest.files.weights.map((file) => ({
    name: `${source.name}/${file.path}`,
    tensors: readSafetensors(content(file), `${source.name}/${file.path}`).tensors,
  }));
  const weights = createWeights(joinShards(shards));
  checkWeights(manifest.config, weights, source.name);
  checkNumbers(shards, source.name);
  const tokenizer = Tokenizer.parse(
    decodeText(source, manifest.files.tokenizer.path, content(manifest.files.tokenizer)),
  );
  const known = manifest.config.unpaddedVocabSize ?? manifest.config.vocabSize;
  const { length } = tokenizer.tokens;
  // A head may choose any of the known ones: each must be a word.
  if (manifest.config.duplex === undefined ? length > known : length !== known) {
    throw new DuplexError(
      "MODEL_INVALID",
      `loadModel: ${source.name}: the tokenizer has ${length} tokens, the config ${known} (unpaddedVocabSize, else vocabSize); export both together`,
    );
  }
  onProgress?.({ stage: "check", done: 1, total: 1 });
  return { manifest, config: manifest.config, weights, tokenizer };
}

/** Reads a file; one that is larger than it may be is not read at all. */
async function read(
  source: ModelSource,
  { path, bytes: maxBytes }: Pick<ManifestFile, "path" | "bytes">,
  signal: AbortSignal | undefined,
  onProgress?: (bytes: number) => void,
): Promise<Uint8Array> {
  const aborted = () =>
    new DuplexError("ABORTED", `loadModel: ${source.name}: aborted before ${path} was read`, { cause: signal?.reason });
  if (signal?.aborted) throw aborted();
  try {
    const bytes = await source.read(path, {
      maxBytes,
      ...(signal === undefined ? {} : { signal }),
      ...(onProgress === undefined ? {} : { onProgress }),
    });
    if (signal?.aborted) throw aborted();
    return bytes;
  } catch (cause) {
    if (DuplexError.is(cause)) throw cause;
    if (signal?.aborted) throw aborted();
    throw new DuplexError(
      "MODEL_INVALID",
      `loadModel: ${source.name}: ${path} cannot be read; check that the model is complete and download it again`,
      { cause, details: { file: path } },
    );
  }
}

async function checkFile(source: ModelSource, file: ManifestFile, bytes: Uint8Array): Promise<void> {
  const invalid = (problem: string) =>
    new DuplexError("MODEL_INVALID", `loadModel: ${source.name}: ${file.path} ${problem}; download the model again`, {
      details: { file: file.path },
    });
  if (bytes.length !== file.bytes) {
    throw invalid(
      `has ${bytes.length} bytes, the manifest says ${file.bytes}: it is ${bytes.length < file.bytes ? "cut" : "another file"}`,
    );
  }
  const hash = await sha256(bytes);
  if (hash !== file.sha256) throw invalid(`was altered: SHA-256 is ${hash}, the manifest says ${file.sha256}`);
}

/**
 * SHA-256 in lower-case hex.
 *
 * @throws DuplexError `UNSUPPORTED` on a page that is no secure context: browsers do not hash there
 */
export async function sha256(bytes: Uint8Array): Promise<string> {
  if (crypto.subtle === undefined) {
    throw new DuplexError(
      "UNSUPPORTED",
      "sha256: expected a secure context, this page is none and cannot check its model; serve it over https or from localhost",
    );
  }
  const own =
    bytes.buffer instanceof ArrayBuffer ? new Uint8Array(bytes.buffer, bytes.byteOffset, bytes.length) : bytes.slice();
  const digest = new Uint8Array(await crypto.subtle.digest("SHA-256", own));
  return Array.from(digest, (byte) => byte.toString(16).padStart(2, "0")).join("");
}

function decodeText(source: ModelSource, path: string, bytes: Uint8Array): string {
  try {
    return new TextDecoder("utf-8", { fatal: true }).decode(bytes);
  } catch (cause) {
    throw new DuplexError("MODEL_INVALID", `loadModel: ${source.name}: ${path} is not UTF-8 text; download it again`, {
      cause,
    });
  }
}
