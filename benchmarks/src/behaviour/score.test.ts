import { describe, expect, it } from "vitest";
import type { BehaviourCase } from "./cases.js";
import type { Performance } from "./play.js";
import { score, stretches, wordErrors } from "./score.js";

const sampleRate = 16_000;

/** A performance whose loudspeaker sounds in the given stretches (ms) and whose micro-turns say the given words. */
function performance(sound: [number, number][], said: Record<number, string>, listenFrom = Infinity): Performance {
  const played = new Float32Array(sampleRate * 10);
  for (const [from, to] of sound) played.fill(0.1, (from * sampleRate) / 1000, (to * sampleRate) / 1000);
  const turns = Array.from({ length: 50 }, (_, index) => ({
    index,
    startMs: index * 200,
    output: { text: said[index] ?? "", heard: "", decision: index < listenFrom ? "speak" : "listen" },
  }));
  return { turns: turns as unknown as Performance["turns"], turnMs: 200, played, sampleRate };
}

function oneCase(row: string, onsetMs: number, endMs: number, text: string): BehaviourCase {
  const events = [{ key: "greet", text: "hello", voice: "test", heldPhrasing: false, onsetMs, endMs }];
  return { id: row, row, noise: "clean", durationMs: 10_000, events, expected: { text }, wav: "" };
}

describe("score", () => {
  it("measures latency from the end of the user's last word to the first sound", () => {
    const result = score(oneCase("take", 500, 1000, "hello"), performance([[1350, 1800]], { 5: "hello" }));
    expect(result).toMatchObject({ took: true, early: false, right: true, latencyMs: 350 });
  });

  it("judges a text that was handed over by whether it is said whole, and how long after the floor was free", () => {
    const told = { ...oneCase("told", 1000, 2000, "it is twelve"), told: { text: "It is 12.", atMs: 1500 } };
    const sound: [number, number][] = [
      [2350, 2700],
      [3500, 4200],
    ];
    const said = { 11: "let me look", 16: "it is", 17: "twelve" };
    expect(score(told, performance(sound, said))).toMatchObject({ right: true, inQuiet: true, waitedMs: 800 });
    expect(score(told, performance(sound, { ...said, 17: "thirteen" }))).toMatchObject({ right: false });
    const never = score(told, performance(sound.slice(0, 1), { 11: "let me look" }));
    expect(never).toMatchObject({ right: false });
    expect(never.inQuiet).toBeUndefined();
    // The same while the user still speaks: begun at once, in the middle of the user's sentence.
    const into = score(told, performance([[1800, 2600]], { 8: "it is", 9: "twelve" }));
    expect(into).toMatchObject({ right: true, inQuiet: false, waitedMs: 300 });
  });

  it("does not count a reply that began before the user had finished as a take-over", () => {
    const result = score(oneCase("wait", 500, 3000, "hello"), performance([[1350, 1800]], { 5: "hello" }));
    expect(result).toMatchObject({ took: false, early: true });
    expect(result.latencyMs).toBeUndefined();
  });

  it("measures a yield from the onset to the silence that lasts, and judges the words after it only", () => {
    const sound: [number, number][] = [
      [500, 1700],
      [1900, 2450],
      [4000, 4400],
    ];
    const result = score(
      oneCase("yield-stop", 2000, 2300, "okay"),
      performance(sound, { 3: "once upon", 18: "okay" }, 11),
    );
    expect(result).toMatchObject({ wasSpeaking: true, yieldMs: 450, yieldAfterEndMs: 150, right: true });
  });

  it("takes the gap between two numbers of a count for no silence, and who counts for somebody who speaks", () => {
    const count: [number, number][] = [
      [1000, 1350],
      [1800, 2150],
      [2600, 2950],
      [3400, 3750],
    ];
    const said = { 4: "one", 8: "two", 12: "three", 16: "four" };
    // "stop" falls into a gap; it listens from 3000 on, when "three" has been heard
    const stopped = score(oneCase("yield-stop", 2600, 2900, ""), performance(count.slice(0, 3), said, 15));
    expect(stopped).toMatchObject({ wasSpeaking: true, yieldMs: 350 });
    const ignored = score(oneCase("yield-stop", 2200, 2500, ""), performance(count, said));
    expect(ignored).toMatchObject({ wasSpeaking: true, yieldMs: 1550 });
    const late = score(oneCase("yield-stop", 2200, 2500, ""), performance(count, said, 17));
    expect(late.yieldMs).toBe(1550);
    const held = score(oneCase("hold", 2590, 2900, "one two three four"), performance(count, said));
    expect(held).toMatchObject({ wasSpeaking: true, right: true });
  });

  it("judges what a delegation carries by the words that the user said", () => {
    const one = oneCase("out-of-domain", 500, 1000, "let me look");
    const foreign = { ...one, events: [{ ...one.events[0], text: "how deep, is the ocean" }] };
    const handed = (...tasks: string[]) => {
      const played = performance([[1350, 1800]], { 5: "let me look" });
      tasks.forEach((task, i) => {
        Object.assign(played.turns[5 + i].output, { delegation: { task } });
      });
      return score(foreign, played);
    };
    const whole = { delegated: true, words: 5, wholeRequest: true, unknownWords: 0 };
    expect(handed("how deep is the ocean")).toMatchObject({ ...whole, wordErrors: 0 });
    expect(handed("um how deep is", "the ocean")).toMatchObject({ ...whole, wordErrors: 1 });
    const lacking = { wholeRequest: false, wordErrors: 2 };
    expect(handed("how [?] is the [?]")).toMatchObject({ ...lacking, unknownWords: 2 });
    expect(handed("how is the motion")).toMatchObject({ ...lacking, unknownWords: 0 });
    expect(handed("")).toMatchObject({ wholeRequest: false, wordErrors: 5 });
    const none = handed();
    expect(none).toMatchObject({ delegated: false });
    expect(none.wordErrors).toBeUndefined();
  });

  it("calls any sound in a recording without a request a false alarm", () => {
    expect(score(oneCase("silence", 0, 0, ""), performance([[100, 200]], {}))).toMatchObject({ falseAlarm: true });
    expect(score(oneCase("silence", 0, 0, ""), performance([], {}))).toMatchObject({ falseAlarm: false });
  });
});

/** The user speaks in these stretches (ms). */
function told(row: string, spans: [number, number][], expected: BehaviourCase["expected"]): BehaviourCase {
  const one = oneCase(row, 0, 0, "");
  return { ...one, expected, events: spans.map(([onsetMs, endMs]) => ({ ...one.events[0], onsetMs, endMs })) };
}

describe("score of what goes on for a while", () => {
  it("judges a correction by what is said after it", () => {
    const one = told(
      "correct",
      [
        [500, 1500],
        [2000, 3000],
      ],
      { text: "two plus four is six" },
    );
    const said = { 9: "two plus", 16: "two plus", 19: "four is six" };
    expect(score(one, performance([], said))).toMatchObject({ right: true, talkedInto: false });
    expect(score(one, performance([[1800, 2400]], said)).talkedInto).toBe(false);
    expect(score(one, performance([[1800, 2800]], said)).talkedInto).toBe(true);
    expect(score(one, performance([], { ...said, 15: "three" })).right).toBe(false);
  });

  it("counts words of listening in the pauses of a story, those that come too soon, and those said into a sentence", () => {
    const story: [number, number][] = [
      [500, 1000],
      [2000, 3500],
      [4000, 6000],
      [7000, 7500],
    ];
    const one = told("aloud", story, { text: "that is a nice story" });
    const said = { 6: "okay", 17: "uh huh", 39: "that is a nice story" };
    const heard = (more: [number, number][], words = {}) =>
      score(one, performance([[1400, 1700], ...more, [8000, 9500]], { ...said, ...words }));
    const fine = { aloud: 1, intoSentence: false, tookTurn: false, tooOften: false, right: true };
    expect(heard([[3700, 4100]])).toMatchObject(fine);
    expect(
      heard([
        [3700, 4100],
        [6200, 6500],
      ]),
    ).toMatchObject({ ...fine, aloud: 2, tooOften: true });
    expect(heard([[4700, 5000]])).toMatchObject({ ...fine, aloud: 0, intoSentence: true });
    expect(heard([[3700, 4100]], { 25: "hello" })).toMatchObject({ ...fine, tookTurn: true });
  });

  it("judges elapsed time by what is said and heard after the question", () => {
    const one = told(
      "elapsed",
      [
        [500, 1000],
        [4000, 4800],
      ],
      { text: "three seconds" },
    );
    expect(
      score(
        one,
        performance(
          [
            [1400, 1700],
            [5100, 5800],
          ],
          { 6: "okay", 24: "three seconds" },
        ),
      ).right,
    ).toBe(true);
    expect(
      score(
        one,
        performance(
          [
            [1400, 1700],
            [3100, 3800],
          ],
          { 6: "okay", 14: "three seconds" },
        ),
      ).right,
    ).toBe(false);
  });

  it("puts a case under the phrasing and the voice of the request that is judged", () => {
    const every = told(
      "every",
      [
        [500, 1000],
        [4000, 4800],
      ],
      { text: "okay" },
    );
    const [first, second] = every.events;
    const events = [
      { ...first, voice: "asked", heldPhrasing: true },
      { ...second, voice: "stopped" },
    ];
    expect(score({ ...every, events }, performance([], {}))).toMatchObject({ voice: "asked", heldPhrasing: true });
    expect(score({ ...every, row: "take", events }, performance([], {}))).toMatchObject({
      voice: "stopped",
      heldPhrasing: false,
    });
    const people = { ...first, voice: "an4:fcaw" };
    const story = { ...every, row: "aloud-human", events: [events[0], people, events[1]] };
    expect(score(story, performance([], {}))).toMatchObject({ voice: "an4:fcaw", heldPhrasing: false });
    for (const row of ["hold-aside", "hold-cough", "hold-television"]) {
      expect(score({ ...every, row, events }, performance([], {})).voice, row).toBe("asked");
    }
  });

  it("measures every counted jump from when it is seen, and a number without a jump is a false alarm", () => {
    const one = told(
      "jumps",
      [
        [500, 1000],
        [6000, 6300],
      ],
      { text: "okay one two okay", jumpsMs: [2600, 4000] },
    );
    const texts = { 6: "okay", 13: "one", 20: "two", 33: "okay" };
    const sounds = (second: number) =>
      [
        [1400, 1700],
        [2880, 3200],
        [second, second + 300],
        [6700, 7000],
      ] as [number, number][];
    expect(score(one, performance(sounds(4290), texts))).toMatchObject({
      right: true,
      lagsMs: [280, 290],
      falseAlarm: false,
    });
    const astray = { right: false, falseAlarm: true, words: 2, wordErrors: 1, lagsMs: [280] };
    expect(score(one, performance(sounds(5000), texts))).toMatchObject(astray);
    expect(score(one, performance(sounds(3700), texts))).toMatchObject(astray);
    const late = score(one, performance(sounds(5800), texts)); // into the "stop"
    expect(late).toMatchObject(astray);
    const missed = score(one, performance(sounds(4290), { 6: "okay", 13: "one", 33: "okay" }));
    expect(missed.right).toBe(false);
  });

  it("measures the lag of every echo from the end of its word", () => {
    const one = told(
      "echo",
      [
        [500, 1000],
        [2000, 2400],
        [2900, 3300],
      ],
      { text: "okay one two" },
    );
    const sound: [number, number][] = [
      [1300, 1600],
      [2800, 3100],
      [3900, 4200],
    ];
    expect(score(one, performance(sound, { 6: "okay", 13: "one", 18: "two" }))).toMatchObject({
      right: true,
      lagsMs: [400, 600],
    });
    expect(score(one, performance(sound, { 6: "okay", 13: "one" }))).toMatchObject({
      words: 3,
      wordErrors: 1,
      lagsMs: [],
    });
  });

  it("measures every beat against when it was due", () => {
    const one = told(
      "every",
      [
        [500, 1000],
        [7000, 7300],
      ],
      { text: "okay now now okay", everyMs: 2000, dueMs: 4000 },
    );
    const sound: [number, number][] = [
      [1300, 1600],
      [4050, 4300],
      [5900, 6200],
      [7700, 8000],
    ];
    const said = { 6: "okay", 19: "now", 29: "now", 38: "okay" };
    expect(score(one, performance(sound, said))).toMatchObject({ right: true, errorsMs: [50, -100] });
    const person = score({ ...one, row: "every-human" }, performance(sound, said));
    expect(person).toMatchObject({ row: "every-human", right: true, errorsMs: [50, -100] });
  });
});

describe("stretches", () => {
  it("joins sound over gaps shorter than 120 ms", () => {
    const { played } = performance(
      [
        [100, 200],
        [280, 400],
        [600, 700],
      ],
      {},
    );
    expect(stretches(played, sampleRate)).toEqual([
      { startMs: 100, endMs: 400 },
      { startMs: 600, endMs: 700 },
    ]);
  });
});

describe("wordErrors", () => {
  it("counts insertions, deletions and substitutions", () => {
    expect(wordErrors(["a", "b", "c"], ["a", "x", "c", "d"])).toBe(2);
    expect(wordErrors([], ["a"])).toBe(1);
    expect(wordErrors(["a", "b"], [])).toBe(2);
  });
});
