// What the background model reads first: the conversation as a transcript, what tools have found in it, what was seen, the user's
// own voice, other work, and the task.
// All of it is one message of a user, and the transcript is quoted in it. As alternating messages, the background model would
// take the assistant's words for its own, and a line out of a tool that was read aloud for something that it is told to do.

import type { ContextEntry, ContextImage, EarlierResult, Job } from "../jobs/job.js";
import { keptAtStart } from "./kept-at-start.js";
import { backgroundPrompt } from "./prompt.js";

/** A message of the AI SDK, as far as it is made here. */
export interface UserMessage {
  readonly role: "user";
  readonly content: string | readonly UserPart[];
}

/** Text, an image as PNG or sound as WAV, both in base64. */
export type UserPart =
  | { readonly type: "text"; readonly text: string }
  | { readonly type: "file"; readonly data: string; readonly mediaType: "image/png" | "audio/wav" };

/**
 * The system prompt and the first message for a job.
 *
 * @param options.instructions - of the application; they follow {@link backgroundPrompt}
 * @param options.images - whether images are shown; default true. If not, the model is told that there were some
 * @param options.audio - whether the user's own voice is given; default false. If not, nothing is said of it
 */
export function delegationMessages(
  job: Job,
  {
    instructions,
    images = true,
    audio = false,
  }: {
    readonly instructions?: string | undefined;
    readonly images?: boolean;
    readonly audio?: boolean | undefined;
  } = {},
): { readonly system: string; readonly messages: readonly [UserMessage] } {
  const system = instructions ? `${backgroundPrompt}\n\n${instructions}` : backgroundPrompt;
  const { context } = job;
  const { entries, leftOut, results = [] } = context;
  const before = [transcript(entries, leftOut), found(results), seen(context.images, images)].filter(Boolean);
  const voice = audio ? context.audio : undefined;
  const after = [otherWork(job), task(job)].filter(Boolean).join("\n\n");
  const files: UserPart[] = [];
  for (const image of images ? context.images : []) {
    files.push({ type: "text", text: `Image at ${seconds(image.timeMs)}:` });
    files.push({ type: "file", data: image.png, mediaType: "image/png" });
  }
  if (voice !== undefined) {
    const times = `${seconds(voice.timeMs)} to ${seconds(voice.timeMs + voice.durationMs)}`;
    files.push({ type: "text", text: `The user's own voice, ${times}. Words that differ from it were misheard:` });
    files.push({ type: "file", data: voice.wav, mediaType: "audio/wav" });
  }
  if (files.length === 0) {
    return { system, messages: [{ role: "user", content: [...before, after].join("\n\n") }] };
  }
  const content: UserPart[] = before.length > 0 ? [{ type: "text", text: before.join("\n\n") }, ...files] : files;
  content.push({ type: "text", text: after });
  return { system, messages: [{ role: "user", content }] };
}

function transcript(entries: readonly ContextEntry[], leftOut: number): string {
  const lines = entries.map((entry) => `[${seconds(entry.timeMs)}] ${entry.speaker}: ${line(entry.text)}`);
  if (leftOut > 0) lines.splice(keptAtStart, 0, `(${leftOut} ${leftOut === 1 ? "entry" : "entries"} left out here)`);
  return block("conversation", entries.length === 0 ? [] : lines);
}

function found(results: readonly EarlierResult[]): string {
  const lines = results.map(({ json, timeMs }) => `[${seconds(timeMs)}] ${line(json)}`);
  return block("earlier_results", lines);
}

function seen(images: readonly ContextImage[], shown: boolean): string {
  if (images.length === 0 || shown) return "";
  return `(The user showed ${images.length === 1 ? "an image" : `${images.length} images`}, which you cannot see.)`;
}

function otherWork(job: Job): string {
  const lines = job.context.underWay.map((work) => `${line(work.delegation)}: ${line(work.task)}`);
  return block("work_under_way", lines);
}

function task({ delegation, context: { transcription } }: Job): string {
  const asked = line(delegation.task);
  const lines =
    transcription === undefined
      ? [asked]
      : [line(transcription), `(The user's words, by a speech recogniser. The assistant heard: ${asked})`];
  if (delegation.name !== undefined) {
    const [name, given] = [delegation.name, delegation.arguments ?? {}].map((value) => line(JSON.stringify(value)));
    lines.push(`The assistant put it as a call of ${name} with ${given}.`);
  }
  return block("task", lines);
}

/** Lines of data under their name; nothing if there are none. */
function block(name: string, lines: readonly string[]): string {
  return lines.length === 0 ? "" : `<${name}>\n${lines.join("\n")}\n</${name}>`;
}

/** One line, out of which no tag and no second line can be made. */
function line(text: string): string {
  return text.replace(/\s+/g, " ").trim().replaceAll("<", "&lt;");
}

function seconds(timeMs: number): string {
  return `${(timeMs / 1000).toFixed(1)} s`;
}
