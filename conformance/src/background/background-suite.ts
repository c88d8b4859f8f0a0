// What every engine must do with a background: whatever it asks for is done once, and answered once, in the way of its service.

import { describe, test } from "vitest";
import type { Check } from "../check.js";
import { answerChecks } from "./answer-checks.js";
import { policyChecks } from "./policy-checks.js";
import { randomChecks } from "./random-checks.js";
import type { AskingEngine } from "./service-under-test.js";

/** What a check works with. */
export interface BackgroundContext {
  readonly engine: AskingEngine;
  /** Ends the check as skipped, for what this engine or its service does not do. */
  skip(reason: string): never;
}

/** Registers the suite with vitest. A check of something that the service does not do is skipped and counted. */
export function describeBackground(engine: AskingEngine, { timeoutMs = 60_000 } = {}): void {
  describe(`a background behind ${engine.name}`, () => {
    for (const check of backgroundChecks) {
      test(check.name, (task) => check.run({ engine, skip: (reason) => task.skip(reason) }), timeoutMs);
    }
  });
}

/** Every check of the suite. */
export const backgroundChecks: readonly Check<BackgroundContext>[] = [
  ...answerChecks,
  ...policyChecks,
  ...randomChecks,
];
