import { DuplexError } from "@microturn/core";
import { codeOf, FakeClock, settled } from "@microturn/core/testing";
import { describe, expect, test } from "vitest";
import type { Job, JobEvent, JobHandler, JobQueue } from "./job.js";
import { type LocalJobsOptions, localJobs } from "./local-jobs.js";

const done: JobEvent = { type: "end", outcome: "done" };
const quick: JobHandler = ({ append }) => append(done);

function job(id: string, task = "do it"): Job {
  const context = { entries: [], leftOut: 0, images: [], underWay: [] };
  return { id, conversation: "c", delegation: { id, task }, context };
}

async function whole(queue: JobQueue, id: string): Promise<JobEvent[]> {
  const log: JobEvent[] = [];
  for await (const { event } of queue.follow(id)) log.push(event);
  return log;
}

describe("jobs in this process", () => {
  test("are forgotten when they have been over for keepMs, and not before", async () => {
    const clock = new FakeClock();
    const queue = localJobs(quick, { keepMs: 1000, clock });
    await queue.submit(job("one"));
    await whole(queue, "one");
    await clock.advance(999);
    expect(await whole(queue, "one")).toEqual([done]);
    await clock.advance(1);
    const error = await whole(queue, "one").catch((caught: unknown) => caught);
    expect(DuplexError.is(error, "BACKGROUND_FAILED") && error.message).toContain("1000 ms ago");
    await queue.submit(job("one"));
    expect(await whole(queue, "one")).toEqual([done]);
    expect(clock.pending).toBe(0);
  });

  test("make room for new ones, the oldest that is over first, and refuse those that find none", async () => {
    const clock = new FakeClock();
    const queue = localJobs(
      async (run) => {
        if (run.job.delegation.task === "wait") {
          await new Promise<unknown>((resolve) => {
            run.onMessage(resolve);
            run.signal.addEventListener("abort", resolve);
          });
        }
        await run.append(done);
      },
      { maxJobs: 3, clock },
    );
    await queue.submit(job("runs", "wait"));
    for (const id of ["a", "b", "c"]) {
      await queue.submit(job(id));
      await whole(queue, id);
      await clock.advance(1);
    }
    expect(await codeOf(whole(queue, "a"))).toBe("BACKGROUND_FAILED");
    expect(await whole(queue, "b")).toEqual([done]);
    await queue.submit(job("d", "wait"));
    await queue.submit(job("e", "wait"));
    expect(await codeOf(queue.submit(job("f")))).toBe("BACKGROUND_FAILED");
    await queue.submit(job("runs"));
    await queue.send("runs", { type: "approve", call: "c" });
    expect(await whole(queue, "runs")).toEqual([done]);
    await queue.submit(job("f"));
    await queue.close();
  });

  test("are tried again after a pause that is doubled each time", async () => {
    const clock = new FakeClock();
    const times: number[] = [];
    const errors: string[] = [];
    const queue = localJobs(
      async () => {
        times.push(clock.now());
        throw new Error("not today");
      },
      { attempts: 4, retryDelayMs: 100, clock, onError: ({ message }) => errors.push(message) },
    );
    await queue.submit(job("one"));
    await clock.advance(10_000);
    expect(times).toEqual([0, 100, 300, 700]);
    expect(errors).toEqual([1, 2, 3, 4].map((attempt) => `job "one": try ${attempt} failed: not today`));
    expect(await whole(queue, "one")).toEqual([
      { type: "end", outcome: "failed", error: "not today (try 4, the last)" },
    ]);
  });

  test.each<[string, Partial<LocalJobsOptions>]>([
    ["events", { maxEvents: 20 }],
    ["characters", { maxLogChars: 20 * JSON.stringify({ type: "delta", text: "more" }).length }],
  ])("fail without another try when their log has too many %s", async (_, limits) => {
    let tries = 0;
    const codes: string[] = [];
    const queue = localJobs(
      async ({ append }) => {
        tries++;
        for (let index = 0; index < 30; index++) codes.push(await codeOf(append({ type: "delta", text: "more" })));
      },
      { ...limits, retryDelayMs: 0 },
    );
    await queue.submit(job("runaway"));
    const log = await whole(queue, "runaway");
    expect(log).toHaveLength(21);
    expect(log.at(-1)).toMatchObject({ outcome: "failed", error: expect.stringContaining("the log of the job") });
    expect(codes).toEqual([...Array(20).fill("none"), ...Array(10).fill("BACKGROUND_FAILED")]);
    expect(tries).toBe(1);
  });

  test("keep their end also when the log is full", async () => {
    const queue = localJobs(
      async ({ append }) => {
        await append({ type: "delta", text: "one" });
        await codeOf(append({ type: "delta", text: "two" }));
        await append(done);
      },
      { maxEvents: 1 },
    );
    await queue.submit(job("full"));
    expect(await whole(queue, "full")).toEqual([{ type: "delta", text: "one" }, done]);
  });

  test("keep what was appended and submitted as it was then", async () => {
    const given = { ...job("kept"), delegation: { id: "kept", task: "t", arguments: { city: "Rome" } } };
    const seen: unknown[] = [];
    const queue = localJobs(async ({ job, append }) => {
      await settled();
      seen.push(job.delegation.arguments);
      const event = { type: "step" as const, messages: [{ role: "assistant" }] };
      await append(event);
      event.messages.push({ role: "tool" });
      await append(done);
    });
    await queue.submit(given);
    given.delegation.arguments.city = "Paris";
    const first = await whole(queue, "kept");
    (first[0] as unknown as { messages: unknown[] }).messages.push("changed by a reader");
    expect((await whole(queue, "kept"))[0]).toEqual({ type: "step", messages: [{ role: "assistant" }] });
    expect(seen).toEqual([{ city: "Rome" }]);
  });

  test("stop when the queue is closed: the signal fires, appends are refused, and nothing is tried again", async () => {
    const clock = new FakeClock();
    let tries = 0;
    let refused = "";
    const queue = localJobs(
      async ({ signal, append }) => {
        tries++;
        await new Promise((resolve) => signal.addEventListener("abort", resolve));
        expect(signal.reason).toMatchObject({ code: "ABORTED" });
        refused = await codeOf(append(done));
        throw signal.reason;
      },
      { clock },
    );
    await queue.submit(job("one"));
    await settled();
    await queue.close();
    await clock.advance(60_000);
    expect({ tries, refused, pending: clock.pending }).toEqual({ tries: 1, refused: "ABORTED", pending: 0 });
  });

  test("do not keep the queue from closing when their handler ignores its signal", async () => {
    const clock = new FakeClock();
    const queue = localJobs(() => new Promise(() => {}), { clock });
    await queue.submit(job("deaf"));
    await settled();
    const closed = queue.close();
    await clock.advance(2000);
    await closed;
  });

  test("fail when a listener of their messages throws", async () => {
    const queue = localJobs(
      async (run) => {
        run.onMessage(() => {
          throw new Error("cannot hear");
        });
        await new Promise((_, reject) => run.signal.addEventListener("abort", () => reject(run.signal.reason)));
      },
      { attempts: 1 },
    );
    await queue.submit(job("one"));
    await queue.send("one", { type: "approve", call: "c" });
    expect(await whole(queue, "one")).toEqual([{ type: "end", outcome: "failed", error: "cannot hear" }]);
  });

  test("tell every listener every message once, in order, until it stops listening", async () => {
    const heard: string[] = [];
    const queue = localJobs(async (run) => {
      const stop = run.onMessage((message) => message.type === "approve" && heard.push(`first ${message.call}`));
      await settled();
      stop();
      await new Promise<void>((resolve) => {
        run.onMessage((message) => {
          if (message.type !== "approve") return;
          heard.push(`second ${message.call}`);
          if (message.call === "3") resolve();
        });
      });
      await run.append(done);
    });
    await queue.submit(job("one"));
    await queue.send("one", { type: "approve", call: "1" });
    await queue.send("one", { type: "approve", call: "2" });
    await settled();
    await queue.send("one", { type: "approve", call: "3" });
    await whole(queue, "one");
    expect(heard).toEqual(["first 1", "first 2", "second 1", "second 2", "second 3"]);
  });

  test("refuse messages when they have been sent too many", async () => {
    const queue = localJobs(() => new Promise(() => {}), { clock: new FakeClock() });
    await queue.submit(job("one"));
    const message = { type: "reject", call: "c", reason: "no" } as const;
    for (let sent = 0; sent < 10_000; sent++) await queue.send("one", message);
    expect(await codeOf(queue.send("one", message))).toBe("BACKGROUND_FAILED");
  });

  test("are followed and appended to by many at once without a warning", async () => {
    const warnings: Error[] = [];
    const warn = (warning: Error) => warnings.push(warning);
    process.on("warning", warn);
    const queue = localJobs(async ({ append }) => {
      await Promise.all(Array.from({ length: 20 }, (_, index) => append({ type: "delta", text: String(index) })));
      await settled();
      await append(done);
    });
    await queue.submit(job("one"));
    const { signal } = new AbortController();
    const counts = Array.from({ length: 20 }, async () => {
      let count = 0;
      for await (const _ of queue.follow("one", { signal })) count++;
      return count;
    });
    expect(await Promise.all(counts)).toEqual(Array(20).fill(21));
    await settled();
    process.off("warning", warn);
    expect(warnings).toEqual([]);
  });

  test("refuse options and events that make no sense", async () => {
    for (const options of [{ attempts: 0 }, { keepMs: -1 }, { maxJobs: 0.5 }, { maxEvents: Number.NaN }]) {
      expect(() => localJobs(quick, options)).toThrow(RangeError);
    }
    let thrown: unknown;
    const queue = localJobs(async ({ append }) => {
      const circle: unknown[] = [];
      circle.push(circle);
      thrown = await append({ type: "step", messages: circle }).catch((error: unknown) => error);
      await append(done);
    });
    await queue.submit(job("one"));
    expect(await whole(queue, "one")).toEqual([done]);
    expect(thrown).toBeInstanceOf(TypeError);
  });
});
