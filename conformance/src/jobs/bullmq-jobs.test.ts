// BullMQ on a Redis of its own, with workers in processes that are killed, held to the contract of job queues.

import { afterAll, beforeAll } from "vitest";
import { buildWorkerProgram, bullmqQueue, type WorkerProgram } from "./bullmq-queue.js";
import { describeJobQueue } from "./job-queue-suite.js";
import { type PrivateRedis, redisMissing, startRedis } from "./private-redis.js";

const skip = redisMissing();
let redis: PrivateRedis;
let program: WorkerProgram;

beforeAll(async () => {
  if (skip !== undefined) return;
  redis = await startRedis();
  program = await buildWorkerProgram();
});

afterAll(async () => {
  program?.remove();
  await redis?.stop();
});

describeJobQueue(
  bullmqQueue(
    () => redis.url,
    () => program,
  ),
  { skip },
);
