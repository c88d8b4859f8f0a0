// Names and shapes of every weight that a configuration asks for: the one list that loading, building and random
// models go by. Names: transformers' InklingForConditionalGeneration.state_dict(), and `microturn.` for our own.

import type { AcousticShape, AttentionShape, ModelConfig } from "./config.js";

/** Control tokens: none, listen, speak, delegate. */
export const controlTokens = 4;

/** Prefix of the weights of one layer. */
export function layerPrefix(layer: number): string {
  return `model.language_model.layers.${layer}.`;
}

/** The attention shape of a layer. */
export function attentionOf(config: ModelConfig, layer: number): AttentionShape {
  return config.layerTypes[layer] === "sliding" ? config.sliding : config.global;
}

/** Every weight of a configuration with its shape, in order. */
export function weightShapes(config: ModelConfig): Map<string, readonly number[]> {
  const H = config.hiddenSize;
  const shapes = new Map<string, readonly number[]>();
  shapes.set("model.language_model.embed_tokens.weight", [config.vocabSize, H]);
  shapes.set("model.language_model.embed_tokens.embed_norm.weight", [H]);
  for (let layer = 0; layer < config.layerTypes.length; layer++) addLayer(shapes, config, layer);
  shapes.set("model.language_model.norm.weight", [H]);
  shapes.set("lm_head.weight", [config.vocabSize, H]);
  if (config.audio !== undefined) {
    const { melBins, levels } = config.audio;
    shapes.set("model.audio_tower.embed_audio_tokens.embed_audio_tokens.weight", [melBins * levels, H]);
    shapes.set("model.audio_tower.norm.weight", [H]);
  }
  if (config.image !== undefined) {
    const { layers } = config.image;
    for (const [index, { inputWidth, outputWidth }] of layers.entries()) {
      const name = `model.vision_tower.encoder_layers.${index}`;
      shapes.set(`${name}.projection.weight`, [outputWidth, inputWidth]);
      if (index < layers.length - 1) shapes.set(`${name}.layer_norm.weight`, [outputWidth]);
    }
    shapes.set("model.vision_tower.final_norm.weight", [H]);
  }
  if (config.duplex !== undefined) addDuplex(shapes, config, config.duplex);
  return shapes;
}

function addLayer(shapes: Map<string, readonly number[]>, config: ModelConfig, layer: number): void {
  const H = config.hiddenSize;
  const { heads, kvHeads, headDim, relativeExtent } = attentionOf(config, layer);
  const at = layerPrefix(layer);
  const kernel = config.convKernel;
  shapes.set(`${at}input_layernorm.weight`, [H]);
  shapes.set(`${at}self_attn.q_proj.weight`, [heads * headDim, H]);
  shapes.set(`${at}self_attn.k_proj.weight`, [kvHeads * headDim, H]);
  shapes.set(`${at}self_attn.v_proj.weight`, [kvHeads * headDim, H]);
  shapes.set(`${at}self_attn.r_proj.weight`, [heads * config.relativeDim, H]);
  shapes.set(`${at}self_attn.o_proj.weight`, [H, heads * headDim]);
  shapes.set(`${at}self_attn.k_sconv.conv1d.weight`, [kvHeads * headDim, 1, kernel]);
  shapes.set(`${at}self_attn.v_sconv.conv1d.weight`, [kvHeads * headDim, 1, kernel]);
  shapes.set(`${at}self_attn.q_norm.weight`, [headDim]);
  shapes.set(`${at}self_attn.k_norm.weight`, [headDim]);
  shapes.set(`${at}self_attn.rel_logits_proj.proj`, [config.relativeDim, relativeExtent]);
  shapes.set(`${at}attn_sconv.conv1d.weight`, [H, 1, kernel]);
  shapes.set(`${at}post_attention_layernorm.weight`, [H]);
  if (config.mlpTypes[layer] === "dense") {
    shapes.set(`${at}mlp.gate_proj.weight`, [config.denseWidth, H]);
    shapes.set(`${at}mlp.up_proj.weight`, [config.denseWidth, H]);
    shapes.set(`${at}mlp.down_proj.weight`, [H, config.denseWidth]);
    shapes.set(`${at}mlp.global_scale`, [1]);
  } else {
    const { experts: E, sharedExperts: S, expertWidth: F } = config;
    shapes.set(`${at}mlp.gate.weight`, [E + S, H]);
    shapes.set(`${at}mlp.gate.global_scale`, [1]);
    shapes.set(`${at}mlp.gate.e_score_correction_bias`, [E]);
    shapes.set(`${at}mlp.experts.gate_up_proj`, [E, 2 * F, H]);
    shapes.set(`${at}mlp.experts.down_proj`, [E, H, F]);
    if (S > 0) {
      shapes.set(`${at}mlp.shared_experts.gate_proj`, [S, F, H]);
      shapes.set(`${at}mlp.shared_experts.up_proj`, [S, F, H]);
      shapes.set(`${at}mlp.shared_experts.down_proj`, [S, H, F]);
    }
  }
  shapes.set(`${at}mlp_sconv.conv1d.weight`, [H, 1, kernel]);
}

function addDuplex(
  shapes: Map<string, readonly number[]>,
  config: ModelConfig,
  duplex: NonNullable<ModelConfig["duplex"]>,
): void {
  const H = config.hiddenSize;
  const { framesPerPosition, melBins, levels } = duplex.speech;
  const speech = framesPerPosition * melBins * levels;
  shapes.set("microturn.heard_table.weight", [config.vocabSize, H]);
  shapes.set("microturn.control_table.weight", [controlTokens, H]);
  shapes.set("microturn.speech_table.weight", [speech, H]);
  shapes.set("microturn.output_norm.weight", [H]);
  shapes.set("microturn.heard_head.weight", [config.vocabSize, H]);
  shapes.set("microturn.control_head.weight", [controlTokens, H]);
  shapes.set("microturn.speech_head.0.weight", [H, H]);
  shapes.set("microturn.speech_head.0.bias", [H]);
  shapes.set("microturn.speech_head.2.weight", [speech, H]);
  shapes.set("microturn.speech_head.2.bias", [speech]);
  if (duplex.acoustic !== undefined) addAcoustic(shapes, duplex.acoustic, melBins * levels);
  if (duplex.vocoder === undefined) return;
  const { width, blocks, kernel, subFrames, envelopePoints } = duplex.vocoder;
  const controls = subFrames * (2 + 2 * envelopePoints);
  shapes.set("microturn.vocoder.in.weight", [width, melBins]);
  shapes.set("microturn.vocoder.in.bias", [width]);
  for (let block = 0; block < blocks; block++) {
    shapes.set(`microturn.vocoder.conv.${block}.weight`, [width, width, kernel]);
    shapes.set(`microturn.vocoder.conv.${block}.bias`, [width]);
    shapes.set(`microturn.vocoder.proj.${block}.weight`, [width, width]);
    shapes.set(`microturn.vocoder.proj.${block}.bias`, [width]);
  }
  shapes.set("microturn.vocoder.out.weight", [controls, width]);
  shapes.set("microturn.vocoder.out.bias", [controls]);
}

/** Values of a frame that the decoder of the acoustic network is told: place in the letter, length of the letter, place in the text. */
export const frameFeatures = 3;

function addAcoustic(
  shapes: Map<string, readonly number[]>,
  { width, kernel, expand, encoderBlocks, decoderBlocks, alphabet }: AcousticShape,
  levels: number,
): void {
  const at = "microturn.acoustic.";
  const linear = (name: string, out: number, into: number) => {
    shapes.set(`${at}${name}.weight`, [out, into]);
    shapes.set(`${at}${name}.bias`, [out]);
  };
  const blocks = (name: string, count: number) => {
    for (let block = 0; block < count; block++) {
      shapes.set(`${at}${name}.${block}.conv.weight`, [width, 1, kernel]);
      shapes.set(`${at}${name}.${block}.conv.bias`, [width]);
      shapes.set(`${at}${name}.${block}.norm.weight`, [width]);
      linear(`${name}.${block}.up`, expand * width, width);
      linear(`${name}.${block}.down`, width, expand * width);
    }
  };
  shapes.set(`${at}letter.weight`, [alphabet.length, width]);
  blocks("encoder", encoderBlocks);
  linear("length", 1, width);
  linear("enter", width, frameFeatures);
  blocks("decoder", decoderBlocks);
  shapes.set(`${at}norm.weight`, [width]);
  linear("leave", levels, width);
}
