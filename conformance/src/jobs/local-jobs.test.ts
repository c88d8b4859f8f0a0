// Jobs in this process, held to the contract of job queues.

import { describeJobQueue } from "./job-queue-suite.js";
import { localQueue } from "./local-queue.js";

describeJobQueue(localQueue());
