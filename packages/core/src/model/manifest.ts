// `microturn.json`: what a model folder or package says about itself. See docs/models.md, "A model folder".

import type { ModelConfig } from "./config.js";

/** A file of the model, checked on load. */
export interface ManifestFile {
  readonly path: string;
  readonly bytes: number;
  /** Lower-case hex. */
  readonly sha256: string;
}

/** Contents of `microturn.json`, version 1. */
export interface ModelManifest {
  readonly formatVersion: 1;
  readonly name: string;
  readonly version: string;
  readonly description: string;
  /** SPDX expression. */
  readonly license: string;
  readonly config: ModelConfig;
  readonly files: {
    /** One safetensors file, or several shards in order. */
    readonly weights: readonly ManifestFile[];
    readonly tokenizer: ManifestFile;
  };
  readonly codecs: {
    /** Name of the input preset, for example `dmel-20`. */
    readonly input: string;
    /** Geometry of the speech frames the model gives. */
    readonly speech: {
      readonly preset: "dmel-speech";
      readonly sampleRate: number;
      readonly windowSamples: number;
      readonly hopSamples: number;
      readonly fftSize: number;
      /** log10 magnitude of level 0, and the step between levels. */
      readonly low: number;
      readonly step: number;
    };
    /** Width and height an image is scaled to; one temporal pair per micro-turn. */
    readonly image?: { readonly width: number; readonly height: number };
  };
  /** Free-form evaluation figures, by name; the model card explains them. */
  readonly evaluation?: Readonly<Record<string, unknown>>;
}
