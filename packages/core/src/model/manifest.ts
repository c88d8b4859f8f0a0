// `microturn.json`: what a model folder or package says about itself. See docs/models.md, "A model folder".

import { DuplexError } from "../errors.js";
import type { ModelConfig } from "./config.js";
import { Fields, invalid } from "./fields.js";
import { validateConfig } from "./validate-config.js";

/** Parts joined by `/`, none of them empty, `.` or `..`; no drive letters, no backslashes, no line breaks or other controls. */
const relativePath = /^(?!.*(?:^|\/)\.{0,2}(?:\/|$))[^\\:\p{Cc}\u2028\u2029]+$/u;

/** Text that may be printed: no line breaks, and nothing else that would move a terminal's cursor. */
const oneLine = /^\P{Cc}+$/u;

/** A file of the model, checked on load. */
export interface ManifestFile {
  /** Relative to the folder, parts joined by `/`. */
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

/**
 * Reads and checks the contents of `microturn.json`.
 *
 * @throws DuplexError `MODEL_INVALID` naming the field, what was expected and what came
 */
export function parseManifest(json: string): ModelManifest {
  let value: unknown;
  try {
    value = JSON.parse(json);
  } catch (cause) {
    throw new DuplexError("MODEL_INVALID", "microturn.json: not JSON; download the model again", { cause });
  }
  const fields = new Fields(value, "microturn.json");
  const files = fields.object("files");
  const codecs = fields.object("codecs");
  const manifest: ModelManifest = {
    formatVersion: fields.choice("formatVersion", [1]),
    name: fields.text("name", oneLine, "a name, on one line"),
    version: fields.text("version", oneLine, "a version"),
    description: fields.text("description", /^\P{Cc}*$/u, "a text on one line"),
    license: fields.text("license", oneLine, "an SPDX expression"),
    config: validateConfig(fields.value("config")),
    files: {
      weights: files.list("weights", 1, 4096, file),
      tokenizer: file(files.value("tokenizer"), "microturn.json.files.tokenizer"),
    },
    codecs: {
      input: codecs.text("input", /./, "the name of a preset"),
      speech: speech(codecs.object("speech")),
      ...(codecs.has("image") ? { image: imageSize(codecs.object("image")) } : {}),
    },
    ...(fields.has("evaluation") ? { evaluation: evaluation(fields.value("evaluation")) } : {}),
  };
  files.done();
  codecs.done();
  fields.done();
  const paths = [...manifest.files.weights, manifest.files.tokenizer].map(({ path }) => path);
  const twice = paths.find((path, index) => paths.indexOf(path) !== index);
  if (twice !== undefined) throw invalid("microturn.json.files", "different files", `${twice} twice`);
  return manifest;
}

function file(value: unknown, where: string): ManifestFile {
  const fields = new Fields(value, where);
  const result = {
    path: fields.text("path", relativePath, "a relative path with / inside the model's folder"),
    bytes: fields.count("bytes", 0, Number.MAX_SAFE_INTEGER),
    sha256: fields.text("sha256", /^[0-9a-f]{64}$/, "64 lower-case hexadecimal digits"),
  };
  fields.done();
  return result;
}

function speech(fields: Fields): ModelManifest["codecs"]["speech"] {
  const result = {
    preset: fields.choice("preset", ["dmel-speech"]),
    sampleRate: fields.count("sampleRate", 8000, 96_000),
    windowSamples: fields.count("windowSamples", 1, 65_536),
    hopSamples: fields.count("hopSamples", 1, 65_536),
    fftSize: fields.count("fftSize", 1, 65_536),
    low: fields.number("low", -20, 20),
    step: fields.number("step", 1e-3, 20),
  };
  fields.done();
  return result;
}

function imageSize(fields: Fields): { width: number; height: number } {
  const size = { width: fields.count("width", 1, 16_384), height: fields.count("height", 1, 16_384) };
  fields.done();
  return size;
}

function evaluation(value: unknown): Readonly<Record<string, unknown>> {
  if (typeof value !== "object" || value === null || Array.isArray(value)) {
    throw invalid("microturn.json.evaluation", "an object", value);
  }
  return value as Record<string, unknown>;
}
