// The audio thread's side of the microphone: every quantum of input, or of silence where there is none, goes to the page.
// A file of its own in the package, loaded by `audioWorklet.addModule`.

import { audioThread, type ProcessorOptions } from "./audio-worklet-scope.js";
import { BlockPool } from "./block-pool.js";
import { type CaptureMessage, type CaptureOptions, type CaptureReply, captureName } from "./capture-messages.js";
import { SampleRing } from "./sample-ring.js";

class CaptureProcessor extends audioThread.AudioWorkletProcessor {
  readonly #write: (samples: Float32Array) => void;
  #silence = new Float32Array(128);
  #open = true;

  constructor({ processorOptions: { blockSamples, capacity, ring } }: ProcessorOptions<CaptureOptions>) {
    super();
    const nothing: Transferable[] = [];
    const send = (message: CaptureMessage, transfer = nothing) => this.port.postMessage(message, transfer);
    let give: (block: Float32Array<ArrayBuffer>) => void = () => {};
    if (ring === undefined) {
      const sizes = { blockSamples, blocks: Math.max(2, Math.ceil(capacity / blockSamples)) };
      const transfer: Transferable[] = [];
      let lost = 0;
      const pool = new BlockPool(sizes, (block) => {
        transfer[0] = block.buffer;
        send(block, transfer);
        if (pool.lost === lost) return;
        lost = pool.lost;
        send(lost);
      });
      this.#write = (samples) => pool.write(samples);
      give = (block) => pool.give(block);
    } else {
      const shared = new SampleRing(ring);
      this.#write = (samples) => {
        shared.write(samples);
        if (shared.length >= blockSamples && shared.wake()) send("samples");
      };
    }
    this.port.onmessage = ({ data }: MessageEvent<CaptureReply>) => {
      if (data === "close") this.#open = false;
      else give(data);
    };
  }

  /** Without a source there is no channel; time goes on all the same. */
  process(inputs: Float32Array[][], outputs: Float32Array[][]): boolean {
    const samples = inputs[0][0] ?? this.#silentQuantum(outputs[0][0].length);
    if (this.#open) this.#write(samples);
    return this.#open;
  }

  #silentQuantum(length: number): Float32Array {
    if (this.#silence.length !== length) this.#silence = new Float32Array(length);
    return this.#silence;
  }
}

audioThread.registerProcessor(captureName, CaptureProcessor);
