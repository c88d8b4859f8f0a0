// The session as a pure function: (state, input) -> (state, effects). No clock, no engine, no PCM of its own.
// Numbered rules: docs/session-rules.md.

import type { BackgroundActivity } from "../background.js";
import type { PlaybackPosition, TurnOutput } from "../engine.js";
import { DuplexError } from "../errors.js";
import { addUnheard, heardConversation, type Stretch, say, unheardBefore, unheardWords } from "./conversation.js";
import { deliveryText, type PendingDelivery, planDeliveries } from "./delivery.js";
import type { FlushEvent, SessionEvent } from "./events.js";
import { acceptAudio, dueMs, readyTurns, releaseMs, scheduledMs } from "./schedule.js";
import type { Reduction, RunningStep, SessionEffect, SessionInput, SessionState, StepPlan } from "./session-state.js";
import type { TurnRecord } from "./turn.js";
import { followVoice, silentVoice, understandVoice } from "./user-voice.js";

/** Micro-turns without a word of either side after which it is quiet. */
const quietTurns = 3;
/** What is given up so soon after it entered, in micro-turns, is said once it is quiet again. */
const retryTurns = 4;
/** Activities of the background that one record keeps; the first ones. All are events. */
const maxTold = 1024;

/** What one input does to a session. */
export function reduce(state: SessionState, input: SessionInput): Reduction {
  if (state.phase === "ended") return { state, effects: [] };
  switch (input.type) {
    case "audio":
      return advance(acceptAudio(withLevels(state, input.levels), input.samples, input.nowMs), input.nowMs);
    case "image":
      return only({ ...state, images: [...state.images, input.image].slice(-state.rules.maxImages) });
    case "text":
      return only({ ...state, text: [...state.text, { source: "user", text: input.text }] });
    case "deliver": {
      const { turnSamples, turnDurationMs } = state.rules;
      const delivery = {
        id: input.id,
        text: input.text,
        policy: input.policy,
        ...(input.delegation === undefined ? {} : { delegation: input.delegation }),
        // In the tail, time goes on without input.
        sinceMs: Math.max(state.received / turnSamples, state.next) * turnDurationMs,
      };
      return only({ ...state, deliveries: [...state.deliveries, delivery] });
    }
    case "withdraw":
      return withdraw(state, input.id);
    case "background":
      return tell(state, input.activity);
    case "played":
      return only(hear(state, input.position, input.fence));
    case "interrupt":
      return interrupt(state);
    case "finish":
      return advance(finish(withLevels(state, input.levels), input.tailTurns, input.nowMs), input.nowMs);
    case "hold":
      return only({ ...state, holds: state.holds + 1 });
    case "release":
      return advance({ ...state, holds: Math.max(0, state.holds - 1) }, input.nowMs);
    case "tick":
      return advance(state, input.nowMs);
    case "step-done":
      return stepDone(state, input.output, input.audio, input.nowMs);
    case "fail":
      return end(state, "error", [], input.error);
    case "rewind":
      return rewind(state, input.turn, input.conversation);
    case "close":
      return end(state, "closed");
  }
}

function only(state: SessionState): Reduction {
  return { state, effects: [] };
}

// --- starting steps ---

/** Starts a step if one may start now; else asks to be woken when it may. */
function advance(state: SessionState, nowMs: number, effects: readonly SessionEffect[] = []): Reduction {
  if (state.running !== undefined) return watch(state, state.running, nowMs, effects);
  if (state.holds > 0) return { state, effects };
  const waiting = state.complete - state.next;
  if (waiting === 0) return state.phase === "finishing" ? end(state, "finished", effects) : { state, effects };
  const ready = readyTurns(state, nowMs);
  if (ready === 0) return { state, effects: [...effects, { type: "wake", atMs: releaseMs(state, state.next) }] };
  return startStep(state, ready, nowMs, effects);
}

/** Under `strict`, a running step is watched, so that an engine that hangs is noticed too. */
function watch(
  state: SessionState,
  running: RunningStep,
  nowMs: number,
  effects: readonly SessionEffect[] = [],
): Reduction {
  if (state.rules.deadline !== "strict" || running.firstDueMs === Number.POSITIVE_INFINITY) return { state, effects };
  if (nowMs < running.firstDueMs) return { state, effects: [...effects, { type: "wake", atMs: running.firstDueMs }] };
  return end(state, "error", effects, lateError(state, running, nowMs));
}

function startStep(state: SessionState, ready: number, nowMs: number, effects: readonly SessionEffect[]): Reduction {
  const { rules, next } = state;
  const behind = nowMs >= dueMs(state, next);
  const imagesIn = (turns: number) =>
    state.images.filter((image) => image.timeMs < (next + turns) * rules.turnDurationMs);
  const shed = behind && rules.deadline === "shed-video" && imagesIn(ready).length > 0;
  const merge = behind && !shed && rules.deadline !== "strict";
  const turns = merge ? ready : 1;

  const taken = imagesIn(shed ? ready : turns);
  const startMs = (next + turns - 1) * rules.turnDurationMs;
  const voice = hearLevels(state, turns);
  const speaks = voice.lastTurn >= next;
  const deliveries = planDeliveries(state.deliveries, startMs, {
    // What a merged step brings has not been understood yet: only the micro-turns before it can have been quiet.
    quiet: !speaks && next - Math.max(state.lastVoice, voice.lastTurn) > quietTurns,
    answering: speaks ? undefined : state.answer?.delegation,
    saysText: rules.saysText,
  });
  const plan: StepPlan = {
    index: next + turns - 1,
    turns,
    fromSample: next * rules.turnSamples,
    images: shed ? [] : taken,
    droppedImages: shed ? taken.length : 0,
    text: [...state.text, ...deliveries.entering.map(deliveryText)],
    deliveries: deliveries.entering.map((delivery) => delivery.id),
    stale: deliveries.stale.filter(isNew).map(deliveryText),
    forceListen: state.interrupted,
    played: state.played,
  };
  const running: RunningStep = {
    plan,
    fence: state.fence,
    startedMs: nowMs,
    firstDueMs: dueMs(state, next),
    lastDueMs: dueMs(state, plan.index),
  };
  const remaining = state.complete - plan.index - 1;
  const after: SessionState = {
    ...state,
    next: plan.index + 1,
    arrivals: state.arrivals.slice(Math.min(turns, state.arrivals.length - Math.min(1, remaining))),
    running,
    images: state.images.filter((image) => !taken.includes(image)),
    text: [],
    deliveries: deliveries.waiting,
    entered: [
      ...state.entered.filter(({ turn }) => turn > plan.index - retryTurns),
      ...deliveries.entering.map((delivery) => ({ delivery, turn: plan.index })),
    ],
    answer: answerAfter(state, deliveries.entering, plan.index),
    levels: state.levels.slice(turns),
    voice,
    interrupted: false,
  };
  const started: SessionEffect[] = [
    ...effects,
    ...deliveries.stale.filter(isNew).map((delivery) =>
      emit({
        type: "delivery",
        turnIndex: plan.index,
        timeMs: startMs,
        id: delivery.id,
        outcome: { kind: "dropped", reason: "stale" },
      }),
    ),
    emit({ type: "turn-start", turnIndex: plan.index, timeMs: next * rules.turnDurationMs, turns }),
    { type: "step", plan },
  ];
  return watch(after, running, nowMs, started);
}

// --- ending steps ---

function stepDone(state: SessionState, output: TurnOutput, audio: Float32Array, nowMs: number): Reduction {
  const { running, rules } = state;
  if (running === undefined) return only(state);
  const { plan } = running;
  const at = { turnIndex: plan.index, timeMs: (plan.index + 1) * rules.turnDurationMs };
  const effects: SessionEffect[] = [];

  // Rule 5: a reply that was given up takes its queued sound with it. A forced listen has flushed already, and so has an
  // interruption while this step ran: its sound is stale, and a lower fence says so.
  const yielded = output.yielded === true && !plan.forceListen;
  const interrupted = state.fence > running.fence;
  const yields = yielded && !interrupted;
  const fence = yields ? state.fence + 1 : running.fence;
  const records = turnRecords(state, running, output, audio, nowMs, { fence, yielded });
  const late = nowMs > running.firstDueMs;

  if (late || plan.droppedImages > 0) {
    effects.push(
      emit({
        type: "turn-late",
        ...at,
        lateMs: Math.max(0, nowMs - running.firstDueMs),
        skippedTurns: plan.turns - 1,
        droppedImages: plan.droppedImages,
        queuedTurns: state.complete - state.next,
      }),
    );
  }
  for (const id of enteringFirst(state, plan)) {
    effects.push(emit({ type: "delivery", ...at, id, outcome: { kind: "entered", turnIndex: plan.index } }));
  }
  if (output.heard !== "") effects.push(emit({ type: "heard-delta", ...at, text: output.heard }));
  const flushed = yields ? flush(state, at, "yield") : { state, event: undefined };
  if (flushed.event !== undefined) effects.push(emit({ type: "yield", ...at, fence }), emit(flushed.event));
  if (output.text !== "") effects.push(emit({ type: "text-delta", ...at, text: output.text, fence }));
  const { speech } = output;
  const silent = isSilent(speech);
  effects.push(emit({ type: "speech", ...at, pcm: speech, sampleRate: rules.outputSampleRate, silent, fence }));

  const said: SessionState = { ...flushed.state, conversation: converse(state.conversation, plan, output) };
  const { delegation } = records[records.length - 1].output;
  if (delegation !== undefined) {
    effects.push(emit({ type: "delegation", ...at, ...delegation, conversation: heardConversation(said) }));
  }
  for (const id of output.cancelled ?? []) effects.push(emit({ type: "delegation-cancel", ...at, id }));
  for (const turn of records) {
    effects.push(
      emit({ type: "turn-end", turnIndex: turn.index, timeMs: (turn.index + 1) * rules.turnDurationMs, turn }),
    );
  }

  const again = plan.forceListen ? [] : begunTogether(state, output);
  const speaking = output.decision === "speak" && !yielded;
  const understood = output.heard !== "";
  const after: SessionState = {
    ...said,
    running: undefined,
    deliveries: [...again.map((one) => toEnterAgain(one, plan.index)), ...state.deliveries],
    entered: plan.forceListen ? [] : state.entered.filter((one) => !again.includes(one)),
    answer: disturbed(state, plan, { speaking, yielded, understood }) ? undefined : state.answer,
    told: state.told.filter(({ turn }) => turn > plan.index),
    voice: understood ? understandVoice(state.voice, plan.index) : state.voice,
    lastVoice: speaking || understood || saysWhatEntered(state, plan) ? plan.index : state.lastVoice,
    speaking,
  };
  if (late && rules.deadline === "strict") return end(after, "error", effects, lateError(state, running, nowMs));
  // What listeners do now, such as delivering a result, may still enter the next micro-turn.
  return { state: after, effects: [...effects, { type: "proceed" }] };
}

type Entered = SessionState["entered"][number];

function isNew({ again }: PendingDelivery): boolean {
  return again === undefined;
}

/** Results that enter with a step and never did before, by id. */
function enteringFirst({ entered }: SessionState, plan: StepPlan): number[] {
  const seen = entered.filter(({ delivery }) => !isNew(delivery)).map(({ delivery }) => delivery.id);
  return plan.deliveries.filter((id) => !seen.includes(id));
}

/**
 * Results that waited for quiet, entered lately for the first time, and were given up by the model itself: the user had begun
 * as well. What cannot be said at all is given up without a yield.
 */
function begunTogether({ entered }: SessionState, { unsaid = [], yielded }: TurnOutput): readonly Entered[] {
  if (yielded !== true) return [];
  const given = unsaid.map(({ delivery }) => delivery);
  const waited = ({ policy }: PendingDelivery) => policy === "when-quiet" || typeof policy === "object";
  return entered.filter(({ delivery }) => given.includes(delivery.id) && waited(delivery) && isNew(delivery));
}

function toEnterAgain({ delivery, turn }: Entered, givenUp: number): PendingDelivery {
  return { ...delivery, again: { entered: turn, givenUp } };
}

/** Whether something has entered that will be heard, though perhaps not yet in this micro-turn. */
function saysWhatEntered({ rules }: SessionState, { text }: StepPlan): boolean {
  return rules.saysText && text.some(({ source, silent }) => source === "background" && silent !== true);
}

/** The answer that the assistant is giving once these have entered. */
function answerAfter(
  { answer }: SessionState,
  entering: readonly PendingDelivery[],
  turn: number,
): SessionState["answer"] {
  const delegation = entering.findLast((delivery) => delivery.policy !== "silent")?.delegation;
  return delegation === undefined ? answer : { delegation, since: turn };
}

/** Whether somebody has spoken besides the answer that the assistant is giving: the user, or the model with words of its own. */
function disturbed(
  { answer, speaking: spoke }: SessionState,
  plan: StepPlan,
  { speaking, yielded, understood }: { speaking: boolean; yielded: boolean; understood: boolean },
): boolean {
  if (yielded || understood || plan.forceListen) return true;
  // What entered is said from that micro-turn on, or from the next: who begins later has something else to say.
  return speaking && !spoke && answer !== undefined && plan.index > answer.since + 1;
}

/** One record per micro-turn of the step (rule 2). */
function turnRecords(
  state: SessionState,
  { plan, fence: fenceBefore, startedMs, firstDueMs, lastDueMs }: RunningStep,
  output: TurnOutput,
  audio: Float32Array,
  nowMs: number,
  { fence, yielded }: { fence: number; yielded: boolean },
): TurnRecord[] {
  const { turnSamples, turnDurationMs, budgetMs, outputTurnSamples } = state.rules;
  const first = plan.index - plan.turns + 1;
  const { encodeMs, waitMs, runMs, decodeMs } = output.timing;
  const stepMs = nowMs - startedMs;
  const sessionMs = Math.max(0, stepMs - encodeMs - waitMs - runMs - decodeMs);
  return Array.from({ length: plan.turns }, (_, i): TurnRecord => {
    const index = first + i;
    const last = index === plan.index;
    const startMs = index * turnDurationMs;
    const due = last ? lastDueMs : firstDueMs;
    const slackMs = due === Number.POSITIVE_INFINITY ? budgetMs - stepMs : due - nowMs;
    const late = due !== Number.POSITIVE_INFINITY && slackMs < 0;
    const timing = { encodeMs, waitMs, runMs, decodeMs, sessionMs, stepMs, stepTurns: plan.turns, slackMs, late };
    const input = {
      audio: plan.turns === 1 ? audio : audio.subarray(i * turnSamples, (i + 1) * turnSamples),
      paddedSamples: Math.min(turnSamples, Math.max(0, (index + 1) * turnSamples - state.received)),
      images: plan.images.filter(
        (image) => image.timeMs < startMs + turnDurationMs && (i === 0 || image.timeMs >= startMs),
      ),
      text: last ? plan.text : [],
      deliveries: last ? plan.deliveries : [],
      ...(last && plan.stale.length > 0 ? { stale: plan.stale } : {}),
      forceListen: !last || plan.forceListen,
      ...(plan.played === undefined ? {} : { played: plan.played }),
    };
    const told = state.told.filter(({ turn }) => turn === index).map(({ activity }) => activity);
    const background = told.length === 0 ? {} : { background: told };
    if (!last) {
      const silence = new Float32Array(outputTurnSamples);
      const skipped = {
        decision: "listen" as const,
        speech: silence,
        text: "",
        heard: "",
        yielded: false,
        skipped: true,
      };
      return { index, startMs, input, timing, ...background, output: { ...skipped, fence: fenceBefore } };
    }
    const { decision, speech, text, heard, delegation, cancelled, unsaid, inside } = output;
    const made = {
      ...{ decision, speech, text, heard, yielded, fence, skipped: false },
      ...(delegation === undefined ? {} : { delegation: { id: `delegation-${index}`, ...delegation } }),
      ...(cancelled === undefined || cancelled.length === 0 ? {} : { cancelled }),
      ...(unsaid === undefined ? {} : { unsaid }),
    };
    const record = { index, startMs, input, timing, ...background, output: made };
    return inside === undefined ? record : { ...record, inside };
  });
}

function converse(before: readonly Stretch[], plan: StepPlan, output: TurnOutput): readonly Stretch[] {
  let entries = before;
  for (const { source, text } of plan.text) entries = say(entries, source, text, plan.index);
  entries = say(entries, "user", output.heard, plan.index);
  return say(entries, "assistant", output.text, plan.index);
}

// --- the background (rule 6) ---

/** Takes back a result that waits, also to enter again. One that has entered stays, and does not enter again. */
function withdraw(state: SessionState, id: number): Reduction {
  const delivery = state.deliveries.find((one) => one.id === id);
  if (delivery === undefined) {
    const entered = state.entered.filter((one) => one.delivery.id !== id || !isNew(one.delivery));
    return only({ ...state, entered });
  }
  const at = { turnIndex: state.next, timeMs: state.next * state.rules.turnDurationMs };
  const outcome = { kind: "dropped", reason: "withdrawn" } as const;
  return {
    state: { ...state, deliveries: state.deliveries.filter((one) => one !== delivery) },
    // Whoever handed over what waits to enter again was told that it had entered.
    effects: isNew(delivery) ? [emit({ type: "delivery", ...at, id, outcome })] : [],
  };
}

/** What the background did is told at once, and is part of the record of the micro-turn that is next, or under way. */
function tell(state: SessionState, activity: BackgroundActivity): Reduction {
  const { running, next, told } = state;
  const { turnSamples, turnDurationMs } = state.rules;
  const turnIndex = running?.plan.index ?? next;
  const timeMs = Math.max(state.received / turnSamples, next) * turnDurationMs;
  return {
    state: told.length < maxTold ? { ...state, told: [...told, { activity, turn: turnIndex }] } : state,
    effects: [emit({ ...activity, turnIndex, timeMs })],
  };
}

function withLevels(state: SessionState, levels: readonly number[] = []): SessionState {
  return levels.length === 0 ? state : { ...state, levels: [...state.levels, ...levels] };
}

/** Follows the user's sound through the micro-turns of the next step. */
function hearLevels({ voice, levels, next, rules }: SessionState, turns: number): SessionState["voice"] {
  let heard = voice;
  for (let i = 0; i < turns; i++) heard = followVoice(heard, levels[i] ?? 0, next + i, rules.understands);
  return heard;
}

// --- what was heard (rule 4) ---

/** A player tells how far the sound was heard. What was flushed meanwhile, or is known to be further, stays as it is. */
function hear(state: SessionState, { turnIndex, samples }: PlaybackPosition, fence: number): SessionState {
  const { played } = state;
  const falls =
    played !== undefined &&
    (turnIndex < played.turnIndex || (turnIndex === played.turnIndex && samples <= played.samples));
  return fence !== state.fence || falls ? state : { ...state, played: { turnIndex, samples } };
}

/** Raises the fence: the sound of the micro-turns before that of the event is dropped where it stopped being heard. */
function flush(
  state: SessionState,
  at: { readonly turnIndex: number; readonly timeMs: number },
  reason: FlushEvent["reason"],
): { readonly state: SessionState; readonly event: FlushEvent } {
  const fence = state.fence + 1;
  const { played } = state;
  if (played === undefined || played.turnIndex >= at.turnIndex) {
    return { state: { ...state, fence }, event: { type: "flush", ...at, fence, reason, unheard: "" } };
  }
  const sound = { from: played, until: at.turnIndex };
  return {
    state: { ...state, fence, unheard: addUnheard(state.unheard, sound) },
    event: { type: "flush", ...at, fence, reason, unheard: unheardWords(state, sound) },
  };
}

// --- the rest ---

function interrupt(state: SessionState): Reduction {
  const at = { turnIndex: state.next, timeMs: state.next * state.rules.turnDurationMs };
  const flushed = flush(state, at, "interrupt");
  return { state: { ...flushed.state, interrupted: true }, effects: [emit(flushed.event)] };
}

function finish(state: SessionState, tailTurns: number, nowMs: number): SessionState {
  if (state.phase !== "open") return state;
  const { turnSamples, turnDurationMs } = state.rules;
  const complete = Math.ceil(state.received / turnSamples) + tailTurns;
  const arrivals = complete > state.complete ? [...state.arrivals, nowMs] : state.arrivals;
  // The tail is made now. After a pause (push-to-talk) it is not late, and nothing to catch up with.
  const behind = scheduledMs(state, state.complete) < nowMs;
  const anchor = behind ? { turn: state.complete, atMs: nowMs + turnDurationMs } : state.anchor;
  return { ...state, phase: "finishing", complete, arrivals, anchor };
}

/** Goes back to the border before micro-turn `turn`. The shell has restored the engine and holds the session. */
function rewind(state: SessionState, turn: number, conversation: readonly Stretch[]): Reduction {
  const { turnSamples, turnDurationMs } = state.rules;
  const at = { turnIndex: turn, timeMs: turn * turnDurationMs };
  const before: SessionState = {
    ...state,
    received: turn * turnSamples,
    complete: turn,
    next: turn,
    arrivals: [],
    anchor: undefined,
    lastAudioMs: Number.NEGATIVE_INFINITY,
    images: [],
    text: [],
    deliveries: state.deliveries
      // The engine is back where it still said this, or had not been told.
      .filter(({ again }) => again === undefined || again.givenUp < turn)
      .map((delivery) => ({ ...delivery, sinceMs: Math.min(delivery.sinceMs, at.timeMs) })),
    entered: state.entered.filter((one) => one.turn < turn),
    answer: undefined,
    told: state.told.map((one) => ({ ...one, turn: Math.min(one.turn, turn) })),
    levels: [],
    voice: silentVoice(turn),
    interrupted: false,
    lastVoice: Math.min(state.lastVoice, turn - 1),
    speaking: false,
    played: playedBefore(state, turn),
    unheard: unheardBefore(state.unheard, turn),
    conversation,
  };
  const flushed = flush(before, at, "rewind");
  return { state: flushed.state, effects: [emit({ type: "rewind", ...at }), emit(flushed.event)] };
}

/** What was heard of the sound before micro-turn `turn`. */
function playedBefore({ played, rules }: SessionState, turn: number): PlaybackPosition | undefined {
  if (played === undefined || played.turnIndex < turn) return played;
  return turn === 0 ? undefined : { turnIndex: turn - 1, samples: rules.outputTurnSamples };
}

function end(
  state: SessionState,
  reason: "closed" | "finished" | "error",
  effects: readonly SessionEffect[] = [],
  error?: DuplexError,
): Reduction {
  const at = { turnIndex: state.next, timeMs: state.next * state.rules.turnDurationMs };
  const entering = state.running === undefined ? [] : enteringFirst(state, state.running.plan);
  const lost = [...entering, ...state.deliveries.filter(isNew).map((delivery) => delivery.id)];
  return {
    state: {
      ...state,
      phase: "ended",
      running: undefined,
      images: [],
      text: [],
      deliveries: [],
      entered: [],
      told: [],
      levels: [],
      arrivals: [],
    },
    effects: [
      ...effects,
      ...lost.map((id) => emit({ type: "delivery", ...at, id, outcome: { kind: "dropped", reason: "session-end" } })),
      ...(error === undefined ? [] : [emit({ type: "error", ...at, error })]),
      emit({ type: "session-end", ...at, reason }),
      { type: "end", reason, ...(error === undefined ? {} : { error }) },
    ],
  };
}

function lateError(state: SessionState, { plan, firstDueMs, startedMs }: RunningStep, nowMs: number): DuplexError {
  const lateMs = nowMs - firstDueMs;
  return new DuplexError(
    "TURN_LATE",
    `micro-turn ${plan.index}: expected its output within ${state.rules.budgetMs} ms of its last input sample, it is ${lateMs.toFixed(1)} ms later than that and has been running for ${(nowMs - startedMs).toFixed(1)} ms; use a faster backend, or the deadline policy "catch-up"`,
    { details: { turnIndex: plan.index, lateMs, stepMs: nowMs - startedMs, budgetMs: state.rules.budgetMs } },
  );
}

function isSilent(pcm: Float32Array): boolean {
  for (let i = 0; i < pcm.length; i++) if (pcm[i] !== 0) return false;
  return true;
}

function emit(event: SessionEvent): SessionEffect {
  return { type: "emit", event };
}
