// What a run has shown, held against what must be true whatever goes wrong: nothing lost, nothing irreversible done twice, and the
// conversation went on. It looks at the logs of the jobs, at what the sessions told, and at the file of executions.

import type { BackgroundActivity, TextInput } from "@microturn/core";
import type { Job, JobEvent, Undelivered } from "@microturn/tools";
import { type CallPlan, type DelegationPlan, type FaultPlan, irreversibleTools } from "./fault-plan.js";
import type { Execution } from "./fault-tools.js";

/** What went wrong in a run that must not. */
export interface Problem {
  /** A call, a delegation or words are missing or doubled; done twice; done unasked; micro-turns stopped; anything else. */
  readonly type: "lost" | "twice" | "unapproved" | "stopped" | "other";
  readonly text: string;
}

/** A text that entered a session. */
export interface Entered {
  readonly session: number;
  readonly turn: number;
  readonly input: TextInput;
}

/** Everything that was seen of a run. */
export interface RunRecord {
  readonly plan: FaultPlan;
  /** Delegations that sessions have told, by id; several times if told several times. */
  readonly asked: string[];
  /** Whether the session that asked was there until the end. */
  readonly askedLast: Set<string>;
  readonly jobs: Job[];
  /** By id of the job. */
  readonly logs: Map<string, JobEvent[]>;
  readonly told: BackgroundActivity[];
  readonly entered: Entered[];
  readonly undelivered: Undelivered[];
  executions: readonly Execution[];
  readonly problems: Problem[];
}

/** What is said of work that failed. */
export const failureWords = "It failed.";
/** What progress begins with. */
const progressWords = "So far";
/** No event of a log is longer, as JSON. */
const longestEvent = 100_000;

/** The id of a delegation, by whichever name a session knows it. */
export function idOf(delegation: string | undefined): string {
  return delegation?.split("/").at(-1) ?? "";
}

/** Texts for a delegation that entered, each once, and those that are accounted for with a reason. */
function textsOf(record: RunRecord, id: string) {
  const seen = new Set<string>();
  const entered = record.entered
    .filter(({ session, input: { delegation, delivery } }) => {
      const place = `${session} ${delivery}`;
      if (idOf(delegation) !== id || seen.has(place)) return false;
      seen.add(place);
      return true;
    })
    .map(({ input }) => input.text)
    .filter((text) => !text.startsWith(progressWords));
  const undelivered = record.undelivered.filter(({ delegation }) => idOf(delegation) === id).map(({ text }) => text);
  return { entered, undelivered, all: [...entered, ...undelivered] };
}

function toldOf<Type extends BackgroundActivity["type"]>(record: RunRecord, id: string, type: Type) {
  return record.told.filter(
    (activity): activity is Extract<BackgroundActivity, { type: Type }> =>
      activity.type === type && idOf(activity.delegation) === id,
  );
}

/** Whether nothing of a delegation is open any more, as far as a session can tell. */
export function isAccounted(record: RunRecord, { id, direct }: DelegationPlan): boolean {
  const end = toldOf(record, id, "background-end").at(-1);
  if (end === undefined) return false;
  const { all } = textsOf(record, id);
  const isGivenUp = end.outcome === "cancelled" || end.outcome === "superseded";
  if (direct !== undefined) return all.length > 0 || isGivenUp;
  const said = toldOf(record, id, "background-delta").length;
  return all.length >= said + (end.outcome === "failed" && !mayBeEnded(record.plan, id) ? 1 : 0);
}

/** Whether a delegation may be given up by plan. */
function mayBeEnded({ delegations, overlap }: FaultPlan, id: string): boolean {
  return overlap === "replace" || delegations.some((one) => one.id === id && one.cancelAfter !== undefined);
}

/** Adds the problems of a run that is over. */
export function judge(record: RunRecord): void {
  const { plan } = record;
  for (const delegation of [...plan.delegations, plan.last]) judgeDelegation(record, delegation);
  judgeExecutions(record);
  for (const log of record.logs.values()) {
    const longest = Math.max(...log.map((event) => JSON.stringify(event).length));
    if (longest > longestEvent) problem(record, "other", `an event of ${longest} characters is in a log`);
  }
}

function judgeDelegation(record: RunRecord, delegation: DelegationPlan): void {
  const { id } = delegation;
  const lost = (text: string) => {
    problem(record, "lost", `${id}: ${text}`);
  };
  const asked = record.asked.filter((one) => one === id).length;
  const jobs = record.jobs.filter((job) => job.delegation.id === id);
  const ends = toldOf(record, id, "background-end");
  if (asked !== 1) lost(`was handed over ${asked} times`);
  if (ends.length !== 1) lost(`${ends.length} ends were told`);
  // Work that was given up before it was submitted has no job.
  const end = ends[0]?.outcome;
  if (jobs.length === 0 && (end === "cancelled" || end === "superseded")) return;
  if (jobs.length !== 1) lost(`has ${jobs.length} jobs`);
  const log = record.logs.get(jobs[0]?.id ?? "") ?? [];
  if (log.at(-1)?.type !== "end" || log.filter(({ type }) => type === "end").length !== 1) {
    lost("its log has no end, or several");
  }
  judgeCalls(record, delegation, log);
  if (delegation.direct === undefined) judgeWords(record, delegation, log);
  else judgeAnswer(record, id);
}

/** Each call has exactly one result, in the log and as told. */
function judgeCalls(record: RunRecord, { id, steps, direct }: DelegationPlan, log: readonly JobEvent[]): void {
  const results = new Map<string, number>();
  const begun = new Set<string>();
  for (const event of log) {
    if (event.type === "call") begun.add(event.call);
    if (event.type === "result") results.set(event.call, (results.get(event.call) ?? 0) + 1);
  }
  for (const call of begun) if (!results.has(call)) problem(record, "lost", `${id}: ${call} began and has no result`);
  for (const [call, count] of results) {
    if (count > 1) problem(record, "lost", `${id}: ${call} has ${count} results`);
  }
  const told = toldOf(record, id, "tool-result").map(({ call }) => call);
  if (told.length !== results.size || new Set(told).size !== results.size) {
    problem(record, "lost", `${id}: ${results.size} calls have a result, told were ${told.length}`);
  }
  if (!isDone(log) || !canSucceed(steps)) return;
  const planned = direct === undefined ? steps.flatMap(({ calls }) => calls).length : 1;
  if (results.size !== planned) problem(record, "lost", `${id}: ${planned} calls asked for, ${results.size} results`);
}

/** Every word of the model is in the log once, and every sentence entered once or is accounted for once. */
function judgeWords(record: RunRecord, { id, steps }: DelegationPlan, log: readonly JobEvent[]): void {
  const logged = bare(log.map((event) => (event.type === "delta" ? event.text : "")));
  const told = toldOf(record, id, "background-delta").map(({ text }) => text);
  if (isDone(log) && canSucceed(steps) && logged !== bare(steps.map(({ text }) => text))) {
    problem(record, "lost", `${id}: the words of its log are not those of its model`);
  }
  if (bare(told) !== logged) problem(record, "lost", `${id}: what was told is not what is in its log`);
  const { all } = textsOf(record, id);
  const failures = all.filter((text) => text === failureWords).length;
  const sentences = all.filter((text) => text !== failureWords);
  const expected = [...told].sort().join("\n");
  if ([...sentences].sort().join("\n") !== expected) {
    problem(record, "lost", `${id}: ${told.length} sentences were told, ${sentences.length} entered or have a reason`);
  }
  const failed = log.at(-1)?.type === "end" && (log.at(-1) as { outcome?: string }).outcome === "failed";
  const due = failed ? 1 : 0;
  if (failures > due || (failures < due && !mayBeEnded(record.plan, id))) {
    problem(record, "lost", `${id}: its failure was told ${failures} times`);
  }
}

/** Whoever called a function has exactly one result, as long as he is there. */
function judgeAnswer(record: RunRecord, id: string): void {
  const { entered, undelivered } = textsOf(record, id);
  // mini calls no functions: it says what it is told, and waits for nothing that is too old to be said.
  const waits = record.askedLast.has(id) && record.plan.kind !== "mini";
  if (waits ? entered.length !== 1 : entered.length > 1) {
    problem(record, "lost", `${id}: the caller has ${entered.length} answers`);
  }
  if (entered.length + undelivered.length === 0 && !mayBeEnded(record.plan, id)) {
    problem(record, "lost", `${id}: its answer did not enter, and no reason was given`);
  }
}

function judgeExecutions(record: RunRecord): void {
  const { plan } = record;
  const plans = [...plan.delegations, plan.last].flatMap(({ direct, steps }) => [
    ...(direct === undefined ? [] : [direct]),
    ...steps.flatMap(({ calls }) => calls),
  ]);
  const planOf = new Map<string, CallPlan>(plans.map((call) => [call.subject, call]));
  const times = new Map<string, number>();
  for (const { delegation, tool, subject } of record.executions) {
    const place = `${delegation} ${tool} ${subject}`;
    times.set(place, (times.get(place) ?? 0) + 1);
    const approval = planOf.get(subject)?.approval;
    if (approval !== "yes" && approval !== "late") {
      problem(record, "unapproved", `${place} ran, and it was answered "${approval}"`);
    }
  }
  for (const [place, count] of times) if (count > 1) problem(record, "twice", `${place} ran ${count} times`);
  // What is told of a call is what happened.
  for (const job of record.jobs) {
    const outcomes = new Map<string, Set<string>>();
    const places = new Map<string, string>();
    for (const event of record.logs.get(job.id) ?? []) {
      if (event.type === "call" && irreversibleTools.includes(event.name as never)) {
        const { subject } = event.arguments as { readonly subject: string };
        places.set(event.call, `${job.delegation.id} ${event.name} ${subject}`);
      }
      if (event.type !== "result") continue;
      const place = places.get(event.call);
      if (place !== undefined) outcomes.set(place, (outcomes.get(place) ?? new Set()).add(event.outcome));
    }
    for (const [place, all] of outcomes) {
      const ran = times.get(place) ?? 0;
      // A payment may have joined the same one of other work.
      const [, tool, subject] = place.split(" ");
      const joined = record.executions.some((one) => one.tool === "pay" && tool === "pay" && one.subject === subject);
      if (all.has("done") && ran === 0 && !joined) problem(record, "other", `${place} is done, and never ran`);
      const isNot = [...all].every((outcome) => outcome === "rejected" || outcome === "cancelled");
      if (isNot && ran > 0) problem(record, "other", `${place} ran, and is ${[...all].join(" and ")}`);
    }
  }
}

function isDone(log: readonly JobEvent[]): boolean {
  const end = log.at(-1);
  return end?.type === "end" && end.outcome === "done";
}

/** Three tries in a row that fail end a step, or leave what was said of it. */
function canSucceed(steps: DelegationPlan["steps"]): boolean {
  return steps.every(({ faults }) => faults.length < 3);
}

function bare(texts: readonly string[]): string {
  return texts.join("").replace(/\s+/g, "");
}

function problem(record: RunRecord, type: Problem["type"], text: string): void {
  record.problems.push({ type, text });
}
