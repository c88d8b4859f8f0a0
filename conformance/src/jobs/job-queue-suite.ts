// What every queue of jobs must do: the suite behind the JobQueue contract of @microturn/tools.

import type { JobEvent, JobQueue, LoggedEvent } from "@microturn/tools";
import { describe, expect, test } from "vitest";
import { type Check, rejects, settles } from "../check.js";
import type { QueueBench, QueueOptions, QueueUnderTest } from "./queue-under-test.js";
import { chunkText, type Script, scriptedJob } from "./scripted-handler.js";

/** What a check works with. */
export interface QueueContext {
  readonly subject: QueueUnderTest;
  /** Ends the check as skipped, for what this queue does not do. */
  skip(reason: string): never;
}

/** Options of {@link describeJobQueue}. */
export interface JobQueueSuiteOptions {
  /** Why the suite cannot run here; its checks are then counted as skipped. */
  readonly skip?: string | undefined;
  /** Limit of each check, ms; default 60000. */
  readonly timeoutMs?: number;
}

/** Registers the suite with vitest. */
export function describeJobQueue(
  subject: QueueUnderTest,
  { skip, timeoutMs = 60_000 }: JobQueueSuiteOptions = {},
): void {
  const name = `job queue ${subject.name}${skip === undefined ? "" : ` (skipped: ${skip})`}`;
  describe.skipIf(skip !== undefined)(name, () => {
    for (const check of jobQueueChecks) {
      test(check.name, (task) => check.run({ subject, skip: (reason) => task.skip(reason) }), timeoutMs);
    }
  });
}

/** Every check of the suite. */
export const jobQueueChecks: readonly Check<QueueContext>[] = [
  {
    name: "does a job once and logs it in order, with its end last",
    run: (context) =>
      withQueue(context, {}, async ({ queue }) => {
        const script = { chunks: 5 };
        await queue.submit(scriptedJob("one", script));
        const log = await whole(queue, "one");
        expectLog(log, script, ["1"]);
        expect(log.at(-1)?.event).toEqual({ type: "end", outcome: "done" });
      }),
  },
  {
    name: "takes a job with an id that it knows for the same job, under way and when it is over",
    run: (context) =>
      withQueue(context, {}, async (bench) => {
        const { queue } = bench;
        const script = { chunks: 3, approveBefore: 1 };
        await Promise.all([1, 2, 3].map(() => queue.submit(scriptedJob("same", script))));
        await untilChunk(queue, "same", 0);
        await queue.submit(scriptedJob("same", { chunks: 7 }));
        await queue.send("same", { type: "approve", call: "pay" });
        expectLog(await whole(queue, "same"), script, ["1"]);
        await queue.submit(scriptedJob("same", { chunks: 7 }));
        await queue.submit(scriptedJob("next", { chunks: 0 }));
        await whole(queue, "next");
        expectLog(await whole(queue, "same"), script, ["1"]);
      }),
  },
  {
    name: "gives every follower each event once and in order, whenever it comes",
    run: (context) =>
      withQueue(context, {}, async ({ queue }) => {
        const script = { chunks: 40, approveBefore: 20 };
        await queue.submit(scriptedJob("read", script));
        const early = [1, 2, 3].map(() => whole(queue, "read"));
        await untilChunk(queue, "read", 19);
        const middle = [1, 2].map(() => whole(queue, "read"));
        await queue.send("read", { type: "approve", call: "pay" });
        const logs = await Promise.all([...early, ...middle]);
        logs.push(await whole(queue, "read"));
        for (const log of logs) expectLog(log, script, ["1"]);
      }),
  },
  {
    name: "follows from any place, also from behind the end",
    run: (context) =>
      withQueue(context, {}, async ({ queue }) => {
        await queue.submit(scriptedJob("from", { chunks: 4 }));
        const log = await whole(queue, "from");
        for (let from = 0; from <= log.length + 1; from++) {
          expect(await whole(queue, "from", { from }), `from ${from}`).toEqual(log.slice(from));
        }
        await rejects("from -1", whole(queue, "from", { from: -1 }), RangeError);
      }),
  },
  {
    name: "stops following when the signal fires, with its reason, while the job goes on",
    run: (context) =>
      withQueue(context, {}, async ({ queue }) => {
        const script = { chunks: 2, approveBefore: 1 };
        await queue.submit(scriptedJob("left", script));
        await untilChunk(queue, "left", 0);
        const leaving = new AbortController();
        const left = whole(queue, "left", { signal: leaving.signal });
        const gone = AbortSignal.abort(new Error("gone already"));
        await expect(whole(queue, "left", { signal: gone })).rejects.toThrow("gone already");
        leaving.abort(new Error("I leave"));
        await expect(left).rejects.toThrow("I leave");
        await queue.send("left", { type: "approve", call: "pay" });
        expectLog(await whole(queue, "left"), script, ["1"]);
      }),
  },
  {
    name: "says that a job is not known",
    run: (context) =>
      withQueue(context, {}, async ({ queue }) => {
        await rejects("following", whole(queue, "nobody"), "BACKGROUND_FAILED");
        await queue.send("nobody", { type: "approve", call: "pay" });
      }),
  },
  {
    name: "goes on from the log when the worker dies after chunk k, for every k",
    run: (context) =>
      withQueue(context, { attempts: 2 }, async (bench) => {
        const { queue } = bench;
        const scripts = [0, 1, 2, 3, 4, 5, 6].map((k) => ({ chunks: 6, pauseBefore: [k] }));
        await Promise.all(scripts.map((script, k) => queue.submit(scriptedJob(`dies ${k}`, script))));
        await until("all pause", () => bench.paused.size === scripts.length);
        const followed = scripts.map((_, k) => whole(queue, `dies ${k}`));
        await bench.crash();
        for (const [k, script] of scripts.entries()) {
          expectLog((await followed[k]) as LoggedEvent[], script, ["1", "2"]);
          expectLog(await whole(queue, `dies ${k}`), script, ["1", "2"]);
        }
      }),
  },
  {
    name: "has every event after a crash that was kept before it",
    run: (context) =>
      withQueue(context, { attempts: 2 }, async (bench) => {
        const { queue } = bench;
        const script = { chunks: 3000, tellsKept: true };
        await queue.submit(scriptedJob("torn", script));
        await until("it is under way", () => bench.told("torn").length > 20);
        await bench.crash();
        const before = [...bench.told("torn")];
        expect(before.length, "chunks before the crash").toBeLessThan(script.chunks);
        const log = await whole(queue, "torn");
        expectLog(log, script, ["1", "2"]);
        const again = log.findIndex(({ event }) => event.type === "progress" && event.text === "2");
        const first = log.slice(0, again).map(({ event }) => (event.type === "delta" ? event.text : ""));
        expect(before.filter((text) => !first.includes(text))).toEqual([]);
      }),
  },
  {
    name: "refuses what a try appends that was taken over",
    run: (context) =>
      withQueue(context, { attempts: 2 }, async (bench) => {
        const { queue } = bench;
        const script = { chunks: 4, pauseBefore: [2, 3], approveBefore: 4 };
        await queue.submit(scriptedJob("undead", script));
        await until("it pauses", () => bench.paused.has("undead"));
        await bench.freeze();
        await untilEvent(queue, "undead", ({ event }) => event.type === "progress" && event.text === "2");
        expect(await settles("append", bench.thaw("undead"))).toBe("ABORTED");
        await queue.send("undead", { type: "cancel", outcome: "cancelled", reason: "enough" });
        const log = await whole(queue, "undead");
        expect(texts(log)).toEqual([0, 1, 2].map((index) => chunkText(script, index)));
        expect(log.at(-1)?.event).toMatchObject({ type: "end", outcome: "cancelled" });
      }),
  },
  ...(["cancelled", "superseded"] as const).map(
    (outcome): Check<QueueContext> => ({
      name: `tells a job that it is ${outcome}: before it starts, while it runs, after a crash`,
      run: (context) =>
        withQueue(context, { attempts: 3, held: true }, async (bench) => {
          const { queue } = bench;
          const cancel = { type: "cancel", outcome, reason: "the user said so" } as const;
          await queue.submit(scriptedJob("early", { chunks: 3 }));
          await queue.send("early", cancel);
          await queue.submit(scriptedJob("running", { chunks: 3, pauseBefore: [2] }));
          await bench.work();
          await until("it pauses", () => bench.paused.has("running"));
          await queue.send("running", cancel);
          const end = { type: "end", outcome, error: "the user said so" };
          expect((await whole(queue, "early")).at(-1)?.event).toEqual(end);
          const log = await whole(queue, "running");
          expect(texts(log)).toHaveLength(2);
          expect(log.at(-1)?.event).toEqual(end);

          await queue.submit(scriptedJob("crashed", { chunks: 3, pauseBefore: [1, 2] }));
          await until("it pauses", () => bench.paused.has("crashed"));
          await bench.crash();
          await until("it pauses again", () => bench.paused.has("crashed"));
          await queue.send("crashed", cancel);
          expect((await whole(queue, "crashed")).at(-1)?.event).toEqual(end);
        }),
    }),
  ),
  {
    name: "tells a job what was approved: before it starts, while it runs, and again after a crash",
    run: (context) =>
      withQueue(context, { attempts: 2, held: true }, async (bench) => {
        const { queue } = bench;
        const approve = { type: "approve", call: "pay" } as const;
        const script = { chunks: 2, approveBefore: 1 };
        await queue.submit(scriptedJob("early", script));
        await queue.send("early", approve);
        await queue.submit(scriptedJob("running", script));
        await bench.work();
        expectLog(await whole(queue, "early"), script, ["1"]);
        await untilChunk(queue, "running", 0);
        await queue.send("running", { type: "approve", call: "another" });
        await queue.send("running", { type: "reject", call: "another", reason: "no" });
        await queue.send("running", approve);
        await queue.send("running", approve);
        expectLog(await whole(queue, "running"), script, ["1"]);

        const twice = { chunks: 3, pauseBefore: [1], approveBefore: 2 };
        await queue.submit(scriptedJob("crashed", twice));
        await until("it pauses", () => bench.paused.has("crashed"));
        await queue.send("crashed", approve);
        await bench.crash();
        expectLog(await whole(queue, "crashed"), twice, ["1", "2"]);
      }),
  },
  {
    name: "ends a job as failed when its tries are used up by errors, and says which",
    run: (context) =>
      withQueue(context, { attempts: 3 }, async ({ queue }) => {
        await queue.submit(scriptedJob("throws", { chunks: 3, throwBefore: [1, 2, 2] }));
        const log = await whole(queue, "throws");
        expect(tries(log)).toEqual(["1", "2", "3"]);
        expect(texts(log)).toHaveLength(2);
        expect(ends(log)).toEqual([
          { type: "end", outcome: "failed", error: expect.stringContaining("the script says so") },
        ]);
        await queue.submit(scriptedJob("recovers", { chunks: 3, throwBefore: [1, 2] }));
        expectLog(await whole(queue, "recovers"), { chunks: 3 }, ["1", "2", "3"]);
      }),
  },
  {
    name: "ends a job as failed when its handler returns without an end",
    run: (context) =>
      withQueue(context, { attempts: 2 }, async ({ queue }) => {
        await queue.submit(scriptedJob("endless", { chunks: 1, endless: true }));
        expect(ends(await whole(queue, "endless"))).toEqual([
          { type: "end", outcome: "failed", error: expect.stringContaining("without an `end`") },
        ]);
      }),
  },
  {
    name: "ends a job as failed when every worker that takes it dies",
    run: (context) =>
      withQueue(context, { attempts: 2 }, async (bench) => {
        const { queue } = bench;
        await queue.submit(scriptedJob("deadly", { chunks: 3, pauseBefore: [1, 1, 1] }));
        const followed = whole(queue, "deadly");
        for (const _ of [1, 2]) {
          await until("it pauses", () => bench.paused.has("deadly"));
          await bench.crash();
        }
        const log = await followed;
        expect(tries(log)).toEqual(["1", "2"]);
        expect(ends(log)).toEqual([{ type: "end", outcome: "failed", error: expect.any(String) }]);
      }),
  },
  {
    name: "takes nothing after the end",
    run: (context) =>
      withQueue(context, {}, async (bench) => {
        const script = { chunks: 1, appendsAfterEnd: true };
        await bench.queue.submit(scriptedJob("late", script));
        await until("it has told", () => bench.told("late").length > 0);
        expect(bench.told("late")).toEqual(["ABORTED"]);
        expectLog(await whole(bench.queue, "late"), script, ["1"]);
      }),
  },
  {
    name: "carries events of a megabyte",
    run: (context) =>
      withQueue(context, {}, async ({ queue }) => {
        const script = { chunks: 8, chunkChars: 1_000_000 };
        await queue.submit(scriptedJob("big", script));
        expectLog(await whole(queue, "big"), script, ["1"]);
      }),
  },
  {
    name: "carries any text, in ids as well",
    run: (context) =>
      withQueue(context, {}, async ({ queue }) => {
        for (const id of ["7", "a:b:c", "0:1", "{tag}", "naïve 🎈/%3A", "log"]) {
          await queue.submit(scriptedJob(id, { chunks: 1 }));
          expectLog(await whole(queue, id), { chunks: 1 }, ["1"]);
        }
      }),
  },
  {
    name: "does 200 jobs at once",
    run: (context) =>
      withQueue(context, {}, async ({ queue }) => {
        const script = { chunks: 3 };
        const ids = Array.from({ length: 200 }, (_, index) => `job ${index}`);
        await Promise.all(ids.map((id) => queue.submit(scriptedJob(id, script))));
        const logs = await Promise.all(ids.map((id) => whole(queue, id)));
        for (const log of logs) expectLog(log, script, ["1"]);
      }),
  },
  {
    name: "refuses everything once it is closed, and leaves no follower waiting",
    run: (context) =>
      withQueue(context, {}, async ({ queue }) => {
        await queue.submit(scriptedJob("open", { chunks: 2, approveBefore: 1 }));
        await untilChunk(queue, "open", 0);
        const followed = rejects("following", whole(queue, "open"), "SESSION_CLOSED");
        await settles("close", Promise.all([queue.close(), queue.close()]), 10_000);
        await followed;
        await settles("second close", queue.close(), 10_000);
        await rejects("following", whole(queue, "open"), "SESSION_CLOSED");
        await rejects("submit", queue.submit(scriptedJob("late", { chunks: 0 })), "SESSION_CLOSED");
        await rejects("send", queue.send("open", { type: "approve", call: "pay" }), "SESSION_CLOSED");
      }),
  },
  {
    name: "goes on with its jobs when the queue that they were submitted to is closed, if it is durable",
    async run(context) {
      if (!context.subject.durable) context.skip("its jobs end with the queue");
      await withQueue(context, {}, async (bench) => {
        const script = { chunks: 2, approveBefore: 1 };
        await bench.queue.submit(scriptedJob("survives", script));
        await untilChunk(bench.queue, "survives", 0);
        await bench.queue.close();
        const another = bench.another();
        const followed = whole(another, "survives");
        await another.send("survives", { type: "approve", call: "pay" });
        expectLog(await followed, script, ["1"]);
      });
    },
  },
];

async function withQueue(
  { subject }: QueueContext,
  options: Partial<QueueOptions>,
  run: (bench: QueueBench) => Promise<void>,
): Promise<void> {
  const bench = await subject.start({ attempts: 3, held: false, ...options });
  try {
    await run(bench);
  } finally {
    await bench.close();
  }
}

/** The log to its end. */
function whole(
  queue: JobQueue,
  id: string,
  options: { readonly from?: number; readonly signal?: AbortSignal } = {},
): Promise<LoggedEvent[]> {
  const read = async () => {
    const log: LoggedEvent[] = [];
    for await (const logged of queue.follow(id, options)) log.push(logged);
    return log;
  };
  const log = settles(`the log of ${id}`, read(), waitMs);
  log.catch(() => {}); // A check that fails before it looks at it has its own error.
  return log;
}

async function untilEvent(queue: JobQueue, id: string, is: (logged: LoggedEvent) => boolean): Promise<void> {
  const read = async () => {
    for await (const logged of queue.follow(id)) if (is(logged)) return;
    throw new Error(`${id} ended without the event that is waited for`);
  };
  await settles(`the event of ${id}`, read(), waitMs);
}

function untilChunk(queue: JobQueue, id: string, index: number): Promise<void> {
  return untilEvent(queue, id, ({ event }) => event.type === "delta" && event.text.startsWith(`chunk ${index} `));
}

let waitMs = 30_000;

/** How long a check waits for what must happen, ms. For tests of the suite itself, whose subjects do not do it. */
export function limitQueueWaits(ms: number): void {
  waitMs = ms;
}

async function until(what: string, holds: () => boolean): Promise<void> {
  const untilMs = performance.now() + waitMs;
  while (!holds()) {
    if (performance.now() > untilMs) throw new Error(`"${what}" did not come true within ${waitMs} ms`);
    await new Promise((resolve) => setTimeout(resolve, 2));
  }
}

/** Every chunk once and in order, at places without a gap, by these tries, with one end, the last. */
function expectLog(log: readonly LoggedEvent[], script: Script, attempts: readonly string[]): void {
  expect(log.map(({ index }) => index)).toEqual(log.map((_, index) => index));
  const expected = Array.from({ length: script.chunks }, (_, index) => chunkText(script, index));
  const got = texts(log);
  // Compared before it is printed: a diff of megabytes takes minutes.
  if (got.join("\n") !== expected.join("\n")) expect(got.map(short)).toEqual(expected.map(short));
  expect(got.length).toBe(expected.length);
  expect(tries(log)).toEqual(attempts);
  expect(ends(log)).toEqual([{ type: "end", outcome: "done" }]);
  expect(log.at(-1)?.event.type).toBe("end");
}

function short(text: string): string {
  return text.length < 60 ? text : `${text.slice(0, 40)}… of ${text.length}`;
}

function texts(log: readonly LoggedEvent[]): string[] {
  return log.flatMap(({ event }) => (event.type === "delta" ? [event.text] : []));
}

function tries(log: readonly LoggedEvent[]): string[] {
  return log.flatMap(({ event }) => (event.type === "progress" ? [event.text] : []));
}

function ends(log: readonly LoggedEvent[]): JobEvent[] {
  return log.flatMap(({ event }) => (event.type === "end" ? [event] : []));
}
