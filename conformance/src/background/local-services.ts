// Engines of this process: one that says what it is given, as mini does, and one that reads it.

import type { Delegation, TextInput } from "@microturn/core";
import { scriptedEngine } from "@microturn/core/testing";
import { inWords } from "./asking-model.js";
import type { Ask, AskingEngine, AskingService } from "./service-under-test.js";

/** The control token of mini hands work over in words, and what comes back is said as it stands. */
export const sayingEngine: AskingEngine = local("a local engine that says text", {
  ...{ functions: false, saysText: true, together: true },
});

/** A model that calls functions and reads what they give. */
export const readingEngine: AskingEngine = local("a local engine that reads text", {
  ...{ functions: true, saysText: false, together: true },
});

function local(
  name: string,
  {
    functions,
    saysText,
    together,
  }: { readonly functions: boolean; readonly saysText: boolean; readonly together: boolean },
): AskingEngine {
  return {
    name,
    abilities: {
      ...{ functions, waits: functions, together, batches: false, silences: !saysText, reads: !saysText },
      ...{ recalls: true, cancels: false },
    },
    async start({ clock }) {
      let count = 0;
      let turns = 0;
      const wanted: Delegation[] = [];
      const heard: string[] = [];
      const given: TextInput[] = [];
      const engine = scriptedEngine({
        clock,
        capabilities: saysText ? { inputs: ["audio"], saysText } : {},
        script: ({ text }) => {
          turns++;
          given.push(...text);
          const delegation = wanted.shift();
          return { heard: heard.shift() ?? "", ...(delegation === undefined ? {} : { delegation }) };
        },
      });
      const ask = (one: Ask): string => {
        const id = `ask-${++count}`;
        wanted.push(functions ? { id, task: one.name, ...one } : { id, task: inWords(one) });
        return id;
      };
      return {
        engine,
        ask: (asks) => asks.map(ask),
        get answers() {
          return given.map(({ delegation: id, text }) => ({ id, text }));
        },
        get goneOn() {
          return given.filter(({ silent }) => silent !== true).length;
        },
        hear: (text) => void heard.push(text),
        cancel: () => {},
        pause: () => {},
        lose: async () => {},
        known: "",
        taken: async () => {},
        get turns() {
          return turns;
        },
        violations: [],
        close: () => engine.close(),
      } satisfies AskingService;
    },
  };
}
