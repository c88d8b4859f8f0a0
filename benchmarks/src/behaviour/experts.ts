// Which experts work at which moments of a conversation, and how far that differs from moment to moment.

import type { TurnRecord, TurnRecordOutput } from "@microturn/core";
import type { BehaviourCase } from "./cases.js";

/**
 * What a micro-turn is counted as. `text`: mini writes words of its own, or that it is told; `transcript`: no such, but words of
 * the user. Where it writes nothing: who speaks or decides to speak, and whether there is something to see while nobody does.
 */
export const moments = ["nobody", "nobody, camera", "user", "mini", "both", "text", "transcript"] as const;
export type Moment = (typeof moments)[number];

/** What is going on in a micro-turn, by the truth of the case and by what the model decided. */
export function momentOf(
  turn: Pick<TurnRecord, "startMs"> & { readonly output: Pick<TurnRecordOutput, "decision" | "text" | "heard"> },
  one: Pick<BehaviourCase, "events" | "color" | "images">,
  turnMs: number,
): Moment {
  if (turn.output.text.trim() !== "") return "text";
  if (turn.output.heard.trim() !== "") return "transcript";
  const user = one.events.some(({ onsetMs, endMs }) => onsetMs < turn.startMs + turnMs && endMs > turn.startMs);
  const mini = turn.output.decision === "speak";
  if (user) return mini ? "both" : "user";
  if (mini) return "mini";
  return one.color === undefined && one.images === undefined ? "nobody" : "nobody, camera";
}

/** One mixture layer: what share of the routing weight each routed expert gets, moment by moment. */
export interface LayerUse {
  /** Shares by moment, each summing to 1; moments that never came are absent. */
  readonly shares: ReadonlyMap<Moment, readonly number[]>;
  /**
   * How much the choice of experts tells of the moment, 0 (nothing) … 1: mean over pairs of moments of the total variation
   * distance, half the sum of the absolute differences of their shares.
   */
  readonly specialisation: number;
}

/** Adds up expert loads by moment. */
export class ExpertTally {
  readonly #sums = new Map<Moment, { turns: number; load: Float64Array }>();
  #shape: readonly [layers: number, experts: number] | undefined;

  /** Takes a micro-turn; those without a load (another engine, a skipped micro-turn) are passed over. */
  add(moment: Moment, { inside }: Pick<TurnRecord, "inside">): void {
    const { expertLoad: load, expertShape: shape } = inside ?? {};
    if (load === undefined || shape === undefined) return;
    this.#shape ??= shape;
    if (shape.join() !== this.#shape.join()) {
      throw new RangeError(`experts: expected loads of ${this.#shape}, got ${shape}; tally one model at a time`);
    }
    const sum = this.#sums.get(moment) ?? { turns: 0, load: new Float64Array(load.length) };
    sum.turns++;
    for (let i = 0; i < load.length; i++) sum.load[i] += load[i];
    this.#sums.set(moment, sum);
  }

  /** Micro-turns of a moment. */
  count(moment: Moment): number {
    return this.#sums.get(moment)?.turns ?? 0;
  }

  /** Every mixture layer, the first first; empty if nothing was taken. */
  layers(): LayerUse[] {
    if (this.#shape === undefined) return [];
    const [layers, experts] = this.#shape;
    return Array.from({ length: layers }, (_, layer) => {
      const shares = new Map<Moment, readonly number[]>();
      for (const moment of moments) {
        const load = this.#sums.get(moment)?.load.subarray(layer * experts, (layer + 1) * experts);
        if (load === undefined) continue;
        const total = load.reduce((sum, value) => sum + value, 0);
        shares.set(
          moment,
          Array.from(load, (value) => value / total),
        );
      }
      return { shares, specialisation: meanDistance([...shares.values()]) };
    });
  }
}

function meanDistance(shares: readonly (readonly number[])[]): number {
  let sum = 0;
  let pairs = 0;
  for (let i = 0; i < shares.length; i++) {
    for (let j = 0; j < i; j++, pairs++) {
      sum += shares[i].reduce((apart, value, k) => apart + Math.abs(value - shares[j][k]), 0) / 2;
    }
  }
  return pairs === 0 ? 0 : sum / pairs;
}

/** A Markdown table: for each layer and moment the two busiest experts, counted from 1, with their shares, and the specialisation. */
export function expertsMarkdown(tally: ExpertTally): string {
  const present = moments.filter((moment) => tally.count(moment) > 0);
  const rows = tally.layers().map(({ shares, specialisation }, layer) => {
    const cells = present.map((moment) => busiest(shares.get(moment) ?? []));
    return `| ${layer + 1} | ${cells.join(" | ")} | ${specialisation.toFixed(2)} |`;
  });
  const counts = present.map((moment) => `${moment} ${tally.count(moment)}`).join(", ");
  return [
    `| Mixture layer | ${present.join(" | ")} | Specialisation |`,
    `|---|${present.map(() => "---|").join("")}---|`,
    ...rows,
    "",
    `Micro-turns: ${counts}.`,
  ].join("\n");
}

function busiest(shares: readonly number[]): string {
  return shares
    .map((share, expert) => ({ share, expert }))
    .sort((a, b) => b.share - a.share)
    .slice(0, 2)
    .map(({ share, expert }) => `${expert + 1}: ${(100 * share).toFixed(0)} %`)
    .join(", ");
}
