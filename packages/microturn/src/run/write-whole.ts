// Writes a file so that an older one of its name stays whole until the new one is.

import { access, constants, realpath, rename, rm, stat, writeFile } from "node:fs/promises";
import { dirname } from "node:path";

/**
 * Writes text to a file: beside it first, then in its place. What is no plain file, or stands in a folder that may not be
 * written to, is written directly.
 *
 * @throws the file system's error; no part is left behind then
 */
export async function writeWhole(path: string, text: string): Promise<void> {
  const target = await realpath(path).catch(() => path);
  if (!(await canBeReplaced(target))) {
    await writeFile(target, text);
    return;
  }
  const part = `${target}.part`;
  try {
    await writeFile(part, text);
    await rename(part, target);
  } catch (error) {
    await rm(part, { force: true }).catch(() => {});
    throw error;
  }
}

async function canBeReplaced(target: string): Promise<boolean> {
  try {
    await access(dirname(target), constants.W_OK);
    return (await stat(target)).isFile();
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === "ENOENT";
  }
}
