import { describe, expect, test } from "vitest";
import { DuplexError } from "../errors.js";
import { mixToMono } from "./pcm.js";
import { readWav, WavReader } from "./wav-reader.js";
import { WavWriter, writeWav } from "./wav-writer.js";

interface Parts {
  tag?: number;
  channels?: number;
  sampleRate?: number;
  bits?: number;
  frameBytes?: number;
  data: Uint8Array;
  dataSize?: number;
  riffSize?: number;
  id?: string;
  before?: Uint8Array[];
  after?: Uint8Array[];
  extensible?: boolean;
}

const ascii = (text: string) => new TextEncoder().encode(text);

function join(...pieces: Uint8Array[]): Uint8Array {
  const whole = new Uint8Array(pieces.reduce((sum, piece) => sum + piece.length, 0));
  let at = 0;
  for (const piece of pieces) {
    whole.set(piece, at);
    at += piece.length;
  }
  return whole;
}

function u32(value: number): Uint8Array {
  return new Uint8Array(new Uint32Array([value]).buffer);
}

function chunk(id: string, body: Uint8Array, size = body.length, pad = true): Uint8Array {
  return join(ascii(id), u32(size), body, new Uint8Array(pad && body.length % 2 === 1 ? 1 : 0));
}

function wav(parts: Parts): Uint8Array {
  const { tag = 1, channels = 1, sampleRate = 16_000, bits = 16, data, before = [], after = [] } = parts;
  const frameBytes = parts.frameBytes ?? (channels * bits) / 8;
  const format = new DataView(new ArrayBuffer(parts.extensible ? 40 : 16));
  format.setUint16(0, parts.extensible ? 0xfffe : tag, true);
  format.setUint16(2, channels, true);
  format.setUint32(4, sampleRate, true);
  format.setUint32(8, sampleRate * frameBytes, true);
  format.setUint16(12, frameBytes, true);
  format.setUint16(14, bits, true);
  if (parts.extensible) {
    format.setUint16(16, 22, true);
    format.setUint16(18, bits, true);
    format.setUint16(24, tag, true);
  }
  const rest = join(
    ascii("WAVE"),
    ...before,
    chunk("fmt ", new Uint8Array(format.buffer)),
    chunk("data", data, parts.dataSize ?? data.length),
    ...after,
  );
  return join(ascii(parts.id ?? "RIFF"), u32(parts.riffSize ?? rest.length), rest);
}

const bytesOf = (samples: Int16Array | Int32Array | Float32Array | Float64Array) => new Uint8Array(samples.buffer);
const ramp = Int16Array.from({ length: 1000 }, (_, i) => i * 65 - 32000);
const rampFloats = Array.from(ramp, (value) => value / 32768);

function streamed(bytes: Uint8Array, chunkBytes: number) {
  const reader = new WavReader();
  const samples: number[] = [];
  for (let at = 0; at < bytes.length; at += chunkBytes) {
    samples.push(...reader.push(bytes.subarray(at, at + chunkBytes)));
  }
  return { reader, samples, end: reader.end() };
}

function failure(action: () => unknown): DuplexError {
  try {
    action();
  } catch (error) {
    expect(DuplexError.is(error, "AUDIO_INVALID")).toBe(true);
    return error as DuplexError;
  }
  throw new Error("expected an error");
}

describe("codings", () => {
  const values = [0, 0.5, -0.5, -1, 0.25];
  const int24 = Uint8Array.from(
    values.flatMap((value) => {
      const whole = value * 8388608;
      return [whole & 255, (whole >> 8) & 255, (whole >> 16) & 255];
    }),
  );
  test.each([
    ["8-bit integers", { bits: 8, data: Uint8Array.from(values, (value) => 128 + value * 128) }],
    ["16-bit integers", { bits: 16, data: bytesOf(Int16Array.from(values, (value) => value * 32768)) }],
    ["24-bit integers", { bits: 24, data: int24 }],
    ["20 bits in containers of 24", { bits: 20, frameBytes: 3, data: int24 }],
    ["32-bit integers", { bits: 32, data: bytesOf(Int32Array.from(values, (value) => value * 2 ** 31)) }],
    ["32-bit floats", { tag: 3, bits: 32, data: bytesOf(Float32Array.from(values)) }],
    ["64-bit floats", { tag: 3, bits: 64, data: bytesOf(Float64Array.from(values)) }],
    ["extensible 24-bit", { bits: 24, extensible: true, data: int24 }],
    ["extensible float", { tag: 3, bits: 32, extensible: true, data: bytesOf(Float32Array.from(values)) }],
  ])("%s give the same floats", (_name, parts) => {
    const file = readWav(wav(parts));
    expect([...file.channels[0]]).toEqual(values);
    expect(file).toMatchObject({ sampleRate: 16_000, samples: 5, truncated: false });
    expect(streamed(wav(parts), 3).samples).toEqual(values);
  });

  test("channels come apart, and the reader mixes them to their mean", () => {
    const data = bytesOf(Int16Array.from([8192, -8192, 0, 16384, 0, 0, -32768, -16384, 0, 0, 0, 3276]));
    const file = readWav(wav({ channels: 3, sampleRate: 44_100, data }));
    expect(file.channels.map((channel) => [...channel])).toEqual([
      [0.25, 0.5, -1, 0],
      [-0.25, 0, -0.5, 0],
      [0, 0, 0, Math.fround(3276 / 32768)],
    ]);
    for (const chunkBytes of [1, 5, 7, 1000]) {
      expect(streamed(wav({ channels: 3, data }), chunkBytes).samples).toEqual([...mixToMono(file.channels)]);
    }
  });

  test("64 channels are read", () => {
    const file = readWav(wav({ channels: 64, data: new Uint8Array(64 * 2 * 10) }));
    expect(file.channels.length).toBe(64);
    expect(file.samples).toBe(10);
  });
});

describe("streaming equals reading at once", () => {
  test.each([1, 2, 3, 7, 44, 45, 64, 1000, 100_000])("in pieces of %i bytes", (chunkBytes) => {
    const bytes = wav({ data: bytesOf(ramp), before: [chunk("LIST", new Uint8Array(33))] });
    const { reader, samples, end } = streamed(bytes, chunkBytes);
    expect(samples).toEqual(rampFloats);
    expect(end).toEqual({ samples: 1000, truncated: false });
    expect(reader.format).toEqual({ sampleRate: 16_000, channels: 1, coding: "int16", frameBytes: 2 });
  });

  test("three hours pass through in pieces without being held", () => {
    const hours = 3 * 3600 * 8000 * 2;
    const reader = new WavReader();
    reader.push(wav({ sampleRate: 8000, data: new Uint8Array(0), dataSize: hours }));
    const piece = new Uint8Array(1 << 16);
    let samples = 0;
    let largest = 0;
    for (let left = hours; left > 0; left -= piece.length) {
      const mono = reader.push(piece.subarray(0, Math.min(left, piece.length)));
      samples += mono.length;
      largest = Math.max(largest, mono.buffer.byteLength);
    }
    expect(samples).toBe(3 * 3600 * 8000);
    expect(reader.end()).toEqual({ samples, truncated: false });
    expect(largest).toBeLessThanOrEqual(4 * (1 << 15));
  });
});

describe("real files", () => {
  test.each([
    [
      "unknown chunks before and after",
      { before: [chunk("JUNK", new Uint8Array(28)), chunk("bext", new Uint8Array(603))] },
    ],
    ["an odd chunk without its pad byte", { before: [chunk("LIST", new Uint8Array(5).fill(65), 5, false)] }],
    ["an empty chunk", { before: [chunk("junk", new Uint8Array(0))] }],
    ["a LIST chunk after the data", { after: [chunk("LIST", ascii("INFOISFTLavf"))] }],
    ["data size 0, never filled in", { dataSize: 0, riffSize: 36 }],
    ["sizes 0, never filled in", { dataSize: 0, riffSize: 0 }],
    ["sizes 2^32 - 1, never filled in", { dataSize: 0xffffffff, riffSize: 0xffffffff }],
    ["sizes of a recorder that writes to a pipe", { dataSize: 0x80000000, riffSize: 0x80000024 }],
    ["sizes near 2^31", { dataSize: 0x7ffff000, riffSize: 0x7ffff024 }],
  ])("with %s give their samples", (_name, parts) => {
    const bytes = wav({ data: bytesOf(ramp), ...parts });
    const file = readWav(bytes);
    expect([...file.channels[0]]).toEqual(rampFloats);
    expect(file.truncated).toBe(false);
    for (const chunkBytes of [1, 13, 512]) {
      const { samples, end } = streamed(bytes, chunkBytes);
      expect(samples).toEqual(rampFloats);
      expect(end.truncated).toBe(false);
    }
  });

  test("RF64 takes the length from its own chunk", () => {
    const sizes = new DataView(new ArrayBuffer(28));
    sizes.setBigUint64(8, 2000n, true);
    const bytes = wav({
      id: "RF64",
      riffSize: 0xffffffff,
      dataSize: 0xffffffff,
      data: bytesOf(ramp),
      before: [chunk("ds64", new Uint8Array(sizes.buffer))],
      after: [chunk("LIST", new Uint8Array(10))],
    });
    expect(readWav(bytes)).toMatchObject({ samples: 1000, truncated: false });
  });

  test("without samples, but with other chunks after, are empty and not broken", () => {
    const file = readWav(wav({ data: new Uint8Array(0), after: [chunk("LIST", new Uint8Array(10))] }));
    expect(file).toMatchObject({ samples: 0, truncated: false });
    expect(file.channels.length).toBe(1);
  });

  test("of unknown length that end within a sample say so", () => {
    const bytes = wav({ data: bytesOf(ramp), dataSize: 0xffffffff, riffSize: 0xffffffff });
    const file = readWav(bytes.subarray(0, bytes.length - 1));
    expect(file).toMatchObject({ samples: 999, truncated: true });
  });

  test("whose data ends within a sample by their own header say so", () => {
    for (const after of [[], [chunk("LIST", new Uint8Array(4))]]) {
      const bytes = wav({ data: bytesOf(ramp).subarray(0, 19), after });
      expect(readWav(bytes)).toMatchObject({ samples: 9, truncated: true });
      expect(streamed(bytes, 1).end).toEqual({ samples: 9, truncated: true });
    }
  });

  test("that end early give what is there and say so", () => {
    const bytes = wav({ data: bytesOf(ramp) });
    for (const cut of [1, 2, 3, 1000, 1999]) {
      const file = readWav(bytes.subarray(0, bytes.length - cut));
      const count = Math.floor((2000 - cut) / 2);
      expect([...file.channels[0]]).toEqual(rampFloats.slice(0, count));
      expect(file).toMatchObject({ samples: count, truncated: true });
      expect(streamed(bytes.subarray(0, bytes.length - cut), 17).end).toEqual({ samples: count, truncated: true });
    }
  });
});

describe("files that cannot be read", () => {
  const good = wav({ data: bytesOf(ramp) });

  test("an empty file", () => {
    expect(failure(() => readWav(new Uint8Array(0))).message).toBe("wav: expected a WAV file, got no bytes");
  });

  test.each([1, 11, 12, 20, 35, 43])("a header cut after %i bytes", (length) => {
    expect(failure(() => readWav(good.subarray(0, length))).message).toMatch(
      `expected a header and a data chunk, but the file ends after ${length} bytes`,
    );
    expect(failure(() => streamed(good.subarray(0, length), 5)).code).toBe("AUDIO_INVALID");
  });

  test.each<[string, Uint8Array, RegExp]>([
    ["another kind of file", ascii("OggS\0\u0002 something else"), /expected a file that begins with RIFF/],
    ["big-endian", join(ascii("RIFX"), u32(4), ascii("WAVE")), /big-endian/],
    [
      "no format before data",
      join(ascii("RIFF"), u32(40), ascii("WAVE"), chunk("data", new Uint8Array(8))),
      /format chunk before/,
    ],
    [
      "zero channels",
      wav({ channels: 0, frameBytes: 2, data: new Uint8Array(4) }),
      /expected 1 channel or more, got 0/,
    ],
    ["A-law", wav({ tag: 6, bits: 8, data: new Uint8Array(4) }), /got A-law of 8 bits; convert it/],
    ["ADPCM", wav({ tag: 2, bits: 4, frameBytes: 256, data: new Uint8Array(4) }), /got Microsoft ADPCM/],
    ["an unknown coding", wav({ tag: 999, data: new Uint8Array(4) }), /got coding 999/],
    [
      "12-bit frames that do not fit",
      wav({ bits: 16, channels: 2, frameBytes: 3, data: new Uint8Array(6) }),
      /frames of 3 bytes, got 16 bits/,
    ],
    ["0 bits", wav({ bits: 0, frameBytes: 2, data: new Uint8Array(4) }), /got 0 bits/],
    ["1 kHz", wav({ sampleRate: 1000, data: new Uint8Array(4) }), /8000 to 192000 Hz, got 1000 Hz/],
    ["384 kHz", wav({ sampleRate: 384_000, data: new Uint8Array(4) }), /got 384000 Hz/],
    [
      "a short format chunk",
      join(ascii("RIFF"), u32(40), ascii("WAVE"), chunk("fmt ", new Uint8Array(8))),
      /16 bytes or more, got 8/,
    ],
    [
      "a huge format chunk",
      join(ascii("RIFF"), u32(40), ascii("WAVE"), chunk("fmt ", new Uint8Array(8), 0xfffffff0)),
      /a few bytes, got/,
    ],
  ])("%s", (_name, bytes, message) => {
    expect(failure(() => readWav(bytes)).message).toMatch(message);
    expect(failure(() => streamed(bytes, 9)).message).toMatch(message);
  });

  test("samples that are no numbers are named", () => {
    const data = bytesOf(Float32Array.from([0, 0, 0, Number.NaN]));
    expect(failure(() => readWav(wav({ tag: 3, bits: 32, channels: 2, data }))).message).toMatch(
      /got NaN at sample 1 of channel 1/,
    );
    expect(failure(() => streamed(wav({ tag: 3, bits: 32, channels: 2, data }), 48)).message).toMatch(
      /got NaN at sample 1 of channel 1/,
    );
  });

  test("samples of 64 bits that would be infinite in 32 are named", () => {
    const data = bytesOf(Float64Array.from([0, 3e38, -1e39]));
    const bytes = wav({ tag: 3, bits: 64, channels: 1, data });
    for (const read of [() => readWav(bytes), () => streamed(bytes, 7)]) {
      expect(failure(read).message).toMatch(/fit into 32-bit floats, got -1e\+39 at sample 2 of channel 0/);
    }
  });

  test("random bytes behind a good start never do anything but give samples or fail with a code", () => {
    let state = 1;
    const random = () => {
      state = (Math.imul(1664525, state) + 1013904223) >>> 0;
      return state / 2 ** 32;
    };
    for (let round = 0; round < 500; round++) {
      const bytes = good.slice(0, 200);
      for (let k = 0; k < 6; k++) bytes[Math.floor(random() * 60)] = Math.floor(random() * 256);
      const outcome = (action: () => { samples: number }) => {
        try {
          return action().samples;
        } catch (error) {
          expect(DuplexError.is(error, "AUDIO_INVALID")).toBe(true);
          return "failed";
        }
      };
      expect(outcome(() => streamed(bytes, 1 + Math.floor(random() * 50)).end)).toBe(outcome(() => readWav(bytes)));
    }
  });
});

describe("writing", () => {
  test("a file reads back as it was, 16 bits and floats, one channel and two", () => {
    const left = Float32Array.from(rampFloats);
    const right = left.map((value) => -value / 2);
    const mono = readWav(writeWav(left, { sampleRate: 24_000 }));
    expect(mono.sampleRate).toBe(24_000);
    expect([...mono.channels[0]]).toEqual(rampFloats);
    const stereo = readWav(writeWav([left, right], { sampleRate: 48_000, coding: "float32" }));
    expect(stereo.channels.map((channel) => [...channel])).toEqual([[...left], [...right]]);
    expect(stereo.truncated).toBe(false);
  });

  test("a streamed file reads with its open header and with its closed one", () => {
    const writer = new WavWriter({ sampleRate: 16_000 });
    const open = writer.openHeader();
    const pieces = [Float32Array.from(rampFloats.slice(0, 300)), Float32Array.from(rampFloats.slice(300))];
    const data = join(...pieces.map((piece) => writer.encode(piece)));
    for (const header of [open, writer.closedHeader()]) {
      const file = readWav(join(header, data));
      expect([...file.channels[0]]).toEqual(rampFloats);
      expect(file.truncated).toBe(false);
    }
    expect(writer.samples).toBe(1000);
    expect(new DataView(writer.closedHeader().buffer).getUint32(40, true)).toBe(2000);
  });

  test("impossible forms are refused", () => {
    expect(() => new WavWriter({ sampleRate: 0 })).toThrow(RangeError);
    expect(() => new WavWriter({ sampleRate: 16_000, channels: 0 })).toThrow(RangeError);
    expect(() => new WavWriter({ sampleRate: 16_000, channels: 2 }).encode(new Float32Array(1))).toThrow(
      /expected 2 channels of one length, got 1 of 1/,
    );
    expect(() => writeWav([], { sampleRate: 16_000 })).toThrow(RangeError);
  });

  test("forms whose figures do not fit into a header are refused, and the largest that do are not", () => {
    const fields = (options: ConstructorParameters<typeof WavWriter>[0]) => {
      const view = new DataView(new WavWriter(options).openHeader().buffer);
      return [view.getUint32(24, true), view.getUint32(28, true), view.getUint16(32, true)];
    };
    expect(fields({ sampleRate: 8_000, channels: 32_767 })).toEqual([8_000, 524_272_000, 65_534]);
    expect(() => fields({ sampleRate: 8_000, channels: 32_768 })).toThrow(/1 to 32767 channels in int16, got 32768/);
    expect(fields({ sampleRate: 8_000, channels: 16_383, coding: "float32" })).toEqual([8_000, 524_256_000, 65_532]);
    expect(() => fields({ sampleRate: 8_000, channels: 16_384, coding: "float32" })).toThrow(RangeError);
    expect(fields({ sampleRate: 2 ** 31 - 1 })).toEqual([2 ** 31 - 1, 2 ** 32 - 2, 2]);
    expect(() => fields({ sampleRate: 2 ** 31 })).toThrow(/at most 2147483647 Hz for 1 channels in int16/);
    expect(() => fields({ sampleRate: 2 ** 32 + 16_000 })).toThrow(RangeError);
  });
});
