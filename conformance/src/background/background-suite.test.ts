// The suite held to account: each of its checks finds what it is there for, in an engine that is right but for that.

import type { EngineSession, TurnInput, TurnOutput } from "@microturn/core";
import { describe, expect, test } from "vitest";
import { backgroundChecks } from "./background-suite.js";
import { readingEngine } from "./local-services.js";
import { openaiRealtime, vllmOmni } from "./remote-services.js";
import type { AskingEngine, AskingService } from "./service-under-test.js";

/** One way to be wrong. */
interface Defect {
  readonly name: string;
  /** How the names of checks begin that find it. */
  readonly foundBy: readonly string[];
  readonly engine?: AskingEngine;
  readonly input?: (input: TurnInput) => TurnInput;
  /** Made anew for each session. */
  readonly output?: () => (output: TurnOutput) => TurnOutput;
  readonly service?: (service: AskingService) => Partial<AskingService>;
}

const texts = (change: (text: TurnInput["text"]) => TurnInput["text"]) => (input: TurnInput) => ({
  ...input,
  text: change(input.text),
});

const defects: readonly Defect[] = [
  {
    name: "gives every answer twice",
    foundBy: ["runs what is asked for once", "does each thing once"],
    input: texts((text) => [...text, ...text]),
  },
  {
    name: "does not say what it answers",
    foundBy: ["runs what is asked for once", "answers calls that came together", "now"],
    input: texts((text) => text.map(({ delegation: _, ...rest }) => rest)),
  },
  {
    name: "changes what it is given",
    foundBy: ["gives data back", "gives a long answer back"],
    input: texts((text) =>
      text.map((one) => ({ ...one, text: one.text.replaceAll("word17 ", "word17  ").replace("xx", "x x") })),
    ),
  },
  {
    name: "keeps silent answers to itself",
    foundBy: ["silent", "dropIfStaleMs", "answers calls that came together, of which one", "ends what the application"],
    input: texts((text) => text.filter(({ silent }) => silent !== true)),
  },
  {
    name: "speaks about what it was told silently",
    foundBy: ["silent", "dropIfStaleMs"],
    input: texts((text) => text.map(({ silent: _, ...one }) => one)),
  },
  {
    name: "asks for everything twice",
    foundBy: ["runs what is asked for once", "does each thing once"],
    output: () => {
      let last: TurnOutput["delegation"];
      return (output) => {
        const again = last;
        last = output.delegation;
        return output.delegation === undefined && again !== undefined ? { ...output, delegation: again } : output;
      };
    },
  },
  {
    name: "asks for something else",
    foundBy: ["runs what is asked for once", "goes on with the conversation"],
    output: () => (output) => {
      const { delegation } = output;
      return delegation === undefined
        ? output
        : { ...output, delegation: { ...delegation, arguments: { city: "Paris" } } };
    },
  },
  {
    name: "does not hear the user",
    foundBy: ["goes on with the conversation", "when-quiet", "dropIfStaleMs"],
    output: () => (output) => ({ ...output, heard: "" }),
  },
  {
    name: "goes on after each answer",
    foundBy: ["answers calls that came together before the model goes on"],
    engine: openaiRealtime,
    service: (service) => ({
      get goneOn() {
        return service.answers.length;
      },
    }),
  },
  {
    name: "begins a new session when the connection breaks, and forgets its calls",
    foundBy: ["gives a result back once when", "gives a result back that was on the line"],
    engine: vllmOmni,
    output: () => (output) => output,
    service: (service) => ({
      get answers() {
        return service.answers.map(({ text }) => ({ id: undefined, text }));
      },
    }),
  },
];

function spoil(engine: AskingEngine, { input, output, service: change }: Defect): AskingEngine {
  return {
    ...engine,
    async start(options) {
      const service = await engine.start(options);
      const open = async (inner: EngineSession): Promise<EngineSession> => {
        const spoiled = output?.();
        return {
          capabilities: inner.capabilities,
          step: async (given) => {
            const out = await inner.step(input?.(given) ?? given);
            return spoiled?.(out) ?? out;
          },
          snapshot: () => inner.snapshot(),
          restore: (snapshot) => inner.restore(snapshot),
          close: () => inner.close(),
        };
      };
      const changed = change?.(service) ?? {};
      const bad = {
        load: (given?: Parameters<typeof service.engine.load>[0]) => service.engine.load(given),
        open: async (given?: Parameters<typeof service.engine.open>[0]) => open(await service.engine.open(given)),
        close: () => service.engine.close(),
      };
      return new Proxy(service, {
        get: (target, key) => {
          if (key === "engine") return bad;
          return Reflect.get(key in changed ? changed : target, key);
        },
      });
    },
  };
}

describe("the suite of backgrounds finds an engine that", () => {
  test.each(defects)("$name", { timeout: 120_000 }, async (defect) => {
    const engine = spoil(defect.engine ?? readingEngine, defect);
    for (const name of defect.foundBy) {
      const checks = backgroundChecks.filter((check) => check.name.startsWith(name));
      expect(checks.length, `checks named "${name}"`).toBeGreaterThan(0);
      let found = 0;
      for (const check of checks) {
        const skipped = new Error("skipped");
        const skip = (): never => {
          throw skipped;
        };
        const error: unknown = await check.run({ engine, skip }).catch((caught: unknown) => caught);
        expect(error, `"${check.name}" must not be skipped`).not.toBe(skipped);
        if (error !== undefined) found++;
      }
      expect(found, `checks named "${name}" that find it`).toBeGreaterThan(0);
    }
  });
});
