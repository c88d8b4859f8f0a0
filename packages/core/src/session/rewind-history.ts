// How a session finds back to an earlier micro-turn (rule 10): a snapshot now and then, and the inputs since.

import type { EngineSession, EngineSnapshot, TurnInput } from "../engine.js";
import type { Stretch } from "./conversation.js";

interface Checkpoint {
  /** The micro-turn that comes next. */
  readonly turn: number;
  readonly snapshot: EngineSnapshot;
  readonly conversation: readonly Stretch[];
}

interface PastStep {
  readonly input: TurnInput;
  /** What had been said by its end. */
  readonly conversation: readonly Stretch[];
}

/** The recent past of one engine session. Bounded by the time that can be gone back. */
export class RewindHistory {
  /** Micro-turns between two checkpoints. */
  readonly #every: number;
  readonly #reach: number;
  #checkpoints: Checkpoint[] = [];
  #steps: PastStep[] = [];

  readonly #turnDurationMs: number;

  /** @param turns - micro-turns that can be gone back at least; `every` - micro-turns between two checkpoints */
  constructor({ turns, every, turnDurationMs }: { turns: number; every: number; turnDurationMs: number }) {
    this.#reach = turns;
    this.#every = every;
    this.#turnDurationMs = turnDurationMs;
  }

  /** The earliest micro-turn that can be gone back to; undefined before the first checkpoint. */
  get earliest(): number | undefined {
    return this.#checkpoints[0]?.turn;
  }

  /** Whether a checkpoint is wanted before micro-turn `turn`. */
  wantsCheckpoint(turn: number): boolean {
    const last = this.#checkpoints.at(-1);
    return last === undefined || turn - last.turn >= this.#every;
  }

  addStep(input: TurnInput, conversation: readonly Stretch[]): void {
    this.#steps.push({ input, conversation });
  }

  addCheckpoint(checkpoint: Checkpoint): void {
    this.#checkpoints.push(checkpoint);
    const oldest = checkpoint.turn - this.#reach;
    while (this.#checkpoints.length > 1 && this.#checkpoints[1].turn <= oldest) this.#checkpoints.shift();
    const { turn } = this.#checkpoints[0];
    while (this.#steps.length > 0 && this.#steps[0].input.index < turn) this.#steps.shift();
  }

  /**
   * Brings the engine back to the border before micro-turn `turn`: restores the checkpoint before it and repeats the
   * inputs since. Within a merged step the micro-turns before the border stay silent, as they were.
   *
   * @returns what had been said until there
   */
  async goBack(engine: EngineSession, turn: number): Promise<readonly Stretch[]> {
    const checkpoint = this.#checkpoints.findLast((one) => one.turn <= turn);
    if (checkpoint === undefined) throw new RangeError(`rewind: micro-turn ${turn} is out of reach`);
    await engine.restore(checkpoint.snapshot);
    const again = this.#steps.filter(({ input }) => input.index >= checkpoint.turn && firstTurn(input) < turn);
    let { conversation } = checkpoint;
    const steps = this.#steps.filter(({ input }) => input.index < checkpoint.turn);
    for (const step of again) {
      const input = step.input.index < turn ? step.input : this.#partOf(step.input, turn - firstTurn(step.input));
      await engine.step(input);
      // The words of a merged step come with its end.
      if (step.input === input) conversation = step.conversation;
      steps.push({ input, conversation });
    }
    this.#checkpoints = this.#checkpoints.filter((one) => one.turn <= turn);
    this.#steps = steps;
    return conversation;
  }

  /** The first `turns` micro-turns of a merged step. Text enters a merged step at its end, so there is none. */
  #partOf(input: TurnInput, turns: number): TurnInput {
    const samples = input.audio.length / input.turns;
    const index = firstTurn(input) + turns - 1;
    return {
      ...{ index, turns },
      audio: input.audio.subarray(0, turns * samples),
      images: input.images.filter((image) => image.timeMs < (index + 1) * this.#turnDurationMs),
      text: [],
      forceListen: true,
      ...(input.played === undefined ? {} : { played: input.played }),
    };
  }
}

function firstTurn(input: TurnInput): number {
  return input.index - input.turns + 1;
}
