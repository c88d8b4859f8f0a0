// What the page tells the worker that draws its time line, and what can be done with a time line wherever it is drawn.

import type { LiveHistory, TurnPicture } from "./live-history.js";
import { type TimelineLook, TimelinePainter } from "./timeline-painter.js";

/** One message: what happens in the session, or how it is to look. */
export type TimelineMessage =
  | { readonly type: "canvas"; readonly canvas: OffscreenCanvas; readonly look: TimelineLook }
  | TimelineEvent;

/** After the canvas. */
export type TimelineEvent =
  | { readonly type: "look"; readonly look: TimelineLook }
  | { readonly type: "begin"; readonly turnMs: number }
  | { readonly type: "turn"; readonly turn: TurnPicture }
  | { readonly type: "yield"; readonly turnIndex: number }
  | { readonly type: "take-back"; readonly unheard: string }
  /** The present: it is drawn. */
  | { readonly type: "now"; readonly timeMs: number; readonly level: number };

/** A history and its picture. */
export class DrawnTimeline {
  readonly #history: LiveHistory;
  readonly #painter: TimelinePainter;

  constructor(canvas: HTMLCanvasElement | OffscreenCanvas, history: LiveHistory, look: TimelineLook) {
    this.#history = history;
    this.#painter = new TimelinePainter(canvas, history, look);
    this.#painter.draw(0);
  }

  take(event: TimelineEvent): void {
    const history = this.#history;
    switch (event.type) {
      case "look":
        this.#painter.look(event.look);
        this.#painter.draw(history.turns * history.turnMs);
        break;
      case "begin":
        history.begin(event.turnMs);
        break;
      case "turn":
        history.push(event.turn);
        break;
      case "yield":
        history.markYield(event.turnIndex);
        break;
      case "take-back":
        history.takeBack(event.unheard);
        break;
      case "now":
        history.hear(event.timeMs, event.level);
        this.#painter.draw(event.timeMs);
    }
  }
}
