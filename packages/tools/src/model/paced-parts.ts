// The parts of a language model's answer at the pace of the conversation: none passes during a micro-turn, and the pieces of a text
// go together. The AI SDK takes each part through a dozen streams, at some 10 KB of garbage; a micro-turn takes in what has come by
// then, however many pieces it came in.

import type { Clock } from "@microturn/core";
import { othersTurn } from "../waiting.js";
import type { MicroTurnsHere } from "./give-way.js";

/** A part of the AI SDK's stream that goes on with a text, a thought, or the arguments of a call. */
interface Piece {
  readonly type: string;
  readonly id: string;
  readonly delta: string;
  readonly providerMetadata?: unknown;
}

type Read = Awaited<ReturnType<ReadableStreamDefaultReader<unknown>["read"]>>;

/** Longest wait of a piece for others, ms: half a micro-turn. The first of a text does not wait, nor does any when the text is over. */
const gatherMs = 100;

/** Parts that go together or one after the other, at most: some 5 ms of work, and more than a model says in a micro-turn. */
const partsAtOnce = 256;

/** Where a stream gets its parts from. It is to read no part before it is asked for one. */
export class PacedParts {
  readonly #reader: ReadableStreamDefaultReader<unknown>;
  readonly #microTurns: MicroTurnsHere;
  readonly #clock: Clock;
  /** A part that is being read, for whoever reads next. */
  #reading: Promise<Read> | undefined;
  /** Parts that may still be read for this pull. */
  #left = 0;
  /** When the last piece passed, if nothing else has since. */
  #passedMs = Number.NEGATIVE_INFINITY;

  constructor(stream: ReadableStream<unknown>, microTurns: MicroTurnsHere, clock: Clock) {
    this.#reader = stream.getReader();
    this.#microTurns = microTurns;
    this.#clock = clock;
  }

  async pull(controller: ReadableStreamDefaultController<unknown>): Promise<void> {
    this.#left = partsAtOnce;
    let read = await this.#gather(await this.#peek());
    const way = this.#microTurns.giveWay();
    await way;
    if (way === undefined) return void this.#pass(read, controller);
    // What came meanwhile goes on with it, also where the next micro-turn has begun: else an answer beside an engine without
    // time to spare would come at the pace of one part a micro-turn.
    const others = othersTurn();
    for (;;) {
      if (!this.#pass(await this.#joined(read, others), controller)) return;
      const next = await this.#soon(others);
      if (next === undefined) return;
      this.#reading = undefined;
      read = next;
    }
  }

  cancel(reason: unknown): Promise<void> {
    return this.#reader.cancel(reason);
  }

  #peek(): Promise<Read> {
    const reading = this.#reading ?? this.#reader.read();
    this.#reading = reading;
    return reading;
  }

  /** The next part if it comes before that is over. An error is for the next pull, as it comes after these parts. */
  async #soon(over: Promise<undefined>): Promise<Read | undefined> {
    return this.#left-- > 0 ? Promise.race([this.#peek(), over]).catch(() => undefined) : undefined;
  }

  /** @returns whether others may follow */
  #pass(read: Read, controller: ReadableStreamDefaultController<unknown>): boolean {
    if (read.done) {
      controller.close();
      return false;
    }
    this.#passedMs = isPiece(read.value) ? this.#clock.now() : Number.NEGATIVE_INFINITY;
    controller.enqueue(read.value);
    return true;
  }

  /** Takes a part; a piece with those that come while it waits. */
  async #gather(read: Read): Promise<Read> {
    const untilMs = this.#passedMs + gatherMs;
    this.#reading = undefined;
    if (!isPiece(read.value) || this.#clock.now() >= untilMs || !this.#microTurns.any()) return read;
    let stop = () => {};
    const over = new Promise<undefined>((resolve) => {
      stop = this.#clock.setTimer(() => resolve(undefined), untilMs);
    });
    return this.#joined(read, over).finally(stop);
  }

  /** A part; a piece with those that come before something else comes, or that is over. */
  async #joined(read: Read, over: Promise<undefined>): Promise<Read> {
    const first = read.value;
    if (!isPiece(first)) return read;
    let { delta } = first;
    for (;;) {
      const next = await this.#soon(over);
      const more = next?.value;
      if (!isPiece(more) || more.type !== first.type || more.id !== first.id) break;
      this.#reading = undefined;
      delta += more.delta;
    }
    return { done: false, value: { ...first, delta } };
  }
}

/** Whether a part goes on with something; one with remarks of the provider stays as it is. */
function isPiece(part: unknown): part is Piece {
  const { type, providerMetadata } = (part ?? {}) as Partial<Piece>;
  return /^(text|reasoning|tool-input)-delta$/.test(`${type}`) && providerMetadata === undefined;
}
