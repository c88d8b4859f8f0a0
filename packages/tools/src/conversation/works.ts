// The work of a conversation: what is under way, and what is over but still has something to say.

import type { Work } from "./work.js";
import { taskOf } from "./work-order.js";

/** Work under way at once, and work that is not done with: more is refused. */
export const maxUnderWay = 64;
export const maxWorks = 256;

export class Works implements Iterable<Work> {
  readonly #works = new Set<Work>();
  #count = 0;

  get size(): number {
    return this.#works.size;
  }

  [Symbol.iterator](): Iterator<Work> {
    return this.#works.values();
  }

  /** Work that is not over. */
  get running(): readonly Work[] {
    return [...this.#works].filter((work) => !work.over);
  }

  /** Whether there is no room for more. */
  get full(): boolean {
    return this.running.length >= maxUnderWay || this.#works.size >= maxWorks;
  }

  /** What later work is told of. */
  get underWay(): readonly { readonly delegation: string; readonly task: string }[] {
    return this.running
      .filter((work) => !work.ending)
      .map(({ order }) => ({ delegation: order.name, task: taskOf(order) }));
  }

  /**
   * Names for the next work.
   *
   * @param delegation - as the session calls it; another session of the conversation may have called something so
   * @returns its name among the work that is there, and its place, which is never given twice
   */
  nextNames(delegation: string): { readonly name: string; readonly place: string } {
    const isTaken = [...this.#works].some(({ order }) => order.name === delegation);
    const n = ++this.#count;
    return { name: isTaken ? `${delegation}~${n}` : delegation, place: `${n}/${delegation}` };
  }

  add(work: Work): void {
    this.#works.add(work);
  }

  delete(work: Work): void {
    this.#works.delete(work);
  }

  /** Lets go of what is over and has nothing more to say. */
  tidy(): void {
    for (const work of this.#works) if (work.over && work.answer.empty) this.#works.delete(work);
  }

  /** The latest of a name. */
  find(delegation: string, fits: (work: Work) => boolean = () => true): Work | undefined {
    return [...this.#works].findLast(
      (work) =>
        (work.order.name === delegation || work.order.event.id === delegation || work.order.id === delegation) &&
        fits(work),
    );
  }
}
