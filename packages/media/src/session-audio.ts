// One AudioContext for a session: microphone and loudspeaker run on one clock, so that they cannot drift apart.
// It runs at the device's own rate, as Firefox refuses a microphone of another rate than its context.

import type { DuplexSession } from "@microturn/core";
import { insecureContext, mediaUnavailable } from "./media-devices.js";

/** State of the audio of a page: `suspended` until the user has touched it, `interrupted` by a call on iOS. */
export type AudioState = "running" | "suspended" | "interrupted" | "closed";

/** A share in the audio of a session. */
export interface SessionAudio {
  readonly context: AudioContext;
  /** Gives the share back; the last one closes the context, if it is ours. */
  release(): Promise<void>;
}

interface Shared {
  readonly context: AudioContext;
  readonly ours: boolean;
  readonly stop: () => void;
  users: number;
}

const sharedBySession = new WeakMap<DuplexSession, Shared>();
const modules = new WeakMap<BaseAudioContext, Map<string, Promise<void>>>();

/**
 * Takes a share in the context of a session, made on first use.
 *
 * @param operation - named in messages
 * @param passed - a context of the app's own, used instead and never closed here
 * @throws DuplexError `MEDIA_UNAVAILABLE` in a browser without AudioWorklet
 */
export function shareAudio(operation: string, session: DuplexSession, passed?: AudioContext): SessionAudio {
  let shared = sharedBySession.get(session);
  if (shared === undefined || shared.context.state === "closed" || (passed ?? shared.context) !== shared.context) {
    shared = open(operation, passed);
    sharedBySession.set(session, shared);
  }
  const mine = shared;
  mine.users++;
  let released: Promise<void> | undefined;
  return {
    context: mine.context,
    release() {
      released ??= leave(session, mine);
      return released;
    },
  };
}

function open(operation: string, passed: AudioContext | undefined): Shared {
  checkPage(operation);
  if (passed !== undefined) {
    checkRate(operation, passed);
    return { context: passed, ours: false, stop: () => {}, users: 0 };
  }
  const context = new AudioContext({ latencyHint: "interactive" });
  try {
    checkRate(operation, context);
  } catch (error) {
    void context.close();
    throw error;
  }
  return { context, ours: true, stop: keepRunning(context), users: 0 };
}

/**
 * A context for a session that is still to be opened, started while the gesture lasts that asks for it.
 *
 * @throws DuplexError `MEDIA_UNAVAILABLE` in a browser without AudioWorklet
 */
export function openAudio(operation: string): SessionAudio {
  const { context, stop } = open(operation, undefined);
  return {
    context,
    async release() {
      stop();
      if (context.state !== "closed") await context.close();
    },
  };
}

/** Browsers run audio worklets in secure pages only. */
function checkPage(operation: string): void {
  if (typeof AudioContext === "function" && "audioWorklet" in AudioContext.prototype) return;
  throw globalThis.isSecureContext === false
    ? insecureContext(operation)
    : mediaUnavailable(
        "unsupported-browser",
        `${operation}: expected a browser with AudioWorklet, got none; call it in a page (not in a worker or on a server) of a browser from 2021 on`,
      );
}

/** What our resampler takes. */
function checkRate(operation: string, { sampleRate }: AudioContext): void {
  if (Number.isInteger(sampleRate) && sampleRate >= 8000 && sampleRate <= 192_000) return;
  throw mediaUnavailable(
    "unsupported-browser",
    `${operation}: expected audio at a whole rate of 8000 to 192000 Hz, got ${sampleRate} Hz; pass an audioContext of 48000 Hz`,
  );
}

async function leave(session: DuplexSession, shared: Shared): Promise<void> {
  shared.users--;
  if (shared.users > 0) return;
  if (sharedBySession.get(session) === shared) sharedBySession.delete(session);
  shared.stop();
  if (shared.ours && shared.context.state !== "closed") await shared.context.close();
}

/** When a browser lets sound begin: the user touches the page, or comes back to it. */
const gestures = ["pointerup", "keydown", "touchend", "visibilitychange"] as const;

/**
 * Starts a context as soon as the browser lets it: at once, at the next touch or key of the user, or when an interruption ends.
 *
 * @returns stops trying
 */
function keepRunning(context: AudioContext): () => void {
  const resume = () => {
    // While a call has the audio, asking would leave iOS with a context that says it runs and does not.
    if (audioState(context) === "suspended") context.resume().catch(() => {});
  };
  const page = globalThis.document;
  for (const gesture of gestures) page?.addEventListener(gesture, resume, { capture: true, passive: true });
  context.addEventListener("statechange", resume);
  resume();
  return () => {
    for (const gesture of gestures) page?.removeEventListener(gesture, resume, { capture: true });
    context.removeEventListener("statechange", resume);
  };
}

/** The state of a context. */
export function audioState(context: BaseAudioContext): AudioState {
  return context.state as AudioState;
}

/**
 * Loads a worklet file into a context, once.
 *
 * @throws DuplexError `MEDIA_UNAVAILABLE` if it cannot be loaded
 */
export function loadWorklet(operation: string, context: BaseAudioContext, url: string | URL): Promise<void> {
  const byUrl = modules.get(context) ?? new Map<string, Promise<void>>();
  modules.set(context, byUrl);
  const href = String(url);
  let loaded = byUrl.get(href);
  if (loaded === undefined) {
    loaded = context.audioWorklet.addModule(href).catch((cause: unknown) => {
      byUrl.delete(href);
      throw mediaUnavailable(
        "worklet-failed",
        `${operation}: ${href} could not be loaded; serve that file of @microturn/media from a place that the page's Content-Security-Policy allows (script-src or worker-src), or name another with workletUrl`,
        cause,
      );
    });
    byUrl.set(href, loaded);
  }
  return loaded;
}
