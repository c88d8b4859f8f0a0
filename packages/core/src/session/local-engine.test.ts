import { describe, expect, it } from "vitest";
import { AcousticModel } from "../audio/acoustic-model.js";
import { DmelEncoder } from "../audio/dmel.js";
import { packLevels, unpackLevels } from "../audio/dmel-nibbles.js";
import { dmel20 } from "../audio/dmel-presets.js";
import type { Backend } from "../backend.js";
import type { EngineSession, TextInput, TurnInput, TurnOutput } from "../engine.js";
import { DuplexError } from "../errors.js";
import { buildDuplexGraph } from "../graph/duplex-graph.js";
import { tinyAcoustic, tinyModel } from "../testing/tiny-model.js";
import { checkTurnInput } from "./check-turn-input.js";
import { type LocalEngineOptions, localEngine } from "./local-engine.js";
import { type ScriptedBackend, type ScriptedOutputs, type ScriptedRow, scriptedBackend } from "./scripted-backend.js";

const model = tinyModel();
/** With as many text slots as other positions, so that all windows stay whole micro-turns. */
const reading = tinyModel({ duplex: { textSlots: 9, sinkPositions: 18 } });
/** Reads no text, but says it. */
const tellingModel = tinyModel({ duplex: { acoustic: tinyAcoustic } });
const token = (text: string) => model.tokenizer.id(text) ?? -1;
const [one, two, three, end] = ["one", "two", "three", "<end>"].map(token);
const [listen, speak, delegate] = [1, 2, 3];

function withoutImageSize({ codecs: { image: _, ...codecs }, ...manifest }: typeof model.manifest) {
  return { ...manifest, codecs };
}

function input(index: number, fields: Partial<TurnInput> = {}): TurnInput {
  const turns = fields.turns ?? 1;
  const audio = Float32Array.from({ length: turns * 3200 }, (_, i) => 0.1 * Math.sin(i * (0.1 + 0.01 * index)));
  return { index, turns, audio, images: [], text: [], ...fields };
}

async function engineOf(
  script: (row: ScriptedRow) => ScriptedOutputs = () => ({}),
  options: Partial<LocalEngineOptions> & { delay?: () => Promise<void> } = {},
) {
  const { delay, ...rest } = options;
  let started = false;
  const quiet = (row: ScriptedRow) => (started ? script(row) : {});
  const gate = () => (started && delay !== undefined ? delay() : Promise.resolve());
  const backend = scriptedBackend(quiet, delay === undefined ? {} : { delay: gate });
  const engine = localEngine({ model, backend, maxSessions: 4, ...rest });
  // Loading tries the backend out; what it saw of that is not what the tests are about.
  await engine.load();
  backend.runs.length = 0;
  started = true;
  return { backend, engine };
}

async function run(session: EngineSession, count: number) {
  const outputs = [];
  for (let index = 0; index < count; index++) outputs.push(await session.step(input(index)));
  return outputs;
}

describe("localEngine", () => {
  it("turns tokens into whole words, also when a spelled word crosses a micro-turn", async () => {
    const spelled = ["+c", "+a", "+t", "+s"].map(token);
    const script = ({ turn }: ScriptedRow) => {
      const texts = [
        [one, two, 0, three],
        [0, spelled[0], spelled[1], 0],
        [spelled[2], 0, 0, 0],
        [one, end, 0, 0],
        [...spelled],
        [0, 0, 0, 0],
      ];
      const text = texts[turn];
      return { text, heard: text, control: [speak, speak, speak, speak] };
    };
    const { engine } = await engineOf(script);
    const outputs = await run(await engine.open(), 6);
    const words = ["one two three", "", "", "cat one", "", "cats"];
    expect(outputs.map((output) => output.text)).toEqual(words);
    expect(outputs.map((output) => output.heard)).toEqual(words);
  });

  it("tells a reply that was given up from one that was said to its end (rule 5)", async () => {
    const script = ({ turn }: ScriptedRow): ScriptedOutputs =>
      [
        { control: [speak, speak, speak, speak], text: [one, 0, 0, 0], level: [5, 5, 5, 5] },
        { control: [speak, speak, listen, listen], text: [0, end, 0, 0], level: [5, 5, 0, 0] },
        { control: [listen, speak, speak, speak], text: [0, one, 0, 0], level: [0, 5, 5, 5] },
        { control: [speak, listen, listen, listen], level: [5, 0, 0, 0] },
        {},
      ][turn];
    const { engine } = await engineOf(script);
    const outputs = await run(await engine.open(), 5);
    expect(outputs.map((output) => output.decision)).toEqual(["speak", "speak", "speak", "speak", "listen"]);
    expect(outputs.map((output) => output.yielded)).toEqual([false, false, false, true, false]);
    expect(outputs[0].speech.some((sample) => sample !== 0)).toBe(true);
    expect(outputs[0].inside?.controls).toEqual(Uint8Array.of(2, 2, 2, 2));
  });

  it("hands over nothing when no result could come back", async () => {
    const { engine } = await engineOf(() => ({ control: [delegate, listen, listen, listen] }));
    expect((await engine.load()).delegation).toBe(false);
    expect((await run(await engine.open(), 1))[0].delegation).toBeUndefined();
  });

  it("hands over in mid-reply where the model says that it delegates, though it reads no text", async () => {
    const delegating = tinyModel({ duplex: { delegates: true } });
    const script = ({ turn }: ScriptedRow): ScriptedOutputs =>
      [
        { heard: [one, two, 0, 0] },
        { control: [speak, delegate, speak, speak], text: [three, 0, 0, 0], heard: [0, 0, one, 0] },
      ][turn];
    const { engine } = await engineOf(script, { model: delegating });
    expect(await engine.load()).toMatchObject({ delegation: true, inputs: ["audio", "video"] });
    const outputs = await run(await engine.open(), 2);
    expect(outputs.map(({ decision, yielded, delegation }) => ({ decision, yielded, delegation }))).toEqual([
      { decision: "listen", yielded: false, delegation: undefined },
      { decision: "speak", yielded: false, delegation: { task: "one two one" } },
    ]);
  });

  it("hands over each request once, also when it says so a micro-turn into the reply", async () => {
    const delegating = tinyModel({ duplex: { delegates: true } });
    const script = ({ turn }: ScriptedRow): ScriptedOutputs =>
      [
        { heard: [one, 0, 0, 0], control: [listen, listen, listen, speak], text: [0, 0, 0, three] },
        { control: [delegate, speak, speak, speak] },
        { text: [end, 0, 0, 0], control: [speak, listen, listen, listen] },
        { heard: [two, 0, 0, 0] },
        { control: [speak, delegate, speak, speak], text: [three, 0, 0, 0] },
        { control: [speak, speak, speak, delegate], heard: [three, 0, 0, 0] },
      ][turn];
    const { engine } = await engineOf(script, { model: delegating });
    const outputs = await run(await engine.open(), 6);
    expect(outputs.map((output) => output.delegation?.task)).toEqual([
      undefined,
      "one",
      undefined,
      undefined,
      "two",
      "three",
    ]);
  });

  it("hands over at most the last 500 characters, also where some came before the reply and some in it", async () => {
    const script = ({ turn }: ScriptedRow): ScriptedOutputs => {
      const heard = [three, three, three, three];
      if (turn < 30) return { heard };
      return { heard, text: [one, 0, 0, 0], control: [speak, speak, speak, turn === 59 ? delegate : speak] };
    };
    const { engine } = await engineOf(script, { model: tinyModel({ duplex: { delegates: true } }) });
    const { delegation } = (await run(await engine.open(), 60))[59];
    expect(delegation?.task).toMatch(/three three$/);
    expect(delegation?.task).toHaveLength(500);
  });

  it("hands over what the user said since the last reply", async () => {
    const script = ({ turn }: ScriptedRow): ScriptedOutputs =>
      [
        { heard: [one, 0, 0, 0] },
        { control: [speak, speak, speak, speak], text: [one, end, 0, 0] },
        { heard: [two, three, 0, 0] },
        { control: [listen, delegate, listen, listen], heard: [one, 0, 0, 0] },
      ][turn];
    const { engine } = await engineOf(script, { model: reading });
    const outputs = await run(await engine.open(), 4);
    expect(outputs.map((output) => output.delegation)).toEqual([
      undefined,
      undefined,
      undefined,
      { task: "two three one" },
    ]);
  });

  it("runs a merged step unit by unit: all but the last are told to listen, and heard words are kept (rule 3)", async () => {
    const seen: [number, number][] = [];
    const script = ({ turn, forced }: ScriptedRow): ScriptedOutputs => {
      seen.push([turn, forced]);
      return { control: [speak, speak, speak, speak], text: [one, 0, 0, 0], heard: [[one], [two], [three]][turn] };
    };
    const { engine, backend } = await engineOf(script);
    const session = await engine.open();
    const output = await session.step(input(2, { turns: 3 }));
    expect(seen).toEqual([
      [0, listen],
      [1, listen],
      [2, 0],
    ]);
    expect(backend.runs).toHaveLength(3);
    expect([output.text, output.heard, output.yielded]).toEqual(["one", "one two three", false]);
    const alone = await engine.open();
    for (let index = 0; index < 3; index++) {
      const { audio } = input(2, { turns: 3 });
      const unit = await alone.step(input(index, { audio: audio.subarray(index * 3200, (index + 1) * 3200) }));
      if (index === 2) expect(unit.inside?.dmel).toEqual(output.inside?.dmel);
    }
  });

  describe("hearing levels instead of samples", () => {
    const nothing = new Float32Array(0);
    const typed: TextInput = { source: "user", text: "one two, three." };
    /** Inputs as packed levels: those of one stream. */
    function encoded(inputs: readonly TurnInput[]): TurnInput[] {
      const encoder = new DmelEncoder(dmel20);
      return inputs.map((one) => {
        const levels = new Uint8Array(one.turns * 320);
        encoder.push(one.audio, levels);
        return { ...one, audio: nothing, dmel: packLevels(levels) };
      });
    }
    const quiet = (one: TurnInput) => ({ ...one, audio: new Float32Array(one.audio.length) });
    async function levelsOf(session: EngineSession, inputs: readonly TurnInput[]) {
      const levels: (Uint8Array | undefined)[] = [];
      for (const one of inputs) levels.push((await session.step(one)).inside?.dmel);
      return levels;
    }

    it("gives the same bits as the samples do, merged steps and snapshots included", async () => {
      const { engine } = await engineOf();
      expect(await engine.load()).toMatchObject({ dmel: "dmel-20" });
      const heard = [input(0), input(1), input(4, { turns: 3 }), input(5)];
      const levels = encoded(heard);
      const [ears, wire] = [await engine.open(), await engine.open()];
      const bits = ({ timing: _, ...output }: TurnOutput) => output;
      for (const [i, one] of heard.entries()) {
        if (i === 2) await wire.restore(await wire.snapshot());
        expect(bits(await wire.step(levels[i])), `step ${i}`).toEqual(bits(await ears.step(one)));
      }
    });

    it("hears what is typed beside them: the louder of both, as when nothing else sounds", async () => {
      const { engine } = await engineOf(() => ({}), { model: tellingModel, maxSessions: 3 });
      const silence = Array.from({ length: 12 }, (_, index) => quiet(input(index)));
      const typing = (inputs: readonly TurnInput[]) =>
        inputs.map((one, i) => (i === 1 ? { ...one, text: [typed] } : one));
      const [ears, wire, loud] = [await engine.open(), await engine.open(), await engine.open()];
      const spoken = await levelsOf(ears, typing(silence));
      expect(await levelsOf(wire, typing(encoded(silence)))).toEqual(spoken);
      const sound = encoded(silence.map((one) => input(one.index)));
      const mixed = await levelsOf(loud, typing(sound));
      mixed.forEach((packed, i) => {
        const [both, first, second] = [packed, spoken[i], sound[i].dmel].map((one) =>
          unpackLevels(one ?? new Uint8Array(0)),
        );
        expect([...both], `micro-turn ${i}`).toEqual([...first].map((level, bin) => Math.max(level, second[bin])));
      });
    });

    it("goes on with what is typed after a snapshot in mid-word, and merged as in single steps (rule 10)", async () => {
      const { engine } = await engineOf(() => ({}), { model: tellingModel, maxSessions: 3 });
      const sound = encoded([0, 1, 2, 3, 4].map((index) => input(index)));
      const [first, ...rest] = sound;
      const session = await engine.open();
      await session.step({ ...first, text: [typed] });
      const snapshot = await session.snapshot();
      const once = await levelsOf(session, rest);
      await session.restore(snapshot);
      expect(await levelsOf(session, rest)).toEqual(once);
      const other = await engine.open();
      await other.restore(snapshot);
      const dmel = Uint8Array.from(rest.flatMap((one) => [...(one.dmel ?? [])]));
      expect(await levelsOf(other, [{ ...input(4), turns: 4, audio: nothing, dmel }])).toEqual(once.slice(3));
    });

    it("refuses levels of another length, beside samples, that are not bytes, or that it cannot take", async () => {
      const { engine } = await engineOf();
      const session = await engine.open();
      const [one] = encoded([input(0)]);
      const { dmel = new Uint8Array(0) } = one;
      const refused = (fields: object) => session.step({ ...one, ...fields });
      for (const wrong of [dmel.subarray(1), new Uint8Array(0), new Uint8Array(320)]) {
        await expect(refused({ dmel: wrong })).rejects.toMatchObject({ code: "SHAPE_MISMATCH" });
      }
      await expect(refused({ turns: 2 })).rejects.toMatchObject({ code: "SHAPE_MISMATCH" });
      await expect(refused({ audio: input(0).audio })).rejects.toMatchObject({ code: "SHAPE_MISMATCH" });
      await expect(refused({ dmel: undefined })).rejects.toMatchObject({ code: "SHAPE_MISMATCH" });
      await expect(refused({ dmel: [...dmel] })).rejects.toThrow(TypeError);
      await session.step(one);
      const { dmel: _, ...capabilities } = session.capabilities;
      expect(() => checkTurnInput(one, capabilities)).toThrow(expect.objectContaining({ code: "UNSUPPORTED" }));
    });

    it("refuses a position of the player in sound that it cannot have made yet (rule 4)", async () => {
      const { engine } = await engineOf();
      const session = await engine.open();
      const wild = [
        { turnIndex: 4, samples: 0 },
        { turnIndex: -1, samples: 0 },
        { turnIndex: 1.5, samples: 0 },
        { turnIndex: 3, samples: 3201 },
        { turnIndex: 3, samples: Number.NaN },
      ];
      for (const played of wild) {
        await expect(session.step(input(5, { turns: 2, played })), JSON.stringify(played)).rejects.toThrow(RangeError);
      }
      await session.step(input(5, { turns: 2, played: { turnIndex: 3, samples: 3200 } }));
    });
  });

  it("is silent at once when it must listen, whatever the vocoder still owes (rule 5)", async () => {
    const script = (): ScriptedOutputs => ({
      control: [speak, speak, speak, speak],
      level: [9, 9, 9, 9],
      text: [one, one, one, one],
    });
    const { engine } = await engineOf(script);
    const session = await engine.open();
    await session.step(input(0));
    const cut = await session.step(input(1, { forceListen: true }));
    expect([cut.decision, cut.text, cut.speech.every((sample) => sample === 0)]).toEqual(["listen", "", true]);
  });

  it("shows the model an image in the micro-turn that covers it, and an empty slot in others", async () => {
    const present: number[] = [];
    const values: number[] = [];
    const { engine } = await engineOf(({ patchPresent, firstPatchValue }) => {
      present.push(patchPresent);
      values.push(firstPatchValue);
      return {};
    });
    const session = await engine.open();
    const image = (timeMs: number, level: number) => ({
      data: new Uint8Array(8 * 8 * 3).fill(level),
      width: 8,
      height: 8,
      timeMs,
    });
    await session.step(input(0, { images: [image(100, 255), image(150, 0)] }));
    await session.step(input(1));
    await session.step(input(3, { turns: 2, images: [image(500, 255), image(700, 0)] }));
    expect(present).toEqual([1, 0, 1, 1]);
    expect(values[0]).toBeGreaterThan(1);
    expect(values[2]).toBeGreaterThan(1);
    expect(values[3]).toBeLessThan(-1);
  });

  it("shows the last image alone when a camera that was turned gave two sizes in one micro-turn", async () => {
    const values: number[] = [];
    const script = ({ firstPatchValue }: ScriptedRow): ScriptedOutputs => {
      values.push(firstPatchValue);
      return {};
    };
    // A model without a picture size of its own: images are cut as they come.
    const { engine } = await engineOf(script, { model: { ...model, manifest: withoutImageSize(model.manifest) } });
    const session = await engine.open();
    const image = (width: number, height: number, level: number, timeMs: number) => ({
      ...{ width, height, timeMs },
      data: new Uint8Array(3 * width * height).fill(level),
    });
    await session.step(input(0, { images: [image(30, 20, 0, 0), image(20, 30, 255, 100)] }));
    await session.step(input(1, { images: [image(20, 30, 255, 200)] }));
    expect(values[0]).toBe(values[1]);
    expect(values[0]).toBeGreaterThan(1);
  });

  it("runs all sessions that wait in one run, and leaves rows alone that have nothing to do", async () => {
    const { engine, backend } = await engineOf(() => ({}), { maxSessions: 4 });
    const sessions = await Promise.all([engine.open(), engine.open(), engine.open()]);
    await Promise.all(sessions.map((session) => session.step(input(0))));
    expect(backend.runs).toEqual([[0, 1, 2]]);
    await sessions[1].step(input(1));
    expect(backend.runs[1]).toEqual([1]);
  });

  it("lets those that come during a run share the next one, merged steps among them", async () => {
    const gates: (() => void)[] = [];
    const { engine, backend } = await engineOf(() => ({}), {
      maxSessions: 4,
      delay: () => new Promise((resolve) => gates.push(resolve)),
    });
    const open = async () => {
      for (let i = 0; i < 20; i++) await new Promise((resolve) => setImmediate(resolve));
      gates.shift()?.();
      for (let i = 0; i < 20; i++) await new Promise((resolve) => setImmediate(resolve));
    };
    const [a, b, c] = await Promise.all([engine.open(), engine.open(), engine.open()]);
    const first = a.step(input(1, { turns: 2 }));
    for (let i = 0; i < 20; i++) await new Promise((resolve) => setImmediate(resolve));
    const others = [b.step(input(0)), c.step(input(0))];
    await open();
    await open();
    await Promise.all([first, ...others]);
    expect(backend.runs).toEqual([[0], [0, 1, 2]]);
  });

  it("gives equal seeds equal random numbers, different seeds different ones, and none when greedy (rule 7)", async () => {
    const draws: number[][] = [];
    const { engine } = await engineOf(({ random, temperature }) => {
      draws.push([temperature, ...random.slice(0, 8)]);
      return {};
    });
    for (const [seed, temperature] of [
      [5, 1],
      [5, 1],
      [6, 1],
      [5, 0],
    ]) {
      const session = await engine.open({ seed, temperature });
      await session.step(input(0));
      await session.close();
    }
    expect(draws[1]).toEqual(draws[0]);
    expect(draws[2].slice(1)).not.toEqual(draws[0].slice(1));
    expect(draws[0].slice(1).every((draw) => draw >= 0 && draw < 1)).toBe(true);
    expect(draws[3][0]).toBe(0);
  });

  it("goes on from a snapshot with everything it had: state, codecs, words, floor and random numbers (rule 10)", async () => {
    const script = ({ turn, random }: ScriptedRow): ScriptedOutputs => ({
      control: turn === 3 ? [listen, listen, listen, listen] : [speak, speak, speak, speak],
      text: turn === 2 ? [0, 0, 0, token("+a")] : [token("+b"), 0, 0, 0],
      level: [1 + Math.floor(random[0] * 14), 7, 7, 7],
    });
    const { engine } = await engineOf(script);
    const session = await engine.open({ seed: 9, temperature: 1 });
    for (let index = 0; index < 3; index++) await session.step(input(index));
    const snapshot = await session.snapshot();
    const strip = async (of: EngineSession) => {
      const outputs = [];
      for (let index = 3; index < 6; index++) {
        const { timing: _, ...output } = await of.step(input(index));
        outputs.push(output);
      }
      return outputs;
    };
    const ahead = await strip(session);
    const other = await engine.open({ seed: 1, temperature: 1 });
    await other.restore(snapshot);
    expect(await strip(other)).toEqual(ahead);
    await session.restore(snapshot);
    expect(await strip(session)).toEqual(ahead);
    expect(ahead[0].yielded).toBe(true);
  });

  it("lets nothing else at its row while a snapshot or restore is under way, also when it is closed", async () => {
    const { backend, engine } = await engineOf(({ turn }) => ({ heard: [[one, two, three][turn % 3], 0, 0, 0] }), {
      maxSessions: 1,
    });
    const session = await engine.open();
    await session.step(input(0));
    const [snapshot, ...refused] = await Promise.allSettled([
      session.snapshot(),
      ...[session.step(input(1)), session.snapshot()],
    ]);
    for (const { reason } of refused as PromiseRejectedResult[]) {
      expect(reason.message).toContain("a snapshot or restore is under way");
    }
    if (snapshot.status === "rejected") throw snapshot.reason;
    await session.restore(snapshot.value);
    await session.step(input(1));

    // A restore that is slow must not reach the row once it belongs to another session.
    let release: () => void = () => {};
    backend.gateWrites(
      new Promise((resolve) => {
        release = resolve;
      }),
    );
    const restoring = session.restore(snapshot.value);
    const closing = session.close();
    await expect(engine.open()).rejects.toMatchObject({ code: "UNSUPPORTED" });
    release();
    await Promise.all([restoring, closing]);
    const next = await engine.open();
    expect((await next.step(input(0))).heard).toBe("one");
  });

  it("says that it is deterministic only when its backend gives every row the same bits (rule 7)", async () => {
    const same = localEngine({ model, backend: scriptedBackend(() => ({ heard: [one, 0, 0, 0] })), maxSessions: 2 });
    expect((await same.load()).deterministic).toBe(true);
    const byRow = scriptedBackend(({ row }) => ({ heard: [row === 3 ? one : two, 0, 0, 0] }));
    expect((await localEngine({ model, backend: byRow, maxSessions: 2 }).load()).deterministic).toBe(false);
    let calls = 0;
    const byTime = scriptedBackend(() => ({ heard: [calls++ === 0 ? one : two, 0, 0, 0] }));
    expect((await localEngine({ model, backend: byTime }).load()).deterministic).toBe(false);
  });

  it("puts text into its slots, and keeps what finds none for the next micro-turn", async () => {
    const slots: number[][] = [];
    const script = ({ textSlots }: ScriptedRow): ScriptedOutputs => {
      slots.push([...textSlots]);
      return {};
    };
    const { engine } = await engineOf(script, { model: reading });
    const session = await engine.open();
    await session.step(
      input(1, {
        turns: 2,
        text: [{ source: "background", text: "one two three one two three one two three one two" }],
      }),
    );
    await session.step(input(2));
    expect(slots).toEqual([
      [0, 0, 0, 0, 0, 0, 0, 0, 0],
      [one, two, three, one, two, three, one, two, three],
      [one, two, 0, 0, 0, 0, 0, 0, 0],
    ]);
  });

  it("says what the background delivers, word by word, and then the model goes on", async () => {
    const told: number[][] = [];
    const script = (row: ScriptedRow): ScriptedOutputs => {
      told.push([...row.told]);
      const speaks = row.told[0] > 0;
      return { control: speaks ? [speak, speak, speak, speak] : [listen, listen, listen, listen] };
    };
    const { engine } = await engineOf(script, { model: tellingModel });
    expect(await engine.load()).toMatchObject({ saysText: true, delegation: true, inputs: ["audio", "video"] });
    const session = await engine.open();
    const outputs = [await session.step(input(0, { text: [{ source: "background", text: "One 2, zebra." }] }))];
    while (outputs.at(-1)?.decision === "speak") outputs.push(await session.step(input(outputs.length)));
    expect(
      outputs
        .map(({ text }) => text)
        .filter(Boolean)
        .join(" "),
    ).toBe("one two zebra");
    const { acoustic = tinyAcoustic, speech = { melBins: 80, levels: 16 } } = tellingModel.config.duplex ?? {};
    const { frames } = new AcousticModel(acoustic, speech, tellingModel.weights).say("one two, zebra.");
    // The first word is shown before it sounds; then two frames a position, four positions a micro-turn; then <end>.
    const spoken = Math.ceil((1 + Math.ceil(frames / 2) + 1) / 4);
    expect(outputs.length).toBe(spoken + 1);
    expect(outputs.map(({ yielded }) => yielded)).toEqual(outputs.map(() => false));
    expect(told[0]).toEqual([2, 1, 1, 1]);
    for (const turn of told.slice(1, spoken - 1)) expect(turn).toEqual([1, 1, 1, 1]);
    expect(told[spoken]).toEqual([0, 0, 0, 0]);
    expect(outputs.slice(0, spoken).some(({ speech }) => speech.some((sample) => sample !== 0))).toBe(true);
  });

  describe("hearing what is typed", () => {
    const typed = (text: string): TextInput => ({ source: "user", text });
    const silent = (index: number, ...text: TextInput[]) => input(index, { audio: new Float32Array(3200), text });
    /** Packed levels of silence are all alike. */
    const sounds = ({ inside }: TurnOutput) => new Set(inside?.dmel).size > 1;
    /** Micro-turns that "one two" lasts, spoken in the voice of the telling model. */
    function spokenTurns(): number {
      const { acoustic = tinyAcoustic, speech = { melBins: 80, levels: 16 } } = tellingModel.config.duplex ?? {};
      return Math.ceil(new AcousticModel(acoustic, speech, tellingModel.weights).say("one two").frames / 8);
    }

    it("speaks it into the model's ear, from the micro-turn that brings it on, and then it is quiet again", async () => {
      const { engine } = await engineOf(() => ({}), { model: tellingModel });
      expect(await engine.load()).toMatchObject({ hearsText: true, inputs: ["audio", "video"] });
      const session = await engine.open();
      const outputs = [await session.step(silent(0)), await session.step(silent(1, typed("One, two")))];
      for (let index = 2; index < spokenTurns() + 8; index++) outputs.push(await session.step(silent(index)));
      const heard = outputs.map(sounds);
      expect(heard[0]).toBe(false);
      expect(heard.slice(1, spokenTurns())).toEqual(Array(spokenTurns() - 1).fill(true));
      expect(heard.slice(spokenTurns() + 4)).toEqual([false, false, false, false]);
    });

    it("mixes it with what the microphone hears, and leaves the caller's samples alone", async () => {
      const { engine } = await engineOf(() => ({}), { model: tellingModel });
      const session = await engine.open();
      const loud = input(0, { text: [typed("one")] });
      const before = loud.audio.slice();
      const mixed = await session.step(loud);
      expect(loud.audio).toEqual(before);
      await session.close();
      const other = await engine.open();
      const alone = await other.step(input(0));
      await other.close();
      const third = await engine.open();
      const quiet = await third.step(silent(0, typed("one")));
      expect(mixed.inside?.dmel).not.toEqual(alone.inside?.dmel);
      expect(mixed.inside?.dmel).not.toEqual(quiet.inside?.dmel);
    });

    it("is the same in one merged step as in single ones, and after a snapshot in mid-word (rule 10)", async () => {
      const { engine } = await engineOf(() => ({}), { model: tellingModel });
      const session = await engine.open();
      const single: (Uint8Array | undefined)[] = [];
      single.push((await session.step(silent(0, typed("one two, three.")))).inside?.dmel);
      const snapshot = await session.snapshot();
      for (let index = 1; index < 5; index++) single.push((await session.step(silent(index))).inside?.dmel);
      await session.restore(snapshot);
      for (let index = 1; index < 5; index++) {
        expect((await session.step(silent(index))).inside?.dmel, `micro-turn ${index}`).toEqual(single[index]);
      }
      const other = await engine.open();
      await other.step(silent(0, typed("one two, three.")));
      const audio = new Float32Array(4 * 3200);
      const merged = await other.step({ ...silent(4), turns: 4, audio });
      expect(merged.inside?.dmel).toEqual(single[4]);
    });

    it("enters a merged step with its last micro-turn", async () => {
      const { engine } = await engineOf(() => ({}), { model: tellingModel });
      const merged = await engine.open();
      const audio = new Float32Array(3 * 3200);
      const last = await merged.step({ ...silent(2, typed("one two")), turns: 3, audio });
      await merged.close();
      const single = await engine.open();
      await single.step(silent(0));
      await single.step(silent(1));
      expect(last.inside?.dmel).toEqual((await single.step(silent(2, typed("one two")))).inside?.dmel);
      expect(sounds(last)).toBe(true);
    });

    describe("while it says what it was told", () => {
      const speaks = ({ told }: ScriptedRow): ScriptedOutputs =>
        told[0] === 0 ? {} : { control: [speak, speak, speak, speak] };
      const tell = (text: string): TextInput => ({ source: "background", text });
      /** Whether something was heard, and whether the assistant spoke, micro-turn by micro-turn. "one" is typed into the second. */
      async function typedInto(told: readonly string[], turns: number) {
        const { engine } = await engineOf(speaks, { model: tellingModel });
        const session = await engine.open();
        const seen: { heard: boolean; spoke: boolean }[] = [];
        for (let index = 0; index < turns; index++) {
          const text = index === 0 ? told.map(tell) : index === 1 ? [typed("one")] : [];
          const output = await session.step(silent(index, ...text));
          seen.push({ heard: sounds(output), spoke: output.decision === "speak" });
        }
        return seen;
      }

      it("waits for its last words, and begins in the micro-turn after them", async () => {
        const seen = await typedInto(["one two three four"], 14);
        const last = seen.findLastIndex(({ spoke }) => spoke);
        expect(last).toBeGreaterThanOrEqual(2);
        expect(last).toBeLessThanOrEqual(5); // a second
        expect(seen.findIndex(({ heard }) => heard)).toBe(last + 1);
      });

      it("breaks in at once if those are more than a second away, or another sentence or text follows", async () => {
        const more = "one two three four five six seven eight nine ten ".repeat(4).trim();
        for (const told of [[more], ["one two. three four."], ["one two", "three four"]]) {
          const seen = await typedInto(told, 3);
          expect(seen.map(({ heard, spoke }) => [heard, spoke])[1]).toEqual([true, true]);
        }
      });
    });

    it("tells what is too much to wait for", async () => {
      const { engine } = await engineOf(() => ({}), { model: tellingModel });
      const session = await engine.open();
      const many = Array.from({ length: 257 }, () => typed("one"));
      expect((await session.step(silent(0, ...many))).unsaid).toEqual([{ words: "one" }]);
    });

    it("hands over the words as they were typed, not as they were understood", async () => {
      const script = ({ turn }: ScriptedRow): ScriptedOutputs =>
        turn === 3 ? { control: [delegate, listen, listen, listen] } : turn === 2 ? { heard: [three, 0, 0, 0] } : {};
      const { engine } = await engineOf(script, { model: tellingModel });
      const session = await engine.open();
      const outputs = [await session.step(silent(0, typed("weather in Paris")))];
      for (let index = 1; index < 4; index++) outputs.push(await session.step(silent(index)));
      expect(outputs[2].heard).toBe("three");
      expect(outputs[3].delegation).toEqual({ task: "weather in Paris" });
    });

    it("takes text in which there is nothing to say, and refuses what is only to be known", async () => {
      const { engine } = await engineOf(() => ({}), { model: tellingModel });
      const session = await engine.open();
      const nothing = await session.step(silent(0, typed("…"), typed("你好")));
      expect(sounds(nothing)).toBe(false);
      expect(nothing.unsaid).toEqual([{ words: "…" }, { words: "你好" }]);
      const toKnow = { source: "user", text: "one", silent: true } as const;
      await expect(session.step(silent(1, toKnow))).rejects.toMatchObject({ code: "UNSUPPORTED" });
    });
  });

  describe("saying what it is told", () => {
    const long = "one two three four five six seven eight nine ten ".repeat(4).trim();
    const from = (text: string, delivery?: number): TextInput => ({
      ...{ source: "background", text },
      ...(delivery === undefined ? {} : { delivery }),
    });
    /** A session that speaks while it is told something, but for the micro-turns that `controls` names. */
    async function telling(controls: (turn: number) => number[] | undefined = () => undefined) {
      const seen: number[][] = [];
      const script = ({ told, turn }: ScriptedRow): ScriptedOutputs => {
        seen.push([...told]);
        const speaks = [speak, speak, speak, speak];
        // Where the controls are given, the model has a word of its own for the last position.
        const given = controls(turn);
        return given ? { control: given, text: [0, 0, 0, one] } : { control: told[0] === 0 ? [] : speaks };
      };
      const { engine } = await engineOf(script, { model: tellingModel });
      const session = await engine.open();
      const outputs: TurnOutput[] = [];
      return {
        ...{ session, outputs, seen },
        async step(...text: TextInput[]) {
          outputs.push(await session.step(input(outputs.length, { text })));
          return outputs[outputs.length - 1];
        },
        async turns(count: number) {
          for (let i = 0; i < count; i++) await this.step();
        },
        get said() {
          return outputs
            .map(({ text }) => text)
            .filter((words) => words !== "")
            .join(" ");
        },
      };
    }

    it("falls silent for good when the model yields, and tells which words of which text nobody heard", async () => {
      const told = await telling((turn) => (turn === 2 ? [speak, speak, listen, speak] : undefined));
      await told.step(from(long, 7), from("two zebra", 8));
      await told.turns(5);
      expect(told.outputs.map(({ yielded }) => yielded)).toEqual([false, false, true, true, false, false]);
      // The model's own word after it fell silent is its own; what it was told does not come back.
      expect(told.said.endsWith(" one")).toBe(true);
      const heard = told.said.slice(0, -" one".length);
      const unsaid = told.outputs[2].unsaid ?? [];
      expect(unsaid.map(({ delivery }) => delivery)).toEqual([7, 8]);
      expect(unsaid[1].words).toBe("two zebra");
      expect(long.startsWith(heard)).toBe(true);
      expect(long.endsWith(unsaid[0].words)).toBe(true);
      expect(heard.split(" ").length + unsaid[0].words.split(" ").length).toBe(40);
      expect(told.seen.slice(3)).toEqual([0, 1, 2].map(() => [0, 0, 0, 0]));
      // What comes later is said again.
      expect(await told.step(from("three"))).toMatchObject({ decision: "speak", text: "three" });
    });

    it("gives a word up that was shown and did not sound, so that a short answer is not lost", async () => {
      const told = await telling(() => [speak, listen, listen, listen]);
      expect(await told.step(from("zebra", 1))).toMatchObject({
        ...{ text: "", yielded: true, unsaid: [{ delivery: 1, words: "zebra" }] },
      });
    });

    it("has given nothing up if the model falls silent where the text ends", async () => {
      const whole = await telling();
      do await whole.step(...(whole.outputs.length === 0 ? [from("one", 1)] : []));
      while (whole.outputs.at(-1)?.decision === "speak");
      const positions = whole.seen.flat().filter((token) => token > 0).length;
      const [turn, position] = [Math.floor((positions - 1) / 4), (positions - 1) % 4];
      const silent = [0, 1, 2, 3].map((at) => (at < position ? speak : listen));
      const told = await telling((index) => (index === turn ? silent : undefined));
      for (let index = 0; index <= turn; index++) await told.step(...(index === 0 ? [from("one", 1)] : []));
      expect(told.outputs.some(({ unsaid, yielded }) => unsaid !== undefined || yielded === true)).toBe(false);
      expect(told.said).toMatch(/^one/);
    });

    it("is silenced whole by the app, but for what comes with the silence", async () => {
      const told = await telling();
      await told.step(from(long, 1), from("seven", 2));
      await told.turns(1);
      const { session, outputs } = told;
      outputs.push(await session.step(input(2, { text: [from("eight", 3)], forceListen: true })));
      expect(outputs[2]).toMatchObject({ decision: "listen", text: "" });
      expect(outputs[2].unsaid?.map(({ delivery }) => delivery)).toEqual([1, 2]);
      await told.turns(4);
      expect(
        outputs
          .slice(3)
          .map(({ text }) => text)
          .join(" ")
          .trim(),
      ).toBe("eight");
    });

    it("goes on after micro-turns that were skipped because they were late, with the word that was cut", async () => {
      const told = await telling();
      const { session, outputs, seen } = told;
      await told.step(from(long, 1));
      await told.turns(1);
      outputs.push(await session.step(input(4, { turns: 3 })));
      expect(seen.slice(2, 5)).toEqual([
        [0, 0, 0, 0],
        [0, 0, 0, 0],
        [2, 1, 1, 1],
      ]);
      while (outputs.at(-1)?.decision === "speak") await told.step();
      expect(outputs.every(({ unsaid }) => unsaid === undefined)).toBe(true);
      // One word at most is there twice.
      const words = told.said.split(" ");
      expect(words.length - 40).toBeLessThanOrEqual(1);
      expect(words.filter((word, i) => word !== words[i - 1]).join(" ")).toBe(long);
    });

    it("goes on from a snapshot in mid-word", async () => {
      const told = await telling();
      await told.step(from(long, 1), from("seven"));
      await told.turns(1);
      const snapshot = await told.session.snapshot();
      const rest = [];
      for (let index = 2; index < 6; index++) rest.push(await told.session.step(input(index)));
      await told.session.restore(snapshot);
      for (const expected of rest) {
        const { text, speech, decision } = await told.session.step(input(2 + rest.indexOf(expected)));
        expect({ text, speech, decision }).toEqual({
          ...{ text: expected.text, speech: expected.speech, decision: expected.decision },
        });
      }
    });

    it("hands nothing over because of words that it was told", async () => {
      const told = await telling(() => [speak, delegate, speak, speak]);
      expect((await told.step(from("let me look"))).delegation).toBeUndefined();
      const own = await telling(() => [speak, delegate, speak, speak]);
      expect((await own.step()).delegation).toBeDefined();
    });

    it("ends a word that the model was spelling before it says what it is told", async () => {
      const [c, a] = ["+c", "+a"].map(token);
      const { engine } = await engineOf(
        ({ turn }) => ({ control: [speak, speak, speak, speak], text: turn === 0 ? [0, 0, c, a] : [] }),
        { model: tellingModel },
      );
      const session = await engine.open();
      await session.step(input(0));
      expect((await session.step(input(1, { text: [from("seven")] }))).text).toBe("seven");
    });

    it("gives up what it cannot say, and what is more than a quarter of an hour", async () => {
      const told = await telling();
      expect((await told.step(from("漢字…", 4))).unsaid).toEqual([{ delivery: 4, words: "漢字…" }]);
      const tooLong = "one ".repeat(5000);
      expect((await told.step(from(tooLong, 5))).unsaid).toEqual([{ delivery: 5, words: tooLong }]);
      const most = "one ".repeat(3000);
      expect((await told.step(from(most, 6))).unsaid).toBeUndefined();
      // Signs that are longer in words count as those.
      expect((await told.step(from("%".repeat(1000), 7))).unsaid?.[0].delivery).toBe(7);
      expect(told.outputs.at(-1)?.text).toMatch(/^one/);
    });
  });

  it("refuses text that the user typed, or that is only to be known, where the model neither reads nor hears it", async () => {
    const { engine } = await engineOf(() => ({}), { model: tellingModel });
    const session = await engine.open();
    const toKnow = { source: "background" as const, text: "one", silent: true };
    await expect(session.step(input(0, { text: [toKnow] }))).rejects.toMatchObject({ code: "UNSUPPORTED" });
    const mute = await (await engineOf()).engine.open();
    for (const text of [{ source: "user" as const, text: "one" }, toKnow]) {
      await expect(mute.step(input(0, { text: [text] }))).rejects.toMatchObject({ code: "UNSUPPORTED" });
    }
  });

  it("fails the steps of a failed run, and goes on with the next", async () => {
    const { engine, backend } = await engineOf();
    const [a, b] = await Promise.all([engine.open(), engine.open()]);
    backend.failNext(new Error("device lost"));
    const results = await Promise.allSettled([a.step(input(0)), b.step(input(0))]);
    for (const result of results) {
      expect(result).toMatchObject({ status: "rejected", reason: { code: "BACKEND_FAILED" } });
    }
    await expect(a.step(input(1))).resolves.toMatchObject({ decision: "listen" });
  });

  it("frees the row of a session that closes in mid-step, once its run is over", async () => {
    const { engine } = await engineOf(() => ({}), { maxSessions: 1 });
    const session = await engine.open();
    const step = session.step(input(0));
    const closing = session.close();
    await expect(step).rejects.toMatchObject({ code: "SESSION_CLOSED" });
    await closing;
    const next = await engine.open();
    await expect(engine.open()).rejects.toMatchObject({ code: "UNSUPPORTED" });
    await next.step(input(0));
    await expect(session.step(input(1))).rejects.toMatchObject({ code: "SESSION_CLOSED" });
  });

  it("closes a backend that it made, and leaves one open that it was given", async () => {
    const given = scriptedBackend(() => ({}));
    const first = localEngine({ model, backend: given });
    await first.load();
    await first.close();
    expect(given.closed).toBe(false);
    const made = scriptedBackend(() => ({}));
    const second = localEngine({ model, backend: async () => made });
    await second.load();
    await Promise.all([second.close(), second.close()]);
    expect(made.closed).toBe(true);
    await expect(second.load()).rejects.toMatchObject({ code: "SESSION_CLOSED" });
  });

  it("loads once for all who wait, gives up when none does any more, and can try again", async () => {
    let makes = 0;
    let release: () => void = () => {};
    const gate = new Promise<void>((resolve) => {
      release = resolve;
    });
    const engine = localEngine({
      model,
      backend: async () => {
        makes++;
        if (makes === 1) await gate;
        return scriptedBackend(() => ({}));
      },
    });
    const controllers = [new AbortController(), new AbortController()];
    const loads = controllers.map(({ signal }) => engine.load({ signal }));
    controllers[0].abort();
    await expect(loads[0]).rejects.toMatchObject({ code: "ABORTED" });
    controllers[1].abort();
    await expect(loads[1]).rejects.toMatchObject({ code: "ABORTED" });
    release();
    const stages: string[] = [];
    await engine.load({ onProgress: ({ stage, done, total }) => stages.push(`${stage} ${done}/${total}`) });
    expect(makes).toBe(2);
    expect(stages).toEqual(["build 0/1", "build 1/1", "start 0/1", "start 1/1"]);
    await engine.close();
  });

  it("frees what it loaded when nobody waits any more while it tries its rows out, and can try again", async () => {
    let release: () => void = () => {};
    const gate = new Promise<void>((resolve) => {
      release = resolve;
    });
    const controller = new AbortController();
    const made: ScriptedBackend[] = [];
    // The first run of a backend is part of that trial: who waits gives up in the middle of it.
    const delay = () => {
      controller.abort();
      return gate;
    };
    const engine = localEngine({
      model,
      backend: async () => {
        const backend = scriptedBackend(() => ({}), made.length === 0 ? { delay } : {});
        made.push(backend);
        return backend;
      },
    });
    await expect(engine.load({ signal: controller.signal })).rejects.toMatchObject({ code: "ABORTED" });
    await engine.load();
    release();
    for (let i = 0; i < 20; i++) await new Promise((resolve) => setImmediate(resolve));
    expect(made.map((backend) => backend.closed)).toEqual([true, false]);
    await engine.close();
  });

  it("loads for all though the onProgress of one throws, which surfaces as an uncaught error", async () => {
    const thrown: unknown[] = [];
    const listeners = process.listeners("uncaughtException");
    process.removeAllListeners("uncaughtException");
    process.on("uncaughtException", (error) => thrown.push(error));
    const engine = localEngine({ model, backend: scriptedBackend(() => ({})) });
    const onProgress = () => {
      throw new Error("progress bar");
    };
    const loads = await Promise.allSettled([engine.load({ onProgress }), engine.load()]);
    for (let i = 0; i < 3; i++) await new Promise((resolve) => setImmediate(resolve));
    process.removeAllListeners("uncaughtException");
    for (const listener of listeners) process.on("uncaughtException", listener);
    expect(loads.map(({ status }) => status)).toEqual(["fulfilled", "fulfilled"]);
    expect(thrown.length).toBeGreaterThan(0);
    await engine.close();
  });

  it("lets nobody wait for a load once it is closed, though what the load waits for never comes", async () => {
    const engine = localEngine({ model, backend: () => new Promise<Backend>(() => {}) });
    const loads = [engine.load(), engine.open()];
    await engine.close();
    for (const load of loads) await expect(load).rejects.toMatchObject({ code: "SESSION_CLOSED" });
  });

  it("stores weights as its backend likes best, or as asked for, and says so", async () => {
    const inner = scriptedBackend(() => ({}));
    const target = { ...inner.capabilities.target, weights: ["int8", "float32"] as const };
    const backend: Backend = {
      capabilities: { ...inner.capabilities, target },
      load: (graph, options) => inner.load(graph, options),
      close: () => inner.close(),
    };
    const chosen = await localEngine({ model, backend }).load();
    expect(chosen.identity?.backend).toBe("scripted int8, none");
    const asked = await localEngine({ model, backend, weights: "float32" }).load();
    expect(asked.identity?.backend).toBe("scripted float32, none");
    const halves = await localEngine({ model, backend, weights: "float16" }).load();
    expect(halves.identity?.backend).toBe("scripted float16, none");
  });

  it("begins as patiently as the model says, or as asked for", async () => {
    const eager = tinyModel({ duplex: { startMargin: 0.5 } });
    const inner = scriptedBackend(() => ({}));
    const { target } = inner.capabilities;
    const graphs: Uint8Array[] = [];
    const backend: Backend = {
      capabilities: inner.capabilities,
      load: (graph, options) => {
        graphs.push(graph.onnx);
        return inner.load(graph, options);
      },
      close: () => inner.close(),
    };
    for (const startMargin of [undefined, 3, 0]) {
      await localEngine({ model: eager, backend, ...(startMargin === undefined ? {} : { startMargin }) }).load();
    }
    const built = [0.5, 3, 0].map((startMargin) => {
      const { config, weights } = tinyModel({ duplex: { startMargin } });
      return buildDuplexGraph(config, weights, { target, weightType: "float32" }).onnx;
    });
    expect(graphs.map((graph) => Buffer.from(graph).equals(built[0]))).toEqual([true, false, false]);
    expect(graphs.map((graph) => Buffer.from(graph).equals(built[1]))).toEqual([false, true, false]);
    expect(graphs.map((graph) => Buffer.from(graph).equals(built[2]))).toEqual([false, false, true]);
  });

  it("tells whoever loads, and nobody else, of a backend that failed before", async () => {
    const unhandled: unknown[] = [];
    const listen = (reason: unknown) => unhandled.push(reason);
    process.on("unhandledRejection", listen);
    const missing = new DuplexError("BACKEND_UNAVAILABLE", "no such provider here");
    const engine = localEngine({ model, backend: Promise.reject(missing) });
    // The runtime reports unhandled rejections between two tasks.
    for (let i = 0; i < 3; i++) await new Promise((resolve) => setImmediate(resolve));
    process.off("unhandledRejection", listen);
    expect(unhandled).toEqual([]);
    await expect(engine.load()).rejects.toBe(missing);
    await expect(engine.open()).rejects.toBe(missing);
    await engine.close();
  });

  it("frees what it loaded into a backend that it was given when the load fails after that", async () => {
    const inner = scriptedBackend(() => ({}));
    let [loaded, disposed] = [0, 0];
    const backend: Backend = {
      capabilities: inner.capabilities,
      close: () => inner.close(),
      async load(graph) {
        const executable = await inner.load(graph);
        loaded++;
        return {
          graph,
          createState: () => Promise.reject(new Error("no memory")),
          run: (feeds, state) => executable.run(feeds, state),
          dispose: async () => {
            disposed++;
          },
        };
      },
    };
    await expect(localEngine({ model, backend }).load()).rejects.toThrow("no memory");
    expect([loaded, disposed, inner.closed]).toEqual([1, 1, false]);
  });

  it.each([
    ["speech at another rate", { speech: { sampleRate: 48_000 } }, {}, /vocoder of 16000 Hz with a hop of 400 samples/],
    ["speech with another hop", { speech: { hopSamples: 200 } }, {}, /vocoder of 16000 Hz with a hop of 400 samples/],
    ["images of more patches than slots", { image: { width: 40, height: 40 } }, {}, /at most 1 patches, 40 x 40 .* 2/],
    ["audio of other levels", {}, { audio: { melBins: 80, levels: 8 } }, /80 bins and 8 levels .* of 80 and 16/],
    ["patches of another size", {}, { image: { ...model.config.image, patchSize: 20 } }, /got 20 x 20, 2 and 3/],
  ])("refuses a model whose manifest and configuration disagree: %s", async (_, codecs, config, message) => {
    const { speech, ...others } = model.manifest.codecs;
    const changes = codecs as { speech?: object; image?: { width: number; height: number } };
    const merged = { ...others, ...changes, speech: { ...speech, ...changes.speech } };
    const wrong = {
      ...model,
      manifest: { ...model.manifest, codecs: merged },
      config: { ...model.config, ...config } as typeof model.config,
    };
    const loading = localEngine({ model: wrong, backend: scriptedBackend(() => ({})) }).load();
    await expect(loading).rejects.toMatchObject({
      code: "MODEL_INVALID",
      message: expect.stringMatching(message),
    });
  });

  it("refuses models and options that it cannot run, with the reason", async () => {
    const backend = scriptedBackend(() => ({}), { maxBatch: 2 });
    expect(() => localEngine({ model, backend, maxSessions: 0 })).toThrow(RangeError);
    for (const startMargin of [-1, 21, Number.NaN, "3", null]) {
      expect(() => localEngine({ model, backend, startMargin: startMargin as number })).toThrow(
        /startMargin must be from 0 to 20, got/,
      );
    }
    for (const wrong of ["./a-folder", undefined, null]) {
      expect(() => localEngine({ model: wrong as never, backend })).toThrow(/model must be a model such as mini/);
    }
    expect(() => localEngine({ model, backend: undefined as never })).toThrow(/expected a backend/);
    await expect(localEngine({ model, backend, maxSessions: 3 }).load()).rejects.toThrow(/at most 2/);
    const { duplex: _, ...config } = model.config;
    const plain = { ...model, config };
    await expect(localEngine({ model: plain, backend }).load()).rejects.toMatchObject({ code: "MODEL_INVALID" });
    const source = { name: "nowhere", read: () => Promise.reject(new Error("no such file")) };
    await expect(localEngine({ model: source, backend }).load()).rejects.toMatchObject({ code: "MODEL_INVALID" });
    const engine = localEngine({ model, backend });
    await expect(engine.open({ temperature: 3 })).rejects.toThrow(RangeError);
    await expect(engine.open({ seed: 1.5 })).rejects.toThrow(RangeError);
    await expect(
      (await engine.open()).step(input(0, { text: [{ source: "user", text: "hi" }] })),
    ).rejects.toMatchObject({
      code: "UNSUPPORTED",
    });
  });
});
