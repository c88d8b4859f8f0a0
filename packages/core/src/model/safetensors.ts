// Reads and writes safetensors: an 8-byte header length, a JSON header, then the tensors' bytes.
// Source of the format: https://github.com/huggingface/safetensors; everything it forbids is refused here.

import { DuplexError } from "../errors.js";
import { elementCount } from "../tensor.js";
import type { StoredWeight, WeightStorage } from "./weights.js";

/** Contents of one safetensors file. */
export interface SafetensorsFile {
  readonly tensors: Map<string, StoredWeight>;
  /** The header's `__metadata__`. */
  readonly metadata: Readonly<Record<string, string>>;
}

/** Longest header that is read: the limit of the reference implementation. */
const maxHeaderBytes = 100_000_000;

const storages: Readonly<Record<string, { type: WeightStorage; bytes: number }>> = {
  F32: { type: "float32", bytes: 4 },
  F16: { type: "float16", bytes: 2 },
  BF16: { type: "bfloat16", bytes: 2 },
  I32: { type: "int32", bytes: 4 },
  U8: { type: "uint8", bytes: 1 },
};

/**
 * Reads a safetensors file. The tensors are views of `file`, nothing is copied.
 *
 * @param name - named in error messages, for example the file's path
 * @throws DuplexError `MODEL_INVALID` for a file that is cut, has holes, overlaps, unknown types or impossible shapes
 */
export function readSafetensors(file: Uint8Array, name = "weights.safetensors"): SafetensorsFile {
  const invalid = (problem: string, cause?: unknown) =>
    new DuplexError("MODEL_INVALID", `readSafetensors: ${name}: ${problem}; download or export the file again`, {
      cause,
      details: { file: name },
    });
  if (file.length < 8) throw invalid(`expected a header length of 8 bytes, got ${file.length} bytes in all`);
  const length = new DataView(file.buffer, file.byteOffset, 8).getBigUint64(0, true);
  if (length > BigInt(maxHeaderBytes))
    throw invalid(`header of ${length} bytes is over the limit of ${maxHeaderBytes}`);
  const start = 8 + Number(length);
  if (start > file.length) throw invalid(`header of ${length} bytes, but the file has ${file.length}: it is cut`);

  let header: unknown;
  try {
    header = JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(file.subarray(8, start)));
  } catch (cause) {
    throw invalid("header is not JSON", cause);
  }
  if (!isRecord(header)) throw invalid("header is not a JSON object");

  const metadata: Record<string, string> = {};
  const tensors = new Map<string, StoredWeight>();
  const spans: { begin: number; end: number; tensor: string }[] = [];
  for (const [tensor, entry] of Object.entries(header)) {
    if (tensor === "__metadata__") {
      if (!isRecord(entry)) throw invalid("__metadata__ is not an object");
      for (const [key, value] of Object.entries(entry)) {
        if (typeof value !== "string") throw invalid(`__metadata__.${key} is not a string`);
        metadata[key] = value;
      }
      continue;
    }
    if (!isRecord(entry)) throw invalid(`entry of tensor "${tensor}" is not an object`);
    const storage = typeof entry.dtype === "string" ? storages[entry.dtype] : undefined;
    if (storage === undefined) {
      const known = Object.keys(storages).join(", ");
      throw invalid(`tensor "${tensor}": unknown dtype ${JSON.stringify(entry.dtype)}, expected one of ${known}`);
    }
    const shape = countList(entry.shape);
    const offsets = countList(entry.data_offsets);
    if (shape === undefined) throw invalid(`tensor "${tensor}": shape is not a list of counts`);
    if (offsets === undefined || offsets.length !== 2)
      throw invalid(`tensor "${tensor}": data_offsets are not two counts`);
    const [begin, end] = offsets;
    const size = elementCount(shape) * storage.bytes;
    if (end < begin || start + end > file.length) {
      throw invalid(`tensor "${tensor}": bytes ${begin} to ${end} lie outside the ${file.length - start} data bytes`);
    }
    if (end - begin !== size) {
      throw invalid(
        `tensor "${tensor}": ${entry.dtype} [${shape}] needs ${size} bytes, data_offsets give ${end - begin}`,
      );
    }
    spans.push({ begin, end, tensor });
    tensors.set(tensor, { type: storage.type, shape, bytes: file.subarray(start + begin, start + end) });
  }

  // Every data byte belongs to exactly one tensor.
  spans.sort((a, b) => a.begin - b.begin || a.end - b.end);
  let covered = 0;
  for (const { begin, end, tensor } of spans) {
    if (begin < covered) throw invalid(`tensor "${tensor}" overlaps another one`);
    if (begin > covered) throw invalid(`bytes ${covered} to ${begin} belong to no tensor`);
    covered = end;
  }
  if (start + covered !== file.length) throw invalid(`${file.length - start - covered} bytes after the last tensor`);
  if (duplicateKey(file.subarray(8, start), tensors.size + ("__metadata__" in header ? 1 : 0))) {
    throw invalid("a tensor name occurs twice in the header");
  }
  return { tensors, metadata };
}

/**
 * Joins the tensors of several shards.
 *
 * @throws DuplexError `MODEL_INVALID` if two shards hold a tensor of the same name
 */
export function joinShards(
  shards: readonly { readonly name: string; readonly tensors: ReadonlyMap<string, StoredWeight> }[],
): Map<string, StoredWeight> {
  const joined = new Map<string, StoredWeight>();
  for (const shard of shards) {
    for (const [name, tensor] of shard.tensors) {
      if (joined.has(name)) {
        throw new DuplexError(
          "MODEL_INVALID",
          `joinShards: tensor "${name}" of ${shard.name} is also in an earlier shard; each tensor belongs in one`,
        );
      }
      joined.set(name, tensor);
    }
  }
  return joined;
}

/**
 * Reads `model.safetensors.index.json`: which shard holds which tensor.
 *
 * @returns file names of the shards, in the order of their first tensor
 * @throws DuplexError `MODEL_INVALID` if it is not such an index
 */
export function readShardIndex(json: string, name = "model.safetensors.index.json"): string[] {
  const invalid = (problem: string, cause?: unknown) =>
    new DuplexError("MODEL_INVALID", `readShardIndex: ${name}: ${problem}; download the file again`, { cause });
  let index: unknown;
  try {
    index = JSON.parse(json);
  } catch (cause) {
    throw invalid("not JSON", cause);
  }
  if (!isRecord(index) || !isRecord(index.weight_map)) throw invalid('no object "weight_map"');
  const files = new Set<string>();
  for (const [tensor, file] of Object.entries(index.weight_map)) {
    if (typeof file !== "string" || file === "" || /[\\/]|^\.\.?$/.test(file)) {
      throw invalid(`tensor "${tensor}": ${JSON.stringify(file)} is not the name of a file beside the index`);
    }
    files.add(file);
  }
  return [...files];
}

/** Writes a safetensors file; tensors are laid out in the order given, the header is padded to 8 bytes. */
export function writeSafetensors(
  tensors: Iterable<readonly [string, StoredWeight]>,
  metadata: Readonly<Record<string, string>> = {},
): Uint8Array<ArrayBuffer> {
  const names: Record<WeightStorage, string> = {
    float32: "F32",
    float16: "F16",
    bfloat16: "BF16",
    int32: "I32",
    uint8: "U8",
  };
  // Without a prototype "__proto__" is a name like any other.
  const header: Record<string, unknown> = Object.create(null);
  if (Object.keys(metadata).length > 0) header.__metadata__ = metadata;
  const parts: Uint8Array[] = [];
  let offset = 0;
  for (const [name, { type, shape, bytes }] of tensors) {
    if (Object.hasOwn(header, name)) throw new RangeError(`writeSafetensors: tensor "${name}" is given twice`);
    header[name] = { dtype: names[type], shape, data_offsets: [offset, offset + bytes.length] };
    offset += bytes.length;
    parts.push(bytes);
  }
  const json = new TextEncoder().encode(JSON.stringify(header));
  const padded = Math.ceil(json.length / 8) * 8;
  const file = new Uint8Array(8 + padded + offset).fill(32, 8, 8 + padded);
  new DataView(file.buffer).setBigUint64(0, BigInt(padded), true);
  file.set(json, 8);
  let at = 8 + padded;
  for (const part of parts) {
    file.set(part, at);
    at += part.length;
  }
  return file;
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/** A list of integers from 0 to 2^53 - 1 whose product is one too, or undefined. */
function countList(value: unknown): number[] | undefined {
  if (!Array.isArray(value) || value.length > 16) return undefined;
  const valid = value.every((item) => Number.isSafeInteger(item) && item >= 0);
  return valid && Number.isSafeInteger(elementCount(value)) ? value : undefined;
}

/** Whether the top level of a JSON object has more keys than it has different ones (JSON.parse keeps the last). */
function duplicateKey(json: Uint8Array, different: number): boolean {
  const quote = 34;
  const backslash = 92;
  let depth = 0;
  let keys = 0;
  for (let i = 0; i < json.length; i++) {
    const byte = json[i];
    if (byte === quote) {
      for (i++; i < json.length && json[i] !== quote; i++) if (json[i] === backslash) i++;
    } else if (byte === 123 || byte === 91) depth++;
    else if (byte === 125 || byte === 93) depth--;
    else if (byte === 58 && depth === 1) keys++;
  }
  return keys !== different;
}
