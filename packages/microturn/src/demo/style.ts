// The style sheet of the demo's page; its colours are those of the session viewer.

import { palette } from "../viewer/style.js";

export const demoStyle = `${palette}
* { box-sizing: border-box; }
[hidden] { display: none !important; }
body { margin: 0; background: var(--page); color: var(--text); }
.wrap { max-width: 1280px; margin: 0 auto; padding: 22px 24px 36px; }
h1, h2, p, dl, dd, ul { margin: 0; padding: 0; }
h1 { font-size: 22px; font-weight: 650; letter-spacing: -0.015em; line-height: 1.2; }
h2 { font-size: 14px; font-weight: 650; margin-bottom: 10px; }
h2.later { margin-top: 20px; }
.muted { color: var(--muted); }
header { display: flex; gap: 14px; align-items: center; margin-bottom: 16px; }
.card { background: var(--surface); border: 1px solid var(--border); border-radius: 12px; }
.toolbar { display: flex; flex-wrap: wrap; gap: 10px; align-items: center; padding: 12px 14px; border-bottom: 1px solid var(--border); }
button { font: inherit; color: inherit; background: var(--surface); border: 1px solid var(--border); border-radius: 9px; padding: 7px 14px; cursor: pointer; }
button:hover:enabled { border-color: var(--muted); }
button:disabled { color: var(--muted); opacity: 0.65; cursor: default; }
button[data-on="true"]::before { content: ""; display: inline-block; width: 8px; height: 8px; margin-right: 8px; border-radius: 50%; background: var(--user); }
button.primary { background: var(--text); color: var(--surface); border-color: var(--text); font-weight: 600; padding: 8px 20px; }
button.primary:hover { opacity: 0.88; }
:focus-visible { outline: 2px solid var(--select); outline-offset: 2px; }
#save { margin-left: auto; }
#state { display: inline-flex; align-items: center; gap: 9px; padding: 5px 14px; border-radius: 999px; border: 1px solid var(--border); min-width: 132px; color: var(--muted); }
.mark { width: 12px; height: 12px; border-radius: 50%; border: 2px solid currentColor; flex: none; }
#state[data-state="listen"] { color: var(--user); border-color: currentColor; }
#state[data-state="speak"] { color: var(--assistant); border-color: currentColor; }
#state[data-state="speak"] .mark { border-radius: 3px; background: currentColor; }
#state[data-state="listen"] .mark { animation: breathe 2.4s ease-in-out infinite; }
@keyframes breathe { 50% { transform: scale(0.72); } }
#problem { padding: 12px 16px; color: var(--late); border-bottom: 1px solid var(--border); overflow-wrap: anywhere; white-space: pre-line; }
#problem:empty, #notice:empty, #type-note:empty { display: none; }
.stage { display: grid; grid-template-columns: 128px minmax(0, 1fr); }
#labels { border-right: 1px solid var(--border); }
.lane-label { padding: 0 14px; display: flex; flex-direction: column; justify-content: center; overflow: hidden; }
.lane-label strong { font-size: 13px; font-weight: 600; line-height: 1.2; }
.lane-label small { font-size: 11px; color: var(--muted); line-height: 1.25; }
.lane-user strong, .lane-heard strong { color: var(--user); }
.lane-assistant strong, .lane-said strong { color: var(--assistant); }
.lane-heard strong, .lane-said strong { font-weight: 500; font-size: 12px; }
.lane-label:not(.lane-ruler, .lane-heard, .lane-said) { border-top: 1px solid var(--grid-strong); }
.canvases { position: relative; min-width: 0; overflow: hidden; border-radius: 0 0 12px 0; }
.canvases canvas { display: block; }
#welcome, #loading { position: absolute; inset: 0; display: none; flex-direction: column; align-items: center; justify-content: center; gap: 8px; padding: 20px; text-align: center; background: color-mix(in srgb, var(--surface) 84%, transparent); }
body[data-phase="idle"] #welcome, body[data-phase="loading"] #loading { display: flex; }
.headline { font-size: 26px; font-weight: 650; letter-spacing: -0.02em; line-height: 1.2; }
#stage { font-size: 18px; font-weight: 600; }
#amount { min-height: 1.45em; font-variant-numeric: tabular-nums; }
progress { width: min(380px, 80%); height: 10px; accent-color: var(--user); }
.columns { display: grid; grid-template-columns: minmax(0, 3fr) minmax(0, 2fr); gap: 16px; margin-top: 16px; }
.panel { padding: 16px 18px; display: flex; flex-direction: column; }
#conversation { flex: 1 1 auto; height: 340px; overflow-y: auto; margin: 0 -6px 12px; padding: 0 6px; border-radius: 6px; contain: layout paint style; }
#conversation .lines:empty::before { content: "Nothing was said yet."; color: var(--muted); }
.said { margin-bottom: 12px; max-width: 88%; }
.said .head { display: flex; gap: 8px; align-items: baseline; font-size: 12px; }
.said .who { font-weight: 600; }
.said .how, .said .time { color: var(--muted); font-variant-numeric: tabular-nums; }
.said .words { display: inline-block; margin-top: 2px; padding: 6px 12px; border-radius: 4px 12px 12px 12px; background: var(--page); overflow-wrap: anywhere; border-left: 3px solid currentColor; }
.yields { display: block; font-size: 12px; color: var(--late); }
.yields::before { content: "↩ "; }
.said.user .who, .said.typed .who { color: var(--user); }
.said.assistant .who { color: var(--assistant); }
.said.user .words, .said.typed .words { border-left-color: var(--user); }
.said.assistant .words { border-left-color: var(--assistant); }
.said.note .words { background: none; border-left-color: var(--delegate); color: var(--muted); border-radius: 0; }
#type { display: grid; grid-template-columns: minmax(0, 1fr) auto; gap: 8px; }
#type input { font: inherit; color: inherit; background: var(--page); border: 1px solid var(--muted); border-radius: 9px; padding: 8px 12px; min-width: 0; }
#type input::placeholder { color: var(--muted); opacity: 1; }
#type input:disabled { border-color: var(--border); }
#type-note { grid-column: 1 / -1; font-size: 13px; }
.facts { display: grid; grid-template-columns: 92px minmax(0, 1fr); gap: 7px 10px; }
.facts dt { color: var(--muted); }
.facts dd { overflow-wrap: anywhere; font-variant-numeric: tabular-nums; }
.facts small { display: block; font-size: 12px; }
.passed-over { list-style: none; font-size: 12px; color: var(--muted); }
#notice { margin-top: 12px; padding: 9px 12px; border-left: 3px solid var(--delegate); background: var(--page); border-radius: 0 8px 8px 0; font-size: 13px; overflow-wrap: anywhere; }
#preview { width: 160px; aspect-ratio: 4 / 3; object-fit: cover; border-radius: 9px; margin-top: 14px; background: var(--page); transform: scaleX(-1); }
.suggestions { list-style: none; display: grid; gap: 6px; }
.suggestions q { font-weight: 600; margin-right: 8px; }
.suggestions .muted { font-size: 13px; }
footer { margin-top: 18px; font-size: 13px; }
a { color: inherit; }
.visually-hidden { position: absolute; width: 1px; height: 1px; overflow: hidden; clip-path: inset(50%); white-space: nowrap; }
@media (max-width: 860px) {
  .wrap { padding: 14px 12px 28px; }
  .columns { grid-template-columns: minmax(0, 1fr); }
  .stage { grid-template-columns: 78px minmax(0, 1fr); }
  .lane-label { padding: 0 8px; } .lane-label small { display: none; }
  #save { margin-left: 0; }
  .headline { font-size: 20px; }
}
@media (prefers-reduced-motion: reduce) { .mark { animation: none !important; } }
`;
