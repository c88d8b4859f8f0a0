// The picture of a session that goes on: the last twenty seconds, drawn from rings, with the present at its right edge. It draws
// on the page or away from it.

import { formatTime } from "../../viewer/page/session-view.js";
import type { Theme } from "../../viewer/page/theme.js";
import { phrases, placePhrases } from "../../viewer/page/words.js";
import { barMs, decisions, keptTurns, type LiveHistory } from "./live-history.js";

/** What is on screen, ms. */
const spanMs = 20_000;
/** Of which are to come: the assistant's voice is there before it sounds. */
const aheadMs = 450;
/** Stretch that the time line goes on by at once where motion is not wanted, ms. */
const pageMs = 5000;

/** A row of the time line. */
export interface Lane {
  readonly id: string;
  readonly label: string;
  readonly hint: string;
  readonly height: number;
}

const lanes = {
  ruler: { id: "ruler", label: "Time", hint: "", height: 24 },
  user: { id: "user", label: "You", hint: "", height: 72 },
  heard: { id: "heard", label: "heard", hint: "", height: 24 },
  assistant: { id: "assistant", label: "mini", hint: "", height: 72 },
  said: { id: "said", label: "says", hint: "", height: 42 },
  decision: { id: "decision", label: "Decision", hint: "thick: it speaks", height: 38 },
  slack: { id: "slack", label: "Slack", hint: "down: too late", height: 54 },
  experts: { id: "experts", label: "Experts", hint: "load, by layer", height: 112 },
} as const satisfies Record<string, Lane>;

/** From top to bottom. */
export const laneOrder: readonly Lane[] = Object.values(lanes);
/** Of the whole, pixels of the page. */
export const timelineHeight = laneOrder.reduce((sum, lane) => sum + lane.height, 0);
const layerGap = 4;

/** How it is drawn. */
export interface TimelineLook {
  readonly theme: Theme;
  /** Pixels of the page. */
  readonly width: number;
  /** Pixels of the canvas for each of the page. */
  readonly ratio: number;
  /** No motion is wanted. */
  readonly still: boolean;
}

type Context = CanvasRenderingContext2D | OffscreenCanvasRenderingContext2D;

/** Draws a {@link LiveHistory} on a canvas. */
export class TimelinePainter {
  readonly #history: LiveHistory;
  readonly #g: Context;
  readonly #measure: (text: string) => number;
  #theme: Theme;
  #width = 0;
  #still = false;
  #drawnTurns = -1;
  #heat: Heat | undefined;

  constructor(canvas: HTMLCanvasElement | OffscreenCanvas, history: LiveHistory, look: TimelineLook) {
    const g = canvas.getContext("2d", { alpha: false }) as Context | null;
    if (g === null) throw new Error("this browser gives no canvas; use a current one");
    this.#g = g;
    this.#history = history;
    this.#theme = look.theme;
    this.#measure = (text) => g.measureText(text).width;
    this.look(look);
  }

  /** Goes on in another look, from the next drawing on. */
  look({ theme, width, ratio, still }: TimelineLook): void {
    if (theme !== this.#theme) this.#heat = undefined;
    this.#theme = theme;
    this.#still = still;
    this.#drawnTurns = -1;
    this.#width = width;
    const { canvas } = this.#g;
    const [wide, high] = [Math.round(width * ratio), Math.round(timelineHeight * ratio)];
    if (canvas.width === wide && canvas.height === high) return;
    canvas.width = wide;
    canvas.height = high;
    this.#g.setTransform(ratio, 0, 0, ratio, 0, 0);
  }

  /** Draws the state at a moment of the session. Where motion is not wanted, it draws once per micro-turn, and turns pages. */
  draw(nowMs: number): void {
    const still = this.#still;
    if (still && this.#drawnTurns === this.#history.turns) return;
    this.#drawnTurns = this.#history.turns;
    const end = still ? (Math.floor((nowMs + aheadMs) / pageMs) + 1) * pageMs : nowMs + aheadMs;
    // It fills from the left before it moves.
    this.#paint(Math.max(0, end - spanMs), nowMs);
  }

  #paint(startMs: number, nowMs: number): void {
    const g = this.#g;
    const { colour } = this.#theme;
    const scale = this.#width / spanMs;
    const x = (timeMs: number) => (timeMs - startMs) * scale;
    g.fillStyle = colour.surface;
    g.fillRect(0, 0, this.#width, timelineHeight);
    this.#grid(startMs, scale);
    this.#borders();
    let y = lanes.ruler.height;
    this.#voice(y, lanes.user.height, colour.user, x, startMs, (bar) => this.#history.userBar(bar));
    y += lanes.user.height;
    this.#words(y, this.#history.heard, colour.user, x, 1);
    y += lanes.heard.height;
    this.#voice(y, lanes.assistant.height, colour.assistant, x, startMs, (bar) => this.#history.assistantBar(bar));
    const voiceTop = y;
    y += lanes.assistant.height;
    this.#words(y, this.#history.said, colour.assistant, x, 2);
    y += lanes.said.height;
    this.#decisions(y, x, scale);
    y += lanes.decision.height;
    this.#slack(y, x, scale);
    y += lanes.slack.height;
    this.#experts(y, x);
    this.#yields(voiceTop, x);
    g.fillStyle = colour.cursor;
    g.globalAlpha = 0.55;
    if (nowMs > 0) g.fillRect(Math.round(x(nowMs)), lanes.ruler.height - 6, 1, timelineHeight);
    g.globalAlpha = 1;
  }

  #grid(startMs: number, scale: number): void {
    const g = this.#g;
    const { colour, smallFont } = this.#theme;
    const { turnMs } = this.#history;
    g.font = smallFont;
    g.textBaseline = "middle";
    const from = Math.max(0, Math.ceil(startMs / turnMs));
    const perSecond = Math.max(1, Math.round(1000 / turnMs));
    for (let turn = from; turn * turnMs <= startMs + spanMs; turn++) {
      const strong = turn % perSecond === 0;
      const at = Math.round((turn * turnMs - startMs) * scale);
      g.fillStyle = strong ? colour["grid-strong"] : colour.grid;
      g.fillRect(at, lanes.ruler.height, 1, timelineHeight);
      const everySeconds = scale * 1000 < 34 ? 5 : 2;
      if (strong && turn % (everySeconds * perSecond) === 0) {
        g.fillStyle = colour.muted;
        g.fillText(formatTime(turn * turnMs, true), at + 4, lanes.ruler.height / 2);
      }
    }
  }

  /** Lines between the groups of lanes: each voice with its words, and what the model did. */
  #borders(): void {
    const g = this.#g;
    g.fillStyle = this.#theme.colour["grid-strong"];
    let y = 0;
    for (const lane of laneOrder) {
      if (lane.id !== "ruler" && lane.id !== "heard" && lane.id !== "said") g.fillRect(0, y, this.#width, 1);
      y += lane.height;
    }
  }

  #voice(
    top: number,
    laneHeight: number,
    colour: string,
    x: (timeMs: number) => number,
    startMs: number,
    level: (bar: number) => number,
  ): void {
    const g = this.#g;
    const middle = top + laneHeight / 2;
    const half = laneHeight / 2 - 5;
    g.fillStyle = colour;
    g.globalAlpha = 0.3;
    g.fillRect(0, middle - 0.5, this.#width, 1);
    g.globalAlpha = 1;
    const first = Math.max(0, Math.floor(startMs / barMs));
    const last = Math.ceil((startMs + spanMs) / barMs);
    const gap = (barMs * this.#width) / spanMs > 2 ? 0.8 : 0.3;
    for (let bar = first; bar < last; bar++) {
      const loud = level(bar);
      // What nobody would hear is not shown.
      if (loud < 0.004) continue;
      const size = Math.max(1, Math.sqrt(loud) * half);
      const from = x(bar * barMs);
      g.fillRect(from, middle - size, x((bar + 1) * barMs) - from - gap, 2 * size);
    }
  }

  #words(top: number, list: LiveHistory["heard"], colour: string, x: (timeMs: number) => number, rows: number): void {
    const g = this.#g;
    g.font = this.#theme.textFont;
    g.textBaseline = "middle";
    for (const piece of placePhrases(phrases(list), x, this.#measure, { rows, width: this.#width })) {
      const y = top + 11 + 19 * piece.row;
      g.fillStyle = colour;
      g.fillRect(piece.x, y - 7, 2, 14);
      g.fillStyle = this.#theme.colour.text;
      g.fillText(piece.text, piece.x + 6, y);
    }
  }

  #decisions(top: number, x: (timeMs: number) => number, scale: number): void {
    const g = this.#g;
    const { colour } = this.#theme;
    const { turnMs, decision } = this.#history;
    const width = Math.max(1, turnMs * scale - 1);
    for (let turn = this.#history.firstTurn; turn < this.#history.turns; turn++) {
      const which = decision[turn % keptTurns];
      if (which === decisions.none) continue;
      const speaks = which === decisions.speak;
      g.fillStyle = speaks ? colour.assistant : colour.listen;
      if (which === decisions.skipped) g.fillRect(x(turn * turnMs) + width / 2 - 1, top + 18, 2, 2);
      else g.fillRect(x(turn * turnMs), top + (speaks ? 9 : 16), width, speaks ? 20 : 6);
    }
  }

  /** Up from the line: time that was left. Down from it: too late. */
  #slack(top: number, x: (timeMs: number) => number, scale: number): void {
    const g = this.#g;
    const { colour } = this.#theme;
    const { turnMs, slackMs, late, decision } = this.#history;
    const room = lanes.slack.height - 22;
    const base = top + room + 4;
    const width = Math.max(1, turnMs * scale - 1);
    for (let turn = this.#history.firstTurn; turn < this.#history.turns; turn++) {
      const at = turn % keptTurns;
      if (decision[at] === decisions.skipped) continue;
      const share = Math.max(-0.5, Math.min(1, slackMs[at] / turnMs));
      const size = share * room;
      g.fillStyle = late[at] === 1 ? colour.late : colour.budget;
      if (size >= 0) g.fillRect(x(turn * turnMs), base - size, width, Math.max(1, size));
      else g.fillRect(x(turn * turnMs), base, width, Math.max(2, -size));
    }
    g.fillStyle = colour["grid-strong"];
    g.fillRect(0, base, this.#width, 1);
  }

  #experts(top: number, x: (timeMs: number) => number): void {
    const history = this.#history;
    if (history.expertShape === undefined) return;
    const [layers, experts] = history.expertShape;
    this.#heat ??= new Heat(layers, experts);
    if (!this.#heat.fits(layers, experts)) this.#heat = new Heat(layers, experts);
    this.#heat.update(history, this.#theme.heat);
    const g = this.#g;
    g.imageSmoothingEnabled = false;
    const layerHeight = (lanes.experts.height - 8 - (layers - 1) * layerGap) / layers;
    for (let from = history.firstTurn; from < history.turns; ) {
      const column = from % keptTurns;
      const to = Math.min(history.turns, from + keptTurns - column);
      const left = x(from * history.turnMs);
      const width = x(to * history.turnMs) - left;
      for (let layer = 0; layer < layers; layer++) {
        const y = top + 2 + layer * (layerHeight + layerGap);
        g.drawImage(this.#heat.canvas, column, layer * experts, to - from, experts, left, y, width, layerHeight);
      }
      from = to;
    }
  }

  #yields(top: number, x: (timeMs: number) => number): void {
    const g = this.#g;
    const { colour, smallFont } = this.#theme;
    const { turnMs, yielded } = this.#history;
    const bottom = top + lanes.assistant.height + lanes.said.height + lanes.decision.height;
    g.font = smallFont;
    g.textBaseline = "middle";
    for (let turn = this.#history.firstTurn; turn < this.#history.turns; turn++) {
      if (yielded[turn % keptTurns] === 0) continue;
      const at = Math.round(x((turn + 1) * turnMs));
      g.fillStyle = colour.late;
      g.fillRect(at - 1, top + 2, 2, bottom - top - 8);
      g.fillText("yields", at + 5, top + 9);
    }
  }
}

/** Expert load as an image, a column for each micro-turn of the ring. */
class Heat {
  readonly canvas: OffscreenCanvas;
  readonly #g: OffscreenCanvasRenderingContext2D;
  readonly #column: ImageData;
  readonly #layers: number;
  readonly #experts: number;
  #painted = 0;

  constructor(layers: number, experts: number) {
    this.#layers = layers;
    this.#experts = experts;
    this.canvas = new OffscreenCanvas(keptTurns, layers * experts);
    const g = this.canvas.getContext("2d");
    if (g === null) throw new Error("this browser gives no canvas; use a current one");
    this.#g = g;
    this.#column = new ImageData(1, layers * experts);
  }

  fits(layers: number, experts: number): boolean {
    return layers === this.#layers && experts === this.#experts;
  }

  /** Paints the columns of micro-turns that came since. */
  update(history: LiveHistory, heat: Uint8ClampedArray): void {
    if (history.turns < this.#painted) this.#painted = 0;
    const { data } = this.#column;
    const size = this.#layers * this.#experts;
    for (let turn = Math.max(this.#painted, history.firstTurn); turn < history.turns; turn++) {
      const at = turn % keptTurns;
      for (let e = 0; e < size; e++) {
        const shade = 3 * history.experts[at * size + e];
        data.set(heat.subarray(shade, shade + 3), 4 * e);
        data[4 * e + 3] = 255;
      }
      this.#g.putImageData(this.#column, at, 0);
    }
    this.#painted = history.turns;
  }
}
