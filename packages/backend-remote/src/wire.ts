// The contract between a wire (the codec of one service: messages in, messages out, no socket, no timer) and the session
// that cuts what it says into micro-turns. One file per service implements it: see `wires/`.

import type { DuplexError, EngineCapabilities, ImageFrame, TextInput } from "@microturn/core";
import type { SocketEnd, SocketMessage, SocketRequest } from "./socket/message-socket.js";

/** One micro-turn of the user's side. */
export interface WireUnit {
  /** Counts units since the session was opened, from 0; never starts anew. */
  readonly index: number;
  /** Mono PCM in [-1, 1] of one micro-turn at `capabilities.inputSampleRate`. Valid until `sendUnit` returns. */
  readonly audio: Float32Array;
  readonly images: readonly ImageFrame[];
  /** What the user typed and what the background found out. */
  readonly text: readonly TextInput[];
  /** Replies that were heard on since the unit before, and how far. A reply that was cut may be among them, as far as it was told. */
  readonly played?: readonly WirePlayed[];
}

/** How far a reply was heard. */
export interface WirePlayed {
  readonly reply: string;
  /** From the start of its sound; never falls. */
  readonly heardMs: number;
}

/** A service's request that something be done outside of it. */
export interface WireDelegation {
  /** Unique within the session; `delegation` of the text that answers it is the same. */
  readonly id: string;
  /** What is asked for, in words; the arguments as JSON where there is nothing better. */
  readonly task: string;
  /** Of the function that is called, where functions are. */
  readonly name?: string;
  /** Its arguments, as the service gave them; not checked against their schema. */
  readonly arguments?: unknown;
}

/** What happened on the wire, for logs and counts; nothing depends on it. */
export type WireNote =
  /** A message that means nothing here; it changed nothing. */
  | { readonly type: "raw"; readonly message: unknown }
  /** An error of the service that is a race or harmless, and was passed over. */
  | { readonly type: "swallowed"; readonly code: string; readonly message: string }
  /** Something that the service remembers no more, for example the sound of the conversation after a reconnect. */
  | { readonly type: "lost"; readonly what: string }
  /** Input that was not sent, because the socket was too slow or gone for too long. */
  | { readonly type: "input-dropped"; readonly units: number }
  /** Sound that came faster than it can be held. */
  | { readonly type: "output-dropped"; readonly samples: number }
  /** A reply whose sound did not come in time; silence was put in. */
  | { readonly type: "underrun"; readonly samples: number }
  | { readonly type: "reconnecting"; readonly attempt: number; readonly cause: DuplexError }
  | { readonly type: "reconnected"; readonly gapMs: number }
  /** The server is about to stop; sessions end by then. */
  | { readonly type: "draining"; readonly leftMs: number };

/** What a wire tells the session. All calls come from within a call of the wire; none blocks. */
export interface WireEvents {
  /** Sends a message now. */
  send(message: SocketMessage): void;
  /** The service takes input from now on. Once per connection. */
  ready(): void;
  /**
   * Sound of a reply, in order, any amount.
   *
   * @param pcm - mono at `capabilities.outputSampleRate`; kept as it is, so give it away
   * @param reply - the service's name for the reply; `""` where it has none
   */
  audio(pcm: Float32Array, reply: string): void;
  /**
   * Words of a reply.
   *
   * @param text - as the service gives it, with the spaces that belong between the pieces
   * @param atMs - when they are said, from the start of the reply's sound; absent: they are spread over its sound
   */
  text(text: string, reply: string, atMs?: number): void;
  /** Words of the user, as the service understood them, with the spaces that belong between the pieces. */
  heard(text: string): void;
  /** All sound and words of a reply have come. */
  replyEnd(reply: string): void;
  /**
   * The reply is cut: whatever of it has not been handed on is dropped, and what the player holds is flushed. Does nothing
   * when there is none. What the service still sends of that reply is the wire's to drop.
   */
  flush(): void;
  delegation(delegation: WireDelegation): void;
  /**
   * The service no longer waits for an answer.
   *
   * @param wanted - the work is wanted all the same: only the call was lost, with its connection, so that its result is told without it
   */
  delegationCancelled(id: string, wanted?: boolean): void;
  note(note: WireNote): void;
  /**
   * This connection is of no use any more.
   *
   * @param retry - whether another connection may go on with the session
   */
  fail(error: DuplexError, retry: boolean): void;
}

/** What to make of a connection that has ended. */
export interface CloseVerdict {
  readonly error: DuplexError;
  /** Whether another connection may go on with the session. */
  readonly retry: boolean;
}

/** The codec of one session with one service. It outlives its connections. */
export interface Wire {
  /** What the service can do; fixed before the first connection. */
  readonly capabilities: EngineCapabilities;
  /** Sound that is held back at the start of a reply, so that a service that is paced by real time leaves no gaps; ms. */
  readonly reserveMs: number;
  /** Most sound of replies that is held, ms; the oldest goes. Short for a service in real time, long for one that sends ahead. */
  readonly maxReplyMs: number;
  /**
   * Time that the service has to answer {@link Wire.goodbye}, ms; the wire ends it earlier by `fail` of its events. Default 0:
   * the socket closes at once.
   */
  readonly farewellMs?: number;
  /** Where to connect; may fetch a short-lived token first. */
  request(signal: AbortSignal): SocketRequest | Promise<SocketRequest>;
  /**
   * A new connection is open: begins the handshake, or takes up the session where it was.
   *
   * @param events - of this connection; those of an earlier one must not be used any more
   */
  opened(events: WireEvents): void;
  /**
   * The connection is open, and `ready` has not come within `connectTimeoutMs`: what that means for this service. Default:
   * `OPEN_TIMEOUT`. A session that was open before tries again.
   */
  unanswered?(waitedMs: number): DuplexError;
  /** @throws DuplexError `PROTOCOL_VIOLATION` for a message that cannot be understood; the connection then ends */
  receive(message: SocketMessage): void;
  /** Sends one micro-turn; only after `ready`, in order. */
  sendUnit(unit: WireUnit): void;
  /** Whoever holds the session wants the reply that is under way, or about to come, to end; there may be none. */
  interrupt(): void;
  /**
   * A reply was cut, and this much of it was heard: told one micro-turn after the cut, once the player knows. Replies that
   * waited behind it follow, with 0.
   *
   * @param heardMs - from the start of its sound; not more than was given by `audio`
   */
  truncate(reply: string, heardMs: number): void;
  /** The connection has ended. */
  closed(end: SocketEnd): CloseVerdict;
  /** The session ends: what is to be said before the socket closes. */
  goodbye(): void;
}
