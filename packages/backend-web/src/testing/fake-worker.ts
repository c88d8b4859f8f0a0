// A worker's side of `webEngine` without a worker: answers calls as a script says, and breaks when it is told to.

import type { EngineCapabilities, TurnOutput } from "@microturn/core";
import {
  type Call,
  type CallAnswers,
  failureOf,
  type HostReport,
  type ToPage,
  type ToWorker,
} from "../engine-messages.js";

/** What a fake worker answers; a promise that never settles leaves the call open. */
export type Script = (call: Call, worker: FakeWorker) => Promise<CallAnswers[Call["kind"]]> | undefined;

export const capabilities: EngineCapabilities = {
  turnDurationMs: 200,
  inputSampleRate: 16_000,
  outputSampleRate: 16_000,
  inputs: ["audio", "video"],
  outputs: ["audio", "text", "heard"],
  saysText: false,
  hearsText: false,
  decisions: true,
  delegation: false,
  snapshots: true,
  deterministic: true,
  truncates: false,
  maxSessions: 4,
};

export const report: HostReport = {
  capabilities,
  device: "wasm",
  description: "fake",
  passedOver: [],
  calibration: { turnMs: 1, keepsUp: true },
};

/** The output of a step: its index as text. */
function outputOf(index: number): TurnOutput {
  return {
    ...{ decision: "listen", speech: new Float32Array(3200), text: `${index}`, heard: "" },
    timing: { encodeMs: 0, waitMs: 0, runMs: 0, decodeMs: 0 },
  };
}

/** Stands in for a `Worker`. */
export class FakeWorker extends EventTarget {
  /** Every call that came, in order. */
  readonly calls: Call[] = [];
  terminated = false;

  constructor(private readonly script: Script = () => undefined) {
    super();
  }

  postMessage(message: ToWorker): void {
    const copy = structuredClone(message);
    if (!("call" in copy)) return;
    this.calls.push(copy.call);
    (this.script(copy.call, this) ?? usual(copy.call)).then(
      (value) => this.#say({ id: copy.id, value }),
      (error) => this.#say({ id: copy.id, failure: failureOf(error) }),
    );
  }

  terminate(): void {
    this.terminated = true;
  }

  /** As when the device is lost. */
  lose(reason: string): void {
    this.#say({ lost: reason });
  }

  #say(data: ToPage): void {
    if (!this.terminated) this.dispatchEvent(new MessageEvent("message", { data: structuredClone(data) }));
  }
}

async function usual(call: Call): Promise<CallAnswers[Call["kind"]]> {
  if (call.kind === "load") return report;
  if (call.kind === "open") return capabilities;
  if (call.kind === "step") return outputOf(call.input.index);
  if (call.kind === "snapshot") return { engine: "fake", data: {} };
  return undefined;
}
