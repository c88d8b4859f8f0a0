// What the suite of backgrounds needs of an engine and of the service behind it, played on this machine: it asks for work when a
// check says so, and shows what came back.

import type { Engine } from "@microturn/core";
import type { FakeClock } from "@microturn/core/testing";
import type { FunctionDeclaration } from "@microturn/tools";

/** Something that the interaction model wants done. */
export interface Ask {
  readonly name: string;
  readonly arguments: Readonly<Record<string, unknown>>;
}

/** What came back. */
export interface ServiceAnswer {
  /** Of the call or the delegation; undefined if it names none. */
  readonly id: string | undefined;
  readonly text: string;
}

/** What a service can do. A check of something else is skipped with a reason, and counted. */
export interface AskingAbilities {
  /** It calls the functions of the background by name; otherwise a language model finds them, by words. */
  readonly functions: boolean;
  /** It waits for exactly one answer to each thing that it asks for, whatever becomes of it. */
  readonly waits: boolean;
  /** It may ask for several things at once. */
  readonly together: boolean;
  /** It goes on only when everything that it asked for at once is answered. */
  readonly batches: boolean;
  /** It can be told something that is not to be spoken about now; then {@link AskingService.goneOn} stays. */
  readonly silences: boolean;
  /** Text that answers nothing is taken. */
  readonly reads: boolean;
  /** What another connection knows of a call that is open: all of it, or only what it is told in words; absent: nothing is lost. */
  readonly afterLoss?: "call" | "words";
  /** Another connection begins with what was said on the one before. */
  readonly recalls: boolean;
  /** It may say that it wants an answer no more. */
  readonly cancels: boolean;
}

/** A service, and an engine that goes to it. */
export interface AskingService {
  readonly engine: Engine;
  /** Asks for work, at once. @returns a name for each, by which it wants the answer */
  ask(asks: readonly Ask[]): readonly string[];
  /** In the order in which they came. */
  readonly answers: readonly ServiceAnswer[];
  /** Times that the model was to go on, or to speak about an answer. */
  readonly goneOn: number;
  /** The user says something. */
  hear(text: string): void;
  /** It wants no answer to these any more. */
  cancel(ids: readonly string[]): void;
  /** Takes nothing in any more: what it is sent from now on is on the line, and lost when the connection breaks. */
  pause(): void;
  /** Breaks the connection, and waits for another. */
  lose(): Promise<void>;
  /** Text that it knows, and that is no answer to a call: told to it, or said when the connection began. */
  readonly known: string;
  /** Waits until the engine has what the service has sent. */
  taken(): Promise<void>;
  /** Micro-turns of sound that have come. */
  readonly turns: number;
  /** What the engine did that the service refuses. */
  readonly violations: readonly string[];
  close(): Promise<void>;
}

/** An engine under test. */
export interface AskingEngine {
  readonly name: string;
  readonly abilities: AskingAbilities;
  start(options: {
    readonly clock: FakeClock;
    readonly functions: readonly FunctionDeclaration[];
  }): Promise<AskingService>;
}
