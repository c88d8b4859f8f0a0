// A wire and a socket that do nothing by themselves, for tests of the session that is over them.

import { type Clock, DuplexError, type EngineCapabilities } from "@microturn/core";
import { FakeClock } from "@microturn/core/testing";
import type { OpenSocket, SocketEnd, SocketHandlers, SocketMessage } from "../socket/message-socket.js";
import type { CloseVerdict, Wire, WireEvents, WireNote, WireUnit } from "../wire.js";
import { PacedSession, type PacedSettings } from "./paced-session.js";

export const capabilities: EngineCapabilities = {
  ...{ turnDurationMs: 200, inputSampleRate: 1000, outputSampleRate: 1000, maxSessions: 1 },
  ...{ inputs: ["audio", "video", "text"], outputs: ["audio", "text", "heard"], saysText: false, hearsText: false },
  ...{ decisions: false, delegation: true, snapshots: false, deterministic: false, truncates: true },
};

/** Writes down what it is asked for. */
export class ScriptedWire implements Wire {
  readonly capabilities = capabilities;
  readonly reserveMs: number = 0;
  readonly maxReplyMs: number = 60_000;
  farewellMs = 0;
  readonly calls: string[] = [];
  readonly units: { index: number; audio: number[]; text: string[]; images: number[][] }[] = [];
  /** What each unit told of what was heard, as `reply ms`. */
  readonly played: string[][] = [];
  events!: WireEvents;
  readyAtOnce = true;
  request: Wire["request"] = () => ({ url: "ws://nowhere" });
  verdict: CloseVerdict = { error: new DuplexError("NETWORK_FAILED", "the line broke"), retry: true };

  opened(events: WireEvents): void {
    this.events = events;
    this.calls.push("opened");
    if (this.readyAtOnce) events.ready();
  }
  receive(message: SocketMessage): void {
    if (message === "bad") throw new DuplexError("PROTOCOL_VIOLATION", "bad");
    if (message === "bug") throw new TypeError("a bug");
  }
  sendUnit({ index, audio, text, images, played = [] }: WireUnit): void {
    this.played.push(played.map(({ reply, heardMs }) => `${reply} ${heardMs}`));
    const words = text.map((one) => one.text);
    this.units.push({ index, audio: [...audio], text: words, images: images.map(({ data }) => [...data]) });
  }
  interrupt(): void {
    this.calls.push("interrupt");
  }
  truncate(reply: string, heardMs: number): void {
    this.calls.push(`truncate ${reply} ${heardMs}`);
  }
  closed(): CloseVerdict {
    this.calls.push("closed");
    return this.verdict;
  }
  goodbye(): void {
    this.calls.push("goodbye");
  }
}

/** A socket under the test's control. */
export interface ScriptedSocket {
  readonly handlers: SocketHandlers;
  queuedBytes: number;
  readonly done: string[];
  end(end?: Partial<SocketEnd>): void;
}

/** A session over a scripted wire, and all that it does. */
export class Stage {
  readonly clock = new FakeClock();
  readonly wire = new ScriptedWire();
  readonly sockets: ScriptedSocket[] = [];
  readonly notes: WireNote[] = [];
  readonly session: PacedSession;
  opensAtOnce = true;
  closesAtOnce = true;
  #index = 0;

  constructor(settings: Partial<PacedSettings> = {}) {
    const openSocket: OpenSocket = (_request, handlers) => {
      const done: string[] = [];
      let over = false;
      const end = ({ code = 1006, reason = "", ...rest }: Partial<SocketEnd> = {}) => {
        if (over) return;
        over = true;
        handlers.onClose({ code, reason, ...rest });
      };
      const socket = {
        ...{ handlers, done, end, queuedBytes: 0 },
        send: (message: SocketMessage) => void done.push(`send ${message}`),
        close: (code?: number) => {
          done.push(`close ${code}`);
          if (this.closesAtOnce) queueMicrotask(() => end({ code: code ?? 1005 }));
        },
        destroy: () => {
          done.push("destroy");
          queueMicrotask(() => end());
        },
      };
      this.sockets.push(socket);
      if (this.opensAtOnce) queueMicrotask(() => handlers.onOpen());
      return socket;
    };
    const clock: Clock = this.clock;
    this.session = new PacedSession(this.wire, {
      ...{ clock, openSocket, connectTimeoutMs: 5000, reconnectMs: 30_000, maxHeldMs: 1000, maxSocketBytes: 1000 },
      ...{ maxSessions: 1, onNote: (note) => void this.notes.push(note), onClose: () => {}, ...settings },
    });
  }

  get events(): WireEvents {
    return this.wire.events;
  }

  get socket(): ScriptedSocket {
    const last = this.sockets.at(-1);
    if (last === undefined) throw new Error("no socket was opened");
    return last;
  }

  /** The next micro-turn, whose 200 ms pass; `fill` is each of its samples. */
  async step(input: Partial<Parameters<PacedSession["step"]>[0]> & { fill?: number } = {}) {
    const { fill = 0, ...rest } = input;
    const turns = rest.turns ?? 1;
    this.#index += turns;
    const audio = new Float32Array(200 * turns).fill(fill);
    const stepping = this.session.step({ index: this.#index - 1, turns, audio, images: [], text: [], ...rest });
    stepping.catch(() => {});
    await this.clock.advance(200);
    return stepping;
  }
}

/** Samples of one value. */
export function tone(samples: number, value = 0.5): Float32Array {
  return new Float32Array(samples).fill(value);
}
