// The last seconds of a session as plain numbers, in rings that are allocated once: hours of talk take no more memory.

import type { TurnRecord } from "@microturn/core";
import type { TimedText } from "../../viewer/page/words.js";

/** One bar of a voice, ms: five to a micro-turn of 200. */
export const barMs = 40;
/** Micro-turns that are kept: more than the time line shows. */
export const keptTurns = 160;
const keptWords = 80;

/** What became of a micro-turn. */
export const decisions = { none: 0, listen: 1, speak: 2, skipped: 3 } as const;

/** Of a micro-turn, what is drawn. */
export interface TurnPicture extends Pick<TurnRecord, "index" | "startMs" | "inside"> {
  /** Loudest sample of each bar of either voice. */
  readonly user: Float32Array;
  readonly assistant: Float32Array;
  readonly output: Pick<TurnRecord["output"], "decision" | "text" | "heard" | "yielded" | "skipped">;
  readonly timing: Pick<TurnRecord["timing"], "slackMs" | "late">;
}

/** What of a record is drawn; its sound is far more than that. @param turnMs - length of the micro-turn */
export function pictureOf({ index, startMs, input, output, timing, inside }: TurnRecord, turnMs: number): TurnPicture {
  const { decision, text, heard, yielded, skipped } = output;
  const { slackMs, late } = timing;
  const bars = turnMs / barMs;
  return {
    ...{ index, startMs, user: peaks(input.audio, bars), assistant: peaks(output.speech, bars) },
    output: { decision, text, heard, yielded, skipped },
    timing: { slackMs, late },
    ...(inside === undefined ? {} : { inside }),
  };
}

/** A live session as the time line draws it. */
export class LiveHistory {
  /** Length of a micro-turn, ms. */
  turnMs = 200;
  /** Micro-turns so far: the rings hold the last {@link keptTurns}. */
  turns = 0;
  /** One of {@link decisions} by micro-turn modulo {@link keptTurns}; so are the others. */
  readonly decision = new Uint8Array(keptTurns);
  readonly slackMs = new Float32Array(keptTurns);
  readonly late = new Uint8Array(keptTurns);
  /** 1 where the assistant gave up the floor, or was silenced. */
  readonly yielded = new Uint8Array(keptTurns);
  /** Layers and experts, once a micro-turn has shown them. */
  expertShape: readonly [layers: number, experts: number] | undefined;
  /** Load of each expert, 0 … 255 for none to three times its even share. */
  experts = new Uint8Array(0);
  readonly heard: TimedText[] = [];
  readonly said: TimedText[] = [];
  #user = new Float32Array(0);
  #assistant = new Float32Array(0);
  /** The user is known up to here, bars. */
  #userBars = 0;
  #listened = true;

  /** Forgets everything, for a new session. */
  begin(turnMs: number): void {
    this.turnMs = turnMs;
    this.turns = 0;
    this.#user = new Float32Array((keptTurns * turnMs) / barMs);
    this.#assistant = new Float32Array(this.#user.length);
    this.#userBars = 0;
    this.#listened = true;
    this.heard.length = 0;
    this.said.length = 0;
    for (const ring of [this.decision, this.slackMs, this.late, this.yielded, this.experts]) ring.fill(0);
  }

  /** Takes the record of the next micro-turn. */
  push({ index, startMs, user, assistant, output, timing, inside }: TurnPicture): void {
    const at = index % keptTurns;
    this.turns = index + 1;
    keepBars(user, this.#user, startMs / barMs);
    this.#userBars = Math.max(this.#userBars, (this.turns * this.turnMs) / barMs);
    // It sounds while the next one is heard.
    keepBars(assistant, this.#assistant, (startMs + this.turnMs) / barMs);
    this.decision[at] = output.skipped ? decisions.skipped : decisions[output.decision];
    this.slackMs[at] = timing.slackMs;
    this.late[at] = Number(timing.late);
    this.yielded[at] = Number(output.yielded);
    this.#keepExperts(at, inside);
    const timeMs = startMs + this.turnMs;
    if (output.heard.trim() !== "") keep(this.heard, { timeMs, text: output.heard, turn: index });
    if (output.text.trim() !== "") {
      keep(this.said, { timeMs, text: output.text, turn: index, fresh: this.#listened });
      this.#listened = false;
    }
    this.#listened ||= output.decision === "listen";
  }

  /** The assistant was cut off in this micro-turn. */
  markYield(index: number): void {
    this.yielded[index % keptTurns] = 1;
  }

  /** The last words of the assistant were given up before anybody heard them. */
  takeBack(unheard: string): void {
    let left = lettersOf(unheard);
    for (let word = this.said.pop(); word !== undefined; word = this.said.pop()) {
      let end = word.text.length;
      while (left > 0 && end > 0) if (/\S/.test(word.text[--end])) left--;
      const text = word.text.slice(0, end).trimEnd();
      if (text !== "") this.said.push({ ...word, text });
      if (left === 0) return;
    }
  }

  /** How loud the user is now: until the record of this micro-turn is there, it is all that is known of it. */
  hear(timeMs: number, level: number): void {
    const bar = Math.floor(timeMs / barMs);
    const first = (this.turns * this.turnMs) / barMs;
    for (let at = Math.max(first, this.#userBars); at <= bar; at++) this.#user[at % this.#user.length] = level;
    this.#userBars = Math.max(this.#userBars, bar + 1);
  }

  /** Level of the user in a bar, 0 … 1. */
  userBar(bar: number): number {
    return this.#bar(this.#user, bar, this.#userBars);
  }

  /** Level of the assistant in a bar, 0 … 1. */
  assistantBar(bar: number): number {
    return this.#bar(this.#assistant, bar, ((this.turns + 1) * this.turnMs) / barMs);
  }

  /** First micro-turn that is still here. */
  get firstTurn(): number {
    return Math.max(0, this.turns - keptTurns + 3);
  }

  #bar(ring: Float32Array, bar: number, end: number): number {
    return bar < (this.firstTurn * this.turnMs) / barMs || bar >= end ? 0 : ring[bar % ring.length];
  }

  #keepExperts(at: number, inside: TurnRecord["inside"]): void {
    const { expertLoad, expertShape } = inside ?? {};
    if (expertLoad === undefined || expertShape === undefined) return;
    const size = expertShape[0] * expertShape[1];
    if (this.experts.length !== size * keptTurns) this.experts = new Uint8Array(size * keptTurns);
    this.expertShape = expertShape;
    const strength = (255 * expertShape[1]) / 3;
    for (let e = 0; e < size; e++) {
      this.experts[at * size + e] = Math.max(0, Math.min(255, Math.round(expertLoad[e] * strength)));
    }
  }
}

/** Characters of a text that are no spaces: words are joined with more of those, or fewer, from place to place. */
export function lettersOf(text: string): number {
  return text.replace(/\s+/g, "").length;
}

/** Loudest sample of each bar. */
function peaks(samples: Float32Array, bars: number): Float32Array {
  const perBar = samples.length / bars;
  return Float32Array.from({ length: bars }, (_, bar) => {
    let peak = 0;
    for (let i = Math.floor(bar * perBar); i < (bar + 1) * perBar; i++) peak = Math.max(peak, Math.abs(samples[i]));
    return Math.min(1, peak);
  });
}

function keepBars(bars: Float32Array, ring: Float32Array, first: number): void {
  for (const [at, peak] of bars.entries()) ring[(first + at) % ring.length] = peak;
}

function keep(list: TimedText[], word: TimedText): void {
  list.push(word);
  if (list.length > keptWords) list.splice(0, list.length - keptWords);
}
