// Records whatever flows through it, and when the page set a mark: sent to the page when it asks.

import { audioThread } from "../worklets/audio-worklet-scope.js";

class Recorder extends audioThread.AudioWorkletProcessor {
  readonly #samples = new Float32Array(audioThread.sampleRate * 60);
  #count = 0;
  readonly #marks: { at: number; frame: number }[] = [];

  constructor() {
    super();
    this.port.onmessage = ({ data }) => {
      if (data === "mark") this.#marks.push({ at: this.#count, frame: audioThread.currentFrame });
      else {
        this.port.postMessage({
          samples: this.#samples.slice(0, this.#count),
          marks: this.#marks.slice(),
        });
      }
    };
  }

  process([[input]]: Float32Array[][], [[output]]: Float32Array[][]): boolean {
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
