// The microphone of the examples: what somebody says, from the recordings of this repository, and the silence before and after it.
// It goes as fast as the session takes it.

import { readFile } from "node:fs/promises";
import { type DuplexSession, mixToMono, readWav } from "@microturn/core";

/** Speaks into a session; each method resolves when the session has room for what comes next. */
export interface Microphone {
  /** Part of a recording in `fixtures/speech`, whose README tells what is said when. */
  play(name: string, fromS: number, toS: number): Promise<void>;
  silence(ms: number): Promise<void>;
  /** @throws Error when it has not happened after five minutes on the session clock */
  silenceUntil(what: string, happened: () => boolean): Promise<void>;
}

export function microphone(session: DuplexSession): Microphone {
  const silence = (ms: number) => session.writeAudio(new Float32Array(16 * ms), { sampleRate: 16_000 });
  return {
    silence,
    async play(name, fromS, toS) {
      const { channels, sampleRate } = readWav(await readFile(`fixtures/speech/${name}.wav`));
      const samples = mixToMono(channels).subarray(fromS * sampleRate, toS * sampleRate);
      await session.writeAudio(samples, { sampleRate });
    },
    async silenceUntil(what, happened) {
      const untilMs = session.timeMs + 300_000;
      while (!happened()) {
        if (session.timeMs > untilMs) throw new Error(`waited five minutes until ${what}`);
        await silence(200);
      }
    },
  };
}
