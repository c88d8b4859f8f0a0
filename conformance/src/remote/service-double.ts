// What the suite of wires needs of a service that is played on this machine: a real WebSocket server which does nothing by
// itself, so that a check decides what comes when.

import type { ConnectionOptions } from "@microturn/backend-remote";
import type { DuplexErrorCode, Engine } from "@microturn/core";

/** Ways in which a service does not take a session. */
export type Refusal =
  /** The upgrade is answered with 401, or with what the service says to a wrong key. */
  | "unauthorized"
  /** The upgrade is answered with 403. */
  | "forbidden"
  /** There is no room now: 429, or what the service has for it. */
  | "busy"
  /** The connection opens and is closed before the service is ready. */
  | "close-before-ready"
  /** The connection opens, and nothing comes. */
  | "silent";

/** What a service can do. A check of something else is skipped with a reason, and counted. */
export interface ServiceAbilities {
  /** Sound comes back to the sample; not so behind a lossy codec. */
  readonly exactSound: boolean;
  /** A reply may come as fast as the line carries it; otherwise it keeps to real time, at one micro-turn per micro-turn. */
  readonly bursts: boolean;
  /** The service tells where a reply ends. */
  readonly endsReplies: boolean;
  /** Replies come with words. */
  readonly text: boolean;
  /** The service tells what it understood of the user. */
  readonly heard: boolean;
  /** The service tells that a reply is cut because the user speaks. */
  readonly cutsReplies: boolean;
  /** It can be told to stop a reply, or the wire drops what still comes of it. */
  readonly interruptible: boolean;
  /** Functions are called, and their results taken. */
  readonly tools: boolean;
  /** A session goes on over another connection. */
  readonly reconnects: boolean;
  /** Text that the user types is taken. */
  readonly typed: boolean;
  /** A sample may be split between two messages. */
  readonly oddBytes: boolean;
  /** Sound is base64 in JSON, so that its padding may be missing. */
  readonly base64: boolean;
  readonly refusals: readonly Refusal[];
}

/** How a stretch of sound goes on the wire. */
export interface SoundForm {
  /** Cut into messages of an odd number of bytes. */
  readonly oddBytes?: boolean;
  /** Base64 without its padding, and with empty messages between. */
  readonly bare?: boolean;
}

/** A reply under way. Everything is sent at once, in the order of the calls. */
export interface DoubleReply {
  /** @param pcm - at the service's rate */
  sound(pcm: Int16Array, form?: SoundForm): void;
  /** Words, with the spaces that belong between the pieces. */
  text(text: string): void;
  /** All has come. */
  end(): void;
  /**
   * The service cuts the reply, as if the user had spoken.
   *
   * @param late - sound of it that comes all the same, as a service may send it
   */
  cut(late?: Int16Array): void;
}

/** A function that the service calls. */
export interface DoubleCall {
  readonly name: string;
  readonly arguments: Readonly<Record<string, unknown>>;
}

/** A service on this machine. */
export interface ServiceDouble {
  readonly abilities: ServiceAbilities;
  /** Where it listens, for example `ws://127.0.0.1:41234`. */
  readonly url: string;
  /** Connections that are open now, and that were ready in all. */
  readonly openConnections: number;
  readonly readyConnections: number;
  /** Samples of the user that came in all, and those of the last minute or so at least, as they came. */
  readonly receivedSamples: number;
  received(): Int16Array;
  /** Texts that came and are no answers, in order. */
  readonly receivedTexts: readonly string[];
  /** Answers to calls, in the order in which they came: the results as the application gave them. */
  readonly answers: readonly { readonly id: string; readonly result: string }[];
  /** Times the service was told to stop a reply. */
  readonly interrupts: number;
  /** What a client did that the service refuses; a right client leaves it empty. */
  readonly violations: readonly string[];
  /** From the next connection on; `undefined` takes sessions again. */
  refuse(refusal: Refusal | undefined): void;
  beginReply(): DoubleReply;
  /** What it understood of the user. */
  hear(text: string): void;
  /** Calls functions, at once. @returns their ids, in order */
  call(calls: readonly DoubleCall[]): string[];
  /** Ends all connections with a code; 1006: without a word. */
  drop(code: number, reason?: string): void;
  /** Sends a message as it is. */
  send(message: string | Uint8Array): void;
  /** Takes nothing from its connections any more, so that they fill up; and goes on. */
  pause(): void;
  resume(): void;
  close(): Promise<void>;
}

/** A wire under test. */
export interface WireUnderTest {
  readonly name: string;
  /** A service that listens. */
  double(): Promise<ServiceDouble>;
  /** An engine that goes to it, with a right key. */
  engine(double: ServiceDouble, options: ConnectionOptions): Engine;
  /** What the engine gives as key or token; it must be in no error and no note. */
  readonly secret?: string;
  /** Messages that mean nothing: passed over, and told as `raw`. */
  readonly unknown: readonly (string | Uint8Array)[];
  /** Messages that are broken in ways of their own; each is passed over, or ends the session with `PROTOCOL_VIOLATION`. */
  readonly broken: readonly (string | Uint8Array)[];
  /** How a session ends whose connection ended with a code, where the wire does not come back. */
  readonly fatalCloses: readonly { readonly code: number; readonly reason?: string; readonly error: DuplexErrorCode }[];
}
