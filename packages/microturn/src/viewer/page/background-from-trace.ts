// From the rows of a trace to the background's view. Whatever a file says becomes something that can be drawn: calls without a
// result, results without a call, names that come twice or belong to nothing, and more of all than anybody can look at.

import type { BackgroundActivity, Delegation, TextInput, TraceTurn } from "@microturn/core";
import type { BackgroundView, CallPhase, CallView, Entry, Moment, Words, WorkView } from "./background-view.js";

/** What is kept at most; beyond, it is counted. */
const limits = { works: 2_000, calls: 5_000, marks: 20_000 } as const;
/** Characters of an answer in which the words of an entry are looked for. */
const reach = 20_000;

type Open<T> = { -readonly [Key in keyof T]: T[Key] };
type OpenCall = Omit<Open<CallView>, "phases" | "progress"> & { phases: CallPhase[]; progress: Words[] };

interface OpenWork {
  readonly delegation: Delegation;
  readonly id: string;
  readonly known: boolean;
  readonly start: Moment;
  end?: Moment;
  outcome?: WorkView["outcome"];
  error?: string;
  /** A background tells of it. */
  told: boolean;
  readonly calls: OpenCall[];
  readonly callById: Map<string, OpenCall>;
  readonly deltas: Words[];
  readonly entries: Entry[];
  readonly answer: Answer;
}

/** The background's view, or undefined where the trace knows of none: delegations had no names before there was one. */
export function backgroundOf(records: readonly TraceTurn[], turnMs: number): BackgroundView | undefined {
  const known = records.some(
    ({ background, input, output }) =>
      background !== undefined ||
      output.delegation?.id !== undefined ||
      input.text.some(({ delegation }) => delegation !== undefined),
  );
  if (!known) return undefined;
  const reader = new Reader();
  records.forEach(({ background = [], input, output }, turn) => {
    // A step takes its input and gives its output at one moment, the middle; what was told lies before, in its order.
    background.forEach((activity, i) => {
      reader.tell(activity, { turn, timeMs: (turn + (0.5 * (i + 1)) / (background.length + 1)) * turnMs });
    });
    const middle = { turn, timeMs: (turn + 0.5) * turnMs };
    for (const text of input.stale ?? []) reader.drop(text, middle);
    for (const text of input.text) if (text.source === "background") reader.enter(text, middle);
    if (output.delegation !== undefined) reader.delegate(output.delegation, middle);
  });
  return reader.close({ turn: Math.max(0, records.length - 1), timeMs: records.length * turnMs });
}

class Reader {
  readonly #works: OpenWork[] = [];
  /** The latest of each name. */
  readonly #workById = new Map<string, OpenWork>();
  readonly #loose: Entry[] = [];
  /** When the words of a delivery were told, for one that enters again. */
  readonly #told = new Map<number, Moment>();
  readonly #turns = new Set<number>();
  readonly #count = { works: 0, calls: 0, marks: 0 };
  #left = 0;

  delegate(delegation: Delegation, at: Moment): void {
    this.#turns.add(at.turn);
    this.#open(delegation, delegation.id ?? "", true, at);
  }

  tell(activity: BackgroundActivity, at: Moment): void {
    this.#turns.add(at.turn);
    const work = this.#workById.get(activity.delegation) ?? this.#open({ task: "" }, activity.delegation, false, at);
    if (work === undefined) {
      this.#left++;
      return;
    }
    work.told = true;
    if (work.outcome === "answered") {
      delete work.outcome;
      delete work.end;
    }
    switch (activity.type) {
      case "background-delta":
        if (!this.#room("marks")) return;
        work.deltas.push({ ...at, text: activity.text });
        work.answer.add(activity.text, at);
        return;
      case "background-drop":
        this.#drop(work, activity, at);
        return;
      case "background-end":
        if (work.outcome !== undefined) return;
        work.outcome = activity.outcome;
        work.end = at;
        if (activity.error !== undefined) work.error = activity.error;
        return;
      default:
        this.#tellCall(work, activity, at);
    }
  }

  #tellCall(
    work: OpenWork,
    activity: Exclude<BackgroundActivity, { type: "background-delta" | "background-drop" | "background-end" }>,
    at: Moment,
  ): void {
    let call = work.callById.get(activity.call);
    // What comes after a result is another call, whatever its name.
    if (call === undefined || (call.outcome !== undefined && activity.type === "tool-call")) {
      if (!this.#room("calls")) return;
      const name = activity.type === "tool-progress" ? "" : activity.name;
      call = {
        ...{ id: activity.call, name, arguments: undefined, irreversible: false, start: at, end: at },
        ...{ phases: [], progress: [] },
      };
      work.calls.push(call);
      work.callById.set(activity.call, call);
    }
    if (call.outcome !== undefined) {
      this.#left++;
      return;
    }
    call.end = at;
    if (activity.type === "tool-progress") {
      if (this.#room("marks")) call.progress.push({ ...at, text: activity.text });
    } else if (activity.type === "tool-call") {
      const { name, irreversible, state, attempt } = activity;
      Object.assign(call, { name, irreversible, arguments: activity.arguments });
      if (this.#room("marks")) call.phases.push({ ...at, state, attempt });
    } else {
      const { name, outcome, result, error } = activity;
      Object.assign(call, { name, outcome, result }, error === undefined ? {} : { error });
    }
  }

  enter(text: TextInput, at: Moment): void {
    this.#turns.add(at.turn);
    if (!this.#room("marks")) return;
    const work = this.#workOf(text, at);
    let told = text.delivery === undefined ? undefined : this.#told.get(text.delivery);
    told ??= work?.answer.find(text.text);
    if (told !== undefined && text.delivery !== undefined) this.#told.set(text.delivery, told);
    const entry: Entry = {
      ...{ ...at, text: text.text, silent: text.silent === true },
      ...(told === undefined ? {} : { told }),
    };
    if (work === undefined) {
      this.#loose.push(entry);
      return;
    }
    work.entries.push(entry);
    if (work.told) return;
    work.outcome = "answered";
    work.end = at;
  }

  /** A result that had become too old to enter. */
  drop(text: TextInput, at: Moment): void {
    this.#turns.add(at.turn);
    this.#drop(this.#workOf(text, at), { text: text.text, reason: "stale" }, at);
  }

  #drop(work: OpenWork | undefined, { text, reason }: { text: string; reason: Entry["dropped"] }, at: Moment): void {
    if (!this.#room("marks")) return;
    const told = work?.answer.find(text);
    const entry: Entry = {
      ...{ ...at, text, silent: true },
      ...(reason === undefined ? {} : { dropped: reason }),
      ...(told === undefined ? {} : { told }),
    };
    (work?.entries ?? this.#loose).push(entry);
  }

  /** The work that a text is the result of: the one it names, or else the oldest that no background tells of and that waits. */
  #workOf({ delegation }: TextInput, at: Moment): OpenWork | undefined {
    if (delegation === undefined) return this.#works.find(({ told, outcome }) => !told && outcome === undefined);
    return this.#workById.get(delegation) ?? this.#open({ task: "" }, delegation, false, at);
  }

  #open(delegation: Delegation, id: string, known: boolean, at: Moment): OpenWork | undefined {
    if (!this.#room("works")) return undefined;
    const work: OpenWork = {
      ...{ delegation, id, known, start: at, told: false, calls: [], callById: new Map() },
      ...{ deltas: [], entries: [], answer: new Answer() },
    };
    this.#works.push(work);
    this.#workById.set(id, work);
    return work;
  }

  #room(what: keyof typeof limits): boolean {
    if (this.#count[what] < limits[what]) {
      this.#count[what]++;
      return true;
    }
    this.#left++;
    return false;
  }

  close(end: Moment): BackgroundView {
    return {
      works: this.#works.map((work) => closed(work, end)),
      loose: this.#loose,
      turns: [...this.#turns].sort((a, b) => a - b),
      left: this.#left,
    };
  }
}

function closed(work: OpenWork, sessionEnd: Moment): WorkView {
  const { delegation, id, known, start, calls, deltas, entries, outcome = "open", error, end = sessionEnd } = work;
  let last = end;
  const extend = (moment: Moment | undefined) => {
    if (moment !== undefined && moment.timeMs > last.timeMs) last = moment;
  };
  for (const call of calls) {
    // Nobody told how it ended: not before its work did, as far as is known.
    if (call.outcome === undefined && end.timeMs > call.end.timeMs) call.end = end;
    extend(call.end);
  }
  extend(deltas.at(-1));
  extend(entries.at(-1));
  return {
    ...{ id, task: delegation.task, known, start, end, last, outcome, calls, deltas, entries },
    ...(delegation.name === undefined ? {} : { name: delegation.name }),
    ...(delegation.arguments === undefined ? {} : { arguments: delegation.arguments }),
    ...(error === undefined ? {} : { error }),
  };
}

/** The words of an answer without their spaces, by which an entry is found however the words were put together for it. */
class Answer {
  /** That no entry was found to hold yet. */
  #words = "";
  /** Where they begin in the whole. */
  #from = 0;
  readonly #pieces: { readonly end: number; readonly at: Moment }[] = [];

  add(text: string, at: Moment): void {
    this.#words += text.replace(/\s+/g, "");
    if (this.#words.length > 5 * reach) this.#drop(this.#words.length - 5 * reach);
    this.#pieces.push({ end: this.#from + this.#words.length, at });
  }

  /** When the last words of an entry were told. Entries come in the order of the answer. */
  find(text: string): Moment | undefined {
    const words = text.slice(0, reach).replace(/\s+/g, "");
    if (words === "") return undefined;
    const place = this.#words.slice(0, 2 * reach).indexOf(words);
    if (place < 0) return undefined;
    this.#drop(place + words.length);
    return this.#pieces[0]?.at;
  }

  #drop(characters: number): void {
    this.#words = this.#words.slice(characters);
    this.#from += characters;
    let past = 0;
    while (past < this.#pieces.length && this.#pieces[past].end < this.#from) past++;
    this.#pieces.splice(0, past);
  }
}
