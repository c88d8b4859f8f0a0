// What the fuzz runner asks of a decoder: right messages broken by a seed, and an instance that takes them.

import { DuplexError } from "@microturn/core";

export type Random = () => number;

export interface FuzzMessage {
  readonly data: string | Uint8Array;
  /** False for a right message, which leads into deeper states. */
  readonly broken: boolean;
}

/** One instance of a decoder with all its state, as one session has it. */
export interface FuzzSubject {
  /**
   * Takes a message.
   *
   * @returns what came of it: `accepted`, or the code of a typed error
   * @throws whatever is not foreseen: that is what is looked for
   */
  receive(message: FuzzMessage, random: Random): string;
  /** Another connection, after a message that ended one. */
  recover?(random: Random): void | Promise<void>;
  /** What goes on between messages: time, sound of the user, answers of the application. */
  between?(random: Random): void | Promise<void>;
  /** The end of the session. @throws if it does not work any more */
  close?(): void | Promise<void>;
}

export interface FuzzTarget {
  readonly name: string;
  message(random: Random): FuzzMessage;
  open(random: Random): FuzzSubject | Promise<FuzzSubject>;
}

/** What a decoder makes of a message: typed errors are outcomes, anything else is thrown on. */
export function outcomeOf(action: () => void): string {
  try {
    action();
    return "accepted";
  } catch (error) {
    if (DuplexError.is(error)) return error.code;
    throw error;
  }
}
