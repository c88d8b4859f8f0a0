// Input for sessions at our server: a tone that comes and goes, pictures and typed words in between.

import type { TurnInput } from "@microturn/core";

/** So many micro-turns, the same each time; samples are whole multiples of 1/32768. */
export function micros(turns: number): TurnInput[] {
  return Array.from({ length: turns }, (_, index) => ({
    ...{ index, turns: 1, text: index === 9 ? [{ source: "user", text: "hello you" } as const] : [] },
    audio: Float32Array.from({ length: 3200 }, (_, i) =>
      index % 7 < 4 ? Math.round(12_000 * Math.sin((3200 * index + i) / 9)) / 32_768 : 0,
    ),
    images:
      index % 5 === 2
        ? [
            {
              data: new Uint8Array(64 * 48 * 4).fill(40 * (index % 6)),
              width: 64,
              height: 48,
              timeMs: 200 * index + 50,
            },
          ]
        : [],
  }));
}
