// A model on a backend of this process as an engine: loads it, builds its graph for the backend's target, and opens
// sessions that share one run per tick.

import { AcousticModel } from "../audio/acoustic-model.js";
import { dmelPreset } from "../audio/dmel-presets.js";
import { SourceFilterVocoder } from "../audio/source-filter-vocoder.js";
import { sourceFilterGeometry } from "../audio/vocoder.js";
import type { VocoderWeight } from "../audio/vocoder-network.js";
import type { Backend, Executable, WeightType } from "../backend.js";
import type { Engine, EngineCapabilities, EngineLoadOptions, EngineOpenOptions, LoadProgress } from "../engine.js";
import { DuplexError } from "../errors.js";
import { buildDuplexGraph } from "../graph/duplex-graph.js";
import type { DuplexLayout, ModelConfig } from "../model/config.js";
import { type LoadedModel, loadModel } from "../model/load.js";
import type { ModelManifest } from "../model/manifest.js";
import type { ModelSource } from "../model/source.js";
import type { Weights } from "../model/weights.js";
import { patchGrid, patchSize } from "../vision/patches.js";
import type { LocalModel } from "./local-session.js";
import { LocalSession } from "./local-session.js";
import { RowBatch } from "./row-batch.js";
import { SharedLoad } from "./shared-load.js";
import type { EarVoice } from "./typed-speech.js";

/** Options of {@link localEngine}. */
export interface LocalEngineOptions {
  /** A model in memory, or where to read one from. */
  readonly model: LoadedModel | ModelSource;
  /**
   * Where it runs. A backend, or a promise of one, stays open when the engine is closed; one that a function makes is the
   * engine's, and is closed with it.
   */
  readonly backend: Backend | Promise<Backend> | (() => Promise<Backend>);
  /**
   * Storage of the large matrices; default what runs best on the backend: `int8` on the CPU of `backend-node`, else `float32`.
   * With `float16` loading throws DuplexError `UNSUPPORTED` if a weight is beyond its range (65504 in magnitude).
   */
  readonly weights?: WeightType;
  /**
   * Sessions that can be open at once, 1 … the backend's `maxBatch`; default 1. With more than one, a run computes the sessions
   * that have a micro-turn to compute, rounded up to a multiple of 4 (on a GPU all), so that the bits of a session do not
   * depend on the others. Each takes memory for its state; a lone session is fastest with 1.
   */
  readonly maxSessions?: number;
  /**
   * How patiently the model waits before it begins to speak, 0 … 20: this is added to the logit of `listen` while it listens. Default
   * what the model comes with (`mini`: its model card). More takes pauses for an end less often; where the model is unsure it answers
   * later, or not at all.
   */
  readonly startMargin?: number;
}

/**
 * Makes an engine that runs a model of the family in this process. Nothing is loaded before `load` or the first `open`.
 *
 * @throws RangeError if `maxSessions` is not a whole number from 1 on, or `startMargin` not from 0 to 20
 * @throws TypeError if `model` is the path of a folder, or there is no model or no backend
 * @example
 * const engine = localEngine({ model: mini, backend: nodeBackend() });
 * const session = await DuplexSession.open({ engine });
 */
export function localEngine(options: LocalEngineOptions): Engine {
  const { maxSessions = 1, startMargin = 0, model, backend } = options;
  if (typeof model !== "object" || model === null) {
    throw new TypeError(
      `localEngine: model must be a model such as mini or modelFolder("path"), got ${JSON.stringify(model)}`,
    );
  }
  if (backend === undefined) throw new TypeError("localEngine: expected a backend, such as that of nodeBackend()");
  if (!Number.isInteger(maxSessions) || maxSessions < 1) {
    throw new RangeError(`localEngine: maxSessions must be a whole number from 1 on, got ${maxSessions}`);
  }
  if (typeof startMargin !== "number" || !(startMargin >= 0 && startMargin <= 20)) {
    throw new RangeError(`localEngine: startMargin must be from 0 to 20, got ${startMargin}`);
  }
  return new LocalEngine(options, maxSessions);
}

interface Loaded {
  readonly model: LocalModel;
  readonly executable: Executable;
  /** The backend, if it is the engine's own. */
  readonly ownBackend: Backend | undefined;
}

class LocalEngine implements Engine {
  readonly #options: LocalEngineOptions;
  readonly #maxSessions: number;
  readonly #sessions = new Set<LocalSession>();
  #loading: SharedLoad<Loaded> | undefined;
  #closed: Promise<void> | undefined;

  constructor(options: LocalEngineOptions, maxSessions: number) {
    this.#options = options;
    this.#maxSessions = maxSessions;
    // A backend may fail before anyone waits for it, while the model is read or before `load`: whoever loads is told.
    if (options.backend instanceof Promise) options.backend.catch(() => {});
  }

  async load(options: EngineLoadOptions = {}): Promise<EngineCapabilities> {
    return (await this.#load("load", options)).model.capabilities;
  }

  async open(options: EngineOpenOptions = {}): Promise<LocalSession> {
    const { seed = 0, temperature = 0, signal } = options;
    if (!(temperature >= 0 && temperature <= 2)) {
      throw new RangeError(`open: temperature must be 0 … 2, got ${temperature}`);
    }
    const { model } = await this.#load("open", options);
    const row = await model.batch.take();
    if (row === undefined) {
      throw new DuplexError(
        "UNSUPPORTED",
        `open: expected at most ${this.#maxSessions} sessions at once; close one, or raise maxSessions of localEngine`,
      );
    }
    try {
      this.#requireOpen("open");
      if (signal?.aborted) throw new DuplexError("ABORTED", "open: its signal was aborted", { cause: signal.reason });
      const session = new LocalSession(model, row, {
        ...{ seed, temperature },
        onClose: (closed) => this.#sessions.delete(closed),
      });
      this.#sessions.add(session);
      return session;
    } catch (error) {
      await model.batch.giveBack(row);
      throw error;
    }
  }

  close(): Promise<void> {
    this.#closed ??= this.#close();
    return this.#closed;
  }

  async #close(): Promise<void> {
    this.#loading?.abort(new DuplexError("SESSION_CLOSED", "load: the engine was closed meanwhile"));
    await Promise.all([...this.#sessions].map((session) => session.close()));
    const loading = this.#loading;
    if (loading === undefined) return;
    const freed = loading.result.then(free, () => {});
    // A load that is under way may never end: what it still makes is freed when it does, and nobody waits for that.
    if (loading.done) await freed;
  }

  async #load(operation: string, { signal, onProgress }: EngineLoadOptions): Promise<Loaded> {
    this.#requireOpen(operation);
    if (this.#loading === undefined || this.#loading.failed) {
      this.#loading = new SharedLoad((abort, progress) => loadLocal(this.#options, this.#maxSessions, abort, progress));
    }
    return this.#loading.wait(operation, signal, onProgress);
  }

  #requireOpen(operation: string): void {
    if (this.#closed !== undefined) throw new DuplexError("SESSION_CLOSED", `${operation}: the engine is closed`);
  }
}

async function free({ model, executable, ownBackend }: Loaded): Promise<void> {
  await model.batch.dispose().catch(() => {});
  await executable.dispose().catch(() => {});
  await ownBackend?.close().catch(() => {});
}

async function loadLocal(
  { model: given, backend: from, weights, startMargin }: LocalEngineOptions,
  maxSessions: number,
  signal: AbortSignal,
  onProgress: (progress: LoadProgress) => void,
): Promise<Loaded> {
  const stop = () => {
    if (signal.aborted) throw signal.reason;
  };
  const model = "read" in given ? await loadModel(given, { signal, onProgress }) : given;
  const layout = checkModel(model);
  const own = typeof from === "function";
  const backend = await (own ? from() : from);
  let executable: Executable | undefined;
  try {
    stop();
    const { capabilities } = backend;
    if (maxSessions > capabilities.maxBatch) {
      throw new RangeError(
        `localEngine: maxSessions must be at most ${capabilities.maxBatch} on this backend, got ${maxSessions}`,
      );
    }
    const weightType = weights ?? capabilities.target.weights[0] ?? "float32";
    onProgress({ stage: "build", done: 0, total: 1 });
    const config = startMargin === undefined ? model.config : { ...model.config, duplex: { ...layout, startMargin } };
    const graph = buildDuplexGraph(config, model.weights, { target: capabilities.target, weightType });
    onProgress({ stage: "build", done: 1, total: 1 });
    stop();
    onProgress({ stage: "start", done: 0, total: 1 });
    executable = await backend.load(graph, { signal });
    const batch = await RowBatch.create(executable, maxSessions, capabilities.maxBatch);
    stop();
    const deterministic = await batch.rowsAgree();
    onProgress({ stage: "start", done: 1, total: 1 });
    // The last moment to give up: from here on the model belongs to whoever waits.
    stop();
    const { manifest, tokenizer } = model;
    const { codecs } = manifest;
    const acoustic =
      layout.acoustic === undefined ? undefined : new AcousticModel(layout.acoustic, layout.speech, model.weights);
    return {
      executable,
      ownBackend: own ? backend : undefined,
      model: {
        ...{ name: `${manifest.name} ${manifest.version}`, key: keyOf(model), layout, tokenizer, batch },
        dmel: dmelPreset(codecs.input),
        acoustic,
        ear: acoustic === undefined || !sameRate(manifest) ? undefined : earVoice(acoustic, model.weights),
        patches:
          codecs.image === undefined ? { maxPatchTokens: Math.max(1, layout.patchSlots) } : { size: codecs.image },
        capabilities: engineCapabilities(model, layout, backend, { weights: weightType, maxSessions, deterministic }),
      },
    };
  } catch (error) {
    await executable?.dispose().catch(() => {});
    if (own) await backend.close().catch(() => {});
    throw error;
  }
}

/** Whether a model hears at the rate at which it speaks. */
function sameRate({ codecs }: ModelManifest): boolean {
  return dmelPreset(codecs.input).sampleRate === sourceFilterGeometry.sampleRate;
}

/** What typed text is spoken with; the weights are collected when the first text comes. */
function earVoice(acoustic: AcousticModel, weights: Weights): EarVoice {
  let vocoder: ReadonlyMap<string, VocoderWeight> | undefined;
  return {
    acoustic,
    vocoder() {
      vocoder ??= new Map(
        weights.names.flatMap((name): [string, VocoderWeight][] => {
          const shape = name.startsWith("microturn.vocoder.") ? weights.shape(name) : undefined;
          return shape === undefined ? [] : [[name, { shape, data: weights.float32(name, shape) }]];
        }),
      );
      return new SourceFilterVocoder(vocoder);
    },
  };
}

/** Of what a session remembers; rises when a field is added. */
const snapshotFormat = 2;

/** What makes a model this one: its files by their hashes, and how they are put to use. The engine's own start margin changes nothing that is remembered. */
function keyOf({ manifest: { name, version, files, codecs }, config }: LoadedModel): string {
  const hashes = [...files.weights, files.tokenizer].map(({ sha256 }) => sha256);
  return JSON.stringify([snapshotFormat, name, version, hashes, codecs, config]);
}

/** What this engine needs of a model beyond what loading has checked. */
function checkModel({ config, manifest }: LoadedModel): DuplexLayout {
  const { duplex } = config;
  const invalid = (problem: string) =>
    new DuplexError("MODEL_INVALID", `localEngine: ${manifest.name}: ${problem}; use another model`);
  if (duplex === undefined || config.audio === undefined) {
    throw invalid("expected an interaction model (config.duplex and config.audio), got a plain language model");
  }
  const { speech, vocoder, audioPositions, outputPositions, turnDurationMs } = duplex;
  const dmel = dmelPreset(manifest.codecs.input);
  const turnSamples = (dmel.sampleRate * turnDurationMs) / 1000;
  if (
    dmel.framing !== "causal" ||
    turnSamples !== audioPositions * dmel.hopSamples ||
    dmel.melBins !== config.audio.melBins ||
    dmel.levels !== config.audio.levels
  ) {
    throw invalid(
      `expected ${audioPositions} causal frames of ${config.audio.melBins} bins and ${config.audio.levels} levels per ${turnDurationMs} ms, ${dmel.name} gives ${turnSamples / dmel.hopSamples} of ${dmel.melBins} and ${dmel.levels}`,
    );
  }
  checkImages(config, manifest, duplex.patchSlots, invalid);
  const geometry = sourceFilterGeometry;
  const speechSamples = (geometry.sampleRate * turnDurationMs) / 1000;
  if (
    vocoder === undefined ||
    vocoder.subFrames !== geometry.subFrames ||
    vocoder.envelopePoints !== geometry.envelopePoints ||
    speech.melBins !== geometry.melBins ||
    speech.levels !== geometry.levels ||
    manifest.codecs.speech.sampleRate !== geometry.sampleRate ||
    manifest.codecs.speech.hopSamples !== geometry.hopSamples ||
    outputPositions * speech.framesPerPosition * geometry.hopSamples !== speechSamples
  ) {
    throw invalid(
      `expected a source-filter vocoder of ${geometry.sampleRate} Hz with a hop of ${geometry.hopSamples} samples, and ${speechSamples / geometry.hopSamples} speech frames of ${geometry.melBins} bins per ${turnDurationMs} ms`,
    );
  }
  return duplex;
}

/** An image must become patches as the model's tower takes them, and no more than it has slots for. */
function checkImages(
  { image }: ModelConfig,
  { codecs }: ModelManifest,
  slots: number,
  invalid: (problem: string) => DuplexError,
): void {
  if (slots === 0 || image === undefined) return;
  if (image.patchSize !== patchSize || image.temporalPatchSize !== 2 || image.channels !== 3) {
    throw invalid(
      `expected patches of ${patchSize} x ${patchSize} pixels, 2 moments and 3 colours, got ${image.patchSize} x ${image.patchSize}, ${image.temporalPatchSize} and ${image.channels}`,
    );
  }
  if (codecs.image === undefined) return;
  const { width, height } = codecs.image;
  const { rows, cols } = patchGrid(width, height);
  if (rows * cols > slots) {
    throw invalid(`expected images of at most ${slots} patches, ${width} x ${height} pixels become ${rows * cols}`);
  }
}

function engineCapabilities(
  { manifest, config }: LoadedModel,
  layout: DuplexLayout,
  { capabilities: { provider, device, canCloneState } }: Backend,
  { weights, maxSessions, deterministic }: { weights: WeightType; maxSessions: number; deterministic: boolean },
): EngineCapabilities {
  const { files, codecs, name, version } = manifest;
  const sees = layout.patchSlots > 0 && config.image !== undefined;
  const reads = layout.textSlots > 0;
  return {
    turnDurationMs: layout.turnDurationMs,
    inputSampleRate: dmelPreset(codecs.input).sampleRate,
    outputSampleRate: codecs.speech.sampleRate,
    inputs: ["audio", ...(sees ? (["video"] as const) : []), ...(reads ? (["text"] as const) : [])],
    outputs: ["audio", "text", "heard"],
    decisions: true,
    saysText: layout.acoustic !== undefined,
    hearsText: !reads && layout.acoustic !== undefined && sameRate(manifest),
    // Without text slots, what comes back is said; without an acoustic model either, the app acts by itself.
    delegation: layout.delegates ?? (reads || layout.acoustic !== undefined),
    snapshots: canCloneState,
    deterministic,
    truncates: false,
    computesHere: true,
    dmel: codecs.input,
    maxSessions,
    ...(sees && codecs.image !== undefined ? { image: codecs.image } : {}),
    identity: {
      model: `${name} ${version}`,
      files: Object.fromEntries([...files.weights, files.tokenizer].map(({ path, sha256 }) => [path, sha256])),
      backend: `${provider} ${weights}, ${device}`,
    },
  };
}
