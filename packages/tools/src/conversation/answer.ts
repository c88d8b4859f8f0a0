// The answer to one delegation on its way into the conversation: its pieces enter one after the other, each once, whatever becomes of
// the session that asked. Only one piece is with the session at a time, so that little is left to say when the rest is withdrawn.

import {
  type Clock,
  type DeliveryOutcome,
  type DeliveryPolicy,
  DuplexError,
  type DuplexSession,
} from "@microturn/core";

/** Why words of an answer did not enter. */
export type UndeliveredReason =
  /** Older than `dropIfStaleMs`. */
  | "stale"
  /** No session came within `keepMs`. */
  | "expired"
  /** The session ended, and its conversation with it. */
  | "session-end"
  /** The work was cancelled, or other work took its place. */
  | "cancelled"
  | "superseded"
  /** The session went back to before the delegation. */
  | "rewind"
  /** The engine takes no text, or none that is silent. */
  | "unsupported"
  /** More than can be held. */
  | "overflow"
  /** The background was closed. */
  | "closed";

/** What an answer needs to know of the world. */
export interface AnswerHost {
  readonly clock: Clock;
  /** Policy in a session other than the one that asked; undefined: the same. */
  readonly late: DeliveryPolicy | undefined;
  /** The session that takes results now, if there is one. */
  target(answer: Answer): DuplexSession | undefined;
  /** @param recorded - the record of the session has it already */
  undelivered(answer: Answer, text: string, reason: UndeliveredReason, recorded?: boolean): void;
  /** Something has entered or was dropped. */
  changed(answer: Answer): void;
}

/** What an answer is to. */
export interface AnswerTo {
  /** The session that asked, and the name of the work in it. */
  readonly session: DuplexSession;
  readonly delegation: string;
  /** A name that no session knows. */
  readonly id: string;
  /** Of the function, if one was called: the session that asked waits for exactly one result. */
  readonly name: string | undefined;
  readonly policy: DeliveryPolicy;
}

interface Piece {
  readonly text: string;
  readonly policy: DeliveryPolicy;
  /** Order among all pieces of all answers. */
  readonly order: number;
  /** When it was ready: by the clock of the machine, and by that of the session that was there. */
  readonly wallMs: number;
  readonly session: DuplexSession | undefined;
  readonly sessionMs: number;
  /** Not the answer's own words: that it comes too late. */
  readonly notice: boolean;
}

/** Characters that wait at most. */
const maxWaitingLength = 65_536;
/** Pieces that may enter again: a session says again what was given up within a second. */
const mayEnterAgain = 4;
/** Progress that could not be said by then is of no interest any more. */
const progressStaleMs = 4000;
const tooLate = "The result came too late to be of use.";
const callCancelled = "The call was cancelled.";

let order = 0;

export class Answer {
  readonly to: AnswerTo;
  readonly #host: AnswerHost;
  #waiting: Piece[] = [];
  #waitingLength = 0;
  #withSession: { readonly piece: Piece; readonly controller: AbortController } | undefined;
  #entered: { readonly piece: Piece; readonly turn: number; readonly session: DuplexSession }[] = [];
  #withdrawn: UndeliveredReason | undefined;
  #unanswered = false;
  /** Take back the pieces that are with a session, and those that may still enter again. */
  readonly #takeBack = { waiting: new Set<AbortController>(), entered: [] as AbortController[] };
  #progress: { waiting: string | undefined } | undefined;

  constructor(to: AnswerTo, host: AnswerHost) {
    this.to = to;
    this.#host = host;
  }

  /** Whether nothing of it is left to do, nor to undo. */
  get empty(): boolean {
    return this.#waiting.length === 0 && this.#withSession === undefined && this.#entered.length === 0;
  }

  /** Order of what comes next; undefined if nothing waits. */
  get next(): number | undefined {
    return this.#withSession === undefined ? this.#waiting[0]?.order : undefined;
  }

  /** Words that come next. After `withdraw` they are only accounted for. */
  say(text: string): void {
    const refused = this.#withdrawn ?? (this.#waitingLength + text.length > maxWaitingLength ? "overflow" : undefined);
    if (refused !== undefined) {
      this.#host.undelivered(this, text, refused);
      return;
    }
    const session = this.#host.target(this);
    this.#waitingLength += text.length;
    this.#waiting.push({
      ...{ text, policy: this.to.policy, order: order++, notice: false },
      ...{ wallMs: this.#host.clock.now(), session, sessionMs: session?.timeMs ?? 0 },
    });
    this.pump();
  }

  /** Progress, said if it is quiet soon. Of progress that has to wait for other progress, only the last is said. */
  sayProgress(text: string): void {
    if (this.#withdrawn !== undefined || this.to.name !== undefined) return;
    if (this.#progress !== undefined) {
      this.#progress.waiting = text;
      return;
    }
    const session = this.#host.target(this);
    const policy = { dropIfStaleMs: progressStaleMs };
    if (session === undefined || !takes(session, policy)) return;
    const over = () => {
      const waiting = this.#progress?.waiting;
      this.#progress = undefined;
      if (waiting !== undefined) this.sayProgress(waiting);
    };
    const delivered = this.#deliver(session, text, policy);
    if (!(delivered instanceof Promise)) return;
    this.#progress = { waiting: undefined };
    void delivered.then(over, over);
  }

  /** Hands over the next piece, if there is one, and a session for it. */
  pump(): void {
    while (this.#withSession === undefined) {
      const [piece] = this.#waiting;
      const session = this.#host.target(this);
      if (piece === undefined || session === undefined) return;
      const given = session !== this.to.session && !piece.notice ? (this.#host.late ?? piece.policy) : piece.policy;
      const policy = withAge(given, this.#ageMs(piece, session));
      if (policy === "stale") {
        this.#drop(piece, "stale", session);
        continue;
      }
      if (!takes(session, policy)) {
        this.#drop(piece, "unsupported", session);
        continue;
      }
      const controller = new AbortController();
      const delivered = this.#deliver(session, this.#textIn(session, piece), policy, controller);
      if (delivered === "later") return;
      if (delivered === "unsupported") {
        this.#drop(piece, "unsupported", session);
        continue;
      }
      this.#take(piece);
      this.#withSession = { piece, controller };
      void delivered.then((outcome) => this.#settle(piece, session, outcome));
    }
  }

  /**
   * Takes back what waits, here and in the session; what comes after it is dropped as well.
   *
   * @param unanswered - whoever called a function has taken the call back, and waits for no result
   */
  withdraw(reason: UndeliveredReason, unanswered = false): void {
    if (this.#withdrawn !== undefined) return;
    this.#withdrawn = reason;
    this.#unanswered = unanswered;
    this.#entered = [];
    const { waiting, entered } = this.#takeBack;
    for (const controller of [...waiting, ...entered.splice(0)]) controller.abort();
    this.#waitingLength = 0;
    for (const piece of this.#waiting.splice(0)) this.#giveUp(piece, reason);
    if (this.#progress !== undefined) this.#progress.waiting = undefined;
    this.pump();
    this.#host.changed(this);
  }

  /** The session went back to a border: what entered after it never did, and enters again. */
  rewind(session: DuplexSession, turn: number): void {
    const undone = this.#entered.filter((one) => one.session === session && one.turn >= turn);
    if (undone.length === 0) return;
    this.#entered = this.#entered.filter((one) => !undone.includes(one));
    for (const { piece } of undone) this.#putBack(piece);
    // What waits in the session comes after them.
    this.#withSession?.controller.abort();
    this.pump();
  }

  /** Forgets what can be undone no more. */
  forget(): void {
    if (this.#entered.length === 0) return;
    this.#entered = this.#entered.filter(({ turn, session }) => canUndo(session, turn));
    if (this.#entered.length === 0) this.#host.changed(this);
  }

  #settle(piece: Piece, session: DuplexSession, outcome: DeliveryOutcome): void {
    this.#withSession = undefined;
    if (outcome.kind === "entered") {
      if (this.#withdrawn === undefined && !piece.notice && canUndo(session, outcome.turnIndex)) {
        this.#entered.push({ piece, turn: outcome.turnIndex, session });
      }
    } else if (this.#withdrawn !== undefined) {
      this.#giveUp(piece, this.#withdrawn);
    } else {
      this.#putBack(piece);
      if (outcome.reason === "stale") this.#drop(piece, "stale", session, true);
    }
    this.pump();
    this.#host.changed(this);
  }

  /** A piece leaves the line. */
  #take(piece: Piece): void {
    this.#waiting = this.#waiting.filter((one) => one !== piece);
    this.#waitingLength -= piece.text.length;
  }

  /** Where it was in the line. */
  #putBack(piece: Piece): void {
    this.#waiting = [piece, ...this.#waiting].sort((a, b) => a.order - b.order);
    this.#waitingLength += piece.text.length;
  }

  /** Accounts for a piece that was taken back. A service that called a function waits for its result all the same. */
  #giveUp(piece: Piece, reason: UndeliveredReason): void {
    if (piece.notice) return;
    this.#host.undelivered(this, piece.text, reason);
    const { name, session } = this.to;
    const isCancelled = reason === "cancelled" || reason === "superseded";
    if (name === undefined || !isCancelled || this.#unanswered || this.#host.target(this) !== session) return;
    this.#putBack({ ...piece, text: callCancelled, policy: "silent", notice: true });
  }

  #drop(piece: Piece, reason: UndeliveredReason, session: DuplexSession, recorded = false): void {
    this.#take(piece);
    if (piece.notice) return;
    this.#host.undelivered(this, piece.text, reason, recorded);
    // A service that called a function waits for its result, whatever has become of it.
    if (reason !== "stale" || this.to.name === undefined || session !== this.to.session) return;
    this.#putBack({ ...piece, text: tooLate, policy: "silent", notice: true });
  }

  #deliver(
    session: DuplexSession,
    text: string,
    policy: DeliveryPolicy,
    controller = new AbortController(),
  ): Promise<DeliveryOutcome> | "later" | "unsupported" {
    try {
      const delivered = session.deliver(text, policy, {
        delegation: this.#nameIn(session),
        signal: controller.signal,
      });
      const { waiting, entered } = this.#takeBack;
      waiting.add(controller);
      return delivered.then((outcome) => {
        waiting.delete(controller);
        if (outcome.kind === "entered" && this.#withdrawn === undefined) entered.push(controller);
        if (entered.length > mayEnterAgain) entered.shift();
        return outcome;
      });
    } catch (error) {
      // No room, or the session has just ended: it is tried again.
      return DuplexError.is(error, "INPUT_OVERFLOW") || DuplexError.is(error, "SESSION_CLOSED")
        ? "later"
        : "unsupported";
    }
  }

  /** In another session than the one that asked, a result answers no call: it has a name that none there has. */
  #nameIn(session: DuplexSession): string {
    return session === this.to.session ? this.to.delegation : this.to.id;
  }

  #textIn(session: DuplexSession, { text }: Piece): string {
    const { name } = this.to;
    return name === undefined || session === this.to.session ? text : `Result of ${name}: ${text}`;
  }

  /** By the clock of the session, if it is still the same; by that of the machine across sessions. */
  #ageMs({ session: since, sessionMs, wallMs }: Piece, session: DuplexSession): number {
    return Math.max(0, since === session ? session.timeMs - sessionMs : this.#host.clock.now() - wallMs);
  }
}

/** Whether an engine can be told something in this way. */
export function takes({ capabilities }: DuplexSession, policy: DeliveryPolicy): boolean {
  return capabilities.inputs.includes("text") || (capabilities.saysText && policy !== "silent");
}

/** A policy for a piece that has waited outside of the session. */
function withAge(policy: DeliveryPolicy, ageMs: number): DeliveryPolicy | "stale" {
  if (typeof policy !== "object") return policy;
  const left = policy.dropIfStaleMs - ageMs;
  return left < 0 ? "stale" : { dropIfStaleMs: left };
}

/** Whether a rewind may still go back to before a micro-turn. */
function canUndo({ closed, settings, capabilities, turnIndex }: DuplexSession, turn: number): boolean {
  return (
    !closed &&
    settings.rewindMs > 0 &&
    turn >= turnIndex - Math.ceil(settings.rewindMs / capabilities.turnDurationMs) - 1
  );
}
