// The HTML of the demo's page: landmarks, controls and labels; its script fills them.

/** Two voices that overlap. */
export const icon = `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 32 32"><rect width="32" height="32" rx="8" fill="#181b20"/><g stroke-width="3" stroke-linecap="round"><path stroke="#6ea8fe" d="M7 13v6M12 9v14M17 12v8"/><path stroke="#ff9460" d="M17 14v4M22 8v16M27 13v6"/></g></svg>`;

const suggestions = [
  ["what is seven plus eight", "and any sum of two digits"],
  ["tell me a story", "then “stop”, or “uh huh”, in the middle of it"],
  ["count to nine", "and break in: “what is your name”"],
  ["what color do you see", "with the camera on, or “tell me when it turns blue”"],
  ["how long did that take", "it keeps time, and waits when you ask it to"],
] as const;

/** The whole document. */
export const demoTemplate = `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Microturn: talk with mini</title>
<link rel="icon" href="/icon.svg" type="image/svg+xml">
<link rel="stylesheet" href="/style.css">
</head>
<body data-phase="idle">
<div class="wrap">
<header>
<img src="/icon.svg" alt="" width="34" height="34">
<div>
<h1>Talk with mini</h1>
<p class="muted">A small model that listens while it speaks. It runs in this page: nothing that you say, type or show leaves this machine.</p>
</div>
</header>
<main>
<section class="card" aria-label="Conversation with mini, as it happens">
<div class="toolbar">
<button id="start" type="button" class="primary">Start talking</button>
<button id="mute" type="button" disabled>Mute</button>
<button id="camera" type="button" disabled>Share camera</button>
<p id="state" data-state="idle"><span class="mark" aria-hidden="true"></span><span id="state-words">not started</span></p>
<button id="save" type="button" disabled>Save session</button>
</div>
<p id="problem" role="alert"></p>
<div class="stage">
<div id="labels" aria-hidden="true"></div>
<div class="canvases">
<canvas id="lanes" role="img" aria-label="Time line of the last twenty seconds: both voices, what was heard and said, the decision of each micro-turn, the time that was left in it, and which experts computed it. The conversation and the figures are below as text."></canvas>
<div id="welcome">
<p class="headline">Press start, allow the microphone, say hello.</p>
<p class="muted">Headphones help: mini would hear itself. No microphone? Start all the same, and type.</p>
</div>
<div id="loading">
<p id="stage" role="status"></p>
<progress id="progress" max="1" aria-label="Progress of loading"></progress>
<p id="amount" class="muted"></p>
</div>
</div>
</div>
</section>
<div class="columns">
<section class="card panel" aria-labelledby="conversation-title">
<h2 id="conversation-title">Conversation</h2>
<div id="conversation" role="log" aria-live="polite" aria-labelledby="conversation-title" tabindex="0"></div>
<form id="type">
<label for="text" class="visually-hidden">Type to mini</label>
<input id="text" type="text" autocomplete="off" placeholder="Type instead of speaking" maxlength="200" aria-describedby="type-note" disabled>
<button id="send" type="submit" disabled>Send</button>
<p id="type-note" class="muted"></p>
</form>
</section>
<section class="card panel" aria-labelledby="facts-title">
<h2 id="facts-title">What runs</h2>
<dl class="facts">
<dt>Device</dt><dd id="device">known once the model is loaded</dd>
<dt>Micro-turn</dt><dd id="figures">–</dd>
<dt>Too late</dt><dd id="late">–</dd>
<dt>Microphone</dt><dd id="microphone">off</dd>
</dl>
<p id="notice" role="status"></p>
<video id="preview" muted playsinline autoplay hidden aria-label="What your camera shows to mini"></video>
<h2 class="later">Things to say</h2>
<ul class="suggestions">
${suggestions.map(([words, more]) => `<li><q>${words}</q><span class="muted">${more}</span></li>`).join("\n")}
</ul>
</section>
</div>
</main>
<footer class="muted">mini is 20 MB and knows little: what it can do is in its <a href="https://www.npmjs.com/package/@microturn/mini" rel="noreferrer">model card</a>. The page works without a network from the second visit on.</footer>
</div>
<script type="module" src="/page.js"></script>
</body>
</html>
`;
