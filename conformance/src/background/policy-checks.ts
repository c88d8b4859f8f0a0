// When an answer enters, and what becomes of it when the user speaks on, when it is too old, and when the connection breaks.

import { expect } from "vitest";
import type { Check } from "../check.js";
import { expectAnswer, withBench } from "./answer-checks.js";
import type { BackgroundContext } from "./background-suite.js";

const slow = (key: string) => ({ name: "slow", arguments: { key } });
const weather = (city: string) => ({ name: "weather", arguments: { city } });

export const policyChecks: readonly Check<BackgroundContext>[] = [
  {
    name: "now: answers while the user speaks",
    run: (context) =>
      withBench(context, { deliver: "now" }, async (bench) => {
        const [id] = bench.ask(slow("a"));
        await bench.until("it runs", () => bench.runs.length === 1);
        await bench.turns(2, "so");
        bench.runs[0].release("Done.");
        await bench.turns(5, "on");
        expectAnswer(context, bench.answersTo(id), "Done.");
      }),
  },
  {
    name: "when-quiet: waits until the user has stopped",
    run: (context) =>
      withBench(context, { deliver: "when-quiet" }, async (bench) => {
        const [id] = bench.ask(slow("a"));
        await bench.until("it runs", () => bench.runs.length === 1);
        await bench.turns(2, "so");
        bench.runs[0].release("Done.");
        await bench.turns(20, "on");
        expect(bench.service.answers).toEqual([]);
        await bench.until("the answer", () => bench.service.answers.length > 0, 12);
        await bench.turns(6);
        expectAnswer(context, bench.answersTo(id), "Done.");
      }),
  },
  {
    name: "silent: is known, and not spoken about",
    run: (context) =>
      withBench(context, { deliver: "silent" }, async (bench) => {
        const { silences, reads } = context.engine.abilities;
        const [id] = bench.ask(weather("Rome"));
        await bench.until("it is over", () => bench.told.some((one) => one.startsWith("background-end")));
        await bench.turns(8);
        if (!reads) {
          // Nobody can be told without hearing it.
          expect(bench.service.answers).toEqual([]);
          expect(bench.lost).toEqual(["unsupported: Rain in Rome."]);
          return;
        }
        expectAnswer(context, bench.answersTo(id), "Rain in Rome.");
        if (silences) expect(bench.service.goneOn).toBe(0);
      }),
  },
  {
    name: "dropIfStaleMs: keeps back what is too old, and does not leave the service waiting for it",
    run: (context) =>
      withBench(context, { deliver: { dropIfStaleMs: 1000 } }, async (bench) => {
        const { waits, silences } = context.engine.abilities;
        const [id] = bench.ask(slow("a"));
        await bench.until("it runs", () => bench.runs.length === 1);
        await bench.turns(2, "so");
        bench.runs[0].release("Yesterday's news.");
        await bench.turns(10, "on");
        await bench.turns(10);
        expect(bench.said).not.toContain("Yesterday");
        expect(bench.lost).toEqual(["stale: Yesterday's news."]);
        if (waits) expectAnswer(context, bench.answersTo(id), /too late/);
        else expect(bench.answersTo(id).join(" ")).not.toContain("Yesterday");
        if (silences) expect(bench.service.goneOn).toBe(0);
        const [fresh] = bench.ask(weather("Rome"));
        await bench.until("what is fresh", () => bench.answersTo(fresh).length > 0);
        expectAnswer(context, bench.answersTo(fresh), "Rain in Rome.");
      }),
  },
  {
    name: "answers calls that came together, of which one has become too old",
    run: (context) =>
      withBench(
        context,
        {
          deliver: ({ arguments: given }) =>
            (given as { key?: string })?.key === "a" ? { dropIfStaleMs: 1000 } : "now",
        },
        async (bench) => {
          const { functions, together, batches } = context.engine.abilities;
          if (!functions || !together) context.skip("the service does not call several functions at a time");
          const ids = bench.ask(slow("a"), slow("b"));
          await bench.until("both run", () => bench.runs.length === 2);
          await bench.turns(2, "so");
          bench.runs[0].release("old");
          await bench.turns(10, "on");
          bench.runs[1].release("new");
          await bench.until("both answers", () => bench.service.answers.length === 2);
          await bench.turns(6);
          expectAnswer(context, bench.answersTo(ids[0]), /too late/);
          expectAnswer(context, bench.answersTo(ids[1]), "new");
          if (batches) expect(bench.service.goneOn).toBe(1);
        },
      ),
  },
  {
    name: "runs nothing for a call that the service has taken back before anybody heard of it",
    run: (context) =>
      withBench(context, {}, async (bench) => {
        if (!context.engine.abilities.cancels) context.skip("the service wants every answer");
        const [first, second] = bench.ask(slow("a"), slow("b"));
        bench.service.cancel([second]);
        await bench.until("the first runs", () => bench.runs.length === 1);
        await bench.turns(4);
        bench.runs[0].release("Done.");
        await bench.until("its answer", () => bench.answersTo(first).length > 0);
        await bench.turns(6);
        expectAnswer(context, bench.answersTo(first), "Done.");
        expect([bench.made, bench.service.answers.length]).toEqual([[slow("a")], 1]);
      }),
  },
  {
    name: "ends the function of a call that the service takes back, and does not answer it",
    run: (context) =>
      withBench(context, {}, async (bench) => {
        if (!context.engine.abilities.cancels) context.skip("the service wants every answer");
        const [first, second] = bench.ask(slow("a"), slow("b"));
        await bench.until("both run", () => bench.runs.length === 2);
        bench.service.cancel([first]);
        await bench.turns(4);
        expect(bench.runs.map(({ context }) => context.abortSignal.aborted)).toEqual([true, false]);
        bench.runs[1].release("Done.");
        await bench.until("the other answer", () => bench.service.answers.length > 0);
        await bench.turns(6);
        expect(bench.answersTo(first)).toEqual([]);
        expectAnswer(context, bench.answersTo(second), "Done.");
      }),
  },
  {
    name: "gives a result back once when the connection breaks in the middle of the call",
    run: (context) =>
      withBench(context, {}, async (bench) => {
        const { afterLoss } = context.engine.abilities;
        if (afterLoss === undefined) context.skip("there is no connection");
        const [early] = bench.ask(weather("Oslo"));
        await bench.until("an answer before", () => bench.answersTo(early).length > 0);
        await bench.turns(3);
        const [id] = bench.ask(slow("a"));
        await bench.until("it runs", () => bench.runs.length === 2);
        await bench.service.lose();
        await bench.turns(3);
        bench.runs[1].release("Snow by noon.");
        await bench.until("the answer", () => bench.said.includes("Snow by noon."));
        await bench.turns(8);
        expect(bench.said.match(/Snow by noon/g)).toHaveLength(1);
        expect(bench.made).toHaveLength(2);
        // What was answered before is not answered again.
        expectAnswer(context, bench.answersTo(early), "Rain in Oslo.");
        if (afterLoss === "call") expectAnswer(context, bench.answersTo(id), "Snow by noon.");
        else {
          expect(bench.answersTo(id)).toEqual([]);
          // In words that say what it is of.
          if (context.engine.abilities.waits)
            expect(bench.answersTo(undefined).join(" ")).toMatch(/(^|\s)\[?result of /i);
        }
      }),
  },
  {
    name: "gives a result back that was on the line when the connection broke, once",
    run: (context) =>
      withBench(context, {}, async (bench) => {
        const { afterLoss, recalls } = context.engine.abilities;
        if (afterLoss === undefined) context.skip("there is no connection");
        if (!recalls) context.skip("the conversation itself is lost with the connection");
        const [id] = bench.ask(slow("a"));
        await bench.until("it runs", () => bench.runs.length === 1);
        await bench.turns(3);
        const come = () => (afterLoss === "call" ? bench.answersTo(id).join(" ") : bench.service.known);
        bench.service.pause();
        bench.runs[0].release("Snow by noon.");
        await bench.unread(3);
        expect(come()).not.toContain("Snow");
        await bench.service.lose();
        await bench.until("it is known", () => come().includes("Snow by noon."));
        await bench.turns(10);
        expect(come().match(/Snow by noon/g)).toHaveLength(1);
        expect(bench.runs).toHaveLength(1);
      }),
  },
  {
    name: "gives no result twice when the connection breaks after it",
    run: (context) =>
      withBench(context, {}, async (bench) => {
        if (context.engine.abilities.afterLoss !== "call") context.skip("another connection knows of no calls");
        const ids = bench.ask(weather("Rome"), weather("Oslo"));
        await bench.until("the answers", () => bench.service.answers.length === 2);
        await bench.turns(3);
        await bench.service.lose();
        await bench.turns(12);
        expect(bench.answersTo(ids[0])).toEqual(["Rain in Rome."]);
        expect(bench.answersTo(ids[1])).toEqual(["Rain in Oslo."]);
        expect(bench.service.answers).toHaveLength(2);
      }),
  },
];
