// For tests: what the handler promises, for any version of the AI SDK that it works with.

import { describe } from "vitest";
import { answersSuite } from "./answers.js";
import { Bench } from "./bench.js";
import { faultsSuite } from "./faults.js";
import { messagesSuite } from "./messages.js";
import { resumeSuite } from "./resume.js";
import type { MakeModel } from "./scripted-model.js";
import { toolsSuite } from "./tools.js";

/**
 * The suite.
 *
 * @param name - of the version
 * @param makeModel - its mock model; what `import("ai")` gives must be of the same version
 */
export function delegationSuite(name: string, makeModel: MakeModel): void {
  describe(`delegationHandler with ${name}`, () => {
    const bench = new Bench(makeModel);
    answersSuite(bench);
    toolsSuite(bench);
    resumeSuite(bench);
    faultsSuite(bench);
    messagesSuite(bench);
  });
}
