// What the user says, as items: made of the words that the model heard. Its ear lags, and it owns the turns, so an item begins
// with the first word (or with the yield of the assistant) and ends when the assistant answers or the user has been quiet.

import { type ConversationItem, type ConversationItems, shownItem } from "./conversation-items.js";
import { nameOf, type Tell } from "./tell.js";

/** Micro-turns without a word after which the user has finished. */
const quietTurns = 5;
/** Micro-turns after the end of an item in which words still belong to it. */
const lagTurns = 3;

export interface UserSpeechOptions {
  readonly tell: Tell;
  readonly items: ConversationItems;
  readonly turnMs: number;
  /** Where a micro-turn begins in the client's own sound, ms. */
  readonly inputMs: (turnIndex: number) => number;
  readonly transcribes: () => boolean;
  readonly epoch: () => number;
  /** The sound so far belongs to an item. */
  readonly onCommit: () => void;
}

interface Utterance {
  readonly id: string;
  words: string;
  readonly startTurn: number;
  lastTurn: number;
}

export class UserSpeech {
  readonly #options: UserSpeechOptions;
  /** What is being said while the assistant is silent; `speech_started` was told. */
  #open: Utterance | undefined;
  /** What is being said while the assistant speaks: it may yield, or go on. */
  #overlap: Utterance | undefined;
  /** Committed; its last words may still come. */
  #sealed: { readonly utterance: Utterance; readonly item: ConversationItem; readonly turn: number } | undefined;

  constructor(options: UserSpeechOptions) {
    this.#options = options;
  }

  /** Whether something is under way that needs time to end. */
  get unfinished(): boolean {
    return this.#open !== undefined || this.#overlap !== undefined || this.#sealed !== undefined;
  }

  /** One more micro-turn, with the words that were heard in it. @param speaking - the assistant holds the floor */
  take(words: string, turnIndex: number, speaking: boolean): void {
    if (words !== "") this.#hear(words, turnIndex, speaking);
    const { lastTurn = turnIndex } = this.#overlap ?? {};
    if (this.#overlap !== undefined && turnIndex - lastTurn >= quietTurns) this.#endOverlap(turnIndex);
    this.#completeAt(turnIndex);
    if (this.#open !== undefined && turnIndex - this.#open.lastTurn >= quietTurns) {
      this.seal(turnIndex);
      this.#options.tell("response.listen", {
        epoch: this.#options.epoch(),
        response: { status: "listening", metadata: { reason: "no_answer" } },
      });
    }
  }

  /** The assistant gives up the floor: whoever plays its sound stops now. */
  yielded(turnIndex: number): void {
    const overlap = this.#overlap;
    this.#overlap = undefined;
    this.#complete();
    if (this.#open !== undefined) return;
    const overlapMs = (turnIndex - (overlap?.startTurn ?? turnIndex) + 1) * this.#options.turnMs;
    this.#options.tell("overlap.decision", {
      ...{ action: "barge_in", reason: "model_yielded", overlap_ms: overlapMs, epoch: this.#options.epoch() },
    });
    this.#start(overlap ?? { id: nameOf("item"), words: "", startTurn: turnIndex, lastTurn: turnIndex });
  }

  /** The assistant has said its reply to the end; who spoke into it goes on. */
  assistantFinished(): void {
    const overlap = this.#overlap;
    this.#overlap = undefined;
    if (overlap === undefined) return;
    this.#complete();
    this.#start(overlap);
  }

  /** The assistant answers, or has said all it had to say: what was said until now is an item. */
  seal(turnIndex: number): void {
    if (this.#overlap !== undefined) this.#endOverlap(turnIndex);
    const open = this.#open;
    if (open === undefined) return;
    this.#open = undefined;
    this.#options.tell("input_audio_buffer.speech_stopped", {
      ...{ audio_end_ms: this.#options.inputMs(turnIndex), item_id: open.id },
    });
    this.#commit(open, turnIndex);
  }

  /** The client says that the sound so far is an item. @returns its id */
  commit(turnIndex: number): string {
    const open = this.#open;
    if (open !== undefined) {
      this.seal(turnIndex);
      return open.id;
    }
    const utterance = { id: nameOf("item"), words: "", startTurn: turnIndex, lastTurn: turnIndex };
    this.#commit(utterance, turnIndex);
    return utterance.id;
  }

  #hear(words: string, turnIndex: number, speaking: boolean): void {
    if (this.#sealed !== undefined && turnIndex - this.#sealed.turn <= lagTurns) {
      this.#addWords(this.#sealed.utterance, words, turnIndex);
      return;
    }
    if (this.#open !== undefined) {
      this.#addWords(this.#open, words, turnIndex);
      return;
    }
    if (speaking) {
      this.#overlap ??= { id: nameOf("item"), words: "", startTurn: turnIndex, lastTurn: turnIndex };
      this.#overlap.words = joined(this.#overlap.words, words);
      this.#overlap.lastTurn = turnIndex;
      return;
    }
    this.#complete();
    this.#start({ id: nameOf("item"), words, startTurn: turnIndex, lastTurn: turnIndex });
  }

  #start(utterance: Utterance): void {
    this.#open = utterance;
    const { tell, inputMs, items } = this.#options;
    items.promise(utterance.id);
    tell("input_audio_buffer.speech_started", {
      ...{ audio_start_ms: inputMs(utterance.startTurn), item_id: utterance.id },
    });
    this.#tellWords(utterance.id, utterance.words);
  }

  #addWords(utterance: Utterance, words: string, turnIndex: number): void {
    this.#tellWords(utterance.id, utterance.words === "" ? words : ` ${words}`);
    utterance.words = joined(utterance.words, words);
    utterance.lastTurn = turnIndex;
  }

  #tellWords(id: string, delta: string): void {
    if (delta === "" || !this.#options.transcribes()) return;
    const type = "conversation.item.input_audio_transcription.delta";
    this.#options.tell(type, { item_id: id, content_index: 0, delta });
  }

  /** The assistant has gone on: the words were said into its reply. */
  #endOverlap(turnIndex: number): void {
    const overlap = this.#overlap;
    this.#overlap = undefined;
    if (overlap === undefined) return;
    this.#options.tell("overlap.decision", {
      ...{ action: "listen", reason: "model_goes_on", epoch: this.#options.epoch() },
      overlap_ms: (overlap.lastTurn - overlap.startTurn + 1) * this.#options.turnMs,
    });
    this.#complete();
    const item = this.#add(overlap);
    this.#tellWords(overlap.id, overlap.words);
    this.#sealed = { utterance: overlap, item, turn: turnIndex - lagTurns };
    this.#complete();
  }

  #commit(utterance: Utterance, turnIndex: number): void {
    this.#complete();
    this.#options.tell("input_audio_buffer.committed", {
      item_id: utterance.id,
      previous_item_id: this.#options.items.lastId,
    });
    this.#options.onCommit();
    this.#sealed = { utterance, item: this.#add(utterance), turn: turnIndex };
  }

  #add({ id, words }: Utterance): ConversationItem {
    const { items, tell, transcribes } = this.#options;
    const transcript = transcribes() && words !== "" ? words : null;
    const item: ConversationItem = {
      ...{ id, type: "message", role: "user", status: "completed" },
      shown: { content: [{ type: "input_audio", transcript }] },
    };
    const previous_item_id = items.addPromised(item);
    tell("conversation.item.added", { item: shownItem(item), previous_item_id });
    tell("conversation.item.done", { item: shownItem(item), previous_item_id });
    return item;
  }

  #completeAt(turnIndex: number): void {
    if (this.#sealed !== undefined && turnIndex - this.#sealed.turn >= lagTurns) this.#complete();
  }

  /** All words of the committed item are there. */
  #complete(): void {
    const sealed = this.#sealed;
    this.#sealed = undefined;
    if (sealed === undefined || !this.#options.transcribes()) return;
    const { utterance, item } = sealed;
    item.shown = { content: [{ type: "input_audio", transcript: utterance.words }] };
    this.#options.tell("conversation.item.input_audio_transcription.completed", {
      ...{ item_id: utterance.id, content_index: 0, transcript: utterance.words },
      usage: { type: "duration", seconds: 0 },
    });
  }
}

function joined(before: string, words: string): string {
  return before === "" ? words : `${before} ${words}`;
}
