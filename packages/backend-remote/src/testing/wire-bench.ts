// For tests: a wire of JSON without a socket, and all that it sent and told.

import type { Wire, WireEvents, WireNote } from "../wire.js";

export class WireBench<Kind extends Wire> {
  readonly wire: Kind;
  /** What went to the service, read back. */
  readonly sent: Record<string, unknown>[] = [];
  /** What the session was told: the name of the event and its values; of sound its length. */
  readonly told: unknown[][] = [];
  readonly notes: WireNote[] = [];

  constructor(wire: Kind) {
    this.wire = wire;
  }

  /** A new connection. */
  open(): this {
    const tell =
      (type: string) =>
      (...values: unknown[]) =>
        void this.told.push([type, ...values]);
    const events: WireEvents = {
      send: (message) => void this.sent.push(JSON.parse(message as string)),
      ready: tell("ready"),
      audio: (pcm, reply) => void this.told.push(["audio", pcm.length, reply]),
      ...{ text: tell("text"), heard: tell("heard"), replyEnd: tell("end"), flush: tell("flush") },
      ...{ delegation: tell("delegation"), delegationCancelled: tell("cancelled") },
      note: (note) => void this.notes.push(note),
      fail: (error, retry) => void this.told.push(["fail", error.code, retry]),
    };
    this.wire.opened(events);
    return this;
  }

  /** Messages of the service. */
  receive(...messages: object[]): this {
    for (const message of messages) this.wire.receive(JSON.stringify(message));
    return this;
  }
}
