// A session whose engine is on our own server. Sound is encoded here, once, in order, whatever becomes of the connection.

import {
  checkTurnInput,
  DuplexError,
  type EngineCapabilities,
  type EngineSession,
  type EngineSnapshot,
  type ImageFrame,
  type TurnInput,
  type TurnOutput,
} from "@microturn/core";
import { DmelEncoder, dmelPreset, ImageScaler, packLevels } from "@microturn/core/codecs";
import { protocolLimits } from "@microturn/core/protocol";
import { type LinkSettings, WireLink } from "../paced/wire-link.js";
import type { MicroTurnWire } from "./micro-turn-wire.js";

/** How a session deals with the world. */
export interface MicroTurnSettings extends LinkSettings {
  readonly audio: "dmel" | "pcm16";
  readonly stallTimeoutMs: number;
  readonly maxSessions: number;
  readonly onClose: () => void;
}

export class MicroTurnSession implements EngineSession {
  readonly #wire: MicroTurnWire;
  readonly #settings: MicroTurnSettings;
  readonly #link: WireLink<MicroTurnWire>;
  #capabilities: EngineCapabilities | undefined;
  #encoder: DmelEncoder | undefined;
  #levels = new Uint8Array(0);
  #image: { readonly width: number; readonly height: number } | undefined;
  #scaler: ImageScaler | undefined;
  #error: DuplexError | undefined;
  #closed: Promise<void> | undefined;

  constructor(wire: MicroTurnWire, settings: MicroTurnSettings) {
    this.#wire = wire;
    this.#settings = settings;
    const nothing = () => {};
    this.#link = new WireLink(wire, settings, {
      ...{ ready: nothing, lost: nothing, audio: nothing, text: nothing, heard: nothing, replyEnd: nothing },
      ...{ flush: nothing, delegation: nothing, delegationCancelled: nothing },
      ended: (error) => {
        this.#error ??= error;
        this.#wire.failAll(error);
      },
    });
  }

  get capabilities(): EngineCapabilities {
    if (this.#capabilities === undefined)
      throw new DuplexError("SESSION_CLOSED", "capabilities: the session is not open");
    return this.#capabilities;
  }

  /** Connects and waits for the welcome. @throws DuplexError as {@link WireLink.open}, and what the server says */
  async open(signal?: AbortSignal): Promise<void> {
    await this.#link.open(signal);
    const { dmel, image, ...capabilities } = this.#wire.capabilities as EngineCapabilities;
    this.#capabilities = { ...capabilities, snapshots: false, maxSessions: this.#settings.maxSessions };
    this.#image = image;
    const preset = dmel === undefined || this.#settings.audio !== "dmel" ? undefined : knownPreset(dmel);
    if (preset !== undefined) this.#encoder = new DmelEncoder(preset);
  }

  async step(input: TurnInput): Promise<TurnOutput> {
    this.#requireOpen("step");
    checkTurnInput(input, this.capabilities);
    checkLimits(input);
    if (input.turns <= protocolLimits.turns) return this.#step(input);
    // More than a message holds: all but the last part are silent, as merged micro-turns are.
    const first = this.#firstPart(input);
    const before = await this.#step({ ...first, forceListen: true });
    const after = await this.step(restOf(input, first));
    return {
      ...after,
      text: joined(before.text, after.text),
      heard: joined(before.heard, after.heard),
      yielded: before.yielded === true || after.yielded === true,
      unsaid: [...(before.unsaid ?? []), ...(after.unsaid ?? [])],
      ...(after.delegation === undefined && before.delegation !== undefined ? { delegation: before.delegation } : {}),
    };
  }

  #firstPart(input: TurnInput): TurnInput {
    const { turns } = protocolLimits;
    const { turnDurationMs } = this.capabilities;
    const index = input.index - input.turns + turns;
    const endMs = (index + 1) * turnDurationMs;
    return {
      ...{ index, turns, audio: input.audio.subarray(0, (input.audio.length / input.turns) * turns), text: [] },
      images: input.images.filter(({ timeMs }) => timeMs < endMs),
      ...(input.played === undefined ? {} : { played: input.played }),
    };
  }

  async #step(input: TurnInput): Promise<TurnOutput> {
    const startedMs = performance.now();
    const answer = this.#wire.step(this.#encode(input));
    const encodeMs = performance.now() - startedMs;
    const output = await this.#watched(answer);
    const { encodeMs: thereMs, waitMs, runMs, decodeMs } = output.timing;
    const onTheWayMs = performance.now() - startedMs - encodeMs - thereMs - waitMs - runMs - decodeMs;
    // The way there and back is waiting too.
    const timing = { encodeMs: encodeMs + thereMs, waitMs: waitMs + Math.max(0, onTheWayMs), runMs, decodeMs };
    return { ...output, timing };
  }

  snapshot(): Promise<EngineSnapshot> {
    return Promise.reject(new DuplexError("UNSUPPORTED", "snapshot: a session on a server has none"));
  }

  restore(): Promise<void> {
    return Promise.reject(new DuplexError("UNSUPPORTED", "restore: a session on a server has no snapshots"));
  }

  close(): Promise<void> {
    this.#closed ??= this.#close();
    return this.#closed;
  }

  async #close(): Promise<void> {
    const error = new DuplexError("SESSION_CLOSED", "the session was closed meanwhile");
    this.#error ??= error;
    this.#wire.failAll(error);
    await this.#link.close(error);
    this.#settings.onClose();
  }

  /** The input as it travels: levels instead of samples, pictures at the model's size. */
  #encode(input: TurnInput): TurnInput {
    const images = this.#image === undefined ? input.images : input.images.map((image) => this.#scaled(image));
    const encoder = this.#encoder;
    if (encoder === undefined) return { ...input, images };
    const { turnDurationMs, inputSampleRate } = this.capabilities;
    const { hopSamples, melBins } = encoder.preset;
    const frames = (input.turns * turnDurationMs * inputSampleRate) / 1000 / hopSamples;
    if (this.#levels.length < frames * melBins) this.#levels = new Uint8Array(frames * melBins);
    const levels = this.#levels.subarray(0, frames * melBins);
    encoder.push(input.audio, levels);
    return { ...input, images, audio: new Float32Array(0), dmel: packLevels(levels) };
  }

  #scaled(image: ImageFrame): ImageFrame {
    const size = this.#image as { readonly width: number; readonly height: number };
    if (this.#scaler?.fromWidth !== image.width || this.#scaler.fromHeight !== image.height) {
      this.#scaler = new ImageScaler(image, size, "area");
    }
    const { data, width, height } = this.#scaler.scale(image);
    return { data: data.slice(), width, height, timeMs: image.timeMs };
  }

  /** A connection that is silent, and answers no ping either, is left for another. */
  async #watched(answer: Promise<TurnOutput>): Promise<TurnOutput> {
    const { clock, stallTimeoutMs } = this.#settings;
    let cancel = () => {};
    const watch = (received: number, asked: boolean) => {
      cancel = clock.setTimer(() => {
        const silent = this.#wire.received === received;
        // One that is being made has a deadline of its own, and can be asked nothing yet.
        const { ready } = this.#link;
        if (silent && asked && ready) this.#link.leave(stalled(stallTimeoutMs));
        else this.#wire.ping();
        watch(this.#wire.received, ready && !(silent && asked));
      }, clock.now() + stallTimeoutMs);
    };
    watch(this.#wire.received, false);
    try {
      const output = await answer;
      this.#link.proven();
      return output;
    } finally {
      cancel();
    }
  }

  #requireOpen(operation: string): void {
    if (this.#closed !== undefined) throw new DuplexError("SESSION_CLOSED", `${operation}: the session was closed`);
    if (this.#error !== undefined) throw this.#error;
  }
}

/** What one message of the wire holds. @throws DuplexError `INPUT_OVERFLOW` */
function checkLimits({ text, images }: TurnInput): void {
  for (const [what, count, most] of [
    ["texts", text.length, protocolLimits.texts],
    ["images", images.length, protocolLimits.images],
  ] as const) {
    if (count <= most) continue;
    throw new DuplexError(
      "INPUT_OVERFLOW",
      `step: expected at most ${most} ${what} in a step on the way to a server, got ${count}`,
    );
  }
}

function restOf(input: TurnInput, { turns, audio, images }: TurnInput): TurnInput {
  return {
    ...input,
    turns: input.turns - turns,
    audio: input.audio.subarray(audio.length),
    images: input.images.filter((image) => !images.includes(image)),
  };
}

function joined(before: string, after: string): string {
  return before === "" || after === "" ? before + after : `${before} ${after}`;
}

function stalled(stallTimeoutMs: number): DuplexError {
  return new DuplexError(
    "NETWORK_FAILED",
    `step: nothing has come from the server for ${stallTimeoutMs} ms, no answer to a ping either; connecting anew`,
  );
}

function knownPreset(name: string): ReturnType<typeof dmelPreset> | undefined {
  try {
    return dmelPreset(name);
  } catch {
    return undefined;
  }
}
