// How far a reply has been heard: from positions that the player reports to micro-turns and their samples (rule 4).

import type { PlaybackPosition } from "@microturn/core";

/** The last sound that left the loudspeaker, as `DuplexSession.played` takes it; at least one sample of a micro-turn. */
export interface HeardPosition extends PlaybackPosition {
  /** That of the sound (rule 5). */
  readonly fence: number;
}

/** Sound of a micro-turn, samples at the engine's rate; 0 for the last of what was inside the resampler. */
export interface TurnSound {
  readonly turnIndex: number;
  readonly fence: number;
  readonly samples: number;
}

interface Stretch extends TurnSound {
  /** Positions at the player's rate: of its first sample, and after its last. */
  readonly from: number;
  to: number;
  readonly length: number;
}

interface PlayerReport {
  readonly frame: number;
  readonly heard: number;
  readonly playing: boolean;
  readonly position: HeardPosition | undefined;
}

/** Reports that are kept: more than a second of them, beyond any latency of a loudspeaker. */
const maxReports = 64;

/** Remembers which micro-turn each position belongs to, and when each position was played. */
export class HeardTrack {
  readonly #delay: number;
  readonly #stretches: Stretch[] = [];
  readonly #reports: PlayerReport[] = [];
  #sent = 0;

  /** @param delay - how late the sound of a sample is in what is sent, samples at the player's rate */
  constructor(delay: number) {
    this.#delay = delay;
  }

  /** Samples sent so far, at the player's rate. */
  get sent(): number {
    return this.#sent;
  }

  /**
   * Sound of a micro-turn is sent to the player.
   *
   * @param sound - what it is
   * @param length - samples at the player's rate
   */
  send({ turnIndex, fence, samples }: TurnSound, length: number): void {
    const from = this.#sent + this.#delay;
    if (samples > 0) this.#stretches.push({ turnIndex, fence, samples, from, to: from + length, length });
    this.#sent += length;
  }

  /** What was sent is flushed: what was still inside the resampler never comes. */
  flush(): void {
    const last = this.#stretches.at(-1);
    if (last !== undefined) last.to = Math.min(last.to, this.#sent);
  }

  /** The player says that position `heard` was reached at `frame` of its context, and whether it goes on from there. */
  report(frame: number, heard: number, playing: boolean): void {
    const position = this.#find(heard) ?? this.#reports.at(-1)?.position;
    this.#reports.push({ frame, heard, playing, position });
    if (this.#reports.length > maxReports) this.#reports.shift();
    const oldest = this.#reports[0].heard;
    while (this.#stretches.length > 1 && this.#stretches[1].from < oldest) this.#stretches.shift();
  }

  /** What was heard last once all that was played has left the loudspeaker. */
  get last(): HeardPosition | undefined {
    return this.#reports.at(-1)?.position;
  }

  /** What was heard last when `frame` of the context left the loudspeaker; undefined before anything has. */
  at(frame: number): HeardPosition | undefined {
    let next: PlayerReport | undefined;
    for (let i = this.#reports.length - 1; i >= 0; i--) {
      const last = this.#reports[i];
      if (last.frame > frame) {
        next = last;
        continue;
      }
      if (!last.playing || next === undefined) return last.position;
      return this.#find(Math.min(last.heard + Math.floor(frame - last.frame), next.heard)) ?? last.position;
    }
    return undefined;
  }

  #find(heard: number): HeardPosition | undefined {
    for (let i = this.#stretches.length - 1; i >= 0; i--) {
      const { turnIndex, fence, samples, from, to, length } = this.#stretches[i];
      if (heard <= from) continue;
      if (heard > to) return undefined;
      return { turnIndex, samples: Math.max(1, Math.round(((heard - from) * samples) / length)), fence };
    }
    return undefined;
  }
}
