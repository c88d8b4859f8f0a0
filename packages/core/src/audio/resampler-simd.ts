// The inner loop of the resampler in WebAssembly, two products at a time: resampler-kernel.wat, here as bytes.
// The bits are those of the plain kernel, so it may be missing.

import type { PolyphaseFilter } from "./resampler-filter.js";
import { blockSamples, type ResamplerKernel } from "./resampler-kernel.js";

/** The module, in hexadecimal: what repeats in it then repeats in the text, and a compressed page is smaller than with base64. */
export const simdBytes =
  "0061736d01000000011c0360027b7b017d60077f7f7f7f7f7f7f0060087f7f7f7f7f7f7f7f000304030001020503010008071c03066d656d6f72790200057068" +
  "6173650001076f75747075747300020aaf05032e0044000000e0ffffefc744000000e0ffffef472000fd21002000fd2101a02001fd21002001fd2101a0a0a4a5" +
  "b60bec0202047f0b7b02400340200420064f0d01200220036a2108200820036a2109200920036a210a2015210d2015210e2015210f2015211020152111201521" +
  "122015211320152114410021070340200020076afd000400210b200020076afd000410210c200d200b200220076afd000400fdf201fdf001210d200e200c2002" +
  "20076afd000410fdf201fdf001210e200f200b200820076afd000400fdf201fdf001210f2010200c200820076afd000410fdf201fdf00121102011200b200920" +
  "076afd000400fdf201fdf00121112012200c200920076afd000410fdf201fdf00121122013200b200a20076afd000400fdf201fdf00121132014200c200a2007" +
  "6afd000410fdf201fdf0012114200741206a210720072001490d000b2004200d200e1000380200200420056a21042004200f20101000380200200420056a2104" +
  "2004201120121000380200200420056a21042004201320141000380200200420056a2104200a20036a21020c000b0b0b8f0202037f057b02400340200620074f" +
  "0d01200020026a2109200420056a210a200920034f0440200920036b2109200a41086a210a0b200f210b200f210c200f210d200f210e410021080340200b2000" +
  "20086afd000400200420086afd000400fdf201fdf001210b200c200020086afd000410200420086afd000410fdf201fdf001210c200d200920086afd00040020" +
  "0a20086afd000400fdf201fdf001210d200e200920086afd000410200a20086afd000410fdf201fdf001210e200841206a210820082001490d000b2006200b20" +
  "0c10003802002006200d200e1000380204200641086a2106200920026a2100200a20056a2104200020034f0440200020036b2100200441086a21040b0c000b0b" +
  "0b";

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
    const code = Uint8Array.from(simdBytes.match(/../g) ?? [], (byte) => Number.parseInt(byte, 16));
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
