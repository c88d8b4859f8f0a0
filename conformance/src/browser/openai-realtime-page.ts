// A session with OpenAI Realtime from a page: its own socket, a short-lived key, and a still.

import { openaiRealtimeEngine } from "@microturn/backend-remote";

/** What a page made of a session. */
export interface RealtimeTalk {
  readonly words: string;
  readonly decisions: string;
  /** Samples that came back, as 16-bit integers without zeros. */
  readonly sound: number[];
  readonly keyRefused: string;
  /** Code of the error of a session with a key that is not right. */
  readonly wrong: string;
}

async function talk(baseUrl: string, token: string): Promise<RealtimeTalk> {
  let keyRefused = "";
  try {
    openaiRealtimeEngine({ baseUrl, apiKey: "key" });
  } catch (error) {
    keyRefused = String(error);
  }
  const stranger = openaiRealtimeEngine({ baseUrl, token: () => "ek_of_nobody" });
  const wrong = await stranger.open().then(
    () => "none",
    (error: { code: string }) => error.code,
  );
  const engine = openaiRealtimeEngine({ baseUrl, token: () => token });
  const session = await engine.open();
  const [words, decisions]: string[][] = [[], []];
  const sound: number[] = [];
  const image = { data: new Uint8Array(40 * 40 * 4).fill(128), width: 40, height: 40, timeMs: 0 };
  for (let index = 0; index < 12; index++) {
    const audio = new Float32Array(4800).fill(0.25);
    const images = index === 1 ? [image] : [];
    const { text, decision, speech } = await session.step({ index, turns: 1, audio, images, text: [] });
    if (text !== "") words.push(text);
    decisions.push(decision);
    for (const value of speech) if (value !== 0) sound.push(Math.round(value * 32768));
  }
  await engine.close();
  return { words: words.join(" "), decisions: decisions.join(" "), sound, keyRefused, wrong };
}

(globalThis as unknown as { talk: typeof talk }).talk = talk;
