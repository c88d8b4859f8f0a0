import { describe, expect, it } from "vitest";
import { EventJournal } from "./event-journal.js";

const bounds = { maxBytes: 100, maxEvents: 10, maxAgeMs: 1000, maxArrivedAgeMs: 200 };
const filled = (count: number, text = "x", everyMs = 1) => {
  const journal = new EventJournal(bounds);
  for (let i = 1; i <= count; i++) journal.add(i, { json: `${text}${i}` }, i * everyMs);
  return journal;
};

describe("the journal of events", () => {
  it("gives what comes after an event, and says when some of it is gone or has not come", () => {
    const journal = filled(5);
    expect(journal.after(3)).toEqual(["x4", "x5"]);
    expect(journal.after(0)).toEqual(["x1", "x2", "x3", "x4", "x5"]);
    expect(journal.after(5)).toEqual([]);
    expect(journal.after(6)).toBeUndefined();
    journal.acknowledge(3);
    expect(journal.after(2)).toBeUndefined();
    expect(journal.after(3)).toEqual(["x4", "x5"]);
    journal.acknowledge(5);
    expect([journal.first, journal.last, journal.after(5)]).toEqual([6, 5, []]);
  });

  it("is bounded in events, bytes and time, and keeps the newest in any case", () => {
    expect(filled(30).first).toBe(21);
    expect(filled(9, "x".repeat(30)).first).toBe(7);
    expect(filled(9, "x", 400).first).toBe(7);
    const large = new EventJournal(bounds);
    large.add(1, { json: "x".repeat(500) }, 0);
    expect(large.after(0)).toEqual(["x".repeat(500)]);
  });

  it("counts sound as bytes, and gives it back as base64", () => {
    const journal = new EventJournal(bounds);
    const delta = Uint8Array.of(1, 2, 3, 4, 250);
    journal.add(1, { json: '{"type":"x"}', delta }, 0);
    expect(journal.after(0)).toEqual(['{"type":"x","delta":"AQIDBPo="}']);
    journal.add(2, { json: "{}", delta: new Uint8Array(97) }, 0);
    expect(journal.first).toBe(2);
  });

  it("keeps what has arrived for a shorter time", () => {
    const journal = filled(4, "x", 100);
    journal.arrived(2);
    journal.add(5, { json: "x5" }, 399);
    expect(journal.first).toBe(2);
    journal.add(6, { json: "x6" }, 401);
    expect(journal.first).toBe(3);
    journal.add(7, { json: "x7" }, 1300);
    expect(journal.first).toBe(3);
  });
});
