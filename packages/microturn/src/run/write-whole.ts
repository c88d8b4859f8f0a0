// Writes a file so that an older one of its name stays whole until the new one is.

import { access, constants, open, realpath, rename, rm, stat, unlink, writeFile } from "node:fs/promises";
import { dirname } from "node:path";

/**
 * Writes text to a file: beside it first (`.part`, in the place of one that was left there), then in its place, where who
 * may read it stays as it was. What is no plain file, or stands in a folder that may not be written to, is written directly.
 *
 * @throws the file system's error; no part is left behind then
 */
export async function writeWhole(path: string, text: string): Promise<void> {
  const target = await realpath(path).catch(() => path);
  if (!(await canBeReplaced(target))) {
    await writeFile(target, text);
    return;
  }
  const older = await stat(target).catch(() => undefined);
  const mode = older === undefined ? undefined : older.mode & 0o777;
  const part = `${target}.part`;
  await unlink(part).catch(unlessMissing);
  // A new file, or none: never through a link.
  const file = await open(part, "wx", mode);
  try {
    try {
      await file.writeFile(text);
      if (mode !== undefined) await file.chmod(mode);
    } finally {
      await file.close();
    }
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

function unlessMissing(error: NodeJS.ErrnoException): void {
  if (error.code !== "ENOENT") throw error;
}
