import { execFileSync } from "node:child_process";
import { createHash } from "node:crypto";
import { mkdir, mkdtemp, rm, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { DuplexError } from "@microturn/core";
import { loadModel, writeSafetensors } from "@microturn/core/model";
import { tinyModel } from "@microturn/core/testing";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { modelFolder } from "./model-folder.js";

describe("modelFolder", () => {
  let root: string;
  beforeAll(async () => {
    root = await mkdtemp(join(tmpdir(), "microturn-model-"));
    await mkdir(join(root, "model", "weights"), { recursive: true });
    await writeFile(join(root, "model", "microturn.json"), "{}");
    await writeFile(join(root, "model", "weights", "a.bin"), Buffer.alloc(3_000_001, 7));
    await writeFile(join(root, "secret"), "secret");
  });
  afterAll(() => rm(root, { recursive: true }));

  test("reads files of a folder given as a path or a URL", async () => {
    const folder = join(root, "model");
    for (const source of [modelFolder(folder), modelFolder(pathToFileURL(folder))]) {
      expect(new TextDecoder().decode(await source.read("microturn.json"))).toBe("{}");
      const weights = await source.read("weights/a.bin");
      expect(weights.length).toBe(3_000_001);
      expect(weights.every((byte) => byte === 7)).toBe(true);
      // Views of any element type must be possible over it.
      expect(weights.byteOffset).toBe(0);
    }
  });

  test("finds an installed package by its name, also one that is linked", async () => {
    const text = new TextDecoder().decode(await modelFolder("@microturn/core").read("package.json"));
    expect(JSON.parse(text).name).toBe("@microturn/core");
    await symlink(join(root, "model"), join(root, "linked"));
    expect((await modelFolder(join(root, "linked")).read("microturn.json")).length).toBe(2);
  });

  test.each([
    "../secret",
    "weights/../../secret",
    "/etc/passwd",
    "..\\secret",
    "C:/secret",
    "weights//a.bin",
    "./microturn.json",
    "",
    "a\0b",
  ])("refuses the path %j, which leaves the folder or means to", async (path) => {
    await expectInvalid(modelFolder(join(root, "model")).read(path), "own folder");
  });

  test("refuses a file that is larger than it may be, and does not wait for a pipe that nobody writes to", async () => {
    const source = modelFolder(join(root, "model"));
    expect((await source.read("weights/a.bin", { maxBytes: 3_000_001 })).length).toBe(3_000_001);
    await expectInvalid(source.read("weights/a.bin", { maxBytes: 3_000_000 }), "it has 3000001 bytes, at most 3000000");
    execFileSync("mkfifo", [join(root, "model", "pipe")]);
    await expectInvalid(source.read("pipe"), "it is not a file");
  });

  test("names a file that is missing, a folder in a file's place, and a model that is nowhere", async () => {
    const source = modelFolder(join(root, "model"));
    await expectInvalid(source.read("tokenizer.json"), "tokenizer.json is missing");
    await expectInvalid(source.read("weights"), "weights cannot be read");
    await expectInvalid(modelFolder(join(root, "nothing")).read("microturn.json"), "no folder or installed package");
    await expectInvalid(modelFolder("@microturn/no-such-model").read("microturn.json"), "node_modules");
  });

  test("finds a folder that was made after the first try", async () => {
    const source = modelFolder(join(root, "later"));
    await expectInvalid(source.read("microturn.json"), "no folder or installed package");
    await mkdir(join(root, "later"));
    await writeFile(join(root, "later", "microturn.json"), "{}");
    expect((await source.read("microturn.json")).length).toBe(2);
  });

  test("gives a model that loads, and one that does not once a single byte of a file is another", async () => {
    const folder = join(root, "tiny");
    await mkdir(folder);
    const { config, weights, tokenizer, manifest } = tinyModel();
    const tensors = weights.names.map((name) => {
      const shape = weights.shape(name) ?? [];
      const { buffer, byteOffset, byteLength } = weights.float32(name, shape);
      return [name, { type: "float32", shape, bytes: new Uint8Array(buffer, byteOffset, byteLength) }] as const;
    });
    const files = {
      "model.safetensors": writeSafetensors(tensors),
      "tokenizer.json": new TextEncoder().encode(JSON.stringify({ version: 1, tokens: tokenizer.tokens })),
    };
    const described = Object.entries(files).map(([path, bytes]) => ({
      path,
      bytes: bytes.length,
      sha256: createHash("sha256").update(bytes).digest("hex"),
    }));
    const whole = { ...manifest, config, files: { weights: [described[0]], tokenizer: described[1] } };
    for (const [path, bytes] of Object.entries(files)) await writeFile(join(folder, path), bytes);
    await writeFile(join(folder, "microturn.json"), JSON.stringify(whole));
    expect((await loadModel(modelFolder(folder))).config).toEqual(config);
    for (const [path, bytes] of Object.entries(files)) {
      const changed = bytes.slice();
      changed[changed.length >> 1] ^= 1;
      await writeFile(join(folder, path), changed);
      await expectInvalid(loadModel(modelFolder(folder)), `${path} was altered: SHA-256 is `);
      await writeFile(join(folder, path), bytes.subarray(0, -1));
      await expectInvalid(loadModel(modelFolder(folder)), "it is cut; download the model again");
      await writeFile(join(folder, path), bytes);
    }
    await rm(join(folder, "tokenizer.json"));
    await expectInvalid(loadModel(modelFolder(folder)), "tokenizer.json is missing");
  });

  test("stops when the signal has fired", async () => {
    const error = await modelFolder(join(root, "model"))
      .read("microturn.json", { signal: AbortSignal.abort() })
      .catch((caught: unknown) => caught);
    expect(DuplexError.is(error, "ABORTED")).toBe(true);
  });
});

async function expectInvalid(reading: Promise<unknown>, words: string): Promise<void> {
  const error = await reading.then(
    () => undefined,
    (caught: unknown) => caught,
  );
  if (!DuplexError.is(error)) throw new Error(`expected a DuplexError, got ${error}`);
  expect(error.code).toBe("MODEL_INVALID");
  expect(error.message).toContain(words);
}
