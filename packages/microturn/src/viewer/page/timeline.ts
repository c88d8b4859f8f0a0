// The time line: one canvas for the lanes, one above it for what moves (cursor, chosen micro-turn), and an overview.

import { drawGrid, type Lane, lanesOf, type Scene } from "./lanes.js";
import { showTip } from "./pointer-tip.js";
import type { Pyramid } from "./pyramid.js";
import { readTheme, type Theme } from "./theme.js";
import type { TimeWindow } from "./time-window.js";

/** What the time line tells the page. */
export interface TimelineEvents {
  /** A place on the time line was pressed. */
  onPick(timeMs: number): void;
}

/** Canvases of the time line. */
export class Timeline {
  readonly #scene: Scene;
  readonly #lanes: readonly Lane[];
  readonly #height: number;
  readonly #base: CanvasRenderingContext2D;
  readonly #top: CanvasRenderingContext2D;
  readonly #overview: CanvasRenderingContext2D;
  #theme: Theme;
  #cursorMs = 0;
  #selected = 0;
  #hoverX: number | undefined;
  readonly #tip: HTMLElement;
  #dirty = { base: true, top: true };

  constructor(
    scene: Scene,
    canvases: {
      base: HTMLCanvasElement;
      top: HTMLCanvasElement;
      overview: HTMLCanvasElement;
      labels: HTMLElement;
      tip: HTMLElement;
    },
    events: TimelineEvents,
  ) {
    this.#scene = scene;
    this.#lanes = lanesOf(scene.view);
    this.#height = this.#lanes.reduce((sum, lane) => sum + lane.height, 0);
    this.#base = context(canvases.base);
    this.#top = context(canvases.top);
    this.#overview = context(canvases.overview);
    this.#theme = readTheme(document.documentElement);
    this.#tip = canvases.tip;
    this.#labels(canvases.labels);
    this.#listen(canvases.top, canvases.overview, events);
    new ResizeObserver(() => this.resize()).observe(canvases.base.parentElement ?? canvases.base);
    matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => {
      this.#theme = readTheme(document.documentElement);
      this.redraw();
    });
    this.resize();
    const frame = () => {
      this.#frame();
      requestAnimationFrame(frame);
    };
    frame();
  }

  get window(): TimeWindow {
    return this.#scene.window;
  }

  setCursor(timeMs: number): void {
    if (timeMs === this.#cursorMs) return;
    this.#cursorMs = timeMs;
    this.#dirty.top = true;
  }

  select(turn: number): void {
    this.#selected = turn;
    this.#dirty.top = true;
  }

  redraw(): void {
    this.#dirty = { base: true, top: true };
  }

  resize(): void {
    const width = this.#base.canvas.parentElement?.clientWidth ?? 0;
    if (width === 0) return;
    this.window.width = width;
    for (const g of [this.#base, this.#top]) size(g, width, this.#height);
    size(this.#overview, width, overviewHeight);
    this.redraw();
    // Drawn at once, so that no frame shows the cleared canvas.
    this.#frame();
  }

  #frame(): void {
    if (this.#dirty.base) {
      this.#drawBase();
      this.#drawOverview();
    }
    if (this.#dirty.top || this.#dirty.base) this.#drawTop();
    this.#dirty = { base: false, top: false };
  }

  #drawBase(): void {
    const g = this.#base;
    g.clearRect(0, 0, this.window.width, this.#height);
    drawGrid(g, this.#scene, this.#theme, this.#height);
    let y = 0;
    for (const lane of this.#lanes) {
      g.save();
      g.beginPath();
      g.rect(0, y, this.window.width, lane.height);
      g.clip();
      g.translate(0, y);
      lane.draw(g, this.#scene, this.#theme);
      g.restore();
      y += lane.height;
    }
  }

  #drawTop(): void {
    const g = this.#top;
    const { window, view } = this.#scene;
    g.clearRect(0, 0, window.width, this.#height);
    const x = window.x(this.#selected * view.turnMs);
    const width = Math.max(2, view.turnMs * window.scale);
    g.fillStyle = this.#theme.colour.select;
    g.globalAlpha = 0.16;
    g.fillRect(x, 26, width, this.#height - 26);
    g.globalAlpha = 1;
    g.fillRect(x, 23, width, 3);
    if (this.#hoverX !== undefined) {
      g.fillStyle = this.#theme.colour.muted;
      g.globalAlpha = 0.5;
      g.fillRect(this.#hoverX, 0, 1, this.#height);
      g.globalAlpha = 1;
    }
    const cursor = Math.round(window.x(this.#cursorMs));
    g.fillStyle = this.#theme.colour.cursor;
    g.fillRect(cursor, 0, 1.5, this.#height);
    g.beginPath();
    g.moveTo(cursor - 5, 0);
    g.lineTo(cursor + 6, 0);
    g.lineTo(cursor + 0.5, 8);
    g.fill();
  }

  #drawOverview(): void {
    const g = this.#overview;
    const { window, view } = this.#scene;
    g.clearRect(0, 0, window.width, overviewHeight);
    drawOutline(
      g,
      window.width,
      view.durationMs,
      this.#scene.userPyramid,
      view.user.sampleRate,
      11,
      this.#theme.colour.user,
    );
    drawOutline(
      g,
      window.width,
      view.durationMs,
      this.#scene.assistantPyramid,
      view.assistant.sampleRate,
      29,
      this.#theme.colour.assistant,
    );
    const left = (window.startMs / view.durationMs) * window.width;
    const width = (window.spanMs / view.durationMs) * window.width;
    g.fillStyle = this.#theme.colour.surface;
    g.globalAlpha = 0.65;
    g.fillRect(0, 0, left, overviewHeight);
    g.fillRect(left + width, 0, window.width, overviewHeight);
    g.globalAlpha = 1;
    g.strokeStyle = this.#theme.colour.select;
    g.lineWidth = 1.5;
    g.strokeRect(left + 1, 1, Math.max(3, width - 2), overviewHeight - 2);
  }

  #labels(into: HTMLElement): void {
    for (const lane of this.#lanes) {
      const label = document.createElement("div");
      label.className = `lane-label lane-${lane.id}`;
      label.style.height = `${lane.height}px`;
      const name = document.createElement("strong");
      name.textContent = lane.label;
      const hint = document.createElement("small");
      hint.textContent = lane.hint;
      label.append(name, hint);
      into.append(label);
    }
  }

  /** Shows what the pointer is on, where a lane can tell. */
  #tell(at: { readonly offsetX: number; readonly offsetY: number } | undefined): void {
    const { offsetX: x = 0, offsetY: y = 0 } = at ?? {};
    const lines = at === undefined ? undefined : this.#linesAt(x, y);
    showTip(this.#tip, lines, { x, y }, { width: this.window.width, height: this.#height });
  }

  #linesAt(x: number, y: number): string[] | undefined {
    let top = 0;
    for (const lane of this.#lanes) {
      if (y < top + lane.height) return lane.tellAt?.(this.#scene, x, y - top);
      top += lane.height;
    }
    return undefined;
  }

  #listen(top: HTMLCanvasElement, overview: HTMLCanvasElement, events: TimelineEvents): void {
    const { window, view } = this.#scene;
    let drag: { x: number; startMs: number; moved: boolean } | undefined;
    top.addEventListener("pointerdown", (event) => {
      if (event.button !== 0) return;
      drag = { x: event.offsetX, startMs: window.startMs, moved: false };
      top.setPointerCapture(event.pointerId);
    });
    top.addEventListener("pointermove", (event) => {
      this.#hoverX = event.offsetX;
      this.#dirty.top = true;
      this.#tell(drag === undefined ? event : undefined);
      if (drag === undefined) return;
      if (Math.abs(event.offsetX - drag.x) > 3) drag.moved = true;
      if (drag.moved) {
        window.show(drag.startMs - (event.offsetX - drag.x) / window.scale, window.spanMs);
        this.redraw();
      }
    });
    top.addEventListener("pointerup", (event) => {
      if (drag !== undefined && !drag.moved) events.onPick(window.time(event.offsetX));
      drag = undefined;
    });
    top.addEventListener("pointerleave", () => {
      this.#hoverX = undefined;
      this.#dirty.top = true;
      this.#tell(undefined);
    });
    top.addEventListener(
      "wheel",
      (event) => {
        if (event.ctrlKey || event.metaKey) {
          window.zoom(Math.exp(-event.deltaY * 0.002), window.time(event.offsetX));
        } else if (event.shiftKey || Math.abs(event.deltaX) > Math.abs(event.deltaY)) {
          window.scroll((event.shiftKey ? event.deltaY : event.deltaX) / window.scale);
        } else return;
        event.preventDefault();
        this.redraw();
      },
      { passive: false },
    );
    const centre = (event: PointerEvent) => {
      const time = (event.offsetX / window.width) * view.durationMs;
      window.show(time - window.spanMs / 2, window.spanMs);
      this.redraw();
    };
    overview.addEventListener("pointerdown", (event) => {
      overview.setPointerCapture(event.pointerId);
      centre(event);
    });
    overview.addEventListener("pointermove", (event) => {
      if (event.buttons === 1) centre(event);
    });
  }
}

const overviewHeight = 40;

function drawOutline(
  g: CanvasRenderingContext2D,
  width: number,
  durationMs: number,
  pyramid: Pyramid,
  sampleRate: number,
  middle: number,
  colour: string,
): void {
  const perPixel = (durationMs * sampleRate) / 1000 / width;
  const gain = 9 / Math.max(0.05, pyramid.peak);
  const range: [number, number] = [0, 0];
  g.fillStyle = colour;
  for (let x = 0; x < width; x++) {
    pyramid.range(x * perPixel, (x + 1) * perPixel, range);
    const height = Math.max(0.5, (range[1] - range[0]) * gain);
    g.fillRect(x, middle - range[1] * gain, 1, height);
  }
}

function context(canvas: HTMLCanvasElement): CanvasRenderingContext2D {
  const found = canvas.getContext("2d");
  if (found === null) throw new Error("page: this browser has no 2D canvas");
  return found;
}

function size(g: CanvasRenderingContext2D, width: number, height: number): void {
  const ratio = devicePixelRatio;
  g.canvas.width = Math.round(width * ratio);
  g.canvas.height = Math.round(height * ratio);
  g.canvas.style.width = `${width}px`;
  g.canvas.style.height = `${height}px`;
  g.setTransform(ratio, 0, 0, ratio, 0, 0);
}
