// What a page and its worker say to each other: calls of the Engine contract, one answer each, and a few words in between.

import {
  DuplexError,
  type DuplexErrorCode,
  type EngineCapabilities,
  type EngineSnapshot,
  type LoadProgress,
  type TurnInput,
  type TurnOutput,
  type WeightType,
} from "@microturn/core";
import type { WebDevice } from "./devices.js";
import type { CachedModelSettings } from "./model/cached-model.js";
import type { DeviceFailure } from "./web-backend.js";

/** What `cachedModel` makes the same model of in another thread. */
export type ModelPlace = CachedModelSettings & { readonly base: string };

/** How the worker makes its engine. */
export interface HostOptions {
  /** Name of the model, for messages. */
  readonly modelName: string;
  /** Where its files are, and how they are kept; absent: the page reads them. */
  readonly modelAt?: ModelPlace;
  readonly devices: readonly WebDevice[];
  readonly allowSoftware: boolean;
  readonly acceptSlow: boolean;
  readonly threads?: number;
  readonly runtimeFolder?: string;
  readonly weights?: WeightType;
  readonly startMargin?: number;
  readonly maxSessions: number;
}

/** What the page asks. Sessions have numbers that the page chose. */
export type Call =
  | { readonly kind: "load"; readonly options: HostOptions }
  | { readonly kind: "open"; readonly session: number; readonly seed: number; readonly temperature: number }
  | { readonly kind: "step"; readonly session: number; readonly input: TurnInput }
  | { readonly kind: "snapshot"; readonly session: number }
  | { readonly kind: "restore"; readonly session: number; readonly snapshot: EngineSnapshot }
  | { readonly kind: "close-session"; readonly session: number }
  | { readonly kind: "close" };

/** Answer values by the kind of call. */
export interface CallAnswers {
  load: HostReport;
  open: EngineCapabilities;
  step: TurnOutput;
  snapshot: EngineSnapshot;
  restore: undefined;
  "close-session": undefined;
  close: undefined;
}

/** What the worker found and made. */
export interface HostReport {
  readonly capabilities: EngineCapabilities;
  readonly device: WebDevice;
  readonly description: string;
  readonly passedOver: readonly DeviceFailure[];
  /** Of a few micro-turns of silence on this device. */
  readonly calibration: Calibration;
}

/** How fast a device is, by a few micro-turns that it computed after loading. */
export interface Calibration {
  /** Median time of one micro-turn, ms. */
  readonly turnMs: number;
  /** Whether that leaves a fifth of the micro-turn for everything else. */
  readonly keepsUp: boolean;
}

/** From the page. */
export type ToWorker =
  | { readonly id: number; readonly call: Call }
  /** Nobody waits for this call any more. */
  | { readonly abort: number }
  /** A file that the worker asked for. */
  | { readonly file: number; readonly bytes: Uint8Array }
  /** How much of it there is so far, bytes. */
  | { readonly file: number; readonly done: number }
  | { readonly file: number; readonly failure: Failure };

/** From the worker. */
export type ToPage =
  | { readonly id: number; readonly value: CallAnswers[Call["kind"]] }
  | { readonly id: number; readonly failure: Failure }
  | { readonly id: number; readonly progress: LoadProgress }
  /** Asks for a file of the model. */
  | { readonly file: number; readonly path: string; readonly maxBytes: number | undefined }
  /** The model loads without being kept. */
  | { readonly warning: Failure }
  /** The device is gone: whatever needs it fails from now on. */
  | { readonly lost: string };

/** An error on its way between threads. */
export interface Failure {
  /** Of a DuplexError; absent for an error of the platform. */
  readonly code?: DuplexErrorCode;
  /** Of an error of the platform, such as RangeError. */
  readonly name?: string;
  readonly message: string;
  readonly details?: Readonly<Record<string, unknown>>;
}

/** Takes an error apart. */
export function failureOf(error: unknown): Failure {
  if (DuplexError.is(error)) return { code: error.code, message: error.message, details: plain(error.details) };
  if (error instanceof Error) return { name: error.name, message: error.message };
  return { name: "Error", message: String(error) };
}

/** Puts an error together again. */
export function errorOf({ code, name, message, details }: Failure): Error {
  if (code !== undefined) return new DuplexError(code, message, details === undefined ? {} : { details });
  if (name === "RangeError") return new RangeError(message);
  if (name === "TypeError") return new TypeError(message);
  return new DuplexError("BACKEND_FAILED", message);
}

/** Details may hold what cannot be sent, such as functions: they go as far as JSON takes them. */
function plain(details: Readonly<Record<string, unknown>>): Readonly<Record<string, unknown>> {
  try {
    return JSON.parse(JSON.stringify(details));
  } catch {
    return {};
  }
}
