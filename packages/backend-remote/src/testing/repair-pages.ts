// Right checksums for Ogg pages that a test has broken, so that a reader looks at what is in them.

import { oggCrc } from "../ogg/ogg-page.js";

/** Writes the checksum of every page that is found, and whole. @param bytes - changed in place */
export function repairPages(bytes: Uint8Array): void {
  for (let at = 0; at + 27 < bytes.length; ) {
    if (bytes[at] !== 0x4f || bytes[at + 1] !== 0x67) {
      at++;
      continue;
    }
    const segments = bytes[at + 26];
    let size = 27 + segments;
    for (let i = 0; i < segments; i++) size += bytes[at + 27 + i] ?? 0;
    const page = bytes.subarray(at, at + size);
    if (page.length === size) new DataView(page.buffer, page.byteOffset, size).setUint32(22, oggCrc(page), true);
    at += size;
  }
}
