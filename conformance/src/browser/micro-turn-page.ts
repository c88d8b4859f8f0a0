// A session at our server from a page: a token as a sub-protocol, sound encoded in the page.

import { microturnEngine } from "@microturn/backend-remote";
import { micros } from "../remote/micro-turn-talk.js";

/** What a page made of a session. */
export interface MicroTurnTalk {
  readonly keyRefused: string;
  /** Code of the error with a token that is not right. */
  readonly wrong: string;
  /** Samples of speech of all micro-turns. */
  readonly speech: number[];
  readonly words: string[];
}

async function talk(url: string, token: string, turns: number): Promise<MicroTurnTalk> {
  let keyRefused = "";
  try {
    microturnEngine({ url, apiKey: "key" });
  } catch (error) {
    keyRefused = String(error);
  }
  const wrong = await microturnEngine({ url, token: () => "nonsense" })
    .open()
    .then(
      () => "none",
      (error: { code: string }) => error.code,
    );
  const engine = microturnEngine({ url, token: () => token, speech: "float32" });
  const session = await engine.open({ seed: 5, temperature: 1 });
  const speech: number[] = [];
  const words: string[] = [];
  for (const input of micros(turns)) {
    const output = await session.step(input);
    for (const sample of output.speech) speech.push(sample);
    words.push(`${output.decision}|${output.text}|${output.heard}`);
  }
  await engine.close();
  return { keyRefused, wrong, speech, words };
}

(globalThis as unknown as { talk: typeof talk }).talk = talk;
