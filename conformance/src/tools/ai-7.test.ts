// The handler of delegations with the AI SDK 7, where `ai` is that version; @microturn/tools itself is built and tested with 6.

import { MockLanguageModelV4 } from "ai-7/test";
import { expect, it, vi } from "vitest";
import { importAiSdk } from "../../../packages/tools/src/model/language-model.js";
import { delegationSuite } from "../../../packages/tools/src/model/suite/delegation-suite.js";

vi.mock("ai", () => import("ai-7"));

it("runs with the version that it says", async () => {
  expect((await importAiSdk()).streamText).toBe((await import("ai-7")).streamText);
});

delegationSuite("the AI SDK 7", (doStream) => new MockLanguageModelV4({ doStream: doStream as never }));
