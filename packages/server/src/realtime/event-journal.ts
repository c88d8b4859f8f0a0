// Events that a client may have missed: kept by their numbers until it says that it has them, it is too late to ask, or there
// are too many. They lie one after the other in blocks of memory: as objects, the events of many sessions are work for the collector.

import type { EventBytes } from "./tell.js";

/** Bounds of an {@link EventJournal}. */
export interface JournalBounds {
  /** Bytes of all events. */
  readonly maxBytes: number;
  readonly maxEvents: number;
  /** How long an event is kept, ms. */
  readonly maxAgeMs: number;
  /** How long one is kept that has arrived, as far as the connection can tell, ms. */
  readonly maxArrivedAgeMs: number;
}

/** Memory for events one after the other. What is written is not written over: a connection may still have to send it. */
interface Block {
  readonly bytes: Buffer;
  end: number;
}

/** The first block of a session, and the largest one; an event that is larger has a block of its own. Bytes. */
const smallestBlock = 4096;
const largestBlock = 65_536;
/** Before each event: when it was told, and how many bytes of JSON and of `delta` follow. */
const head = { atMs: 0, json: 8, delta: 12, length: 16 } as const;
const noDelta = 0xffff_ffff;

export class EventJournal {
  readonly #bounds: JournalBounds;
  #blocks: Block[] = [];
  /** Where the oldest event lies in the first block. */
  #start = 0;
  #bytes = 0;
  #first = 1;
  #last = 0;
  #arrived = 0;

  constructor(bounds: JournalBounds) {
    this.#bounds = bounds;
  }

  /** Number of the newest event; 0 before the first. */
  get last(): number {
    return this.#last;
  }

  /** Number of the oldest event that is kept. */
  get first(): number {
    return this.#first;
  }

  /**
   * Keeps the next event, whose number is `last + 1`.
   *
   * @param json - the event, an object
   * @param delta - the bytes of its `delta`, if it has such; copied
   * @returns the event as it is kept
   */
  add(json: string, delta: Uint8Array | undefined, nowMs: number): EventBytes {
    const jsonBytes = Buffer.byteLength(json);
    const deltaBytes = delta?.length ?? 0;
    const block = this.#blockFor(head.length + jsonBytes + deltaBytes);
    const { bytes, end: at } = block;
    bytes.writeDoubleLE(nowMs, at + head.atMs);
    bytes.writeUInt32LE(jsonBytes, at + head.json);
    bytes.writeUInt32LE(delta === undefined ? noDelta : deltaBytes, at + head.delta);
    bytes.write(json, at + head.length, "utf8");
    if (delta !== undefined) bytes.set(delta, at + head.length + jsonBytes);
    block.end += head.length + jsonBytes + deltaBytes;
    this.#bytes += jsonBytes + deltaBytes;
    this.#last++;
    this.#dropOld(nowMs);
    return eventOf(block, placeOf(block, at));
  }

  /** The client has every event up to this one. */
  acknowledge(sequence: number): void {
    while (this.#first <= Math.min(sequence, this.#last)) this.#dropFirst();
  }

  /** The client's end of the connection has every event up to this one; whether the client has looked at them, it does not tell. */
  arrived(sequence: number): void {
    this.#arrived = Math.max(this.#arrived, sequence);
  }

  /** The events after one, oldest first; undefined if some of them are gone, or it has not come yet. */
  after(sequence: number): readonly EventBytes[] | undefined {
    if (sequence > this.#last || sequence < this.#first - 1) return undefined;
    const events: EventBytes[] = [];
    let start = this.#start;
    for (const block of this.#blocks) {
      for (let at = start; at < block.end; ) {
        const place = placeOf(block, at);
        events.push(eventOf(block, place));
        at = place.end;
      }
      start = 0;
    }
    return events.slice(sequence + 1 - this.#first);
  }

  clear(): void {
    this.#blocks = [];
    this.#start = 0;
    this.#bytes = 0;
    this.#first = this.#last + 1;
  }

  #blockFor(length: number): Block {
    const newest = this.#blocks.at(-1);
    if (newest !== undefined && newest.end + length <= newest.bytes.length) return newest;
    const usual = Math.min(largestBlock, Math.max(smallestBlock, 2 * (newest?.bytes.length ?? 0)));
    const block = { bytes: Buffer.allocUnsafeSlow(Math.max(usual, length)), end: 0 };
    this.#blocks.push(block);
    return block;
  }

  #dropOld(nowMs: number): void {
    const { maxBytes, maxEvents } = this.#bounds;
    while (
      this.#last - this.#first >= maxEvents ||
      (this.#bytes > maxBytes && this.#first < this.#last) ||
      (this.#first <= this.#last && this.#isOld(nowMs))
    ) {
      this.#dropFirst();
    }
  }

  /** Whether the oldest event need not be kept any more. */
  #isOld(nowMs: number): boolean {
    const { maxAgeMs, maxArrivedAgeMs } = this.#bounds;
    const { bytes } = this.#oldest();
    return (
      nowMs - bytes.readDoubleLE(this.#start + head.atMs) > (this.#first <= this.#arrived ? maxArrivedAgeMs : maxAgeMs)
    );
  }

  #dropFirst(): void {
    const { start, end } = placeOf(this.#oldest(), this.#start);
    this.#start = end;
    this.#bytes -= end - start;
    this.#first++;
  }

  /** The block of the oldest event; those before it are let go. */
  #oldest(): Block {
    if (this.#start === this.#blocks[0].end) {
      this.#blocks.shift();
      this.#start = 0;
    }
    return this.#blocks[0];
  }
}

/** Where the parts of an event lie whose head is at `at`. */
function placeOf({ bytes }: Block, at: number) {
  const start = at + head.length;
  const deltaAt = start + bytes.readUInt32LE(at + head.json);
  const deltaBytes = bytes.readUInt32LE(at + head.delta);
  const hasDelta = deltaBytes !== noDelta;
  return { start, deltaAt, hasDelta, end: hasDelta ? deltaAt + deltaBytes : deltaAt };
}

function eventOf({ bytes }: Block, { start, deltaAt, hasDelta, end }: ReturnType<typeof placeOf>): EventBytes {
  return { json: bytes.subarray(start, deltaAt), delta: hasDelta ? bytes.subarray(deltaAt, end) : undefined };
}
