// When results of the background enter: at once when it is quiet, never while the user speaks, and not at all once they are stale.
// The real model, real speech at random moments, results at random moments between.

import { type DeliveryPolicy, DuplexSession, type TurnRecord } from "@microturn/core";
import { type BenchContext, benchEngine } from "../model.js";
import { type BenchSection, percentiles } from "../report.js";
import { type Random, randomTalk, silentBetween, speaksBetween, type Talk, utterances } from "./simulated-talk.js";

const turnMs = 200;
const turnSamples = 3200;
const durationMs = 14_000;
/** Micro-turns that must have been quiet: rule 6 of docs/session-rules.md. */
const quietTurns = 3;
/** He speaks in a micro-turn if at least this much of his first sound is in it. */
const audibleMs = 20;
const noises = [Number.POSITIVE_INFINITY, 20, 10];
const parallel = 8;

/** What became of one result. */
interface Delivered {
  readonly readyMs: number;
  readonly policy: DeliveryPolicy;
  enteredTurn?: number;
  stale?: boolean;
}

interface Count {
  entered: number;
  /** The user spoke in the micro-turn that it entered. */
  overlapping: number;
  /** Results that were ready when it was quiet, and micro-turns until they entered. */
  readonly waits: number[];
  /** As old as its policy allows, or younger, when it entered; and how many of those that were older did not. */
  staleDropped: number;
  staleEntered: number;
  /** The user began to speak within a second of it, which nobody can know. */
  brokeIn: number;
}

/** Timings of results against a user who talks. */
export async function deliverySection(context: BenchContext): Promise<BenchSection> {
  const timings = context.quick ? 48 : 1000;
  const words = await utterances();
  const engine = benchEngine(context, { maxSessions: parallel });
  await engine.load();
  const counts = new Map<number, Count>();
  let seed = 0;
  let done = 0;
  const worker = async () => {
    while (done < timings) {
      const random = seeded(++seed);
      const noise = noises[seed % noises.length];
      const talk = randomTalk(words, random, durationMs, noise);
      const { results, records } = await play(engine, talk, random);
      const count = counts.get(noise) ?? emptyCount();
      counts.set(noise, count);
      for (const result of results) judge(count, result, talk, records);
      done += results.length;
      context.say(`${Math.min(done, timings)} of ${timings} results`);
    }
  };
  await Promise.all(Array.from({ length: parallel }, worker));
  await engine.close();

  const all = [...counts.values()];
  const sum = (of: (count: Count) => number) => all.reduce((total, count) => total + of(count), 0);
  const waits = percentiles(all.flatMap((count) => count.waits));
  const overlapping = sum((count) => count.overlapping);
  const staleEntered = sum((count) => count.staleEntered);
  return {
    title: `Results of the background at ${done} random moments (${seed} talks of ${durationMs / 1000} s, ${context.modelName})`,
    rows: [
      ...noises.map((noise) => {
        const { entered, overlapping, brokeIn } = counts.get(noise) ?? emptyCount();
        return {
          name: Number.isFinite(noise) ? `noise at ${noise} dB` : "quiet room",
          value: `${entered} entered`,
          note: `${overlapping} while the user spoke; he began within a second of ${brokeIn}`,
        };
      }),
      {
        name: "ready when quiet",
        value: `${waits.count} results`,
        note: `entered after ${waits.p50} micro-turn (p50), ${waits.p99} (p99), ${waits.max} (longest)`,
      },
      { name: "stale", value: `${sum((count) => count.staleDropped)} dropped`, note: `${staleEntered} entered` },
    ],
    goals: [
      {
        name: "ready to entered, when quiet",
        value: `${waits.max} micro-turn`,
        goal: "1 at most",
        held: waits.max <= 1,
      },
      { name: "entered while the user spoke", value: `${overlapping}`, goal: "0", held: overlapping === 0 },
      { name: "stale results that entered", value: `${staleEntered}`, goal: "0", held: staleEntered === 0 },
    ],
    figures: { timings: done, talks: seed, waits, byNoise: Object.fromEntries(counts) },
  };
}

function emptyCount(): Count {
  return { entered: 0, overlapping: 0, waits: [], staleDropped: 0, staleEntered: 0, brokeIn: 0 };
}

/** Plays one talk to a session, with results at random moments. */
async function play(
  engine: Parameters<typeof DuplexSession.open>[0]["engine"],
  talk: Talk,
  random: Random,
): Promise<{ readonly results: readonly Delivered[]; readonly records: readonly TurnRecord[] }> {
  const session = await DuplexSession.open({ engine, pace: "as-fast-as-input" });
  const records: TurnRecord[] = [];
  let arrived = () => {};
  session.on("turn-end", ({ turn }) => {
    records.push(turn);
    arrived();
  });
  const results: Delivered[] = Array.from({ length: 4 }, (_, i) => ({
    readyMs: 1000 + random() * (durationMs - 3000),
    policy: i === 3 ? { dropIfStaleMs: Math.round(3000 * random()) } : "when-quiet",
  }));
  const waiting = [...results].sort((a, b) => a.readyMs - b.readyMs);
  for (let at = 0; at < talk.sound.length; at += turnSamples) {
    // A result comes between two samples, as the microphone goes on.
    let from = at;
    while (waiting.length > 0 && waiting[0].readyMs < ((at + turnSamples) * turnMs) / turnSamples) {
      const [result] = waiting.splice(0, 1);
      const until = Math.max(from, Math.floor((result.readyMs * turnSamples) / turnMs));
      void session.writeAudio(talk.sound.subarray(from, until));
      from = until;
      void session.deliver("It is fourteen degrees.", result.policy).then((outcome) => {
        if (outcome.kind === "entered") result.enteredTurn = outcome.turnIndex;
        else result.stale = outcome.reason === "stale";
      });
    }
    const next = new Promise<void>((resolve) => {
      arrived = resolve;
    });
    void session.writeAudio(talk.sound.subarray(from, at + turnSamples));
    await next;
  }
  await session.close();
  return { results, records };
}

function judge(count: Count, result: Delivered, talk: Talk, records: readonly TurnRecord[]): void {
  const { readyMs, policy, enteredTurn, stale } = result;
  const ageMs = (turn: number) => turn * turnMs - readyMs;
  if (stale === true) count.staleDropped++;
  if (enteredTurn !== undefined) {
    count.entered++;
    const startMs = enteredTurn * turnMs;
    if (speaksBetween(talk, startMs, startMs + turnMs - audibleMs)) count.overlapping++;
    else if (speaksBetween(talk, startMs + turnMs, startMs + turnMs + 1000)) count.brokeIn++;
    if (typeof policy === "object" && ageMs(enteredTurn) > policy.dropIfStaleMs) count.staleEntered++;
  }
  // The first micro-turn that is complete after it was ready: the one in whose middle it came.
  const first = Math.floor(readyMs / turnMs);
  if (isQuiet(talk, records, first)) count.waits.push((enteredTurn ?? Number.POSITIVE_INFINITY) - first + 1);
}

/** Whether nobody spoke in micro-turn `turn` and the three before it, as everybody can know by then. */
function isQuiet(talk: Talk, records: readonly TurnRecord[], turn: number): boolean {
  const since = turn - quietTurns;
  if (!silentBetween(talk, since * turnMs, (turn + 1) * turnMs)) return false;
  return records
    .slice(Math.max(0, since), turn)
    .every(({ input, output }) => input.text.length === 0 && output.heard === "" && output.decision === "listen");
}

/** Reproducible random numbers (mulberry32). */
function seeded(seed: number): Random {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let z = Math.imul(state ^ (state >>> 15), state | 1);
    z ^= z + Math.imul(z ^ (z >>> 7), z | 61);
    return ((z ^ (z >>> 14)) >>> 0) / 2 ** 32;
  };
}
