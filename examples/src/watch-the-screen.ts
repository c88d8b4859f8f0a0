// "Watch my screen and call me if the build has failed": a tool looks at every picture that the session is shown, until one shows it.
// mini sees these pictures too, 40 pixels wide, and knows colours but no screens: it hands the wish over, and goes on talking. Whether
// the build has failed is found in the pixels; with a language model, that is then shown the picture and has the last word.

import { nodeBackend } from "@microturn/backend-node";
import { DuplexSession, type ImageFrame } from "@microturn/core";
import { localEngine } from "@microturn/core/local";
import { mini } from "@microturn/mini";
import { backgroundModel, tool } from "@microturn/tools";
import { generateText } from "ai";
import jpeg from "jpeg-js";
import { z } from "zod";
import { backgroundLanguageModel } from "./background-language-model.js";
import { drawBuildScreen } from "./build-screen.js";
import { microphone } from "./microphone.js";
import { scriptedLanguageModel } from "./scripted-language-model.js";
import { printTimeLine } from "./time-line.js";

/** Share of the pixels that are of a strong red. */
function redShare({ data, width, height }: ImageFrame): number {
  let red = 0;
  for (let at = 0; at < data.length; at += 4) {
    if (data[at] > 150 && data[at + 1] < 90 && data[at + 2] < 90) red++;
  }
  return red / (width * height);
}

/** Asked only when there is more red than before. A line of it is a warning; a banner is a failure, if a language model agrees. */
async function showsFailure(image: ImageFrame, share: number, abortSignal: AbortSignal): Promise<boolean> {
  if (model === script) return share > 0.1;
  const question =
    "Does this picture of a screen show that a build has failed? A warning is no failure. Say yes or no.";
  const picture = { type: "image" as const, image: jpeg.encode(image, 90).data, mediaType: "image/jpeg" };
  const content = [{ type: "text" as const, text: question }, picture];
  const { text } = await generateText({ model, messages: [{ role: "user", content }], abortSignal });
  return /^\W*yes/i.test(text);
}

const watch_screen = tool({
  description: "Watches the user's screen, and returns when the build that runs on it has failed. It may take long.",
  inputSchema: z.object({}),
  maxDurationMs: 3_600_000,
  async execute(_, { progress, abortSignal }) {
    let [pictures, most] = [0, 0];
    for await (const { input, index } of session) {
      abortSignal.throwIfAborted();
      for (const image of input.images) {
        const share = redShare(image);
        progress(`picture ${++pictures}: ${(100 * share).toFixed(1)} % red`);
        const more = share > most + 0.001;
        most = Math.max(most, share);
        if (more && (await showsFailure(image, share, abortSignal))) return { failed: true, seenInMicroTurn: index };
      }
    }
    throw new Error("the screen is not shown any more");
  },
});

/** What a language model would do, where there is none: watch, and tell. */
const script = scriptedLanguageModel(({ images, results: [result] }) => {
  if (result !== undefined) return { say: "The build has failed." };
  console.log(`(pictures that came with the question: ${images})`);
  return { call: "watch_screen", input: {} };
});

const { model, name } = await backgroundLanguageModel(script);
console.log(`in the background: ${name}`);
const background = backgroundModel({ model, tools: { watch_screen } });
const backend = await nodeBackend();
const session = await DuplexSession.open({
  engine: localEngine({ model: mini, backend }),
  background,
  // A script answers at once. A language model takes its time, and so does the conversation with it.
  pace: model === script ? "as-fast-as-input" : "realtime",
  // The tool reads every micro-turn, and may be busy with one picture for a minute.
  maxBufferedTurns: 300,
});
const timeLine = printTimeLine(session);

/** A screen that is shared: a picture a second. The build fails in its 14th second. */
session.on("turn-end", ({ turn: { index }, timeMs }) => {
  const second = index / 5;
  if (!Number.isInteger(second) || session.closed) return;
  session.writeImage({ ...drawBuildScreen(second, second >= 14), timeMs });
  if (second === 14) console.log("(the build fails)");
});
let over = false;
session.on("background-end", () => {
  over = true;
});

const user = microphone(session);
await user.silence(2000);
session.sendText("watch my screen and call me if the build has failed");
await user.silenceUntil("the build has failed", () => over);
await user.silence(5000);
await session.finish();
console.log(`says: ${timeLine.said}`);
await background.close();
await backend.close();
