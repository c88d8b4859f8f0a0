// G.711: 8-bit telephone samples at 8 kHz, mu-law and A-law, as ITU-T G.711 lays them out. One table per law to decode.

const muTable = Float32Array.from({ length: 256 }, (_, code) => decodeMu(code) / 32768);
const aTable = Float32Array.from({ length: 256 }, (_, code) => decodeA(code) / 32768);

/** @param output - receives samples in [-1, 1]; made when left out */
export function decodeMuLaw(bytes: Uint8Array, output = new Float32Array(bytes.length)): Float32Array {
  for (let i = 0; i < bytes.length; i++) output[i] = muTable[bytes[i]];
  return output;
}

/** @param output - receives samples in [-1, 1]; made when left out */
export function decodeALaw(bytes: Uint8Array, output = new Float32Array(bytes.length)): Float32Array {
  for (let i = 0; i < bytes.length; i++) output[i] = aTable[bytes[i]];
  return output;
}

/** @param samples - in [-1, 1]; what is outside is clipped */
export function encodeMuLaw(samples: Float32Array): Uint8Array {
  return Uint8Array.from(samples, (sample) => encodeMu(toInt16(sample)));
}

/** @param samples - in [-1, 1]; what is outside is clipped */
export function encodeALaw(samples: Float32Array): Uint8Array {
  return Uint8Array.from(samples, (sample) => encodeA(toInt16(sample)));
}

function toInt16(sample: number): number {
  return Math.max(-32768, Math.min(32767, Math.round(sample * 32768)));
}

function decodeMu(code: number): number {
  const bits = ~code & 0xff;
  const size = (((bits & 0x0f) << 3) + 0x84) << ((bits & 0x70) >> 4);
  return bits & 0x80 ? 0x84 - size : size - 0x84;
}

function encodeMu(value: number): number {
  const sign = value < 0 ? 0x80 : 0;
  const size = Math.min(32635, Math.abs(value)) + 0x84;
  const exponent = 24 - Math.clz32(size);
  return ~(sign | (exponent << 4) | ((size >> (exponent + 3)) & 0x0f)) & 0xff;
}

function decodeA(code: number): number {
  const bits = code ^ 0x55;
  const exponent = (bits & 0x70) >> 4;
  const step = (bits & 0x0f) << 4;
  const size = exponent === 0 ? step + 8 : (step + 0x108) << (exponent - 1);
  return bits & 0x80 ? size : -size;
}

function encodeA(value: number): number {
  const sign = value >= 0 ? 0x80 : 0;
  // Of the negative ones, -1 is the first step.
  const size = Math.min(32767, value >= 0 ? value : -value - 1) >> 4;
  const exponent = size < 16 ? 0 : 28 - Math.clz32(size);
  const step = exponent === 0 ? size : (size >> (exponent - 1)) & 0x0f;
  return (sign | (exponent << 4) | step) ^ 0x55;
}
