// The time line of the page: its labels and its look, drawn by a worker where the browser can do that.

import type { TurnRecord } from "@microturn/core";
import { make } from "../../viewer/page/dom.js";
import { readTheme, type Theme } from "../../viewer/page/theme.js";
import { DrawnTimeline, type TimelineEvent } from "./drawn-timeline.js";
import { LiveHistory, pictureOf } from "./live-history.js";
import { laneOrder, type TimelineLook, timelineHeight } from "./timeline-painter.js";

/** Shows a session that goes on. */
export class LiveTimeline {
  readonly #take: (event: TimelineEvent) => void;
  readonly #still = matchMedia("(prefers-reduced-motion: reduce)");
  #theme: Theme;
  #width: number;
  #turnMs = 200;

  constructor(canvas: HTMLCanvasElement, labels: HTMLElement) {
    for (const { id, label, hint, height } of laneOrder) {
      const row = make("div", `lane-label lane-${id}`, [make("strong", "", label), make("small", "", hint)]);
      row.style.height = `${height}px`;
      labels.append(row);
    }
    const parent = canvas.parentElement ?? canvas;
    canvas.style.height = `${timelineHeight}px`;
    canvas.style.width = "100%";
    this.#theme = readTheme(document.documentElement);
    this.#width = parent.clientWidth;
    this.#take = drawer(canvas, this.#look);
    matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => {
      this.#theme = readTheme(document.documentElement);
      this.#show();
    });
    this.#still.addEventListener("change", () => this.#show());
    new ResizeObserver(() => {
      if (parent.clientWidth === 0 || parent.clientWidth === this.#width) return;
      this.#width = parent.clientWidth;
      this.#show();
    }).observe(parent);
  }

  /** A new session. */
  begin(turnMs: number): void {
    this.#turnMs = turnMs;
    this.#take({ type: "begin", turnMs });
  }

  /** The record of the next micro-turn. */
  push(turn: TurnRecord): void {
    this.#take({ type: "turn", turn: pictureOf(turn, this.#turnMs) });
  }

  /** The assistant was cut off in this micro-turn. */
  markYield(turnIndex: number): void {
    this.#take({ type: "yield", turnIndex });
  }

  /** The last words of the assistant were given up before anybody heard them. */
  takeBack(unheard: string): void {
    if (unheard !== "") this.#take({ type: "take-back", unheard });
  }

  /**
   * Draws the present.
   *
   * @param timeMs - on the session clock
   * @param level - how loud the user is, 0 … 1
   */
  show(timeMs: number, level: number): void {
    this.#take({ type: "now", timeMs, level });
  }

  get #look(): TimelineLook {
    return {
      ...{ theme: this.#theme, width: this.#width, still: this.#still.matches },
      ratio: Math.min(2, devicePixelRatio),
    };
  }

  #show(): void {
    this.#take({ type: "look", look: this.#look });
  }
}

/** Who draws: a worker, or the page itself where a canvas cannot be given away. */
function drawer(canvas: HTMLCanvasElement, look: TimelineLook): (event: TimelineEvent) => void {
  if (typeof canvas.transferControlToOffscreen !== "function") {
    const timeline = new DrawnTimeline(canvas, new LiveHistory(), look);
    return (event) => timeline.take(event);
  }
  const worker = new Worker("/timeline-worker.js", { type: "module" });
  const offscreen = canvas.transferControlToOffscreen();
  worker.postMessage({ type: "canvas", canvas: offscreen, look }, [offscreen]);
  return (event) => worker.postMessage(event);
}
