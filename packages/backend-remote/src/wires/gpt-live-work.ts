// Work that GPT-Live hands out, and where its results go. The application does it (`client`), or a backend model of OpenAI's does
// and calls the application's functions (`responses`).

import type { TextInput } from "@microturn/core";
import type { WireEvents } from "../wire.js";
import { splitForAppend } from "./gpt-live-history.js";
import { type Fields, fieldsOf, textOf } from "./gpt-live-messages.js";

/** A message to the service, without its `event_id`. */
export type GptLiveCommand = { readonly type: string } & Readonly<Record<string, unknown>>;

interface Work {
  readonly id: string;
  readonly kind: "client" | "call";
  /** Micro-turn in which it was asked for. */
  readonly unit: number;
  /** What was called, for a result that can only be told. */
  readonly call: string;
  /** A result has come. */
  answered: boolean;
  /** The connection that it belongs to is gone. */
  gone: boolean;
}

/** A function call of a backend response that is under way: it counts once that is complete. */
interface Call {
  readonly id: string;
  readonly name: string;
  readonly arguments: string;
}

/** Micro-turns without words of the user after which his words count as complete, and those after which they must do. */
const settledUnits = 2;
const patientUnits = 5;
const maxTaskCharacters = 500;
const maxKnown = 512;
const maxRunning = 32;
const maxIdLength = 512;
const maxArgumentsLength = 65_536;

export class GptLiveWork {
  readonly #send: (command: GptLiveCommand) => void;
  readonly #staleUnits: number;
  readonly #lastWords: (most: number) => string;
  #events: WireEvents | undefined;
  #unit = 0;
  #heardUnit = Number.NEGATIVE_INFINITY;
  /** By id, the oldest first. */
  readonly #known = new Map<string, Work>();
  /** Asked for, and not told yet: the user's last words may still come. */
  #untold: Work[] = [];
  /** Calls of the responses that are under way, by delegation. */
  readonly #running = new Map<string, Call[]>();
  /** Calls that the backend waits for. */
  readonly #open = new Set<string>();
  #answeredSome = false;

  /**
   * @param options.send - sends to the service, over the connection that there is
   * @param options.staleUnits - micro-turns after which the user has moved on, if he has spoken since
   * @param options.lastWords - of the user, at most so many characters
   */
  constructor(options: {
    readonly send: (command: GptLiveCommand) => void;
    readonly staleUnits: number;
    readonly lastWords: (most: number) => string;
  }) {
    this.#send = options.send;
    this.#staleUnits = options.staleUnits;
    this.#lastWords = options.lastWords;
  }

  /** Another connection: ids of an earlier one mean nothing to it. Work that was told goes on; its results are told as context. */
  reset(events: WireEvents): void {
    this.#events = events;
    for (const work of this.#known.values()) work.gone = true;
    const calls = [...this.#running.values()].flat().length;
    if (calls > 0) events.note({ type: "lost", what: `${calls} function calls of a response that was under way` });
    this.#running.clear();
    this.#open.clear();
    this.#answeredSome = false;
  }

  heard(): void {
    this.#heardUnit = this.#unit;
  }

  /** A micro-turn of the user was sent. */
  unit(): void {
    this.#unit++;
    this.#tell();
  }

  /** `session.delegation.created`: that of a backend is its own affair until it calls a function. */
  created(id: string, target: string): void {
    if (target !== "client" || id.length > maxIdLength || this.#untold.length >= maxKnown) return;
    this.#untold.push(this.#remember({ id, kind: "client", call: "" }));
    this.#tell();
  }

  /** An event of a backend response. */
  backend(delegation: string, event: Fields): void {
    switch (textOf(event.type)) {
      case "response.created":
        if (this.#running.size < maxRunning) this.#running.set(delegation, []);
        return;
      case "response.output_item.done": {
        const item = fieldsOf(event.item);
        const call = item === undefined ? undefined : readCall(item);
        if (call === undefined) return;
        const running = this.#running.get(delegation);
        if (running === undefined) this.#call(call);
        else if (running.length < maxRunning) running.push(call);
        return;
      }
      case "response.completed": {
        const calls = this.#running.get(delegation) ?? [];
        this.#running.delete(delegation);
        for (const call of calls) this.#call(call);
        this.#continue();
        return;
      }
      case "response.failed":
      case "response.incomplete":
      case "response.cancelled":
      case "error": {
        // Its calls are void: the service refuses their outputs. So they are not even told.
        const calls = this.#running.get(delegation) ?? [];
        this.#running.delete(delegation);
        if (calls.length > 0) {
          const names = calls
            .map(({ name }) => name)
            .join(", ")
            .slice(0, 200);
          this.#events?.note({ type: "lost", what: `function calls of a response that failed: ${names}` });
        }
        this.#continue();
      }
    }
  }

  /** A result, or anything that the background has to say. */
  answer({ text, silent = false, delegation }: TextInput): void {
    const work = delegation === undefined ? this.#oldestOpen() : this.#known.get(delegation);
    if (work === undefined) {
      this.#append(silent, null, text);
      return;
    }
    const again = work.answered;
    work.answered = true;
    if (work.kind === "call" && !work.gone && !again) {
      const item = { type: "function_call_output", call_id: work.id, output: text };
      this.#send({ type: "response.item.create", item });
      this.#open.delete(work.id);
      this.#answeredSome = true;
      this.#continue();
      return;
    }
    const quiet = silent || this.#isStale(work);
    if (work.kind === "client") this.#append(quiet, work.gone ? null : work.id, text);
    else this.#append(quiet, null, `Result of ${work.call}: ${text}`);
  }

  #append(silent: boolean, delegation_id: string | null, text: string): void {
    const type = silent ? "session.thinking.append" : "session.commentary.append";
    for (const content of splitForAppend(text)) this.#send({ type, delegation_id, content });
  }

  /** Tells what was asked for, once the user's words for it are there. */
  #tell(): void {
    const settled = this.#unit - this.#heardUnit >= settledUnits;
    this.#untold = this.#untold.filter((work) => {
      if (!settled && this.#unit - work.unit < patientUnits) return true;
      this.#events?.delegation({ id: work.id, task: this.#lastWords(maxTaskCharacters) });
      return false;
    });
  }

  #call({ id, name, arguments: given }: Call): void {
    const work = this.#remember({ id, kind: "call", call: `${name}(${given.slice(0, maxTaskCharacters)})` });
    this.#open.add(work.id);
    if (this.#open.size > maxKnown) for (const oldest of this.#open) return void this.#open.delete(oldest);
    const task = this.#lastWords(maxTaskCharacters) || given;
    this.#events?.delegation({ id, task, name, arguments: parsed(given) });
  }

  #remember(work: Pick<Work, "id" | "kind" | "call">): Work {
    const known: Work = { ...work, unit: this.#unit, answered: false, gone: false };
    this.#known.delete(work.id);
    this.#known.set(work.id, known);
    if (this.#known.size > maxKnown) for (const oldest of this.#known.keys()) return this.#forget(oldest, known);
    return known;
  }

  #forget(oldest: string, known: Work): Work {
    this.#known.delete(oldest);
    return known;
  }

  /** One `response.create` goes on with all of it, once no response is under way and every call has its output. */
  #continue(): void {
    if (!this.#answeredSome || this.#running.size > 0 || this.#open.size > 0) return;
    this.#answeredSome = false;
    this.#send({ type: "response.create" });
  }

  #oldestOpen(): Work | undefined {
    for (const work of this.#known.values()) if (!work.answered) return work;
    return undefined;
  }

  #isStale({ unit }: Work): boolean {
    return this.#unit - unit > this.#staleUnits && this.#heardUnit > unit + settledUnits;
  }
}

function readCall(item: Fields): Call | undefined {
  if (textOf(item.type) !== "function_call") return undefined;
  const [id, name, given] = [textOf(item.call_id), textOf(item.name), textOf(item.arguments)];
  if (id === undefined || id === "" || name === undefined || given === undefined) return undefined;
  if (Math.max(id.length, name.length) > maxIdLength || given.length > maxArgumentsLength) return undefined;
  return { id, name, arguments: given };
}

function parsed(json: string): unknown {
  try {
    return JSON.parse(json);
  } catch {
    return json;
  }
}
