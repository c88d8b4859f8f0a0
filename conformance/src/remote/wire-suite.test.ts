// The suite of wires held to account: each of its checks finds what it is there for, in an engine that is right but for that.

import { type ConnectionOptions, openaiRealtimeEngine } from "@microturn/backend-remote";
import { DuplexError, type Engine, type EngineSession, type TurnInput, type TurnOutput } from "@microturn/core";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { OpenAIRealtimeDouble } from "./openai-realtime-double.js";
import type { ServiceDouble, WireUnderTest } from "./service-double.js";
import { limitWaits } from "./wire-session.js";
import { wireChecks } from "./wire-suite.js";

const secret = "sk-right";

interface Step {
  readonly inner: EngineSession;
  readonly input: TurnInput;
  readonly double: OpenAIRealtimeDouble;
}

/** One way to be wrong. */
interface Defect {
  readonly name: string;
  /** How the names of the checks begin that find it. */
  readonly foundBy: readonly string[];
  readonly options?: ConnectionOptions;
  readonly open?: (inner: Engine, double: OpenAIRealtimeDouble) => Promise<EngineSession>;
  /** Made anew for each session. */
  readonly step?: () => (step: Step) => Promise<TurnOutput>;
  readonly close?: (inner: EngineSession) => Promise<void>;
  readonly broken?: readonly string[];
  readonly unknown?: readonly string[];
  readonly tell?: (note: object) => object | undefined;
}

const after = (change: (output: TurnOutput, count: number) => TurnOutput) => () => {
  let count = 0;
  return async ({ inner, input }: Step) => change(await inner.step(input), count++);
};

/** Changes one sample of what is said. */
function spoiled(output: TurnOutput): TurnOutput {
  if (output.decision === "listen") return output;
  const speech = output.speech.slice();
  speech[100] = 0;
  return { ...output, speech };
}

const defects: readonly Defect[] = [
  {
    name: "says something else of itself than its session",
    foundBy: ["opens before its deadline"],
    open: async (inner) => {
      const session = await inner.open();
      return new Proxy(session, {
        get: (target, key) => {
          if (key === "capabilities") return { ...target.capabilities, truncates: false };
          const value = Reflect.get(target, key, target);
          return typeof value === "function" ? value.bind(target) : value;
        },
      });
    },
  },
  {
    name: "throws what it likes when it is refused",
    foundBy: [
      ...["unauthorized", "forbidden", "busy", "close-before-ready", "silent"].map(
        (refusal) => `opens with one typed error when the service refuses: ${refusal}`,
      ),
      "says that nobody listens",
    ],
    open: (inner) => inner.open().catch(() => Promise.reject(new Error("no"))),
  },
  {
    name: "sends a micro-turn twice",
    foundBy: ["sends every sample once"],
    step: () => {
      let count = 0;
      return async ({ inner, input }) => {
        if (count++ === 3) await inner.step(input);
        return inner.step(input);
      };
    },
  },
  {
    name: "loses a sample of what is said",
    foundBy: [
      ...["gives back a reply that comes at once", "gives back a reply that comes in real time"],
      ...["goes on after sound that does not come", "gives replies in the order", "takes base64 without padding"],
    ],
    step: after(spoiled),
  },
  {
    name: "gives all words at once",
    foundBy: ["spreads the words"],
    step: () => {
      let words = "";
      return async ({ inner, input }) => {
        const output = await inner.step(input);
        words = `${words} ${output.text}`.trim();
        const all = words.endsWith("twelve");
        return { ...output, text: all ? words.slice(0, (words.length * Number(all)) | 0) : "" };
      };
    },
  },
  {
    name: "loses what was understood of the user",
    foundBy: ["tells what was understood"],
    step: after((output) => ({ ...output, heard: output.heard.replace("weather", "") })),
  },
  {
    name: "does not yield",
    foundBy: ["yields when the service cuts"],
    step: after((one) => ({ ...one, yielded: false })),
  },
  {
    name: "does not stop when it must listen",
    foundBy: ["stops a reply when it must listen"],
    step:
      () =>
      ({ inner, input }) => {
        const { forceListen: _, ...rest } = input;
        return inner.step(rest);
      },
  },
  {
    name: "passes on what the user types twice",
    foundBy: ["passes on what the user types"],
    step:
      () =>
      ({ inner, input }) =>
        inner.step({ ...input, text: [...input.text, ...input.text] }),
  },
  {
    name: "answers every call by the oldest",
    foundBy: ["hands calls on"],
    step:
      () =>
      ({ inner, input }) => {
        const text = input.text.map(({ delegation: _, ...rest }) => rest);
        return inner.step({ ...input, text });
      },
  },
  {
    name: "takes no result without an id",
    foundBy: ["gives a result without an id"],
    step:
      () =>
      ({ inner, input }) => {
        return inner.step({ ...input, text: input.text.filter(({ delegation }) => delegation !== undefined) });
      },
  },
  {
    name: "is silent while a call is open",
    foundBy: ["goes on with a call that is never answered"],
    step: () => {
      let open = false;
      return async ({ inner, input }) => {
        const output = await inner.step(input);
        if (output.delegation !== undefined) open = true;
        return open ? { ...output, decision: "listen", speech: new Float32Array(output.speech.length) } : output;
      };
    },
  },
  {
    name: "saves bandwidth in silence",
    foundBy: ["keeps sending in ten minutes"],
    step: () => {
      let count = 0;
      return async ({ inner, input, double }) => {
        if (count++ !== 500) return inner.step(input);
        double.receivedSamples -= 4800 * 30;
        return inner.step(input);
      };
    },
  },
  {
    name: "does not come back",
    foundBy: ["comes back when the connection breaks"],
    options: { reconnectMs: 0 },
  },
  {
    name: "does not give up",
    foundBy: ["gives up when it has not come back"],
    options: { reconnectMs: 3_600_000 },
  },
  {
    name: "hides why it ended",
    foundBy: ["ends with one typed error where another"],
    step:
      () =>
      ({ inner, input }) =>
        inner.step(input).catch(() => Promise.reject(new DuplexError("NETWORK_FAILED", "it ended"))),
  },
  {
    name: "throws what it likes when it ends",
    foundBy: ["does not come back when it is not to"],
    step:
      () =>
      ({ inner, input }) =>
        inner.step(input).catch(() => Promise.reject(new Error("it ended"))),
  },
  {
    name: "knows more than it says",
    foundBy: ["passes over what it does not know"],
    unknown: ['{"type":"response.telepathy.delta"}', '{"type":"rate_limits.updated"}'],
  },
  {
    name: "throws what it likes at a broken message",
    foundBy: ["survives broken messages"],
    step:
      () =>
      ({ inner, input }) =>
        inner.step(input).catch(() => Promise.reject(new TypeError("undefined is not a function"))),
  },
  {
    name: "does not tell what it drops",
    foundBy: ["drops the oldest input"],
    tell: (note) => ((note as { type: string }).type === "input-dropped" ? undefined : note),
  },
  {
    name: "tells what it likes when it is closed while it opens",
    foundBy: ["closes while it opens", "gives up the opening when its signal fires"],
    open: (inner) => inner.open().catch(() => Promise.reject(new DuplexError("OPEN_TIMEOUT", "late"))),
  },
  {
    name: "leaves its socket open",
    foundBy: ["closes in the middle of a reply"],
    close: async () => {},
  },
];

function wireWith(defect: Defect): WireUnderTest {
  return {
    name: defect.name,
    secret,
    double: () => OpenAIRealtimeDouble.start({ key: secret }),
    engine: (double, options) => engineWith(defect, double as OpenAIRealtimeDouble, options),
    unknown: defect.unknown ?? ['{"type":"response.telepathy.delta"}', '{"type":"mcp_list_tools.in_progress"}'],
    broken: defect.broken ?? ['{"type":"response.created"}'],
    fatalCloses: [{ code: 1008, error: "ACCESS_DENIED" }],
  };
}

function engineWith(defect: Defect, double: OpenAIRealtimeDouble, options: ConnectionOptions): Engine {
  const { onNote = () => {} } = options;
  const inner = openaiRealtimeEngine({
    ...{ apiKey: secret, baseUrl: `${double.url}/v1`, ...options, ...defect.options },
    onNote: (note) => {
      const told = defect.tell === undefined ? note : defect.tell(note);
      if (told !== undefined) onNote(note);
    },
  });
  return {
    load: (given) => inner.load(given),
    close: () => inner.close(),
    async open(given) {
      const session = await (defect.open === undefined ? inner.open(given) : defect.open(inner, double));
      const step = defect.step?.();
      return {
        capabilities: session.capabilities,
        step: (input) => (step === undefined ? session.step(input) : step({ inner: session, input, double })),
        snapshot: () => session.snapshot(),
        restore: (value) => session.restore(value),
        close: () => (defect.close === undefined ? session.close() : defect.close(session)),
      };
    },
  };
}

async function run(defect: Defect, name: string): Promise<void> {
  const check = wireChecks.find((candidate) => candidate.name.startsWith(name));
  if (check === undefined) throw new Error(`no check is named "${name}…"`);
  const wire = wireWith(defect);
  const double: ServiceDouble = await wire.double();
  const skip = (reason: string) => {
    throw new Error(`skipped: ${reason}`);
  };
  try {
    await check.run({ wire, double, skip });
  } finally {
    await double.close();
  }
}

describe("the suite of wires", () => {
  beforeAll(() => limitWaits(2000));
  afterAll(() => limitWaits(30_000));

  test.each(defects.flatMap((defect) => defect.foundBy.map((name) => ({ ...defect, check: name }))))(
    "finds an engine that $name: $check",
    async ({ check, ...defect }) => {
      await expect(run(defect, check)).rejects.toThrow(/^(?!skipped|no check)/);
    },
  );

  test("has a defect for every check", () => {
    const proven = defects.flatMap(({ foundBy }) => foundBy);
    const unproven = wireChecks.filter((check) => !proven.some((name) => check.name.startsWith(name)));
    expect(unproven.map(({ name }) => name)).toEqual([]);
  });
});
