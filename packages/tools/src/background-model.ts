// The background of a session: a language model with tools, beside the interaction model that talks (rule 6 of docs/session-rules.md).
// Each delegation becomes a job; its answer comes back as deliveries, in the sessions of the same conversation.

import {
  type Background,
  type DelegationEvent,
  type DeliveryPolicy,
  DuplexError,
  type DuplexSession,
  systemClock,
} from "@microturn/core";
import { usualContextChars } from "./context/compact-context.js";
import { type ApprovalRequest, Approvals, type Approve } from "./conversation/approvals.js";
import { Conversation, type ConversationSettings, type Undelivered } from "./conversation/conversation.js";
import { PastRoom } from "./conversation/past-room.js";
import { encodePng } from "./conversation/png.js";
import type { Transcribe, VoiceSettings } from "./conversation/user-voice.js";
import type { SayFailure } from "./conversation/work.js";
import type { JobQueue } from "./jobs/job.js";
import { LazyJobs } from "./jobs/lazy-jobs.js";
import type { DelegationHandlerOptions } from "./model/delegation-handler.js";
import { Redaction, type RedactionOptions } from "./redaction/redaction.js";
import { tell } from "./tell.js";

/** Options of {@link backgroundModel}: how it works, and how it meets the conversation. */
export interface BackgroundModelOptions extends DelegationHandlerOptions, RedactionOptions {
  /**
   * Who does the work, such as `bullmqJobs` with workers in other processes; `model`, `tools` and the like are the workers' then, made with
   * `delegationHandler` of `@microturn/tools/worker`. It stays open when the background closes. Default: this process.
   */
  readonly jobs?: JobQueue | undefined;
  /** When an answer enters, sentence by sentence; of the delegation, if it depends on it. Default `when-quiet`. */
  readonly deliver?: DeliveryPolicy | ((delegation: DelegationEvent) => DeliveryPolicy) | undefined;
  /** When it enters in another session than the one that asked; default as in that one. */
  readonly late?: DeliveryPolicy | undefined;
  /** Whether a delegation lets earlier ones go on (default), or takes their place. Calls of functions always go on. */
  readonly overlap?: "parallel" | "replace" | undefined;
  /** How long a conversation waits for its next session, ms; default 600 000. Work goes on meanwhile. */
  readonly keepMs?: number | undefined;
  /** Decides on calls that need approval. Without it they wait for `approve` and `reject`. */
  readonly approve?: Approve | undefined;
  /** A call that nobody has approved by then is not made, ms; default 60 000. With `jobs`, the workers have a limit of their own. */
  readonly approvalTimeoutMs?: number | undefined;
  /** What is said when the work has failed; nothing, if it gives undefined. Default "I could not find that out." */
  readonly sayFailure?: string | ((error: string) => string | undefined) | undefined;
  /** Longest conversation that goes along with a delegation, in characters; see {@link compactContext}. Default 24 000. */
  readonly contextChars?: number | undefined;
  /** Images that go along, about one a second, the last ones; 0 … 16, default 4. None with `images: false`. */
  readonly maxImages?: number | undefined;
  /**
   * Writes down what the user has said as he asked for the work, such as a speech recogniser; the model reads it beside what the
   * interaction model has heard. Called here, where the sessions are, and not for calls of functions. If it fails (`onError` hears
   * of that), gives nothing, or takes longer than 10 s, the work goes on without.
   *
   * @example
   * transcribe: async ({ wav, signal }) => (await experimental_transcribe({ model, audio: wav, abortSignal: signal })).text
   */
  readonly transcribe?: Transcribe | undefined;
  /**
   * Sound of the user that every session keeps for `audio` and `transcribe`, the last, ms; 0 … 60 000, default 20 000. Without
   * both, none is kept. It takes 4 bytes a sample, 1.3 MB at 16 kHz.
   */
  readonly maxAudioMs?: number | undefined;
  /** Hears of words of an answer that did not enter the conversation and never will, with the reason. */
  readonly onUndelivered?: ((lost: Undelivered) => void) | undefined;
}

/** Work that is under way. */
export interface RunningWork {
  readonly conversation: string;
  readonly delegation: string;
  readonly task: string;
  /** Calls of it that wait for approval. */
  readonly awaitingApproval: readonly ApprovalRequest[];
}

/** Tells which conversation is meant, where several have work of the same name. */
export interface Where {
  readonly conversation?: string | undefined;
  readonly session?: DuplexSession | undefined;
}

/** The background model and its tools, for any number of sessions. */
export interface BackgroundModel extends Background {
  /**
   * A background for sessions that belong together: a page that is loaded again, a call that broke off. What had not entered when a
   * session ended, and what is ready while none is there, enters the next one, in order, each piece once. With two sessions at once,
   * the one that came last takes the results; the result of a function goes to the session that called it, while that is there.
   *
   * @param name - of the user or the call, 1 … 256 characters
   */
  conversation(name: string): Background;
  /** Allows a call that waits. @returns false if none of this name does @throws TypeError if several do */
  approve(call: string, where?: Where): Promise<boolean>;
  /** Forbids a call that waits; the model is told the reason. @returns false if none of this name does @throws TypeError if several do */
  reject(call: string, reason?: string, where?: Where): Promise<boolean>;
  /**
   * Ends the work for a delegation, and takes back what of its answer still waits.
   *
   * @returns false if there is none of this name
   * @throws TypeError if several conversations have one
   */
  cancel(delegation: string, where?: Where): Promise<boolean>;
  /** Everything under way. */
  readonly running: readonly RunningWork[];
  /** Ends all work and forgets what was kept. Sessions go on without a background. Always resolves; double close is fine. */
  close(): Promise<void>;
}

/**
 * Makes the background of sessions: `DuplexSession.open({ engine, background })`. Used so, every session has a conversation of its own, and
 * its work ends with it; see {@link BackgroundModel.conversation} for work that outlives it.
 *
 * @throws TypeError or RangeError for an option out of its range; those that the work needs are checked when it is loaded
 * @example
 * const background = backgroundModel({ model: openai("gpt-5-mini"), tools: { weather }, deliver: "when-quiet" });
 * const session = await DuplexSession.open({ engine, background });
 */
export function backgroundModel(options: BackgroundModelOptions): BackgroundModel {
  return new ModelInBackground(options);
}

class ModelInBackground implements BackgroundModel {
  readonly #ownJobs: LazyJobs | undefined;
  readonly #approvals: Approvals;
  readonly #settings: ConversationSettings;
  readonly #voice: VoiceSettings | undefined;
  readonly #named = new Map<string, Conversation>();
  readonly #single = new Set<Conversation>();
  #closing: Promise<void> | undefined;

  constructor(options: BackgroundModelOptions) {
    const { clock = systemClock, deliver = "when-quiet", late, overlap = "parallel", keepMs = 600_000 } = options;
    const { approvalTimeoutMs = 60_000, approve, sayFailure, maxImages = 4, onUndelivered } = options;
    const { contextChars = usualContextChars, audio = false, transcribe, maxAudioMs = 20_000, onError } = options;
    if (typeof deliver !== "function") checkPolicy("deliver", deliver);
    if (late !== undefined) checkPolicy("late", late);
    if (overlap !== "parallel" && overlap !== "replace") {
      throw new TypeError(`backgroundModel: overlap must be "parallel" or "replace", got ${JSON.stringify(overlap)}`);
    }
    inRange("keepMs", keepMs, 0, 2 ** 31 - 1);
    inRange("approvalTimeoutMs", approvalTimeoutMs, 1, 2 ** 31 - 1);
    inRange("maxImages", maxImages, 0, 16);
    inRange("maxAudioMs", maxAudioMs, 0, 60_000);
    if (transcribe !== undefined && typeof transcribe !== "function") {
      throw new TypeError("backgroundModel: transcribe must be a function");
    }
    inRange("contextChars", contextChars, 256, 10_000_000);
    const redaction = new Redaction(options);
    let jobs = options.jobs;
    const workers = (["model", "tools", "allow"] as const).find((name) => options[name] !== undefined);
    if (jobs !== undefined && workers !== undefined) {
      throw new TypeError(
        `backgroundModel: with jobs, ${workers} is the workers' to have: give it to the delegationHandler that they are made with`,
      );
    }
    if (jobs === undefined) {
      if (options.model === undefined && Object.keys(options.tools ?? {}).length === 0) {
        throw new TypeError(
          "backgroundModel: expected a model, tools, or jobs; without any there is nobody to do the work",
        );
      }
      // Most of the code does the work, and is brought in with the first session.
      this.#ownJobs = new LazyJobs(async () =>
        (await import("./worker/in-process.js")).inProcessJobs(options, this.#settings.sessions),
      );
      jobs = this.#ownJobs;
    }
    this.#approvals = new Approvals(clock, { timeoutMs: approvalTimeoutMs, approve });
    this.#settings = {
      ...{ jobs, clock, redaction, approvals: this.#approvals, late, overlap, keepMs, contextChars, onUndelivered },
      deliver: typeof deliver === "function" ? (event) => policyOf(deliver, event) : () => deliver,
      sayFailure: typeof sayFailure === "string" ? () => sayFailure : (sayFailure satisfies SayFailure | undefined),
      maxImages: options.images === false ? 0 : maxImages,
      ...{ room: new PastRoom(), sessions: new Set(), listen: undefined, onError },
    };
    const isHeard = maxAudioMs > 0 && (audio || transcribe !== undefined);
    this.#voice = isHeard ? { clock, redaction, maxAudioMs, audio, transcribe } : undefined;
  }

  async load(): Promise<void> {
    this.#requireOpen("load");
    // The platform brings in what it deflates with at the first use, which takes some 100 ms.
    const warmed =
      this.#settings.maxImages > 0 ? encodePng({ data: new Uint8Array(3), width: 1, height: 1 }) : undefined;
    await Promise.all([this.#ownJobs?.load(), warmed?.catch(() => {}), this.#loadVoice()]);
  }

  async #loadVoice(): Promise<void> {
    const voice = this.#voice;
    if (voice === undefined) return;
    const { UserVoice } = await import("./worker/in-process.js");
    this.#settings.listen = (session) => new UserVoice(session, voice);
  }

  redact = (value: unknown): unknown => this.#settings.redaction.recorded(value);

  attach: Background["attach"] = (session, tell) => {
    this.#requireOpen("attach");
    const conversation = new Conversation(undefined, this.#settings, () => this.#single.delete(conversation));
    this.#single.add(conversation);
    return conversation.attach(session, tell);
  };

  conversation(name: string): Background {
    if (typeof name !== "string" || name === "" || name.length > 256) {
      throw new TypeError("conversation: name must be a string of 1 to 256 characters");
    }
    return {
      load: () => this.load(),
      redact: this.redact,
      attach: (session, tell) => {
        this.#requireOpen("attach");
        for (const left of [...this.#named.values()]) if (left.expired) left.forget();
        let conversation = this.#named.get(name);
        if (conversation === undefined) {
          const made = new Conversation(name, this.#settings, () => {
            if (this.#named.get(name) === made) this.#named.delete(name);
          });
          this.#named.set(name, made);
          conversation = made;
        }
        return conversation.attach(session, tell);
      },
    };
  }

  get running(): readonly RunningWork[] {
    const waiting = this.#approvals.waiting;
    return this.#conversations.flatMap(({ name: conversation, running }) =>
      running.map(({ order: { event } }) => ({
        ...{ conversation, delegation: event.id, task: event.task },
        awaitingApproval: waiting.filter((one) => one.conversation === conversation && one.delegation === event.id),
      })),
    );
  }

  approve(call: string, where: Where = {}): Promise<boolean> {
    return this.#approvals.answer(call, this.#nameOf(where), true);
  }

  reject(call: string, reason = "it was not allowed", where: Where = {}): Promise<boolean> {
    return this.#approvals.answer(call, this.#nameOf(where), reason);
  }

  async cancel(delegation: string, where: Where = {}): Promise<boolean> {
    const name = this.#nameOf(where);
    const found = this.#conversations.filter(
      (one) => (name === undefined || one.name === name) && one.knows(delegation),
    );
    if (found.length > 1) {
      throw new TypeError(
        `cancel: ${found.length} conversations have a delegation "${delegation}"; name the one that is meant, or its session`,
      );
    }
    return found.length === 1 && (await found[0].cancel(delegation, "it is not wanted any more"));
  }

  close(): Promise<void> {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  async #close(): Promise<void> {
    await Promise.all(this.#conversations.map((conversation) => conversation.close("closed")));
    this.#named.clear();
    await this.#ownJobs?.close().catch(() => {});
  }

  get #conversations(): readonly Conversation[] {
    return [...this.#named.values(), ...this.#single];
  }

  #nameOf({ conversation, session }: Where): string | undefined {
    if (session === undefined) return conversation;
    // One that is not known has no work.
    return this.#conversations.find((one) => one.has(session))?.name ?? "";
  }

  #requireOpen(operation: string): void {
    if (this.#closing === undefined) return;
    throw new DuplexError(
      "SESSION_CLOSED",
      `${operation}: the background was closed; make another with backgroundModel`,
    );
  }
}

/** What the application's function gives. One that fails surfaces as an uncaught error, and the usual policy holds. */
function policyOf(deliver: (event: DelegationEvent) => DeliveryPolicy, event: DelegationEvent): DeliveryPolicy {
  try {
    const policy = deliver(event);
    checkPolicy("deliver", policy);
    return policy;
  } catch (error) {
    tell(() => {
      throw error;
    });
    return "when-quiet";
  }
}

function checkPolicy(name: string, policy: DeliveryPolicy): void {
  if (policy === "now" || policy === "when-quiet" || policy === "silent") return;
  if (typeof policy === "object" && policy !== null && policy.dropIfStaleMs >= 0) return;
  throw new TypeError(
    `backgroundModel: ${name} must be "now", "when-quiet", "silent" or { dropIfStaleMs } of at least 0, got ${JSON.stringify(policy)}`,
  );
}

function inRange(name: string, value: number, low: number, high: number): void {
  if (value >= low && value <= high) return;
  throw new RangeError(`backgroundModel: ${name} must be ${low} … ${high}, got ${value}`);
}
