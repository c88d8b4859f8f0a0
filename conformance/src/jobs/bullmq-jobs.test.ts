// BullMQ on a Redis of its own, with workers in processes that are killed, held to the contract of job queues.

import { afterAll, beforeAll } from "vitest";
import { buildWorkers, bullmqQueue, type Workers } from "./bullmq-queue.js";
import { describeJobQueue } from "./job-queue-suite.js";
import { type PrivateRedis, redisMissing, startRedis } from "./private-redis.js";

const skip = redisMissing();
let redis: PrivateRedis;
let workers: Workers;

beforeAll(async () => {
  if (skip !== undefined) return;
  redis = await startRedis();
  workers = await buildWorkers();
});

afterAll(async () => {
  await workers?.close();
  await redis?.stop();
});

describeJobQueue(
  bullmqQueue(
    () => redis.url,
    () => workers,
  ),
  { skip },
);
