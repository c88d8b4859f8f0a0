// Checks a model configuration that came from outside: every field known, every size possible, all of them together too.

import type { AcousticShape, AttentionShape, DuplexLayout, ModelConfig, PatchLayer, VocoderShape } from "./config.js";
import { positionsPerTurn } from "./config.js";
import { Fields, invalid } from "./fields.js";

/** Largest size of anything: keeps a hostile configuration from asking for absurd amounts of memory. */
const most = 1 << 24;

/** Most elements of the KV cache of one session: 4 GiB. */
const mostElements = 2 ** 30;

/** Most layers. */
const mostLayers = 1024;

/**
 * Checks a configuration read from JSON.
 *
 * @param where - its place, for messages; default `config`
 * @throws DuplexError `MODEL_INVALID` naming the field, what was expected and what came
 */
export function validateConfig(value: unknown, where = "config"): ModelConfig {
  const fields = new Fields(value, where);
  const layerTypes = fields.list("layerTypes", 1, mostLayers, (item, at) =>
    oneOf(item, at, ["sliding", "global"] as const),
  );
  const mlpTypes = fields.list("mlpTypes", 1, mostLayers, (item, at) => oneOf(item, at, ["dense", "experts"] as const));
  if (mlpTypes.length !== layerTypes.length) {
    throw fields.invalid("mlpTypes", `one entry per layer (${layerTypes.length})`, `${mlpTypes.length} entries`);
  }
  const vocabSize = fields.count("vocabSize", 1, most);
  const hiddenSize = fields.count("hiddenSize", 1, most);
  const experts = fields.count("experts", 1, 65_536);
  const config: ModelConfig = {
    hiddenSize,
    vocabSize,
    ...(fields.has("unpaddedVocabSize") ? { unpaddedVocabSize: fields.count("unpaddedVocabSize", 1, vocabSize) } : {}),
    rmsNormEpsilon: fields.number("rmsNormEpsilon", 0, 1),
    layerTypes,
    mlpTypes,
    global: attention(fields.object("global")),
    sliding: attention(fields.object("sliding")),
    slidingWindow: fields.count("slidingWindow", 1, most),
    relativeDim: fields.count("relativeDim", 1, 65_536),
    ...(fields.has("logScaling") ? { logScaling: logScaling(fields.object("logScaling")) } : {}),
    convKernel: fields.count("convKernel", 2, 64),
    denseWidth: fields.count("denseWidth", 1, most),
    expertWidth: fields.count("expertWidth", 1, most),
    experts,
    expertsPerToken: fields.count("expertsPerToken", 1, experts),
    sharedExperts: fields.count("sharedExperts", 0, 1024),
    routeScale: fields.number("routeScale", -1e6, 1e6),
    mupDivisor: fields.number("mupDivisor", 1e-6, 1e6),
    ...(fields.has("audio") ? { audio: audio(fields.object("audio")) } : {}),
    ...(fields.has("image") ? { image: image(fields.object("image"), hiddenSize) } : {}),
    ...(fields.has("duplex") ? { duplex: duplex(fields.object("duplex")) } : {}),
  };
  fields.done();
  if (config.duplex !== undefined) checkLayout(config, config.duplex, where);
  return config;
}

function oneOf<Value extends string>(item: unknown, at: string, values: readonly Value[]): Value {
  const found = values.find((value) => value === item);
  if (found === undefined) throw invalid(at, `one of ${values.join(", ")}`, item);
  return found;
}

function attention(fields: Fields): AttentionShape {
  const shape = {
    heads: fields.count("heads", 1, 65_536),
    kvHeads: fields.count("kvHeads", 1, 65_536),
    headDim: fields.count("headDim", 1, 65_536),
    relativeExtent: fields.count("relativeExtent", 1, most),
  };
  fields.done();
  if (shape.heads % shape.kvHeads !== 0)
    throw fields.invalid("kvHeads", `a divisor of heads (${shape.heads})`, shape.kvHeads);
  return shape;
}

function logScaling(fields: Fields): { floor: number; alpha: number } {
  const scaling = { floor: fields.number("floor", 1, 1e9), alpha: fields.number("alpha", 0, 1e3) };
  fields.done();
  return scaling;
}

function audio(fields: Fields): { melBins: number; levels: number } {
  const shape = { melBins: fields.count("melBins", 1, 4096), levels: fields.count("levels", 2, 256) };
  fields.done();
  return shape;
}

function image(fields: Fields, hiddenSize: number): NonNullable<ModelConfig["image"]> {
  const patchSize = fields.count("patchSize", 1, 4096);
  const temporalPatchSize = fields.count("temporalPatchSize", 1, 64);
  const channels = fields.count("channels", 1, 16);
  const layers = fields.list("layers", 1, 32, (item, at): PatchLayer => {
    const layer = new Fields(item, at);
    const result = {
      foldTime: layer.count("foldTime", 1, 64),
      foldSpace: layer.count("foldSpace", 1, 4096),
      inputWidth: layer.count("inputWidth", 1, most),
      outputWidth: layer.count("outputWidth", 1, most),
    };
    layer.done();
    return result;
  });
  fields.done();

  // Folding must take a patch down to one point, and each layer must take what the one before gives.
  let [time, size, depth] = [temporalPatchSize, patchSize, channels];
  for (const [index, layer] of layers.entries()) {
    const at = `layers[${index}]`;
    if (time % layer.foldTime !== 0) throw fields.invalid(`${at}.foldTime`, `a divisor of ${time}`, layer.foldTime);
    if (size % layer.foldSpace !== 0) throw fields.invalid(`${at}.foldSpace`, `a divisor of ${size}`, layer.foldSpace);
    const width = depth * layer.foldTime * layer.foldSpace * layer.foldSpace;
    if (layer.inputWidth !== width)
      throw fields.invalid(`${at}.inputWidth`, `${width}, what the folds give`, layer.inputWidth);
    time /= layer.foldTime;
    size /= layer.foldSpace;
    depth = layer.outputWidth;
  }
  if (time !== 1 || size !== 1)
    throw fields.invalid("layers", "folds down to one point", `${time} x ${size} x ${size}`);
  if (depth !== hiddenSize) throw fields.invalid("layers", `a last outputWidth of hiddenSize (${hiddenSize})`, depth);
  return { patchSize, temporalPatchSize, channels, layers };
}

function duplex(fields: Fields): DuplexLayout {
  const speechFields = fields.object("speech");
  const layout: DuplexLayout = {
    turnDurationMs: fields.count("turnDurationMs", 1, 10_000),
    textSlots: fields.count("textSlots", 0, 4096),
    patchSlots: fields.count("patchSlots", 0, 4096),
    audioPositions: fields.count("audioPositions", 1, 4096),
    outputPositions: fields.count("outputPositions", 1, 256),
    globalWindow: fields.count("globalWindow", 1, most),
    sinkPositions: fields.count("sinkPositions", 0, most),
    speech: {
      framesPerPosition: speechFields.count("framesPerPosition", 1, 64),
      melBins: speechFields.count("melBins", 1, 4096),
      levels: speechFields.count("levels", 2, 256),
    },
    ...(fields.has("delegates") ? { delegates: fields.flag("delegates") } : {}),
    ...(fields.has("startMargin") ? { startMargin: fields.number("startMargin", 0, 20) } : {}),
    ...(fields.has("acoustic") ? { acoustic: acoustic(fields.object("acoustic")) } : {}),
    ...(fields.has("vocoder") ? { vocoder: vocoder(fields.object("vocoder")) } : {}),
  };
  speechFields.done();
  fields.done();
  return layout;
}

function acoustic(fields: Fields): AcousticShape {
  const shape = {
    width: fields.count("width", 1, 4096),
    kernel: fields.count("kernel", 1, 63),
    expand: fields.count("expand", 1, 16),
    encoderBlocks: fields.count("encoderBlocks", 1, 64),
    decoderBlocks: fields.count("decoderBlocks", 1, 64),
    alphabet: fields.text("alphabet"),
  };
  fields.done();
  const { kernel, alphabet } = shape;
  if (kernel % 2 === 0) throw fields.invalid("kernel", "an odd number", kernel);
  if (
    alphabet[0] !== "_" ||
    !alphabet.includes(" ") ||
    new Set(alphabet).size !== alphabet.length ||
    !/^[_ -~]+$/.test(alphabet)
  ) {
    throw fields.invalid("alphabet", "different characters of ASCII, _ first and a space among them", alphabet);
  }
  return shape;
}

function vocoder(fields: Fields): VocoderShape {
  const shape = {
    width: fields.count("width", 1, 65_536),
    blocks: fields.count("blocks", 1, 64),
    kernel: fields.count("kernel", 2, 64),
    subFrames: fields.count("subFrames", 1, 64),
    envelopePoints: fields.count("envelopePoints", 1, 65_536),
  };
  fields.done();
  return shape;
}

/** A cache is a ring of whole micro-turns; docs/models.md, "Attention windows". */
function checkLayout(config: ModelConfig, layout: DuplexLayout, where: string): void {
  const P = positionsPerTurn(layout);
  const whole = (name: string, size: number) => {
    if (size % P !== 0) throw invalid(`${where}.${name}`, `a whole number of micro-turns of ${P} positions`, size);
  };
  whole("slidingWindow", config.slidingWindow);
  whole("duplex.globalWindow", layout.globalWindow);
  whole("duplex.sinkPositions", layout.sinkPositions);
  const cached = cachedElements(config, layout, P);
  if (cached > mostElements) {
    throw invalid(
      where,
      "windows whose KV cache takes at most 4 GiB per session",
      `${((4 * cached) / 2 ** 30).toFixed(1)} GiB`,
    );
  }
  const scored = scoredElements(config, layout, P);
  if (scored > mostElements) {
    throw invalid(
      where,
      "attention scores of one micro-turn of at most 4 GiB per layer and session",
      `${((4 * scored) / 2 ** 30).toFixed(1)} GiB`,
    );
  }
  if (config.audio === undefined)
    throw invalid(`${where}.audio`, "the shape of the audio input (duplex needs it)", undefined);
  if (layout.patchSlots > 0 && config.image === undefined) {
    throw invalid(`${where}.image`, "the patch tower (duplex.patchSlots is not 0)", undefined);
  }
}

/** Elements of the largest attention scores of a pass: every position of a micro-turn against ring, micro-turn and relative bias. */
function scoredElements({ layerTypes, sliding, global, slidingWindow }: ModelConfig, layout: DuplexLayout, P: number) {
  const sizes = layerTypes.map((type) => {
    const { heads, relativeExtent } = type === "sliding" ? sliding : global;
    const positions = type === "sliding" ? slidingWindow : layout.sinkPositions + layout.globalWindow;
    return heads * P * (P * Math.ceil(positions / P) + P + relativeExtent + 2);
  });
  return Math.max(...sizes);
}

/** Elements of the rings of all layers: keys and values of whole micro-turns. */
function cachedElements({ layerTypes, sliding, global, slidingWindow }: ModelConfig, layout: DuplexLayout, P: number) {
  let elements = 0;
  for (const type of layerTypes) {
    const { kvHeads, headDim } = type === "sliding" ? sliding : global;
    const positions = type === "sliding" ? slidingWindow : layout.sinkPositions + layout.globalWindow;
    elements += 2 * kvHeads * headDim * P * Math.ceil(positions / P);
  }
  return elements;
}
