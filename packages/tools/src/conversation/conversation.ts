// What belongs together for the background: the sessions of one user, one after the other, and the work that was asked for in them.
// It outlives its sessions for a while, so that nothing is lost when a page is loaded again or a call breaks off.

import type {
  BackgroundActivity,
  BackgroundAttachment,
  BackgroundDropActivity,
  Clock,
  DelegationEvent,
  DeliveryPolicy,
  DuplexSession,
} from "@microturn/core";
import type { JobQueue } from "../jobs/job.js";
import type { DelegationHandlerOptions } from "../model/delegation-handler.js";
import type { Redaction } from "../redaction/redaction.js";
import { tell } from "../tell.js";
import type { Answer, UndeliveredReason } from "./answer.js";
import type { Approvals } from "./approvals.js";
import { EarlierResults } from "./earlier-results.js";
import type { PastRoom } from "./past-room.js";
import { type Part, PastTalk } from "./past-talk.js";
import { SeenImages } from "./seen-images.js";
import type { UserVoice } from "./user-voice.js";
import { type SayFailure, Work, type WorkHost } from "./work.js";
import { type Ending, jobOf } from "./work-order.js";
import { maxUnderWay, maxWorks, Works } from "./works.js";

/** Words of an answer that did not enter, and never will. */
export interface Undelivered {
  readonly conversation: string;
  readonly delegation: string;
  readonly text: string;
  readonly reason: UndeliveredReason;
}

/** What all conversations of a background share. */
export interface ConversationSettings {
  readonly jobs: JobQueue;
  readonly clock: Clock;
  readonly redaction: Redaction;
  readonly approvals: Approvals;
  readonly deliver: (delegation: DelegationEvent) => DeliveryPolicy;
  readonly late: DeliveryPolicy | undefined;
  readonly sayFailure: SayFailure | undefined;
  readonly overlap: "parallel" | "replace";
  readonly keepMs: number;
  readonly contextChars: number;
  readonly maxImages: number;
  /** Keeps what the user says in a session; undefined where nobody wants it, and until it is loaded. */
  listen: ((session: DuplexSession) => UserVoice) | undefined;
  readonly onError: DelegationHandlerOptions["onError"];
  readonly onUndelivered: ((lost: Undelivered) => void) | undefined;
  readonly room: PastRoom;
  /** Those that are there, of all conversations. */
  readonly sessions: Set<DuplexSession>;
}

/** A session that is there. */
interface Link extends Part {
  readonly voice: UserVoice | undefined;
  readonly tell: (activity: BackgroundActivity) => void;
  readonly stops: (() => void)[];
  /** Whether it has begun: what is told before its first event would be heard by nobody. */
  begun: boolean;
}

/** What is told while nobody is there, and kept for the next session. */
const maxUntold = 256;
/** How long the end waits for workers to be told. */
const closeMs = 2000;
const tooMuch: Ending = { outcome: "superseded", reason: "other work took its place", words: "superseded" };

export class Conversation implements WorkHost {
  readonly name: string;
  readonly jobs: JobQueue;
  readonly clock: Clock;
  readonly redaction: Redaction;
  readonly approvals: Approvals;
  readonly late: DeliveryPolicy | undefined;
  readonly sayFailure: SayFailure | undefined;
  readonly results: EarlierResults;
  readonly #settings: ConversationSettings;
  readonly #kept: boolean;
  readonly #forget: () => void;
  /** Makes the ids of its jobs unlike those of a conversation of the same name before, or in another process. */
  readonly #nonce = randomName();
  /** The last one takes the results. */
  readonly #links: Link[] = [];
  readonly #works = new Works();
  readonly #past: PastTalk;
  /** When the last session ended. */
  #leftMs = 0;
  #untold: { readonly work: Work; readonly activity: BackgroundActivity }[] = [];
  #stopTimer: (() => void) | undefined;

  /**
   * @param name - undefined for the conversation of a single session, which ends with it
   * @param forget - called when nothing is left of it
   */
  constructor(name: string | undefined, settings: ConversationSettings, forget: () => void) {
    this.name = name ?? this.#nonce;
    this.#kept = name !== undefined;
    this.#forget = forget;
    this.#settings = settings;
    this.#past = new PastTalk(settings.clock, settings.room, settings);
    this.results = new EarlierResults(settings.room, Math.floor(settings.contextChars / 3));
    this.jobs = settings.jobs;
    this.clock = settings.clock;
    this.redaction = settings.redaction;
    this.approvals = settings.approvals;
    this.late = settings.late;
    this.sayFailure = settings.sayFailure;
  }

  /** Work that is not over. */
  get running(): readonly Work[] {
    return this.#works.running;
  }

  /** Whether nothing is left of it, or what was said or found for too long. It is not told by a timer, which would keep a process alive. */
  get expired(): boolean {
    if (this.#links.length + this.#works.size + this.#untold.length > 0) return false;
    const isEmpty = this.#past.empty && this.results.empty;
    return isEmpty || !this.#kept || this.clock.now() >= this.#leftMs + this.#settings.keepMs;
  }

  /** Forgets what was said and found. */
  forget(): void {
    this.#past.clear();
    this.results.clear();
    this.#forget();
  }

  /** Whether a session is part of it. */
  has(session: DuplexSession): boolean {
    return this.#links.some((link) => link.session === session);
  }

  /** A session begins, and takes the results from now on. */
  attach(session: DuplexSession, tell: (activity: BackgroundActivity) => void): BackgroundAttachment {
    this.#stopTimer?.();
    this.#stopTimer = undefined;
    const isFirst = this.#links.length === 0 && this.#past.empty;
    const link: Link = {
      ...{ session, tell, images: new SeenImages(this.#settings.maxImages), offsetMs: this.#past.offsetOf(session) },
      ...{
        fromTurn: isFirst ? 0 : session.firstTurn,
        voice: this.#settings.listen?.(session),
        stops: [],
        begun: false,
      },
    };
    this.#links.push(link);
    this.#settings.sessions.add(session);
    link.stops.push(
      // After this event, which is the first for everybody.
      session.on("session-start", () => queueMicrotask(() => this.#begin(link))),
      session.on("delegation", (event) => this.#delegated(link, event)),
      session.on("turn-end", ({ turn }) => {
        link.images.see(turn.input.images, turn.index);
        link.voice?.sound.hear(turn);
        if (this.#works.size > 0) this.#turn();
      }),
      session.on("delegation-cancel", ({ id }) => this.#calledOff(link, id)),
      session.on("rewind", ({ turnIndex }) => this.#rewind(link, turnIndex)),
      session.on("session-end", () => this.#detach(link)),
    );
    this.#pump();
    return {
      close: async () => {
        this.#detach(link);
        if (!this.#kept && this.#links.length === 0) await this.#ending;
      },
    };
  }

  /** Gives up work. @returns false if there is none of this name */
  async cancel(delegation: string, reason: string): Promise<boolean> {
    const work = this.#works.find(delegation);
    if (work === undefined) return false;
    await work.cancel({ outcome: "cancelled", reason, words: "cancelled" });
    // Work that is done may still have something to say.
    work.answer.withdraw("cancelled");
    return true;
  }

  /** Whether it has work of a name that may be cancelled. */
  knows(delegation: string): boolean {
    return this.#works.find(delegation) !== undefined;
  }

  /** Ends it all; resolves once the workers have been told, or after 2 s. */
  async close(words: UndeliveredReason): Promise<void> {
    this.#stopTimer?.();
    for (const link of this.#links.splice(0)) this.#letGo(link);
    await this.#endAll(words);
  }

  // --- what work needs ---

  target(answer: Answer): DuplexSession | undefined {
    const { session, name } = answer.to;
    // A service takes the result of its call itself, as long as it is there.
    if (name !== undefined && this.has(session) && !session.closed) return session;
    return this.session();
  }

  session(): DuplexSession | undefined {
    return this.#links.findLast(({ session }) => !session.closed)?.session;
  }

  tell(work: Work, activity: BackgroundActivity): void {
    const { session, id } = work.order;
    const link = this.#links.find((one) => one.session === session) ?? this.#links.at(-1);
    if (link?.begun === true && !link.session.closed) {
      link.tell(link.session === session ? activity : { ...activity, delegation: id });
    } else if (this.#kept) {
      this.#untold.push({ work, activity });
      if (this.#untold.length > maxUntold) this.#untold.shift();
    }
  }

  drop(earlier: string, by: Work): void {
    const work = this.#works.find(earlier, (one) => one !== by && !one.over);
    void work?.cancel({
      outcome: "superseded",
      reason: `the work for ${by.order.name} took its place`,
      words: "superseded",
    });
  }

  undelivered(answer: Answer, text: string, reason: UndeliveredReason, recorded = false): void {
    const { to } = answer;
    const { onUndelivered } = this.#settings;
    const work = [...this.#works].find((one) => one.answer === answer);
    if (work !== undefined && !recorded && isTold(reason)) {
      this.tell(work, { type: "background-drop", delegation: to.delegation, text, reason });
    }
    tell(() => onUndelivered?.({ conversation: this.name, delegation: to.delegation, text, reason }));
  }

  changed(): void {
    this.#tidy();
  }

  over(): void {
    this.#tidy();
  }

  // --- what happens in a session ---

  #begin(link: Link): void {
    link.begun = true;
    for (const { work, activity } of this.#untold.splice(0)) this.tell(work, activity);
    this.#tidy();
  }

  #delegated(link: Link, event: DelegationEvent): void {
    if (this.#settings.overlap === "replace" && event.name === undefined) this.#replaceAll();
    if (this.#works.full) {
      this.#refuse(link, event);
      return;
    }
    const { underWay } = this.#works;
    const names = this.#works.nextNames(event.id);
    const order = {
      id: `${this.name}/${this.#kept ? `${this.#nonce}.` : ""}${names.place}`,
      ...{ conversation: this.name, name: names.name, event, session: link.session, offsetMs: link.offsetMs },
      policy: this.#settings.deliver(event),
    };
    const found = this.results.empty ? {} : { results: this.results.context };
    const work = new Work(order, this);
    this.#works.add(work);
    // The arguments of a call say what is wanted.
    const voice = event.name === undefined ? link.voice : undefined;
    work.start(async (signal) => {
      const heard = Promise.all([this.#past.context(this.#links), voice?.request(link.offsetMs, signal)]);
      const [talk, { error, ...spoken } = {}] = await heard;
      const job = jobOf(order, { ...talk, ...spoken, ...found, underWay });
      if (error !== undefined) tell(() => this.#settings.onError?.(error, job));
      return job;
    });
  }

  /** Calls of functions come several at a time, and each wants its result: they replace nothing, and nothing replaces them. */
  #replaceAll(): void {
    for (const work of this.#works) {
      if (work.order.event.name !== undefined) continue;
      void work.cancel(tooMuch);
      work.answer.withdraw("superseded");
    }
  }

  #refuse(link: Link, { id, name }: DelegationEvent): void {
    const error = `more than ${maxUnderWay} delegations are under way, or ${maxWorks} are not done with`;
    link.tell({ type: "background-end", delegation: id, outcome: "failed", error });
    if (name === undefined) return;
    try {
      link.session.deliver(`The call failed: ${error}`, "now", { delegation: id }).catch(() => {});
    } catch {
      // It ends, or has as many results waiting as it can hold.
    }
  }

  /** The service took its call back: nobody waits for the result. */
  #calledOff({ session }: Link, delegation: string): void {
    const work = [...this.#works].findLast(({ order }) => order.session === session && order.event.id === delegation);
    void work?.cancel({
      outcome: "cancelled",
      reason: "the call was taken back",
      words: "cancelled",
      unanswered: true,
    });
    work?.answer.withdraw("cancelled", true);
  }

  #turn(): void {
    for (const { answer } of this.#works) answer.forget();
    this.#pump();
  }

  /** Goes on with all answers, those that have waited longest first. */
  #pump(): void {
    const waiting = Array.from(this.#works, ({ answer }) => answer).filter(({ next }) => next !== undefined);
    if (waiting.length === 0) return;
    for (const answer of waiting.sort((a, b) => (a.next ?? 0) - (b.next ?? 0))) answer.pump();
  }

  /** What was asked for after the border never was; what entered after it never did. */
  #rewind({ session, images, voice }: Link, turn: number): void {
    images.rewind(turn);
    voice?.sound.rewind(turn);
    this.results.rewind(session, turn);
    for (const work of [...this.#works]) {
      if (work.order.session === session && work.order.event.turnIndex >= turn) {
        void work.undo({ outcome: "cancelled", reason: "the session went back to before it", words: "rewind" });
      } else work.answer.rewind(session, turn);
    }
  }

  #detach(link: Link): void {
    const at = this.#links.indexOf(link);
    if (at < 0) return;
    this.#links.splice(at, 1);
    this.#letGo(link);
    if (this.#kept) this.#past.keep(link);
    this.#leftMs = this.clock.now();
    if (this.#links.length > 0) {
      this.#pump();
    } else if (this.#kept) {
      const untilMs = this.clock.now() + this.#settings.keepMs;
      this.#stopTimer = this.clock.setTimer(() => void this.#endAll("expired"), untilMs);
      this.#tidy();
    } else {
      this.#ending = this.#endAll("session-end");
    }
  }

  #letGo({ session, stops }: Link): void {
    this.#settings.sessions.delete(session);
    for (const stop of stops.splice(0)) stop();
  }

  // --- the end ---

  #ending: Promise<void> = Promise.resolve();

  async #endAll(words: UndeliveredReason): Promise<void> {
    this.#stopTimer = undefined;
    this.#untold = [];
    const ending: Ending = { outcome: "cancelled", reason: reasons[words] ?? words, words };
    const works = [...this.#works];
    const stopped = Promise.allSettled(works.map((work) => work.stop(ending)));
    await new Promise<void>((resolve) => {
      const cancel = this.clock.setTimer(resolve, this.clock.now() + closeMs);
      void stopped.then(() => {
        cancel();
        resolve();
      });
    });
    // Who has come back meanwhile has asked for new work, which goes on.
    for (const work of works) this.#works.delete(work);
    if (this.#links.length === 0) this.#untold = [];
    this.#tidy();
  }

  #tidy(): void {
    this.#works.tidy();
    if (this.#links.length > 0 || this.#works.size > 0 || this.#untold.length > 0) return;
    this.#stopTimer?.();
    this.#stopTimer = undefined;
    if (this.expired) this.forget();
  }
}

/** Whether a session can be told of it: it is there, and the conversation goes on. */
function isTold(reason: UndeliveredReason): reason is BackgroundDropActivity["reason"] {
  return reason !== "expired" && reason !== "session-end" && reason !== "closed";
}

const reasons: Partial<Record<UndeliveredReason, string>> = {
  "session-end": "the session has ended",
  expired: "the user has not come back",
  closed: "the background was closed",
};

function randomName(): string {
  const bytes = crypto.getRandomValues(new Uint8Array(8));
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
}
