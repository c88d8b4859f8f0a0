// Counts and times of a server in the format of Prometheus, by `prom-client`, in a registry of its own.

import { Counter, Gauge, Histogram, Registry } from "prom-client";

export type WireName = "micro-turn" | "realtime";

export class Metrics {
  readonly registry = new Registry();
  readonly sessions: Gauge<"state">;
  readonly capacity: Gauge;
  readonly opened: Counter<"wire">;
  readonly refused: Counter<"reason">;
  readonly ended: Counter<"reason">;
  readonly resumed: Counter;
  readonly connectionsLost: Counter;
  readonly steps: Counter;
  readonly turnSeconds: Histogram;
  readonly runSeconds: Histogram;
  readonly waitSeconds: Histogram;
  readonly lateTurns: Counter;
  /** Bytes of messages. They are added for every message, so that they are plain numbers until somebody asks. */
  readonly bytes: Readonly<Record<WireName, { in: number; out: number }>> = {
    "micro-turn": { in: 0, out: 0 },
    realtime: { in: 0, out: 0 },
  };
  readonly violations: Counter<"wire">;

  constructor() {
    const registers = [this.registry];
    const buckets = [0.01, 0.02, 0.03, 0.05, 0.075, 0.1, 0.125, 0.15, 0.2, 0.25, 0.3, 0.4, 0.6, 1, 2, 5];
    const name = (end: string) => `microturn_${end}`;
    this.sessions = new Gauge({
      ...{ name: name("sessions"), registers, labelNames: ["state"] },
      help: "Sessions that are open, connected or held for a client that lost its connection",
    });
    this.capacity = new Gauge({
      name: name("capacity_sessions"),
      registers,
      help: "Sessions that may be open at once",
    });
    this.opened = new Counter({
      ...{ name: name("sessions_opened_total"), registers, labelNames: ["wire"] },
      help: "Sessions opened",
    });
    this.refused = new Counter({
      ...{ name: name("sessions_refused_total"), registers, labelNames: ["reason"] },
      help: "Sessions refused: busy, late, access, protocol, draining, loading",
    });
    this.ended = new Counter({
      ...{ name: name("sessions_ended_total"), registers, labelNames: ["reason"] },
      help: "Sessions ended: closed, lost, idle, expired, failed, violation, drained",
    });
    this.resumed = new Counter({ name: name("sessions_resumed_total"), registers, help: "Sessions that went on" });
    this.connectionsLost = new Counter({
      ...{ name: name("connections_lost_total"), registers },
      help: "Connections that ended without a goodbye",
    });
    this.steps = new Counter({ name: name("steps_total"), registers, help: "Steps computed" });
    this.turnSeconds = new Histogram({
      ...{ name: name("turn_seconds"), registers, buckets },
      help: "From the last byte of a micro-turn to its output on the socket",
    });
    this.runSeconds = new Histogram({ name: name("run_seconds"), registers, buckets, help: "Inside the runtime" });
    this.waitSeconds = new Histogram({
      ...{ name: name("wait_seconds"), registers, buckets },
      help: "Waiting for the device and for other sessions",
    });
    this.lateTurns = new Counter({
      ...{ name: name("late_turns_total"), registers },
      help: "Micro-turns whose output took longer than a micro-turn",
    });
    const { bytes } = this;
    new Counter({
      ...{ name: name("socket_bytes_total"), registers, labelNames: ["wire", "direction"] },
      help: "Bytes of messages",
      collect() {
        this.reset();
        for (const [wire, { in: received, out: sent }] of Object.entries(bytes)) {
          this.inc({ wire, direction: "in" }, received);
          this.inc({ wire, direction: "out" }, sent);
        }
      },
    });
    this.violations = new Counter({
      ...{ name: name("protocol_violations_total"), registers, labelNames: ["wire"] },
      help: "Messages that were refused",
    });
  }
}
