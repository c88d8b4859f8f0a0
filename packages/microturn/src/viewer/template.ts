// The HTML around the page script: landmarks, controls and labels, so that the page has a shape before it has data.

/** Parts of the document; every one is trusted text of ours but `data`, which must already be safe inside a script element. */
export interface TemplateParts {
  readonly style: string;
  readonly script: string;
  readonly data: string;
  /** Content security policy. */
  readonly policy: string;
}

/** The whole document. */
export function template({ style, script, data, policy }: TemplateParts): string {
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="${policy}">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Microturn session</title>
<style>${style}</style>
</head>
<body>
<div class="wrap">
<header><h1 id="title">Microturn session</h1><div id="facts"></div></header>
<div id="figures" aria-label="Figures of the session"></div>
<main>
<section class="card" aria-label="Time line">
<div class="toolbar">
<button id="play" type="button" aria-label="Play"></button>
<span id="clock"></span>
<label><input id="hear-user" type="checkbox" checked> User</label>
<label class="assistant"><input id="hear-assistant" type="checkbox" checked> Assistant</label>
<span class="group" role="group" aria-label="Zoom">
<button id="zoom-out" type="button" aria-label="Zoom out">−</button>
<button id="zoom-in" type="button" aria-label="Zoom in">+</button>
<button id="fit" type="button">Whole session</button>
</span>
<span class="keys"><span id="background-keys" hidden><kbd>b</kbd> <kbd>B</kbd> background &nbsp;</span><kbd>space</kbd> play &nbsp;<kbd>←</kbd> <kbd>→</kbd> micro-turn &nbsp;<kbd>n</kbd> <kbd>p</kbd> next, previous change &nbsp;<kbd>+</kbd> <kbd>−</kbd> <kbd>0</kbd> zoom</span>
</div>
<div id="failure" role="alert"></div>
<div class="stage">
<div id="labels" aria-hidden="true"></div>
<div class="canvases">
<canvas id="lanes" aria-hidden="true"></canvas>
<canvas id="overlay" tabindex="0" role="img" aria-label="Time line of the session. The arrow keys move from micro-turn to micro-turn; the inspector below tells all about the chosen one."></canvas>
<div id="tip" aria-hidden="true" hidden></div>
</div>
<div class="overview-label lane-label"><strong>Overview</strong></div>
<div class="overview"><canvas id="overview" height="40" aria-hidden="true"></canvas></div>
</div>
<ul id="legend" hidden></ul>
</section>
<div class="columns">
<section class="card panel" aria-label="Chosen micro-turn"><div id="inspector"></div></section>
<section class="card panel" aria-label="Conversation"><h2>Conversation</h2><ol id="conversation"></ol></section>
</div>
</main>
<div id="status" class="visually-hidden" role="status" aria-live="polite"></div>
</div>
<script type="application/json" id="microturn-trace">${data}</script>
<script>${script}</script>
</body>
</html>
`;
}
