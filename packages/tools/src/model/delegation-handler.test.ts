import { MockLanguageModelV3 } from "ai/test";
import { delegationSuite } from "./delegation-suite.js";

delegationSuite("the AI SDK 6", (doStream) => new MockLanguageModelV3({ doStream: doStream as never }));
