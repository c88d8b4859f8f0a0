// The microphone of a session: device, audio thread, ring, session. Whatever becomes of the device, time goes on:
// a device that is muted, changed or unplugged gives silence, so that the session clock (rule 1) never stands still.

import { type DuplexSession, prepareResampler } from "@microturn/core";
import { CaptureDevice } from "./capture-device.js";
import { askForStream, stopTracks, throwIfAborted, throwIfEnded } from "./media-devices.js";
import { audioState, loadWorklet, type SessionAudio, shareAudio } from "./session-audio.js";
import { type CaptureMessage, type CaptureOptions, captureName } from "./worklets/capture-messages.js";
import { ringMemory, SampleRing } from "./worklets/sample-ring.js";

/**
 * What a microphone does: `live`; `held` by the system (a call, a privacy switch), `lost` (unplugged), each silent but keeping
 * time; `suspended` or `interrupted` with the page's audio, where time stands still; `closed`.
 */
export type MicrophoneState = "live" | "held" | "lost" | "suspended" | "interrupted" | "closed";

/** Options of {@link attachMicrophone}. */
export interface MicrophoneOptions {
  /** One of `devices()`; default the system's. */
  readonly deviceId?: string;
  /** Wished, not required; see `settings` for what is in force. Default true. */
  readonly echoCancellation?: boolean;
  /** Wished; default true. */
  readonly noiseSuppression?: boolean;
  /** Wished; default true. */
  readonly autoGainControl?: boolean;
  /** A stream of the app's own in place of a device; its tracks are not stopped here. */
  readonly stream?: MediaStream;
  /** A context of the app's own; it is not closed here, and starting it is the app's work. */
  readonly audioContext?: AudioContext;
  /** Where `capture-worklet.js` is; default beside this module. */
  readonly workletUrl?: string | URL;
  /** Starts silent; default false. */
  readonly muted?: boolean;
  /** Gives up while it opens, and closes the microphone later. */
  readonly signal?: AbortSignal;
  /** Called whenever `state` has changed. */
  readonly onStateChange?: (state: MicrophoneState) => void;
}

/** A microphone that a session hears. */
export interface Microphone extends AsyncDisposable {
  readonly state: MicrophoneState;
  /** Sends silence while true, and the device gives nothing to the page either. */
  muted: boolean;
  /** Root mean square of the last 10 ms or so, 0 … 1. */
  readonly level: number;
  /** Samples, at the rate of the context, that were lost because the page was busy for longer than 2 s. */
  readonly lostSamples: number;
  /** What is really in force for the present device: echo cancellation, noise suppression, gain control, rate. */
  readonly settings: MediaTrackSettings;
  /** The stream that is heard now: for a meter, or a recorder. */
  readonly stream: MediaStream;
  /** Resolves when it has closed, for any reason. */
  readonly ended: Promise<void>;
  /** Microphones of this machine. */
  devices(): Promise<MediaDeviceInfo[]>;
  /**
   * Goes over to another device; the session clock goes on meanwhile. If it fails, the present one stays.
   *
   * @throws DuplexError `MEDIA_UNAVAILABLE`; `SESSION_CLOSED` after `close`
   */
  use(deviceId: string): Promise<void>;
  /** Lets the device go, and the context if no one else uses it. The session stays open. Double close is fine. */
  close(): Promise<void>;
}

/** Samples that reach the page at once, s: what the session hears is no later than this. */
const blockSeconds = 0.01;
/** How long a page may be busy until samples are lost, s: what a session still catches up (rule 3). */
const capacitySeconds = 2;

/**
 * Lets a session hear the user. Call it, or the code around it, from a click: browsers start sound for a user's gesture only.
 *
 * @throws TypeError if the session has a microphone already
 * @throws RangeError if the engine's rate is none of 8000 … 192 000 Hz
 * @throws DuplexError `MEDIA_UNAVAILABLE` with `details.reason`, `SESSION_CLOSED`, `ABORTED`
 * @example
 * const microphone = await attachMicrophone(session);
 * microphone.muted = true; // the session goes on, and hears silence
 */
export async function attachMicrophone(session: DuplexSession, options: MicrophoneOptions = {}): Promise<Microphone> {
  const operation = "attachMicrophone";
  throwIfEnded(operation, session);
  if (heard.has(session)) {
    throw new TypeError(
      `${operation}: this session has a microphone; change its device with use(), mix streams of your own, or close it first`,
    );
  }
  const { signal, workletUrl = new URL("./capture-worklet.js", import.meta.url) } = options;
  throwIfAborted(operation, signal);
  // First of all, as the gesture that makes it run passes soon.
  const audio = shareAudio(operation, session, options.audioContext);
  heard.add(session);
  let stream: MediaStream | undefined;
  try {
    stream = await settleBoth(
      options.stream ?? openDevice(operation, options, options.deviceId, signal),
      Promise.all([
        loadWorklet(operation, audio.context, workletUrl),
        // The session makes its resampler at the first samples, and finds the filter then.
        prepareResampler({
          inputRate: audio.context.sampleRate,
          outputRate: session.capabilities.inputSampleRate,
          quality: session.settings.resampler,
        }),
      ]),
    );
    throwIfAborted(operation, signal);
    throwIfEnded(operation, session);
    return new SessionMicrophone(session, audio, stream, options);
  } catch (error) {
    if (stream !== undefined && options.stream === undefined) stopTracks(stream);
    heard.delete(session);
    await audio.release();
    throw error;
  }
}

/** Sessions that have a microphone: samples of a second one would make the clock run twice as fast. */
const heard = new WeakSet<DuplexSession>();

/** Waits for both; if the second fails, the stream is let go. */
async function settleBoth(stream: MediaStream | Promise<MediaStream>, other: Promise<unknown>): Promise<MediaStream> {
  const [first, second] = await Promise.allSettled([stream, other]);
  if (first.status === "rejected") throw first.reason;
  if (second.status === "rejected") {
    if (stream instanceof Promise) stopTracks(first.value);
    throw second.reason;
  }
  return first.value;
}

function openDevice(
  operation: string,
  { echoCancellation = true, noiseSuppression = true, autoGainControl = true }: MicrophoneOptions,
  deviceId: string | undefined,
  signal?: AbortSignal,
): Promise<MediaStream> {
  const audio: MediaTrackConstraints = {
    echoCancellation: { ideal: echoCancellation },
    noiseSuppression: { ideal: noiseSuppression },
    autoGainControl: { ideal: autoGainControl },
    channelCount: { ideal: 1 },
    ...(deviceId === undefined ? {} : { deviceId: { exact: deviceId } }),
  };
  return askForStream(operation, "microphone", (devices) => devices.getUserMedia({ audio }), signal);
}

class SessionMicrophone implements Microphone {
  readonly ended: Promise<void>;
  readonly #session: DuplexSession;
  readonly #audio: SessionAudio;
  readonly #options: MicrophoneOptions;
  readonly #device: CaptureDevice;
  readonly #node: AudioWorkletNode;
  readonly #ring: SampleRing | undefined;
  readonly #piece: Float32Array;
  #source: MediaStreamAudioSourceNode;
  #level = 0;
  #lost = 0;
  #state: MicrophoneState = "live";
  #closing: Promise<void> | undefined;
  #resolveEnded: () => void = () => {};

  constructor(session: DuplexSession, audio: SessionAudio, stream: MediaStream, options: MicrophoneOptions) {
    const { context } = audio;
    this.#session = session;
    this.#audio = audio;
    this.#options = options;
    this.ended = new Promise((resolve) => {
      this.#resolveEnded = resolve;
    });
    this.#device = new CaptureDevice({
      kind: "audioinput",
      stream,
      ours: options.stream === undefined,
      open: (deviceId) => openDevice("use", options, deviceId),
      onStream: (next) => this.#connect(next),
      onChange: () => this.#update(),
    });
    const capacity = Math.round(capacitySeconds * context.sampleRate);
    const blockSamples = Math.round(blockSeconds * context.sampleRate);
    this.#piece = new Float32Array(4 * blockSamples);
    const memory = globalThis.crossOriginIsolated === true ? ringMemory(capacity, true) : undefined;
    this.#ring = memory === undefined ? undefined : new SampleRing(memory);
    const processorOptions: CaptureOptions = { blockSamples, capacity, ...(memory && { ring: memory }) };
    this.#node = new AudioWorkletNode(context, captureName, {
      channelCount: 1,
      channelCountMode: "explicit",
      numberOfInputs: 1,
      numberOfOutputs: 1,
      outputChannelCount: [1],
      processorOptions,
    });
    this.#node.port.onmessage = ({ data }: MessageEvent<CaptureMessage>) => this.#receive(data);
    this.#source = context.createMediaStreamSource(stream);
    this.#source.connect(this.#node);
    // It gives silence; a node that leads nowhere would not run.
    this.#node.connect(context.destination);
    this.muted = options.muted === true;
    context.addEventListener("statechange", this.#update);
    options.signal?.addEventListener("abort", this.#abort, { once: true });
    void session.ended.then(() => this.close());
    this.#update();
  }

  get state(): MicrophoneState {
    return this.#state;
  }

  get muted(): boolean {
    return this.#device.muted;
  }

  set muted(muted: boolean) {
    this.#device.muted = muted;
    if (muted) this.#level = 0;
  }

  get level(): number {
    return this.#level;
  }

  get lostSamples(): number {
    return this.#ring?.lost ?? this.#lost;
  }

  get settings(): MediaTrackSettings {
    return this.#device.track.getSettings();
  }

  get stream(): MediaStream {
    return this.#device.stream;
  }

  devices(): Promise<MediaDeviceInfo[]> {
    return this.#device.devices();
  }

  use(deviceId: string): Promise<void> {
    return this.#device.use(deviceId);
  }

  close(): Promise<void> {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  #connect(stream: MediaStream): void {
    const before = this.#source;
    this.#source = this.#audio.context.createMediaStreamSource(stream);
    this.#source.connect(this.#node);
    before.disconnect();
  }

  #receive(message: CaptureMessage): void {
    if (typeof message === "number") {
      this.#lost = message;
      return;
    }
    if (message !== "samples") {
      this.#take(message);
      this.#node.port.postMessage(message, [message.buffer]);
      return;
    }
    const ring = this.#ring;
    ring?.awake();
    for (let count = 1; ring !== undefined && count > 0; ) {
      count = ring.read(this.#piece);
      if (count > 0) this.#take(this.#piece.subarray(0, count));
    }
  }

  #take(samples: Float32Array): void {
    if (this.#closing !== undefined) return;
    if (this.muted) samples.fill(0);
    else this.#level = rootMeanSquare(samples);
    // A live source cannot wait; what the session refuses is told by its own event.
    void this.#session.writeAudio(samples, { sampleRate: this.#audio.context.sampleRate });
  }

  readonly #update = (): void => {
    const before = this.#state;
    this.#state = this.#stateNow();
    if (this.#state !== before) this.#options.onStateChange?.(this.#state);
    // Someone else closed the context: there is no way on from there.
    if (audioState(this.#audio.context) === "closed") void this.close();
  };

  #stateNow(): MicrophoneState {
    const audio = audioState(this.#audio.context);
    if (this.#closing !== undefined || audio === "closed") return "closed";
    const device = this.#device.state;
    return device === "lost" || audio === "running" ? device : audio;
  }

  readonly #abort = (): void => {
    void this.close();
  };

  async #close(): Promise<void> {
    // `close` has set `#closing` when this goes on.
    await undefined;
    this.#level = 0;
    this.#audio.context.removeEventListener("statechange", this.#update);
    this.#options.signal?.removeEventListener("abort", this.#abort);
    this.#node.port.postMessage("close");
    this.#node.port.onmessage = null;
    this.#source.disconnect();
    this.#node.disconnect();
    this.#device.close();
    this.#update();
    heard.delete(this.#session);
    await this.#audio.release();
    this.#resolveEnded();
  }
}

function rootMeanSquare(samples: Float32Array): number {
  let sum = 0;
  for (let i = 0; i < samples.length; i++) sum += samples[i] * samples[i];
  return Math.sqrt(sum / Math.max(1, samples.length));
}
