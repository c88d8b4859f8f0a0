// Asks the user aloud whether a call may be made, and takes nothing but a clear yes for a yes.

import type { DuplexSession, TurnRecord } from "@microturn/core";
import { redacted } from "../redaction/secret-text.js";
import type { ApprovalRequest, Approve } from "./approvals.js";

/** Options of {@link approveByVoice}. */
export interface ApproveByVoiceOptions {
  /** What is asked; default made of the name of the function and what may be told of its arguments. It is part of the record and the trace. */
  readonly question?: string | ((call: ApprovalRequest) => string) | undefined;
  /** An answer that begins with one of these, and has none of `no` in it, allows the call; English by default. Compared without case. */
  readonly yes?: readonly string[] | undefined;
  readonly no?: readonly string[] | undefined;
  /** From the question on, ms on the session clock; default 20 000. */
  readonly timeoutMs?: number | undefined;
}

const defaultYes = ["yes", "yeah", "yep", "yup", "sure", "go ahead", "do it", "confirmed", "absolutely"];
const defaultNo = [
  ...[
    "no",
    "nope",
    "not",
    "don't",
    "do not",
    "never",
    "stop",
    "cancel",
    "wait",
    "hold on",
    "later",
    "forget",
    "instead",
  ],
  ...["maybe", "which", "what", "why", "but", "if", "unless", "until", "after", "first", "except", "other", "rather"],
  ...["dont", "can't", "cannot", "won't", "isn't", "wrong"],
];
/** Said before an answer, and no part of it. */
const fillers = new Set(["uh", "um", "oh", "well", "hm", "mm", "please", "ah"]);
/** Silence after which an answer is complete, in ms. */
const pauseMs = 800;
/** A longer answer is not clear. */
const maxWords = 8;
const maxArgumentLength = 60;

/** One question at a time in a session. */
const asking = new WeakMap<DuplexSession, Promise<unknown>>();

/**
 * Makes a function for the option `approve` of `backgroundModel` that asks the user of a session. The question is said once it is quiet;
 * the first answer that is heard counts: whole, up to a pause of 0.8 s. Anything but a clear yes is a no, and so are silence and the end of
 * the session. A yes to a question of which less than half was said does not count.
 *
 * @throws RangeError if `timeoutMs` is not 1000 … 600 000
 * @example
 * const approve: Approve = (call, context) => (context.session ? approveByVoice(context.session)(call, context) : false);
 */
export function approveByVoice(session: DuplexSession, options: ApproveByVoiceOptions = {}): Approve {
  const { timeoutMs = 20_000, yes = defaultYes, no = defaultNo, question = usualQuestion } = options;
  if (!(timeoutMs >= 1000 && timeoutMs <= 600_000)) {
    throw new RangeError(`approveByVoice: timeoutMs must be 1000 … 600000, got ${timeoutMs}`);
  }
  return async (call, { signal }) => {
    const ask = () => {
      if (signal.aborted || session.closed) return "the user was not asked";
      const text = typeof question === "string" ? question : question(call);
      return hearAnswer(session, { text, name: `approval of ${call.call}`, yes, no, timeoutMs, signal });
    };
    const answer = (asking.get(session) ?? Promise.resolve()).then(ask);
    asking.set(
      session,
      answer.catch(() => {}),
    );
    return answer;
  };
}

/** How an answer is to be understood. */
export function isClearYes(
  answer: string,
  yes: readonly string[] = defaultYes,
  no: readonly string[] = defaultNo,
): boolean {
  const words = wordsOf(answer);
  while (words.length > 0 && fillers.has(words[0])) words.shift();
  if (words.length > maxWords) return false;
  const said = ` ${words.join(" ")} `;
  if (no.some((one) => said.includes(` ${wordsOf(one).join(" ")} `))) return false;
  return yes.some((one) => said.startsWith(` ${wordsOf(one).join(" ")} `));
}

interface Question {
  readonly text: string;
  /** No call of a service waits under this name, so that the question is not taken for its result. */
  readonly name: string;
  readonly yes: readonly string[];
  readonly no: readonly string[];
  readonly timeoutMs: number;
  readonly signal: AbortSignal;
}

function hearAnswer(session: DuplexSession, question: Question): Promise<true | string> {
  const { text, name, yes, no, timeoutMs, signal } = question;
  return new Promise((resolve) => {
    const stops: (() => void)[] = [];
    const end = (verdict: true | string) => {
      for (const stop of stops.splice(0)) stop();
      resolve(verdict);
    };
    const abort = () => end("the user was not heard");
    signal.addEventListener("abort", abort);
    stops.push(() => signal.removeEventListener("abort", abort));
    stops.push(session.on("session-end", abort));

    const untilMs = session.timeMs + timeoutMs;
    const { turnDurationMs } = session.capabilities;
    const answer: string[] = [];
    let delivery: number | undefined;
    let spoke = false;
    let lastHeardMs = 0;
    const take = ({ startMs, input, output }: TurnRecord) => {
      const endMs = startMs + turnDurationMs;
      delivery ??= input.text.find((one) => one.delegation === name)?.delivery;
      const cut = output.unsaid?.find((one) => one.delivery === delivery)?.words ?? "";
      if (delivery !== undefined && wordsOf(cut).length > wordsOf(text).length / 2) {
        // It was not heard. Where both had begun together, the session asks once more.
        delivery = undefined;
        spoke = false;
        answer.length = 0;
      } else if (delivery !== undefined) {
        // What is heard before a word of the question was said answers something else.
        if (spoke && output.heard !== "") {
          answer.push(output.heard);
          lastHeardMs = endMs;
        }
        if (output.text !== "" || output.speech.some((sample) => sample !== 0)) spoke = true;
        if (answer.length > 0 && endMs - lastHeardMs >= pauseMs) {
          const said = answer.join(" ");
          end(isClearYes(said, yes, no) || `the user said: ${said.slice(0, 200)}`);
          return;
        }
      }
      if (endMs >= untilMs)
        end(delivery === undefined ? "the user could not be asked" : "the user did not answer in time");
    };
    stops.push(session.on("turn-end", ({ turn }) => take(turn)));
    // Without micro-turns, time goes on as well.
    const { clock } = session.settings;
    stops.push(clock.setTimer(() => end("the user did not answer in time"), clock.now() + timeoutMs + 1000));
    try {
      session.deliver(text, { dropIfStaleMs: timeoutMs }, { delegation: name }).then(
        (outcome) => outcome.kind === "dropped" && end("the user could not be asked"),
        () => end("the user could not be asked"),
      );
    } catch {
      end("the user could not be asked");
    }
  });
}

/** "Shall I delete item, with item: 3?" What is secret is not said, and who agrees to more than was said is told so. */
function usualQuestion({ name, told }: ApprovalRequest): string {
  const action = name
    .replace(/([a-z])([A-Z])/g, "$1 $2")
    .replace(/[_-]+/g, " ")
    .toLowerCase();
  const all = Object.entries(typeof told === "object" && told !== null ? told : {}).filter(
    ([, value]) => typeof value !== "object" || (value !== null && Object.keys(value).length > 0),
  );
  const said = all.filter(([, value]) => typeof value !== "object" && !String(value).includes(redacted)).slice(0, 4);
  const facts = said.map(([key, value]) => `${key.replace(/_/g, " ")}: ${String(value).slice(0, maxArgumentLength)}`);
  if (said.length < all.length || said.some(([, value]) => String(value).length > maxArgumentLength)) {
    facts.push("and more that is not read out");
  }
  return `Shall I ${action}${facts.length === 0 ? "" : `, with ${facts.join(", ")}`}? Please say yes or no.`;
}

function wordsOf(text: string): string[] {
  return (
    text
      .toLowerCase()
      .replace(/’/g, "'")
      .match(/[\p{L}\p{N}']+/gu) ?? []
  );
}
