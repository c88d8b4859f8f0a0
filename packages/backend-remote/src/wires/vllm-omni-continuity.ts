// How a session outlives its connections: events have numbers, each is taken once, and with a ticket of the server another
// connection takes the session up where it was.

import { type Fields, fieldsOf, textOf } from "./openai-realtime-messages.js";
import { countOf } from "./vllm-omni-messages.js";

/** What a session is taken up with. */
interface Ticket {
  readonly session: string;
  /** Which life of that session, where the server tells. */
  readonly incarnation: unknown;
  token: string;
}

export class OmniContinuity {
  #ticket: Ticket | undefined;
  #resuming = false;
  /** Numbers of the last event that was taken, and of the last that was acknowledged. */
  #sequence = 0;
  #acknowledged = 0;
  /** On this connection the server was asked for less than what was missed. */
  #askedForLess = false;
  /** What was lost of a session has been told. */
  #lossTold = false;
  #sessions = 0;

  /** Whether the connection is to take up a session that there is. */
  get resuming(): boolean {
    return this.#resuming;
  }

  /** Another connection. @returns what to say first; undefined if a session is to begin */
  opened(): Fields | undefined {
    this.#resuming = this.#ticket !== undefined;
    this.#askedForLess = false;
    return this.#request();
  }

  /**
   * A session begins.
   *
   * @param resumes - whether it outlives its connection
   * @returns whether it comes after one that was lost, and that has not been told
   */
  created(fields: Fields, session: Fields, resumes: boolean): boolean {
    const token = textOf(fields.resume_token);
    const id = textOf(session.id) || textOf(session.session_id) || textOf(fields.session_id);
    const { incarnation } = fields;
    const named = typeof incarnation === "string" || typeof incarnation === "number" ? incarnation : undefined;
    this.#ticket = resumes && token !== "" && id !== "" ? { session: id, token, incarnation: named } : undefined;
    this.#sequence = countOf(fields.server_event_seq) ?? 0;
    this.#acknowledged = 0;
    const lost = ++this.#sessions > 1 && !this.#lossTold;
    this.#lossTold = false;
    return lost;
  }

  /** The session goes on. */
  resumed(fields: Fields): void {
    this.#resuming = false;
    const token = textOf(fields.resume_token);
    // The one before is not good any more.
    if (token !== "" && this.#ticket !== undefined) this.#ticket.token = token;
  }

  /** @returns whether an event has not been taken: a replay may begin with some that have */
  take(sequence: number | undefined): boolean {
    if (sequence === undefined) return true;
    if (sequence <= this.#sequence) return false;
    this.#sequence = sequence;
    return true;
  }

  /** @returns the number to acknowledge, if it is another */
  acknowledge(): number | undefined {
    if (this.#sequence === this.#acknowledged) return undefined;
    this.#acknowledged = this.#sequence;
    return this.#sequence;
  }

  /**
   * Some of what was missed cannot be told again.
   *
   * @param fields - the server may tell which events it has: then the session can go on with those
   * @returns what to ask for instead
   */
  less({ first_server_event_seq, last_server_event_seq }: Fields): Fields | undefined {
    const first = countOf(first_server_event_seq);
    const last = countOf(last_server_event_seq);
    if (this.#askedForLess || first === undefined || last === undefined || first < 1) return undefined;
    this.#askedForLess = true;
    this.#sequence = Math.min(last, Math.max(this.#sequence, first - 1));
    return this.#request();
  }

  /** The session cannot be taken up again. */
  forget(): void {
    this.#ticket = undefined;
  }

  /** Something of the session is lost. @returns whether that has not been told */
  lose(): boolean {
    const first = !this.#lossTold;
    this.#lossTold = true;
    return first;
  }

  #request(): Fields | undefined {
    if (this.#ticket === undefined) return undefined;
    const { session, token, incarnation } = this.#ticket;
    return {
      ...{ session_id: session, resume_token: token, last_received_server_event_seq: this.#sequence },
      ...(incarnation === undefined ? {} : { incarnation }),
    };
  }
}

/** Appends of sound that a server has got, which takes a session up; undefined if it does not tell. */
export function receivedAppends(fields: Fields): number | undefined {
  return countOf(fieldsOf(fields.input_audio)?.received_appends);
}
