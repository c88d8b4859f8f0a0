// Work asked for at random: alone and together, of functions that fail, hang or take their time, while the user talks and the
// connection breaks. Whatever happens, each is done once and answered once.

import type { DeliveryPolicy } from "@microturn/core";
import { expect } from "vitest";
import type { Check } from "../check.js";
import { withBench } from "./answer-checks.js";
import type { BackgroundBench } from "./background-bench.js";
import type { BackgroundContext } from "./background-suite.js";
import type { Ask } from "./service-under-test.js";

const rounds = 12;
const policies: readonly DeliveryPolicy[] = ["now", "when-quiet", "silent", { dropIfStaleMs: 1500 }];

export const randomChecks: readonly Check<BackgroundContext>[] = [1, 2, 3].map((seed) => ({
  name: `does each thing once and answers it once, whatever happens, seed ${seed}`,
  run: (context) => withBench(context, options(seed), (bench) => talk(context, bench, seed)),
}));

/** Some calls are allowed; and each answer enters as chance has it. */
function options(seed: number) {
  const random = randomBy(seed + 100);
  return {
    approve: () => random() < 0.5,
    deliver: () => policies[Math.floor(random() * policies.length)],
  };
}

async function talk({ engine }: BackgroundContext, bench: BackgroundBench, seed: number): Promise<void> {
  const { together, afterLoss, waits } = engine.abilities;
  const random = randomBy(seed);
  const upTo = (most: number) => 1 + Math.floor(random() * most);
  const asked = new Map<string, Ask>();
  /** Asked for over a connection that is gone, before or after it was answered. */
  const forgotten = new Set<string>();
  let count = 0;
  for (let round = 0; round < rounds; round++) {
    const asks = Array.from({ length: together ? upTo(3) : 1 }, () => anyAsk(random, ++count));
    const ids = bench.ask(...asks);
    for (const [place, id] of ids.entries()) asked.set(id, asks[place]);
    // In words it is told once the user has said them; other words would go with them.
    if (!together) await bench.until("it is told", () => ids.every((id) => bench.asked.has(id)));
    await bench.turns(upTo(5), random() < 0.5 ? "so" : undefined);
    for (const run of bench.runs) if (random() < 0.3) run.release(`${JSON.stringify(run.arguments)} is done.`);
    if (afterLoss !== undefined && random() < 0.2) {
      for (const id of asked.keys()) if (afterLoss === "words" || !bench.asked.has(id)) forgotten.add(id);
      await bench.service.lose();
    }
  }
  await bench.until("all is over", () => {
    for (const run of bench.runs) run.release("At last.");
    return (
      bench.background.running.length === 0 && [...asked.keys()].every((id) => bench.asked.has(id) || forgotten.has(id))
    );
  });
  await bench.turns(12);

  for (const [id, ask] of asked) {
    const runs = bench.made.filter((one) => JSON.stringify(one) === JSON.stringify(ask)).length;
    const answers = bench.answersTo(id).length;
    const what = `${id} ${JSON.stringify(ask)}`;
    if (ask.name === "pay") expect(runs, `runs of ${what}`).toBeLessThanOrEqual(1);
    else expect(runs, `runs of ${what}`).toBe(bench.asked.has(id) ? 1 : 0);
    if (!waits) continue;
    if (forgotten.has(id)) expect(answers, `answers to ${what}`).toBeLessThanOrEqual(1);
    else expect(answers, `answers to ${what}`).toBe(1);
  }
  expect(bench.late).toBe(0);
}

/** No two are the same. */
function anyAsk(random: () => number, count: number): Ask {
  const key = `k${count}`;
  const all: readonly Ask[] = [
    { name: "weather", arguments: { city: key } },
    { name: "slow", arguments: { key } },
    { name: "slow", arguments: { key } },
    { name: "fail", arguments: { key } },
    { name: "hang", arguments: { key } },
    { name: "pay", arguments: { euros: count } },
  ];
  return all[Math.floor(random() * all.length)];
}

/** Numbers in 0 … 1, the same for the same seed; a linear congruential generator with the constants of Numerical Recipes. */
function randomBy(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (Math.imul(1664525, state) + 1013904223) >>> 0;
    return state / 2 ** 32;
  };
}
