// Brings the page to life for one session: time line, player, inspector, conversation, keyboard.

import { LevelMeter, speechSegments } from "../../summary/speech-activity.js";
import { percentile, summarise } from "../../summary/summary.js";
import { backgroundLines, nextNews, showLegend } from "./background-panel.js";
import { showConversation } from "./conversation.js";
import { element, make } from "./dom.js";
import { describeTurn, showTurn } from "./inspector.js";
import { Player } from "./player.js";
import { Pyramid } from "./pyramid.js";
import { formatTime, type SessionView, stepMs, type Voice } from "./session-view.js";
import { TimeWindow } from "./time-window.js";
import { Timeline } from "./timeline.js";
import { phrases, type TimedText } from "./words.js";

/** Shows a session in the document that the template made. */
export function mount(view: SessionView): void {
  document.title = view.title;
  element("title", HTMLElement).textContent = view.title;
  const window_ = new TimeWindow(view.durationMs);
  const heard = phrases(pieces(view, "heard"));
  const said = phrases(replies(view));
  showFacts(view);

  const player = new Player(view);
  const status = element("status", HTMLElement);
  const clock = element("clock", HTMLElement);
  const inspector = element("inspector", HTMLElement);
  const playButton = element("play", HTMLButtonElement);
  let selected = -1;
  let cursorMs = 0;

  const timeline = new Timeline(
    {
      view,
      window: window_,
      userPyramid: new Pyramid(view.user.samples),
      assistantPyramid: new Pyramid(view.assistant.samples),
      heard,
      said,
    },
    {
      base: element("lanes", HTMLCanvasElement),
      top: element("overlay", HTMLCanvasElement),
      overview: element("overview", HTMLCanvasElement),
      labels: element("labels", HTMLElement),
      tip: element("tip", HTMLElement),
    },
    { onPick: (timeMs) => seek(timeMs) },
  );

  const select = (index: number, announce: boolean) => {
    const turn = view.turns[Math.min(view.turns.length - 1, Math.max(0, index))];
    if (turn === undefined || turn.index === selected) return;
    selected = turn.index;
    timeline.select(selected);
    showTurn(inspector, view, turn);
    if (announce) status.textContent = describeTurn(view, turn);
  };
  const showCursor = (timeMs: number) => {
    cursorMs = Math.min(view.durationMs, Math.max(0, timeMs));
    timeline.setCursor(cursorMs);
    clock.textContent = `${formatTime(cursorMs)} / ${formatTime(view.durationMs)}`;
  };
  const reveal = (timeMs: number) => {
    const before = window_.startMs;
    window_.reveal(timeMs);
    if (window_.startMs !== before) timeline.redraw();
  };
  const seek = (timeMs: number) => {
    showCursor(timeMs);
    select(Math.floor(cursorMs / view.turnMs), true);
    reveal(cursorMs);
    if (player.playing) player.play(cursorMs);
  };
  const showPlaying = () => {
    playButton.dataset.playing = String(player.playing);
    playButton.setAttribute("aria-label", player.playing ? "Pause" : "Play");
  };
  const toggle = () => {
    if (player.playing) player.stop();
    else player.play(cursorMs >= view.durationMs - 10 ? 0 : cursorMs);
    showPlaying();
    if (player.playing) requestAnimationFrame(follow);
  };
  const follow = () => {
    player.tick();
    showCursor(player.timeMs);
    select(Math.floor(cursorMs / view.turnMs), false);
    reveal(cursorMs);
    if (player.playing) requestAnimationFrame(follow);
    else showPlaying();
  };
  const zoom = (factor: number) => {
    const anchor = cursorMs >= window_.startMs && cursorMs <= window_.endMs ? cursorMs : window_.startMs;
    window_.zoom(factor, anchor);
    timeline.redraw();
  };
  const fit = () => {
    window_.show(0, view.durationMs);
    timeline.redraw();
  };
  const step = (turns: number) => seek((Math.max(0, selected) + turns) * view.turnMs);
  /** Goes to the next (1) or previous (-1) micro-turn in which the decision changes. */
  const nextChange = (direction: 1 | -1) => {
    for (let i = selected + direction; i > 0 && i < view.turns.length; i += direction) {
      if (view.turns[i].decision !== view.turns[i - 1].decision) return seek(i * view.turnMs);
    }
  };

  playButton.addEventListener("click", toggle);
  element("zoom-in", HTMLButtonElement).addEventListener("click", () => zoom(1.6));
  element("zoom-out", HTMLButtonElement).addEventListener("click", () => zoom(1 / 1.6));
  element("fit", HTMLButtonElement).addEventListener("click", fit);
  const audible = [element("hear-user", HTMLInputElement), element("hear-assistant", HTMLInputElement)] as const;
  audible[0].addEventListener("change", () => player.setAudible(0, audible[0].checked));
  audible[1].addEventListener("change", () => player.setAudible(1, audible[1].checked));
  const lines = view.background === undefined ? [] : backgroundLines(view.background, view.turnMs);
  showConversation(element("conversation", HTMLElement), heard, said, lines, (turn) => seek(turn * view.turnMs));

  const keys: Record<string, () => void> = {
    " ": toggle,
    ArrowRight: () => step(1),
    ArrowLeft: () => step(-1),
    PageDown: () => step(10),
    PageUp: () => step(-10),
    Home: () => seek(0),
    End: () => seek(view.durationMs - view.turnMs),
    "+": () => zoom(1.6),
    "=": () => zoom(1.6),
    "-": () => zoom(1 / 1.6),
    "0": fit,
    n: () => nextChange(1),
    p: () => nextChange(-1),
  };
  if (view.background !== undefined) {
    const { background } = view;
    const toNews = (direction: 1 | -1) => {
      const turn = nextNews(background, selected, direction);
      if (turn !== undefined) seek(turn * view.turnMs);
    };
    keys.b = () => toNews(1);
    keys.B = () => toNews(-1);
    showLegend(element("legend", HTMLElement), background);
    element("background-keys", HTMLElement).hidden = false;
  }
  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    const target = event.target;
    // A focused button or box keeps its own keys.
    if (target instanceof HTMLInputElement || (target instanceof HTMLButtonElement && event.key === " ")) return;
    const action = keys[event.key];
    if (action === undefined) return;
    event.preventDefault();
    action();
  });

  // A long session opens on its first half minute, a short one whole.
  if (view.durationMs > 90_000) window_.show(0, 30_000);
  select(0, false);
  showCursor(0);
  timeline.redraw();
}

function pieces(view: SessionView, which: "heard" | "said"): TimedText[] {
  return view.turns
    .filter((turn) => turn[which].trim() !== "")
    .map((turn) => ({ timeMs: turn.index * view.turnMs, text: turn[which], turn: turn.index }));
}

/** What the assistant said: a micro-turn in which it only listens ends a reply. */
function replies(view: SessionView): TimedText[] {
  const decisions = new Map(view.turns.map((turn) => [turn.index, turn.decision]));
  let last = 0;
  return pieces(view, "said").map((piece) => {
    let fresh = false;
    for (let turn = last; turn < piece.turn; turn++) fresh ||= decisions.get(turn) === "listen";
    last = piece.turn;
    return { ...piece, fresh };
  });
}

function showFacts(view: SessionView): void {
  const chips = element("facts", HTMLElement);
  for (const { name, value } of view.facts) {
    chips.append(make("span", "chip", [make("span", "muted", name), make("span", "", value)]));
  }
  const levels = (voice: Voice) => {
    const meter = new LevelMeter(voice.sampleRate);
    meter.push(voice.samples);
    return meter.levels;
  };
  const userLevels = levels(view.user);
  const assistantLevels = levels(view.assistant);
  const summary = summarise({
    userLevels,
    assistantLevels,
    stepMs: view.turns.map(stepMs),
    late: view.turns.filter((turn) => turn.late).length,
  });
  const speaking = speechSegments(assistantLevels).reduce((sum, part) => sum + part.endMs - part.startMs, 0);
  const figures: (readonly [string, string])[] = [
    [formatTime(view.durationMs).slice(0, -2), "length"],
    [String(view.turns.length), "micro-turns"],
    [String(summary.replies), summary.replies === 1 ? "reply" : "replies"],
    [
      summary.takeOverMs.length === 0 ? "–" : `${percentile(summary.takeOverMs, 0.5).toFixed(0)} ms`,
      "median take-over",
    ],
    [`${((100 * speaking) / Math.max(1, view.durationMs)).toFixed(0)} %`, "assistant sounds"],
    [Number.isNaN(summary.stepP99Ms) ? "–" : `${summary.stepP99Ms.toFixed(1)} ms`, "step time p99"],
    [String(summary.late), "late"],
  ];
  if (view.background !== undefined) {
    const { works } = view.background;
    const calls = works.flatMap((work) => work.calls);
    const failed = calls.filter(({ outcome }) => outcome === "failed" || outcome === "timed-out").length;
    const waits = works.flatMap(({ entries }) =>
      entries.flatMap(({ told, turn }) => (told === undefined ? [] : [turn - told.turn])),
    );
    figures.push([String(works.length), "delegated"], [String(calls.length), calls.length === 1 ? "call" : "calls"]);
    if (failed > 0) figures.push([String(failed), failed === 1 ? "failed call" : "failed calls"]);
    if (waits.length > 0) {
      figures.push([`${((percentile(waits, 0.5) * view.turnMs) / 1000).toFixed(1)} s`, "median wait to enter"]);
    }
  }
  element("figures", HTMLElement).append(
    ...figures.map(([value, name]) => make("div", "figure", [make("b", "", value), make("span", "muted", name)])),
  );
}
