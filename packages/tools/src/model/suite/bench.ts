// For tests: a handler with a scripted model, its clock, and what it was asked; nothing may be printed, and no timer may stay.

import { FakeClock, settled } from "@microturn/core/testing";
import { afterEach, beforeEach, expect, vi } from "vitest";
import { z } from "zod";
import { tool } from "../../tool.js";
import { type DelegationHandler, type DelegationHandlerOptions, delegationHandler } from "../delegation-handler.js";
import {
  type MakeModel,
  type Part,
  type Request,
  type ScriptStep,
  stepFor,
  stepParts,
  streamOf,
} from "./scripted-model.js";

/** Options of a handler under test. */
export type Options = Omit<DelegationHandlerOptions, "clock" | "model">;

/** How a model answers: with parts, with a stream, or with an error that it throws. */
export type Answer = (request: Request, index: number) => readonly Part[] | ReadableStream<Part> | Error;

/** An answer. */
export const words = "It is sunny in Rome, and it will stay so until Sunday.";

/** A tool. */
export const weather = tool({
  description: "The weather in a city",
  inputSchema: z.object({ city: z.string() }),
  execute: ({ city }) => ({ city, celsius: 20 }),
});

/** What the tests of a suite share; new for each test. */
export class Bench {
  readonly #makeModel: MakeModel;
  /** What the model was asked in this test. */
  readonly requests: Request[] = [];
  clock = new FakeClock();

  /** Also sets up what is checked after each test: call it inside `describe`. */
  constructor(makeModel: MakeModel) {
    this.#makeModel = makeModel;
    const printed: unknown[][] = [];
    beforeEach(() => {
      this.clock = new FakeClock();
      this.requests.length = 0;
      printed.length = 0;
      for (const method of ["log", "info", "warn", "error"] as const) {
        vi.spyOn(console, method).mockImplementation((...args) => void printed.push(args));
      }
      vi.spyOn(process, "emitWarning").mockImplementation((...args) => void printed.push(args));
    });
    afterEach(() => {
      vi.restoreAllMocks();
      expect(printed).toEqual([]);
      expect(this.clock.pending).toBe(0);
    });
  }

  /** A handler whose model answers so. */
  handlerOf = (answer: Answer, options: Options = {}): DelegationHandler => {
    const model = this.#makeModel(async (request) => {
      this.requests.push(request);
      const given = answer(request, this.requests.length - 1);
      if (given instanceof Error) throw given;
      return { stream: given instanceof ReadableStream ? given : streamOf(given as readonly Part[]) };
    });
    return delegationHandler({ ...options, model, clock: this.clock });
  };

  /** A handler whose model plays a script. */
  scripted = (script: readonly ScriptStep[], options: Options = {}): DelegationHandler =>
    this.handlerOf((request) => stepParts(stepFor(script, request)), options);

  /** Moves the clock until a promise settles. */
  finished = async (done: Promise<void>, stepMs = 250): Promise<void> => {
    let over = false;
    const end = done.finally(() => {
      over = true;
    });
    end.catch(() => {});
    for (let round = 0; !over && round < 4000; round++) {
      for (let turn = 0; !over && turn < 20; turn++) await settled();
      if (!over) await this.clock.advance(stepMs);
    }
    expect(over).toBe(true);
    return end;
  };

  /** Waits without moving the clock. */
  until = async (condition: () => boolean): Promise<void> => {
    for (let round = 0; !condition() && round < 1000; round++) await settled();
    expect(condition()).toBe(true);
  };
}
