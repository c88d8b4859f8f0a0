import { describe, expect, it } from "vitest";
import { DuplexError } from "../errors.js";
import { joinShards, readSafetensors, readShardIndex, writeSafetensors } from "./safetensors.js";
import { createWeights, type StoredWeight } from "./weights.js";

function floats(values: number[], shape = [values.length]): StoredWeight {
  return { type: "float32", shape, bytes: new Uint8Array(Float32Array.from(values).buffer) };
}

/** A file with any header and any data. */
function fileOf(header: unknown, data: Uint8Array = new Uint8Array(0)): Uint8Array {
  const json = new TextEncoder().encode(typeof header === "string" ? header : JSON.stringify(header));
  const file = new Uint8Array(8 + json.length + data.length);
  new DataView(file.buffer).setBigUint64(0, BigInt(json.length), true);
  file.set(json, 8);
  file.set(data, 8 + json.length);
  return file;
}

function refusal(file: Uint8Array): string {
  try {
    readSafetensors(file, "model.safetensors");
  } catch (error) {
    expect(DuplexError.is(error, "MODEL_INVALID")).toBe(true);
    const { message } = error as Error;
    expect(message).toContain("model.safetensors");
    return message;
  }
  throw new Error("the file was accepted");
}

describe("safetensors", () => {
  it("reads what it writes, at any alignment", () => {
    const written = writeSafetensors(
      [
        ["a", floats([1, -2.5, 3e-8, 4], [2, 2])],
        ["b", { type: "uint8", shape: [3], bytes: Uint8Array.of(1, 2, 3) }],
        ["c", floats([7])],
      ],
      { origin: "test" },
    );
    for (const shift of [0, 1, 2, 3]) {
      const moved = new Uint8Array(written.length + shift);
      moved.set(written, shift);
      const { tensors, metadata } = readSafetensors(moved.subarray(shift));
      const weights = createWeights(tensors);
      expect(metadata).toEqual({ origin: "test" });
      expect(Array.from(weights.float32("a", [2, 2]))).toEqual(Array.from(Float32Array.of(1, -2.5, 3e-8, 4)));
      expect(Array.from(tensors.get("b")?.bytes ?? [])).toEqual([1, 2, 3]);
      expect(weights.float32("c", [1])[0]).toBe(7);
    }
  });

  it("reads what it writes under names that mean something to JavaScript", () => {
    const names = ["__proto__", "constructor", "b"];
    const { tensors } = readSafetensors(writeSafetensors(names.map((name, i) => [name, floats([i])] as const)));
    expect([...tensors].map(([name, { bytes }]) => [name, ...bytes])).toEqual(
      names.map((name, i) => [name, ...floats([i]).bytes]),
    );
    const twice = () => writeSafetensors([["__proto__", floats([1])] as const, ["__proto__", floats([2])] as const]);
    expect(twice).toThrow(RangeError);
  });

  it("widens float16 and bfloat16 exactly, with subnormals, infinities and signed zeros", () => {
    const halves = (bits: number[]) => new Uint8Array(Uint16Array.from(bits).buffer);
    const { tensors } = readSafetensors(
      writeSafetensors([
        [
          "half",
          { type: "float16", shape: [7], bytes: halves([0x3c00, 0xc000, 0x0001, 0x7bff, 0x7c00, 0x8000, 0x3555]) },
        ],
        ["brain", { type: "bfloat16", shape: [4], bytes: halves([0x3f80, 0xc000, 0x0001, 0x7f80]) }],
      ]),
    );
    const weights = createWeights(tensors);
    const half = Array.from(weights.float32("half", [7]));
    expect(half).toEqual([1, -2, 2 ** -24, 65504, Number.POSITIVE_INFINITY, -0, 0.333251953125]);
    expect(Array.from(weights.float32("brain", [4]))).toEqual([1, -2, 2 ** -133, Number.POSITIVE_INFINITY]);
  });

  it("refuses files that are cut or have a hostile header", () => {
    const good = writeSafetensors([["a", floats([1, 2, 3, 4])]]);
    for (let length = 0; length < good.length; length++) refusal(good.subarray(0, length));
    expect(refusal(new Uint8Array(8).fill(255))).toContain("limit");
    expect(refusal(fileOf("{"))).toContain("not JSON");
    expect(refusal(fileOf("[]"))).toContain("not a JSON object");
    expect(refusal(fileOf({ __metadata__: { a: 1 } }))).toContain("not a string");
    expect(refusal(fileOf(Uint8Array.of(0xff, 0xfe).join()))).toContain("not");
  });

  it("refuses impossible tensors", () => {
    const entry = (changes: object) => ({ dtype: "F32", shape: [2], data_offsets: [0, 8], ...changes });
    const data = new Uint8Array(8);
    expect(refusal(fileOf({ a: entry({ dtype: "F8_E4M3" }) }, data))).toMatch(/unknown dtype "F8_E4M3".*F32/);
    expect(refusal(fileOf({ a: entry({ shape: [3] }) }, data))).toContain("needs 12 bytes");
    expect(refusal(fileOf({ a: entry({ shape: [-2] }) }, data))).toContain("shape");
    expect(refusal(fileOf({ a: entry({ shape: [2 ** 30, 2 ** 30] }) }, data))).toContain("shape");
    expect(refusal(fileOf({ a: entry({ shape: "2" }) }, data))).toContain("shape");
    expect(refusal(fileOf({ a: entry({ data_offsets: [8, 0] }) }, data))).toContain("outside");
    expect(refusal(fileOf({ a: entry({ data_offsets: [0, 16], shape: [4] }) }, data))).toContain("outside");
    expect(refusal(fileOf({ a: entry({ data_offsets: [0] }) }, data))).toContain("data_offsets");
    expect(refusal(fileOf({ a: null }, data))).toContain("not an object");
  });

  it("refuses overlaps, holes, bytes that belong to nothing and names that occur twice", () => {
    const at = (begin: number, end: number) => ({ dtype: "U8", shape: [end - begin], data_offsets: [begin, end] });
    expect(refusal(fileOf({ a: at(0, 6), b: at(4, 8) }, new Uint8Array(8)))).toContain("overlaps");
    expect(refusal(fileOf({ a: at(0, 2), b: at(4, 8) }, new Uint8Array(8)))).toContain("belong to no tensor");
    expect(refusal(fileOf({ a: at(0, 4) }, new Uint8Array(8)))).toContain("after the last tensor");
    const twice =
      '{"a":{"dtype":"U8","shape":[1],"data_offsets":[0,1]},"a":{"dtype":"U8","shape":[1],"data_offsets":[0,1]}}';
    expect(refusal(fileOf(twice, new Uint8Array(1)))).toContain("twice");
    const quoted = '{"a:\\"{":{"dtype":"U8","shape":[1],"data_offsets":[0,1]}}';
    expect(readSafetensors(fileOf(quoted, new Uint8Array(1))).tensors.has('a:"{')).toBe(true);
  });

  it("joins shards and refuses a tensor that is in two of them", () => {
    const shard = (name: string, tensor: string) => ({ name, tensors: new Map([[tensor, floats([1])]]) });
    expect([...joinShards([shard("1", "a"), shard("2", "b")]).keys()]).toEqual(["a", "b"]);
    expect(() => joinShards([shard("1", "a"), shard("2", "a")])).toThrow(/"a" of 2 is also in an earlier shard/);
  });

  it("reads a shard index and refuses names that lead elsewhere", () => {
    const index = (map: Record<string, unknown>) => JSON.stringify({ metadata: {}, weight_map: map });
    expect(readShardIndex(index({ a: "1.safetensors", b: "2.safetensors", c: "1.safetensors" }))).toEqual([
      "1.safetensors",
      "2.safetensors",
    ]);
    for (const bad of ["../x", "/etc/passwd", "a\\b", "", "..", 7]) {
      expect(() => readShardIndex(index({ a: bad }))).toThrow(DuplexError);
    }
    expect(() => readShardIndex("{}")).toThrow(/weight_map/);
    expect(() => readShardIndex("nonsense")).toThrow(/not JSON/);
  });
});

describe("weights", () => {
  it("name the tensor, what was expected and what came", () => {
    const weights = createWeights(
      new Map([
        ["a", floats([1, 2], [2])],
        ["i", { ...floats([1]), type: "int32" as const }],
      ]),
    );
    expect(() => weights.float32("b", [2])).toThrow(/"b" \[2\] is missing/);
    expect(() => weights.float32("a", [1, 2])).toThrow(/"a" must have shape \[1,2\], got \[2\]/);
    expect(() => weights.float32("i", [1])).toThrow(/floating-point/);
  });
});
