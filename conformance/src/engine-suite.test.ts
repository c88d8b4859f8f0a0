// The engine suite on the test double that session tests rely on, and turned on engines with one defect each.

import {
  DuplexError,
  type Engine,
  type EngineCapabilities,
  type EngineOpenOptions,
  type EngineSession,
  type EngineSnapshot,
  type TurnInput,
  type TurnOutput,
  type UnsaidText,
} from "@microturn/core";
import { DmelEncoder, type DmelEncoderState, dmel20, unpackLevels } from "@microturn/core/codecs";
import { politeScript, type Script, scriptedEngine } from "@microturn/core/testing";
import { describe, expect, test } from "vitest";
import { describeEngine, engineChecks } from "./engine-suite.js";

/** Says a word of what it was told in each micro-turn, until it is silenced; nothing without letters. */
const saysWhatItIsTold: Script = (input, memory) => {
  memory.told = memory.told ?? [];
  const told = memory.told as { delivery: number; words: string[] }[];
  const unsaid: UnsaidText[] = [];
  for (const { source, text, delivery = 0 } of input.text) {
    if (source === "background" && /[a-z]/.test(text)) told.push({ delivery, words: text.split(" ") });
    else if (source === "background") unsaid.push({ delivery, words: text });
  }
  if (input.forceListen === true) {
    for (const { delivery, words } of told.splice(0)) unsaid.push({ delivery, words: words.join(" ") });
  }
  const given = unsaid.length === 0 ? {} : { unsaid };
  const word = told[0]?.words.shift();
  if (told[0]?.words.length === 0) told.shift();
  const typed = input.text.flatMap(({ source, text }) => (source === "user" ? [text] : []));
  const heard = typed.length === 0 ? {} : { heard: typed.join(" ") };
  if (word !== undefined) return { decision: "speak", speech: 0.2, text: word, ...heard, ...given };
  return { ...politeScript()(input, memory), ...heard, ...given };
};

/** A script that goes by dMel levels, whether it is given them or makes them of samples. */
const byLevels =
  (script: Script): Script =>
  (input, memory) => {
    const encoder = new DmelEncoder(dmel20);
    const levels = input.dmel === undefined ? new Uint8Array(320 * input.turns) : unpackLevels(input.dmel);
    if (input.dmel === undefined) {
      if (memory.encoder !== undefined) encoder.restore(memory.encoder as DmelEncoderState);
      encoder.push(input.audio, levels);
      memory.encoder = encoder.snapshot();
    }
    // One value for a level: as loud as speech where the level is.
    return script({ ...input, audio: Float32Array.from(levels, (level) => (level > 6 ? 0.1 : 0)) }, memory);
  };
const saysAndHears = { saysText: true, hearsText: true, inputs: ["audio", "video"] } as const;

describeEngine("scripted", () => scriptedEngine());
describeEngine("scripted, says text", () =>
  scriptedEngine({ script: saysWhatItIsTold, capabilities: { saysText: true } }),
);
describeEngine("scripted, says and hears text", () =>
  scriptedEngine({ script: saysWhatItIsTold, capabilities: saysAndHears }),
);
describeEngine("scripted, takes levels", () =>
  scriptedEngine({ script: byLevels(politeScript()), capabilities: { dmel: "dmel-20" } }),
);
/** One thing done wrong; what is absent is done right. */
interface Defect {
  /** The engine … */
  readonly name: string;
  /** Beginning of the name of a check that must find it. */
  readonly foundBy: string;
  readonly load?: (inner: Engine, options?: EngineOpenOptions) => Promise<EngineCapabilities>;
  readonly open?: (inner: Engine, options?: EngineOpenOptions) => Promise<EngineSession>;
  readonly closeEngine?: (inner: Engine) => Promise<void>;
  readonly step?: (inner: EngineSession, input: TurnInput) => Promise<TurnOutput>;
  readonly snapshot?: (inner: EngineSession) => Promise<EngineSnapshot>;
  readonly restore?: (inner: EngineSession, snapshot: EngineSnapshot) => Promise<void>;
  readonly close?: (inner: EngineSession) => Promise<void>;
}

let shared: TurnOutput | undefined;

const defects: readonly Defect[] = [
  {
    name: "takes levels for louder than they are",
    foundBy: "takes the input as dMel levels",
    step: (inner, { dmel, ...input }) =>
      inner.step(dmel === undefined ? input : { ...input, dmel: dmel.map((pair) => pair | 0x88) }),
  },
  {
    name: "hears samples beside levels",
    foundBy: "takes the input as dMel levels",
    step: (inner, { dmel, ...input }) =>
      inner.step(dmel === undefined || input.audio.length > 0 ? input : { ...input, dmel }),
  },
  {
    name: "believes that what it has not said yet was heard",
    foundBy: "takes a position of the player",
    step: (inner, { played, ...input }) =>
      inner.step(played === undefined || played.turnIndex >= input.index ? input : { ...input, played }),
  },
  {
    name: "is deaf to what is typed",
    foundBy: "hears what is typed",
    step: (inner, input) => inner.step({ ...input, text: input.text.filter(({ source }) => source !== "user") }),
  },
  {
    name: "states other rates at its second load",
    foundBy: "loads once",
    load: async (inner, options) => ({ ...(await inner.load(options)), outputSampleRate: Math.random() }),
  },
  {
    name: "gives half a micro-turn",
    foundBy: "answers every micro-turn",
    step: async (inner, input) => {
      const output = await inner.step(input);
      return { ...output, speech: output.speech.subarray(0, output.speech.length >> 1) };
    },
  },
  {
    name: "gives samples beyond 1",
    foundBy: "answers every micro-turn",
    step: async (inner, input) => {
      const output = await inner.step(input);
      return { ...output, speech: output.speech.fill(1.5) };
    },
  },
  {
    name: "is never the same twice",
    foundBy: "gives the same bits",
    step: async (inner, input) => ({ ...(await inner.step(input)), text: String(Math.random()) }),
  },
  {
    name: "dates an image that has no time",
    foundBy: "refuses images and text",
    step: (inner, { images, ...input }) =>
      inner.step({ ...input, images: images.map((image) => ({ ...image, timeMs: image.timeMs || 0 })) }),
  },
  {
    name: "hears nothing",
    foundBy: "hears",
    step: (inner, input) => inner.step({ ...input, audio: new Float32Array(input.audio.length) }),
  },
  {
    name: "changes the audio that it was given",
    foundBy: "shares no memory",
    step: async (inner, input) => {
      const output = await inner.step(input);
      input.audio[0] += 1;
      return output;
    },
  },
  {
    name: "mixes its sessions up",
    foundBy: "keeps sessions apart",
    step: async (inner, input) => {
      const output = await inner.step(input);
      const other = shared;
      shared = output;
      return other === undefined ? output : { ...output, heard: other.heard };
    },
  },
  {
    name: "gives the output of every merged micro-turn",
    foundBy: "merges micro-turns",
    step: async (inner, input) => {
      const output = await inner.step(input);
      return { ...output, speech: new Float32Array(output.speech.length * input.turns) };
    },
  },
  {
    name: "speaks when it must listen",
    foundBy: "is silent in a micro-turn",
    step: (inner, { forceListen: _, ...input }) => inner.step(input),
  },
  { name: "restores nothing", foundBy: "goes back to a snapshot", restore: async () => undefined },
  {
    name: "lets a step into the snapshot that is under way",
    foundBy: "keeps a snapshot and a restore apart",
    snapshot: async (inner) => {
      await new Promise((resolve) => setTimeout(resolve, 0));
      return inner.snapshot();
    },
  },
  {
    name: "takes any snapshot",
    foundBy: "refuses a snapshot",
    restore: async (inner, snapshot) => {
      if (snapshot.engine === "scripted") await inner.restore(snapshot);
    },
  },
  {
    name: "pads audio that is too short",
    foundBy: "refuses audio of another length",
    step: async (inner, input) => {
      const audio = new Float32Array(3200 * Math.ceil(input.turns));
      audio.set(input.audio.subarray(0, audio.length));
      return inner.step({ ...input, audio });
    },
  },
  {
    name: "steps over NaN",
    foundBy: "refuses audio of another length",
    step: async (inner, input) => inner.step({ ...input, audio: input.audio.map((x) => (Number.isFinite(x) ? x : 0)) }),
  },
  {
    name: "drops text silently",
    foundBy: "refuses images and text",
    load: async (inner, options) => ({ ...(await inner.load(options)), inputs: ["audio"] }),
  },
  {
    name: "opens one session too few",
    foundBy: "opens as many sessions",
    load: async (inner, options) => ({ ...(await inner.load(options)), maxSessions: 9 }),
  },
  {
    name: "goes on where the last session was",
    foundBy: "starts every session fresh",
    step: memoryAcrossSessions(),
  },
  {
    name: "keeps to itself what it gave up",
    foundBy: "says what is delivered",
    step: async (inner, input) => {
      const { unsaid: _, ...output } = await inner.step(input);
      return output;
    },
  },
  {
    name: "waits before it says what is delivered",
    foundBy: "says what is delivered",
    step: async (inner, input) => ({ ...(await inner.step(input)), decision: "listen" }),
  },
  {
    name: "opens in spite of its signal",
    foundBy: "stops load and open",
    open: (inner, { signal: _, ...options } = {}) => inner.open(options),
  },
  { name: "keeps a closed session open", foundBy: "closes a session twice", close: async () => undefined },
  {
    name: "fails its second close",
    foundBy: "closes a session twice",
    close: failsTwice(),
  },
  { name: "stays open", foundBy: "closes with sessions open", closeEngine: async () => undefined },
];

function memoryAcrossSessions(): NonNullable<Defect["step"]> {
  let steps = 0;
  return async (inner, input) => ({ ...(await inner.step(input)), heard: String(steps++) });
}

function failsTwice(): NonNullable<Defect["close"]> {
  const closed = new Set<EngineSession>();
  return async (inner) => {
    if (closed.has(inner)) throw new DuplexError("SESSION_CLOSED", "close: the session is closed");
    closed.add(inner);
    await inner.close();
  };
}

/** An engine with one defect around a right one. */
function broken(defect: Defect): Engine {
  const capabilities = { ...saysAndHears, dmel: "dmel-20" };
  const inner = scriptedEngine({ script: byLevels(saysWhatItIsTold), capabilities });
  const load = (options?: EngineOpenOptions) => (defect.load ?? ((e, o) => e.load(o)))(inner, options);
  return {
    load,
    close: () => (defect.closeEngine ?? ((e) => e.close()))(inner),
    async open(options) {
      const session = await (defect.open ?? ((e, o) => e.open(o)))(inner, options);
      const capabilities = await load();
      return {
        capabilities,
        step: (input) => (defect.step ?? ((s, i) => s.step(i)))(session, input),
        snapshot: () => (defect.snapshot ?? ((s) => s.snapshot()))(session),
        restore: (snapshot) => (defect.restore ?? ((s, value) => s.restore(value)))(session, snapshot),
        close: () => (defect.close ?? ((s) => s.close()))(session),
      };
    },
  };
}

describe("the engine suite", () => {
  const findings = async (defect: Defect, name: string) => {
    const check = engineChecks.find((candidate) => candidate.name.startsWith(name));
    if (check === undefined) throw new Error(`no check is named "${name}…"`);
    const engine = broken(defect);
    const skip = (reason: string) => {
      throw new Error(`skipped: ${reason}`);
    };
    await check.run({ engine, capabilities: await engine.load(), fresh: async () => broken(defect), skip });
  };

  test.each(defects)("finds an engine that $name", async (defect) => {
    await expect(findings(defect, defect.foundBy)).rejects.toThrow(/^(?!skipped)/);
  });

  test.each(engineChecks.map((check) => check.name))("finds nothing in a right engine: %s", (name) =>
    findings({ name: "has no defect", foundBy: "" }, name),
  );

  test("has a defect for every check", () => {
    const unproven = engineChecks.filter((check) => !defects.some((defect) => check.name.startsWith(defect.foundBy)));
    expect(unproven.map((check) => check.name)).toEqual([]);
  });
});
