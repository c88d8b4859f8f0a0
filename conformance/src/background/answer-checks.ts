// What is asked for is done once and answered once: calls that come together, slow ones, those that fail or wait to be allowed.

import { expect } from "vitest";
import type { Check } from "../check.js";
import { BackgroundBench, longText } from "./background-bench.js";
import type { BackgroundContext } from "./background-suite.js";

type Options = NonNullable<Parameters<typeof BackgroundBench.open>[1]>;

/** Runs a check with a session, and closes it; whatever is left then, or was refused, fails it too. */
export async function withBench(
  { engine }: BackgroundContext,
  options: Options,
  work: (bench: BackgroundBench) => Promise<void>,
): Promise<void> {
  const bench = await BackgroundBench.open(engine, options);
  try {
    await work(bench);
  } catch (error) {
    await bench.close().catch(() => {});
    throw error;
  }
  await bench.close();
}

/** Expects one answer: exactly one where the service waits for it; otherwise it may come in pieces. */
export function expectAnswer(
  { engine }: BackgroundContext,
  answers: readonly string[],
  expected: string | RegExp,
): void {
  if (engine.abilities.waits) expect(answers).toHaveLength(1);
  if (typeof expected === "string") expect(answers.join(" ")).toBe(expected);
  else expect(answers.join(" ")).toMatch(expected);
}

const slow = (key: string) => ({ name: "slow", arguments: { key } });
const weather = (city: string) => ({ name: "weather", arguments: { city } });

export const answerChecks: readonly Check<BackgroundContext>[] = [
  {
    name: "runs what is asked for once, with its arguments, and gives the result back by the name of the call",
    run: (context) =>
      withBench(context, {}, async (bench) => {
        const [id] = bench.ask(weather("Rome"));
        await bench.until("the answer", () => bench.service.answers.length > 0);
        await bench.turns(6);
        expect(bench.made).toEqual([weather("Rome")]);
        expectAnswer(context, bench.answersTo(id), "Rain in Rome.");
        expect(bench.service.answers).toHaveLength(1);
        expect(bench.told).toEqual(["tool-call running", "tool-result done", "background-end done"]);
        expect(bench.lost).toEqual([]);
      }),
  },
  ...(["in their order", "in the other order"] as const).map(
    (order): Check<BackgroundContext> => ({
      name: `answers calls that came together before the model goes on, once; they end ${order}`,
      run: (context) =>
        withBench(context, {}, async (bench) => {
          const { together, batches } = context.engine.abilities;
          if (!together) context.skip("the service asks for one thing at a time");
          const ids = bench.ask(slow("a"), slow("b"));
          await bench.until("both run", () => bench.runs.length === 2);
          const [first, second] = order === "in their order" ? [0, 1] : [1, 0];
          const run = (which: number) =>
            bench.runs.find((one) => (one.arguments as { key: string }).key === "ab"[which]);
          run(first)?.release("first");
          await bench.turns(6);
          if (batches) expect(bench.service.goneOn, "before all are answered").toBe(0);
          run(second)?.release("second");
          await bench.until("both answers", () => bench.service.answers.length === 2);
          await bench.turns(6);
          expectAnswer(context, bench.answersTo(ids[first]), "first");
          expectAnswer(context, bench.answersTo(ids[second]), "second");
          if (batches) expect(bench.service.goneOn, "once all are answered").toBe(1);
        }),
    }),
  ),
  {
    name: "goes on with the conversation while a function works, and answers what was asked meanwhile",
    run: (context) =>
      withBench(context, {}, async (bench) => {
        const [waits] = bench.ask(slow("a"));
        await bench.until("it runs", () => bench.runs.length === 1);
        await bench.turns(20, "and");
        await bench.turns(2);
        expect(bench.heard.match(/and/g)).toHaveLength(20);
        const [quick] = bench.ask(weather("Oslo"));
        await bench.until("the quick answer", () => bench.answersTo(quick).length > 0);
        expect(bench.answersTo(waits)).toEqual([]);
        await bench.turns(150);
        bench.runs[0].release("at last");
        await bench.until("the slow answer", () => bench.service.answers.length === 2);
        // An hour later nothing more has come of it.
        await bench.turns(10);
        expectAnswer(
          context,
          bench.service.answers.slice(-1).map(({ text }) => text),
          "at last",
        );
        expect(bench.service.answers).toHaveLength(2);
        expect([bench.late, bench.runs.length]).toEqual([0, 2]);
      }),
  },
  ...(
    [
      ["that fails", { name: "fail", arguments: { key: "a" } }, /no connection to the barometer/, 1],
      ["that hangs", { name: "hang", arguments: { key: "a" } }, /too long|no sign of life|nothing/, 1],
      ["that is called with arguments that do not fit", { name: "weather", arguments: { town: 5 } }, /arguments/, 0],
      ["that nobody allows", { name: "pay", arguments: { euros: 5 } }, /not for guests/, 0],
      ["that there is not", { name: "teleport", arguments: { to: "Rome" } }, /teleport/, 0],
    ] as const
  ).map(
    ([which, ask, words, runs]): Check<BackgroundContext> => ({
      name: `answers a function ${which} in words, so that the service does not wait`,
      run: (context) =>
        withBench(context, { approve: () => "not for guests" }, async (bench) => {
          const [id] = bench.ask(ask);
          await bench.until("the answer", () => bench.service.answers.length > 0);
          await bench.turns(6);
          expectAnswer(context, bench.answersTo(id), words);
          expect(bench.runs).toHaveLength(runs);
          // And it is there for the next one.
          const [next] = bench.ask(weather("Bonn"));
          await bench.until("the next answer", () => bench.answersTo(next).length > 0);
          expectAnswer(context, bench.answersTo(next), "Rain in Bonn.");
        }),
    }),
  ),
  {
    name: "does what cannot be undone once it is allowed, once, and not before",
    run: (context) =>
      withBench(context, {}, async (bench) => {
        const pay = { name: "pay", arguments: { euros: 5 } };
        const [id] = bench.ask(pay);
        await bench.until("it is asked for", () => bench.told.includes("tool-call awaiting-approval"));
        await bench.turns(10);
        expect([bench.runs.length, bench.service.answers.length]).toEqual([0, 0]);
        const [waiting] = bench.background.running.flatMap(({ awaitingApproval }) => awaitingApproval);
        expect(await bench.background.approve(waiting.call)).toBe(true);
        await bench.until("the answer", () => bench.service.answers.length > 0);
        await bench.turns(6);
        expectAnswer(context, bench.answersTo(id), "Paid.");
        expect(bench.made).toEqual([pay]);
      }),
  },
  {
    name: "ends what the application gives up, and does not leave the service waiting for it",
    run: (context) =>
      withBench(context, {}, async (bench) => {
        const [id] = bench.ask(slow("a"));
        await bench.until("it runs", () => bench.runs.length === 1);
        expect(await bench.background.cancel(id)).toBe(true);
        await bench.turns(6);
        expect(bench.runs[0].context.abortSignal.aborted).toBe(true);
        if (context.engine.abilities.waits) expectAnswer(context, bench.answersTo(id), /cancelled/);
        else expect(bench.service.answers).toEqual([]);
      }),
  },
  {
    name: "gives a long answer back whole, in pieces that the service takes",
    run: (context) =>
      withBench(context, {}, async (bench) => {
        const words = 4000;
        const [id] = bench.ask({ name: "long", arguments: { words } });
        await bench.until(
          "all of it",
          () =>
            bench
              .answersTo(id)
              .join(" ")
              .endsWith(`word${words - 1}.`),
          200,
        );
        await bench.turns(4);
        expectAnswer(context, bench.answersTo(id), longText(words));
        expect(bench.lost).toEqual([]);
      }),
  },
  {
    name: "gives data back as it is, whatever is in it",
    run: (context) =>
      withBench(context, {}, async (bench) => {
        if (!context.engine.abilities.functions) context.skip("the service asks in words, and gets words");
        const [id] = bench.ask(slow("a"));
        await bench.until("it runs", () => bench.runs.length === 1);
        const data = {
          ...{ token: "x".repeat(1500), list: "1,2,3,".repeat(200), prose: "One.  Two!\n\nThree? ".repeat(50) },
          ...{ nested: [[{ "a.b": null, "": -0.5 }]], other: "наука 科学。データ😀" },
        };
        bench.runs[0].release(data);
        await bench.until("the answer", () => bench.service.answers.length > 0);
        await bench.turns(4);
        expectAnswer(context, bench.answersTo(id), JSON.stringify(data));
      }),
  },
  {
    name: "ends what runs when the session does",
    run: (context) =>
      withBench(context, {}, async (bench) => {
        bench.ask(slow("a"));
        await bench.until("it runs", () => bench.runs.length === 1);
        await bench.session.close();
        expect(bench.runs[0].context.abortSignal.aborted).toBe(true);
      }),
  },
];
