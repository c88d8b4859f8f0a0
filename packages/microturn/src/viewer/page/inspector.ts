// One micro-turn in full: what came in, what went out, where the time went, which experts worked.

import { backgroundPanel } from "./background-panel.js";
import { newsOf } from "./background-words.js";
import { make } from "./dom.js";
import { formatTime, type SessionView, stepMs, type TurnView } from "./session-view.js";

const controlNames = ["none", "listen", "speak", "delegate"];

/** One sentence about a micro-turn, for the live region that screen readers follow. */
export function describeTurn(view: SessionView, turn: TurnView): string {
  const parts = [`Micro-turn ${turn.index} at ${formatTime(turn.index * view.turnMs)}`, turn.decision];
  if (turn.heard !== "") parts.push(`heard “${turn.heard.trim()}”`);
  if (turn.said !== "") parts.push(`said “${turn.said.trim()}”`);
  if (turn.delegation !== undefined) parts.push(`delegated “${turn.delegation}”`);
  if (view.background !== undefined) parts.push(...newsOf(view.background, turn.index, view.turnMs));
  parts.push(`${stepMs(turn).toFixed(1)} ms${turn.late ? ", late" : ""}`);
  return parts.join(", ");
}

/** Fills the inspector with one micro-turn. */
export function showTurn(panel: HTMLElement, view: SessionView, turn: TurnView): void {
  const start = turn.index * view.turnMs;
  const title = make("h3", "", `Micro-turn ${turn.index}`);
  const times = make("span", "muted", `${formatTime(start)} to ${formatTime(start + view.turnMs)}`);
  const badge = make("span", `badge ${turn.decision}`, turn.decision);
  const head = make("div", "turn-head", [title, badge, times]);
  if (turn.late) head.append(make("span", "badge late", "late"));
  if (turn.yielded) head.append(make("span", "badge listen", "gave up the floor"));
  if (turn.skipped) head.append(make("span", "badge late", "output skipped"));
  if (turn.merged > 1) head.append(make("span", "badge late", `${turn.merged} micro-turns merged`));

  const facts = make("dl", "facts");
  const fact = (name: string, value: string, quiet = false) =>
    facts.append(make("dt", "", name), make("dd", quiet ? "muted" : "", value));
  fact("Heard", turn.heard.trim() || "nothing new", turn.heard === "");
  fact("Said", turn.said.trim() || "nothing new", turn.said === "");
  fact("User level", level(view, start, "user"));
  fact("Assistant level", level(view, start, "assistant"));
  if (turn.typed.length > 0) fact("Text in", turn.typed.join(" / "));
  if (turn.images > 0) fact("Images in", String(turn.images));
  if (turn.delegation !== undefined) fact("Delegated", turn.delegation);
  if (turn.controls !== undefined) {
    fact("Controls", [...turn.controls].map((control) => controlNames[control] ?? String(control)).join(", "));
  }
  fact("Step", `${stepMs(turn).toFixed(2)} ms of ${view.turnMs} ms`);
  fact(
    "Slack",
    turn.slackMs === undefined ? "not run in real time" : `${turn.slackMs.toFixed(1)} ms`,
    turn.slackMs === undefined,
  );

  const background =
    view.background === undefined ? undefined : backgroundPanel(view.background, turn.index, view.turnMs);
  panel.replaceChildren(head, facts, ...(background === undefined ? [] : [background]), stages(view, turn));
  if (turn.experts !== undefined && view.expertShape !== undefined) {
    panel.append(experts(turn.experts, view.expertShape));
  }
}

function level(view: SessionView, startMs: number, who: "user" | "assistant"): string {
  const voice = view[who];
  const from = Math.round((startMs * voice.sampleRate) / 1000);
  const samples = voice.samples.subarray(from, from + Math.round((view.turnMs * voice.sampleRate) / 1000));
  let sum = 0;
  for (const sample of samples) sum += sample * sample;
  const rms = Math.sqrt(sum / Math.max(1, samples.length));
  return rms < 1e-5 ? "silent" : `${(20 * Math.log10(rms)).toFixed(1)} dBFS`;
}

function stages(view: SessionView, turn: TurnView): HTMLElement {
  const total = Math.max(stepMs(turn), 1e-9);
  const bar = make("div", "stage-bar");
  bar.setAttribute("role", "img");
  bar.setAttribute(
    "aria-label",
    `Stages: ${turn.stages.map((stage) => `${stage.name} ${stage.ms.toFixed(2)} ms`).join(", ")}`,
  );
  const names = make("div", "stage-names");
  turn.stages.forEach((stage, i) => {
    const part = make("span", `stage-${i % 5}`);
    part.style.width = `${(100 * stage.ms) / Math.max(total, view.turnMs / 20)}%`;
    bar.append(part);
    const swatch = make("i", `stage-${i % 5}`);
    const name = make("span", "", [swatch]);
    name.append(`${stage.name} ${stage.ms.toFixed(2)} ms`);
    names.append(name);
  });
  return make("div", "stages", [make("h4", "", "Where the time went"), bar, names]);
}

function experts(load: Float32Array, [layers, count]: readonly [number, number]): HTMLElement {
  const grid = make("div", "expert-grid");
  for (let layer = 0; layer < layers; layer++) {
    const row = make("div", "expert-row", [make("span", "muted", `${layer + 1}`)]);
    for (let expert = 0; expert < count; expert++) {
      const share = load[layer * count + expert];
      const cell = make("span", "expert");
      cell.title = `layer ${layer + 1}, expert ${expert + 1}: ${(100 * share).toFixed(0)} %`;
      const fill = make("i", "");
      fill.style.height = `${Math.min(100, 100 * share * Math.min(count, 3))}%`;
      cell.append(fill);
      row.append(cell);
    }
    grid.append(row);
  }
  return make("div", "experts", [make("h4", "", "Experts, share of routing per mixture layer"), grid]);
}
