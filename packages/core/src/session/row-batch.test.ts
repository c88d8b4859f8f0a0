import { expect, it } from "vitest";
import type { TurnInput } from "../engine.js";
import { tinyModel } from "../testing/tiny-model.js";
import { localEngine } from "./local-engine.js";
import { scriptedBackend } from "./scripted-backend.js";

it("frees the row of a closed session while the others keep the device busy without a pause", async () => {
  const nextTask = () => new Promise<void>((resolve) => setImmediate(resolve));
  const backend = scriptedBackend(() => ({}), { delay: nextTask });
  const engine = localEngine({ model: tinyModel(), backend, maxSessions: 3 });
  const input = (index: number): TurnInput => ({
    ...{ index, turns: 1, audio: new Float32Array(3200), images: [], text: [] },
  });
  let busy = true;
  const sessions = [await engine.open(), await engine.open()];
  // Two that take turns: while one runs, the other hands in its next micro-turn.
  const talking = sessions.map(async (session, i) => {
    for (let n = 0; n < i; n++) await nextTask();
    let index = 0;
    while (busy && index < 500) await session.step(input(index++));
    return index;
  });
  const third = await engine.open();
  await third.step(input(0));
  await third.close();
  await expect(engine.open()).resolves.toBeDefined();
  busy = false;
  for (const steps of await Promise.all(talking)) expect(steps).toBeLessThan(500);
  await engine.close();
});

it("promises no equal bits on a backend that rounds otherwise in a run of some rows", async () => {
  const load = async (roundsOtherwise: number) => {
    const backend = scriptedBackend(() => ({ heard: [backend.runs.at(-1)?.length === roundsOtherwise ? 1 : 0] }));
    const engine = localEngine({ model: tinyModel(), backend, maxSessions: 3 });
    const { deterministic } = await engine.load();
    await engine.close();
    return deterministic;
  };
  expect(await load(0)).toBe(true);
  expect(await load(2)).toBe(false);
});
