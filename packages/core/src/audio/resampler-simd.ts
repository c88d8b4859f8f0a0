// The inner loop of the resampler in WebAssembly, two products at a time: resampler-kernel.wat, here as bytes.
// For ratios of few phases, such as 24 to 16 or 16 to 48 kHz. The bits are those of the plain kernel, so it may be missing.

import type { PolyphaseFilter } from "./resampler-filter.js";
import { blockSamples, type ResamplerKernel } from "./resampler-kernel.js";

/** The module, in base64. */
export const simdBytes =
  "AGFzbQEAAAABEQJgAnt7AX1gB39/f39/f38AAwMCAAEFAwEABAcSAgZtZW1vcnkCAAVwaGFzZQABCp4DAi4ARAAAAOD//+/HRAAAAOD//+9HIAD9IQAgAP" +
  "0hAaAgAf0hACAB/SEBoKCkpbYL7AICBH8LewJAA0AgBCAGTw0BIAIgA2ohCCAIIANqIQkgCSADaiEKIBUhDSAVIQ4gFSEPIBUhECAVIREgFSESIBUhEyAV" +
  "IRRBACEHA0AgACAHav0ABAAhCyAAIAdq/QAEECEMIA0gCyACIAdq/QAEAP3yAf3wASENIA4gDCACIAdq/QAEEP3yAf3wASEOIA8gCyAIIAdq/QAEAP3yAf" +
  "3wASEPIBAgDCAIIAdq/QAEEP3yAf3wASEQIBEgCyAJIAdq/QAEAP3yAf3wASERIBIgDCAJIAdq/QAEEP3yAf3wASESIBMgCyAKIAdq/QAEAP3yAf3wASET" +
  "IBQgDCAKIAdq/QAEEP3yAf3wASEUIAdBIGohByAHIAFJDQALIAQgDSAOEAA4AgAgBCAFaiEEIAQgDyAQEAA4AgAgBCAFaiEEIAQgESASEAA4AgAgBCAFai" +
  "EEIAQgEyAUEAA4AgAgBCAFaiEEIAogA2ohAgwACwsL";

/** What fits: the sizes of the three parts of the memory below follow from these. */
const mostPhases = 16;
const mostTaps = 4096;

/** Parts of the memory, by the byte at which they begin: the taps of all phases, history and block, outputs. */
const tableAt = 0;
const signalAt = tableAt + 8 * mostTaps;
/** Of a ratio of 1 to 24, the most there is, up to 3 outputs of a phase are made that nobody asked for: their inputs, too, must be there. */
const signalSamples = mostTaps + blockSamples + 3 * 24 * mostPhases;
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
  const table = new Float64Array(buffer, tableAt, mostTaps);
  const signal = new Float64Array(buffer, signalAt, signalSamples);
  const outputs = new Float32Array(buffer, outputAt);
  return {
    run(filter, { history, input, skip, phase }, output) {
      const { up, down, taps } = filter;
      table.set(filter.table);
      signal.set(history);
      signal.set(input, history.length);
      const end = outputAt + 4 * output.length;
      let at = skip;
      let beyond = phase;
      // Output i and those at i + up, i + 2 up ... have the same phase, and lie `down` inputs apart.
      for (let i = 0; i < up && i < output.length; i++) {
        const row = tableAt + 8 * beyond * taps;
        exports.phase(row, 8 * taps, signalAt + 8 * at, 8 * down, outputAt + 4 * i, 4 * up, end);
        beyond += down;
        const whole = Math.floor(beyond / up);
        at += whole;
        beyond -= whole * up;
      }
      output.set(outputs.subarray(0, output.length));
    },
  };
}

function fits({ up, rows, table }: PolyphaseFilter): boolean {
  return rows === up && up <= mostPhases && table.length <= mostTaps;
}
