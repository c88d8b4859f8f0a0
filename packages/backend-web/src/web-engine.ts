// The engine of a page: model, runtime and codecs in a worker, one conversation per session, and another device when one is lost.

import {
  DuplexError,
  type Engine,
  type EngineCapabilities,
  type EngineLoadOptions,
  type EngineOpenOptions,
  type EngineSession,
  type LoadProgress,
  type ModelSource,
  experimental_SharedLoad as SharedLoad,
  type WeightType,
} from "@microturn/core";
import { type WebDevice, webDevices } from "./devices.js";
import type { HostOptions, HostReport, ModelPlace } from "./engine-messages.js";
import { HostConnection, noWorker } from "./host-connection.js";
import type { CachedModel } from "./model/cached-model.js";
import { WebSession } from "./web-session.js";

/** Options of {@link webEngine}. */
export interface WebEngineOptions {
  /**
   * The model, or the URL of the folder that holds its `microturn.json`. A model with a URL is downloaded by the worker and kept in
   * the browser's cache; `cachedModel` says how. Any other is read by the page.
   */
  readonly model: ModelSource | string | URL;
  /**
   * Another one, used where no device computes a micro-turn of `model` in time: a session then talks with it from the beginning. Default
   * none. {@link DeviceChoice.model} tells which it is.
   */
  readonly smaller?: ModelSource | string | URL;
  /**
   * Tried in this order; the first that is there and computes a micro-turn in time is used. Default `["webgpu", "wasm"]`. What
   * became of each is in {@link WebEngine.choice}.
   */
  readonly devices?: readonly WebDevice[];
  /** Whether a WebGPU adapter that computes on the processor counts; default false. For tests. */
  readonly allowSoftware?: boolean;
  /** Whether a device that does not compute a micro-turn in time is used, although another follows; default false. */
  readonly acceptSlow?: boolean;
  /** Threads of a run on the processor, 1 to 64; default the number of cores, at most 4; 1 in a page that is not cross-origin isolated. */
  readonly threads?: number;
  /** Storage of the large matrices; default what runs best on the device. */
  readonly weights?: WeightType;
  /** How patiently the model waits before it begins to speak, 0 … 20; default what it comes with. See `startMargin` of `localEngine`. */
  readonly startMargin?: number;
  /** Sessions that can be open at once, 1 to 64; default 1. Each run computes all of them. */
  readonly maxSessions?: number;
  /** URL of the folder with the files of onnxruntime-web; default the one in this package's build. */
  readonly runtimeFolder?: string | URL;
  /** Makes the worker; default from `worker.js` in this package's build. For bundlers that do not find it by themselves. */
  readonly worker?: () => Worker;
  /** Called when the model loads without being kept for the next time, or `smaller` is needed and cannot be had; the error says why. */
  readonly onWarning?: (warning: Error) => void;
  /** Called when the sessions were moved to another device. */
  readonly onDeviceChange?: (change: DeviceChange) => void;
}

/** The device in use, and how it was found. */
export interface DeviceChoice {
  /** Name of the model that it computes. */
  readonly model: string;
  /** What the larger model took on the best device, where the smaller one is in use for that. */
  readonly tooLarge?: { readonly model: string; readonly description: string; readonly turnMs: number };
  readonly device: WebDevice;
  /** In words, for people. */
  readonly description: string;
  /** Devices that were tried before, and why they were passed over. */
  readonly passedOver: HostReport["passedOver"];
  /** Median time of a micro-turn, measured after loading, and whether that is in time. */
  readonly calibration: HostReport["calibration"];
}

/** A device was lost, and the sessions went on elsewhere. */
export interface DeviceChange {
  readonly from: DeviceChoice;
  readonly to: DeviceChoice;
  /** Why it was lost, as far as the browser tells. */
  readonly reason: string;
  /** From the loss to the moment that every session was where it had been, ms. */
  readonly gapMs: number;
  /** Sessions that were moved. */
  readonly sessions: number;
}

/** An engine in a worker of this page. */
export interface WebEngine extends Engine, AsyncDisposable {
  /** The device in use; undefined before `load`. */
  readonly choice: DeviceChoice | undefined;
}

/** A device that is lost more often than this in a minute is given up; the time that moves take does not count. */
const mostMoves = 3;
const movesWindowMs = 60_000;

/**
 * Makes an engine that runs a model in a worker of this page. Nothing is loaded before `load` or the first `open`.
 *
 * @throws RangeError for an option outside its range
 * @throws TypeError if `model` is a string or URL that is none of a folder
 * @example
 * const engine = webEngine({ model: mini });
 * const session = await DuplexSession.open({ engine });
 */
export function webEngine(options: WebEngineOptions): WebEngine {
  const { devices = webDevices, maxSessions = 1, threads, startMargin } = options;
  if (devices.length === 0) throw new RangeError("webEngine: devices is empty; name at least one");
  for (const device of devices) {
    if (!webDevices.includes(device)) {
      throw new RangeError(`webEngine: unknown device "${device}"; known are ${webDevices.join(", ")}`);
    }
  }
  checkInteger("maxSessions", maxSessions, 1, 64);
  if (threads !== undefined) checkInteger("threads", threads, 1, 64);
  if (startMargin !== undefined && !(typeof startMargin === "number" && startMargin >= 0 && startMargin <= 20)) {
    throw new RangeError(`webEngine: startMargin must be from 0 to 20, got ${startMargin}`);
  }
  return new WorkerEngine(options, devices);
}

type LoadArguments = [signal: AbortSignal, onProgress: (progress: LoadProgress) => void];

interface Host {
  readonly connection: HostConnection;
  readonly report: HostReport;
  readonly model: ModelSource;
  readonly tooLarge?: DeviceChoice["tooLarge"];
}

class WorkerEngine implements WebEngine {
  readonly #options: WebEngineOptions;
  readonly #devices: readonly WebDevice[];
  readonly #model: ModelSource;
  readonly #smaller: ModelSource | undefined;
  readonly #sessions = new Set<WebSession>();
  /** When devices were lost, in time that is no move's, ms. */
  readonly #losses: number[] = [];
  /** Moves under way, since when there is one, and what those before took. */
  #moving = 0;
  #movingSinceMs = 0;
  #movesTookMs = 0;
  #loading: SharedLoad<Host> | undefined;
  /** Where sessions are opened, once it is known. */
  #host: Host | undefined;
  #nextSession = 0;
  #closed: Promise<void> | undefined;

  constructor(options: WebEngineOptions, devices: readonly WebDevice[]) {
    this.#options = options;
    this.#devices = devices;
    const { model, smaller } = options;
    this.#model = sourceOf(model);
    this.#smaller = smaller === undefined ? undefined : sourceOf(smaller);
  }

  get choice(): DeviceChoice | undefined {
    return this.#host === undefined ? undefined : choiceOf(this.#host);
  }

  async load(options: EngineLoadOptions = {}): Promise<EngineCapabilities> {
    return (await this.#load("load", options)).report.capabilities;
  }

  async open(options: EngineOpenOptions = {}): Promise<EngineSession> {
    for (;;) {
      const { connection } = await this.#load("open", options);
      try {
        return await this.#openIn(connection, options);
      } catch (error) {
        // The worker was lost on the way: there is another, or the engine has given up.
        if (!connection.broken || this.#loading === undefined) throw error;
      }
    }
  }

  async #openIn(connection: HostConnection, options: EngineOpenOptions): Promise<EngineSession> {
    const { seed = 0, temperature = 0, signal } = options;
    const number = this.#nextSession++;
    try {
      const capabilities = await connection.call({ kind: "open", session: number, seed, temperature }, { signal });
      this.#requireOpen("open");
      const session = new WebSession(capabilities, connection, {
        ...{ number, seed, temperature },
        onClose: (closed) => this.#sessions.delete(closed),
      });
      this.#sessions.add(session);
      return session;
    } catch (error) {
      // Its answer may have been on its way.
      if (!connection.broken) connection.call({ kind: "close-session", session: number }).catch(() => {});
      throw error;
    }
  }

  close(): Promise<void> {
    this.#closed ??= this.#close();
    return this.#closed;
  }

  async #close(): Promise<void> {
    const loading = this.#loading;
    loading?.abort(new DuplexError("SESSION_CLOSED", "load: the engine was closed meanwhile"));
    await Promise.all([...this.#sessions].map((session) => session.close()));
    await loading?.result.then(
      ({ connection }) => connection.close(),
      () => {},
    );
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  async #load(operation: string, { signal, onProgress }: EngineLoadOptions): Promise<Host> {
    this.#requireOpen(operation);
    if (this.#loading === undefined || this.#loading.failed) this.#loading = this.#first();
    return this.#loading.wait(operation, signal, onProgress);
  }

  #requireOpen(operation: string): void {
    if (this.#closed !== undefined) throw new DuplexError("SESSION_CLOSED", `${operation}: the engine is closed`);
  }

  /** The model, or the smaller one where no device keeps up with it. */
  #first(): SharedLoad<Host> {
    return new SharedLoad(async (signal, onProgress) => {
      const larger = await this.#start(this.#model, this.#devices, signal, onProgress);
      const { keepsUp } = larger.report.calibration;
      this.#host =
        keepsUp || this.#options.acceptSlow === true || this.#smaller === undefined
          ? larger
          : await this.#insteadOf(larger, this.#smaller, signal, onProgress);
      return this.#host;
    });
  }

  /** The larger one stays until the smaller is there: slow is better than nothing. */
  async #insteadOf(larger: Host, smaller: ModelSource, ...load: LoadArguments): Promise<Host> {
    const { model, report } = larger;
    try {
      const host = await this.#start(smaller, this.#devices, ...load);
      void larger.connection.close();
      const { description, calibration } = report;
      return Object.assign(host, { tooLarge: { model: model.name, description, turnMs: calibration.turnMs } });
    } catch (error) {
      if (!load[0].aborted && !larger.connection.broken) {
        this.#options.onWarning?.(error as Error);
        return larger;
      }
      await larger.connection.close();
      throw error;
    }
  }

  async #start(
    model: ModelSource,
    devices: readonly WebDevice[],
    ...[signal, onProgress]: LoadArguments
  ): Promise<Host> {
    const { worker = defaultWorker } = this.#options;
    let host: Host | undefined;
    const connection = new HostConnection(makeWorker(worker), model, {
      onLost: (reason) => {
        // One that is not used yet is nobody's loss.
        if (host !== undefined && host === this.#host) void this.#move(host, reason);
      },
      onWarning: (warning) => this.#options.onWarning?.(warning),
    });
    try {
      const options = this.#hostOptions(model, devices);
      const report = await connection.call({ kind: "load", options }, { signal, onProgress });
      host = { connection, report, model };
      return host;
    } catch (error) {
      await connection.close();
      throw error;
    }
  }

  #hostOptions(model: ModelSource, devices: readonly WebDevice[]): HostOptions {
    const {
      allowSoftware = false,
      acceptSlow = false,
      maxSessions = 1,
      threads,
      runtimeFolder,
      weights,
      startMargin,
    } = this.#options;
    const { name } = model;
    const place = placeOf(model);
    return {
      ...{ modelName: name, devices, allowSoftware, acceptSlow, maxSessions },
      ...(place === undefined ? {} : { modelAt: place }),
      ...(threads === undefined ? {} : { threads }),
      ...(runtimeFolder === undefined ? {} : { runtimeFolder: new URL(runtimeFolder, globalThis.location?.href).href }),
      ...(weights === undefined ? {} : { weights }),
      ...(startMargin === undefined ? {} : { startMargin }),
    };
  }

  /** Sessions go on in a new worker. The device that was lost is tried once more; when it is lost again, it is left out. */
  async #move(from: Host, reason: string): Promise<void> {
    if (this.#closed !== undefined) return;
    const lostMs = performance.now();
    if (this.#moving++ === 0) this.#movingSinceMs = lostMs;
    // A move takes long on a slow device, and is no time in which it worked.
    const workedMs = this.#movingSinceMs - this.#movesTookMs;
    while (this.#losses.length > 0 && workedMs - this.#losses[0] > movesWindowMs) this.#losses.shift();
    this.#losses.push(workedMs);
    const next = this.#restart(from, reason);
    const home = next.then((host) => host.connection);
    home.catch(() => {});
    const sessions = [...this.#sessions];
    const moved = sessions.map((session) => session.move(home));
    void from.connection.close();
    const to = await next.catch(() => undefined);
    await Promise.all(moved);
    if (--this.#moving === 0) this.#movesTookMs += performance.now() - this.#movingSinceMs;
    // Lost again before they were there: that move will tell.
    if (to === undefined || to.connection.broken) return;
    const gapMs = performance.now() - lostMs;
    const change = { from: choiceOf(from), to: choiceOf(to), reason, gapMs, sessions: sessions.length };
    try {
      this.#options.onDeviceChange?.(change);
    } catch (error) {
      queueMicrotask(() => {
        throw error;
      });
    }
  }

  /** @throws DuplexError `BACKEND_FAILED` if it is lost too often, and whatever loading throws */
  async #restart(lost: Host, reason: string): Promise<Host> {
    if (this.#losses.length > mostMoves) {
      this.#loading = undefined;
      this.#host = undefined;
      const times = `lost ${this.#losses.length} times in a minute`;
      throw new DuplexError("BACKEND_FAILED", `webEngine: ${times}; the last time, ${reason}`);
    }
    const others = this.#devices.filter((device) => device !== lost.report.device);
    const without = others.length > 0 ? others : this.#devices;
    if (this.#losses.length > 1) return this.#reload(lost, without);
    try {
      return await this.#reload(lost, this.#devices);
    } catch (error) {
      // Lost again while it loads.
      if (others.length === 0 || this.#closed !== undefined) throw error;
      return this.#reload(lost, others);
    }
  }

  /** With the same model: sessions go on in it. */
  #reload({ model, tooLarge }: Host, devices: readonly WebDevice[]): Promise<Host> {
    this.#loading = new SharedLoad(async (...load) => {
      const host = await this.#start(model, devices, ...load);
      this.#host = tooLarge === undefined ? host : Object.assign(host, { tooLarge });
      return host;
    });
    return this.#loading.wait("move to another device", undefined, undefined);
  }
}

/** @throws DuplexError `BACKEND_UNAVAILABLE` if it cannot be made, for example from another origin */
function makeWorker(make: () => Worker): Worker {
  try {
    return make();
  } catch (error) {
    throw noWorker(error instanceof Error ? error.message : String(error));
  }
}

function defaultWorker(): Worker {
  return new Worker(new URL("./worker.js", import.meta.url), { type: "module", name: "microturn" });
}

function sourceOf(model: ModelSource | string | URL): ModelSource {
  return typeof model === "string" || model instanceof URL ? atUrl(model) : model;
}

/** A model that the worker reads by itself. */
function atUrl(url: string | URL): ModelSource {
  const base = new URL(url, globalThis.document?.baseURI ?? globalThis.location?.href);
  if (base.search !== "" || base.hash !== "") {
    throw new TypeError(`webEngine: expected the URL of a folder, without query and fragment, got ${base.href}`);
  }
  if (!base.pathname.endsWith("/")) base.pathname += "/";
  return {
    name: base.href,
    base: base.href,
    read: (path) => Promise.reject(new DuplexError("MODEL_INVALID", `webEngine: ${path} is read by the worker only`)),
  };
}

/** Where the worker finds a model by itself, if it can. */
function placeOf(model: ModelSource): ModelPlace | undefined {
  const { settings } = model as Partial<CachedModel>;
  if (settings !== undefined) return settings;
  return model.base === undefined ? undefined : { name: model.name, base: model.base };
}

function choiceOf({ report, model, tooLarge }: Host): DeviceChoice {
  const { device, description, passedOver, calibration } = report;
  return {
    ...{ model: model.name, device, description, passedOver, calibration },
    ...(tooLarge === undefined ? {} : { tooLarge }),
  };
}

function checkInteger(name: string, value: number, low: number, high: number): void {
  if (!Number.isInteger(value) || value < low || value > high) {
    throw new RangeError(`webEngine: ${name} must be an integer of ${low} to ${high}, got ${value}`);
  }
}
