// Loads a model on the first device of a list that is there and computes a micro-turn in time.

import {
  DuplexError,
  type Engine,
  type EngineCapabilities,
  type EngineLoadOptions,
  type ModelSource,
} from "@microturn/core";
import { localEngine } from "@microturn/core/local";
import { type LoadedModel, loadModel } from "@microturn/core/model";
import type { WebDevice } from "./devices.js";
import type { Calibration, HostOptions, HostReport } from "./engine-messages.js";
import { type DeviceFailure, type WebBackend, webBackend } from "./web-backend.js";

/** A model on a device. */
export interface Loaded {
  readonly engine: Engine;
  readonly backend: WebBackend;
  readonly report: HostReport;
}

/** Micro-turns of a calibration; the median counts. */
const calibrationTurns = 5;
/** Share of a micro-turn that its computation may take. */
const budgetShare = 0.8;

/**
 * Devices are tried in the order of `options.devices`. One that is missing is passed over; so is one that does not keep up, as long as
 * another follows. If none keeps up, the fastest of those tried is used, and its report says so.
 *
 * @throws DuplexError `BACKEND_UNAVAILABLE` if no device is there; whatever loading the model throws
 */
export async function loadOnFirstThatKeepsUp(
  options: HostOptions,
  source: ModelSource,
  load: EngineLoadOptions & { readonly signal: AbortSignal },
): Promise<Loaded> {
  // Read and checked once, whatever is tried.
  const model = await loadModel(source, load);
  const passedOver: DeviceFailure[] = [];
  const slow: { readonly device: WebDevice; readonly turnMs: number }[] = [];
  for (const device of options.devices) {
    const tried = await loadOn(device, model, options, load, passedOver);
    if (tried === undefined) continue;
    const { calibration } = tried.report;
    if (calibration.keepsUp || options.acceptSlow) return tried;
    await close(tried);
    slow.push({ device, turnMs: calibration.turnMs });
    passedOver.push({
      device,
      reason: `a micro-turn takes ${calibration.turnMs.toFixed(0)} ms of ${tried.report.capabilities.turnDurationMs}`,
      fix: "use a smaller model, or a faster machine",
    });
  }
  slow.sort((one, other) => one.turnMs - other.turnMs);
  if (slow.length > 0) {
    const others = passedOver.filter(({ device }) => device !== slow[0].device);
    const fastest = await loadOn(slow[0].device, model, options, load, others);
    if (fastest !== undefined) return fastest;
  }
  const lines = passedOver.map(({ device, reason, fix }) => `${device}: ${reason}; to get it, ${fix}`);
  throw new DuplexError("BACKEND_UNAVAILABLE", `webEngine: no device works here.\n${lines.join("\n")}`, {
    details: { devices: passedOver },
  });
}

/** @returns undefined if the device is not there; `passedOver` then says why */
async function loadOn(
  device: WebDevice,
  model: LoadedModel,
  { allowSoftware, threads, runtimeFolder, weights, maxSessions }: HostOptions,
  load: EngineLoadOptions,
  passedOver: DeviceFailure[],
): Promise<Loaded | undefined> {
  let backend: WebBackend;
  try {
    backend = await webBackend({
      devices: [device],
      allowSoftware,
      ...(threads === undefined ? {} : { threads }),
      ...(runtimeFolder === undefined ? {} : { runtimeFolder }),
    });
  } catch (error) {
    if (!DuplexError.is(error, "BACKEND_UNAVAILABLE")) throw error;
    passedOver.push(...(error.details.devices as readonly DeviceFailure[]));
    return undefined;
  }
  const engine = localEngine({ model, backend, maxSessions, ...(weights === undefined ? {} : { weights }) });
  try {
    const capabilities = await engine.load(load);
    const report: HostReport = {
      capabilities,
      device,
      description: backend.capabilities.device,
      passedOver: [...passedOver],
      calibration: await calibrate(engine, capabilities),
    };
    return { engine, backend, report };
  } catch (error) {
    await engine.close();
    await backend.close();
    throw error;
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

async function close({ engine, backend }: Loaded): Promise<void> {
  await engine.close();
  await backend.close();
}
