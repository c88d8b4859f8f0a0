import { describe, expect, it } from "vitest";
import { DuplexError } from "../errors.js";
import { tinyModel } from "../testing/tiny-model.js";
import { checkNumbers } from "./check-weights.js";
import { loadModel, sha256 } from "./load.js";
import { readSafetensors, writeSafetensors } from "./safetensors.js";
import type { ModelSource } from "./source.js";
import { weightShapes } from "./weight-shapes.js";
import type { StoredWeight } from "./weights.js";

type Files = Map<string, Uint8Array>;

function sourceOf(files: Files): ModelSource {
  return {
    name: "a model",
    async read(path) {
      const file = files.get(path);
      if (file === undefined) throw new Error(`no such file: ${path}`);
      return file;
    },
  };
}

/** The files of a complete model: two shards of weights, tokenizer and manifest. */
async function completeModel(changes: (manifest: Record<string, unknown>) => void = () => {}): Promise<Files> {
  const { config, weights, tokenizer, manifest } = tinyModel();
  const entries = [...weightShapes(config)].map(([name, shape]): [string, StoredWeight] => {
    const data = weights.float32(name, shape);
    return [name, { type: "float32", shape, bytes: new Uint8Array(data.buffer, data.byteOffset, data.byteLength) }];
  });
  const half = Math.floor(entries.length / 2);
  const files: Files = new Map([
    ["1.safetensors", writeSafetensors(entries.slice(0, half))],
    ["weights/2.safetensors", writeSafetensors(entries.slice(half))],
    ["tokenizer.json", new TextEncoder().encode(JSON.stringify({ version: 1, tokens: tokenizer.tokens }))],
  ]);
  const file = async (path: string) => {
    const bytes = files.get(path) ?? new Uint8Array(0);
    return { path, bytes: bytes.length, sha256: await sha256(bytes) };
  };
  const written: Record<string, unknown> = JSON.parse(JSON.stringify(manifest));
  written.files = {
    weights: [await file("1.safetensors"), await file("weights/2.safetensors")],
    tokenizer: await file("tokenizer.json"),
  };
  changes(written);
  files.set("microturn.json", new TextEncoder().encode(JSON.stringify(written)));
  return files;
}

async function refusal(files: Files): Promise<string> {
  const error = await loadModel(sourceOf(files)).then(
    () => undefined,
    (reason: unknown) => reason,
  );
  expect(DuplexError.is(error, "MODEL_INVALID"), String(error)).toBe(true);
  return (error as Error).message;
}

describe("loadModel", () => {
  it("loads a complete model in shards and reports progress", async () => {
    const files = await completeModel();
    const steps: number[] = [];
    let total = 0;
    const model = await loadModel(sourceOf(files), {
      onProgress: (progress) => {
        if (progress.stage === "read") steps.push(progress.done);
        if (progress.stage === "read") total = progress.total;
      },
    });
    const expected = tinyModel();
    expect(model.config).toEqual(expected.config);
    expect(model.tokenizer.tokens).toEqual(expected.tokenizer.tokens);
    for (const [name, shape] of weightShapes(model.config)) {
      const [read, written] = [model.weights.float32(name, shape), expected.weights.float32(name, shape)];
      expect(
        read.every((value, i) => value === written[i]),
        name,
      ).toBe(true);
    }
    expect(steps).toHaveLength(4);
    expect(steps[3]).toBe(total);
    expect([...steps].sort((a, b) => a - b)).toEqual(steps);
  });

  it.each(["microturn.json", "1.safetensors", "weights/2.safetensors", "tokenizer.json"])(
    "names %s when it is missing",
    async (path) => {
      const files = await completeModel();
      files.delete(path);
      expect(await refusal(files)).toMatch(new RegExp(`a model: ${path} cannot be read; .*download`));
    },
  );

  it.each(["1.safetensors", "tokenizer.json"])(
    "names %s when it is cut or altered, and says what to do",
    async (path) => {
      const files = await completeModel();
      const good = files.get(path) ?? new Uint8Array(0);
      files.set(path, good.subarray(0, good.length - 1));
      expect(await refusal(files)).toMatch(new RegExp(`${path} has .* it is cut; download the model again`));
      const altered = good.slice();
      altered[altered.length - 3] ^= 1;
      files.set(path, altered);
      expect(await refusal(files)).toMatch(new RegExp(`${path} was altered: SHA-256`));
    },
  );

  it("refuses a manifest with unknown fields, impossible values or paths that lead out of the model", async () => {
    const wrong = (changes: (manifest: Record<string, never>) => void) =>
      completeModel(changes as (manifest: Record<string, unknown>) => void).then(refusal);
    expect(await wrong((m) => Object.assign(m, { lora: 1 }))).toContain('microturn.json: unknown field "lora"');
    expect(await wrong((m) => Object.assign(m, { formatVersion: 2 }))).toContain(
      "microturn.json.formatVersion: expected one of 1",
    );
    expect(await wrong((m) => Object.assign(m, { config: 3 }))).toContain("config: expected an object");
    expect(await wrong((m) => Object.assign(m.config, { hiddenSize: -1 }))).toContain("config.hiddenSize");
    for (const path of [
      "../x",
      "/etc/passwd",
      "a/../../b",
      "C:\\x",
      "a//b",
      "./a",
      "",
      "a\n/../../b",
      "a\u2028/../../b",
    ]) {
      expect(await wrong((m) => Object.assign((m.files as { tokenizer: object }).tokenizer, { path }))).toContain(
        "microturn.json.files.tokenizer.path: expected a relative path",
      );
    }
    expect(await refusal(new Map([["microturn.json", new TextEncoder().encode("{")]]))).toContain("not JSON");
    expect(await refusal(new Map([["microturn.json", Uint8Array.of(255, 254)]]))).toContain("not UTF-8");
  });

  it("refuses weights that do not belong to the configuration, naming them", async () => {
    const files = await completeModel((manifest) => Object.assign(manifest.config as object, { denseWidth: 65 }));
    expect(await refusal(files)).toMatch(/mlp\.gate_proj\.weight" is \[64,32\], expected \[65,32\]/);
  });

  it("refuses a tokenizer that is larger than the vocabulary of the model", async () => {
    const files = await completeModel();
    const { tokenizer } = tinyModel();
    const larger = new TextEncoder().encode(JSON.stringify({ version: 1, tokens: [...tokenizer.tokens, "more"] }));
    files.set("tokenizer.json", larger);
    const manifest = JSON.parse(new TextDecoder().decode(files.get("microturn.json")));
    manifest.files.tokenizer = { path: "tokenizer.json", bytes: larger.length, sha256: await sha256(larger) };
    files.set("microturn.json", new TextEncoder().encode(JSON.stringify(manifest)));
    expect(await refusal(files)).toContain("the tokenizer has 49 tokens, the config 48");
  });

  it("refuses a vocabulary in which a token that a head may choose is no word", async () => {
    const files = await completeModel((manifest) => {
      (manifest.config as { unpaddedVocabSize?: number }).unpaddedVocabSize = 3;
    });
    expect(await refusal(files)).toMatch(/the tokenizer has \d+ tokens, the config 3/);
  });

  it.each([
    ["float32", 2, 0x7f80],
    ["bfloat16", 0, 0x7f80],
    ["float16", 0, 0xfc00],
  ] as const)("refuses weights in %s that are no finite numbers, naming them", async (type, offset, bits) => {
    const bytes = new Uint8Array(4 * 8);
    const view = new DataView(bytes.buffer);
    view.setUint16(16 + offset, bits, true);
    const tensors = new Map([["a.weight", { type, shape: [8], bytes }]]);
    expect(() => checkNumbers([{ tensors }], "a model")).toThrow(/"a\.weight" holds NaN or infinity/);
    view.setUint16(16 + offset, bits === 0xfc00 ? 0x7bff : 0x7f7f, true);
    checkNumbers([{ tensors }], "a model");
    const files = await completeModel();
    const shard = files.get("1.safetensors") as Uint8Array;
    const stored = [...readSafetensors(shard, "x").tensors.values()][0].bytes;
    new DataView(stored.buffer, stored.byteOffset).setUint32(0, 0x7fc00000, true);
    const hash = await sha256(shard);
    const broken = await completeModel((manifest) => {
      (manifest.files as { weights: { sha256: string }[] }).weights[0].sha256 = hash;
    });
    broken.set("1.safetensors", shard);
    expect(await refusal(broken)).toContain("holds NaN or infinity");
  });

  it("asks its source for no more bytes than a file may have", async () => {
    const files = await completeModel();
    const source = sourceOf(files);
    const limits = new Map<string, number | undefined>();
    await loadModel({
      ...source,
      read: (path, options) => {
        limits.set(path, options?.maxBytes);
        return source.read(path);
      },
    });
    expect(limits.get("tokenizer.json")).toBe(files.get("tokenizer.json")?.length);
    expect(limits.get("microturn.json")).toBe(16 * 2 ** 20);
  });

  it("shows how far each file is where its source tells, and never goes back", async () => {
    const files = await completeModel();
    const source = sourceOf(files);
    const steps: number[] = [];
    let total = 0;
    await loadModel(
      {
        ...source,
        read: async (path, options) => {
          const bytes = await source.read(path);
          // Breaks off half way, starts over, and counts too many in the end.
          for (const share of [0, 0.25, 0.5, 0.25, 0.5, 0.75, 1, 2]) options?.onProgress?.(share * bytes.length);
          return bytes;
        },
      },
      {
        onProgress: (progress) => {
          if (progress.stage !== "read") return;
          steps.push(progress.done);
          ({ total } = progress);
        },
      },
    );
    const sizes = ["1.safetensors", "weights/2.safetensors", "tokenizer.json"].map(
      (path) => files.get(path)?.length ?? 0,
    );
    let done = 0;
    const expected = [0];
    for (const size of sizes) {
      for (const share of [0.25, 0.5, 0.75, 1]) expected.push(done + share * size);
      done += size;
    }
    expect(steps).toEqual(expected);
    expect(steps.at(-1)).toBe(total);
  });

  it("says what is wrong where the platform does not hash", async () => {
    const { subtle } = crypto;
    Object.defineProperty(crypto, "subtle", { value: undefined, configurable: true });
    try {
      await expect(sha256(Uint8Array.of(1))).rejects.toMatchObject({ code: "UNSUPPORTED" });
    } finally {
      Object.defineProperty(crypto, "subtle", { value: subtle, configurable: true });
    }
  });

  it("stops when aborted", async () => {
    const files = await completeModel();
    const controller = new AbortController();
    const loading = loadModel(sourceOf(files), { signal: controller.signal, onProgress: () => controller.abort() });
    await expect(loading).rejects.toMatchObject({ code: "ABORTED" });
    await expect(loadModel(sourceOf(files), { signal: AbortSignal.abort() })).rejects.toMatchObject({
      code: "ABORTED",
    });
  });
});
