import { describe, expect, it } from "vitest";
import { TurnQueue } from "./turn-queue.js";

describe("TurnQueue", () => {
  it("hands items to a reader that waits, and keeps them for one that does not", async () => {
    const queue = new TurnQueue<number>({ capacity: 3, onReturn: () => {} });
    const early = queue.next();
    queue.push(1);
    queue.push(2);
    expect(await early).toEqual({ done: false, value: 1 });
    expect(await queue.next()).toEqual({ done: false, value: 2 });
  });

  it("delivers what it holds before its end or its error, and the error once", async () => {
    const queue = new TurnQueue<number>({ capacity: 3, onReturn: () => {} });
    queue.push(1);
    queue.end(new Error("gone"));
    queue.push(2);
    expect(await queue.next()).toEqual({ done: false, value: 1 });
    await expect(queue.next()).rejects.toThrow("gone");
    expect(await queue.next()).toEqual({ done: true, value: undefined });
  });

  it("ends every reader that waits", async () => {
    const queue = new TurnQueue<number>({ capacity: 3, onReturn: () => {} });
    const readers = [queue.next(), queue.next()];
    queue.end();
    expect(await Promise.all(readers)).toEqual([
      { done: true, value: undefined },
      { done: true, value: undefined },
    ]);
  });

  it("says when it is full and when it has room again, and when its reader leaves", async () => {
    const said: string[] = [];
    const queue = new TurnQueue<number>({
      capacity: 2,
      onFull: () => said.push("full"),
      onRoom: () => said.push("room"),
      onReturn: () => said.push("left"),
    });
    queue.push(1);
    queue.push(2);
    await queue.next();
    queue.push(3);
    for await (const item of queue) if (item === 2) break;
    expect(said).toEqual(["full", "room", "full", "room", "left"]);
  });

  it("ends with INPUT_OVERFLOW when it is full and nobody can wait (rule 8)", async () => {
    const queue = new TurnQueue<number>({ capacity: 2, onReturn: () => {} });
    for (let item = 0; item < 4; item++) queue.push(item);
    expect([(await queue.next()).value, (await queue.next()).value]).toEqual([0, 1]);
    await expect(queue.next()).rejects.toMatchObject({ code: "INPUT_OVERFLOW" });
  });
});
