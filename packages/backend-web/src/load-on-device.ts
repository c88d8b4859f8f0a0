// Loads a model on the first device of a list that is there and computes a micro-turn in time.

import { isOutOfMemory } from "@microturn/backend-ort";
import {
  DuplexError,
  type Engine,
  type EngineCapabilities,
  type EngineLoadOptions,
  type ModelSource,
} from "@microturn/core";
import { localEngine } from "@microturn/core/local";
import { type LoadedModel, loadModel } from "@microturn/core/model";
import { isTrap } from "./broken-runtime.js";
import type { WebDevice } from "./devices.js";
import type { Calibration, HostOptions, HostReport } from "./engine-messages.js";
import { memoryFix } from "./start-runtime.js";
import { type DeviceFailure, type WebBackend, webBackend } from "./web-backend.js";

/** A model on a device. */
export interface Loaded {
  readonly engine: Engine;
  readonly backend: WebBackend;
  readonly report: HostReport;
}

/** Micro-turns of a calibration; the median counts. */
const calibrationTurns = 3;
/** Share of a micro-turn that its computation may take. */
const budgetShare = 0.8;

/**
 * Devices are tried in the order of `options.devices`. One that is missing, or fails while it loads, is passed over; so is one that does
 * not keep up, as long as another follows. If none keeps up, the fastest of those tried is used, and its report says so.
 *
 * @throws DuplexError `BACKEND_UNAVAILABLE` if no device is there; whatever loading the model throws
 */
export async function loadOnFirstThatKeepsUp(
  options: HostOptions,
  source: ModelSource,
  load: EngineLoadOptions & { readonly signal: AbortSignal },
): Promise<Loaded> {
  const [firstDevice, ...others] = options.devices;
  // The runtime of the first device starts while the model is read; most of both is waiting.
  const first = startDevice(firstDevice, options);
  first.catch(() => {});
  // Read and checked once, whatever is tried.
  const model = await loadModel(source, load).catch(async (error) => {
    await (await first.catch(() => undefined))?.close();
    if (!isOutOfMemory(error)) throw error;
    const message = `webEngine: there is no memory to read ${source.name} (${messageOf(error)}); ${memoryFix}`;
    throw new DuplexError("BACKEND_UNAVAILABLE", message, { cause: error });
  });
  const passedOver: DeviceFailure[] = [];
  let fastest: Loaded | undefined;
  for (const device of [firstDevice, ...others]) {
    const started = device === firstDevice ? first : startDevice(device, options);
    const tried = await loadOn(device, started, model, options, load);
    if ("reason" in tried) {
      passedOver.push(tried);
      continue;
    }
    const keepsUp = tried.report.calibration.keepsUp || options.acceptSlow;
    const faster = fastest === undefined || turnMsOf(tried) < turnMsOf(fastest);
    const left = keepsUp || faster ? fastest : tried;
    if (left !== undefined) {
      passedOver.push(tooSlow(left));
      await close(left);
    }
    if (keepsUp || faster) fastest = tried;
    if (keepsUp) break;
  }
  if (fastest !== undefined) return { ...fastest, report: { ...fastest.report, passedOver } };
  const lines = passedOver.map(({ device, reason, fix }) => `${device}: ${reason}; to get it, ${fix}`);
  throw new DuplexError("BACKEND_UNAVAILABLE", `webEngine: no device works here.\n${lines.join("\n")}`, {
    details: { devices: passedOver },
  });
}

function turnMsOf({ report }: Loaded): number {
  return report.calibration.turnMs;
}

function tooSlow({ report }: Loaded): DeviceFailure {
  return {
    device: report.device,
    reason: `a micro-turn takes ${report.calibration.turnMs.toFixed(0)} ms of ${report.capabilities.turnDurationMs}`,
    fix: "use a smaller model, or a faster machine",
  };
}

function startDevice(device: WebDevice, { allowSoftware, threads, runtimeFolder }: HostOptions): Promise<WebBackend> {
  return webBackend({
    devices: [device],
    allowSoftware,
    ...(threads === undefined ? {} : { threads }),
    ...(runtimeFolder === undefined ? {} : { runtimeFolder }),
  });
}

/** @returns why it was not, if the device is not there or fails */
async function loadOn(
  device: WebDevice,
  started: Promise<WebBackend>,
  model: LoadedModel,
  { weights, startMargin, maxSessions }: HostOptions,
  load: EngineLoadOptions & { readonly signal: AbortSignal },
): Promise<Loaded | DeviceFailure> {
  let backend: WebBackend;
  try {
    backend = await started;
  } catch (error) {
    if (!DuplexError.is(error, "BACKEND_UNAVAILABLE")) throw error;
    return (error.details.devices as readonly DeviceFailure[])[0];
  }
  const engine = localEngine({
    model,
    backend,
    maxSessions,
    ...(weights === undefined ? {} : { weights }),
    ...(startMargin === undefined ? {} : { startMargin }),
  });
  try {
    const capabilities = await engine.load(load);
    const calibration = await calibrate(engine, capabilities);
    const report = { capabilities, device, description: backend.capabilities.device, passedOver: [], calibration };
    return { engine, backend, report };
  } catch (error) {
    const lost = await Promise.race([backend.lost, Promise.resolve(undefined)]);
    await close({ engine, backend });
    // What is wrong with the model is wrong on every device; what a device fails at need not be.
    const full = isOutOfMemory(error);
    const ofDevice = lost !== undefined || full || isTrap(error) || DuplexError.is(error, "BACKEND_FAILED");
    if (load.signal.aborted || !ofDevice) throw error;
    if (full) return { device, reason: `it has not enough memory (${messageOf(error)})`, fix: memoryFix };
    const reason = lost ?? messageOf(error);
    return {
      device,
      reason: `it failed while it was tried (${reason})`,
      fix: "close other tabs, or update browser and GPU driver",
    };
  }
}

/** Times a few micro-turns of silence in a session that is closed afterwards. */
async function calibrate(
  engine: Engine,
  { turnDurationMs, inputSampleRate }: EngineCapabilities,
): Promise<Calibration> {
  const session = await engine.open();
  try {
    const audio = new Float32Array((inputSampleRate * turnDurationMs) / 1000);
    const times: number[] = [];
    for (let index = 0; index < calibrationTurns; index++) {
      const startMs = performance.now();
      await session.step({ index, turns: 1, audio, images: [], text: [] });
      times.push(performance.now() - startMs);
    }
    times.sort((one, other) => one - other);
    const turnMs = times[calibrationTurns >> 1];
    return { turnMs, keepsUp: turnMs <= budgetShare * turnDurationMs };
  } finally {
    await session.close();
  }
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

async function close({ engine, backend }: Pick<Loaded, "engine" | "backend">): Promise<void> {
  await engine.close();
  await backend.close();
}
