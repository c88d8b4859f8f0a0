// PCM at the edge: 16-bit integers to floats and back, several channels to one, and the check that samples are numbers.

import { DuplexError } from "../errors.js";

/** Largest finite float of 32 bits; a larger number becomes infinite when it is stored as a sample. */
export const largestFloat = (2 - 2 ** -23) * 2 ** 127;

/**
 * 16-bit PCM to floats: `x / 32768`, so -32768 becomes -1 and 32767 just under 1.
 *
 * @param output - receives as many samples as `input` has; made when left out
 * @throws RangeError if `output` is shorter than `input`
 */
export function int16ToFloat(input: Int16Array, output = new Float32Array(input.length)): Float32Array {
  checkRoom("int16ToFloat", input.length, output.length);
  for (let i = 0; i < input.length; i++) output[i] = input[i] / 32768;
  return output;
}

/**
 * Floats to 16-bit PCM: `x * 32768`, rounded to the nearest integer (halves up), clipped to -32768 … 32767; NaN gives 0.
 *
 * Undoes {@link int16ToFloat} exactly.
 *
 * @param output - receives as many samples as `input` has; made when left out
 * @throws RangeError if `output` is shorter than `input`
 */
export function floatToInt16(input: Float32Array, output = new Int16Array(input.length)): Int16Array {
  checkRoom("floatToInt16", input.length, output.length);
  for (let i = 0; i < input.length; i++) {
    const scaled = Math.floor(input[i] * 32768 + 0.5);
    // Storing NaN in an Int16Array gives 0.
    output[i] = Math.max(-32768, Math.min(32767, scaled));
  }
  return output;
}

/**
 * The mean of all channels.
 *
 * @param channels - one array per channel, at least one, all of one length
 * @param output - receives the mono samples; made when left out
 * @throws TypeError if it gets samples instead of channels
 * @throws RangeError if there is no channel, their lengths differ, or `output` is shorter
 */
export function mixToMono(channels: readonly Float32Array[], output?: Float32Array): Float32Array {
  if (ArrayBuffer.isView(channels)) throw new TypeError("mixToMono: expected an array of channels, got samples");
  if (channels.length === 0) throw new RangeError("mixToMono: expected 1 channel or more, got none");
  const length = channels[0].length;
  if (channels.some((channel) => channel.length !== length)) {
    throw new RangeError(
      `mixToMono: expected channels of one length, got ${channels.map((channel) => channel.length).join(", ")}`,
    );
  }
  const mono = output ?? new Float32Array(length);
  checkRoom("mixToMono", length, mono.length);
  for (let i = 0; i < length; i++) {
    let sum = 0;
    for (let c = 0; c < channels.length; c++) sum += channels[c][i];
    mono[i] = sum / channels.length;
  }
  return mono;
}

/**
 * Refuses samples that are not finite numbers, before they touch any state.
 *
 * @param operation - named in the message
 * @param streamPosition - index of `samples[0]` in its stream
 * @throws DuplexError `AUDIO_INVALID` naming the first such sample; `details` has `index` in `samples` and `streamIndex`
 */
export function checkFinite(operation: string, samples: Float32Array, streamPosition: number): void {
  if (allFinite(samples)) return;
  for (let index = 0; index < samples.length; index++) {
    const value = samples[index];
    if (!Number.isFinite(value)) {
      const streamIndex = streamPosition + index;
      throw new DuplexError(
        "AUDIO_INVALID",
        `${operation}: expected finite samples, got ${value} at index ${index} (sample ${streamIndex} of the stream); nothing was taken in, replace the sample and write again`,
        { details: { index, streamIndex, value } },
      );
    }
  }
}

// x - x is 0 for finite numbers and NaN for others. Four sums that do not wait for each other take half the time of one.
function allFinite(samples: Float32Array): boolean {
  const count = samples.length;
  let a = 0;
  let b = 0;
  let c = 0;
  let d = 0;
  let i = 0;
  for (; i + 3 < count; i += 4) {
    a += samples[i] - samples[i];
    b += samples[i + 1] - samples[i + 1];
    c += samples[i + 2] - samples[i + 2];
    d += samples[i + 3] - samples[i + 3];
  }
  for (; i < count; i++) a += samples[i] - samples[i];
  return a + b + c + d === 0;
}

/** @throws RangeError if there is too little room for the samples to come */
export function checkRoom(operation: string, needed: number, got: number): void {
  if (got < needed) throw new RangeError(`${operation}: expected room for ${needed} samples, got ${got}`);
}
