// Recordings on their way from a page to its test, and what can be heard in them.

/** Samples as text: a typed array does not survive the way from a page to its test. */
export interface Listening {
  /** Little-endian 32-bit floats in base64. */
  readonly base64: string;
}

/** In the page: samples to text. */
export function toText(samples: Float32Array): Listening {
  const bytes = new Uint8Array(samples.buffer, samples.byteOffset, samples.byteLength);
  let text = "";
  for (let at = 0; at < bytes.length; at += 8192) text += String.fromCharCode(...bytes.subarray(at, at + 8192));
  return { base64: btoa(text) };
}

/** In the test: text to samples. */
export function listen({ base64 }: Listening): Float32Array {
  const bytes = Uint8Array.from(Buffer.from(base64, "base64"));
  return new Float32Array(bytes.buffer);
}

/** Stretches of sound: what is between silences of at least `gap` samples. */
export function stretches(samples: Float32Array, gap: number): { readonly from: number; readonly to: number }[] {
  const found: { from: number; to: number }[] = [];
  for (let at = 0; at < samples.length; at++) {
    if (samples[at] === 0) continue;
    const last = found.at(-1);
    if (last !== undefined && at - last.to < gap) last.to = at + 1;
    else found.push({ from: at, to: at + 1 });
  }
  return found;
}

/** Best correlation of `part` with any place of `whole`, -1 … 1, and that place. */
export function bestMatch(
  whole: Float32Array,
  part: Float32Array,
): { readonly correlation: number; readonly at: number } {
  const coarse = 4;
  const thin = (samples: Float32Array) =>
    Float32Array.from({ length: Math.floor(samples.length / coarse) }, (_, i) => {
      let sum = 0;
      for (let k = 0; k < coarse; k++) sum += samples[coarse * i + k];
      return sum;
    });
  const [thinWhole, thinPart] = [thin(whole), thin(part)];
  let best = { correlation: -1, at: 0 };
  for (let at = 0; at + thinPart.length <= thinWhole.length; at++) {
    const correlation = correlationAt(thinWhole, thinPart, at);
    if (correlation > best.correlation) best = { correlation, at: coarse * at };
  }
  const around = best.at;
  best = { correlation: -1, at: 0 };
  for (let at = Math.max(0, around - 8); at < around + 8 && at + part.length <= whole.length; at++) {
    const correlation = correlationAt(whole, part, at);
    if (correlation > best.correlation) best = { correlation, at };
  }
  return best;
}

function correlationAt(whole: Float32Array, part: Float32Array, at: number): number {
  let [xy, xx, yy] = [0, 1e-12, 1e-12];
  for (let i = 0; i < part.length; i++) {
    const x = whole[at + i];
    const y = part[i];
    xy += x * y;
    xx += x * x;
    yy += y * y;
  }
  return xy / Math.sqrt(xx * yy);
}
