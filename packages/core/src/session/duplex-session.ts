// The session that applications hold: a thin shell around the reducer. It owns the clock, the engine and the streams.
// What a session does, and why, is in reducer.ts; the rules are numbered in docs/session-rules.md.

import { EventEmitter } from "eventemitter3";
import type { BackgroundAttachment } from "../background.js";
import type { EngineCapabilities, EngineSession, ImageFrame, PlaybackPosition, TurnInput } from "../engine.js";
import { DuplexError } from "../errors.js";
import { AudioInput } from "./audio-input.js";
import { callListener } from "./call-listener.js";
import { checkImageFrame, checkPlaybackPosition } from "./check-turn-input.js";
import { heardConversation } from "./conversation.js";
import { checkDeliveryPolicy, type DeliveryPolicy } from "./delivery.js";
import type { ConversationEntry, DeliveryOutcome, SessionEndReason, SessionEvent, SessionHandlers } from "./events.js";
import { LevelMeter } from "./level-meter.js";
import { closeQuietly, openEngine } from "./open-engine.js";
import { reduce } from "./reducer.js";
import { RewindHistory } from "./rewind-history.js";
import { defaultPauseMs } from "./schedule.js";
import {
  checkSampleRate,
  checkTailMs,
  type DuplexSessionOptions,
  type SessionSettings,
  type SessionSnapshot,
  settle,
} from "./session-options.js";
import {
  initialState,
  type SessionEffect,
  type SessionInput,
  type SessionState,
  type StepPlan,
} from "./session-state.js";
import type { SessionTrace } from "./trace.js";
import { recordTrace, type TraceRecorder } from "./trace-recorder.js";
import type { TurnRecord } from "./turn.js";
import { TurnQueue } from "./turn-queue.js";

/** `close` waits at most this long for an engine that does not answer (rule 9). */
const closeTimeoutMs = 5000;
const maxPendingText = 65_536;
const maxPendingDeliveries = 256;
const maxPendingImages = 16;

/**
 * A conversation in which both sides may speak at once, cut into micro-turns.
 *
 * @example
 * await using session = await DuplexSession.open({ engine });
 * session.on("speech", (pcm) => player.write(pcm));
 * microphone.pipeTo(session.audio).catch(() => {}); // rejects with SESSION_CLOSED when the session ends first
 * for await (const turn of session) console.log(turn.startMs, turn.output.decision, turn.output.text);
 */
export class DuplexSession implements AsyncIterable<TurnRecord>, AsyncDisposable {
  /** What the engine can do. */
  readonly capabilities: EngineCapabilities;
  /** How this session was opened, defaults included. */
  readonly settings: SessionSettings;
  /** The micro-turn that the session began with: 0, or that of the snapshot it was opened from. */
  readonly firstTurn: number;
  /**
   * Where audio goes: mono PCM at `settings.sampleRate` (default the engine's input rate). Its promises keep a writer from
   * running ahead. Closing it means `finish()`; aborting it means `close()`. A chunk that is refused (rule 8) is left out,
   * which `input-refused` tells, and the stream goes on. It errors with `SESSION_CLOSED` when the session ends first.
   */
  readonly audio: WritableStream<Float32Array>;
  /** Resolves with the reason when the session has ended; never rejects. */
  readonly ended: Promise<SessionEndReason>;

  readonly #options: DuplexSessionOptions;
  readonly #engine: EngineSession;
  readonly #emitter = new EventEmitter<SessionEvent["type"]>();
  readonly #input: AudioInput;
  readonly #levels: LevelMeter;
  readonly #turnSamples: number;
  readonly #queues = new Set<TurnQueue<TurnRecord>>();
  readonly #deliveries = new Map<number, (outcome: DeliveryOutcome) => void>();
  /** Stop waiting for the signals of deliveries. */
  readonly #withdrawals = new Map<number, () => void>();
  readonly #history: RewindHistory | undefined;
  readonly #recorder: TraceRecorder | undefined;
  #state: SessionState;
  #inbox: SessionInput[] = [];
  #dispatching = false;
  #announced = false;
  #nextDelivery = 1;
  #wake: { readonly atMs: number; readonly cancel: () => void } | undefined;
  #idle: (() => void)[] = [];
  /** The last step, and its end or that of the session, once somebody has asked for it. */
  #stepping: Promise<void> | undefined;
  #computing: Promise<void> | undefined;
  #exclusive: Promise<unknown> = Promise.resolve();
  #finishing: Promise<void> | undefined;
  #error: DuplexError | undefined;
  readonly #attachment: BackgroundAttachment | undefined;
  #released: Promise<unknown> | undefined;
  #endStream: (error: DuplexError) => void = () => {};
  #resolveEnded: (reason: SessionEndReason) => void = () => {};
  #stopListening: () => void = () => {};

  /**
   * Opens a session; loads the engine first if need be. Settles within `openTimeoutMs`.
   *
   * @throws TypeError or RangeError for an option out of its range
   * @throws DuplexError `OPEN_TIMEOUT`, `ABORTED`, and whatever the engine's `open` throws
   */
  static async open(options: DuplexSessionOptions): Promise<DuplexSession> {
    const settings = settle(options);
    const { from } = options;
    const { engine, history } = await openEngine(options, settings, async (engine) => {
      if (settings.rewindMs > 0) requireSnapshots(engine.capabilities, "rewindMs");
      if (from !== undefined) {
        requireSnapshots(engine.capabilities, "from");
        await engine.restore(from.engine);
      }
      const history = settings.rewindMs > 0 ? historyFor(engine, settings) : undefined;
      if (history !== undefined) {
        const { turn = 0, conversation = [] } = from ?? {};
        history.addCheckpoint({ turn, conversation, snapshot: await engine.snapshot() });
      }
      return { engine, history };
    });
    try {
      return new DuplexSession(options, settings, engine, history);
    } catch (error) {
      void closeQuietly(engine);
      throw error;
    }
  }

  private constructor(
    options: DuplexSessionOptions,
    settings: SessionSettings,
    engine: EngineSession,
    history: RewindHistory | undefined,
  ) {
    const { capabilities } = engine;
    const { turnDurationMs, inputSampleRate, outputSampleRate } = capabilities;
    this.capabilities = capabilities;
    this.settings = settings;
    this.firstTurn = options.from?.turn ?? 0;
    this.#options = options;
    this.#engine = engine;
    this.#turnSamples = Math.round((inputSampleRate * turnDurationMs) / 1000);
    this.#state = initialState(
      {
        turnSamples: this.#turnSamples,
        turnDurationMs,
        outputSampleRate,
        outputTurnSamples: Math.round((outputSampleRate * turnDurationMs) / 1000),
        budgetMs: settings.budgetMs ?? turnDurationMs,
        deadline: settings.deadline,
        pace: settings.pace,
        pauseMs: defaultPauseMs,
        maxImages: maxPendingImages,
        saysText: capabilities.saysText,
        understands: capabilities.outputs.includes("heard"),
      },
      options.from,
    );
    this.#levels = new LevelMeter(this.#turnSamples);
    this.#input = new AudioInput({
      sampleRate: inputSampleRate,
      quality: settings.resampler,
      capacity: Math.round((settings.maxQueuedMs * inputSampleRate) / 1000),
      highWater: 2 * this.#turnSamples,
      position: this.firstTurn * this.#turnSamples,
      onSamples: (samples) =>
        this.#dispatch({
          type: "audio",
          samples: samples.length,
          levels: this.#levels.push(samples),
          nowMs: settings.clock.now(),
        }),
    });
    this.audio = new WritableStream<Float32Array>({
      start: (controller) => {
        this.#endStream = (error) => controller.error(error);
      },
      write: (samples) =>
        this.writeAudio(samples).catch((error) => {
          // A sink that rejects is broken for good, and the session goes on (rule 8).
          if (!isRefusal(error)) throw error;
        }),
      close: () => this.finish(),
      abort: () => this.close(),
    });
    this.ended = new Promise((resolve) => {
      this.#resolveEnded = resolve;
    });
    this.#history = history;
    const { trace = false, signal, background } = options;
    if (trace !== false) {
      const redact = background?.redact?.bind(background);
      this.#recorder = recordTrace(this, {
        ...(redact === undefined ? {} : { redact }),
        ...(trace === true ? {} : trace),
      });
    }
    this.#attachment = background?.attach(this, (activity) => this.#dispatch({ type: "background", activity }));
    if (signal !== undefined) {
      const abort = () =>
        this.#fail(new DuplexError("ABORTED", "session: its signal was aborted", { cause: signal.reason }));
      signal.addEventListener("abort", abort, { once: true });
      this.#stopListening = () => signal.removeEventListener("abort", abort);
      if (signal.aborted) abort();
    }
    // Handlers are attached once `open` has resolved; the first event waits for them, but not for the first input.
    settings.clock.setTimer(() => this.#announce(), settings.clock.now());
  }

  /** The micro-turn that comes next. */
  get turnIndex(): number {
    return this.#state.next;
  }

  /** The session clock: input samples since open, in ms (rule 1). */
  get timeMs(): number {
    return (this.#state.received / this.#turnSamples) * this.capabilities.turnDurationMs;
  }

  /** Audio that waits for its micro-turn, ms. */
  get queuedMs(): number {
    return (1000 * this.#input.held) / this.capabilities.inputSampleRate;
  }

  /** The last words of both sides as far as they were heard, as {@link DelegationEvent.conversation}; also after the end. */
  get conversation(): readonly ConversationEntry[] {
    return heardConversation(this.#state);
  }

  /** Whether the session has ended. */
  get closed(): boolean {
    return this.#state.phase === "ended";
  }

  /**
   * The end of the step that this machine computes now; undefined if it computes none, or another machine does. Never rejects.
   * Whoever has work on the same processors that can wait awaits this before it, and so holds up no micro-turn.
   */
  get computing(): Promise<void> | undefined {
    if (this.closed || this.#state.running === undefined || !this.capabilities.computesHere) return undefined;
    this.#computing ??= Promise.race([this.#stepping, this.ended]).then(() => {});
    return this.#computing;
  }

  // --- listening ---

  /**
   * Calls `handler` for every event of a type. A handler that throws does not disturb the session: its error surfaces as an
   * uncaught one, as for any event target. Each handler of `speech` gets PCM of its own, to keep or to transfer.
   *
   * @returns removes the handler
   */
  on<Type extends SessionEvent["type"]>(type: Type, handler: SessionHandlers[Type]): () => void {
    const call = handler as (...values: unknown[]) => void;
    const guarded = (event: SessionEvent) => {
      if (event.type !== "speech") return callListener(call, event);
      const pcm = event.pcm.slice();
      callListener(call, pcm, { ...event, pcm });
    };
    this.#emitter.on(type, guarded);
    return () => this.#emitter.off(type, guarded);
  }

  /**
   * Reads the micro-turns from now on, one record each. Every record that was made is delivered before the end; an error
   * of the session is thrown after them. See `maxBufferedTurns` for readers that are slow.
   */
  [Symbol.asyncIterator](): AsyncIterator<TurnRecord> {
    const offline = this.settings.pace === "as-fast-as-input";
    const queue: TurnQueue<TurnRecord> = new TurnQueue({
      capacity: this.settings.maxBufferedTurns,
      ...(offline ? { onFull: () => this.#dispatch({ type: "hold" }), onRoom: () => this.#release() } : {}),
      onReturn: () => this.#queues.delete(queue),
    });
    if (this.closed) queue.end(this.#error);
    else this.#queues.add(queue);
    return queue;
  }

  // --- input ---

  /**
   * Takes audio of any length; all of it or none. The returned promise resolves when the session has room for more: wait
   * for it when the source can wait, ignore it when it cannot (its rejection is then told by `input-refused` only).
   *
   * @param samples - mono PCM in [-1, 1]; copied, unless more than `maxQueuedMs` (then leave it unchanged until it resolves)
   * @param options - of this piece
   * @param options.sampleRate - Hz, 8000 to 192000; default `settings.sampleRate`, else the engine's. May change between writes
   * @throws DuplexError `AUDIO_INVALID`, `INPUT_OVERFLOW`, `SESSION_CLOSED` (after `finish` too)
   */
  writeAudio(samples: Float32Array, { sampleRate }: { readonly sampleRate?: number } = {}): Promise<void> {
    const written = this.#writeAudio(
      samples,
      sampleRate ?? this.settings.sampleRate ?? this.capabilities.inputSampleRate,
    );
    written.catch(() => {});
    return written;
  }

  async #writeAudio(samples: Float32Array, sampleRate: number): Promise<void> {
    if (!(samples instanceof Float32Array))
      throw new TypeError("writeAudio: samples must be a Float32Array of mono PCM");
    checkSampleRate("writeAudio", sampleRate);
    this.#requireOpen("writeAudio");
    if (this.#finishing !== undefined) {
      throw new DuplexError(
        "SESSION_CLOSED",
        "writeAudio: the input has ended with finish() or the end of session.audio; write before that",
      );
    }
    try {
      await this.#input.write(samples, sampleRate);
    } catch (error) {
      if (isRefusal(error) && !this.closed) {
        this.#announce();
        this.#emit({ type: "input-refused", turnIndex: this.turnIndex, timeMs: this.timeMs, error });
      }
      throw error;
    }
  }

  /**
   * Shows the model an image. It enters the micro-turn that covers `timeMs`, or the next one if that has begun; at most
   * 16 wait, then the oldest goes.
   *
   * @param frame - RGB or RGBA; copied. `timeMs` on the session clock, default now
   * @throws TypeError if `data` is not bytes
   * @throws DuplexError `IMAGE_INVALID`, `UNSUPPORTED` if the model sees nothing, `SESSION_CLOSED`
   */
  writeImage(frame: Omit<ImageFrame, "timeMs"> & { readonly timeMs?: number }): void {
    this.#requireOpen("writeImage");
    this.#requireInput("writeImage", "video");
    const { data, width, height, timeMs = this.timeMs } = frame;
    checkImageFrame("writeImage", { data, width, height, timeMs });
    this.#dispatch({ type: "image", image: { data: data.slice(), width, height, timeMs } });
  }

  /**
   * Gives the model text that the user typed; it enters the next micro-turn. An engine with the capability `hearsText` speaks it into the model's
   * ear from then on, and the transcript tells what the model understood.
   *
   * @throws DuplexError `UNSUPPORTED` if the model neither reads nor hears text, `INPUT_OVERFLOW` beyond 64 Ki characters waiting, `SESSION_CLOSED`
   */
  sendText(text: string): void {
    this.#requireOpen("sendText");
    if (!this.capabilities.hearsText) this.#requireInput("sendText", "text");
    if (typeof text !== "string" || text === "")
      throw new TypeError("sendText: text must be a string that is not empty");
    const waiting = this.#state.text.reduce((sum, one) => sum + one.text.length, 0);
    if (waiting + text.length > maxPendingText) {
      throw new DuplexError(
        "INPUT_OVERFLOW",
        `sendText: expected at most ${maxPendingText} characters waiting, got ${waiting} + ${text.length}; send less, or wait for the next micro-turn`,
      );
    }
    this.#dispatch({ type: "text", text });
  }

  /**
   * Brings a result of the background into the conversation (rule 6). An engine with the capability `saysText` says it as it
   * stands, until the user breaks in; others give it to the model to read.
   *
   * @param policy - when it enters; default `when-quiet`
   * @param options.delegation - `id` of the `delegation` event that it is the result of, if it is of one
   * @param options.signal - takes it back while it waits, also to enter again after both sides had begun at once
   * @returns what became of it: the micro-turn it entered, or why it never will
   * @throws DuplexError `UNSUPPORTED` if the engine takes no text, or says it and does not read it and the policy is `silent`; `INPUT_OVERFLOW` beyond 256 waiting, `SESSION_CLOSED`
   */
  deliver(
    result: string,
    policy: DeliveryPolicy = "when-quiet",
    {
      delegation,
      signal,
    }: { readonly delegation?: string | undefined; readonly signal?: AbortSignal | undefined } = {},
  ): Promise<DeliveryOutcome> {
    this.#requireOpen("deliver");
    if (policy === "silent" || !this.capabilities.saysText) this.#requireInput("deliver", "text");
    checkDeliveryPolicy(policy);
    if (typeof result !== "string" || result === "")
      throw new TypeError("deliver: result must be a string that is not empty");
    if (delegation !== undefined && typeof delegation !== "string")
      throw new TypeError("deliver: delegation must be the id of a delegation event");
    if (result.length > maxPendingText || this.#state.deliveries.length >= maxPendingDeliveries) {
      throw new DuplexError(
        "INPUT_OVERFLOW",
        `deliver: expected at most ${maxPendingDeliveries} results waiting, of ${maxPendingText} characters each, got ${this.#state.deliveries.length} and ${result.length} characters`,
      );
    }
    if (signal?.aborted) return Promise.resolve({ kind: "dropped", reason: "withdrawn" });
    const id = this.#nextDelivery++;
    if (signal !== undefined) {
      const withdraw = () => this.#dispatch({ type: "withdraw", id });
      signal.addEventListener("abort", withdraw, { once: true });
      this.#withdrawals.set(id, () => signal.removeEventListener("abort", withdraw));
    }
    return new Promise((resolve) => {
      this.#deliveries.set(id, resolve);
      const of = delegation === undefined ? {} : { delegation };
      this.#dispatch({ type: "deliver", id, text: result, policy, ...of });
    });
  }

  /**
   * Tells how far the assistant's sound has been heard (rule 4): a player calls it a few times per micro-turn, such as that of
   * `@microturn/media` does. By the last position before a flush it is decided what was said and not heard. Positions
   * in sound that was flushed meanwhile, or behind one that was told, change nothing; nor does any after the end.
   *
   * @param position - micro-turn and samples of its `speech`, with the fence that this sound came with
   * @throws RangeError if there is no such sound: a micro-turn or a fence that has not come yet, more samples than it has
   */
  played(position: PlaybackPosition & { readonly fence: number }): void {
    const { fence, running, next } = this.#state;
    if (!(Number.isInteger(position.fence) && position.fence >= 0 && position.fence <= fence)) {
      throw new RangeError(`played: expected the fence of sound that has come, 0 to ${fence}, got ${position.fence}`);
    }
    // A rewind may have taken the micro-turns that older sound was of.
    const soundless = running === undefined ? next : running.plan.index - running.plan.turns + 1;
    const turn = position.fence < fence ? Number.POSITIVE_INFINITY : soundless;
    checkPlaybackPosition("played", position, turn, this.capabilities);
    this.#dispatch({ type: "played", position, fence: position.fence });
  }

  /** Silences the assistant: queued sound is flushed now, and the next micro-turn listens. */
  interrupt(): void {
    this.#requireOpen("interrupt");
    this.#dispatch({ type: "interrupt" });
  }

  // --- ending ---

  /**
   * Ends the input: waiting writes are taken, the last micro-turn is padded with silence, the model hears `tailMs` of
   * silence in which it may answer, then the session ends. Resolves at the end; closing `session.audio` does the same.
   *
   * @param options - how to end
   * @param options.tailMs - 0 … 600 000, rounded up to whole micro-turns; default `settings.tailMs`
   * @throws DuplexError whatever ended the session before its time
   */
  finish({ tailMs = this.settings.tailMs }: { readonly tailMs?: number } = {}): Promise<void> {
    const finished = this.#finishOnce(tailMs);
    // Whoever does not wait for it learns of the error by the event; it must not end the process.
    finished.catch(() => {});
    return finished;
  }

  async #finishOnce(tailMs: number): Promise<void> {
    checkTailMs("finish", tailMs);
    this.#finishing ??= this.#finish(Math.ceil(tailMs / this.capabilities.turnDurationMs));
    await this.#finishing;
  }

  async #finish(tailTurns: number): Promise<void> {
    if (!this.closed) {
      // If the session ends before all is taken, the reason is told below.
      const taken = this.#input.finish().then(
        () => true,
        () => false,
      );
      // A rewind that was asked for before drops input, but not the end of it.
      if (await taken) {
        await Promise.race([this.#exclusive, this.ended]);
        this.#dispatch({ type: "finish", tailTurns, levels: this.#levels.flush(), nowMs: this.settings.clock.now() });
      }
    }
    const reason = await this.ended;
    if (this.#error !== undefined) throw this.#error;
    if (reason === "closed") throw closedError("finish");
  }

  /** Ends the session now; what it gave so far stays readable. Always resolves; double close is fine (rule 9). */
  async close(): Promise<void> {
    this.#dispatch({ type: "close" });
    await this.ended;
    await this.#released;
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  // --- state (rule 10) ---

  /**
   * The state at the next border between two micro-turns. Input after that border is not in it.
   *
   * @throws DuplexError `UNSUPPORTED` if the engine has no snapshots, `SESSION_CLOSED`
   */
  async snapshot(): Promise<SessionSnapshot> {
    requireSnapshots(this.capabilities, "snapshot");
    return this.#atBorder("snapshot", () => this.#snapshot());
  }

  async #snapshot(): Promise<SessionSnapshot> {
    const engine = await this.#engine.snapshot();
    const { next, fence } = this.#state;
    return { turn: next, engine, fence, conversation: heardConversation(this.#state) };
  }

  /**
   * A second session that shares this one's past and goes its own way from the next border on. It starts with no input
   * waiting: the first sample it gets is the first of micro-turn `fork.turnIndex`.
   *
   * @param options - what differs from this session's options; seed and temperature are part of the past
   * @throws DuplexError as {@link snapshot} and `open`; the engine needs room for one more session
   */
  async fork(
    options: Partial<Omit<DuplexSessionOptions, "engine" | "from" | "seed" | "temperature">> = {},
  ): Promise<DuplexSession> {
    const from = await this.snapshot();
    return DuplexSession.open({ ...this.#options, trace: false, ...options, from });
  }

  /**
   * Goes back to the border before micro-turn `turn`: what came after it never happened for the model. Waiting input is
   * dropped, queued sound is flushed, and the session clock continues from that border. An engine that fails on the way back
   * ends the session, which would be out of step with it.
   *
   * @throws RangeError if `turn` is not a past border within `rewindMs`
   * @throws DuplexError `UNSUPPORTED` without the option `rewindMs`, `SESSION_CLOSED` (after `finish` too), and whatever the
   *   engine throws
   */
  rewind(turn: number): Promise<void> {
    const history = this.#history;
    if (history === undefined) {
      return Promise.reject(
        new DuplexError("UNSUPPORTED", "rewind: the session keeps no history; open it with the option rewindMs"),
      );
    }
    // Writes may wait after `finish`, so that the reducer does not know yet: what counts is when this was asked for.
    const inputEnded = this.#finishing !== undefined;
    return this.#atBorder("rewind", async () => {
      const { next } = this.#state;
      if (inputEnded) {
        throw new DuplexError(
          "SESSION_CLOSED",
          "rewind: the input has ended with finish() or the end of session.audio; rewind before that",
        );
      }
      const earliest = history.earliest ?? next;
      if (!Number.isInteger(turn) || turn < earliest || turn > next) {
        throw new RangeError(`rewind: turn must be a whole number from ${earliest} to ${next}, got ${turn}`);
      }
      const conversation = await history.goBack(this.#engine, turn).catch((cause: unknown) => {
        const error = asDuplexError("rewind", cause);
        this.#fail(error);
        throw error;
      });
      this.#requireOpen("rewind");
      this.#input.reset(turn * this.#turnSamples);
      this.#levels.reset();
      this.#dispatch({ type: "rewind", turn, conversation });
    });
  }

  /**
   * The trace so far.
   *
   * @throws DuplexError `UNSUPPORTED` without the option `trace`
   */
  trace(): SessionTrace {
    if (this.#recorder === undefined) {
      throw new DuplexError("UNSUPPORTED", "trace: nothing is recorded; open the session with { trace: true }");
    }
    return this.#recorder.trace();
  }

  // --- the shell ---

  /** Feeds the reducer and does what it asks. Handlers may call back in: what they cause comes after what is under way. */
  #dispatch(input: SessionInput): void {
    this.#inbox.push(input);
    if (this.#dispatching) return;
    this.#dispatching = true;
    try {
      for (let next = this.#inbox.shift(); next !== undefined; next = this.#inbox.shift()) {
        const { state, effects } = reduce(this.#state, next);
        this.#state = state;
        for (const effect of effects) this.#perform(effect);
      }
    } finally {
      this.#dispatching = false;
    }
    if (this.#state.running === undefined) for (const resolve of this.#idle.splice(0)) resolve();
  }

  #perform(effect: SessionEffect): void {
    switch (effect.type) {
      case "step":
        this.#computing = undefined;
        this.#stepping = this.#step(effect.plan);
        break;
      case "wake":
        this.#wakeAt(effect.atMs);
        break;
      case "emit":
        this.#announce();
        this.#emit(effect.event);
        break;
      case "proceed":
        this.#dispatch({ type: "tick", nowMs: this.settings.clock.now() });
        break;
      case "end":
        this.#end(effect.reason, effect.error);
        break;
    }
  }

  async #step(plan: StepPlan): Promise<void> {
    const { index, turns, images, text, forceListen, played } = plan;
    const audio = this.#input.take(plan.fromSample, turns * this.#turnSamples);
    const input: TurnInput = {
      ...{ index, turns, audio, images, text, forceListen },
      ...(played === undefined ? {} : { played }),
    };
    try {
      const output = await this.#engine.step(input);
      const { outputTurnSamples } = this.#state.rules;
      if (output.speech.length !== outputTurnSamples) {
        throw new DuplexError(
          "SHAPE_MISMATCH",
          `step: expected ${outputTurnSamples} samples of speech from the engine, got ${output.speech.length}`,
        );
      }
      const nowMs = this.settings.clock.now();
      const history = this.#history;
      const checkpoint = history?.wantsCheckpoint(index + 1) === true;
      if (checkpoint) this.#dispatch({ type: "hold" });
      // What is in the record may be changed or transferred; the history must not notice.
      const past = history === undefined ? input : ownInput(input);
      this.#dispatch({ type: "step-done", output, audio, nowMs });
      history?.addStep(past, this.#state.conversation);
      if (checkpoint) {
        await this.#alone(() => this.#checkpoint(history));
        this.#release();
      }
    } catch (error) {
      this.#fail(asDuplexError("step", error));
    }
    this.#pump();
  }

  /** Takes more of the waiting writes. One that went bad while it waited ends the session: part of it is taken already. */
  #pump(): void {
    try {
      this.#input.pump();
    } catch (error) {
      this.#fail(asDuplexError("writeAudio", error));
    }
  }

  #wakeAt(atMs: number): void {
    if (this.#wake?.atMs === atMs) return;
    this.#wake?.cancel();
    const cancel = this.settings.clock.setTimer(() => {
      this.#wake = undefined;
      this.#dispatch({ type: "tick", nowMs: this.settings.clock.now() });
    }, atMs);
    this.#wake = { atMs, cancel };
  }

  #announce(): void {
    if (this.#announced) return;
    this.#announced = true;
    const { firstTurn, capabilities } = this;
    const timeMs = firstTurn * capabilities.turnDurationMs;
    this.#emit({ type: "session-start", turnIndex: firstTurn, timeMs, capabilities });
  }

  #emit(event: SessionEvent): void {
    this.#emitter.emit(event.type, event);
    if (event.type === "turn-end") {
      for (const queue of this.#queues) queue.push(event.turn);
      if (this.#withdrawals.size > 0) this.#forgetWithdrawals();
    }
    if (event.type === "delivery") {
      this.#deliveries.get(event.id)?.(event.outcome);
      this.#deliveries.delete(event.id);
    }
  }

  /** What has entered, and cannot enter again, can be taken back no more. */
  #forgetWithdrawals(): void {
    const { deliveries, entered } = this.#state;
    for (const [id, stop] of this.#withdrawals) {
      const waits = deliveries.some((one) => one.id === id) || entered.some(({ delivery }) => delivery.id === id);
      if (waits || this.#deliveries.has(id)) continue;
      stop();
      this.#withdrawals.delete(id);
    }
  }

  #end(reason: SessionEndReason, error: DuplexError | undefined): void {
    for (const stop of this.#withdrawals.values()) stop();
    this.#withdrawals.clear();
    this.#error = error;
    this.#wake?.cancel();
    this.#stopListening();
    const closed = closedError("writeAudio", error);
    this.#input.end(closed);
    this.#endStream(closed);
    for (const queue of this.#queues) queue.end(error);
    this.#queues.clear();
    this.#released = Promise.all([this.#closeInTime(this.#engine), this.#closeInTime(this.#attachment)]);
    this.#resolveEnded(reason);
  }

  /** Closes what the session holds; whoever does not answer is left behind. */
  #closeInTime(held: { close(): Promise<void> } | undefined): Promise<void> {
    if (held === undefined) return Promise.resolve();
    const { clock } = this.settings;
    return new Promise((resolve) => {
      const cancel = clock.setTimer(resolve, clock.now() + closeTimeoutMs);
      const done = () => {
        cancel();
        resolve();
      };
      void closeQuietly(held).then(done);
    });
  }

  #fail(error: DuplexError): void {
    this.#dispatch({ type: "fail", error });
  }

  #release(): void {
    this.#dispatch({ type: "release", nowMs: this.settings.clock.now() });
  }

  /** Runs `action` between two steps, alone. */
  #atBorder<Result>(operation: string, action: () => Promise<Result>): Promise<Result> {
    const run = async () => {
      this.#requireOpen(operation);
      this.#dispatch({ type: "hold" });
      try {
        if (this.#state.running !== undefined) await new Promise<void>((resolve) => this.#idle.push(resolve));
        this.#requireOpen(operation);
        return await action();
      } finally {
        this.#release();
        this.#pump();
      }
    };
    return this.#alone(run);
  }

  /** Runs `action` when every snapshot, rewind and checkpoint that was asked for before is over. */
  #alone<Result>(action: () => Promise<Result>): Promise<Result> {
    const result = this.#exclusive.then(action);
    this.#exclusive = result.catch(() => {});
    return result;
  }

  /** Takes a checkpoint of the present, if it is still wanted: a rewind may have come first. */
  async #checkpoint(history: RewindHistory): Promise<void> {
    const { next, conversation } = this.#state;
    if (this.closed || !history.wantsCheckpoint(next)) return;
    history.addCheckpoint({ turn: next, snapshot: await this.#engine.snapshot(), conversation });
  }

  #requireOpen(operation: string): void {
    if (this.closed) throw closedError(operation, this.#error);
  }

  #requireInput(operation: string, kind: "video" | "text"): void {
    const { inputs } = this.capabilities;
    if (inputs.includes(kind)) return;
    throw new DuplexError(
      "UNSUPPORTED",
      `${operation}: expected an engine that takes ${kind}, this one takes ${inputs.join(", ")}; ask session.capabilities first`,
    );
  }
}

/** A copy whose sound and images nobody else has. */
function ownInput(input: TurnInput): TurnInput {
  const images = input.images.map((image) => ({ ...image, data: image.data.slice() }));
  return { ...input, audio: input.audio.slice(), images };
}

function historyFor({ capabilities }: EngineSession, { rewindMs }: SessionSettings): RewindHistory {
  const { turnDurationMs } = capabilities;
  return new RewindHistory({
    turns: Math.ceil(rewindMs / turnDurationMs),
    every: Math.max(1, Math.round(1000 / turnDurationMs)),
    turnDurationMs,
  });
}

function requireSnapshots(capabilities: EngineCapabilities, operation: string): void {
  if (capabilities.snapshots) return;
  throw new DuplexError(
    "UNSUPPORTED",
    `${operation}: this engine cannot take snapshots; ask session.capabilities.snapshots first`,
  );
}

/** Whether audio was refused whole, by a session that goes on (rule 8). */
function isRefusal(error: unknown): error is DuplexError {
  return DuplexError.is(error, "AUDIO_INVALID") || DuplexError.is(error, "INPUT_OVERFLOW");
}

function closedError(operation: string, cause?: unknown): DuplexError {
  const why = cause === undefined ? "" : " by an error (see cause)";
  return new DuplexError(
    "SESSION_CLOSED",
    `${operation}: the session has ended${why}; open another`,
    cause === undefined ? {} : { cause },
  );
}

function asDuplexError(operation: string, error: unknown): DuplexError {
  if (DuplexError.is(error)) return error;
  const message = error instanceof Error ? error.message : String(error);
  return new DuplexError("BACKEND_FAILED", `${operation}: the engine failed: ${message}`, { cause: error });
}
