// Sound and words of replies as a service sends them, in bursts, given back one micro-turn at a time. A service without a
// unit clock is cut into units by time: what is said in a micro-turn is what is heard in it.

import { SampleQueue } from "./sample-queue.js";

/** What a micro-turn gets. */
export interface ReplySlice {
  /** Whether any of the sound is of a reply. */
  readonly speaks: boolean;
  /** Words that are said in it, as the service wrote them. */
  readonly text: string;
  /** Samples of silence in the middle of a reply, because its sound had not come. */
  readonly underrun: number;
}

/** Characters a second of a voice that reads aloud; places words whose sound has not come yet. */
const charactersPerSecond = 15;
/** Pieces of text that a reply holds, characters in one, and replies; a service that sends more is broken. */
const maxPieces = 1024;
const maxPieceLength = 4096;
const maxReplies = 64;
/** Names of replies that have ended: words may come late. */
const maxEnded = 64;
/** Micro-turns whose sound is remembered. */
const maxPlaces = 64;

interface Reply {
  readonly id: string;
  readonly sound: SampleQueue;
  /** Samples that were given before it seemed over and went on. */
  readonly past: number;
  /** Samples that have come in all, and that were handed on or left out. */
  received: number;
  given: number;
  readonly text: { text: string; readonly atSample: number | undefined }[];
  /** Characters without a time of their own that have come in all, and that were handed on. */
  characters: number;
  charactersGiven: number;
  ended: boolean;
  begun: boolean;
}

/** Sound of one reply in one micro-turn. */
interface Place {
  readonly turn: number;
  readonly reply: string;
  /** Samples of the reply, from the start of its sound, at the end of this. */
  readonly end: number;
  readonly samples: number;
  /** Samples of it that were told as heard. */
  told: number;
}

/** Replies in order, the first of which may be under way. */
export class ReplyQueue {
  readonly #sampleRate: number;
  readonly #reserve: number;
  readonly #maxSamples: number;
  readonly #replies: Reply[] = [];
  readonly #ended: string[] = [];
  /** Samples that were given of replies that seemed over: one may go on when a connection comes back. */
  readonly #past = new Map<string, number>();
  /** Where the sound of the last micro-turns came from. */
  readonly #places: Place[] = [];
  #held = 0;
  /** Whose words were given last. */
  #speaker: string | undefined;

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
      const skipped = one.sound.skip(this.#held - this.#maxSamples);
      // Its words are placed as if it had been said.
      one.given += skipped;
      this.#held -= skipped;
      dropped += skipped;
    }
    return dropped;
  }

  addText(text: string, id: string, atMs?: number): void {
    if (text === "") return;
    const reply = this.#reply(id);
    const piece = text.slice(0, maxPieceLength);
    const atSample = atMs === undefined ? undefined : Math.round((atMs * this.#sampleRate) / 1000);
    const last = reply.text.at(-1);
    if (last !== undefined && last.atSample === atSample && last.text.length + piece.length <= maxPieceLength) {
      last.text += piece;
    } else if (reply.text.length < maxPieces) reply.text.push({ text: piece, atSample });
    else return;
    if (atSample === undefined) reply.characters += piece.length;
  }

  end(id: string): void {
    for (const reply of this.#replies) if (reply.id === id) reply.ended = true;
    if (id === "" || this.#ended.includes(id)) return;
    this.#ended.push(id);
    if (this.#ended.length > maxEnded) this.#ended.shift();
  }

  /** Nothing more comes of any. */
  endAll(): void {
    for (const reply of this.#replies) reply.ended = true;
  }

  /** Drops everything that has not been handed on. @returns names of the replies that are cut by it, in order */
  clear(): string[] {
    const cut = this.#replies.map(({ id }) => id);
    this.#replies.length = 0;
    this.#held = 0;
    return cut;
  }

  /**
   * Fills one micro-turn.
   *
   * @param turn - its index, for {@link heardOf}
   * @param speech - is written whole
   */
  take(turn: number, speech: Float32Array): ReplySlice {
    let filled = 0;
    let underrun = 0;
    let text = "";
    while (filled < speech.length) {
      const reply = this.#replies[0];
      if (reply === undefined) break;
      // A reply whose end was not told ends where the next begins.
      const last = reply.ended || this.#replies.some((one, at) => at > 0 && one.received > one.given);
      const waiting = reply.received - reply.given;
      if (!reply.begun && !last && waiting < Math.max(1, speech.length - filled + this.#reserve)) break;
      reply.begun = true;
      const samples = reply.sound.take(speech, filled);
      filled += samples;
      reply.given += samples;
      this.#held -= samples;
      if (samples > 0) this.#note({ turn, reply: reply.id, end: reply.given, samples, told: 0 });
      const over = last && reply.given === reply.received;
      const words = takeText(reply, over, this.#sampleRate);
      // The last word of one reply and the first of the next are two, whatever the service puts between them.
      if (words !== "") {
        if (this.#speaker !== undefined && this.#speaker !== reply.id) text += " ";
        this.#speaker = reply.id;
        text += words;
      }
      if (over) {
        this.#replies.shift();
        this.#remember(reply);
        continue;
      }
      underrun = reply.given > reply.past ? speech.length - filled : 0;
      break;
    }
    speech.fill(0, filled);
    return { speaks: filled > 0, text, underrun };
  }

  /**
   * How much of a reply was heard, in samples from the start of its sound; 0 if nothing.
   *
   * @param turn - the micro-turn whose sound was last heard
   * @param samples - of it that were heard
   */
  heardOf(reply: string, turn: number, samples: number): number {
    let heard = 0;
    let left = samples;
    for (const one of this.#places) {
      if (one.turn > turn) break;
      const count = one.turn < turn ? one.samples : Math.max(0, Math.min(left, one.samples));
      if (one.turn === turn) left -= one.samples;
      if (one.reply === reply && count > 0) heard = one.end - one.samples + count;
    }
    return heard;
  }

  /**
   * Replies that were heard on since this was last asked, and how far, in samples from the start of the sound of each.
   *
   * @param turn - the micro-turn whose sound was last heard
   * @param samples - of it that were heard
   */
  heardSince(turn: number, samples: number): ReadonlyMap<string, number> {
    const heard = new Map<string, number>();
    let left = samples;
    for (const one of this.#places) {
      if (one.turn > turn) break;
      const count = one.turn < turn ? one.samples : Math.max(0, Math.min(left, one.samples));
      if (one.turn === turn) left -= one.samples;
      if (count <= one.told) continue;
      one.told = count;
      heard.set(one.reply, one.end - one.samples + count);
    }
    return heard;
  }

  #reply(id: string): Reply {
    const known = this.#replies.findLast((one) => one.id === id && (id !== "" || !one.ended));
    if (known !== undefined) return known;
    const last = this.#replies.at(-1);
    if (last !== undefined && this.#replies.length >= maxReplies) return last;
    const past = this.#past.get(id) ?? 0;
    const reply: Reply = {
      ...{
        id,
        past,
        sound: new SampleQueue(),
        received: past,
        given: past,
        text: [],
        characters: 0,
        charactersGiven: 0,
      },
      ...{ ended: this.#ended.includes(id), begun: false },
    };
    this.#replies.push(reply);
    return reply;
  }

  #remember({ id, given }: Reply): void {
    if (id === "") return;
    this.#past.set(id, given);
    const [oldest] = this.#past.keys();
    if (this.#past.size > maxEnded) this.#past.delete(oldest);
  }

  #note(place: Place): void {
    this.#places.push(place);
    if (this.#places.length > maxPlaces) this.#places.shift();
  }
}

/** Takes the words that are said by now: those with a time by their time, the others by their share of the sound. */
function takeText(reply: Reply, over: boolean, sampleRate: number): string {
  const estimate = (reply.characters * sampleRate) / charactersPerSecond;
  const received = reply.received - reply.past;
  const length = reply.ended ? received : Math.max(received, estimate);
  const share = over || length === 0 ? 1 : (reply.given - reply.past) / length;
  const due = Math.ceil(share * reply.characters);
  let taken = "";
  while (reply.text.length > 0) {
    const first = reply.text[0];
    if (first.atSample !== undefined) {
      if (!over && first.atSample >= reply.given) break;
      taken += first.text;
      reply.text.shift();
      continue;
    }
    if (!over && reply.charactersGiven >= due) break;
    // A piece may be a whole sentence: it is given word by word.
    const { text } = first;
    const room = over ? text.length : Math.min(text.length, due - reply.charactersGiven);
    const cut = room >= text.length ? text.length : wordEnd(text, room);
    taken += text.slice(0, cut);
    reply.charactersGiven += cut;
    if (cut === text.length) reply.text.shift();
    else {
      first.text = text.slice(cut);
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
