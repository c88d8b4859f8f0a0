// A session of the micro-turn wire: an engine session that outlives its connections. Steps are computed in order, each once;
// outputs are kept until they can no longer be missed.

import { randomBytes, timingSafeEqual } from "node:crypto";
import {
  checkTurnInput,
  DuplexError,
  type DuplexErrorCode,
  type EngineCapabilities,
  type EngineSession,
  type TurnInput,
} from "@microturn/core";
import {
  type DecodeImage,
  type EncodedImage,
  MessageEncoder,
  protocolVersion,
  type SpeechCoding,
  type StepMessage,
} from "@microturn/core/protocol";
import { RateLimit } from "../access/rate-limit.js";
import { errorFields } from "../log.js";
import { closeCodes, type ServedConnection, type ServerContext } from "../sessions/server-context.js";

/** Steps that a client may have sent without an answer, and outputs that are kept for one that comes back. */
const maxUnanswered = 16;
/** Its clock may run this much faster than ours. */
const clockMargin = 1.01;
/**
 * Pixels of JPEG that are decoded for a session, a second and at once: decoding holds up everybody. A camera of 640 x 480 that
 * sends a picture every micro-turn keeps within it.
 */
const pixelsPerSecond = 2_000_000;
const pixelsAtOnce = 8_000_000;

/** Errors of a step that changed nothing. */
const refusals = ["UNSUPPORTED", "SHAPE_MISMATCH", "AUDIO_INVALID", "IMAGE_INVALID"] as const;

/** Why a session ended, for metrics. */
export type EndReason = "closed" | "idle" | "lost" | "expired" | "failed" | "violation" | "drained";

/** How a session of the wire is made. */
export interface HeldSessionOptions {
  readonly engine: EngineSession;
  readonly context: ServerContext;
  readonly speech: SpeechCoding;
  readonly subject: string;
  /** It has ended; the engine may still be at work on it. */
  readonly onEnd: () => void;
  /** The engine has let go of it: its place is free. */
  readonly onFree: () => void;
}

const encoder = new MessageEncoder();

export class HeldSession {
  readonly id = randomBytes(12).toString("base64url");
  readonly capabilities: EngineCapabilities;
  readonly #engine: EngineSession;
  readonly #context: ServerContext;
  readonly #speech: SpeechCoding;
  readonly #subject: string;
  readonly #onEnd: () => void;
  readonly #onFree: () => void;
  readonly #rate: RateLimit;
  readonly #pixels: RateLimit;
  readonly #startedMs = performance.now();
  readonly #maxAge: ReturnType<typeof setTimeout>;
  #grace: ReturnType<typeof setTimeout> | undefined;
  #pause: ReturnType<typeof setTimeout> | undefined;
  #connection: ServedConnection | undefined;
  /** The one that the client was given last, and the one that it came with: any number of welcomes may have been lost since. */
  #tokens: readonly Buffer[] = [];
  #lastStep = -1;
  #lastStepMs = performance.now();
  #waiting: { readonly sequence: number; readonly input: TurnInput; readonly atMs: number }[] = [];
  /** Answers by the number of their step, the newest last. */
  readonly #sent: { readonly sequence: number; readonly message: Uint8Array }[] = [];
  #running = false;
  #ended = false;

  constructor({ engine, context, speech, subject, onEnd, onFree }: HeldSessionOptions) {
    this.capabilities = engine.capabilities;
    this.#engine = engine;
    this.#context = context;
    this.#speech = speech;
    this.#subject = subject;
    this.#onEnd = onEnd;
    this.#onFree = onFree;
    this.#pixels = new RateLimit(pixelsPerSecond, pixelsAtOnce, this.#startedMs);
    const perSecond = (1000 / this.capabilities.turnDurationMs) * clockMargin;
    this.#rate = new RateLimit(
      perSecond,
      context.limits.maxAheadMs / this.capabilities.turnDurationMs,
      this.#startedMs,
    );
    const { maxSessionMs } = context.limits;
    this.#maxAge = setTimeout(() => {
      const minutes = Math.round(maxSessionMs / 60_000);
      this.fail(
        new DuplexError("SESSION_CLOSED", `the session has reached its longest duration of ${minutes} minutes`),
        "expired",
      );
    }, maxSessionMs);
    this.#maxAge.unref();
  }

  get ended(): boolean {
    return this.#ended;
  }

  /** Ends the session if no step has come for too long: it has a place that others want. */
  checkIdle(nowMs: number): void {
    const { maxQuietMs } = this.#context.limits;
    if (nowMs - this.#lastStepMs <= maxQuietMs) return;
    const error = new DuplexError(
      "SESSION_CLOSED",
      `no step has come for ${Math.round(maxQuietMs / 1000)} s; open another session`,
    );
    this.fail(error, "idle");
  }

  get connected(): boolean {
    return this.#connection !== undefined;
  }

  /** Whether a token is the one that was given for going on. */
  accepts(token: string): boolean {
    const given = Buffer.from(token);
    return this.#tokens.some((one) => one.length === given.length && timingSafeEqual(one, given));
  }

  /** Whether a connection is the one that counts: one that was replaced may still have messages on the way. */
  isServedBy(connection: ServedConnection): boolean {
    return this.#connection === connection;
  }

  /** Whether an answer after this step is not kept any more. */
  hasForgotten(lastAnswer: number): boolean {
    return this.#sent.length > 0 && this.#sent[0].sequence > lastAnswer + 1;
  }

  /** @throws DuplexError `PROTOCOL_VIOLATION` if the client sends more than can be decoded beside other sessions */
  decodeImage(image: EncodedImage, decode: DecodeImage): ReturnType<DecodeImage> {
    if (!this.#pixels.take(1, performance.now())) {
      throw violation(
        `expected at most ${pixelsPerSecond / 1e6} megapixels of JPEG a second; scale images before sending`,
      );
    }
    const decoded = decode(image);
    this.#pixels.borrow(decoded.width * decoded.height, performance.now());
    return decoded;
  }

  /**
   * Takes a connection: welcomes the client, and sends again what it has missed.
   *
   * @param resume - for a session that goes on: the token that was shown, and the number of the last step whose answer the client has
   */
  connect(connection: ServedConnection, resume?: { readonly token: string; readonly lastAnswer: number }): void {
    clearTimeout(this.#grace);
    const before = this.#connection;
    this.#connection = connection;
    before?.close(closeCodes.replaced, "another connection has taken up the session");
    const token = randomBytes(24).toString("base64url");
    this.#tokens = [...(resume === undefined ? [] : [Buffer.from(resume.token)]), Buffer.from(token)];
    const { graceMs, idleTimeoutMs, maxSessionMs } = this.#context.limits;
    const { identity, computesHere: _, ...capabilities } = this.capabilities;
    const welcome = {
      ...({ kind: "welcome", version: protocolVersion, session: this.id, token, graceMs, idleTimeoutMs } as const),
      maxSessionMs: Math.max(1, Math.round(maxSessionMs - (performance.now() - this.#startedMs))),
      // Hashes of files are for whoever has the files.
      capabilities: {
        ...capabilities,
        ...(identity === undefined ? {} : { identity: { model: identity.model, backend: identity.backend } }),
      },
      ...(resume === undefined ? {} : { lastStep: this.#lastStep }),
    };
    this.#send(encoder.server(welcome));
    if (resume === undefined) return;
    this.#context.metrics.resumed.inc();
    for (const { sequence, message } of this.#sent) if (sequence > resume.lastAnswer) this.#send(message);
  }

  /** The connection is gone; the session waits for another. */
  disconnect(connection: ServedConnection): void {
    if (this.#connection !== connection || this.#ended) return;
    this.#connection = undefined;
    this.#context.metrics.connectionsLost.inc();
    this.#grace = setTimeout(() => this.end("lost"), this.#context.limits.graceMs);
    this.#grace.unref();
  }

  /**
   * Takes a step. One that has come before is passed over.
   *
   * @throws DuplexError `PROTOCOL_VIOLATION` if steps are missing before it, or too many wait
   */
  step({ sequence, input }: StepMessage): void {
    if (sequence <= this.#lastStep) return;
    if (sequence !== this.#lastStep + 1) {
      throw violation(`expected step ${this.#lastStep + 1}, got ${sequence}`);
    }
    if (this.#waiting.length >= maxUnanswered) {
      throw violation(`expected at most ${maxUnanswered} steps without an answer; wait for outputs`);
    }
    this.#lastStep = sequence;
    this.#lastStepMs = performance.now();
    this.#waiting.push({ sequence, input, atMs: performance.now() });
    if (!this.#running) void this.#run();
  }

  /** Ends the session for a reason that the client is told. */
  fail(error: DuplexError, reason: EndReason): void {
    if (this.#ended) return;
    this.#send(encoder.server({ kind: "failure", code: error.code, message: error.message }));
    this.end(reason);
  }

  /** Tells the client that the server is about to stop. */
  announceDrain(leftMs: number): void {
    this.#send(encoder.server({ kind: "draining", leftMs: Math.max(0, Math.round(leftMs)) }));
  }

  end(reason: EndReason): void {
    if (this.#ended) return;
    this.#ended = true;
    clearTimeout(this.#grace);
    clearTimeout(this.#maxAge);
    clearTimeout(this.#pause);
    this.#waiting = [];
    this.#sent.length = 0;
    const { metrics, log } = this.#context;
    metrics.ended.inc({ reason });
    const seconds = Math.round((performance.now() - this.#startedMs) / 100) / 10;
    log.info({ session: this.id, subject: this.#subject, reason, seconds, steps: this.#lastStep + 1 }, "session ended");
    this.#connection?.close(reason === "closed" ? closeCodes.normal : codeOfEnd(reason), reason);
    this.#connection = undefined;
    this.#onEnd();
    void this.#engine
      .close()
      .catch(() => {})
      .then(this.#onFree);
  }

  async #run(): Promise<void> {
    this.#running = true;
    while (this.#waiting.length > 0 && !this.#ended) {
      const { sequence, input, atMs } = this.#waiting[0];
      // Steps faster than real time wait: the device is shared.
      const waitMs = this.#rate.borrow(input.turns, performance.now());
      if (waitMs > 0) await this.#pauseFor(waitMs);
      if (this.#ended) break;
      await this.#compute(sequence, input, waitMs > 0 ? performance.now() : atMs);
      this.#waiting.shift();
    }
    this.#running = false;
  }

  async #compute(sequence: number, input: TurnInput, sinceMs: number): Promise<void> {
    const { metrics, admission, log } = this.#context;
    const startMs = performance.now();
    try {
      // The engine checks it too; what it throws by itself after that is its own failure, and nobody's business.
      checkTurnInput(input, this.capabilities);
    } catch (error) {
      this.#refuse(sequence, refusalOf(error) ?? "SHAPE_MISMATCH", error);
      return;
    }
    try {
      const output = await this.#engine.step(input);
      if (this.#ended) return;
      this.#answer(sequence, encoder.server({ kind: "output", sequence, output }, this.#speech));
      const nowMs = performance.now();
      const turnMs = nowMs - sinceMs;
      metrics.steps.inc();
      metrics.turnSeconds.observe(turnMs / 1000);
      metrics.runSeconds.observe(output.timing.runMs / 1000);
      metrics.waitSeconds.observe(output.timing.waitMs / 1000);
      if (turnMs > this.capabilities.turnDurationMs) metrics.lateTurns.inc();
      // A step that waited for its own session's steps, as they come in a burst, says nothing of the machine.
      admission.served((nowMs - startMs) / input.turns, nowMs);
    } catch (error) {
      if (this.#ended) return;
      const code = refusals.find((one) => DuplexError.is(error, one));
      if (code === undefined) {
        log.error({ session: this.id, ...errorFields(error) }, "a step failed");
        this.fail(new DuplexError("BACKEND_FAILED", "the model failed; open another session"), "failed");
        return;
      }
      this.#refuse(sequence, code, error);
    }
  }

  #refuse(sequence: number, code: DuplexErrorCode, error: unknown): void {
    const message = error instanceof Error ? error.message : "the step was refused";
    this.#answer(sequence, encoder.server({ kind: "refused", sequence, code, message }));
  }

  #answer(sequence: number, message: Uint8Array): void {
    this.#sent.push({ sequence, message });
    if (this.#sent.length > maxUnanswered) this.#sent.shift();
    this.#send(message);
  }

  #send(message: Uint8Array): void {
    const connection = this.#connection;
    if (connection === undefined) return;
    if (connection.queuedBytes > this.#context.limits.maxQueuedBytes) {
      // It comes back and asks for what it missed, or it does not.
      connection.destroy();
      return;
    }
    connection.send(message);
  }

  #pauseFor(ms: number): Promise<void> {
    return new Promise((resolve) => {
      this.#pause = setTimeout(resolve, ms);
    });
  }
}

function refusalOf(error: unknown): (typeof refusals)[number] | undefined {
  if (error instanceof RangeError || error instanceof TypeError) return "SHAPE_MISMATCH";
  return refusals.find((code) => DuplexError.is(error, code));
}

function codeOfEnd(reason: EndReason): number {
  if (reason === "violation") return closeCodes.violation;
  if (reason === "failed") return closeCodes.internal;
  return reason === "drained" ? closeCodes.goingAway : closeCodes.normal;
}

export function violation(problem: string): DuplexError {
  return new DuplexError("PROTOCOL_VIOLATION", `micro-turn wire: ${problem}`);
}
