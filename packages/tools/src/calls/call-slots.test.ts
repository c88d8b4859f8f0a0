import { settled } from "@microturn/core/testing";
import { describe, expect, it } from "vitest";
import { CallSlots } from "./call-slots.js";

const { signal } = new AbortController();

describe("CallSlots", () => {
  it("gives at most so many slots over all, and of each tool", () => {
    const slots = new CallSlots(3, (name) => (name === "a" ? 1 : 8));
    expect(slots.take("a")).toBeDefined();
    expect(slots.take("a")).toBeUndefined();
    expect(slots.take("b")).toBeDefined();
    expect(slots.take("b")).toBeDefined();
    expect(slots.take("b")).toBeUndefined();
    expect(slots.running).toBe(3);
  });

  it("serves who waits in their order, past those whose tool is still full", async () => {
    const slots = new CallSlots(2, (name) => (name === "a" ? 1 : 8));
    const entered: string[] = [];
    const wait = (name: string, as: string) =>
      slots.wait(name, signal).then((slot) => {
        entered.push(as);
        return slot;
      });
    const first = wait("a", "a1");
    const other = wait("b", "b1");
    wait("a", "a2");
    wait("b", "b2");
    wait("b", "b3");
    await settled();
    expect(entered).toEqual(["a1", "b1"]);
    (await other).release();
    await settled();
    expect(entered).toEqual(["a1", "b1", "b2"]);
    (await first).release();
    await settled();
    expect(entered).toEqual(["a1", "b1", "b2", "a2"]);
  });

  it("forgets who gave up, and gives nothing to a signal that has fired", async () => {
    const slots = new CallSlots(1, () => 1);
    const slot = slots.take("a");
    const abort = new AbortController();
    const waiting = slots.wait("a", abort.signal);
    abort.abort(new Error("gone"));
    await expect(waiting).rejects.toThrow("gone");
    slot?.release();
    expect(slots.running).toBe(0);
    await expect(slots.wait("a", abort.signal)).rejects.toThrow("gone");
    expect(slots.running).toBe(0);
  });
});
