// The user's sound: what of it is kept, and where a request begins and ends.

import type { EngineCapabilities } from "@microturn/core";
import { describe, expect, it } from "vitest";
import { HeardSound } from "./heard-sound.js";
import { Seeded } from "./seeded.js";

const at = (inputSampleRate: number) => ({ inputSampleRate, turnDurationMs: 200 }) as EngineCapabilities;

/** Micro-turns of a sound, one after the other. */
function hear(sound: HeardSound, samples: Float32Array, { rate = 16_000, from = 0 } = {}): void {
  const length = rate / 5;
  for (let turn = 0; turn < samples.length / length; turn++) {
    const audio = samples.subarray(turn * length, (turn + 1) * length);
    sound.hear({ index: from + turn, input: { audio } as never });
  }
}

/** Stretches of noise: how long, ms, and how loud. */
function noise(...stretches: readonly (readonly [ms: number, amplitude: number])[]): Float32Array {
  const random = new Seeded(1);
  const parts = stretches.map(([ms, amplitude]) =>
    Float32Array.from({ length: 16 * ms }, () => amplitude * (2 * random.next() - 1)),
  );
  const out = new Float32Array(parts.reduce((sum, part) => sum + part.length, 0));
  let place = 0;
  for (const part of parts) {
    out.set(part, place);
    place += part.length;
  }
  return out;
}

const room = 0.001;
const voice = 0.1;

describe("what the user has said last", () => {
  const times = (samples: Float32Array, maxMs = 20_000) => {
    const sound = new HeardSound(at(16_000), maxMs);
    hear(sound, samples);
    const said = sound.request();
    return said && [said.startMs, said.startMs + said.samples.length / 16];
  };

  it("begins after quiet of 1.5 s and ends with the last of it, with 0.3 s on either side", () => {
    expect(times(noise([2000, voice], [1600, room], [1000, voice], [1400, room], [600, voice], [800, room]))).toEqual([
      3300, 6900,
    ]);
    // Somebody who goes on speaking is cut where the work was handed over.
    expect(times(noise([2000, room], [1000, voice]))).toEqual([1700, 3000]);
    expect(times(noise([1000, voice]))).toBeUndefined(); // as it is no louder than all that was heard
    expect(times(noise([200, voice / 10], [1000, voice]))).toEqual([0, 1200]);
  });

  it("goes as far back as is kept, and no further", () => {
    expect(times(noise([600, room], [30_000, voice], [400, room]), 2000)).toEqual([29_000, 30_900]);
    // Rounded up to whole micro-turns.
    expect(times(noise([600, room], [30_000, voice], [400, room]), 2001)).toEqual([28_800, 30_900]);
    expect(times(noise([600, room], [30_000, voice], [400, room]), 1)).toBeUndefined();
  });

  it("is silence where a handler has transferred the samples away, not what was there a lap before", () => {
    const sound = new HeardSound(at(16_000), 1000);
    hear(sound, noise([200, room], [800, voice]));
    hear(sound, noise([800, room]), { from: 5 });
    expect(sound.request()?.startMs).toBeDefined(); // the last of the voice is still kept
    sound.hear({ index: 9, input: { audio: new Float32Array(0) } as never });
    expect(sound.request()).toBeUndefined();
  });

  it("is nothing where nothing is louder than the room, or loud at all", () => {
    expect(new HeardSound(at(16_000), 1000).request()).toBeUndefined();
    expect(times(new Float32Array(32_000))).toBeUndefined();
    expect(times(noise([5000, voice]))).toBeUndefined();
    expect(times(noise([2000, room / 10], [2000, room]))).toBeUndefined();
  });

  it("is told from the noise of a room also where the microphone was muted for a while", () => {
    const samples = noise([1000, 0], [2000, 10 * room], [1000, voice], [600, 10 * room], [400, 0]);
    expect(times(samples)).toEqual([2700, 4300]);
  });
});

describe("sound that is kept", () => {
  it("is a copy", () => {
    const sound = new HeardSound(at(16_000), 1000);
    const samples = noise([400, room], [400, voice]);
    const before = samples.slice(1600);
    hear(sound, samples);
    const said = sound.request();
    samples.fill(0);
    hear(sound, samples, { from: 4 });
    expect(said).toEqual({ samples: before, sampleRate: 16_000, startMs: 100 });
  });

  it("is what a ring that never came round would have, whatever was heard and rewound, at 8 to 48 kHz (300 random ones)", () => {
    let found = 0;
    for (let seed = 0; seed < 300; seed++) {
      const random = new Seeded(seed);
      const rate = random.pick([8000, 16_000, 22_050, 24_000, 48_000]);
      const most = 1 + random.below(8);
      const sound = new HeardSound(at(rate), most * 200);
      let kept: { readonly index: number; readonly audio: Float32Array }[] = [];
      let next = random.below(3) * 7; // a session that goes on from a snapshot
      for (let round = 0; round < 40; round++) {
        if (random.next() < 0.1) {
          next = Math.max(0, next - random.below(12));
          sound.rewind(next);
          kept = kept.filter(({ index }) => index < next);
          continue;
        }
        const amplitude = random.pick([room, voice]);
        const audio = Float32Array.from({ length: rate / 5 }, () => amplitude * (2 * random.next() - 1));
        sound.hear({ index: next, input: { audio } as never });
        kept = [...kept, { index: next++, audio }].filter(({ index }) => index >= next - most);
      }
      const plain = new HeardSound(at(rate), 200 * 200);
      for (const { index, audio } of kept) plain.hear({ index, input: { audio } as never });
      const said = sound.request();
      expect(said, `seed ${seed}`).toEqual(plain.request());
      if (said !== undefined) found++;
    }
    expect(found).toBeGreaterThan(150);
  });
});
