// The inner loop of the resampler in WebAssembly, two products at a time: resampler-kernel.wat, here as bytes.
// The bits are those of the plain kernel, so it may be missing.

import type { PolyphaseFilter } from "./resampler-filter.js";
import { blockSamples, type ResamplerKernel } from "./resampler-kernel.js";

/** The module, in base64. */
export const simdBytes =
  "AGFzbQEAAAABHANgAnt7AX1gB39/f39/f38AYAh/f39/f39/fwADBAMAAQIFAwEACAccAwZtZW1vcnkCAAVwaGFzZQABB291dHB1dHMAAgqvBQMuAEQAAADg///v" +
  "x0QAAADg///vRyAA/SEAIAD9IQGgIAH9IQAgAf0hAaCgpKW2C+wCAgR/C3sCQANAIAQgBk8NASACIANqIQggCCADaiEJIAkgA2ohCiAVIQ0gFSEOIBUhDyAVIRAg" +
  "FSERIBUhEiAVIRMgFSEUQQAhBwNAIAAgB2r9AAQAIQsgACAHav0ABBAhDCANIAsgAiAHav0ABAD98gH98AEhDSAOIAwgAiAHav0ABBD98gH98AEhDiAPIAsgCCAH" +
  "av0ABAD98gH98AEhDyAQIAwgCCAHav0ABBD98gH98AEhECARIAsgCSAHav0ABAD98gH98AEhESASIAwgCSAHav0ABBD98gH98AEhEiATIAsgCiAHav0ABAD98gH9" +
  "8AEhEyAUIAwgCiAHav0ABBD98gH98AEhFCAHQSBqIQcgByABSQ0ACyAEIA0gDhAAOAIAIAQgBWohBCAEIA8gEBAAOAIAIAQgBWohBCAEIBEgEhAAOAIAIAQgBWoh" +
  "BCAEIBMgFBAAOAIAIAQgBWohBCAKIANqIQIMAAsLC48CAgN/BXsCQANAIAYgB08NASAAIAJqIQkgBCAFaiEKIAkgA08EQCAJIANrIQkgCkEIaiEKCyAPIQsgDyEM" +
  "IA8hDSAPIQ5BACEIA0AgCyAAIAhq/QAEACAEIAhq/QAEAP3yAf3wASELIAwgACAIav0ABBAgBCAIav0ABBD98gH98AEhDCANIAkgCGr9AAQAIAogCGr9AAQA/fIB" +
  "/fABIQ0gDiAJIAhq/QAEECAKIAhq/QAEEP3yAf3wASEOIAhBIGohCCAIIAFJDQALIAYgCyAMEAA4AgAgBiANIA4QADgCBCAGQQhqIQYgCSACaiEAIAogBWohBCAA" +
  "IANPBEAgACADayEAIARBCGohBAsMAAsLCw==";

/**
 * What fits: the sizes of the three parts of the memory below follow from these. The table has room for the default quality between
 * 44.1 kHz and 16, 24, 32 or 48 kHz, either way, where it has 80 to 441 phases.
 */
const mostTableTaps = 32_768;
const mostTaps = 4096;

/** Up to so many phases, the outputs of one phase are made together; a block of short chunks has few of each if there are more. */
const mostSharedPhases = 16;

/** Parts of the memory, by the byte at which they begin: the taps of all phases (at 0), history and block, outputs. */
const signalAt = 8 * mostTableTaps;
/** Of a ratio of 1 to 24, the most there is, up to 3 outputs of a phase are made that nobody asked for: their inputs, too, must be there. */
const signalSamples = mostTaps + blockSamples + 3 * 24 * mostSharedPhases;
const outputAt = signalAt + 8 * signalSamples;

/** The part of the platform that is needed; its types belong to browsers. */
interface WebAssemblyLike {
  readonly Module: new (bytes: Uint8Array) => object;
  readonly Instance: new (module: object) => { readonly exports: object };
}

/** See resampler-kernel.wat. */
interface Exports {
  readonly memory: { readonly buffer: ArrayBuffer };
  phase(row: number, length: number, at: number, step: number, out: number, outStep: number, end: number): void;
  outputs(
    row: number,
    length: number,
    rowStep: number,
    rowsEnd: number,
    at: number,
    atStep: number,
    out: number,
    end: number,
  ): void;
}

let made: { readonly kernel: ResamplerKernel | undefined } | undefined;

/** The fast kernel; undefined if the filter is too large for it, or the platform has no SIMD or forbids to compile. */
export function simdKernel(filter: PolyphaseFilter): ResamplerKernel | undefined {
  if (!fits(filter)) return undefined;
  made ??= { kernel: makeSimdKernel((globalThis as { WebAssembly?: WebAssemblyLike }).WebAssembly) };
  return made.kernel;
}

/** Makes a kernel; undefined where it cannot be made. */
export function makeSimdKernel(platform: WebAssemblyLike | undefined): ResamplerKernel | undefined {
  if (platform === undefined) return undefined;
  let exports: Exports;
  try {
    const code = Uint8Array.from(atob(simdBytes), (character) => character.charCodeAt(0));
    exports = new platform.Instance(new platform.Module(code)).exports as Exports;
  } catch {
    // No SIMD, or a page's content security policy: the plain kernel gives the same bits.
    return undefined;
  }
  const { buffer } = exports.memory;
  const table = new Float64Array(buffer, 0, mostTableTaps);
  const signal = new Float64Array(buffer, signalAt, signalSamples);
  const outputs = new Float32Array(buffer, outputAt);
  let loaded: Float64Array | undefined;
  return {
    run(filter, { history, input, skip, phase }, output) {
      if (loaded !== filter.table) table.set(filter.table);
      loaded = filter.table;
      signal.set(history);
      signal.set(input, history.length);
      const at = signalAt + 8 * skip;
      const end = outputAt + 4 * output.length;
      if (filter.up <= mostSharedPhases) byPhases(exports, filter, at, phase, end);
      else {
        const { up, down, taps } = filter;
        const length = 8 * taps;
        const whole = Math.floor(down / up);
        exports.outputs(phase * length, length, (down % up) * length, up * length, at, 8 * whole, outputAt, end);
      }
      output.set(outputs.subarray(0, output.length));
    },
  };
}

/** Output i and those at i + up, i + 2 up ... have the same phase, and lie `down` inputs apart. */
function byPhases(
  { phase }: Exports,
  { up, down, taps }: PolyphaseFilter,
  at: number,
  beyond: number,
  end: number,
): void {
  for (let out = outputAt; out < outputAt + 4 * up && out < end; out += 4) {
    phase(8 * beyond * taps, 8 * taps, at, 8 * down, out, 4 * up, end);
    beyond += down;
    const whole = Math.floor(beyond / up);
    at += 8 * whole;
    beyond -= whole * up;
  }
}

function fits({ up, rows, taps, table }: PolyphaseFilter): boolean {
  return rows === up && taps <= mostTaps && table.length <= mostTableTaps;
}
