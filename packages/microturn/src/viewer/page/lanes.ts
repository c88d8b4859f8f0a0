// The lanes of the time line, top to bottom. Each draws its part of the visible stretch and nothing else.

import { backgroundAt, drawBackground } from "./background-lane.js";
import { rowsOf } from "./background-rows.js";
import type { Pyramid } from "./pyramid.js";
import { type SessionView, stepMs } from "./session-view.js";
import type { Theme } from "./theme.js";
import { type TimeWindow, tickMs, timeMarks } from "./time-window.js";
import { type Phrase, placePhrases, shorten } from "./words.js";

/** Everything a lane may read. */
export interface Scene {
  readonly view: SessionView;
  readonly window: TimeWindow;
  readonly userPyramid: Pyramid;
  readonly assistantPyramid: Pyramid;
  readonly heard: readonly Phrase[];
  readonly said: readonly Phrase[];
}

/** One horizontal band of the time line. */
export interface Lane {
  readonly id: string;
  readonly label: string;
  readonly hint: string;
  readonly height: number;
  draw(g: CanvasRenderingContext2D, scene: Scene, theme: Theme): void;
  /** What lies at a place of the lane, in lines of text. */
  tellAt?(scene: Scene, x: number, y: number): string[] | undefined;
}

/** The lanes that a session has something to show in. */
export function lanesOf(view: SessionView): Lane[] {
  const lanes: Lane[] = [
    { id: "ruler", label: "Time", hint: "minutes and seconds", height: 26, draw: drawRuler },
    {
      id: "user",
      label: "User",
      hint: "what the microphone gave",
      height: 84,
      draw: (g, scene, theme) =>
        drawWave(g, scene, scene.userPyramid, scene.view.user.sampleRate, theme.colour.user, 84),
    },
    {
      id: "heard",
      label: "Heard",
      hint: "transcript by the model, where it came",
      height: 42,
      draw: (g, scene, theme) => drawPhrases(g, scene, scene.heard, theme.colour.user, theme),
    },
    {
      id: "assistant",
      label: "Assistant",
      hint: "its voice, as it sounded",
      height: 84,
      draw: (g, scene, theme) =>
        drawWave(g, scene, scene.assistantPyramid, scene.view.assistant.sampleRate, theme.colour.assistant, 84),
    },
    {
      id: "said",
      label: "Said",
      hint: "text by the model, where it came",
      height: 42,
      draw: (g, scene, theme) => drawPhrases(g, scene, scene.said, theme.colour.assistant, theme),
    },
    { id: "decision", label: "Decision", hint: "listen or speak, per micro-turn", height: 30, draw: drawDecisions },
  ];
  if (view.delegations.length > 0) {
    lanes.push({
      id: "delegation",
      label: "Delegated",
      hint: "work handed to the background",
      height: 30,
      draw: drawDelegations,
    });
  }
  if (view.background !== undefined) {
    const rows = rowsOf(view.background);
    lanes.push({
      id: "background",
      label: "Background",
      hint: "work handed over, its calls, and where its words entered",
      height: Math.max(30, rows.height),
      draw: (g, { window }, theme) => drawBackground(g, window, theme, rows),
      tellAt: ({ view: { turnMs }, window }, x, y) => backgroundAt(rows, window, turnMs, x, y),
    });
  }
  lanes.push({
    id: "budget",
    label: "Step time",
    hint: `of the ${view.turnMs} ms budget`,
    height: 64,
    draw: drawBudget,
  });
  if (view.expertShape !== undefined) {
    const [layers, experts] = view.expertShape;
    const rowHeight = heatRowHeight(layers, experts);
    lanes.push({
      id: "experts",
      label: "Experts",
      hint: `${layers} layers x ${experts} experts, share of routing`,
      height: layers * experts * rowHeight + (layers - 1) * layerGap + 16,
      draw: drawExperts,
    });
  }
  return lanes;
}

/** The micro-turn grid behind all lanes, when there is room for it. */
export function drawGrid(g: CanvasRenderingContext2D, { view, window }: Scene, theme: Theme, height: number): void {
  const line = (everyMs: number, colour: string) => {
    g.fillStyle = colour;
    const first = Math.floor(window.startMs / everyMs);
    const last = Math.ceil(Math.min(window.endMs, view.durationMs) / everyMs);
    for (let i = first; i <= last; i++) g.fillRect(Math.round(window.x(i * everyMs)), 26, 1, height - 26);
  };
  if (window.scale * view.turnMs >= 7) line(view.turnMs, theme.colour.grid);
  line(tickMs(window.scale), theme.colour["grid-strong"]);
}

function drawRuler(g: CanvasRenderingContext2D, { window }: Scene, theme: Theme): void {
  g.font = theme.smallFont;
  g.fillStyle = theme.colour.muted;
  g.textBaseline = "middle";
  for (const { text, x } of timeMarks(window, (text) => g.measureText(text).width)) g.fillText(text, x, 13);
}

function drawWave(
  g: CanvasRenderingContext2D,
  { window }: Scene,
  pyramid: Pyramid,
  sampleRate: number,
  colour: string,
  height: number,
): void {
  const middle = height / 2;
  const gain = (middle - 5) / Math.max(0.05, pyramid.peak);
  const perPixel = sampleRate / 1000 / window.scale;
  const range: [number, number] = [0, 0];
  g.fillStyle = colour;
  g.globalAlpha = 0.25;
  g.fillRect(0, middle - 0.5, window.width, 1);
  g.globalAlpha = 1;
  if (perPixel < 1) {
    drawSamples(g, window, pyramid, sampleRate, colour, middle, gain);
    return;
  }
  for (let x = 0; x < window.width; x++) {
    const from = (window.time(x) * sampleRate) / 1000;
    pyramid.range(from, from + perPixel, range);
    if (range[0] === 0 && range[1] === 0) continue;
    const top = middle - range[1] * gain;
    g.fillRect(x, top, 1, Math.max(1, (range[1] - range[0]) * gain));
  }
}

/** Close up: the curve through the samples. */
function drawSamples(
  g: CanvasRenderingContext2D,
  window: TimeWindow,
  pyramid: Pyramid,
  sampleRate: number,
  colour: string,
  middle: number,
  gain: number,
): void {
  const range: [number, number] = [0, 0];
  g.strokeStyle = colour;
  g.lineWidth = 1.25;
  g.beginPath();
  const first = Math.max(0, Math.floor((window.startMs * sampleRate) / 1000));
  const last = Math.ceil((window.endMs * sampleRate) / 1000);
  for (let i = first; i <= last; i++) {
    pyramid.range(i, i + 1, range);
    const x = window.x((i * 1000) / sampleRate);
    const y = middle - range[0] * gain;
    if (i === first) g.moveTo(x, y);
    else g.lineTo(x, y);
  }
  g.stroke();
}

function drawPhrases(
  g: CanvasRenderingContext2D,
  { window }: Scene,
  list: readonly Phrase[],
  colour: string,
  theme: Theme,
): void {
  g.font = theme.textFont;
  g.textBaseline = "middle";
  const measure = (text: string) => g.measureText(text).width;
  const placed = placePhrases(list, (time) => window.x(time), measure, { rows: 2, width: window.width });
  for (const piece of placed) {
    const y = 12 + 19 * piece.row;
    g.fillStyle = colour;
    g.fillRect(piece.x, y - 7, 2, 14);
    g.fillStyle = theme.colour.text;
    g.fillText(piece.text, piece.x + 6, y);
  }
}

function drawDecisions(g: CanvasRenderingContext2D, { view, window }: Scene, theme: Theme): void {
  const turnPixels = view.turnMs * window.scale;
  const gap = turnPixels >= 7 ? 1 : 0;
  eachVisible(view, window, (from, to) => {
    // Neighbours with one decision are one rectangle when single turns cannot be told apart.
    let i = from;
    while (i < to) {
      const decision = view.turns[i].decision;
      let end = i + 1;
      if (gap === 0) while (end < to && view.turns[end].decision === decision) end++;
      const x = window.x(i * view.turnMs);
      const width = Math.max(1, window.x(end * view.turnMs) - x - gap);
      g.fillStyle = decision === "speak" ? theme.colour.assistant : theme.colour.listen;
      g.fillRect(x, decision === "speak" ? 5 : 12, width, decision === "speak" ? 20 : 6);
      i = end;
    }
  });
  for (const turn of view.turns) {
    if (turn.delegation === undefined) continue;
    const x = window.x((turn.index + 0.5) * view.turnMs);
    g.fillStyle = theme.colour.delegate;
    g.beginPath();
    g.moveTo(x, 2);
    g.lineTo(x + 6, 9);
    g.lineTo(x, 16);
    g.lineTo(x - 6, 9);
    g.fill();
  }
}

function drawDelegations(g: CanvasRenderingContext2D, { view, window }: Scene, theme: Theme): void {
  g.font = theme.smallFont;
  g.textBaseline = "middle";
  for (const span of view.delegations) {
    const x = Math.max(-2, window.x(span.startMs));
    const width = Math.min(window.width + 2, window.x(span.endMs)) - x;
    if (width <= 0 || x > window.width) continue;
    g.fillStyle = theme.colour.delegate;
    g.globalAlpha = 0.25;
    g.fillRect(x, 5, Math.max(2, width), 20);
    g.globalAlpha = 1;
    g.fillRect(x, 5, 2, 20);
    g.fillStyle = theme.colour.text;
    g.fillText(
      shorten(span.label, width - 10, (text) => g.measureText(text).width),
      x + 7,
      15,
    );
  }
}

const budgetHeight = 64;

function drawBudget(g: CanvasRenderingContext2D, { view, window }: Scene, theme: Theme): void {
  const base = budgetHeight - 4;
  const full = budgetHeight - 16;
  const height = (ms: number) => Math.max(1, Math.min(1.15, ms / view.turnMs) * full);
  const turnPixels = view.turnMs * window.scale;
  eachVisible(view, window, (from, to) => {
    const step = Math.max(1, Math.ceil(1 / turnPixels));
    for (let i = from; i < to; i += step) {
      let worst = 0;
      let late = false;
      for (let j = i; j < Math.min(to, i + step); j++) {
        worst = Math.max(worst, stepMs(view.turns[j]));
        late ||= view.turns[j].late;
      }
      const x = window.x(i * view.turnMs);
      const h = height(worst);
      g.fillStyle = late ? theme.colour.late : theme.colour.budget;
      g.fillRect(x, base - h, Math.max(1, turnPixels * step - (turnPixels >= 4 ? 1 : 0)), h);
    }
  });
  // The line of the budget lies over the bars, so that what crosses it is seen to.
  g.fillStyle = theme.colour.muted;
  for (let x = 0; x < window.width; x += 8) g.fillRect(x, base - full, 4, 1);
  g.font = theme.smallFont;
  g.textBaseline = "bottom";
  g.textAlign = "right";
  g.fillText(`${view.turnMs} ms`, window.width - 6, base - full);
  g.textAlign = "left";
}

const layerGap = 6;

function heatRowHeight(layers: number, experts: number): number {
  return Math.max(1, Math.min(5, Math.floor(190 / (layers * experts))));
}

function drawExperts(g: CanvasRenderingContext2D, { view, window }: Scene, theme: Theme): void {
  if (view.expertShape === undefined) return;
  const [layers, experts] = view.expertShape;
  const rowHeight = heatRowHeight(layers, experts);
  const columns = Math.ceil(window.width);
  const image = new ImageData(columns, layers * experts);
  const sums = new Float32Array(layers * experts);
  // An expert that gets twice its even share is drawn at full strength.
  const strength = (255 * experts) / 3;
  for (let x = 0; x < columns; x++) {
    const from = Math.floor(window.time(x) / view.turnMs);
    const to = Math.max(from + 1, Math.floor(window.time(x + 1) / view.turnMs));
    let count = 0;
    sums.fill(0);
    for (let i = Math.max(0, from); i < Math.min(view.turns.length, to); i++) {
      const load = view.turns[i].experts;
      if (load === undefined) continue;
      count++;
      for (let e = 0; e < sums.length; e++) sums[e] += load[e];
    }
    if (count === 0) continue;
    for (let e = 0; e < sums.length; e++) {
      const heat = 3 * Math.min(255, Math.round((sums[e] / count) * strength));
      const at = 4 * (e * columns + x);
      image.data[at] = theme.heat[heat];
      image.data[at + 1] = theme.heat[heat + 1];
      image.data[at + 2] = theme.heat[heat + 2];
      image.data[at + 3] = 255;
    }
  }
  const rows = new OffscreenCanvas(columns, layers * experts);
  const surface = rows.getContext("2d");
  if (surface === null) return;
  surface.putImageData(image, 0, 0);
  g.imageSmoothingEnabled = false;
  for (let layer = 0; layer < layers; layer++) {
    const height = experts * rowHeight;
    g.drawImage(rows, 0, layer * experts, columns, experts, 0, 8 + layer * (height + layerGap), columns, height);
  }
}

/** Calls back with the visible range of turn indices. */
function eachVisible(view: SessionView, window: TimeWindow, draw: (from: number, to: number) => void): void {
  const from = Math.max(0, Math.floor(window.startMs / view.turnMs));
  const to = Math.min(view.turns.length, Math.ceil(window.endMs / view.turnMs) + 1);
  if (from < to) draw(from, to);
}
