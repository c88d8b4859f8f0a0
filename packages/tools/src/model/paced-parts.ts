// The parts of a language model's answer at the pace of the conversation: none passes during a micro-turn, and the pieces of a text
// go together. The AI SDK takes each part through a dozen streams, at some 10 KB of garbage; a micro-turn takes in what has come by
// then, however many pieces it came in.

import type { Clock } from "@microturn/core";
import type { MicroTurnsHere } from "./give-way.js";

/** A part of the AI SDK's stream that goes on with a text, a thought, or the arguments of a call. */
interface Piece {
  readonly type: string;
  readonly id: string;
  readonly delta: string;
}

type Read = Awaited<ReturnType<ReadableStreamDefaultReader<unknown>["read"]>>;

/** Longest wait of a piece for others, ms: half a micro-turn. The first of a text does not wait, nor does any when the text is over. */
const gatherMs = 100;

/** Parts that pass at the end of one micro-turn at most: more than a model says in one. */
const partsAtOnce = 64;

/** Where a stream gets its parts from. It is to read no part before it is asked for one. */
export class PacedParts {
  readonly #reader: ReadableStreamDefaultReader<unknown>;
  readonly #microTurns: MicroTurnsHere;
  readonly #clock: Clock;
  /** A part that is being read, for whoever reads next. */
  #reading: Promise<Read> | undefined;
  /** When the last piece passed, if nothing else has since. */
  #passedMs = Number.NEGATIVE_INFINITY;

  constructor(stream: ReadableStream<unknown>, microTurns: MicroTurnsHere, clock: Clock) {
    this.#reader = stream.getReader();
    this.#microTurns = microTurns;
    this.#clock = clock;
  }

  async pull(controller: ReadableStreamDefaultController<unknown>): Promise<void> {
    const first = await this.#gather(await this.#read());
    const way = this.#microTurns.giveWay();
    await way;
    if (way === undefined) return void this.#pass(first, controller);
    // What came meanwhile goes on with it, also where the next micro-turn has begun: else an answer beside an engine without
    // time to spare would come at the pace of one part a micro-turn.
    const others = othersTurn();
    let read: Read | undefined = await this.#joined(first, others);
    for (let n = 1; read !== undefined && this.#pass(read, controller) && n < partsAtOnce; n++) {
      // An error is for the next pull, as it comes after these parts.
      const next = await Promise.race([this.#peek(), others]).catch(() => undefined);
      if (next !== undefined) this.#reading = undefined;
      read = next === undefined ? undefined : await this.#joined(next, others);
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

  async #read(): Promise<Read> {
    const read = await this.#peek();
    this.#reading = undefined;
    return read;
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

  /** A piece with those that come while it waits. */
  async #gather(read: Read): Promise<Read> {
    const untilMs = this.#passedMs + gatherMs;
    if (!isPiece(read.value) || this.#clock.now() >= untilMs || !this.#microTurns.any()) return read;
    let stop = () => {};
    const over = new Promise<undefined>((resolve) => {
      stop = this.#clock.setTimer(() => resolve(undefined), untilMs);
    });
    try {
      return await this.#joined(read, over);
    } finally {
      stop();
    }
  }

  /** A piece with those that come before something else comes, or that is over. */
  async #joined(read: Read, over: Promise<undefined>): Promise<Read> {
    const first = read.value;
    if (!isPiece(first)) return read;
    let { delta } = first;
    for (;;) {
      const next = await Promise.race([this.#peek(), over]).catch(() => undefined);
      if (next === undefined || !isPiece(next.value) || !goesOn(first, next.value)) break;
      this.#reading = undefined;
      delta += next.value.delta;
    }
    return { done: false, value: { ...first, delta } };
  }
}

/** Whether a part is nothing but a piece: one with remarks of the provider stays as it is. */
function isPiece(part: unknown): part is Piece {
  if (typeof part !== "object" || part === null) return false;
  const { type, id, delta, ...others } = part as Partial<Piece>;
  if (typeof type !== "string" || typeof id !== "string" || typeof delta !== "string") return false;
  return Object.values(others).every((value) => value === undefined);
}

function goesOn(first: Piece, { type, id }: Piece): boolean {
  return type === first.type && id === first.id;
}

/** Once the event loop has gone round. */
function othersTurn(): Promise<undefined> {
  return new Promise((resolve) => setTimeout(() => resolve(undefined), 0));
}
