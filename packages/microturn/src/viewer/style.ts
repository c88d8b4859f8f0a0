// The style sheet of the page. Colours live here only; the canvas reads them as custom properties, and the demo has the same.

/** Colours for light and dark, and the font. */
export const palette = `
:root {
  color-scheme: light dark;
  --page: #f6f6f4; --surface: #ffffff; --border: #e3e2de; --text: #1d2126; --muted: #646b75;
  --grid: #f1f0ed; --grid-strong: #dfdeda;
  --user: #1f6feb; --assistant: #c2440e; --listen: #b9c7dd; --delegate: #7a3fd1;
  --done: #1b7f4c; --approval: #b06a00;
  --budget: #7b8794; --late: #d1242f; --select: #1f6feb; --cursor: #1d2126;
  --heat: #f3f2ef, #f6d9a8, #ee9b4d, #c9481f, #7d1d1a;
  font: 14px/1.45 system-ui, -apple-system, "Segoe UI", Roboto, "DejaVu Sans", sans-serif;
}
@media (prefers-color-scheme: dark) {
  :root {
    --page: #101215; --surface: #181b20; --border: #2b3038; --text: #e8eaed; --muted: #9aa3af;
    --grid: #1f232a; --grid-strong: #323842;
    --user: #6ea8fe; --assistant: #ff9460; --listen: #3c4a61; --delegate: #b691ff;
    --done: #55c98a; --approval: #f0b429;
    --budget: #77828f; --late: #ff6b6b; --select: #6ea8fe; --cursor: #f3f4f6;
    --heat: #1d2127, #4d2a1f, #9c451d, #ec8a35, #ffe0a3;
  }
}
`;

export const style = `${palette}* { box-sizing: border-box; }
body { margin: 0; background: var(--page); color: var(--text); }
.wrap { max-width: 1480px; margin: 0 auto; padding: 22px 24px 40px; }
h1, h2, h3, h4 { margin: 0; font-weight: 650; line-height: 1.25; }
h1 { font-size: 21px; letter-spacing: -0.01em; }
h2 { font-size: 14px; margin-bottom: 10px; }
h3 { font-size: 16px; }
h4 { font-size: 12px; color: var(--muted); font-weight: 600; margin-bottom: 6px; }
.muted { color: var(--muted); }
header { display: flex; flex-wrap: wrap; gap: 8px 20px; align-items: baseline; margin-bottom: 14px; }
#facts { display: flex; flex-wrap: wrap; gap: 4px 16px; font-size: 13px; }
.chip { display: inline-flex; gap: 6px; }
#figures { display: flex; flex-wrap: wrap; gap: 10px 34px; margin: 0 0 16px; }
.figure { display: flex; flex-direction: column; }
.figure b { font-size: 19px; font-weight: 650; font-variant-numeric: tabular-nums; letter-spacing: -0.01em; }
.figure span { font-size: 12px; }
.card { background: var(--surface); border: 1px solid var(--border); border-radius: 10px; }
.toolbar { display: flex; flex-wrap: wrap; gap: 8px 14px; align-items: center; padding: 10px 14px; border-bottom: 1px solid var(--border); }
button { font: inherit; color: inherit; background: var(--surface); border: 1px solid var(--border); border-radius: 7px; padding: 5px 11px; cursor: pointer; }
button:hover { border-color: var(--muted); }
:focus-visible { outline: 2px solid var(--select); outline-offset: 2px; }
#play { display: inline-flex; align-items: center; justify-content: center; width: 38px; height: 34px; padding: 0; background: var(--text); border-color: var(--text); }
#play::before { content: ""; border-style: solid; border-width: 7px 0 7px 12px; border-color: transparent transparent transparent var(--surface); margin-left: 3px; }
#play[data-playing="true"]::before { border-width: 0 4px; border-color: var(--surface); width: 13px; height: 14px; margin: 0; }
#clock { font-variant-numeric: tabular-nums; min-width: 150px; }
.toolbar label { display: inline-flex; gap: 6px; align-items: center; }
.toolbar input { accent-color: var(--user); margin: 0; }
.toolbar label.assistant input { accent-color: var(--assistant); }
.group { display: inline-flex; gap: 6px; }
.keys { margin-left: auto; font-size: 12px; color: var(--muted); }
kbd { font: inherit; border: 1px solid var(--border); border-radius: 4px; padding: 0 4px; background: var(--page); color: var(--text); }
.stage { display: grid; grid-template-columns: 148px minmax(0, 1fr); }
#labels { border-right: 1px solid var(--border); }
/* A hint that its lane has no room for wraps into a second column, which is clipped whole. */
.lane-label { padding: 0 12px; display: flex; flex-flow: column wrap; column-gap: 12px; justify-content: center; overflow: clip; }
.lane-label > * { width: 100%; }
.lane-label strong { font-size: 13px; font-weight: 600; line-height: 1.2; }
.lane-label small { font-size: 11px; color: var(--muted); line-height: 1.25; }
.lane-background { justify-content: flex-start; padding-top: 6px; }
.lane-background strong { color: var(--delegate); }
.lane-user strong, .lane-heard strong { color: var(--user); }
.lane-assistant strong, .lane-said strong { color: var(--assistant); }
.canvases { position: relative; min-width: 0; overflow: hidden; }
.canvases canvas { display: block; }
#overlay { position: absolute; inset: 0; touch-action: pan-y; cursor: crosshair; }
#tip { position: absolute; z-index: 1; max-width: min(460px, 90%); padding: 7px 10px; pointer-events: none; font-size: 12px; background: var(--surface); border: 1px solid var(--muted); border-radius: 7px; overflow-wrap: anywhere; }
#tip p { margin: 0; } #tip p:first-child { font-weight: 600; }
#legend { display: flex; flex-wrap: wrap; gap: 3px 16px; margin: 0; padding: 8px 14px; list-style: none; border-top: 1px solid var(--border); font-size: 12px; color: var(--muted); }
#legend[hidden] { display: none; }
.swatch { display: inline-block; width: 16px; height: 10px; margin-right: 6px; }
.swatch-work { background: color-mix(in srgb, var(--delegate) 20%, transparent); border-left: 2px solid var(--delegate); }
.swatch-queued { border: 1px solid var(--muted); }
.swatch-approval { border: 1px solid var(--approval); background: color-mix(in srgb, var(--approval) 20%, transparent); }
.swatch-running { background: color-mix(in srgb, var(--delegate) 38%, transparent); }
.swatch-done, .swatch-failed, .swatch-stopped, .swatch-unknown { border-right: 4px solid var(--done); background: color-mix(in srgb, var(--done) 38%, transparent); }
.swatch-failed { border-color: var(--late); background: color-mix(in srgb, var(--late) 38%, transparent); }
.swatch-stopped { border-color: var(--muted); background: color-mix(in srgb, var(--muted) 38%, transparent); }
.swatch-unknown { border-color: var(--approval); background: color-mix(in srgb, var(--approval) 38%, transparent); }
.swatch-delta { width: 2px; background: var(--delegate); }
.swatch-entry { width: 0; height: 0; border: 5px solid transparent; border-top-width: 0; border-bottom: 9px solid var(--assistant); }
.overview { grid-column: 2; border-top: 1px solid var(--border); overflow: hidden; }
.overview-label { border-right: 1px solid var(--border); border-top: 1px solid var(--border); }
#overview { display: block; cursor: grab; touch-action: none; }
.columns { display: grid; grid-template-columns: minmax(0, 1fr) minmax(0, 1fr); gap: 16px; margin-top: 16px; }
.panel { padding: 14px 16px; }
#conversation { list-style: none; margin: 0; padding: 0; max-height: 420px; overflow: auto; }
.line { display: grid; grid-template-columns: 58px 76px minmax(0, 1fr); gap: 8px; width: 100%; text-align: left; border: 0; padding: 5px 6px; }
.line:hover { background: var(--page); }
.line .time { color: var(--muted); font-variant-numeric: tabular-nums; }
.line.user .who { color: var(--user); font-weight: 600; }
.line.assistant .who { color: var(--assistant); font-weight: 600; }
.line.background .who { color: var(--delegate); font-weight: 600; }
.words { overflow-wrap: anywhere; }
.turn-head { display: flex; flex-wrap: wrap; gap: 6px 10px; align-items: center; margin-bottom: 10px; }
.badge { font-size: 12px; padding: 1px 9px; border-radius: 9px; border: 1px solid currentColor; }
.badge.speak { color: var(--assistant); } .badge.listen { color: var(--user); } .badge.late { color: var(--late); }
.facts { display: grid; grid-template-columns: 118px minmax(0, 1fr); gap: 3px 10px; margin: 0 0 14px; }
.facts dt { color: var(--muted); } .facts dd { margin: 0; overflow-wrap: anywhere; }
.stage-bar { display: flex; height: 10px; background: var(--grid); border-radius: 5px; overflow: hidden; }
.stage-names { display: flex; flex-wrap: wrap; gap: 2px 16px; margin-top: 6px; font-size: 12px; }
.stage-names i { display: inline-block; width: 9px; height: 9px; border-radius: 2px; margin-right: 6px; }
.stage-0 { background: var(--user); } .stage-1 { background: var(--listen); }
.stage-2 { background: var(--assistant); } .stage-3 { background: var(--delegate); } .stage-4 { background: var(--budget); }
.stages { margin-bottom: 14px; }
#inspector .background { margin-bottom: 14px; font-size: 13px; }
.background p { margin: 0; overflow-wrap: anywhere; }
.work, .call { border-left: 3px solid var(--delegate); padding: 2px 0 2px 10px; margin: 6px 0; }
.work > p:first-child, .call > p:first-child { font-weight: 600; }
.told { margin: 4px 0; padding-left: 13px; } .told > p:first-child { color: var(--muted); }
.outcome-done, .outcome-answered { border-color: var(--done); } .outcome-failed, .outcome-timed-out { border-color: var(--late); }
.outcome-unknown { border-color: var(--approval); }
.outcome-cancelled, .outcome-rejected, .outcome-superseded { border-color: var(--muted); }
.expert-grid { display: flex; flex-wrap: wrap; gap: 6px 18px; }
.expert-row { display: inline-flex; gap: 3px; align-items: flex-end; font-size: 11px; }
.expert-row > .muted { min-width: 14px; }
.expert { display: inline-flex; align-items: flex-end; width: 12px; height: 30px; background: var(--grid); border-radius: 2px; overflow: hidden; }
.expert i { width: 100%; background: var(--assistant); }
#failure { padding: 16px; color: var(--late); }
#failure:empty { display: none; }
.visually-hidden { position: absolute; width: 1px; height: 1px; overflow: hidden; clip-path: inset(50%); white-space: nowrap; }
@media (max-width: 860px) {
  .wrap { padding: 14px 12px 30px; }
  .columns { grid-template-columns: minmax(0, 1fr); }
  .stage { grid-template-columns: max-content minmax(0, 1fr); }
  .lane-label { padding-inline: 8px; } .lane-label small { display: none; }
  .keys { display: none; }
}
`;
