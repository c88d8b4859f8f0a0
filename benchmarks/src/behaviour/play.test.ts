// What a case's camera shows.

import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { gzipSync } from "node:zlib";
import { afterAll, beforeAll, expect, it } from "vitest";
import type { BehaviourCase } from "./cases.js";
import { camera } from "./play.js";

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "cases-"));
});
afterAll(() => rm(folder, { recursive: true }));

const one = (given: Partial<BehaviourCase>): BehaviourCase => ({
  ...{ id: "a", row: "shape", noise: "clean", durationMs: 400, events: [], expected: {} },
  ...{ wav: join(folder, "a.wav") },
  ...given,
});

it("shows the images that lie beside a case, each for its interval, and none after the last", async () => {
  const frames = Uint8Array.from({ length: 4 * 12 }, (_, i) => i);
  await writeFile(join(folder, "a.images.gz"), gzipSync(frames));
  const show = await camera(one({ images: { file: "a.images.gz", width: 2, height: 2, everyMs: 100 } }));
  expect(show?.(50)).toMatchObject({ width: 2, height: 2 });
  expect([...(show?.(50)?.data ?? [])]).toEqual([...frames.subarray(0, 12)]);
  expect(show?.(350)?.data[0]).toBe(36);
  expect(show?.(450)).toBeUndefined();
});

it("says so where images are missing, which would be scored as blindness", async () => {
  await writeFile(join(folder, "short.images.gz"), gzipSync(new Uint8Array(3 * 12)));
  const images = { file: "short.images.gz", width: 2, height: 2, everyMs: 100 };
  await expect(camera(one({ images }))).rejects.toThrow("short.images.gz: expected 4 images of 2 x 2, got 3");
});

it("shows a plain colour until it changes", async () => {
  const color: NonNullable<BehaviourCase["color"]> = [
    { ms: 0, rgb: [1, 2, 3] },
    { ms: 200, rgb: [4, 5, 6] },
  ];
  const show = await camera(one({ color }));
  expect([...(show?.(150)?.data.subarray(0, 4) ?? [])]).toEqual([1, 2, 3, 1]);
  expect([...(show?.(250)?.data.subarray(0, 3) ?? [])]).toEqual([4, 5, 6]);
});

it("has no camera where a case has none", async () => {
  expect(await camera(one({}))).toBeUndefined();
});
