// WAV files to floats: a whole file at once, or a stream of bytes of any length in little memory.
// Tolerant of what real files have: odd and unknown chunks, missing pad bytes, and lengths that were never filled in.

import { largestFloat } from "./pcm.js";
import { parseWavFormat, type SampleReader, sampleReader, type WavFormat, wavError } from "./wav-format.js";

/** What a WAV file held once it has ended. */
export interface WavEnd {
  /** Samples per channel. */
  readonly samples: number;
  /** Whether the file ended before its header said so, or within a sample; what was there has been given. */
  readonly truncated: boolean;
}

/** A WAV file in memory. */
export interface WavFile extends WavEnd {
  readonly sampleRate: number;
  /** One array per channel; `mixToMono` makes one of them. */
  readonly channels: readonly Float32Array[];
  readonly format: WavFormat;
}

/**
 * Reads a WAV file that is in memory.
 *
 * Rates 8 to 192 kHz; integers of 8, 16, 24 and 32 bits, floats of 32 and 64; any number of channels; also extensible
 * and RF64. A file that ends early gives what is there and says `truncated`.
 *
 * @throws DuplexError `AUDIO_INVALID` if it is empty, not a WAV file, ends within its header, has a coding that is not
 *   read or samples that are no numbers
 */
export function readWav(bytes: Uint8Array): WavFile {
  const scanner = new WavScanner();
  let channels: Float32Array[] = [];
  scanner.push(bytes, (view, at, samples, format, read) => {
    // A file in memory is one span: every sample comes in this call.
    channels = Array.from({ length: format.channels }, () => new Float32Array(samples));
    const sampleBytes = format.frameBytes / format.channels;
    channels.forEach((channel, c) => {
      for (let i = 0; i < samples; i++) {
        channel[i] = finite(read(view, at + i * format.frameBytes + c * sampleBytes), i, c);
      }
    });
  });
  const end = scanner.end();
  const format = scanner.knownFormat();
  if (channels.length === 0) channels = Array.from({ length: format.channels }, () => new Float32Array(0));
  return { ...end, sampleRate: format.sampleRate, channels, format };
}

/**
 * Reads a WAV file as its bytes come, mixed to mono (the mean of its channels), so that hours fit in little memory.
 *
 * @example
 * const reader = new WavReader();
 * for await (const bytes of createReadStream("speech.wav")) {
 *   const mono = reader.push(bytes); // empty until the header has come
 *   if (reader.format !== undefined) use(mono, reader.format.sampleRate);
 * }
 * const { truncated } = reader.end();
 */
export class WavReader {
  readonly #scanner = new WavScanner();
  #mono = new Float32Array(0);
  #count = 0;

  /** What the header says; undefined until it has come. */
  get format(): WavFormat | undefined {
    return this.#scanner.format;
  }

  /**
   * Takes bytes in.
   *
   * @param bytes - the next bytes of the file, any count
   * @returns mono samples that they complete; valid until the next call, copy what must stay
   * @throws DuplexError `AUDIO_INVALID` as {@link readWav}; the reader is of no use after that
   */
  push(bytes: Uint8Array): Float32Array {
    this.#count = 0;
    this.#scanner.push(bytes, this.#mix);
    return this.#mono.subarray(0, this.#count);
  }

  /**
   * Ends the file.
   *
   * @throws DuplexError `AUDIO_INVALID` if nothing came, or the file ended within its header
   */
  end(): WavEnd {
    return this.#scanner.end();
  }

  readonly #mix: SpanReceiver = (view, at, samples, format, read) => {
    const { channels, frameBytes } = format;
    if (this.#mono.length < this.#count + samples) {
      const larger = new Float32Array(this.#count + samples);
      larger.set(this.#mono.subarray(0, this.#count));
      this.#mono = larger;
    }
    const mono = this.#mono;
    const sampleBytes = frameBytes / channels;
    const first = this.#scanner.samples;
    let position = at;
    for (let i = 0; i < samples; i++) {
      let sum = 0;
      for (let c = 0; c < channels; c++) {
        sum += finite(read(view, position), first + i, c);
        position += sampleBytes;
      }
      mono[this.#count + i] = sum / channels;
    }
    this.#count += samples;
  };
}

function finite(value: number, sample: number, channel: number): number {
  if (Math.abs(value) <= largestFloat) return value;
  throw wavError(
    `expected finite samples that fit into 32-bit floats, got ${value} at sample ${sample} of channel ${channel}`,
    {
      streamIndex: sample,
      channel,
    },
  );
}

/** Receives `samples` whole frames that begin at byte `at` of a view. */
type SpanReceiver = (view: DataView, at: number, samples: number, format: WavFormat, read: SampleReader) => void;

type Stage = "riff" | "chunk" | "format" | "sizes" | "skip" | "pad" | "data" | "done";

/** Walks the chunks of a WAV file, whatever pieces its bytes come in, and hands out the frames of its data. */
class WavScanner {
  format: WavFormat | undefined;
  /** Frames handed out before the span at hand. */
  samples = 0;
  #read: SampleReader = sampleReader("int16");
  #stage: Stage = "riff";
  /** Bytes that the stage at hand has collected, for headers and for a frame cut in two. */
  #held = new Uint8Array(64);
  #heldCount = 0;
  /** Bytes of this chunk still to come; Infinity when only the end of the file ends it. */
  #left = 0;
  /** Bytes taken in, and how many the header gives the file. */
  #position = 0;
  #riffBytes = 0;
  #isLong = false;
  #longDataBytes = 0;
  #padAfter = false;

  push(bytes: Uint8Array, receive: SpanReceiver): void {
    let at = 0;
    // "data" and "skip" take what there is; the others wait for a fixed count of bytes.
    while (at < bytes.length) {
      const before = at;
      if (this.#stage === "data") at = this.#takeData(bytes, at, receive);
      else if (this.#stage === "skip") at = this.#takeSkip(bytes, at);
      else if (this.#stage === "pad") at = this.#takePad(bytes, at);
      else if (this.#stage === "done") at = bytes.length;
      else at = this.#takeHeader(bytes, at);
      this.#position += at - before;
    }
  }

  end(): WavEnd {
    if (this.#position === 0) throw wavError("expected a WAV file, got no bytes");
    if (this.format === undefined || (this.#stage !== "data" && this.#stage !== "done")) {
      throw wavError(
        `expected a header and a data chunk, but the file ends after ${this.#position} bytes, within "${this.#stage}"`,
      );
    }
    const truncated = this.#heldCount > 0 || (this.#stage === "data" && Number.isFinite(this.#left));
    return { samples: this.samples, truncated };
  }

  knownFormat(): WavFormat {
    if (this.format === undefined) throw wavError("expected a format chunk, got none");
    return this.format;
  }

  #takeHeader(bytes: Uint8Array, at: number): number {
    const needed = this.#stage === "riff" ? 12 : this.#stage === "chunk" ? 8 : this.#left;
    const end = this.#hold(bytes, at, needed);
    if (this.#heldCount < needed) return end;
    const view = new DataView(this.#held.buffer, 0, needed);
    this.#heldCount = 0;
    if (this.#stage === "riff") this.#readRiff(view);
    else if (this.#stage === "chunk") this.#readChunk(view, end - at);
    else if (this.#stage === "format") this.#readFormat(view);
    else this.#readSizes(view);
    return end;
  }

  #hold(bytes: Uint8Array, at: number, needed: number): number {
    if (this.#held.length < needed) {
      const larger = new Uint8Array(needed);
      larger.set(this.#held.subarray(0, this.#heldCount));
      this.#held = larger;
    }
    const end = Math.min(bytes.length, at + needed - this.#heldCount);
    for (let i = at; i < end; i++) this.#held[this.#heldCount++] = bytes[i];
    return end;
  }

  #readRiff(view: DataView): void {
    const id = fourCharacters(view, 0);
    const kind = fourCharacters(view, 8);
    if (id === "RIFX") throw wavError("expected little-endian samples (RIFF), got a big-endian file (RIFX)");
    if ((id !== "RIFF" && id !== "RF64" && id !== "BW64") || kind !== "WAVE") {
      throw wavError(`expected a file that begins with RIFF … WAVE, got "${id}" … "${kind}"`);
    }
    this.#isLong = id !== "RIFF";
    this.#riffBytes = view.getUint32(4, true) + 8;
    this.#stage = "chunk";
  }

  #readChunk(view: DataView, taken: number): void {
    const id = fourCharacters(view, 0);
    const size = view.getUint32(4, true);
    this.#padAfter = size % 2 === 1;
    this.#left = size;
    if (id === "data") {
      if (this.format === undefined) throw wavError("expected a format chunk before the data chunk, got none");
      this.#stage = "data";
      this.#left = this.#dataBytes(size, this.#position + taken);
      if (this.#left === 0) this.#stage = "done";
    } else if (id === "fmt ") {
      if (size > 65_536) throw wavError(`expected a format chunk of a few bytes, got ${size}`);
      if (size < 16) throw wavError(`expected a format chunk of 16 bytes or more, got ${size}`);
      this.#stage = "format";
    } else if (id === "ds64" && this.#isLong && size >= 24 && size <= 65_536) {
      this.#stage = "sizes";
    } else if (size > 0) {
      this.#stage = "skip";
    }
  }

  /**
   * How many bytes of data there are. Programs that write to a pipe cannot go back and fill the length in: they leave 0
   * or about 2^31 or 2^32, and then the end of the file is the end of the data.
   */
  #dataBytes(size: number, position: number): number {
    if (this.#isLong && size === 0xffffffff && this.#longDataBytes > 0) return this.#longDataBytes;
    if (isPlaceholder(size)) return Number.POSITIVE_INFINITY;
    // With 0 it really is empty only when the file as a whole says that other chunks follow.
    const moreFollows = this.#riffBytes > position && !isPlaceholder(this.#riffBytes - 8);
    return size === 0 && !moreFollows ? Number.POSITIVE_INFINITY : size;
  }

  #readFormat(view: DataView): void {
    this.format = parseWavFormat(view);
    this.#read = sampleReader(this.format.coding);
    this.#endChunk();
  }

  #readSizes(view: DataView): void {
    this.#longDataBytes = Number(view.getBigUint64(8, true));
    this.#endChunk();
  }

  #takeSkip(bytes: Uint8Array, at: number): number {
    const count = Math.min(bytes.length - at, this.#left);
    this.#left -= count;
    if (this.#left === 0) this.#endChunk();
    return at + count;
  }

  #endChunk(): void {
    this.#stage = this.#padAfter ? "pad" : "chunk";
  }

  /** A chunk of odd size is followed by a zero byte; some writers forget it, and a chunk's name never begins with 0. */
  #takePad(bytes: Uint8Array, at: number): number {
    this.#stage = "chunk";
    return bytes[at] === 0 ? at + 1 : at;
  }

  #takeData(bytes: Uint8Array, at: number, receive: SpanReceiver): number {
    const format = this.knownFormat();
    const { frameBytes } = format;
    let position = at;
    const end = Math.min(bytes.length, at + this.#left);
    if (this.#heldCount > 0) {
      position = this.#hold(bytes.subarray(0, end), position, frameBytes);
      if (this.#heldCount === frameBytes) {
        this.#heldCount = 0;
        receive(new DataView(this.#held.buffer, 0, frameBytes), 0, 1, format, this.#read);
        this.samples++;
      }
    }
    const frames = Math.floor((end - position) / frameBytes);
    if (frames > 0) {
      receive(new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength), position, frames, format, this.#read);
      this.samples += frames;
      position += frames * frameBytes;
    }
    if (position < end) position = this.#hold(bytes.subarray(0, end), position, frameBytes);
    this.#left -= position - at;
    if (this.#left === 0) this.#stage = "done";
    return position;
  }
}

function isPlaceholder(size: number): boolean {
  return size >= 0xfffff000 || (size >= 0x7ffff000 && size <= 0x80000000);
}

function fourCharacters(view: DataView, at: number): string {
  return String.fromCharCode(view.getUint8(at), view.getUint8(at + 1), view.getUint8(at + 2), view.getUint8(at + 3));
}
