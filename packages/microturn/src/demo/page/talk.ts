// One conversation at a time: engine, session, microphone, loudspeaker and camera, from the press of a button to its end.

import {
  type DeviceChange,
  type DeviceChoice,
  type WebDevice,
  type WebEngine,
  webEngine,
} from "@microturn/backend-web";
import { DuplexSession, type FlushEvent, type LoadProgress, type SessionTrace, type TurnRecord } from "@microturn/core";
import {
  attachCamera,
  attachMicrophone,
  attachSpeaker,
  type Camera,
  type Microphone,
  type MicrophoneState,
} from "@microturn/media";
import { keepTime } from "./silence.js";

/** `open` while a session runs; `ended` after it, `idle` before the first. */
export type Phase = "idle" | "loading" | "open" | "ended";

/** What happens, for the page to show. */
export interface TalkEvents {
  onPhase(phase: Phase): void;
  onProgress(progress: LoadProgress): void;
  onDevice(choice: DeviceChoice, change?: DeviceChange): void;
  onTurn(turn: TurnRecord): void;
  onHeard(text: string, turnIndex: number): void;
  onSaid(text: string, turnIndex: number): void;
  /** Sound was given up before it was heard, and with it the last words of the assistant, if there were any. */
  onFlush(flush: FlushEvent): void;
  onDelegation(task: string): void;
  /** Microphone, camera or what can be done has changed. */
  onChange(): void;
  /** Something does not work, and the conversation goes on without it. */
  onNotice(error: unknown): void;
  /** The conversation could not begin, or ended by this. */
  onProblem(error: unknown): void;
}

/** A session is recorded for this long, to be saved, ms. */
const recordedMs = 15 * 60_000;
/** A model may have to come over a slow line first. */
const openTimeoutMs = 30 * 60_000;
/** What the address of the page may ask for. */
export interface TalkOptions {
  /** How late a micro-turn may be before it is merged with the next, ms; default a micro-turn (rule 3). */
  readonly budgetMs?: number | undefined;
  /** No other device than this one, however slow it is; default the first that keeps up. */
  readonly device?: WebDevice | undefined;
}

/** What mini says when it has handed over a question that nobody here can answer. */
const noBackground = "There is nobody in this page who could look that up.";

/** The page's conversation. */
export class Talk {
  readonly #events: TalkEvents;
  readonly #options: TalkOptions;
  #engine: WebEngine | undefined;
  #abort: AbortController | undefined;
  #session: DuplexSession | undefined;
  #microphone: Microphone | undefined;
  #camera: Camera | undefined;
  #audio: AudioContext | undefined;
  #stopSilence: () => void = () => {};
  /** Devices that were asked for: a second press changes nothing. */
  readonly #asked = new Set<"microphone" | "camera">();
  #phase: Phase = "idle";

  constructor(events: TalkEvents, options: TalkOptions = {}) {
    this.#events = events;
    this.#options = options;
  }

  get phase(): Phase {
    return this.#phase;
  }

  /** The session that runs, or ran last. */
  get session(): DuplexSession | undefined {
    return this.#session;
  }

  get microphone(): Microphone | undefined {
    return this.#microphone;
  }

  get camera(): Camera | undefined {
    return this.#camera;
  }

  /** Whether the model reads what is typed. */
  get readsText(): boolean {
    const capabilities = this.#session?.capabilities;
    return capabilities !== undefined && (capabilities.inputs.includes("text") || capabilities.hearsText);
  }

  get sees(): boolean {
    return this.#session?.capabilities.inputs.includes("video") === true;
  }

  /** Loads the model, unless it is loaded, and begins. Call it from a click or a key: browsers start sound for those only. */
  async start(): Promise<void> {
    if (this.#abort !== undefined) return;
    const abort = new AbortController();
    this.#abort = abort;
    this.#set("loading");
    const audio = new AudioContext({ latencyHint: "interactive" });
    this.#audio = audio;
    try {
      await this.#live(audio, abort.signal);
    } catch (error) {
      if (!abort.signal.aborted) {
        this.#events.onProblem(error);
        // The next start begins with a new worker.
        void this.#engine?.close();
        this.#engine = undefined;
      }
    } finally {
      this.#stopSilence();
      await this.#session?.close();
      this.#microphone = undefined;
      this.#camera = undefined;
      await audio.close().catch(() => {});
      this.#audio = undefined;
      this.#abort = undefined;
      this.#set(this.#session === undefined ? "idle" : "ended");
    }
  }

  /** Ends the conversation, also one that is loading; what was loaded stays. */
  async stop(): Promise<void> {
    if (this.#phase === "open") await this.#session?.close();
    else this.#abort?.abort();
  }

  /** Sound may begin: call it on any touch or key. */
  resumeAudio(): void {
    if (this.#audio?.state === "suspended") this.#audio.resume().catch(() => {});
  }

  /** Gives what was typed to the model. */
  send(text: string): void {
    this.#session?.sendText(text);
  }

  /** Opens the microphone; without it, the session hears silence. */
  async openMicrophone(): Promise<void> {
    const session = this.#openSession();
    if (session === undefined || this.#audio === undefined || this.#microphone !== undefined) return;
    if (this.#asked.has("microphone")) return;
    this.#asked.add("microphone");
    try {
      const microphone = await attachMicrophone(session, {
        audioContext: this.#audio,
        workletUrl: "/media/capture-worklet.js",
        onStateChange: (state) => {
          this.#keepTimeWhile(waitsForAudio(state), session);
          this.#events.onChange();
        },
      });
      this.#keepTimeWhile(waitsForAudio(microphone.state), session);
      this.#microphone = microphone;
      void microphone.ended.then(() => {
        if (this.#microphone === microphone) this.#microphone = undefined;
        if (session.closed) return;
        this.#keepTimeWhile(true, session);
        this.#events.onChange();
      });
    } catch (error) {
      if (!session.closed) this.#events.onNotice(error);
    } finally {
      this.#asked.delete("microphone");
    }
    this.#events.onChange();
  }

  /** Opens the camera, or closes it. */
  async toggleCamera(): Promise<void> {
    const session = this.#openSession();
    if (session === undefined || this.#asked.has("camera")) return;
    if (this.#camera !== undefined) {
      await this.#camera.close();
      return;
    }
    this.#asked.add("camera");
    try {
      const camera = await attachCamera(session, { onStateChange: () => this.#events.onChange() });
      this.#camera = camera;
      void camera.ended.then(() => {
        if (this.#camera === camera) this.#camera = undefined;
        this.#events.onChange();
      });
    } catch (error) {
      if (!session.closed) this.#events.onNotice(error);
    } finally {
      this.#asked.delete("camera");
    }
    this.#events.onChange();
  }

  /** What was recorded of the session that runs or ran last. */
  trace(): SessionTrace | undefined {
    return this.#session?.trace();
  }

  async #live(audio: AudioContext, signal: AbortSignal): Promise<void> {
    const { budgetMs } = this.#options;
    const session = await DuplexSession.open({
      engine: await this.#loadEngine(signal),
      signal,
      openTimeoutMs,
      trace: { maxMs: recordedMs },
      ...(budgetMs === undefined ? {} : { budgetMs }),
    });
    this.#session = session;
    let failure: unknown;
    session.on("error", ({ error }) => {
      failure = error;
    });
    session.on("turn-end", ({ turn }) => this.#events.onTurn(turn));
    session.on("heard-delta", ({ text, turnIndex }) => this.#events.onHeard(text, turnIndex));
    session.on("text-delta", ({ text, turnIndex }) => this.#events.onSaid(text, turnIndex));
    session.on("flush", (flush) => this.#events.onFlush(flush));
    session.on("delegation", ({ task }) => {
      this.#events.onDelegation(task);
      if (session.capabilities.saysText) void session.deliver(noBackground).catch(() => {});
    });
    this.#keepTimeWhile(true, session);
    const speaker = attachSpeaker(session, { audioContext: audio, workletUrl: "/media/player-worklet.js" });
    speaker.ready.catch((error: unknown) => {
      if (!session.closed) this.#events.onNotice(error);
    });
    this.#set("open");
    void this.openMicrophone();
    await session.ended;
    if (failure !== undefined) throw failure;
    await Promise.all([this.#microphone?.ended, this.#camera?.ended, speaker.close()]);
  }

  async #loadEngine(signal: AbortSignal): Promise<WebEngine> {
    // What the engine loads from now on, the service worker keeps.
    await whenOfflineReady();
    const { device } = this.#options;
    this.#engine ??= webEngine({
      model: "/model/",
      ...(device === undefined ? {} : { devices: [device], allowSoftware: true, acceptSlow: true }),
      runtimeFolder: "/runtime/",
      worker: () => new Worker("/engine/worker.js", { type: "module", name: "microturn" }),
      onDeviceChange: (change) => this.#events.onDevice(change.to, change),
    });
    const engine = this.#engine;
    await engine.load({ signal, onProgress: (progress) => this.#events.onProgress(progress) });
    if (engine.choice !== undefined) this.#events.onDevice(engine.choice);
    return engine;
  }

  /** Where no samples come, silence does: who types is answered on a machine without sound, too. */
  #keepTimeWhile(silent: boolean, session: DuplexSession): void {
    this.#stopSilence();
    this.#stopSilence = silent ? keepTime(session) : () => {};
  }

  #openSession(): DuplexSession | undefined {
    return this.#phase === "open" ? this.#session : undefined;
  }

  #set(phase: Phase): void {
    this.#phase = phase;
    this.#events.onPhase(phase);
  }
}

/** The page's audio does not run: its microphone gives nothing, not even silence. */
function waitsForAudio(state: MicrophoneState): boolean {
  return state === "suspended" || state === "interrupted";
}

/** Longest wait for a service worker; without one the page works, but not without its server, ms. */
const longestWaitMs = 3000;

function whenOfflineReady(): Promise<unknown> {
  const { serviceWorker } = navigator;
  if (serviceWorker === undefined || serviceWorker.controller !== null) return Promise.resolve();
  const late = new Promise((resolve) => setTimeout(resolve, longestWaitMs));
  const controlled = new Promise((resolve) =>
    serviceWorker.addEventListener("controllerchange", resolve, { once: true }),
  );
  return Promise.race([late, controlled]);
}
