import { execFile } from "node:child_process";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { codeOf } from "@microturn/core/testing";
import { beforeAll, describe, expect, it } from "vitest";
import { openOpus } from "../opus/node-opus.js";
import { type OpusCodec, opusPacketSamples, opusSampleRate } from "../opus/opus-codec.js";
import { concat, OggOpusReader, OggOpusWriter } from "./ogg-opus.js";
import { type OggPage, OggPageReader, oggCrc, writeOggPage } from "./ogg-page.js";
import { OggSoundReader } from "./ogg-sound.js";

const fixture = (name: string) => readFile(new URL(`../../../../fixtures/moshi/${name}`, import.meta.url));
/** What fixtures/moshi/opusenc.opus was made of. */
const chirp = Float32Array.from({ length: 14_400 }, (_, i) => {
  const s = i / 24_000;
  return 0.4 * Math.sin(2 * Math.PI * (300 * s + 400 * s * s));
});

let codec: OpusCodec;
beforeAll(async () => {
  codec = await openOpus();
});

/** A stream of ours: the chirp. */
async function encodeChirp(): Promise<Uint8Array> {
  const packets: Uint8Array[] = [];
  const encoder = await codec.encoder(
    (packet) => packets.push(packet),
    () => {},
  );
  for (let at = 0; at < chirp.length; at += opusPacketSamples)
    encoder.encode(chirp.subarray(at, at + opusPacketSamples));
  encoder.close();
  const writer = new OggOpusWriter(99);
  const head = { channels: 1, preSkip: encoder.preSkip, inputSampleRate: opusSampleRate };
  return concat([
    writer.header(head, "test"),
    ...packets.map((packet) => writer.packet(packet, 2 * opusPacketSamples)),
  ]);
}

async function decode(pieces: readonly Uint8Array[], options = {}): Promise<Float32Array> {
  const decoder = await codec.decoder();
  const reader = new OggSoundReader(decoder, options);
  const sound: number[] = [];
  for (const piece of pieces) reader.push(piece, (pcm) => sound.push(...pcm));
  decoder.close();
  return Float32Array.from(sound);
}

function pagesOf(bytes: Uint8Array): OggPage[] {
  const pages: OggPage[] = [];
  const take = (page: OggPage) => pages.push({ ...page, lacing: page.lacing.slice(), body: page.body.slice() });
  new OggPageReader().push(bytes, take);
  return pages;
}

/** Signal over what differs from it, dB. */
function fidelity(got: Float32Array, expected: Float32Array): number {
  let [signal, error] = [0, 0];
  for (let i = 0; i < expected.length; i++) {
    signal += expected[i] ** 2;
    error += (expected[i] - got[i]) ** 2;
  }
  return 10 * Math.log10(signal / error);
}

describe("pages", () => {
  it("have the CRC of a page that opusenc wrote", async () => {
    const file = await fixture("opusenc.opus");
    const [first] = pagesOf(file);
    const page = file.subarray(0, 27 + 1 + first.body.length);
    expect(oggCrc(page)).toBe(page.readUInt32LE(22));
  });

  it("come back as they were written, for packets of every size around the border of a segment", () => {
    for (const size of [0, 1, 254, 255, 256, 509, 510, 511, 65_024]) {
      const packet = Uint8Array.from({ length: size }, (_, i) => i & 255);
      const bytes = writeOggPage({ packet, granule: 2n ** 40n, serial: 2 ** 32 - 1, sequence: 7, ends: true });
      const [page] = pagesOf(bytes);
      expect(page).toMatchObject({ granule: 2n ** 40n, serial: 2 ** 32 - 1, sequence: 7, begins: false, ends: true });
      expect(page.body).toEqual(packet);
      expect(page.lacing.at(-1)).toBeLessThan(255);
    }
    const packet = new Uint8Array(65_025);
    expect(() => writeOggPage({ packet, granule: 0n, serial: 0, sequence: 0 })).toThrow(RangeError);
  });

  it("are refused when a bit of them has changed, whichever", async () => {
    const file = await fixture("opusenc.opus");
    const page = file.subarray(0, 27 + 1 + 19);
    for (let bit = 0; bit < 8 * page.length; bit++) {
      const broken = Uint8Array.from(page);
      broken[bit >> 3] ^= 1 << (bit & 7);
      let pages = 0;
      // A changed length makes it wait for more; what follows then does not fit.
      const rest = new Uint8Array(70_000);
      const read = async () => new OggPageReader().push(concat([broken, rest]), () => pages++);
      expect(await codeOf(read()), `bit ${bit}`).toBe("PROTOCOL_VIOLATION");
      expect(pages).toBe(0);
    }
  });
});

describe("Opus in Ogg", () => {
  it("reads what opusenc wrote: its length to the sample, and its sound", async () => {
    const sound = await decode([await fixture("opusenc.opus")]);
    expect(sound.length).toBe(chirp.length);
    expect(fidelity(sound, chirp)).toBeGreaterThan(12);
  });

  it("gives the same sound wherever the bytes are cut (scenario 20)", async () => {
    const file = new Uint8Array(await fixture("opusenc.opus"));
    const whole = await decode([file]);
    expect(await decode(Array.from(file, (_, i) => file.subarray(i, i + 1)))).toEqual(whole);
    for (let cut = 1; cut < file.length; cut += 1) {
      const packets: number[] = [];
      const reader = new OggOpusReader();
      reader.push(file.subarray(0, cut), ({ data }) => packets.push(data.length));
      reader.push(file.subarray(cut), ({ data }) => packets.push(data.length));
      expect(packets.length, `cut at ${cut}`).toBe(31);
    }
    for (let cut = 7; cut < file.length; cut += 211) {
      expect(await decode([file.subarray(0, cut), file.subarray(cut)]), `cut at ${cut}`).toEqual(whole);
    }
  });

  it("gives the same sound when the header is repeated, and when other streams are in between (scenario 20)", async () => {
    const stream = await encodeChirp();
    const whole = await decode([stream]);
    const pages = pagesOf(stream).map(({ body, granule, serial, sequence, begins }) =>
      writeOggPage({ packet: body, granule, serial, sequence, begins }),
    );
    expect(await decode([...pages.slice(0, 6), pages[0], pages[1], ...pages.slice(6)])).toEqual(whole);
    const other = writeOggPage({ packet: Uint8Array.of(1, 2, 3), granule: 0n, serial: 5, sequence: 0 });
    expect(await decode([...pages.slice(0, 4), other, ...pages.slice(4)])).toEqual(whole);
  });

  it("reads packets that go over several pages, and leaves out one whose begin is missing", () => {
    const writer = new OggOpusWriter(3);
    const head = writer.header({ channels: 1, preSkip: 0, inputSampleRate: 24_000 }, "test");
    const packet = Uint8Array.from({ length: 1000 }, (_, i) => (i * 7) & 255);
    const parts = [page(packet.subarray(0, 510), [255, 255], 0), page(packet.subarray(510), [255, 235, 0], 1)];
    const got: Uint8Array[] = [];
    const reader = new OggOpusReader();
    const take = ({ data }: { data: Uint8Array }) => got.push(data.slice());
    for (const bytes of [head, ...parts, parts[1], ...parts]) reader.push(bytes, take);
    expect(got).toEqual([packet, packet]);
  });

  it("refuses sound without a header, other codecs, and more channels than two", async () => {
    const page = (packet: Uint8Array, begins: boolean) =>
      writeOggPage({ packet, granule: 0n, serial: 1, sequence: 0, begins });
    const head = (change: (head: Uint8Array) => void) => {
      const [{ body }] = pagesOf(new OggOpusWriter(1).header({ channels: 1, preSkip: 0, inputSampleRate: 24_000 }, ""));
      change(body);
      return page(body, true);
    };
    const refused = [
      page(Uint8Array.of(1, 2, 3), false),
      page(new TextEncoder().encode("\u0001vorbis"), true),
      page(new TextEncoder().encode("OpusHead"), true),
      head((bytes) => bytes.fill(16, 8, 9)),
      head((bytes) => bytes.fill(0, 9, 10)),
      head((bytes) => bytes.fill(6, 9, 10)),
      head((bytes) => bytes.fill(255, 18, 19)),
      new TextEncoder().encode("RIFF"),
    ];
    for (const bytes of refused) expect(await codeOf(decode([bytes]))).toBe("PROTOCOL_VIOLATION");
  });

  it("holds no more than a page and a packet, whatever comes", async () => {
    const header = new OggOpusWriter(1).header({ channels: 1, preSkip: 0, inputSampleRate: 24_000 }, "");
    const reader = new OggOpusReader();
    reader.push(header, () => {});
    const [begin, endless] = [0, 1].map((flags) => page(new Uint8Array(255 * 255), new Array(255).fill(255), flags, 1));
    reader.push(begin, () => {});
    const push = async () => {
      for (let i = 0; i < 100; i++) reader.push(endless, () => {});
    };
    expect(await codeOf(push())).toBe("PROTOCOL_VIOLATION");
  });

  it("is as loud as the header says, and never louder than there is", async () => {
    const louder = async (decibels: number) => {
      const stream = await encodeChirp();
      const [head, ...rest] = pagesOf(stream).map(({ body, granule, serial, sequence, begins }) => {
        if (begins) new DataView(body.buffer, body.byteOffset).setInt16(16, 256 * decibels, true);
        return writeOggPage({ packet: body, granule, serial, sequence, begins });
      });
      return decode([head, ...rest]);
    };
    const [plain, softer, hostile] = [await louder(0), await louder(-6), await louder(127)];
    expect(softer[5000] / plain[5000]).toBeCloseTo(0.501, 2);
    expect(hostile.every((value) => Math.abs(value) <= 1)).toBe(true);
  });

  it("decodes no more than 10 s at once, though two bytes can stand for 60 ms", async () => {
    const header = new OggOpusWriter(1).header({ channels: 1, preSkip: 0, inputSampleRate: 24_000 }, "");
    // 60 ms of nothing, by a packet of one byte.
    const many = page(new Uint8Array(255).fill(0x18), new Array(255).fill(1), 0, 1);
    expect(await codeOf(decode([header, many]))).toBe("PROTOCOL_VIOLATION");
    expect((await decode([header, page(Uint8Array.of(0x18), [1], 0, 1)])).length).toBe(1440);
  });

  it("writes what opusinfo finds nothing wrong with", async ({ skip }) => {
    const folder = await mkdtemp(join(tmpdir(), "microturn-ogg-"));
    try {
      const path = join(folder, "chirp.opus");
      await writeFile(path, await encodeChirp());
      // It ends with 1 for a warning, too.
      const failed = (error: NodeJS.ErrnoException & { stdout: string }) => {
        if (error.code === "ENOENT") skip("opusinfo (Debian package opus-tools) is not here");
        return error;
      };
      const { stdout } = await promisify(execFile)("opusinfo", [path]).catch(failed);
      expect(stdout).toContain("Playback length: 0m:00.593s");
      expect(stdout).toContain("Pre-skip: 312");
      // A live stream has no last page.
      expect(stdout.match(/WARNING.*/g)).toEqual(["WARNING: EOS not set on stream 1 (normal for live streams)"]);
    } finally {
      await rm(folder, { recursive: true });
    }
  });

  it("says what to install when Opus is not there", async () => {
    const { missingPackage } = await import("../opus/opus-codec.js");
    expect(missingPackage("opus-decoder", undefined)).toMatchObject({ code: "UNSUPPORTED" });
    expect(missingPackage("opus-decoder", undefined).message).toContain("npm install opus-decoder @evan/opus");
  });
});

/** A page of stream 3, or of another, whose packet may go on. */
function page(body: Uint8Array, lacing: readonly number[], flags: number, serial = 3): Uint8Array {
  const bytes = new Uint8Array(27 + lacing.length + body.length);
  const view = new DataView(bytes.buffer);
  bytes.set(new TextEncoder().encode("OggS"));
  bytes[5] = flags;
  view.setUint32(14, serial, true);
  bytes[26] = lacing.length;
  bytes.set(lacing, 27);
  bytes.set(body, 27 + lacing.length);
  view.setUint32(22, oggCrc(bytes), true);
  return bytes;
}
