// The suite of job queues, turned on itself: for each check, a queue with a defect that the check must find.

import { DuplexError } from "@microturn/core";
import type { JobEvent, JobQueue, JobRun, LoggedEvent } from "@microturn/tools";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { jobQueueChecks, limitQueueWaits } from "./job-queue-suite.js";
import { localQueue } from "./local-queue.js";
import type { QueueUnderTest } from "./queue-under-test.js";

interface Defect {
  readonly name: string;
  /** Beginnings of the names of checks that must find it. */
  readonly foundBy: readonly string[];
  /** What stands between the suite and the queue. */
  readonly between?: (queue: JobQueue) => JobQueue;
  /** What stands between the handler and its try. */
  readonly run?: (run: JobRun) => JobRun;
  readonly durable?: boolean;
}

type Follow = JobQueue["follow"];

/** A queue whose logs are read through something. */
function reading(change: (follow: Follow) => Follow): (queue: JobQueue) => JobQueue {
  return (queue) => ({ ...methods(queue), follow: change(queue.follow.bind(queue)) });
}

function methods(queue: JobQueue): JobQueue {
  return {
    submit: (job) => queue.submit(job),
    follow: (id, options) => queue.follow(id, options),
    send: (id, message) => queue.send(id, message),
    close: () => queue.close(),
  };
}

/** What follow gives, changed event by event. */
function each(change: (logged: LoggedEvent) => readonly LoggedEvent[]): (queue: JobQueue) => JobQueue {
  return reading(
    (follow) =>
      async function* (id, options) {
        for await (const logged of follow(id, options)) yield* change(logged);
      },
  );
}

const everyLog = [
  "does a job once",
  "gives every follower",
  "carries events of a megabyte",
  "carries any text",
  "does 200 jobs",
];

const defects: readonly Defect[] = [
  { name: "gives an event twice", foundBy: everyLog, between: each((logged) => [logged, logged]) },
  {
    name: "loses a chunk",
    foundBy: everyLog,
    between: each((logged) =>
      logged.event.type === "delta" && logged.event.text.startsWith("chunk 0") ? [] : [logged],
    ),
  },
  {
    name: "runs a job again that is over",
    foundBy: ["takes a job with an id"],
    between: (queue) => {
      const renamed = new Map<string, string>();
      const name = (id: string) => renamed.get(id) ?? id;
      return {
        ...methods(queue),
        async submit(job) {
          if (renamed.has(job.id)) renamed.set(job.id, `${name(job.id)}'`);
          else renamed.set(job.id, job.id);
          await queue.submit({ ...job, id: name(job.id) });
        },
        follow: (id, options) => queue.follow(name(id), options),
        send: (id, message) => queue.send(name(id), message),
      };
    },
  },
  {
    name: "follows from the beginning in any case",
    foundBy: ["follows from any place"],
    between: reading(
      (follow) =>
        (id, { signal } = {}) =>
          follow(id, signal === undefined ? {} : { signal }),
    ),
  },
  {
    name: "ends quietly when the signal fires",
    foundBy: ["stops following"],
    between: reading(
      (follow) =>
        async function* (id, options) {
          try {
            yield* follow(id, options);
          } catch (error) {
            if (!options?.signal?.aborted) throw error;
          }
        },
    ),
  },
  {
    name: "has an empty log for a job that nobody knows",
    foundBy: ["says that a job is not known"],
    between: reading(
      (follow) =>
        async function* (id, options) {
          try {
            yield* follow(id, options);
          } catch (error) {
            if (!DuplexError.is(error, "BACKGROUND_FAILED")) throw error;
          }
        },
    ),
  },
  {
    name: "gives a later try an empty log",
    foundBy: ["goes on from the log"],
    run: (run) => ({ ...run, log: [] }),
  },
  {
    name: "keeps events a while after it says so",
    foundBy: ["has every event after a crash"],
    run: (run) => {
      const waiting: JobEvent[] = [];
      return {
        ...run,
        async append(event) {
          waiting.push(event);
          // Whenever it crashes, some have not been kept yet.
          const late = event.type === "end" ? 0 : 3;
          for (const one of waiting.splice(0, waiting.length - late)) await run.append(one);
        },
      };
    },
  },
  {
    name: "lets a try append that was taken over",
    foundBy: ["refuses what a try appends"],
    run: (run) => ({ ...run, append: (event) => run.append(event).catch(() => {}) }),
  },
  {
    name: "tells only what is sent while somebody listens",
    foundBy: ["tells a job that it is cancelled", "tells a job that it is superseded", "tells a job what was approved"],
    run: (run) => ({
      ...run,
      onMessage(listener) {
        let listens = false;
        setTimeout(() => {
          listens = true;
        }, 1);
        return run.onMessage((message) => listens && listener(message));
      },
    }),
  },
  {
    name: "hides why it failed",
    foundBy: ["ends a job as failed when its tries", "ends a job as failed when its handler"],
    between: each(({ index, event }) => [
      { index, event: event.type === "end" && event.outcome === "failed" ? { ...event, error: "failed" } : event },
    ]),
  },
  {
    name: "never gives up",
    foundBy: ["ends a job as failed when every worker"],
    between: each((logged) => (logged.event.type === "end" && logged.event.outcome === "failed" ? [] : [logged])),
  },
  {
    name: "takes events after the end",
    foundBy: ["takes nothing after the end"],
    run: (run) => ({ ...run, append: (event) => run.append(event).catch(() => {}) }),
  },
  {
    name: "cuts long events",
    foundBy: ["carries events of a megabyte"],
    run: (run) => ({
      ...run,
      append: (event) => run.append(event.type === "delta" ? { ...event, text: event.text.slice(0, 65_536) } : event),
    }),
  },
  {
    name: "takes no id with a colon",
    foundBy: ["carries any text"],
    between: (queue) => ({
      ...methods(queue),
      async submit(job) {
        if (job.id.includes(":")) throw new Error("Custom Id cannot contain :");
        await queue.submit(job);
      },
    }),
  },
  {
    name: "leaves followers waiting when it closes",
    foundBy: ["refuses everything once"],
    between: reading(
      (follow) =>
        async function* (id, options) {
          try {
            yield* follow(id, options);
          } catch (error) {
            if (DuplexError.is(error, "SESSION_CLOSED")) await new Promise(() => {});
            throw error;
          }
        },
    ),
  },
  { name: "says that it is durable and is not", foundBy: ["goes on with its jobs"], durable: true },
];

function subject({ between, run, durable = false }: Defect): QueueUnderTest {
  return { ...localQueue(between, run), durable };
}

describe("the suite of job queues", () => {
  beforeAll(() => limitQueueWaits(300));
  afterAll(() => limitQueueWaits(30_000));

  test.each(defects.flatMap((defect) => defect.foundBy.map((name) => ({ ...defect, check: name }))))(
    "finds a queue that $name: $check",
    async ({ check: name, ...defect }) => {
      const check = jobQueueChecks.find((candidate) => candidate.name.startsWith(name));
      if (check === undefined) throw new Error(`no check is named "${name}…"`);
      const skip = (reason: string) => {
        throw new Error(`skipped: ${reason}`);
      };
      await expect(check.run({ subject: subject({ ...defect, foundBy: [] }), skip })).rejects.toThrow(/^(?!skipped)/);
    },
  );

  test("has a defect for every check", () => {
    const proven = defects.flatMap(({ foundBy }) => foundBy);
    const unproven = jobQueueChecks.filter(({ name }) => !proven.some((start) => name.startsWith(start)));
    expect(unproven.map(({ name }) => name)).toEqual([]);
  });
});
