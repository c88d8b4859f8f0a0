// Functions that Gemini has called and that are not answered: which result belongs to which call, and in what form it goes.

import { DuplexError } from "@microturn/core";
import type { WireDelegation } from "../wire.js";
import type { GeminiTool } from "./gemini-live-setup.js";

type Fields = Readonly<Record<string, unknown>>;

/** Calls that may be open; beyond it the oldest is given up. And ids that are remembered as cancelled or unknown. */
const maxCalls = 64;
/** Answers that are kept until the service has made another handle. */
const maxAnswered = 64;
/** Characters of the arguments of a call, as JSON. */
const maxArguments = 65_536;

/** Calls that came together. Those that block are answered together, as the model waits for all of them. */
interface Batch {
  readonly open: Set<string>;
  readonly responses: Fields[];
}

interface Call {
  readonly id: string;
  readonly name: string;
  readonly batch: Batch;
}

/** What comes of calls that were taken. */
export interface TakenCalls {
  /** To be handed on. */
  readonly delegations: readonly WireDelegation[];
  /** Ids of older calls that were given up for them. */
  readonly givenUp: readonly string[];
  /** What waited for those only. */
  readonly responses: readonly Fields[];
}

/** What is to be done with a text of the background. */
export type Answer =
  /** It belongs to a call: these responses go out now; none while others of its batch are awaited. */
  | { readonly kind: "responses"; readonly responses: readonly Fields[] }
  /** Its call was cancelled: it is of no use any more. */
  | { readonly kind: "late" }
  /** It belongs to no call that the service knows of. */
  | { readonly kind: "text"; readonly name?: string };

/** The calls of one session. */
export class GeminiCalls {
  readonly #tools: ReadonlyMap<string, GeminiTool>;
  readonly #open = new Map<string, Call>();
  readonly #cancelled = new Set<string>();
  /** Calls that were open when the service's last handle was made: another connection waits for them. */
  #saved = new Set<string>();
  /** What they were answered since. */
  #answered: Fields[] = [];
  /** Names of the functions of calls that the service knows no more. */
  readonly #forgotten = new Map<string, string>();

  constructor(tools: readonly GeminiTool[]) {
    this.#tools = new Map(tools.map((tool) => [tool.name, tool]));
  }

  /**
   * Takes the calls of one message.
   *
   * @param calls - as the service gives them
   * @returns `undefined` if one of them is not a call
   */
  take(calls: readonly unknown[]): TakenCalls | undefined {
    const delegations = calls.slice(0, maxCalls).map(toDelegation);
    if (!delegations.every((one) => one !== undefined)) return undefined;
    const together: Batch = { open: new Set(), responses: [] };
    const taken = { delegations: [] as WireDelegation[], givenUp: [] as string[], responses: [] as Fields[] };
    for (const delegation of delegations) {
      const { id, name } = delegation;
      if (this.#open.has(id)) continue;
      const alone = this.#tools.get(name)?.behavior === "NON_BLOCKING";
      const batch: Batch = alone ? { open: new Set(), responses: [] } : together;
      batch.open.add(id);
      this.#open.set(id, { id, name, batch });
      taken.delegations.push(delegation);
      if (this.#open.size <= maxCalls) continue;
      const [oldest] = this.#open.keys();
      taken.givenUp.push(oldest);
      taken.responses.push(...this.cancel(oldest));
    }
    return taken;
  }

  /** The service wants no answer any more. @returns responses that waited for this one only */
  cancel(id: string): readonly Fields[] {
    const call = this.#open.get(id);
    if (call === undefined) return [];
    this.#open.delete(id);
    remember(this.#cancelled, id);
    call.batch.open.delete(id);
    return whole(call.batch);
  }

  /** @param id - of the call that it answers; absent: the one that has waited longest */
  answer(text: string, id: string | undefined, silent: boolean): Answer {
    const call = id === undefined ? this.#open.values().next().value : this.#open.get(id);
    if (call === undefined) {
      if (id === undefined) return { kind: "text" };
      if (this.#cancelled.has(id)) return { kind: "late" };
      const name = this.#forgotten.get(id);
      return { kind: "text", ...(name === undefined ? {} : { name }) };
    }
    const tool = this.#tools.get(call.name);
    const { batch } = call;
    if (tool?.severalResults === true) {
      const last = text.trim() === "";
      if (last) this.#open.delete(call.id);
      const part = last
        ? { response: {}, scheduling: "SILENT", willContinue: false }
        : { response: { output: text }, scheduling: scheduling(tool, silent), willContinue: true };
      return { kind: "responses", responses: [{ id: call.id, name: call.name, ...part }] };
    }
    this.#open.delete(call.id);
    batch.open.delete(call.id);
    const when = scheduling(tool, silent);
    batch.responses.push({
      ...{ id: call.id, name: call.name, response: { output: text } },
      ...(when === undefined ? {} : { scheduling: when }),
    });
    return { kind: "responses", responses: whole(batch) };
  }

  /** The service has made a handle: another connection with it knows of the calls that are open now. */
  save(): void {
    this.#saved = new Set(this.#open.keys());
    this.#answered = [];
  }

  /** These went to the service. */
  sent(responses: readonly Fields[]): void {
    this.#answered.push(...responses.filter(({ id }) => this.#saved.has(String(id))));
    if (this.#answered.length > maxAnswered) this.#answered = this.#answered.slice(-maxAnswered);
  }

  /**
   * Another connection begins; with a handle it is where it was when that was made.
   *
   * @returns answers that it does not know of, and waits for
   */
  reconnected(withHandle: boolean): readonly Fields[] {
    const again = withHandle ? this.#answered : [];
    this.#answered = [];
    for (const call of [...this.#open.values()]) {
      if (withHandle && this.#saved.has(call.id)) continue;
      this.#open.delete(call.id);
      call.batch.open.delete(call.id);
      this.#forgotten.set(call.id, call.name);
      if (this.#forgotten.size > maxCalls) this.#forgotten.delete(this.#forgotten.keys().next().value as string);
    }
    return again;
  }
}

function scheduling(tool: GeminiTool | undefined, silent: boolean): string | undefined {
  if (tool?.behavior === "BLOCKING") return undefined;
  if (silent) return "SILENT";
  return tool?.scheduling ?? (tool?.behavior === "NON_BLOCKING" ? "WHEN_IDLE" : undefined);
}

/** Takes the responses of a batch that is whole. */
function whole(batch: Batch): readonly Fields[] {
  return batch.open.size > 0 ? [] : batch.responses.splice(0);
}

function remember(set: Set<string>, id: string): void {
  set.add(id);
  if (set.size > maxCalls) set.delete(set.values().next().value as string);
}

function toDelegation(call: unknown): (WireDelegation & { readonly name: string }) | undefined {
  if (typeof call !== "object" || call === null) return undefined;
  const { id, name, args = {} } = call as { id?: unknown; name?: unknown; args?: unknown };
  if (typeof id !== "string" || id === "" || typeof name !== "string") return undefined;
  return { id, name, arguments: args, task: taskOf(name, args) };
}

/** One argument of words is the task; anything else is told as JSON. @throws DuplexError `PROTOCOL_VIOLATION` if it is too much */
function taskOf(name: string, args: unknown): string {
  let json: string;
  try {
    json = JSON.stringify(args);
  } catch {
    // Nested so deeply that it cannot be written.
    json = " ".repeat(maxArguments + 1);
  }
  if (json.length > maxArguments) {
    throw new DuplexError(
      "PROTOCOL_VIOLATION",
      `Gemini Live: expected arguments of ${name.slice(0, 100)} with at most ${maxArguments} characters, got more`,
    );
  }
  const values = typeof args === "object" && args !== null ? Object.values(args) : [];
  if (values.length === 0) return name;
  return values.length === 1 && typeof values[0] === "string" ? values[0] : json;
}
