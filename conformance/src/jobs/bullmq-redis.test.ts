// What only jobs on Redis can suffer: connections that break, a Redis that is away, and what is left in it.

import { randomUUID } from "node:crypto";
import { inspect } from "node:util";
import { DuplexError } from "@microturn/core";
import type { JobEvent, JobHandler, JobQueue, LoggedEvent } from "@microturn/tools";
import { type BullmqJobsOptions, type BullmqWorkerOptions, bullmqJobs, bullmqWorker } from "@microturn/tools/bullmq";
import { afterAll, afterEach, beforeAll, describe, expect, test } from "vitest";
import { bullmqId, JobStore } from "../../../packages/tools/src/bullmq/job-store.js";
import { RedisLink } from "../../../packages/tools/src/bullmq/redis-link.js";
import { settles } from "../check.js";
import { freePort, type PrivateRedis, redisMissing, startRedis } from "./private-redis.js";
import { scriptedJob } from "./scripted-handler.js";

const skip = redisMissing();
const nothing = scriptedJob("nothing", { chunks: 0 });
const done: JobEvent = { type: "end", outcome: "done" };

describe.skipIf(skip !== undefined)(`jobs on Redis${skip === undefined ? "" : ` (skipped: ${skip})`}`, () => {
  let redis: PrivateRedis;
  const open: { close(): Promise<void> }[] = [];

  beforeAll(async () => {
    redis = await startRedis();
  });
  afterEach(async () => {
    redis.resume();
    await Promise.all(open.splice(0).map((one) => one.close()));
    await redis.admin.flushall();
  });
  afterAll(() => redis?.stop());

  function jobs(options: Partial<BullmqJobsOptions> = {}): JobQueue {
    const queue = bullmqJobs({ connection: redis.url, ...options });
    open.push(queue);
    return queue;
  }

  function worker(handler: JobHandler, options: Partial<BullmqWorkerOptions> = {}) {
    const running = bullmqWorker({ connection: redis.url, handler, lockMs: 1000, stalledMs: 300, ...options });
    open.push(running);
    return running;
  }

  test("every event comes once and in order while the connections of all break again and again", async () => {
    const chunks = 400;
    let tries = 0;
    worker(
      async ({ log, append }) => {
        tries++;
        for (let index = log.length; index < chunks; index++) {
          await append({ type: "delta", text: String(index) });
          if (index % 10 === 0) await new Promise((resolve) => setTimeout(resolve, 5));
        }
        await append(done);
      },
      { lockMs: 10_000 },
    );
    const warnings: Error[] = [];
    const warn = (warning: Error) => warnings.push(warning);
    process.on("warning", warn);
    const queue = jobs();
    await queue.submit(nothing);
    let breaks = 0;
    const breaking = setInterval(() => {
      breaks++;
      redis.admin.client("KILL", "TYPE", breaks % 2 === 0 ? "normal" : "pubsub", "SKIPME", "yes");
    }, 60);
    try {
      const logs = await Promise.all([1, 2, 3].map(() => whole(queue, "nothing")));
      const expected = [
        ...Array.from({ length: chunks }, (_, index) => ({ type: "delta", text: String(index) })),
        done,
      ];
      for (const log of logs) expect(log).toEqual(expected.map((event, index) => ({ index, event })));
      expect(breaks).toBeGreaterThan(3);
      expect(tries).toBe(1);
    } finally {
      clearInterval(breaking);
      process.off("warning", warn);
    }
    expect(warnings).toEqual([]);
  });

  test("submit and send fail in time where there is no Redis, and say where, why, and no password", async () => {
    const port = await freePort();
    const queue = jobs({ connection: `redis://somebody:hush-hush@127.0.0.1:${port}`, submitMs: 300, maxAwayMs: 300 });
    const approve = { type: "approve", call: "pay" } as const;
    const calls = [queue.submit(nothing), queue.send("nothing", approve), whole(queue, "nothing")];
    for (const error of await Promise.all(calls.map(failure))) {
      expect(error.code).toBe("BACKGROUND_FAILED");
      expect(error.message).toContain(`127.0.0.1:${port}`);
      expect(inspect(error, { depth: 9 })).toContain("ECONNREFUSED");
      expect(inspect(error, { depth: 9 })).not.toContain("hush-hush");
    }
  });

  test("a wrong password is told without the password", async () => {
    const locked = await startRedis({ password: "right-one" });
    try {
      const queue = jobs({
        connection: { host: "127.0.0.1", port: locked.port, password: "wrong-one" },
        submitMs: 500,
      });
      const error = await failure(queue.submit(nothing));
      expect(error.code).toBe("BACKGROUND_FAILED");
      expect(inspect(error, { depth: 9 })).toContain("WRONGPASS");
      expect(inspect(error, { depth: 9 })).not.toContain("wrong-one");
    } finally {
      await locked.stop();
    }
  });

  test("a job is kept that was submitted while Redis was away for less than the limit", async () => {
    const queue = jobs();
    await queue.send("warm up", { type: "approve", call: "pay" });
    redis.pause();
    const submitted = queue.submit(nothing);
    setTimeout(() => redis.resume(), 300);
    await submitted;
    worker(({ append }) => append(done));
    expect(await whole(queue, "nothing")).toEqual([{ index: 0, event: done }]);
  });

  test("a try stops when Redis has not been reached for as long as its lock holds, and another follows", async () => {
    const queue = jobs();
    const stopped = new Promise<unknown>((resolve) => {
      worker(async ({ attempt, signal, append }) => {
        if (attempt > 1) return append(done);
        redis.pause();
        signal.addEventListener("abort", () => {
          redis.resume();
          resolve(signal.reason);
        });
        await append({ type: "delta", text: "into the void" });
      });
    });
    await queue.submit(nothing);
    expect(await settles("the signal", stopped, 10_000)).toMatchObject({ code: "ABORTED" });
    expect((await whole(queue, "nothing")).at(-1)?.event).toEqual(done);
  });

  test("a job waits for a worker, and its follower with it", async () => {
    const queue = jobs();
    await queue.submit(nothing);
    const leaving = new AbortController();
    const left = expect(whole(queue, "nothing", leaving.signal)).rejects.toThrow("no longer");
    const followed = whole(queue, "nothing");
    leaving.abort(new Error("no longer"));
    await left;
    worker(({ append }) => append(done));
    expect(await followed).toEqual([{ index: 0, event: done }]);
  });

  test("a worker that closes gives its jobs to another at once, and that costs no try", async () => {
    const queue = jobs();
    const first = worker(
      async ({ append, signal }) => {
        await append({ type: "delta", text: "begun" });
        await new Promise((_, reject) => signal.addEventListener("abort", () => reject(signal.reason)));
      },
      { attempts: 1, lockMs: 60_000, stalledMs: 60_000 },
    );
    await queue.submit(nothing);
    for await (const { event } of queue.follow("nothing")) if (event.type === "delta") break;
    await settles("close", first.close(), 3000);
    worker(
      ({ append, log, attempt }) => append({ type: "end", outcome: "failed", error: `${log.length} ${attempt}` }),
      {
        attempts: 1,
      },
    );
    expect((await settles("the log", whole(queue, "nothing"), 5000)).at(-1)?.event).toEqual({
      ...{ type: "end", outcome: "failed", error: "1 2" },
    });
  });

  test("a worker closes in time while Redis stands still, and one that never reached it closes as well", async () => {
    const stuck = worker(({ append }) => append(done));
    await stuck.ready;
    redis.pause();
    await settles("close", stuck.close(), 15_000);
    const errors: string[] = [];
    const lost = worker(({ append }) => append(done), {
      connection: `redis://127.0.0.1:${await freePort()}`,
      onError: ({ message }) => errors.push(message),
    });
    await until("it is told", async () => errors.length > 0);
    expect(errors).toEqual([expect.stringContaining("cannot be reached")]);
    await settles("close", lost.close(), 15_000);
    expect((await failure(lost.ready)).code).toBe("SESSION_CLOSED");
  });

  test("a log that grows too long fails its job without another try", async () => {
    const queue = jobs();
    let tries = 0;
    const handler: JobHandler = async ({ append }) => {
      tries++;
      for (;;) await append({ type: "delta", text: "and so on" });
    };
    worker(handler, { maxEvents: 50 });
    await queue.submit(nothing);
    const log = await whole(queue, "nothing");
    expect(log).toHaveLength(51);
    expect(log.at(-1)?.event).toMatchObject({ outcome: "failed", error: expect.stringContaining("50 events") });
    expect(tries).toBe(1);
  });

  test("nothing of a job is in Redis when it has been over for keepMs, nor ever in BullMQ's own records", async () => {
    const queue = jobs({ keepMs: 400 });
    const words = "a secret that the user told";
    const errors: string[] = [];
    worker(
      async ({ append, attempt }) => {
        await append({ type: "delta", text: words });
        if (attempt === 1) throw new Error(words);
        await append(done);
      },
      { retryDelayMs: 10, onError: ({ message }) => errors.push(message) },
    );
    const job = { ...nothing, delegation: { id: "d", task: words } };
    await queue.submit(job);
    await queue.send("nothing", { type: "reject", call: "pay", reason: words });
    expect(await whole(queue, "nothing")).toHaveLength(3);
    expect(errors).toEqual([expect.stringContaining('job "nothing": try 1 failed')]);
    expect((await failure(queue.follow("never was")[Symbol.asyncIterator]().next())).code).toBe("BACKGROUND_FAILED");
    const holders = [...(await contents(redis)).entries()].filter(([, text]) => text.includes("secret"));
    expect(holders.map(([key]) => key)).toEqual([expect.stringMatching(/microturn-jobs:job-nothing:log$/)]);
    await until(
      "it is forgotten",
      async () => ![...(await contents(redis)).keys()].some((key) => key.includes("job-nothing")),
    );
    expect(inspect([...(await contents(redis)).values()])).not.toContain("secret");
    expect((await failure(whole(queue, "nothing"))).code).toBe("BACKGROUND_FAILED");
  });

  test("a job that lost its data with Redis is not known, instead of waited for", async () => {
    const queue = jobs();
    await queue.submit(nothing);
    const followed = failure(whole(queue, "nothing"));
    await until("it is followed", async () => (await redis.admin.pubsub("CHANNELS")).length === 1);
    await redis.admin.flushall();
    expect((await followed).code).toBe("BACKGROUND_FAILED");
  });

  test("nothing is connected to Redis when queue and worker are closed", async () => {
    const queue = jobs();
    const running = worker(({ append }) => append(done));
    await queue.submit(nothing);
    await whole(queue, "nothing");
    expect(await connections(redis)).toBeGreaterThan(3);
    await Promise.all([queue.close(), running.close(), running.close()]);
    await until("all are gone", async () => (await connections(redis)) === 1);
  });

  describe("the store", () => {
    const limits = { maxEvents: 10, maxLogChars: 1000 };
    const limit = { limitMs: 5000 };

    function store(): JobStore {
      const link = new RedisLink(redis.url);
      open.push({ close: async () => link.close() });
      return new JobStore(link, "bull", "microturn");
    }

    async function begun(jobStore: JobStore, token = "token") {
      await redis.admin.set(`bull:microturn:${bullmqId("nothing")}:lock`, token);
      const fence = randomUUID();
      const answer = await jobStore.begin("nothing", token, fence, limit);
      return { fence, answer };
    }

    test("lets nobody append but the last who began, and nobody begin but who has the lock", async () => {
      const jobStore = store();
      await jobStore.submit(nothing, 60_000, 60_000, limit);
      const first = await begun(jobStore);
      expect(first.answer).toMatchObject({ attempt: 1, spent: 1, count: 0 });
      const text = JSON.stringify({ type: "delta", text: "one" });
      const event = { place: 0, text, isEnd: false, limits };
      expect(await jobStore.append("nothing", { ...event, fence: first.fence }, limit)).toBe("kept");
      const second = await begun(jobStore, "another token");
      expect(second.answer).toMatchObject({ attempt: 2, spent: 2, count: 1 });
      expect(await jobStore.begin("nothing", "token", first.fence, limit)).toBe("fenced");
      expect(await jobStore.append("nothing", { ...event, place: 1, fence: first.fence }, limit)).toBe("fenced");
      expect(await jobStore.append("nothing", { ...event, place: 1, fence: second.fence }, limit)).toBe("kept");
    });

    test("keeps once what is sent twice, also the end", async () => {
      const jobStore = store();
      await jobStore.submit(nothing, 60_000, 60_000, limit);
      const { fence } = await begun(jobStore);
      expect(await jobStore.begin("nothing", "token", fence, limit)).toMatchObject({ attempt: 1, spent: 1 });
      const delta = { fence, place: 0, text: JSON.stringify({ type: "delta", text: "one" }), isEnd: false, limits };
      const end = { ...delta, place: 1, text: JSON.stringify(done), isEnd: true };
      for (const event of [delta, delta, end, end, delta]) {
        expect(await jobStore.append("nothing", event, limit)).toBe("kept");
      }
      expect(await jobStore.append("nothing", { ...delta, place: 2 }, limit)).toBe("over");
      const { events, over } = await jobStore.read("nothing", 0, limit);
      expect(events.map(({ event }) => event.type)).toEqual(["delta", "end"]);
      expect(over).toBe(true);
    });

    test("ends a job that was taken out of BullMQ, and no other", async () => {
      const queue = jobs();
      const jobStore = store();
      await queue.submit(nothing);
      const state = `bull:microturn:microturn-jobs:${bullmqId("nothing")}:state`;
      await redis.admin.hset(state, "created", 0);
      await jobStore.endIfAbandoned("nothing", limit);
      expect((await jobStore.read("nothing", 0, limit)).events).toEqual([]);
      await redis.admin.del(`bull:microturn:${bullmqId("nothing")}`);
      await jobStore.endIfAbandoned("nothing", limit);
      expect((await whole(queue, "nothing")).map(({ event }) => event)).toEqual([
        { type: "end", outcome: "failed", error: expect.stringContaining("taken out of its queue") },
      ]);
    });

    test("notices that a log has lost events", async () => {
      const jobStore = store();
      await jobStore.submit(nothing, 60_000, 60_000, limit);
      const { fence } = await begun(jobStore);
      const text = JSON.stringify({ type: "delta", text: "one" });
      await jobStore.append("nothing", { fence, place: 0, text, isEnd: false, limits }, limit);
      await redis.admin.del(`bull:microturn:microturn-jobs:${bullmqId("nothing")}:log`);
      expect((await failure(jobStore.read("nothing", 0, limit))).message).toContain("noeviction");
    });
  });
});

async function whole(queue: JobQueue, id: string, signal?: AbortSignal): Promise<LoggedEvent[]> {
  const log: LoggedEvent[] = [];
  for await (const logged of queue.follow(id, signal === undefined ? {} : { signal })) log.push(logged);
  return log;
}

async function failure(promise: Promise<unknown>): Promise<DuplexError> {
  const error = await promise.then(
    () => undefined,
    (caught: unknown) => caught,
  );
  if (!DuplexError.is(error)) throw new Error(`expected a DuplexError, got ${inspect(error)}`);
  return error;
}

async function until(what: string, holds: () => Promise<boolean>): Promise<void> {
  const untilMs = performance.now() + 10_000;
  while (!(await holds())) {
    if (performance.now() > untilMs) throw new Error(`"${what}" did not come true`);
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}

async function connections({ admin }: PrivateRedis): Promise<number> {
  return String(await admin.client("LIST"))
    .trim()
    .split("\n").length;
}

/** All that is in Redis, as text by key. */
async function contents({ admin }: PrivateRedis): Promise<Map<string, string>> {
  const found = new Map<string, string>();
  for (const key of await admin.keys("*")) {
    const dump = await admin.dumpBuffer(key);
    const readable: Record<string, () => Promise<unknown>> = {
      string: () => admin.get(key),
      hash: () => admin.hgetall(key),
      list: () => admin.lrange(key, 0, -1),
      set: () => admin.smembers(key),
      zset: () => admin.zrange(key, 0, -1),
      stream: () => admin.xrange(key, "-", "+"),
    };
    const type = await admin.type(key);
    if (dump !== null) found.set(key, JSON.stringify(await (readable[type] as () => Promise<unknown>)()));
  }
  return found;
}
