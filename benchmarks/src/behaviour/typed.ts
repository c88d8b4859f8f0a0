// `npm run eval:typed`: types requests (`sendText`) that the cases of `take` are spoken with, and wishes for a background model, into
// silence and into a story that mini is telling, and prints what became of them.
// Options: --cases <folder>, --model <folder>, --weights int8, --sessions 8, --show (what went wrong).

import { parseArgs } from "node:util";
import { modelFolder, nodeBackend } from "@microturn/backend-node";
import { DuplexSession, type TurnRecord, type WeightType } from "@microturn/core";
import { spokenForm } from "@microturn/core/codecs";
import { localEngine } from "@microturn/core/local";
import { mini } from "@microturn/mini";
import { readCases } from "./cases.js";
import { unknownWord, wordErrors, words } from "./score.js";
import { wishes } from "./wishes.js";

const { values } = parseArgs({
  options: {
    cases: { type: "string", default: "training/work/cases" },
    model: { type: "string" },
    weights: { type: "string", default: "int8" },
    sessions: { type: "string", default: "8" },
    show: { type: "boolean", default: false },
  },
});

/** A text, and when it is typed. */
interface Typing {
  readonly text: string;
  /** What mini says to it; absent for a wish, which is to be handed over. */
  readonly reply?: string;
  readonly intoStory: boolean;
  /** The micro-turn after which it is typed. */
  readonly after: number;
}

/** What became of it. */
interface Outcome {
  /** Answered with the words of `reply` and nothing else, or handed over if it is a wish. */
  readonly right: boolean;
  readonly handedOver: boolean;
  /** What was to be typed into a story was. */
  readonly wasSpeaking: boolean;
  readonly words: number;
  readonly wordErrors: number;
  readonly heard: string;
  readonly said: string;
}

/** Micro-turns after which a text is typed. It is heard from the next one's first sample on, so that only what was before can vary. */
const moments = { silence: [5, 10, 16], story: [14, 19, 25] } as const;
/** The micro-turn after which mini is asked for the story. */
const askedFor = 2;
/** Micro-turns that a session lasts: a story said in full, and some more. */
const lastsTurns = 90;

const cases = await readCases(values.cases, ["take"]);
const replies = new Map(cases.map(({ events, expected }) => [events[0].text, expected.text ?? ""]));
const backend = await nodeBackend();
const sessions = Number(values.sessions);
const engine = localEngine({
  model: values.model === undefined ? mini : modelFolder(values.model),
  backend,
  weights: values.weights as WeightType,
  maxSessions: sessions,
});
await engine.load();

for (const where of ["silence", "story"] as const) {
  const intoStory = where === "story";
  const when = intoStory ? "into a story" : "into silence";
  const requests = [...replies].flatMap(([text, reply]) =>
    moments[where].map((after) => ({ text, reply, intoStory, after })),
  );
  const asked = await typeAll(requests);
  const wrong = share(sum(asked, "wordErrors"), sum(asked, "words"));
  print(
    `requests ${when}`,
    asked,
    `${share(count(asked, "handedOver"), asked.length)} handed over, ${wrong} of words heard wrong`,
  );
  const wished = await typeAll(wishes.flatMap((text) => moments[where].map((after) => ({ text, intoStory, after }))));
  print(`wishes ${when}`, wished);
}
await engine.close();
await backend.close();

function print(title: string, outcomes: readonly Outcome[], ...more: readonly string[]): void {
  const right = share(count(outcomes, "right"), outcomes.length);
  const speaking = title.endsWith("story")
    ? [`in ${share(count(outcomes, "wasSpeaking"), outcomes.length)} it was being told`]
    : [];
  console.log(`${title}: ${outcomes.length}, ${[`${right} right`, ...speaking, ...more].join(", ")}`);
}

function share(part: number, whole: number): string {
  return `${((100 * part) / whole).toFixed(1)} %`;
}

function count(outcomes: readonly Outcome[], which: "right" | "handedOver" | "wasSpeaking"): number {
  return outcomes.filter((outcome) => outcome[which]).length;
}

function sum(outcomes: readonly Outcome[], which: "words" | "wordErrors"): number {
  return outcomes.reduce((total, outcome) => total + outcome[which], 0);
}

/** Types each text into a session of its own. */
async function typeAll(typings: readonly Typing[]): Promise<Outcome[]> {
  const outcomes: Outcome[] = [];
  let next = 0;
  await Promise.all(
    Array.from({ length: sessions }, async () => {
      while (next < typings.length) {
        const typing = typings[next++];
        const outcome = await outcomeOf(typing);
        outcomes.push(outcome);
        const { heard, said, right } = outcome;
        if (values.show && !right) console.log(`  ${typing.text} (${typing.after}): ${heard} -> ${said}`);
      }
    }),
  );
  return outcomes;
}

async function outcomeOf({ text, reply, intoStory, after }: Typing): Promise<Outcome> {
  await using session = await DuplexSession.open({ engine, pace: "as-fast-as-input", tailMs: 0 });
  const { inputSampleRate, turnDurationMs } = session.capabilities;
  session.on("turn-end", ({ turn }) => {
    if (intoStory && turn.index === askedFor) session.sendText("tell me a story");
    if (turn.index === after) session.sendText(text);
  });
  const turns: TurnRecord[] = [];
  const reading = (async () => {
    for await (const turn of session) turns.push(turn);
  })();
  const silence = new Float32Array((inputSampleRate * turnDurationMs) / 1000);
  for (let i = 0; i < lastsTurns; i++) await session.writeAudio(silence);
  await session.finish();
  await reading;

  const typed = turns.filter(({ index }) => index > after);
  // What is said until it listens belongs to the story.
  const listens = typed.findIndex(({ output }) => output.decision === "listen");
  const answered = listens < 0 ? [] : typed.slice(intoStory ? listens : 0);
  const said = words(answered.map(({ output }) => output.text).join(" ")).join(" ");
  const heard = typed.map(({ output }) => output.heard).join(" ");
  const handedOver = typed.some(({ output }) => output.delegation !== undefined);
  const truth = words(spokenForm(text));
  return {
    right: reply === undefined ? handedOver : !handedOver && said === words(reply).join(" "),
    handedOver,
    wasSpeaking: turns.some(({ index, output }) => index === after && output.decision === "speak"),
    words: truth.length,
    wordErrors: wordErrors(truth, words(heard.replaceAll(unknownWord, " <unk> "))),
    heard: heard.replace(/ +/g, " ").trim(),
    said,
  };
}
