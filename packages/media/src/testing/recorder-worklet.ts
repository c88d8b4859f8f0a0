// Records whatever flows through it, with the frame of the first sample: sent to the page when it asks.

import { audioThread } from "../worklets/audio-worklet-scope.js";

class Recorder extends audioThread.AudioWorkletProcessor {
  readonly #samples = new Float32Array(audioThread.sampleRate * 60);
  #count = 0;
  #first = 0;
  readonly #marks: number[] = [];

  constructor() {
    super();
    this.port.onmessage = ({ data }) => {
      // A mark notes when the audio thread saw it.
      if (data === "mark") this.#marks.push(this.#count);
      else {
        this.port.postMessage({
          samples: this.#samples.slice(0, this.#count),
          firstFrame: this.#first,
          marks: this.#marks.slice(),
        });
      }
    };
  }

  process([[input]]: Float32Array[][], [[output]]: Float32Array[][]): boolean {
    if (this.#count === 0) this.#first = audioThread.currentFrame;
    if (this.#count + output.length > this.#samples.length) return true;
    if (input !== undefined) {
      this.#samples.set(input, this.#count);
      output.set(input);
    }
    this.#count += output.length;
    return true;
  }
}

audioThread.registerProcessor("recorder", Recorder);
