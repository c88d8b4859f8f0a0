// What a performance is worth, by the definitions in docs/benchmarks.md. Times are read off the sound, not off decisions.

import type { BehaviourCase, UserEvent } from "./cases.js";
import type { Performance } from "./play.js";

/** Figures of one case; a figure that does not apply is absent. */
export interface Score {
  readonly id: string;
  readonly row: string;
  readonly noise: string;
  readonly voice: string;
  readonly heldPhrasing: boolean;
  readonly said: string;
  readonly heard: string;
  /** The words are exactly the expected ones. */
  readonly right?: boolean;
  /** A reply was heard after the user's last word, none before it. */
  readonly took?: boolean;
  /** A reply was heard before the user had finished. */
  readonly early?: boolean;
  /** From the end of the user's last word to the first sound of the reply, ms. */
  readonly latencyMs?: number;
  /** The assistant was speaking when the user broke in; cases in which it was not are counted apart. */
  readonly wasSpeaking?: boolean;
  /** From the onset of the user's words to silence, ms. */
  readonly yieldMs?: number;
  /** From the end of the user's words to silence, ms; negative when silent before. */
  readonly yieldAfterEndMs?: number;
  /** Of what was heard, repeated or counted; where work was handed over, of the request that came with it. */
  readonly wordErrors?: number;
  /** That there are in truth. */
  readonly words?: number;
  /** Words of a request handed over that are not in the vocabulary: the model writes down only that there was one. */
  readonly unknownWords?: number;
  /** Every word that the user said is in the request handed over, in order. */
  readonly wholeRequest?: boolean;
  /** Deviations from the pace or the due time, ms. */
  readonly errorsMs?: readonly number[];
  /** From the change to the first sound of the reaction, ms. */
  readonly reactionMs?: number;
  readonly falseAlarm?: boolean;
  /** What was handed over to be said began while nobody spoke; absent if it did not begin. */
  readonly inQuiet?: boolean;
  /** From when it was handed over, or from the end of what was heard of either side after that, to its first sound, ms. */
  readonly waitedMs?: number;
  /** Work was handed over. */
  readonly delegated: boolean;
  /** Sounds in the pauses of the user's story, and others that begin inside its sentences; only in `aloud`. */
  readonly aloud?: number;
  readonly intoSentence?: boolean;
  /** Two of them begin within 4 s. */
  readonly tooOften?: boolean;
  /** Something other than a word of listening was said there. */
  readonly tookTurn?: boolean;
  /** Still, or again, heard when the user had been putting a request right for a while. */
  readonly talkedInto?: boolean;
  /** From the end of each word to the first sound of its echo, or from each jump to that of its number, ms. */
  readonly lagsMs?: readonly number[];
}

/** Sound is a stretch of 10 ms above this level (RMS, full scale 1): -40 dBFS. */
const soundLevel = 0.01;
/** Stretches closer than this are one. */
const joinMs = 120;
/** Silence: nothing is heard for this long. */
const silenceMs = 400;
/** Longer than from one number of a count to the next: who sounded so recently is speaking. */
const speakingMs = 600;

/** Rows in which the request comes first; in all others, what is judged answers the last thing that the user says. */
const fromFirst: readonly string[] = [
  ...["every", "echo", "aloud", "jumps"],
  ...["hold-aside", "hold-cough", "hold-television"],
];
/** Least time from one word of listening to the next; sound may start a little earlier or later in it. */
const aloudEveryMs = 3900;
/** A word of listening that begins so late in the next sentence could not be known to come too late. */
const resumedMs = 300;
/** Silent so long after the onset of a correction, or the user is talked into. */
const correctedMs = 700;

/** What a model writes down for a word that it does not know. */
export const unknownWord = "[?]";

/** A number that begins so long after a jump no longer counts it. */
const countedMs = 800;

/** A stretch in which the assistant is heard, ms. */
interface Stretch {
  readonly startMs: number;
  readonly endMs: number;
}

/** Where sound is, on the time line of the microphone. */
export function stretches(played: Float32Array, sampleRate: number): Stretch[] {
  const step = sampleRate / 100;
  const found: { startMs: number; endMs: number }[] = [];
  for (let start = 0; start + step <= played.length; start += step) {
    let energy = 0;
    for (let i = start; i < start + step; i++) energy += played[i] * played[i];
    if (Math.sqrt(energy / step) < soundLevel) continue;
    const startMs = (1000 * start) / sampleRate;
    const last = found.at(-1);
    if (last !== undefined && startMs - last.endMs < joinMs) last.endMs = startMs + 10;
    else found.push({ startMs, endMs: startMs + 10 });
  }
  return found;
}

/** Words of a text, lower case, without punctuation. */
export function words(text: string): string[] {
  return text
    .toLowerCase()
    .replace(/[^a-z0-9' <>]/g, " ")
    .split(" ")
    .filter((word) => word !== "" && word !== "<end>");
}

/** Least number of insertions, deletions and substitutions between two word lists. */
export function wordErrors(expected: readonly string[], got: readonly string[]): number {
  let row = got.map((_, i) => i + 1);
  row.unshift(0);
  expected.forEach((word, i) => {
    const next = [i + 1];
    got.forEach((other, j) => {
      next.push(Math.min(row[j + 1] + 1, next[j] + 1, row[j] + (word === other ? 0 : 1)));
    });
    row = next;
  });
  return row[got.length];
}

/** What was said while the user told a story: from its first sentence to the words that end it. */
function listening(one: BehaviourCase, { turns, turnMs }: Performance, sound: readonly Stretch[]): Partial<Score> {
  const sentences = one.events.slice(1);
  const [from, to] = [sentences[0].onsetMs, sentences[sentences.length - 1].onsetMs];
  const inside = turns.filter((turn) => turn.startMs + turnMs > from && turn.startMs + turnMs <= to);
  const said = words(inside.map((turn) => turn.output.text).join(" ")).join(" ");
  const starts = sound.map((s) => s.startMs).filter((ms) => ms > from && ms < to + resumedMs);
  const inPause = (ms: number) =>
    sentences.some(
      ({ endMs }, i) => i + 1 < sentences.length && ms >= endMs && ms < sentences[i + 1].onsetMs + resumedMs,
    );
  return {
    aloud: starts.filter(inPause).length,
    intoSentence: starts.some((ms) => !inPause(ms)),
    tooOften: starts.some((ms, i) => i > 0 && ms - starts[i - 1] < aloudEveryMs),
    tookTurn: said.replaceAll("uh huh", "").trim() !== "",
  };
}

/** What became of a text that was handed over to be said. */
function handedOver(
  { events, told = { text: "", atMs: 0 } }: BehaviourCase,
  { turns, turnMs }: Performance,
  sound: readonly Stretch[],
  expected: readonly string[],
): Partial<Score> {
  const after = turns.filter((turn) => turn.startMs >= told.atMs);
  const said = after.flatMap((turn) => words(turn.output.text).map((word) => ({ word, turn })));
  const begins = said.findIndex((_, i) => expected.every((word, j) => said[i + j]?.word === word));
  const turn = begins < 0 ? undefined : said[begins].turn;
  const first = turn && sound.find((s) => s.endMs > turn.startMs + turnMs);
  if (turn === undefined || first === undefined) return { right: false };
  const startMs = Math.max(first.startMs, turn.startMs + turnMs);
  const before = [...events.map((event) => event.endMs), ...sound.filter((s) => s !== first).map((s) => s.endMs)];
  const freeMs = Math.max(told.atMs, ...before.filter((ms) => ms <= startMs));
  const inQuiet = !events.some((event) => event.onsetMs < startMs && event.endMs > startMs);
  return { right: true, inQuiet, waitedMs: startMs - freeMs };
}

/** What the requests handed over carry of what the user said; nothing if none came. */
function handedOn({ events }: BehaviourCase, { turns }: Performance): Partial<Score> {
  const tasks = turns.flatMap(({ output }) => (output.delegation === undefined ? [] : [output.delegation.task]));
  if (tasks.length === 0) return {};
  const request = words(tasks.join(" ").replaceAll(unknownWord, " <unk> "));
  const truth = words(events.map(({ text }) => text).join(" "));
  let found = 0;
  for (const word of request) if (word === truth[found]) found++;
  return {
    words: truth.length,
    wordErrors: wordErrors(truth, request),
    unknownWords: request.filter((word) => word === "<unk>").length,
    wholeRequest: found === truth.length,
  };
}

/** The event whose voice and phrasing a case is counted under: in a row of people, that of the last person. */
function judged({ row, events }: BehaviourCase): UserEvent | undefined {
  const person = events.findLast(({ voice }) => /^(human|an4|speech_commands):/.test(voice));
  if (row.endsWith("-human") && person !== undefined) return person;
  return fromFirst.includes(row) ? events[0] : events.at(-1);
}

/** Scores one performance. */
export function score(one: BehaviourCase, performance: Performance): Score {
  const { turns, turnMs } = performance;
  const sound = stretches(performance.played, performance.sampleRate);
  const said = words(turns.map((turn) => turn.output.text).join(" "));
  const heard = words(turns.map((turn) => turn.output.heard).join(" "));
  const expected = words(one.expected.text ?? "");
  const last = one.events.at(-1);
  const asked = judged(one);
  const row = one.row.replace(/-human$/, ""); // people are judged as voices are
  const base = {
    ...{ id: one.id, row: one.row, noise: one.noise, voice: asked?.voice ?? "none" },
    ...{ heldPhrasing: asked?.heldPhrasing ?? false, said: said.join(" "), heard: heard.join(" ") },
    delegated: turns.some((turn) => turn.output.delegation !== undefined),
  };
  const saidFrom = (ms: number) =>
    words(
      turns
        .filter((turn) => turn.startMs + turnMs > ms)
        .map((turn) => turn.output.text)
        .join(" "),
    );
  const same = (a: readonly string[], b: readonly string[]) =>
    a.length === b.length && a.every((word, i) => word === b[i]);
  const right = same(said, expected);

  if (row === "transcript") {
    const truth = words(one.expected.heard ?? "");
    return { ...base, words: truth.length, wordErrors: wordErrors(truth, heard), right: same(truth, heard) };
  }
  if (row === "told") return { ...base, ...handedOver(one, performance, sound, expected) };
  if (last === undefined || row === "silence")
    return { ...base, right: sound.length === 0, falseAlarm: sound.length > 0 };

  if (row.startsWith("yield")) {
    const wasSpeaking = sound.some((s) => s.startMs < last.onsetMs + 200 && s.endMs > last.onsetMs - speakingMs);
    const listening = turns.find((turn) => turn.startMs + turnMs > last.onsetMs && turn.output.decision === "listen");
    // Between two numbers of a count it is as quiet; what is heard before it listens belongs to what it was saying.
    const heardUntilMs = listening === undefined ? Number.POSITIVE_INFINITY : listening.startMs + turnMs;
    let silentAt = last.onsetMs;
    for (const s of sound) {
      if (s.endMs > silentAt && (s.startMs < heardUntilMs || s.startMs < silentAt + silenceMs)) silentAt = s.endMs;
    }
    const after = listening === undefined ? [] : turns.filter((turn) => turn.index >= listening.index);
    const reply = words(after.map((turn) => turn.output.text).join(" "));
    const yieldMs = silentAt - last.onsetMs;
    return { ...base, wasSpeaking, yieldMs, yieldAfterEndMs: silentAt - last.endMs, right: same(reply, expected) };
  }
  if (row.startsWith("hold")) {
    return {
      ...base,
      wasSpeaking: sound.some((s) => s.startMs < last.onsetMs && s.endMs > last.onsetMs - speakingMs),
      right,
    };
  }

  if (row === "correct") {
    const talkedInto = sound.some((s) => s.endMs > last.onsetMs + correctedMs && s.startMs < last.endMs);
    return { ...base, talkedInto, right: same(saidFrom(last.endMs), expected) };
  }
  if (row === "elapsed") {
    const heardAfter = sound.some((s) => s.startMs > last.endMs);
    return { ...base, right: heardAfter && same(saidFrom(last.endMs), expected) };
  }
  if (row === "aloud")
    return { ...base, ...listening(one, performance, sound), right: same(saidFrom(last.endMs), expected) };
  if (row === "echo") {
    const lags = right ? sound.slice(-(one.events.length - 1)) : [];
    const lagsMs = lags.map((s, i) => s.startMs - one.events[i + 1].endMs);
    return { ...base, right, words: expected.length, wordErrors: wordErrors(expected, said), lagsMs };
  }
  if (row === "jumps") {
    const { jumpsMs = [] } = one.expected;
    const counts = (ms: number, jump: number) => ms >= jump && ms < jump + countedMs;
    const first = one.events[0].endMs;
    const starts = sound.map((s) => s.startMs).filter((ms) => ms > first && ms < last.onsetMs);
    const numbers = starts.slice(1); // the first is "okay"
    const found = jumpsMs.map((jump) => numbers.find((ms) => counts(ms, jump)));
    return {
      ...base,
      right: right && numbers.length === jumpsMs.length && numbers.every((ms, i) => counts(ms, jumpsMs[i])),
      ...{ words: jumpsMs.length, wordErrors: found.filter((ms) => ms === undefined).length },
      lagsMs: found.flatMap((ms, i) => (ms === undefined ? [] : [ms - jumpsMs[i]])),
      falseAlarm: numbers.length > jumpsMs.length || numbers.some((ms) => !jumpsMs.some((jump) => counts(ms, jump))),
    };
  }
  if (row === "every") {
    const { everyMs = 0, dueMs = 0 } = one.expected;
    const first = one.events[0].endMs;
    const ticks = sound.filter((s) => s.startMs > first && s.startMs < last.onsetMs).slice(1);
    const errorsMs = right ? ticks.map((s, i) => s.startMs - dueMs - everyMs * i) : [];
    return { ...base, right, errorsMs };
  }

  const reply = sound.find((s) => s.endMs > last.endMs);
  const early = sound.some((s) => s.startMs < last.endMs);
  const took = !early && reply !== undefined && reply.startMs - last.endMs <= 3000;
  const common = { ...base, right, early, took };
  const timed = took && reply !== undefined ? { ...common, latencyMs: reply.startMs - last.endMs } : common;
  if (row === "out-of-domain") return { ...timed, ...handedOn(one, performance) };
  if (row === "time") {
    const { dueMs, paceMs = 0 } = one.expected;
    const starts = sound.filter((s) => s.startMs >= last.endMs).map((s) => s.startMs);
    const errorsMs =
      dueMs === undefined
        ? starts.slice(1).map((start, i) => start - starts[i] - paceMs)
        : starts.slice(1, 2).map((start) => start - dueMs);
    return { ...timed, errorsMs };
  }
  const { changeMs } = one.expected;
  if (changeMs !== undefined) {
    const reaction = sound.find((s) => s.startMs >= changeMs);
    const now = turns.find((turn) => words(turn.output.text).some((word) => word === "now" || word === "there"));
    const falseAlarm = now !== undefined && now.startMs < changeMs;
    return { ...timed, falseAlarm, ...(reaction && right ? { reactionMs: reaction.startMs - changeMs } : {}) };
  }
  return timed;
}
