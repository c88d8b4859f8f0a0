// The page: its buttons and keys act on the conversation, and what happens in the conversation is shown.

import type { DeviceChange, DeviceChoice } from "@microturn/backend-web";
import { DuplexError, type LoadProgress, type TurnRecord } from "@microturn/core";
import { percentile } from "../../summary/summary.js";
import { element } from "../../viewer/page/dom.js";
import { ConversationLog } from "./conversation-log.js";
import { showDevice } from "./device-panel.js";
import { LiveTimeline } from "./live-timeline.js";
import { saveSession } from "./save-session.js";
import { type Phase, Talk, type TalkEvents } from "./talk.js";
import { TurnFigures } from "./turn-figures.js";

const start = element("start", HTMLButtonElement);
const mute = element("mute", HTMLButtonElement);
const camera = element("camera", HTMLButtonElement);
const save = element("save", HTMLButtonElement);
const form = element("type", HTMLFormElement);
const input = element("text", HTMLInputElement);
const send = element("send", HTMLButtonElement);
const state = element("state", HTMLElement);
const progress = element("progress", HTMLProgressElement);
const preview = element("preview", HTMLVideoElement);
const notice = element("notice", HTMLElement);
const problem = element("problem", HTMLElement);

const timeline = new LiveTimeline(element("lanes", HTMLCanvasElement), element("labels", HTMLElement));
const figures = new TurnFigures();
const log = new ConversationLog(element("conversation", HTMLElement));

const asked = new URLSearchParams(location.search);
const budgetMs = Number(asked.get("budget"));
const device = (["webgpu", "wasm"] as const).find((name) => name === asked.get("device"));
const events: TalkEvents = {
  onPhase: showPhase,
  onProgress: showProgress,
  onDevice: showDeviceInUse,
  onTurn: takeTurn,
  onHeard: (text, turnIndex) => log.add("user", text, turnIndex),
  onSaid: (text, turnIndex) => log.add("assistant", text, turnIndex),
  onFlush: ({ reason, turnIndex, unheard }) => {
    log.takeBack(unheard);
    timeline.takeBack(unheard);
    if (reason !== "yield") return;
    timeline.markYield(turnIndex);
    log.yield();
  },
  onDelegation: (task) => log.add("note", `mini hands over a question: ${task}`, figures.turns),
  onChange: showControls,
  onNotice: (error) => {
    notice.textContent = `${textOf(error)} The conversation goes on without it.`;
  },
  onProblem: (error) => {
    problem.textContent = textOf(error);
  },
};
const talk = new Talk(events, { budgetMs: budgetMs >= 1 && budgetMs <= 60_000 ? budgetMs : undefined, device });

// --- what the user does ---

start.addEventListener("click", () => {
  if (talk.phase === "open" || talk.phase === "loading") void talk.stop();
  else void talk.start();
});
mute.addEventListener("click", () => {
  const { microphone } = talk;
  if (microphone === undefined) void talk.openMicrophone();
  else microphone.muted = !microphone.muted;
  showControls();
});
camera.addEventListener("click", () => void talk.toggleCamera());
save.addEventListener("click", async () => {
  const trace = talk.trace();
  if (trace === undefined) return;
  save.disabled = true;
  notice.textContent = "The session is being packed.";
  try {
    await saveSession(trace);
    notice.textContent = "The session is saved as a page with its sound. It needs no network.";
  } catch (error) {
    notice.textContent = `The session could not be saved: ${textOf(error)}`;
  }
  save.disabled = false;
});
form.addEventListener("submit", (event) => {
  event.preventDefault();
  const text = input.value.trim();
  if (text === "" || !talk.readsText) return;
  try {
    talk.send(text);
    log.add("typed", text, figures.turns);
    input.value = "";
  } catch (error) {
    notice.textContent = textOf(error);
  }
});
for (const gesture of ["pointerup", "keydown"]) document.addEventListener(gesture, () => talk.resumeAudio());

// --- what happens ---

function showPhase(phase: Phase): void {
  document.body.dataset.phase = phase;
  start.textContent = { idle: "Start talking", loading: "Cancel", open: "Stop", ended: "Start again" }[phase];
  if (phase === "loading") {
    problem.textContent = "";
    notice.textContent = "";
    state.dataset.state = "loading";
    setState("loading");
    showProgress({ stage: "read", done: 0, total: 0 });
  }
  if (phase === "open") {
    const turnMs = talk.session?.capabilities.turnDurationMs ?? 200;
    timeline.begin(turnMs);
    figures.begin(turnMs);
    log.begin(turnMs);
    setState("listen");
    element("stage", HTMLElement).textContent = "";
    showPresent();
  }
  if (phase === "idle" || phase === "ended") setState(phase);
  showControls();
}

const stateWords = {
  idle: "not started",
  loading: "loading",
  listen: "mini listens",
  speak: "mini speaks",
  ended: "ended",
} as const;

function setState(next: keyof typeof stateWords): void {
  if (state.dataset.state === next && next !== "loading") return;
  state.dataset.state = next;
  element("state-words", HTMLElement).textContent = stateWords[next];
}

const stageWords: Readonly<Record<LoadProgress["stage"], string>> = {
  read: "Loading the model",
  check: "Checking its files",
  build: "Building its graph",
  start: "Starting it on this device",
};

function showProgress({ stage, done, total }: LoadProgress): void {
  const words = element("stage", HTMLElement);
  if (words.textContent !== stageWords[stage]) words.textContent = stageWords[stage];
  const known = total > 0 && stage !== "start";
  if (known) progress.value = done / total;
  else progress.removeAttribute("value");
  const amount = stage === "read" && known ? `${megabytes(done)} of ${megabytes(total)} MB` : "";
  element("amount", HTMLElement).textContent = amount;
}

function megabytes(bytes: number): string {
  return (bytes / 1e6).toFixed(1);
}

function showDeviceInUse(choice: DeviceChoice, change?: DeviceChange): void {
  showDevice(element("device", HTMLElement), choice);
  if (change !== undefined) {
    notice.textContent = `The device was lost (${change.reason}). After ${Math.round(change.gapMs)} ms it went on: ${choice.description}.`;
  } else if (!choice.calibration.keepsUp) {
    notice.textContent =
      "This device is slower than real time at the moment: mini will skip parts of what it says. Close what else runs, or use a faster one.";
  }
}

function takeTurn(turn: TurnRecord): void {
  timeline.push(turn);
  figures.push(turn);
  setState(turn.output.decision);
  for (const { delivery, words } of turn.output.unsaid ?? []) {
    if (delivery === undefined)
      log.add("note", `mini cannot hear this, only Latin letters and digits: ${words}`, turn.index);
  }
  if (turn.index % Math.round(1000 / figures.turnMs) === 0) showFigures();
}

function showFigures(): void {
  const { times, late, turns, turnMs } = figures;
  if (times.length === 0) return;
  const ms = (share: number) => `${percentile(times, share).toFixed(0)} ms`;
  element("figures", HTMLElement).textContent = `${ms(0.5)} median, ${ms(0.99)} at worst, of ${turnMs} ms`;
  element("late", HTMLElement).textContent = `${late} of ${turns}`;
}

function showControls(): void {
  const open = talk.phase === "open";
  const { microphone, camera: seen } = talk;
  mute.disabled = !open;
  mute.textContent =
    microphone === undefined ? (open ? "Turn microphone on" : "Mute") : microphone.muted ? "Unmute" : "Mute";
  mute.dataset.on = String(microphone !== undefined && !microphone.muted);
  camera.disabled = !open || !talk.sees;
  camera.textContent = seen === undefined ? "Share camera" : "Stop camera";
  camera.dataset.on = String(seen !== undefined);
  save.disabled = talk.session === undefined || talk.phase === "loading";
  input.disabled = send.disabled = !open || !talk.readsText;
  element("type-note", HTMLElement).textContent =
    open && !talk.readsText ? "This model hears only what is spoken: it does not read text." : "";
  element("microphone", HTMLElement).textContent = microphoneWords();
  const stream = seen?.stream ?? null;
  if (preview.srcObject !== stream) preview.srcObject = stream;
  preview.hidden = stream === null;
}

function microphoneWords(): string {
  const { microphone, phase } = talk;
  if (phase !== "open") return "off";
  if (microphone === undefined) return "off: mini hears silence, typing works";
  if (microphone.muted) return "muted: mini hears silence";
  const words = {
    live: "on",
    held: "held by the system: mini hears silence",
    lost: "unplugged: mini hears silence",
    suspended: "waits for the page's sound to start: press a key; typing works",
    interrupted: "interrupted by a call",
    closed: "off",
  };
  return words[microphone.state];
}

/** Errors of ours name what to do; the code is what to search for. */
function textOf(error: unknown): string {
  if (DuplexError.is(error)) return `${error.message} (${error.code})`;
  return error instanceof Error ? error.message : String(error);
}

// --- drawing ---

/** Thirty times a second is as smooth as a slow time line needs. */
const pictureMs = 33;

/** By a timer: a frame of the page costs it a layout, and nothing of this is drawn by the page. */
function showPresent(): void {
  const { session, microphone } = talk;
  if (session === undefined || session.closed) return;
  setTimeout(showPresent, pictureMs);
  // Root mean square to peak, for speech.
  timeline.show(session.timeMs, Math.min(1, 2.5 * (microphone?.level ?? 0)));
}

showPhase("idle");
navigator.serviceWorker?.register("/service-worker.js").catch(() => {});
// Starts the browser's sound without a question, and without anybody waiting: the first AudioContext of a browser blocks the page until that is done.
navigator.mediaDevices?.enumerateDevices().catch(() => {});
