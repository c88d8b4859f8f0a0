import { chmod, mkdir, mkdtemp, readdir, readFile, rm, stat, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, it } from "vitest";
import { writeWhole } from "./write-whole.js";

let folder = "";
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "whole-"));
});
afterEach(() => rm(folder, { recursive: true }));

it("replaces a file, also behind a link, and leaves nothing else", async () => {
  const [file, link] = [join(folder, "a.html"), join(folder, "link.html")];
  await writeWhole(file, "one");
  await symlink(file, link);
  await writeWhole(link, "two");
  expect(await readFile(file, "utf8")).toBe("two");
  expect((await readdir(folder)).sort()).toEqual(["a.html", "link.html"]);
});

it.skipIf(process.platform === "win32")("lets the same people read the new file as the older one", async () => {
  const file = join(folder, "a.html");
  for (const mode of [0o600, 0o664]) {
    await writeFile(file, "one");
    await chmod(file, mode);
    await writeWhole(file, "two");
    expect((await stat(file)).mode & 0o777).toBe(mode);
  }
});

it("does not write through a link that stands where its part goes", async () => {
  const [file, other] = [join(folder, "a.html"), join(folder, "other.txt")];
  await writeFile(other, "not ours");
  await symlink(other, `${file}.part`);
  await writeWhole(file, "one");
  expect(await readFile(other, "utf8")).toBe("not ours");
  expect(await readFile(file, "utf8")).toBe("one");
  expect((await readdir(folder)).sort()).toEqual(["a.html", "other.txt"]);
});

it("leaves the older file as it was when the new one cannot be written", async () => {
  const file = join(folder, "a.html");
  await writeFile(file, "old");
  await mkdir(`${file}.part`); // a folder in the way of what is written beside it
  await expect(writeWhole(file, "new")).rejects.toMatchObject({ code: "EISDIR" });
  expect(await readFile(file, "utf8")).toBe("old");
});

it("writes directly to what is no file", async () => {
  await writeWhole("/dev/null", "gone");
});
