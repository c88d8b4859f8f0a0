// Sound and words of replies as a service sends them, in bursts, given back one micro-turn at a time. A service without a
// unit clock is cut into units by time: what is said in a micro-turn is what is heard in it.

/** What a micro-turn gets. */
export interface ReplySlice {
  /** Whether any of the sound is of a reply. */
  readonly speaks: boolean;
  /** Words that are said in it, as the service wrote them. */
  readonly text: string;
  /** Samples of silence in the middle of a reply, because its sound had not come. */
  readonly underrun: number;
}

/** A place in a reply. */
export interface ReplyPlace {
  readonly reply: string;
  /** Samples from the start of its sound. */
  readonly samples: number;
}

/** Characters a second of a voice that reads aloud; places words whose sound has not come yet. */
const charactersPerSecond = 15;
/** Pieces of text that a reply holds, and characters in one; a service that sends more is broken, and more is left out. */
const maxPieces = 1024;
const maxPieceLength = 4096;

interface Reply {
  readonly id: string;
  readonly sound: Float32Array[];
  /** Samples of `sound[0]` that were taken. */
  taken: number;
  /** Samples that have come in all, and that were handed on. */
  received: number;
  given: number;
  readonly text: { readonly text: string; readonly atSample: number | undefined }[];
  /** Characters without a time of their own that have come in all, and that were handed on. */
  characters: number;
  charactersGiven: number;
  ended: boolean;
  begun: boolean;
}

/** Replies in order, the first of which may be under way. */
export class ReplyQueue {
  readonly #sampleRate: number;
  readonly #reserve: number;
  readonly #maxSamples: number;
  readonly #replies: Reply[] = [];
  /** Where the sound of each of the last micro-turns came from. */
  readonly #places: { readonly turn: number; readonly place: ReplyPlace; readonly samples: number }[] = [];
  #held = 0;

  /**
   * @param options - all in samples at `sampleRate`
   * @param options.reserve - held back at the start of a reply until so much has come beyond the first micro-turn, or its end
   * @param options.maxSamples - most sound that is held; the oldest goes
   */
  constructor(options: { readonly sampleRate: number; readonly reserve: number; readonly maxSamples: number }) {
    this.#sampleRate = options.sampleRate;
    this.#reserve = options.reserve;
    this.#maxSamples = options.maxSamples;
  }

  /** Samples that wait. */
  get held(): number {
    return this.#held;
  }

  /** Whether a reply is under way or waits. */
  get busy(): boolean {
    return this.#replies.length > 0;
  }

  /** @returns samples that had to go for it */
  addAudio(pcm: Float32Array, id: string): number {
    const reply = this.#reply(id);
    reply.sound.push(pcm);
    reply.received += pcm.length;
    this.#held += pcm.length;
    let dropped = 0;
    for (const one of this.#replies) {
      if (this.#held <= this.#maxSamples) break;
      dropped += this.#pass(one, this.#held - this.#maxSamples);
    }
    return dropped;
  }

  addText(text: string, id: string, atMs?: number): void {
    if (text === "") return;
    const reply = this.#reply(id);
    if (reply.text.length >= maxPieces) return;
    const atSample = atMs === undefined ? undefined : Math.round((atMs * this.#sampleRate) / 1000);
    const piece = text.slice(0, maxPieceLength);
    reply.text.push({ text: piece, atSample });
    if (atSample === undefined) reply.characters += piece.length;
  }

  end(id: string): void {
    for (const reply of this.#replies) if (reply.id === id) reply.ended = true;
  }

  /** Drops everything that has not been handed on. @returns whether there was a reply */
  clear(): boolean {
    const busy = this.busy;
    this.#replies.length = 0;
    this.#held = 0;
    return busy;
  }

  /**
   * Fills one micro-turn.
   *
   * @param turn - its index, for {@link placeOf}
   * @param speech - is written whole
   */
  take(turn: number, speech: Float32Array): ReplySlice {
    let filled = 0;
    let underrun = 0;
    let text = "";
    while (filled < speech.length) {
      const reply = this.#replies[0];
      if (reply === undefined) break;
      if (!reply.begun && !this.#mayBegin(reply, speech.length - filled)) break;
      reply.begun = true;
      const before = filled;
      filled += this.#takeSound(reply, speech, filled);
      if (filled > before) this.#note(turn, { reply: reply.id, samples: reply.given }, filled - before);
      const over = reply.ended && reply.given === reply.received;
      text += takeText(reply, over, this.#sampleRate);
      if (over) {
        this.#replies.shift();
        continue;
      }
      underrun = reply.given > 0 ? speech.length - filled : 0;
      break;
    }
    speech.fill(0, filled);
    return { speaks: filled > 0, text, underrun };
  }

  /**
   * Where a reply had come to when a sample of a micro-turn was heard.
   *
   * @param samples - of the sound of micro-turn `turn` that were heard
   * @returns undefined if that micro-turn, and what is remembered before it, was silent
   */
  placeOf(turn: number, samples: number): ReplyPlace | undefined {
    let found: ReplyPlace | undefined;
    let left = samples;
    for (const one of this.#places) {
      if (one.turn < turn) found = one.place;
      if (one.turn !== turn || left <= 0) continue;
      const heard = Math.min(left, one.samples);
      found = { reply: one.place.reply, samples: one.place.samples - one.samples + heard };
      left -= heard;
    }
    return found;
  }

  #reply(id: string): Reply {
    const last = this.#replies.at(-1);
    if (last !== undefined && last.id === id && !last.ended) return last;
    const known = this.#replies.find((one) => one.id === id && !one.ended);
    if (known !== undefined) return known;
    const reply: Reply = {
      ...{ id, sound: [], taken: 0, received: 0, given: 0, text: [], characters: 0, charactersGiven: 0 },
      ...{ ended: false, begun: false },
    };
    this.#replies.push(reply);
    return reply;
  }

  #mayBegin(reply: Reply, room: number): boolean {
    return reply.ended || (reply.received > 0 && reply.received >= room + this.#reserve);
  }

  /** Leaves out sound that has not been handed on. @returns samples, at most `count` */
  #pass(reply: Reply, count: number): number {
    let passed = 0;
    while (passed < count && reply.sound.length > 0) {
      const [first] = reply.sound;
      const left = Math.min(first.length - reply.taken, count - passed);
      passed += left;
      reply.taken += left;
      if (reply.taken === first.length) {
        reply.sound.shift();
        reply.taken = 0;
      }
    }
    // Its words are placed as if it had been said.
    reply.given += passed;
    this.#held -= passed;
    return passed;
  }

  #takeSound(reply: Reply, speech: Float32Array, at: number): number {
    let filled = 0;
    while (at + filled < speech.length && reply.sound.length > 0) {
      const [first] = reply.sound;
      const count = Math.min(first.length - reply.taken, speech.length - at - filled);
      speech.set(first.subarray(reply.taken, reply.taken + count), at + filled);
      filled += count;
      reply.taken += count;
      if (reply.taken === first.length) {
        reply.sound.shift();
        reply.taken = 0;
      }
    }
    reply.given += filled;
    this.#held -= filled;
    return filled;
  }

  #note(turn: number, place: ReplyPlace, samples: number): void {
    this.#places.push({ turn, place, samples });
    if (this.#places.length > 64) this.#places.shift();
  }
}

/** Takes the words that are said by now: those with a time by their time, the others by their share of the sound. */
function takeText(reply: Reply, over: boolean, sampleRate: number): string {
  const estimate = (reply.characters * sampleRate) / charactersPerSecond;
  const length = reply.ended ? reply.received : Math.max(reply.received, estimate);
  const share = over || length === 0 ? 1 : reply.given / length;
  const due = Math.ceil(share * reply.characters);
  let taken = "";
  while (reply.text.length > 0) {
    const [{ text, atSample }] = reply.text;
    if (atSample !== undefined) {
      if (!over && atSample >= reply.given) break;
      taken += text;
      reply.text.shift();
      continue;
    }
    if (!over && reply.charactersGiven >= due) break;
    // A piece may be a whole sentence: it is given word by word.
    const room = over ? text.length : Math.min(text.length, due - reply.charactersGiven);
    const cut = room >= text.length ? text.length : wordEnd(text, room);
    taken += text.slice(0, cut);
    reply.charactersGiven += cut;
    if (cut === text.length) reply.text.shift();
    else {
      reply.text[0] = { text: text.slice(cut), atSample };
      break;
    }
  }
  return taken;
}

/** The end of the word that position `at` is in. */
function wordEnd(text: string, at: number): number {
  const space = text.indexOf(" ", Math.max(0, at));
  return space === -1 ? text.length : space;
}
