// One micro-turn of an interaction model as one graph run: docs/models.md, "The micro-turn layout".
//
// The first pass takes all input positions and output position 0 together; each further output position is a pass of
// one position whose input is what the previous one yielded, sampled inside the graph.

import type { Graph, GraphTarget, WeightType } from "../backend.js";
import { type DuplexLayout, type ModelConfig, positionsPerTurn } from "../model/config.js";
import { controlTokens } from "../model/weight-shapes.js";
import type { Weights } from "../model/weights.js";
import { BuildContext } from "./build-context.js";
import { Decoder } from "./decoder.js";
import { bagOfLevels, embedAudio, embedPatches, embedText } from "./embeddings.js";
import { Emitter, type Value } from "./emitter.js";
import { controlLogits, heardLogits, languageLogits, speechLogits } from "./heads.js";
import { prepareTemperature, sample } from "./sampling.js";
import { vocoderNetwork } from "./vocoder-graph.js";

/** Control tokens of an output position. */
export const controlToken = { none: 0, listen: 1, speak: 2, delegate: 3 } as const;

const weightTypes: readonly WeightType[] = ["float32", "float16", "int8", "int4"];

/**
 * Who says what an output position says: the model by itself; what it is told, if it was so one position before, and unless
 * it listens; or what it is told, with `speak` for control, which is how that begins. In the first position of a micro-turn
 * it goes on if the last control token was not `listen`. A forced control token is above all.
 */
export const toldToken = { own: 0, goesOn: 1, begins: 2 } as const;

/** Options of {@link buildDuplexGraph}. */
export interface DuplexGraphOptions {
  readonly target: Pick<GraphTarget, "experts" | "state">;
  /** Storage of the large matrices, default `float32`. */
  readonly weightType?: WeightType;
  /** With `int8` or `int4`: 4 lets the runtime quantise activations to int8 too (faster on CPU), 0 does not; default 4. */
  readonly accuracyLevel?: 0 | 4;
  /** Adds the logits as outputs, default false. */
  readonly debug?: boolean;
  /** Weights above this many bytes in all go to files beside the model, each about this large; default and most 2^30. */
  readonly inlineLimitBytes?: number;
}

/**
 * Builds the graph that advances an interaction model by one micro-turn.
 *
 * Letters: B rows (sessions), A audio positions, O output positions, F speech frames per position, E experts.
 *
 * Inputs: `dmel` int32 `[B, A, bins]`; with text slots `text_slots` int32 `[B, slots]` (0 where empty); with patch slots
 * `patches` float32 `[B, slots, time, size, size, channels]` and `patch_present` float32 `[B, slots]` (0 or 1);
 * `random` float32 `[B, O, 3 + F * bins]` uniform in [0, 1): text, heard, control, then one per speech level;
 * `temperature` float32 `[B]` (0 is greedy); `force_control` int32 `[B]` (0: free, else the control token of every output
 * position of this micro-turn); with an acoustic model `told` int32 `[B, O]` (see {@link toldToken}), and what is told:
 * `told_text` int32 `[B, O]` and `told_speech` int32 `[B, O, F * bins]`.
 *
 * Outputs: `text`, `heard`, `control` int32 `[B, O]`; `speech` int32 `[B, O, F * bins]` levels (all 0 under `listen`);
 * `expert_load` float32 `[B, mixture layers, E]`, mean share of each routed expert; with a vocoder `vocoder_controls`
 * float32 `[B, O * F, subFrames * (2 + 2 * envelopePoints)]`; with `debug` also `text_logits`, `heard_logits` `[B, O, V]`,
 * `control_logits` `[B, O, 4]`, `speech_logits` `[B, O, F * bins, levels]`, and `chosen_experts` int32
 * `[B, mixture layers, P, K]`, the experts that each of the P positions chose, best first.
 *
 * State: the counter `turn`; rings `k{i}`, `v{i}`; `conv`, `previous` and (with a vocoder) `vocoder`, replaced.
 *
 * @throws DuplexError `MODEL_INVALID` if a weight is missing or has another shape
 * @throws DuplexError `UNSUPPORTED` if a large weight is beyond the range of float16 (65504 in magnitude) and that is asked for
 * @throws TypeError if the configuration has no `duplex` layout or no `audio`
 * @throws RangeError if `weightType` is none
 */
export function buildDuplexGraph(config: ModelConfig, weights: Weights, options: DuplexGraphOptions): Graph {
  const { target, weightType = "float32", accuracyLevel = 4, debug = false, inlineLimitBytes } = options;
  const layout = config.duplex;
  if (layout === undefined || config.audio === undefined) {
    throw new TypeError("buildDuplexGraph: expected a configuration with duplex and audio, got a plain language model");
  }
  if (!weightTypes.includes(weightType)) {
    throw new RangeError(`buildDuplexGraph: expected a weightType of ${weightTypes.join(", ")}, got ${weightType}`);
  }
  const g = new Emitter();
  const c = new BuildContext(g, config, weights, { experts: target.experts, weightType, accuracyLevel });
  const P = positionsPerTurn(layout);
  const O = layout.outputPositions;
  const { framesPerPosition: F, melBins, levels } = layout.speech;
  const channels = F * melBins;

  const decoder = new Decoder(c, {
    positionsPerTurn: P,
    sliding: {
      positionsPerTurn: P,
      sinkTurns: 0,
      ringTurns: Math.ceil((config.slidingWindow - 1) / P),
      window: config.slidingWindow,
    },
    global: {
      positionsPerTurn: P,
      sinkTurns: layout.sinkPositions / P,
      ringTurns: Math.ceil((layout.globalWindow - 1) / P),
      window: layout.globalWindow,
    },
    state: target.state,
  });
  const random = g.input("random", "float32", [-1, O, 3 + channels]);
  const temperature = prepareTemperature(g, g.input("temperature", "float32", [-1]));
  const force = g.reshape(g.input("force_control", "int32", [-1]), [-1, 1]);
  const told = layout.acoustic === undefined ? undefined : toldInputs(g, O, channels);
  const packed = g.stateInput({
    input: "previous",
    output: "previous_new",
    type: "int32",
    shape: [3 + channels],
    update: { kind: "replace" },
  });

  let bag = previousBag(g, packed, decoder.turn, channels);
  const yields: Yield[] = [];
  for (let output = 0; output < O; output++) {
    g.scope(`output${output}`, () => {
      const embedded = embedBag(c, bag, layout);
      const first = output === 0;
      const x = first ? g.concat([...inputPositions(c, layout), embedded], 1) : embedded;
      const count = first ? P - O + 1 : 1;
      const hidden = decoder.pass(x, first ? 0 : P - O + output, count);
      const last = count === 1 ? hidden : g.slice(hidden, 1, count - 1, count);
      const draws = g.reshape(g.slice(random, 1, output, output + 1), [-1, 3 + channels]);
      // Once the model has fallen silent, what it was told does not go on by itself.
      const spoke = () => yields.at(-1)?.told ?? g.op("Not", [g.equal(bag.control, g.int(controlToken.listen))]);
      const says = told === undefined ? undefined : { ...told(output), spoke: spoke() };
      const yielded = yieldOf(c, last, bag.control, draws, temperature, force, layout, says);
      yields.push(yielded);
      bag = yielded;
    });
  }
  decoder.finish();
  g.stateOutput("previous_new", g.concat([bag.text, bag.heard, bag.control, bag.levels], 1));

  const joined = (key: "text" | "heard" | "control") =>
    g.concat(
      yields.map((one) => one[key]),
      1,
    );
  for (const key of ["text", "heard", "control"] as const) g.output(key, joined(key), "int32", [-1, O]);
  const speech = g.reshape(
    g.concat(
      yields.map((one) => one.levels),
      1,
    ),
    [-1, O, channels],
  );
  g.output("speech", speech, "int32", [-1, O, channels]);
  const load = decoder.expertLoad();
  if (load !== undefined) {
    const mixtures = config.mlpTypes.filter((type) => type === "experts").length;
    g.output("expert_load", load, "float32", [-1, mixtures, config.experts]);
  }
  if (layout.vocoder !== undefined) {
    const { subFrames, envelopePoints } = layout.vocoder;
    const controls = g.scope("vocoder", () => vocoderNetwork(c, g.reshape(speech, [-1, O * F, melBins]), O * F));
    g.output("vocoder_controls", controls, "float32", [-1, O * F, subFrames * (2 + 2 * envelopePoints)]);
  }
  if (debug) {
    const V = config.unpaddedVocabSize ?? config.vocabSize;
    const logits = (key: "text" | "heard" | "control" | "speech", width: readonly number[]) => {
      const all = g.concat(
        yields.map((one) => one.logits[key]),
        1,
      );
      g.output(`${key}_logits`, g.reshape(all, [-1, O, ...width]), "float32", [-1, O, ...width]);
    };
    logits("text", [V]);
    logits("heard", [V]);
    logits("control", [controlTokens]);
    logits("speech", [channels, levels]);
    const chosen = decoder.chosenExperts();
    if (chosen !== undefined) {
      const mixtures = config.mlpTypes.filter((type) => type === "experts").length;
      g.output("chosen_experts", chosen, "int32", [-1, mixtures, P, config.expertsPerToken]);
    }
  }
  return g.finish("microturn-duplex", inlineLimitBytes);
}

/** What an output position yields, int32: `[B, 1]` three times and `[B, F * bins]`. */
interface Bag {
  readonly text: Value;
  readonly heard: Value;
  readonly control: Value;
  readonly levels: Value;
}

interface Yield extends Bag {
  /** Whether it said what it was told, bool `[B, 1]`; only with an acoustic model. */
  readonly told?: Value;
  readonly logits: { readonly text: Value; readonly heard: Value; readonly control: Value; readonly speech: Value };
}

/** What an output position is told: `[B, 1]`, `[B, 1]`, `[B, F * bins]`; and whether what was told may go on, bool `[B, 1]`. */
interface Told {
  readonly told: Value;
  readonly text: Value;
  readonly levels: Value;
  readonly spoke: Value;
}

/** The inputs for what is told, by output position. */
function toldInputs(g: Emitter, O: number, channels: number): (output: number) => Omit<Told, "spoke"> {
  const told = g.input("told", "int32", [-1, O]);
  const text = g.input("told_text", "int32", [-1, O]);
  const speech = g.input("told_speech", "int32", [-1, O, channels]);
  return (output) => ({
    told: g.slice(told, 1, output, output + 1),
    text: g.slice(text, 1, output, output + 1),
    levels: g.reshape(g.slice(speech, 1, output, output + 1), [-1, channels]),
  });
}

/** What the last micro-turn yielded last; before the first one: nothing said, nothing heard, `listen`. */
function previousBag(g: Emitter, packed: Value, turn: Value, channels: number): Bag {
  const [text, heard, stored, levels] = g.split(packed, 1, [1, 1, 1, channels]);
  const started = g.less(g.int(0), g.reshape(turn, [-1, 1]));
  return { text, heard, control: g.where(started, stored, g.int(controlToken.listen)), levels };
}

/** Input of an output position: the bag of embeddings of what the one before yielded, `[B, 1, H]`. */
function embedBag(c: BuildContext, bag: Bag, { speech }: DuplexLayout): Value {
  const { g } = c;
  const text = g.gather(c.table("model.language_model.embed_tokens.weight"), bag.text, 0);
  const heard = g.gather(c.table("microturn.heard_table.weight"), bag.heard, 0);
  const said = g.gather(c.table("microturn.control_table.weight"), bag.control, 0);
  const bins = speech.framesPerPosition * speech.melBins;
  const frames = bagOfLevels(c, bag.levels, "microturn.speech_table.weight", bins, speech.levels, 1);
  const sum = g.add(g.add(g.add(text, heard), said), g.reshape(frames, [-1, 1, c.config.hiddenSize]));
  return c.norm(sum, "microturn.output_norm.weight");
}

/** Everything that comes in from outside, in the order of the layout: each `[B, count, H]`. */
function inputPositions(c: BuildContext, layout: DuplexLayout): Value[] {
  const { g, config } = c;
  const parts: Value[] = [];
  if (layout.textSlots > 0) parts.push(embedText(c, g.input("text_slots", "int32", [-1, layout.textSlots])));
  if (layout.patchSlots > 0 && config.image !== undefined) {
    const { temporalPatchSize, patchSize, channels } = config.image;
    const shape = [-1, layout.patchSlots, temporalPatchSize, patchSize, patchSize, channels];
    const seen = embedPatches(c, g.input("patches", "float32", shape), layout.patchSlots);
    const present = g.reshape(g.input("patch_present", "float32", [-1, layout.patchSlots]), [-1, layout.patchSlots, 1]);
    const empty = embedText(c, g.ints([0], [1, 1]));
    parts.push(g.where(g.less(g.float(0.5), present), seen, empty));
  }
  const bins = config.audio?.melBins ?? 0;
  parts.push(embedAudio(c, g.input("dmel", "int32", [-1, layout.audioPositions, bins])));
  return parts;
}

/** Heads, sampling, what is told instead, and the rule that nothing is said under `listen`. */
function yieldOf(
  c: BuildContext,
  hidden: Value,
  before: Value,
  draws: Value,
  temperature: ReturnType<typeof prepareTemperature>,
  force: Value,
  { speech, startMargin = 0 }: DuplexLayout,
  says: Told | undefined,
): Yield {
  const { g, config } = c;
  const channels = speech.framesPerPosition * speech.melBins;
  const [textDraw, heardDraw, controlDraw, speechDraw] = g.split(draws, 1, [1, 1, 1, channels]);
  const logits = {
    text: g.scope("text", () => languageLogits(c, hidden)),
    heard: g.scope("heard", () => heardLogits(c, hidden)),
    control: g.scope("control", () => controlLogits(c, hidden)),
    speech: g.scope("speech", () => g.reshape(speechLogits(c, hidden), [-1, channels, speech.levels])),
  };
  const words = config.unpaddedVocabSize ?? config.vocabSize;
  const spoken = sample(g, logits.text, textDraw, temperature, 1, words);
  const heard = sample(g, logits.heard, heardDraw, temperature, 1, words);
  const weighed = startMargin > 0 ? listeningOn(g, logits.control, before, startMargin) : logits.control;
  const free = sample(g, weighed, controlDraw, temperature, 1, controlTokens);
  const levels = sample(g, logits.speech, speechDraw, temperature, channels, speech.levels);
  const decide = (choice: Value) => g.where(g.less(g.int(0), force), force, choice);
  if (says === undefined) return unlessListening(g, { text: spoken, heard, control: decide(free), levels, logits });
  const begins = g.equal(says.told, g.int(toldToken.begins));
  const goesOn = g.op("And", [g.equal(says.told, g.int(toldToken.goesOn)), says.spoke]);
  const isTold = g.op("Or", [begins, goesOn]);
  const control = decide(g.where(begins, g.int(controlToken.speak), free));
  const speaks = g.op("Not", [g.equal(control, g.int(controlToken.listen))]);
  return unlessListening(g, {
    text: g.where(isTold, says.text, spoken),
    heard,
    control,
    levels: g.where(isTold, says.levels, levels),
    told: g.op("And", [isTold, speaks]),
    logits,
  });
}

/** Logits of the control token, `[B, 1, 4]`, where `listen` gains `margin` if the position before listened. */
function listeningOn(g: Emitter, logits: Value, before: Value, margin: number): Value {
  const listened = g.cast(g.equal(before, g.int(controlToken.listen)), "float32");
  const gain = new Float32Array(controlTokens);
  gain[controlToken.listen] = margin;
  return g.add(logits, g.mul(g.reshape(listened, [-1, 1, 1]), g.floats(gain, [1, 1, controlTokens])));
}

/** Nothing is said under `listen`. */
function unlessListening(g: Emitter, yielded: Yield): Yield {
  const listens = g.equal(yielded.control, g.int(controlToken.listen));
  return {
    ...yielded,
    text: g.where(listens, g.int(0), yielded.text),
    levels: g.where(listens, g.int(0), yielded.levels),
  };
}
