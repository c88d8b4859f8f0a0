import { describe, expect, it } from "vitest";
import { SpeechBuffer, type SpeechBufferOptions } from "./speech-buffer.js";

const sampleRate = 48_000;
const ms = (count: number) => Math.round((count * sampleRate) / 1000);
const turn = ms(200);

function bufferWith(options: Partial<SpeechBufferOptions> = {}): SpeechBuffer {
  return new SpeechBuffer({
    ...{ sampleRate, prebuffer: ms(40), maxPrebuffer: ms(80), bound: ms(1000), fade: ms(5) },
    ...options,
  });
}

/** A tone whose phase runs on: sample n of it has one value, wherever the pieces are cut. */
const tone = (from: number, length: number, pitch = 220) =>
  Float32Array.from({ length }, (_, i) => 0.5 * Math.sin((2 * Math.PI * pitch * (from + i)) / sampleRate));

/** Renders `samples`, a quantum at a time; the last may be shorter. */
function render(buffer: SpeechBuffer, samples: number): Float32Array {
  const output = new Float32Array(samples);
  for (let at = 0; at < samples; at += 128) buffer.render(output.subarray(at, at + 128));
  return output;
}

/** Largest difference between neighbours: a click shows in it. */
function steepest(samples: Float32Array): number {
  let most = 0;
  for (let i = 1; i < samples.length; i++) most = Math.max(most, Math.abs(samples[i] - samples[i - 1]));
  return most;
}

/** That of the tone itself. */
const toneStep = 0.5 * 2 * Math.sin((Math.PI * 220) / sampleRate);

/** Where two recordings differ first, or -1. (A matcher on the whole of them takes minutes to print what it sees.) */
function differsAt(got: Float32Array, expected: Float32Array): number {
  if (got.length !== expected.length) return Math.min(got.length, expected.length);
  return got.findIndex((value, i) => value !== expected[i]);
}

/** Feeds `turns` micro-turns of tone in step with rendering; `late` says by how many ms each comes late. */
function converse(buffer: SpeechBuffer, turns: number, late: (turn: number) => number = () => 0): Float32Array {
  const output: number[] = [];
  let next = 0;
  for (let at = 0; at < turns * turn; at += 128) {
    while (next < turns && at >= next * turn + ms(late(next))) {
      buffer.push(tone(next * turn, turn));
      next++;
    }
    output.push(...render(buffer, 128));
  }
  return Float32Array.from(output);
}

describe("SpeechBuffer", () => {
  it("plays what it gets to the bit, after the prebuffer and a fade in", () => {
    const heard = converse(bufferWith(), 10);
    const start = heard.findIndex((value) => value !== 0);
    // The first sample of the tone is 0.
    expect(start - 1).toBe(ms(40));
    const settled = ms(40) + ms(5);
    expect(differsAt(heard.subarray(settled), tone(ms(5), heard.length - settled))).toBe(-1);
  });

  it("gives the same for quanta of any size", () => {
    const [once, many] = [bufferWith(), bufferWith()];
    const sizes = [1, 7, 128, 500, 64];
    const output: number[] = [];
    for (const buffer of [once, many]) buffer.push(tone(0, turn));
    for (let i = 0; output.length < turn; i++) {
      const piece = new Float32Array(sizes[i % sizes.length]);
      many.render(piece);
      output.push(...piece);
    }
    expect(differsAt(Float32Array.from(output), render(once, output.length))).toBe(-1);
  });

  it("has no gap when sound comes late by less than the prebuffer", () => {
    const buffer = bufferWith();
    const heard = converse(buffer, 20, (index) => (index * 5) % 8);
    const settled = ms(45);
    expect(differsAt(heard.subarray(settled), tone(ms(5), heard.length - settled))).toBe(-1);
    // Later than that it slows down a little, to have more in hand; still nothing is missing.
    const slower = converse(bufferWith(), 20, (index) => (index === 0 ? 0 : (index * 13) % 30));
    expect(steepest(slower)).toBeLessThan(1.5 * toneStep);
    expect(buffer.underruns).toBe(0);
  });

  it("fades out and in where sound came too late, waits longer from then on, and a little less after a calm time", () => {
    const buffer = bufferWith();
    const heard = converse(buffer, 6, (index) => (index === 3 ? 150 : 0));
    expect(buffer.underruns).toBe(1);
    expect(buffer.prebuffer).toBe(ms(50));
    expect(steepest(heard)).toBeLessThan(1.5 * toneStep + 0.5 / ms(5));
    expect(heard.subarray(3 * turn + ms(50), 3 * turn + ms(140)).every((value) => value === 0)).toBe(true);
    for (let again = 0; again < 8; again++) {
      buffer.push(tone(0, turn));
      render(buffer, turn + ms(150));
    }
    expect(buffer.prebuffer).toBe(ms(80));
    buffer.flush();
    for (let second = 0; second < 32 * 5; second++) {
      buffer.push(tone(0, turn));
      render(buffer, turn);
    }
    expect(buffer.prebuffer).toBe(ms(70));
  });

  it("does not take a pause of the source for sound that came too late", () => {
    const buffer = bufferWith();
    buffer.push(tone(0, turn));
    render(buffer, ms(2000));
    buffer.push(tone(0, turn));
    expect(buffer.underruns).toBe(0);
    expect(buffer.prebuffer).toBe(ms(40));
  });

  it("is silent within the fade after a flush, without a click, and plays what comes after", () => {
    const buffer = bufferWith();
    buffer.push(tone(0, turn));
    buffer.push(tone(turn, turn));
    const before = render(buffer, ms(100));
    buffer.flush();
    expect(buffer.queued).toBe(0);
    const after = render(buffer, ms(100));
    expect(after.subarray(0, ms(4)).some((value) => value !== 0)).toBe(true);
    expect(after.subarray(ms(5)).every((value) => value === 0)).toBe(true);
    expect(steepest(Float32Array.of(...before, ...after))).toBeLessThan(1.5 * toneStep + 0.5 / ms(5));
    buffer.push(new Float32Array(turn).fill(0.25));
    const next = render(buffer, ms(100));
    expect(next.subarray(0, ms(40)).every((value) => value === 0)).toBe(true);
    expect(next.subarray(ms(46), ms(100)).every((value) => value === 0.25)).toBe(true);
    expect(buffer.underruns).toBe(0);
  });

  it("knows the last sample that was played, and passes over what was flushed only when more is played", () => {
    const buffer = bufferWith();
    buffer.push(tone(0, turn));
    render(buffer, ms(40) + 1024);
    expect(buffer.heard).toBe(1024);
    buffer.flush();
    render(buffer, ms(100));
    expect(buffer.heard).toBe(1024);
    buffer.push(tone(0, turn));
    render(buffer, ms(40) + 512);
    expect(buffer.heard).toBe(turn + 512);
  });

  it("drops the oldest when too much comes, down to half its bound, without a click", () => {
    const buffer = bufferWith({ bound: ms(400) });
    buffer.push(tone(0, turn));
    const heard = [...render(buffer, ms(100))];
    buffer.push(tone(turn, turn));
    buffer.push(tone(2 * turn, turn));
    expect(buffer.dropped).toBeGreaterThan(0);
    expect(buffer.queued).toBe(ms(40) + turn);
    heard.push(...render(buffer, ms(240)));
    const played = Float32Array.from(heard);
    // After the fade it plays the last 240 ms of the three pieces.
    const from = 3 * turn - ms(240) + ms(5);
    expect(differsAt(played.subarray(ms(100) + ms(5), ms(100) + ms(230)), tone(from, ms(225)))).toBe(-1);
    expect(steepest(played)).toBeLessThan(3 * toneStep + 1 / ms(5));
  });

  it("is bounded whatever comes, and takes a piece longer than its bound whole", () => {
    const buffer = bufferWith({ bound: ms(300) });
    for (let i = 0; i < 1000; i++) {
      buffer.push(tone(i * turn, turn));
      expect(buffer.queued).toBeLessThanOrEqual(ms(380));
      if (i > 0) expect(buffer.queued).toBeGreaterThanOrEqual(turn);
    }
    buffer.flush();
    const long = tone(0, ms(3000));
    buffer.push(long);
    expect(buffer.queued).toBe(long.length);
    expect(differsAt(render(buffer, ms(1000)).subarray(ms(45)), long.subarray(ms(5), ms(960)))).toBe(-1);
  });

  it.each([300, -300, 1000, -1000])(
    "keeps the queue for 15 minutes against a source whose clock is off by %i ppm, without a gap",
    { timeout: 120_000 },
    (ppm) => {
      const buffer = bufferWith();
      // Sound that never is silent: the rate alone must do it.
      const sound = new Float32Array(turn).fill(0.25);
      const output = new Float32Array(128);
      const period = turn / (1 + ppm / 1e6);
      let next = 0;
      let [least, most] = [Number.POSITIVE_INFINITY, 0];
      let [low, high] = [1, 1];
      for (let at = 0; at < 900 * sampleRate; at += 128) {
        if (at >= next * period) {
          if (at > 60 * sampleRate) {
            least = Math.min(least, buffer.queued);
            most = Math.max(most, buffer.queued);
          }
          buffer.push(sound);
          next++;
        }
        buffer.render(output);
        low = Math.min(low, buffer.rate);
        high = Math.max(high, buffer.rate);
      }
      expect(buffer.underruns).toBe(0);
      expect(buffer.dropped).toBe(0);
      expect(least).toBeGreaterThan(ms(15));
      expect(most).toBeLessThan(ms(70));
      expect(low).toBeGreaterThanOrEqual(0.995);
      expect(high).toBeLessThanOrEqual(1.005);
    },
  );

  it("changes the speed by no more than half a percent while it catches up, and keeps the tone clean", () => {
    const buffer = bufferWith();
    // The second piece comes 150 ms early, as when the first was late: the queue is too long for good.
    buffer.push(tone(0, turn));
    render(buffer, ms(50));
    const output: number[] = [];
    for (let i = 1; i < 100; i++) {
      buffer.push(tone(i * turn, turn));
      output.push(...render(buffer, turn));
      expect(buffer.rate).toBeLessThanOrEqual(1.005);
    }
    expect(buffer.queued).toBeLessThan(turn + ms(120));
    // A tone at 220 … 221.1 Hz, and nothing else: what is left without it is small.
    const tail = Float32Array.from(output.slice(ms(10_000), ms(10_200)));
    let best = Number.POSITIVE_INFINITY;
    for (let pitch = 219.5; pitch < 222; pitch += 0.01) best = Math.min(best, residue(tail, pitch));
    expect(best).toBeLessThan(2e-3);
  });

  it.each([90, 10])("passes samples to the bit again once %i ms of queue have become right", (left) => {
    const buffer = bufferWith();
    const output: number[] = [];
    buffer.push(tone(0, turn));
    // What is left when the second piece comes decides what is wrong.
    output.push(...render(buffer, turn + ms(40 - left)));
    let next = 1;
    for (; next < 300; next++) {
      buffer.push(tone(next * turn, turn));
      output.push(...render(buffer, turn));
    }
    expect(buffer.rate).toBe(1);
    expect(buffer.underruns).toBe(0);
    // The end is a stretch of the tone as it was sent, sample by sample.
    const end = Float32Array.from(output.slice(-4800));
    const from = next * turn - buffer.queued - 4800;
    expect(differsAt(end, tone(from, 4800))).toBe(-1);
  });

  it("makes the queue shorter at once in silence, where no one hears it", () => {
    const buffer = bufferWith();
    const silence = new Float32Array(turn);
    buffer.push(silence);
    render(buffer, ms(50));
    for (let i = 0; i < 20; i++) {
      buffer.push(silence);
      render(buffer, turn);
    }
    expect(buffer.rate).toBe(1);
    expect(buffer.queued).toBeLessThan(ms(60));
    expect(buffer.underruns).toBe(0);
  });

  it("makes no more memory after the first seconds", () => {
    const buffer = bufferWith();
    const sound = new Float32Array(turn).fill(0.1);
    const output = new Float32Array(128);
    const run = (seconds: number) => {
      for (let at = 0; at < seconds * 5; at++) {
        buffer.push(sound);
        for (let i = 0; i < 75; i++) buffer.render(output);
      }
    };
    run(60);
    const before = process.memoryUsage().arrayBuffers;
    run(600);
    expect(process.memoryUsage().arrayBuffers - before).toBeLessThan(100_000);
  });
});

/** Root mean square of what is left of samples when their best tone of a pitch is taken out. */
function residue(samples: Float32Array, pitch: number): number {
  let [cc, ss, cs, xc, xs] = [0, 0, 0, 0, 0];
  samples.forEach((value, i) => {
    const angle = (2 * Math.PI * pitch * i) / sampleRate;
    const [c, s] = [Math.cos(angle), Math.sin(angle)];
    cc += c * c;
    ss += s * s;
    cs += c * s;
    xc += value * c;
    xs += value * s;
  });
  const determinant = cc * ss - cs * cs;
  const [a, b] = [(xc * ss - xs * cs) / determinant, (xs * cc - xc * cs) / determinant];
  let sum = 0;
  samples.forEach((value, i) => {
    const angle = (2 * Math.PI * pitch * i) / sampleRate;
    sum += (value - a * Math.cos(angle) - b * Math.sin(angle)) ** 2;
  });
  return Math.sqrt(sum / samples.length);
}
