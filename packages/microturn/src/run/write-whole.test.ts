import { mkdir, mkdtemp, readdir, readFile, rm, symlink, writeFile } from "node:fs/promises";
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
