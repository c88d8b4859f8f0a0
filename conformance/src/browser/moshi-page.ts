// A session with a Moshi server from a page: its own socket, WebCodecs, and opus-decoder.

import { moshiEngine } from "@microturn/backend-remote";

/** What a page made of a session. */
export interface MoshiTalk {
  readonly words: string;
  readonly decisions: string;
  /** Loud samples that came back. */
  readonly loud: number;
  /** Samples that had to go, as the machine was busy. */
  readonly dropped: number;
  readonly keyRefused: string;
}

/** Says a tone of 300 Hz for 3 s. */
async function talk(url: string): Promise<MoshiTalk> {
  let keyRefused = "";
  try {
    moshiEngine({ url, apiKey: "key" });
  } catch (error) {
    keyRefused = String(error);
  }
  let dropped = 0;
  const engine = moshiEngine({
    url,
    onNote: (note) => {
      if (note.type === "output-dropped") dropped += note.samples;
    },
  });
  const session = await engine.open();
  const [words, decisions]: string[][] = [[], []];
  let loud = 0;
  for (let index = 0; index < 15; index++) {
    const audio = Float32Array.from(
      { length: 4800 },
      (_, i) => 0.3 * Math.sin((2 * Math.PI * 300 * (index * 4800 + i)) / 24_000),
    );
    const { text, decision, speech } = await session.step({ index, turns: 1, audio, images: [], text: [] });
    if (text !== "") words.push(text);
    decisions.push(decision);
    loud += speech.filter((value) => Math.abs(value) > 0.1).length;
  }
  await engine.close();
  return { words: words.join(" "), decisions: decisions.join(" "), loud, dropped, keyRefused };
}

(globalThis as unknown as { talk: typeof talk }).talk = talk;
