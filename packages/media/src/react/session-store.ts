// A session with its devices as a store that a component can watch: what is going on is one immutable snapshot.

import { DuplexError, DuplexSession, type DuplexSessionOptions, type Engine, type LoadProgress } from "@microturn/core";
import { attachCamera, type Camera, type CameraOptions } from "../camera.js";
import { attachMicrophone, type Microphone, type MicrophoneOptions } from "../microphone.js";
import { openAudio } from "../session-audio.js";
import { attachSpeaker, type Speaker, type SpeakerOptions } from "../speaker.js";
import { type BackgroundEvent, type BackgroundView, noBackground, withEvent } from "./background-activity.js";
import { Transcript, type TranscriptLine } from "./transcript.js";

/** Options of {@link useDuplexSession}: those of `DuplexSession.open`, and of the devices. */
export interface UseDuplexSessionOptions extends Omit<DuplexSessionOptions, "engine" | "signal" | "onProgress"> {
  /** An engine, or a function that gives one when the session starts. It stays open: the app made it. */
  readonly engine: Engine | (() => Engine | Promise<Engine>);
  /** How the user is heard, or false: the app writes the audio itself. Default: a microphone. */
  readonly microphone?: MicrophoneOptions | false;
  /** How the assistant is heard, or false. Default: a speaker. */
  readonly speaker?: SpeakerOptions | false;
  /** What the model sees; default nothing. */
  readonly camera?: CameraOptions | false;
}

/** `idle` before the first start; `closed` after a stop, or when the session ended by itself. */
export type SessionStateName = "idle" | "loading" | "open" | "closed" | "error";

/** What a component shows. */
export interface DuplexSessionView extends BackgroundView {
  readonly state: SessionStateName;
  /** While the model loads. */
  readonly progress: LoadProgress | undefined;
  /** What both sides said since the last start; of the assistant, what was heard: words whose sound was flushed go again. */
  readonly transcript: readonly TranscriptLine[];
  readonly muted: boolean;
  /** Why the state is `error`. */
  readonly error: Error | undefined;
  /** While the state is `open`. */
  readonly session: DuplexSession | undefined;
  readonly microphone: Microphone | undefined;
  readonly speaker: Speaker | undefined;
  readonly camera: Camera | undefined;
}

const nothing = {
  progress: undefined,
  session: undefined,
  microphone: undefined,
  speaker: undefined,
  camera: undefined,
};

const backgroundEvents = [
  ...(["delegation", "tool-call", "tool-progress", "tool-result"] as const),
  ...(["background-delta", "background-end"] as const),
];

/** One session at a time. */
export class SessionStore {
  #snapshot: DuplexSessionView = {
    ...nothing,
    ...noBackground,
    ...{ state: "idle", transcript: [], muted: false, error: undefined },
  };
  readonly #listeners = new Set<() => void>();
  #transcript = new Transcript();
  #run: { readonly abort: AbortController; readonly done: Promise<void>; readonly opened: Promise<void> } | undefined;

  readonly subscribe = (listener: () => void): (() => void) => {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  };

  readonly snapshot = (): DuplexSessionView => this.#snapshot;

  /** Opens a session with its devices, unless one is open or opening. Resolves when it is open, or has failed. */
  start(options: UseDuplexSessionOptions): Promise<void> {
    if (this.#run !== undefined) return this.#run.opened;
    const abort = new AbortController();
    let opened = () => {};
    const whenOpen = new Promise<void>((resolve) => {
      opened = resolve;
    });
    this.#set({ ...nothing, ...noBackground, state: "loading", error: undefined });
    this.#show(new Transcript());
    const done = this.#live(options, abort.signal, opened).then(
      () => this.#set({ ...nothing, state: "closed" }),
      (error: unknown) => {
        const cause = error instanceof Error ? error : new Error(String(error));
        this.#set(
          abort.signal.aborted ? { ...nothing, state: "closed" } : { ...nothing, state: "error", error: cause },
        );
      },
    );
    this.#run = { abort, opened: whenOpen, done: done.finally(() => this.#over(opened)) };
    return whenOpen;
  }

  /** Ends the session, also one that is opening. Resolves when every device is let go. */
  async stop(): Promise<void> {
    const run = this.#run;
    run?.abort.abort();
    await run?.done;
  }

  readonly setMuted = (muted: boolean): void => {
    const { microphone } = this.#snapshot;
    if (microphone !== undefined) microphone.muted = muted;
    this.#set({ muted });
  };

  #over(opened: () => void): void {
    this.#run = undefined;
    opened();
  }

  #set(change: Partial<DuplexSessionView>): void {
    this.#snapshot = { ...this.#snapshot, ...change };
    for (const listener of this.#listeners) listener();
  }

  /** From opening to the end; what was opened is let go whatever happens. */
  async #live(options: UseDuplexSessionOptions, signal: AbortSignal, opened: () => void): Promise<void> {
    const { engine, microphone, speaker, camera = false, ...sessionOptions } = options;
    // At once, while the gesture that called lasts; sound could not begin after a long load otherwise.
    const audio = microphone === false && speaker === false ? undefined : openAudio("start");
    const shared = audio === undefined ? {} : { audioContext: audio.context };
    const open: AsyncDisposable[] = [];
    try {
      const session = await DuplexSession.open({
        ...sessionOptions,
        engine: typeof engine === "function" ? await engine() : engine,
        signal,
        onProgress: (progress) => this.#set({ progress }),
      });
      open.push(session);
      let failure: Error | undefined;
      session.on("error", ({ error }) => {
        failure = error;
      });
      this.#follow(session, speaker !== false);
      if (speaker !== false) {
        const attached = attachSpeaker(session, { ...shared, ...speaker });
        open.push(attached);
        this.#set({ speaker: attached });
      }
      if (camera !== false) {
        const attached = await attachCamera(session, { ...camera, signal });
        open.push(attached);
        this.#set({ camera: attached });
      }
      if (microphone !== false) {
        const muted = this.#snapshot.muted || microphone?.muted === true;
        const attached = await attachMicrophone(session, { ...shared, ...microphone, muted, signal });
        open.push(attached);
        attached.muted = this.#snapshot.muted || muted;
        this.#set({ microphone: attached, muted: attached.muted });
      }
      if (session.closed)
        throw failure ?? new DuplexError("SESSION_CLOSED", "start: the session ended while it opened");
      this.#set({ state: "open", session, progress: undefined });
      opened();
      await session.ended;
      if (failure !== undefined) throw failure;
      await this.#snapshot.speaker?.ended;
    } finally {
      for (const one of open.reverse()) await one[Symbol.asyncDispose]();
      await audio?.release();
    }
  }

  /** @param plays - whether a speaker of ours tells the session what was heard */
  #follow(session: DuplexSession, plays: boolean): void {
    let fence = 0;
    // Without a speaker of ours, another player of the app may tell; if none does, all that was said counts (rule 4).
    let told = plays;
    session.on("turn-end", ({ turn }) => {
      told ||= turn.input.played !== undefined;
    });
    session.on("heard-delta", ({ text, turnIndex }) => this.#show(this.#transcript.add("user", text, turnIndex)));
    session.on("text-delta", (event) => {
      // Words of a step that an interruption overtook: their sound is not played.
      if (told && event.fence < fence) return;
      this.#show(this.#transcript.add("assistant", event.text, event.turnIndex));
    });
    for (const type of backgroundEvents) {
      session.on(type, (event: BackgroundEvent) => this.#set(withEvent(this.#snapshot, event)));
    }
    session.on("rewind", ({ turnIndex }) => this.#show(this.#transcript.before(turnIndex)));
    session.on("flush", (event) => {
      fence = event.fence;
      const cutOff = event.reason === "yield" ? [event.turnIndex] : [];
      this.#show(this.#transcript.flush(event.unheard, ...cutOff));
    });
  }

  #show(transcript: Transcript): void {
    if (transcript === this.#transcript) return;
    this.#transcript = transcript;
    this.#set({ transcript: transcript.lines });
  }
}
