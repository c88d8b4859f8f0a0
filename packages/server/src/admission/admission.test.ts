import { DuplexError } from "@microturn/core";
import { describe, expect, it } from "vitest";
import { Admission } from "./admission.js";

const admission = (maxSlowShare = 0.01) => new Admission({ maxSessions: 2, turnDurationMs: 200, maxSlowShare });

function reasonOf(action: () => unknown): unknown {
  try {
    action();
  } catch (error) {
    return DuplexError.is(error, "SERVER_BUSY") ? error.details.reason : error;
  }
  return "none";
}

describe("admission", () => {
  it("counts places, of all and of each token, and takes one back once", () => {
    const door = admission();
    const leave = door.enter({ id: "a", maxSessions: 1 }, 0);
    expect(reasonOf(() => door.enter({ id: "a", maxSessions: 1 }, 0))).toBe("limit");
    door.enter({ id: "b" }, 0);
    expect(reasonOf(() => door.enter({ id: "c" }, 0))).toBe("busy");
    leave();
    leave();
    expect(door.open).toBe(1);
    door.enter({ id: "a", maxSessions: 1 }, 0);
    door.drain();
    expect(reasonOf(() => door.enter({ id: "c" }, 0))).toBe("draining");
  });

  it("keeps new sessions out while outputs are slow, and lets them in when that is over", () => {
    const door = admission();
    door.enter({ id: "a" }, 0);
    for (let turn = 0; turn < 10; turn++) door.served(190, 200 * turn);
    expect(reasonOf(() => door.enter({ id: "b" }, 2000))).toBe("late");
    expect(reasonOf(() => door.enter({ id: "b" }, 8000))).toBe("none");
  });
});
