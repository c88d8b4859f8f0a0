// The loudspeaker of a session: what the assistant says goes to the audio thread, and stops within a quantum when it yields.
// It knows what was heard, not only what was sent (rule 4), and keeps flushed sound out by its fence (rule 5).

import {
  DuplexError,
  type DuplexSession,
  type FlushEvent,
  prepareResampler,
  Resampler,
  type SpeechEvent,
} from "@microturn/core";
import { type HeardPosition, HeardTrack, type TurnSound } from "./heard-track.js";
import { listDevices, throwIfAborted, throwIfEnded } from "./media-devices.js";
import { type AudioState, audioState, loadWorklet, type SessionAudio, shareAudio } from "./session-audio.js";
import { type PlayerOptions, type PlayerOrder, playerName, report, reportLength } from "./worklets/player-messages.js";

/** Options of {@link attachSpeaker}. */
export interface SpeakerOptions {
  /** A context of the app's own; it is not closed here, and starting it is the app's work. */
  readonly audioContext?: AudioContext;
  /** Where `player-worklet.js` is; default beside this module. */
  readonly workletUrl?: string | URL;
  /** Where the sound goes, a node of the same context; default its destination. */
  readonly destination?: AudioNode;
  /** 0 … 1, default 1. */
  readonly volume?: number;
  /** Silence before the first sound of a stretch, ms, 0 … 1000: what a reply may come late without a gap. Default 40. */
  readonly prebufferMs?: number;
  /** Where that ends after replies that did come late, ms, `prebufferMs` … 1000; default 80 or `prebufferMs`. */
  readonly maxPrebufferMs?: number;
  /** Sound that waits at most, ms, 100 … 600 000; beyond, the oldest is dropped, down to half of it. Default 1000. */
  readonly maxQueuedMs?: number;
  /** Length of fades, ms, 1 … 10; default 5. */
  readonly fadeMs?: number;
  /** Closes the speaker. */
  readonly signal?: AbortSignal;
  /** Called whenever `state` has changed. */
  readonly onStateChange?: (state: AudioState) => void;
}

/** What became of the sound so far. */
export interface SpeakerStatistics {
  /** Sound that waits to be played, ms. */
  readonly queuedMs: number;
  /** Times that sound came too late. */
  readonly underruns: number;
  /** Sound that was dropped because too much waited, ms. */
  readonly droppedMs: number;
  /** Speed at which it plays now, 0.995 … 1.005: 1 but for corrections of clock drift. */
  readonly rate: number;
}

/** A loudspeaker that a session speaks through. */
export interface Speaker extends AsyncDisposable {
  /** `suspended` until the browser lets sound begin: then call `resume()` from a click. */
  readonly state: AudioState;
  /**
   * Resolves when it can play.
   *
   * @throws DuplexError `MEDIA_UNAVAILABLE` if the audio thread did not start
   * @throws RangeError if the engine's rate is none of 8000 … 192 000 Hz
   */
  readonly ready: Promise<void>;
  /** 0 … 1. */
  volume: number;
  /** Root mean square of what is played, 0 … 1. */
  readonly level: number;
  /** The last sound that left the loudspeaker, as far as the browser knows its latency; undefined before any has. */
  readonly heard: HeardPosition | undefined;
  readonly statistics: SpeakerStatistics;
  /** Resolves when it has closed, for any reason. */
  readonly ended: Promise<void>;
  /** Starts the page's audio. Call it from a click or a key. @throws DuplexError `SESSION_CLOSED` */
  resume(): Promise<void>;
  /** Loudspeakers of this machine; browsers without the choice name none. */
  devices(): Promise<MediaDeviceInfo[]>;
  /**
   * Plays on another device, `""` for the system's. When it is unplugged, the system's takes over.
   *
   * @throws DuplexError `UNSUPPORTED` where the browser leaves no choice, `MEDIA_UNAVAILABLE` if the device does not work
   */
  use(deviceId: string): Promise<void>;
  /** Fades out, forgets what waits, and lets the context go. The session stays open. Double close is fine. */
  close(): Promise<void>;
}

/**
 * Plays what the assistant says. The context starts here if the browser lets it: call it, or the code around it, from a click.
 * When the session ends, what is queued is played to its end; then everything is let go.
 *
 * @throws RangeError for an option out of its range
 * @throws DuplexError `MEDIA_UNAVAILABLE` in a browser without AudioWorklet, `SESSION_CLOSED`, `ABORTED`
 * @example
 * const speaker = attachSpeaker(session);
 * button.onclick = () => speaker.resume(); // if speaker.state is "suspended"
 */
export function attachSpeaker(session: DuplexSession, options: SpeakerOptions = {}): Speaker {
  const operation = "attachSpeaker";
  throwIfEnded(operation, session);
  throwIfAborted(operation, options.signal);
  const { prebufferMs = 40, maxPrebufferMs = Math.max(80, prebufferMs), maxQueuedMs = 1000, fadeMs = 5 } = options;
  inRange(operation, "prebufferMs", prebufferMs, 0, 1000);
  inRange(operation, "maxPrebufferMs", maxPrebufferMs, prebufferMs, 1000);
  inRange(operation, "maxQueuedMs", maxQueuedMs, 100, 600_000);
  inRange(operation, "fadeMs", fadeMs, 1, 10);
  inRange(operation, "volume", options.volume ?? 1, 0, 1);
  const player = { prebufferMs, maxPrebufferMs, maxQueuedMs, fadeMs };
  return new SessionSpeaker(session, shareAudio(operation, session, options.audioContext), player, options);
}

/** How long the end of a session waits for a context that has not started, ms. */
const longestStartMs = 1000;

/** The session is told again once so much more of a micro-turn was heard. */
const toldShare = 0.25;

/** Sound on its way to the player. */
interface Piece extends TurnSound {
  readonly pcm: Float32Array<ArrayBuffer>;
}

class SessionSpeaker implements Speaker {
  readonly ready: Promise<void>;
  readonly ended: Promise<void>;
  readonly #session: DuplexSession;
  readonly #audio: SessionAudio;
  readonly #player: PlayerOptions;
  readonly #options: SpeakerOptions;
  /** As `ready`, but does not wait until what failed is closed. */
  readonly #loaded: Promise<void>;
  /** Both from when its filter is made on. */
  #resampler: Resampler | undefined;
  #track: HeardTrack | undefined;
  readonly #gain: GainNode;
  readonly #stopListening: (() => void)[];
  /** What came before there was a resampler, as it came. */
  #early: [Float32Array, SpeechEvent][] = [];
  /** What waits here until the audio thread is there and runs. */
  #waiting: Piece[] = [];
  #waitingSamples = 0;
  #droppedHere = 0;
  #node: AudioWorkletNode | undefined;
  #report = new Float64Array(reportLength);
  #fence = 0;
  /** What the session knows of what was heard. */
  #told: HeardPosition | undefined;
  #volume: number;
  /** Id of the loudspeaker that the app has chosen; "" for the system's. */
  #chosen = "";
  #state: AudioState;
  #closing: Promise<void> | undefined;
  /** The session has ended, and what it said before is played to its end. */
  #playsOut = false;
  #reported: () => void = () => {};
  #resolveEnded: () => void = () => {};

  constructor(session: DuplexSession, audio: SessionAudio, player: PlayerOptions, options: SpeakerOptions) {
    const { context } = audio;
    this.#session = session;
    this.#audio = audio;
    this.#player = player;
    this.#options = options;
    this.#state = audioState(context);
    this.#volume = options.volume ?? 1;
    this.#gain = new GainNode(context, { gain: this.#volume });
    this.#gain.connect(options.destination ?? context.destination);
    this.ended = new Promise((resolve) => {
      this.#resolveEnded = resolve;
    });
    this.#stopListening = [
      session.on("speech", (pcm, event) => this.#speech(pcm, event)),
      session.on("flush", (event) => this.#flush(event)),
    ];
    context.addEventListener("statechange", this.#update);
    globalThis.navigator?.mediaDevices?.addEventListener("devicechange", this.#recover);
    options.signal?.addEventListener("abort", this.#abort, { once: true });
    this.#loaded = this.#load();
    this.ready = this.#loaded.catch(async (error) => {
      await this.close();
      throw error;
    });
    this.ready.catch(() => {});
    void session.ended.then(() => this.#finish());
  }

  get state(): AudioState {
    return this.#state;
  }

  get volume(): number {
    return this.#volume;
  }

  set volume(volume: number) {
    inRange("speaker", "volume", volume, 0, 1);
    this.#volume = volume;
    this.#gain.gain.setTargetAtTime(volume, this.#audio.context.currentTime, 0.01);
  }

  get level(): number {
    return this.#report[report.playing] === 1 ? this.#report[report.level] : 0;
  }

  get heard(): HeardPosition | undefined {
    // The clock of a closed context stands still, some of its sound still under way.
    if (this.#state === "closed") return this.#track?.last;
    const { context } = this.#audio;
    return this.#track?.at(audibleSeconds(context) * context.sampleRate);
  }

  get statistics(): SpeakerStatistics {
    const toMs = 1000 / this.#audio.context.sampleRate;
    const values = this.#report;
    const underWay = (this.#track?.sent ?? 0) - values[report.pushed] + this.#waitingSamples;
    const early = this.#early.reduce((sum, [pcm, { sampleRate }]) => sum + pcm.length / sampleRate, 0);
    return {
      queuedMs: (values[report.queued] + underWay) * toMs + 1000 * early,
      underruns: values[report.underruns],
      droppedMs: (values[report.dropped] + this.#droppedHere) * toMs,
      // Before the first report there is none.
      rate: values[report.rate] || 1,
    };
  }

  async resume(): Promise<void> {
    this.#requireOpen("resume");
    await this.#audio.context.resume();
    this.#update();
  }

  devices(): Promise<MediaDeviceInfo[]> {
    return listDevices("audiooutput");
  }

  async use(deviceId: string): Promise<void> {
    this.#requireOpen("use");
    const context = this.#audio.context as AudioContext & { setSinkId?: (id: string) => Promise<void> };
    if (context.setSinkId === undefined) {
      throw new DuplexError(
        "UNSUPPORTED",
        "use: this browser plays on the system's loudspeaker only; let the user choose it there, or pass a destination that leads to an audio element",
      );
    }
    try {
      await context.setSinkId(deviceId);
      this.#chosen = deviceId;
    } catch (cause) {
      throw new DuplexError(
        "MEDIA_UNAVAILABLE",
        `use: expected the id of a loudspeaker, got ${JSON.stringify(deviceId)}; list them with devices()`,
        { cause, details: { reason: "no-device" } },
      );
    }
  }

  close(): Promise<void> {
    // The session may have ended before, and its last sound still be playing.
    if (this.#closing !== undefined && this.#state !== "closed") this.#silence();
    this.#playsOut = false;
    this.#closing ??= this.#close();
    return this.#closing;
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  // --- sound ---

  #speech(pcm: Float32Array, event: SpeechEvent): void {
    const { turnIndex, fence } = event;
    if (this.#closing !== undefined || fence < this.#fence) return;
    if (this.#resampler === undefined) this.#early.push([pcm, event]);
    else this.#queue(this.#resampler, pcm, event);
    // From here on someone listens, and has heard nothing of it yet.
    if (this.#told === undefined) this.#tell({ turnIndex, fence, samples: 0 });
  }

  #queue(resampler: Resampler, pcm: Float32Array, { turnIndex, fence }: SpeechEvent): void {
    const sound = new Float32Array(resampler.outputsAfter(pcm.length));
    resampler.push(pcm, sound);
    this.#waiting.push({ turnIndex, fence, samples: pcm.length, pcm: sound });
    this.#waitingSamples += sound.length;
    this.#send();
    const bound = (this.#player.maxQueuedMs * this.#audio.context.sampleRate) / 1000;
    while (this.#waitingSamples > bound && this.#waiting.length > 1) {
      const { length } = this.#waiting.shift()?.pcm ?? [];
      this.#waitingSamples -= length;
      this.#droppedHere += length;
    }
  }

  /** The last samples are still inside the resampler; they belong to the micro-turn before. */
  #queueTail(): void {
    if (this.#resampler === undefined || this.#cut) return;
    const tail = new Float32Array(this.#resampler.delaySamples);
    this.#resampler.flush(tail);
    this.#waiting.push({ turnIndex: 0, fence: 0, samples: 0, pcm: tail });
    this.#send();
  }

  /** Tells the session how far its sound was heard (rule 4), a few times per micro-turn. */
  #tellHeard(): void {
    const { heard } = this;
    const told = this.#told;
    if (heard === undefined || told === undefined) return;
    const { outputSampleRate, turnDurationMs } = this.#session.capabilities;
    const more = (toldShare * outputSampleRate * turnDurationMs) / 1000;
    if (heard.turnIndex === told.turnIndex && heard.fence === told.fence && heard.samples < told.samples + more) return;
    this.#tell(heard);
  }

  #tell(position: HeardPosition): void {
    this.#told = position;
    this.#session.played(position);
  }

  #flush({ fence }: FlushEvent): void {
    this.#fence = Math.max(this.#fence, fence);
    this.#silence();
  }

  /** What is queued, under way to the audio thread, or inside the resampler is gone. */
  #silence(): void {
    this.#early = [];
    this.#waiting = [];
    this.#waitingSamples = 0;
    this.#resampler?.reset();
    this.#track?.flush();
    this.#order("flush");
  }

  /** Hands over what waits, once it can be played. */
  #send(): void {
    if (this.#node === undefined || this.#state !== "running") return;
    for (const { pcm, ...sound } of this.#waiting) {
      this.#track?.send(sound, pcm.length);
      this.#order(pcm, [pcm.buffer]);
    }
    this.#waiting = [];
    this.#waitingSamples = 0;
  }

  #order(order: PlayerOrder, transfer: Transferable[] = []): void {
    this.#node?.port.postMessage(order, transfer);
  }

  // --- life ---

  async #load(): Promise<void> {
    const { context } = this.#audio;
    const { workletUrl = new URL("./player-worklet.js", import.meta.url) } = this.#options;
    await Promise.all([loadWorklet("attachSpeaker", context, workletUrl), this.#prepare()]);
    if (this.#cut) return;
    const node = new AudioWorkletNode(context, playerName, {
      numberOfInputs: 0,
      numberOfOutputs: 1,
      outputChannelCount: [1],
      processorOptions: this.#player,
    });
    node.port.onmessage = ({ data }: MessageEvent<Float64Array<ArrayBuffer>>) => {
      this.#report = data;
      this.#track?.report(data[report.frame], data[report.heard], data[report.playing] === 1);
      this.#tellHeard();
      this.#reported();
    };
    node.connect(this.#gain);
    this.#node = node;
    this.#send();
  }

  /** Makes the resampler, once its filter was made in slices: this thread draws, too. */
  async #prepare(): Promise<void> {
    const { outputSampleRate: inputRate } = this.#session.capabilities;
    const rates = { inputRate, outputRate: this.#audio.context.sampleRate };
    await prepareResampler(rates);
    if (this.#cut) return;
    const resampler = new Resampler(rates);
    this.#track = new HeardTrack(resampler.delaySamples);
    this.#resampler = resampler;
    for (const [pcm, event] of this.#early.splice(0)) this.#queue(resampler, pcm, event);
  }

  /** Closed, and nothing that waits is to be played. */
  get #cut(): boolean {
    return this.#closing !== undefined && !this.#playsOut;
  }

  readonly #update = (): void => {
    const before = this.#state;
    this.#state = audioState(this.#audio.context);
    this.#send();
    if (this.#state !== before) this.#options.onStateChange?.(this.#state);
    // Someone else closed the context: there is no way on from there.
    if (this.#state === "closed") void this.close();
  };

  /** The list of devices has changed: a loudspeaker that is gone leaves its place to the system's. */
  readonly #recover = async (): Promise<void> => {
    try {
      const devices = await this.devices();
      const gone = devices.every(({ deviceId }) => deviceId !== this.#chosen);
      if (this.#chosen !== "" && gone && this.#state !== "closed") await this.use("");
    } catch {
      // The next change of devices is another chance.
    }
  };

  readonly #abort = (): void => {
    void this.close();
  };

  /** The session has ended: what is queued is played to its end first. */
  #finish(): void {
    if (this.#closing !== undefined) return;
    this.#playsOut = true;
    this.#closing = this.#close();
  }

  async #close(): Promise<void> {
    await undefined;
    for (const stop of this.#stopListening) stop();
    const { context } = this.#audio;
    if (this.#playsOut) {
      await this.#loaded.catch(() => {});
      this.#queueTail();
      await this.#started();
    }
    if (this.#node !== undefined && audioState(context) === "running") {
      if (!this.#playsOut) this.#silence();
      await this.#drained();
    }
    context.removeEventListener("statechange", this.#update);
    globalThis.navigator?.mediaDevices?.removeEventListener("devicechange", this.#recover);
    this.#options.signal?.removeEventListener("abort", this.#abort);
    this.#order("close");
    this.#node?.disconnect();
    this.#gain.disconnect();
    this.#waiting = [];
    await this.#audio.release();
    this.#state = "closed";
    this.#resolveEnded();
  }

  /** A context takes a while to start; what waits for that is not lost when the session ends meanwhile. */
  #started(): Promise<void> {
    const { context } = this.#audio;
    if (this.#waiting.length === 0 || audioState(context) !== "suspended") return Promise.resolve();
    return new Promise((resolve) => {
      const guard = setTimeout(resolve, longestStartMs);
      const check = () => {
        if (audioState(context) === "suspended") return;
        clearTimeout(guard);
        context.removeEventListener("statechange", check);
        resolve();
      };
      context.addEventListener("statechange", check);
    });
  }

  /** Resolves when all that was sent has left the loudspeaker, or can no longer. */
  #drained(): Promise<void> {
    const { context } = this.#audio;
    const latencyMs = 1000 * Math.max(0, context.currentTime - audibleSeconds(context)) + this.#player.fadeMs;
    const longestMs = this.statistics.queuedMs + this.#player.maxPrebufferMs + latencyMs + 500;
    return new Promise((resolve) => {
      const guard = setTimeout(resolve, longestMs);
      this.#reported = () => {
        if (this.#report[report.pushed] < (this.#track?.sent ?? 0) || this.#report[report.queued] > 0) return;
        this.#reported = () => {};
        clearTimeout(guard);
        setTimeout(resolve, latencyMs);
      };
      this.#reported();
    });
  }

  #requireOpen(operation: string): void {
    if (this.#closing === undefined) return;
    throw new DuplexError("SESSION_CLOSED", `${operation}: the speaker was closed; attach another`);
  }
}

/** Time of the context whose sound leaves the loudspeaker now, s. */
function audibleSeconds(context: AudioContext): number {
  const { contextTime = 0, performanceTime = 0 } = context.getOutputTimestamp?.() ?? {};
  const audible = contextTime + (performance.now() - performanceTime) / 1000;
  const latency = context.currentTime - audible;
  // Some browsers give zeros, or times of another clock.
  if (contextTime > 0 && latency >= 0 && latency < 1) return audible;
  const known = (context.outputLatency || 0) + (context.baseLatency || 256 / context.sampleRate);
  return context.currentTime - known;
}

function inRange(operation: string, name: string, value: number, low: number, high: number): void {
  if (!(value >= low && value <= high)) {
    throw new RangeError(`${operation}: ${name} must be ${low} … ${high}, got ${value}`);
  }
}
