// Sizes are in characters.

import type { DuplexSession } from "@microturn/core";
import { FakeClock } from "@microturn/core/testing";
import { describe, expect, it } from "vitest";
import { PastRoom } from "./past-room.js";
import { PastTalk } from "./past-talk.js";
import { SeenImages } from "./seen-images.js";

/** The past of a user who has said and shown something. */
function pastOf(room: PastRoom, text: string, pixels = 0) {
  const past = new PastTalk(new FakeClock(), room, { contextChars: 24_000, maxImages: 4 });
  const images = new SeenImages(4);
  if (pixels > 0) {
    // Of noise, which no PNG makes smaller.
    const data = crypto.getRandomValues(new Uint8Array(3 * pixels));
    images.see([{ data, width: pixels, height: 1, timeMs: 0 }], 0);
  }
  const conversation = text === "" ? [] : [{ speaker: "user", text, turnIndex: 0 }];
  const session = { capabilities: { turnDurationMs: 200 }, conversation } as unknown as DuplexSession;
  past.keep({ session, images, offsetMs: 0, fromTurn: 0 });
  return past;
}

describe("the room for what was said and seen", () => {
  it("is one for all, and what has been kept longest makes room, images and all", async () => {
    const room = new PastRoom(3000);
    const first = pastOf(room, "a".repeat(1000));
    const second = pastOf(room, "b".repeat(1000));
    const third = pastOf(room, "c".repeat(500), 100);
    expect([first, second, third].map(({ empty }) => empty)).toEqual([false, false, false]);
    // The image comes to 400 characters and more when it is written.
    expect((await third.context([])).images).toHaveLength(1);
    pastOf(room, "d".repeat(400));
    expect([first, second, third].map(({ empty }) => empty)).toEqual([true, false, false]);
    pastOf(room, "e".repeat(2900));
    expect([first, second, third].map(({ empty }) => empty)).toEqual([true, true, true]);
    expect(await third.context([])).toEqual({ entries: [], leftOut: 1, images: [] });
  });

  it("is free again when something is forgotten, also while its images are being written", async () => {
    const room = new PastRoom(3000);
    const first = pastOf(room, "a".repeat(1000));
    const second = pastOf(room, "", 600);
    expect(second.empty).toBe(false);
    const written = second.context([]);
    second.clear();
    expect((await written).images).toHaveLength(1);
    const third = pastOf(room, "c".repeat(2000));
    expect([first, second, third].map(({ empty }) => empty)).toEqual([false, true, false]);
  });
});
