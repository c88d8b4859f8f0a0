import { mkdir, mkdtemp, rm, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { DuplexError } from "@microturn/core";
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
