import { MockLanguageModelV3 } from "ai/test";
import { delegationSuite } from "./suite/delegation-suite.js";

delegationSuite("the AI SDK 6", (doStream) => new MockLanguageModelV3({ doStream: doStream as never }));
