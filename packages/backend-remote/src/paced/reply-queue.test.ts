import { describe, expect, test } from "vitest";
import { ReplyQueue } from "./reply-queue.js";
import { SampleQueue } from "./sample-queue.js";

const rate = 1000;
const turn = 200;

function queue({ reserve = 0, maxSamples = 1e6 } = {}) {
  return new ReplyQueue({ sampleRate: rate, reserve, maxSamples });
}

/** Sound whose samples tell their place: 1, 2, 3 … */
function sound(samples: number, from = 1): Float32Array {
  return Float32Array.from({ length: samples }, (_, i) => from + i);
}

function takes(replies: ReplyQueue, count: number, from = 0) {
  return Array.from({ length: count }, (_, i) => {
    const speech = new Float32Array(turn).fill(-1);
    return { ...replies.take(from + i, speech), speech };
  });
}

describe("the sample queue", () => {
  test("gives back what came in, wherever it is cut", () => {
    for (const [put, take] of [
      [1, 7],
      [2047, 3000],
      [2049, 100],
      [9000, 1],
    ]) {
      const samples = new SampleQueue();
      const all = sound(10_000);
      for (let at = 0; at < all.length; at += put) samples.push(all.slice(at, at + put));
      expect(samples.length).toBe(10_000);
      const out = new Float32Array(10_000);
      let got = 0;
      while (got < 10_000) got += samples.take(out.subarray(0, Math.min(10_000, got + take)), got);
      expect(out).toEqual(all);
      expect(samples.take(out, 0)).toBe(0);
    }
  });

  test("leaves out the oldest", () => {
    const samples = new SampleQueue();
    samples.push(sound(5000));
    samples.push(sound(3, 5001));
    expect(samples.skip(4999)).toBe(4999);
    const out = new Float32Array(6);
    expect(samples.take(out, 2)).toBe(4);
    expect([...out]).toEqual([0, 0, 5000, 5001, 5002, 5003]);
    expect(samples.skip(9)).toBe(0);
  });
});

describe("the reply queue", () => {
  test("cuts a burst into micro-turns, the last of which ends in silence", () => {
    const replies = queue();
    replies.addAudio(sound(450), "a");
    replies.end("a");
    const slices = takes(replies, 4);
    expect(slices.map(({ speaks }) => speaks)).toEqual([true, true, true, false]);
    expect(slices[2].speech[49]).toBe(450);
    expect(slices[2].speech[50]).toBe(0);
    expect(slices.map(({ underrun }) => underrun)).toEqual([0, 0, 0, 0]);
    expect(replies.busy).toBe(false);
    expect(replies.held).toBe(0);
  });

  test("holds a reply back until its reserve is there, or its end", () => {
    const replies = queue({ reserve: 100 });
    replies.addAudio(sound(299), "a");
    expect(takes(replies, 1)[0].speaks).toBe(false);
    replies.addAudio(sound(1, 300), "a");
    expect(takes(replies, 1)[0].speaks).toBe(true);
    const short = queue({ reserve: 100 });
    short.addAudio(sound(10), "a");
    expect(takes(short, 1)[0].speaks).toBe(false);
    short.end("a");
    expect(takes(short, 1)[0].speaks).toBe(true);
  });

  test("tells the silence in the middle of a reply, and only there", () => {
    const replies = queue();
    replies.addAudio(sound(250), "a");
    const [, late, none] = takes(replies, 3);
    expect([late.underrun, none.underrun]).toEqual([150, 200]);
    expect(none.speaks).toBe(false);
    replies.addAudio(sound(50, 251), "a");
    replies.end("a");
    const [rest, after] = takes(replies, 2, 3);
    expect([rest.speech[0], rest.speech[49], rest.underrun]).toEqual([251, 300, 0]);
    expect(after.underrun).toBe(0);
  });

  test("begins the next reply in the micro-turn in which the last ends", () => {
    const replies = queue();
    for (const [id, from] of [
      ["a", 1],
      ["b", 1001],
    ] as const) {
      replies.addAudio(sound(250, from), id);
      replies.end(id);
    }
    const [, both, last] = takes(replies, 3);
    expect([both.speech[49], both.speech[50], last.speech[99]]).toEqual([250, 1001, 1250]);
  });

  test("ends a reply whose end is not told when the next one is there", () => {
    const replies = queue();
    replies.addAudio(sound(50), "a");
    expect(takes(replies, 1)[0].speaks).toBe(false);
    replies.addAudio(sound(300, 1001), "b");
    replies.end("b");
    const [first, second] = takes(replies, 2);
    expect([first.speech[49], first.speech[50], second.speech[149]]).toEqual([50, 1001, 1300]);
    expect(replies.busy).toBe(false);
  });

  test("knows services without names for replies", () => {
    const replies = queue();
    replies.addAudio(sound(100), "");
    replies.end("");
    replies.addAudio(sound(300, 1001), "");
    const [both] = takes(replies, 1);
    expect([both.speech[99], both.speech[100]]).toEqual([100, 1001]);
    expect(replies.busy).toBe(true);
  });

  test("drops the oldest sound beyond its bound, and says how much", () => {
    const replies = queue({ maxSamples: 500 });
    expect(replies.addAudio(sound(400), "a")).toBe(0);
    expect(replies.addAudio(sound(300, 401), "a")).toBe(200);
    expect(replies.held).toBe(500);
    replies.end("a");
    const [first, , last] = takes(replies, 3);
    expect([first.speech[0], last.speech[99]]).toEqual([201, 700]);
  });

  test("spreads words over the sound, whole", () => {
    const replies = queue();
    replies.addText("one two three four", "a");
    replies.addText(" five six seven eight", "a");
    replies.addAudio(sound(800), "a");
    replies.end("a");
    const words = takes(replies, 5).map(({ text }) => text);
    expect(words.join("")).toBe("one two three four five six seven eight");
    for (const text of words.slice(0, 4)) expect(text.trim().split(" ").length).toBeGreaterThan(0);
    expect(words[3].length).toBeLessThan(15);
    expect(words[4]).toBe("");
  });

  test("keeps the last word of one reply and the first of the next apart", () => {
    const replies = queue();
    for (const [id, text] of [
      ["a", "it is done"],
      ["b", "shall we"],
      ["b", " go on"],
    ]) {
      replies.addAudio(sound(50), id);
      replies.addText(text, id);
    }
    replies.end("a");
    replies.end("b");
    expect(takes(replies, 1)[0].text).toBe("it is done shall we go on");
  });

  test("gives words at their times, and those that are left at the end", () => {
    const replies = queue();
    replies.addText("late", "a", 390);
    replies.addText(" never", "a", 9000);
    replies.addAudio(sound(500), "a");
    replies.end("a");
    expect(takes(replies, 3).map(({ text }) => text)).toEqual(["", "late", " never"]);
  });

  test("gives words that come after the end of their reply, and does not wait for more of it", () => {
    const replies = queue();
    replies.addAudio(sound(100), "a");
    replies.end("a");
    takes(replies, 1);
    replies.addText("afterwards", "a");
    expect(takes(replies, 1)[0]).toMatchObject({ speaks: false, text: "afterwards" });
    expect(replies.busy).toBe(false);
  });

  test("gives the words of a reply without sound when it ends", () => {
    const replies = queue();
    replies.addText("only words", "a");
    expect(takes(replies, 1)[0].text).toBe("");
    replies.end("a");
    expect(takes(replies, 1)[0].text).toBe("only words");
  });

  test("names what it drops, and how much of it was heard", () => {
    const replies = queue();
    replies.addAudio(sound(900), "a");
    replies.addAudio(sound(100), "b");
    takes(replies, 3, 10);
    expect(replies.clear()).toEqual(["a", "b"]);
    expect(replies.clear()).toEqual([]);
    expect(replies.busy).toBe(false);
    const heard = (at: number, samples: number) => replies.heardOf("a", at, samples);
    expect([heard(9, 200), heard(10, 0), heard(10, 1), heard(11, 30), heard(12, 200), heard(15, 5)]).toEqual([
      ...[0, 0, 1, 230, 600, 600],
    ]);
    expect(replies.heardOf("b", 12, 200)).toBe(0);
  });

  test("tells apart what was heard of two replies in one micro-turn", () => {
    const replies = queue();
    replies.addAudio(sound(150), "a");
    replies.end("a");
    replies.addAudio(sound(900), "b");
    takes(replies, 2);
    expect(replies.heardOf("b", 0, 150)).toBe(0);
    expect(replies.heardOf("b", 0, 170)).toBe(20);
    expect(replies.heardOf("b", 1, 100)).toBe(150);
    expect(replies.heardOf("a", 0, 170)).toBe(150);
  });

  test("counts what had to go as passed, so that places in a reply stay those of the service", () => {
    const replies = queue({ maxSamples: 400 });
    replies.addAudio(sound(1000), "a");
    takes(replies, 1);
    expect(replies.heardOf("a", 0, 200)).toBe(800);
  });

  test("holds no more words and replies than a right service sends", () => {
    const replies = queue();
    for (let i = 0; i < 5000; i++) replies.addText("x".repeat(100), "a", i);
    for (let i = 0; i < 5000; i++) replies.addText("word ", `reply ${i}`);
    replies.endAll();
    const text = takes(replies, 200)
      .map((slice) => slice.text)
      .join("");
    expect(text.length).toBeLessThan(1024 * 100 + 64 * 4096 + 5 * 5000);
    expect(replies.busy).toBe(false);
  });

  test("tells once how far each reply was heard on", () => {
    const replies = queue();
    replies.addAudio(sound(250), "a");
    replies.end("a");
    replies.addAudio(sound(300), "b");
    takes(replies, 3, 7);
    expect([...replies.heardSince(6, 200)]).toEqual([]);
    expect([...replies.heardSince(7, 120)]).toEqual([["a", 120]]);
    expect([...replies.heardSince(7, 120)]).toEqual([]);
    expect([...replies.heardSince(7, 60)], "never falls").toEqual([]);
    expect([...replies.heardSince(8, 50)]).toEqual([["a", 250]]);
    expect([...replies.heardSince(8, 90)]).toEqual([["b", 40]]);
    expect([...replies.heardSince(99, 200)]).toEqual([["b", 300]]);
  });

  test("counts on when a reply goes on that seemed over", () => {
    const replies = queue();
    replies.addAudio(sound(200), "a");
    replies.endAll();
    takes(replies, 1);
    replies.addAudio(sound(200, 201), "a");
    replies.addText("late words", "a", 300);
    replies.end("a");
    const [next] = takes(replies, 1, 1);
    expect(next).toMatchObject({ speaks: true, text: "late words" });
    expect(next.speech[0]).toBe(201);
    expect([...replies.heardSince(1, 200)]).toEqual([["a", 400]]);
    expect(replies.heardOf("a", 1, 50)).toBe(250);
  });

  test("does not end a reply because of late words of one that is over", () => {
    const replies = queue();
    replies.addAudio(sound(200), "a");
    replies.end("a");
    takes(replies, 1);
    replies.addAudio(sound(250), "b");
    replies.addText("late", "a");
    expect(takes(replies, 2, 1).map(({ underrun }) => underrun)).toEqual([0, 150]);
    replies.addAudio(sound(200), "b");
    expect(takes(replies, 1, 3)[0].speaks).toBe(true);
  });
});
