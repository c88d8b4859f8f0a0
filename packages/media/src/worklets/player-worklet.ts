// The audio thread's side of the loudspeaker: a jitter buffer that the page fills, and reports on what was played.
// A file of its own in the package, loaded by `audioWorklet.addModule`.

import { audioThread, type ProcessorOptions } from "./audio-worklet-scope.js";
import { type PlayerOptions, type PlayerOrder, playerName, report, reportLength } from "./player-messages.js";
import { SpeechBuffer } from "./speech-buffer.js";

/** A report goes out after this many quanta at the latest, if anything has changed: 21 ms at 48 kHz. */
const reportQuanta = 8;

class PlayerProcessor extends audioThread.AudioWorkletProcessor {
  readonly #buffer: SpeechBuffer;
  readonly #report = new Float64Array(reportLength);
  #open = true;
  #flushes = 0;
  #quanta = 0;

  constructor({ processorOptions: options }: ProcessorOptions<PlayerOptions>) {
    super();
    const { sampleRate } = audioThread;
    const samples = (ms: number) => Math.max(1, Math.round((ms * sampleRate) / 1000));
    this.#buffer = new SpeechBuffer({
      sampleRate,
      prebuffer: samples(options.prebufferMs),
      maxPrebuffer: samples(options.maxPrebufferMs),
      bound: samples(options.maxQueuedMs),
      fade: samples(options.fadeMs),
    });
    this.port.onmessage = ({ data }: MessageEvent<PlayerOrder>) => {
      if (data === "close") this.#open = false;
      else if (data === "flush") {
        this.#buffer.flush();
        this.#flushes++;
      } else this.#buffer.push(data);
    };
  }

  process(_: Float32Array[][], outputs: Float32Array[][]): boolean {
    const output = outputs[0][0];
    const before = this.#buffer.heard;
    this.#buffer.render(output);
    const { heard, pushed, queued } = this.#buffer;
    const playing = heard !== before;
    const values = this.#report;
    this.#quanta++;
    // Where playing begins and ends, so that positions between two reports are known to a quantum.
    const turned = playing !== (values[report.playing] === 1) || values[report.flushes] !== this.#flushes;
    if (!turned && this.#quanta < reportQuanta) return this.#open;
    this.#quanta = 0;
    if (!turned && !playing && values[report.pushed] === pushed) return this.#open;
    values[report.frame] = audioThread.currentFrame + output.length;
    values[report.heard] = heard;
    values[report.pushed] = pushed;
    values[report.queued] = queued;
    values[report.underruns] = this.#buffer.underruns;
    values[report.dropped] = this.#buffer.dropped;
    values[report.rate] = this.#buffer.rate;
    values[report.level] = level(output);
    values[report.flushes] = this.#flushes;
    values[report.playing] = playing ? 1 : 0;
    this.port.postMessage(values);
    return this.#open;
  }
}

function level(samples: Float32Array): number {
  let sum = 0;
  for (let i = 0; i < samples.length; i++) sum += samples[i] * samples[i];
  return Math.sqrt(sum / samples.length);
}

audioThread.registerProcessor(playerName, PlayerProcessor);
