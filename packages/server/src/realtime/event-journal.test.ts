import { describe, expect, it } from "vitest";
import { EventJournal } from "./event-journal.js";
import { type EventBytes, messageLength, writeMessage } from "./tell.js";

const bounds = { maxBytes: 100, maxEvents: 10, maxAgeMs: 1000, maxArrivedAgeMs: 200 };
const filled = (count: number, text = "x", everyMs = 1) => {
  const journal = new EventJournal(bounds);
  for (let i = 1; i <= count; i++) journal.add(`${text}${i}`, undefined, i * everyMs);
  return journal;
};
const textOf = (event: EventBytes) => writeMessage(event, Buffer.alloc(messageLength(event))).toString();
const textsAfter = (journal: EventJournal, sequence: number) => journal.after(sequence)?.map(textOf);

describe("the journal of events", () => {
  it("gives what comes after an event, and says when some of it is gone or has not come", () => {
    const journal = filled(5);
    expect(textsAfter(journal, 3)).toEqual(["x4", "x5"]);
    expect(textsAfter(journal, 0)).toEqual(["x1", "x2", "x3", "x4", "x5"]);
    expect(textsAfter(journal, 5)).toEqual([]);
    expect(journal.after(6)).toBeUndefined();
    journal.acknowledge(3);
    expect(journal.after(2)).toBeUndefined();
    expect(textsAfter(journal, 3)).toEqual(["x4", "x5"]);
    journal.acknowledge(5);
    expect([journal.first, journal.last, journal.after(5)]).toEqual([6, 5, []]);
  });

  it("is bounded in events, bytes and time, and keeps the newest in any case", () => {
    expect(filled(30).first).toBe(21);
    expect(filled(9, "x".repeat(30)).first).toBe(7);
    expect(filled(9, "x", 400).first).toBe(7);
    const large = new EventJournal(bounds);
    large.add("x".repeat(500), undefined, 0);
    expect(textsAfter(large, 0)).toEqual(["x".repeat(500)]);
  });

  it("counts sound as bytes, and gives it back as base64", () => {
    const journal = new EventJournal(bounds);
    const delta = Uint8Array.of(1, 2, 3, 4, 250);
    journal.add('{"type":"x"}', delta, 0);
    expect(textsAfter(journal, 0)).toEqual(['{"type":"x","delta":"AQIDBPo="}']);
    journal.add("{}", new Uint8Array(97), 0);
    expect(journal.first).toBe(2);
  });

  it("keeps text of any letters, sound of no length, and what was changed after it was added", () => {
    const journal = new EventJournal(bounds);
    const delta = Uint8Array.of(1, 2, 3);
    journal.add('{"words":"grüß dich 🙂"}', undefined, 0);
    journal.add('{"n":2}', new Uint8Array(0), 0);
    journal.add('{"n":3}', delta, 0);
    delta.fill(0);
    expect(textsAfter(journal, 0)).toEqual([
      '{"words":"grüß dich 🙂"}',
      '{"n":2,"delta":""}',
      '{"n":3,"delta":"AQID"}',
    ]);
  });

  it("gives what it has kept over many blocks of memory, of events small and large, and lets the memory of others go", () => {
    const journal = new EventJournal({ ...bounds, maxBytes: 1e9, maxEvents: 1e9 });
    const lengths = Array.from({ length: 300 }, (_, i) => (i % 50 === 49 ? 100_000 : (i * 997) % 9000));
    lengths.forEach((length, i) => {
      journal.add(`{"n":${i + 1}}`, new Uint8Array(length).fill(i), 0);
    });
    journal.acknowledge(17);
    const events = textsAfter(journal, 20)?.map((text) => JSON.parse(text)) ?? [];
    expect(events.map(({ n }) => n)).toEqual(lengths.map((_, i) => i + 1).slice(20));
    for (const { n, delta } of events) {
      expect(Buffer.from(delta, "base64").equals(Buffer.alloc(lengths[n - 1], n - 1))).toBe(true);
    }
    journal.acknowledge(300);
    expect([journal.first, textsAfter(journal, 300)]).toEqual([301, []]);
    journal.add("{}", undefined, 0);
    expect(textsAfter(journal, 300)).toEqual(["{}"]);
  });

  it("keeps what has arrived for a shorter time", () => {
    const journal = filled(4, "x", 100);
    journal.arrived(2);
    journal.add("x5", undefined, 399);
    expect(journal.first).toBe(2);
    journal.add("x6", undefined, 401);
    expect(journal.first).toBe(3);
    journal.add("x7", undefined, 1300);
    expect(journal.first).toBe(3);
  });
});
