// Whether anything was heard lately, by the levels that the model is given: what makes the difference between somebody who breaks in
// and a model that stops by itself.

/** Levels are steps of 12 dB; a voice raises their mean over all mel bins by more than this above that of the room. */
const aboveRoom = 0.35;
/** Micro-turns by whose quietest one the room is known. */
const roomTurns = 15;

/** What is remembered of it. */
export interface RoomSoundState {
  readonly recent: readonly number[];
  readonly quietTurns: number;
}

/** Follows the sound of the input, micro-turn by micro-turn. */
export class RoomSound {
  #recent: readonly number[] = [];
  #quietTurns = 0;

  /** Micro-turns since the last one in which there was more than the sound of the room. */
  get quietTurns(): number {
    return this.#quietTurns;
  }

  /** @param levels - dMel levels of a micro-turn, `[frames, bins]` */
  push(levels: Uint8Array, bins: number): void {
    let loudest = 0;
    for (let from = 0; from < levels.length; from += bins) {
      let sum = 0;
      for (let i = from; i < from + bins; i++) sum += levels[i];
      loudest = Math.max(loudest, sum / bins);
    }
    const loud = this.#recent.length === 0 || loudest > Math.min(...this.#recent) + aboveRoom;
    this.#quietTurns = loud ? 0 : this.#quietTurns + 1;
    this.#recent = [...this.#recent, loudest].slice(-roomTurns);
  }

  snapshot(): RoomSoundState {
    return { recent: this.#recent, quietTurns: this.#quietTurns };
  }

  restore({ recent, quietTurns }: RoomSoundState): void {
    this.#recent = recent;
    this.#quietTurns = quietTurns;
  }
}
