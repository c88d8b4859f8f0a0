import { expect, test } from "vitest";
import type { Score } from "./score.js";
import { markdown, summary, table } from "./table.js";

const take = (id: number, more: Partial<Score>): Score => ({
  ...{ id: `take-${id}`, row: "take", noise: "clean", voice: "flite:rms", heldPhrasing: false, said: "", heard: "" },
  delegated: false,
  ...more,
});

const scores: readonly Score[] = [
  take(0, { right: true, took: true, early: false, latencyMs: 200 }),
  take(1, { right: false, took: true, early: false, latencyMs: 400, noise: "10dB" }),
  take(2, { right: false, took: false, early: true, heldPhrasing: true }),
  take(3, { right: true, took: true, early: false, latencyMs: 300, voice: "kokoro:af_nova" }),
];

test("a behaviour has a row over everything and one for each condition that is not everything", () => {
  const rows = table(scores);
  expect(rows.map(({ condition, count }) => [condition, count])).toEqual([
    ["all", 4],
    ["clean", 3],
    ["10dB", 1],
    ["held-out phrasings", 1],
    ["natural voices", 1],
  ]);
  expect(rows[0].figures).toEqual({
    "take-over": 0.75,
    latency: { medianMs: 300, p90Ms: 400 },
    "too early": 0.25,
    "right reply": 0.5,
    "delegated needlessly": 0,
  });
});

test("a row whose every case is of one kind is not shown twice", () => {
  expect(table(scores.slice(2, 3)).map((row) => row.condition)).toEqual(["all", "clean"]);
});

test("the table says shares in percent and says where there was nothing to measure", () => {
  const lines = markdown(table(scores)).split("\n");
  expect(lines[2]).toBe(
    "| **take** | all | 4 | take-over 75.0 %, latency median / p90 300 / 400 ms, too early 25.0 %, right reply 50.0 %, delegated needlessly 0.0 % |",
  );
  expect(lines[5]).toContain("| held-out phrasings | 1 | take-over 0.0 %, latency none,");
});

test("false alarms are a share of the cases in which something is awaited", () => {
  const color = (more: Partial<Score>) => take(0, { row: "color", right: true, ...more });
  const [all] = table([color({}), color({}), color({ falseAlarm: true }), color({ falseAlarm: false })]);
  expect(all.figures["false alarms"]).toBe(0.5);
});

test("times of yielding leave out cases in which nobody was speaking", () => {
  const yields = (speaking: boolean, yieldMs?: number): Score =>
    take(0, {
      row: "yield-stop",
      wasSpeaking: speaking,
      right: speaking,
      ...(yieldMs === undefined ? {} : { yieldMs }),
    });
  const [all] = table([yields(true, 320), yields(true, 480), yields(false, 5)]);
  expect(all.figures["silence from onset"]).toEqual({ medianMs: 480, p90Ms: 480 });
  expect(all.figures["was speaking"]).toBeCloseTo(2 / 3);
});

test("word error rate counts words, not recordings", () => {
  const heard = (words: number, wordErrors: number): Score => take(0, { row: "transcript", words, wordErrors });
  expect(table([heard(9, 0), heard(1, 1)])[0].figures["word error rate"]).toBeCloseTo(0.1);
});

test("an echo is judged by its words, and by its lag where all of them are right", () => {
  const echo = (more: Partial<Score>): Score => take(0, { row: "echo", words: 5, wordErrors: 0, right: true, ...more });
  const [all] = table([echo({ lagsMs: [300, 500] }), echo({ wordErrors: 1, right: false, lagsMs: [] })]);
  expect(all.figures).toEqual({
    "words repeated": 0.9,
    "all of them": 0.5,
    lag: { medianMs: 500, p90Ms: 500 },
  });
});

test("listening aloud has its own figures, and what is foreign is to be delegated", () => {
  const aloud = (aloud: number, more: Partial<Score> = {}): Score => take(0, { row: "aloud", aloud, ...more });
  const [all] = table([aloud(2), aloud(1, { tooOften: true }), aloud(0, { tookTurn: true, right: true }), aloud(1)]);
  expect(all.figures).toEqual({
    "heard in pauses": 0.75,
    "into a sentence": 0,
    "more than once in 4 s": 0.25,
    "took the turn": 0.25,
    "then right reply": 0.25,
  });
  expect(table([take(0, { row: "out-of-domain", delegated: true })])[0].figures).toMatchObject({ delegated: 1 });
});

test("what a delegation carries is judged where one came: its words, those unknown, and whether all are there", () => {
  const foreign = (more: Partial<Score>): Score => take(0, { row: "out-of-domain-human", ...more });
  const carries = (wordErrors: number, unknownWords: number) =>
    foreign({ delegated: true, words: 6, wordErrors, unknownWords, wholeRequest: wordErrors === 0 });
  const [all] = table([carries(0, 0), carries(3, 2), carries(1, 0), foreign({})]);
  expect(all.figures).toMatchObject({
    delegated: 0.75,
    "word error rate of requests": 4 / 18,
    "unknown words among the errors": 0.5,
    "requests with all words": 1 / 3,
  });
  const [none] = table([foreign({})]);
  expect(none.figures["word error rate of requests"]).toBeUndefined();
  expect(none.figures["requests with all words"]).toBeUndefined();
});

test("a row of people, or with fillers, has the figures of its behaviour", () => {
  const names = (row: string) => Object.keys(table([take(0, { row })])[0].figures);
  for (const row of [
    "wait",
    "yield-barge",
    "yield-stop",
    "hold",
    "hold-told",
    "yield-told",
    "aloud",
    "echo",
    "every",
  ]) {
    expect(names(`${row}-human`), row).toEqual(names(row));
  }
  expect(names("wait-filler")).toEqual(names("wait"));
});

test("a manifest gets the rows over everything, with their counts", () => {
  const { take: row } = summary(table(scores));
  expect(row).toMatchObject({ cases: 4, "take-over": 0.75, latency: { medianMs: 300, p90Ms: 400 } });
});
