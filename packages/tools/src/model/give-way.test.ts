// What a stream does whose reader gives way, part by part.

import { FakeClock, settled } from "@microturn/core/testing";
import { describe, expect, it } from "vitest";
import { givingWay } from "./give-way.js";

type Streaming = { doStream(options: unknown): Promise<{ readonly stream: ReadableStream<unknown> }> };

/** A model whose stream a test writes, and micro-turns that a test ends. */
function bench({ any = true } = {}) {
  const clock = new FakeClock();
  let controller!: ReadableStreamDefaultController<unknown>;
  let cancelled: unknown;
  let computing: { readonly promise: Promise<void>; readonly end: () => void } | undefined;
  const stream = new ReadableStream<unknown>({
    start: (given) => {
      controller = given;
    },
    cancel: (reason) => {
      cancelled = reason;
    },
  });
  // Of a class with a field that only itself can reach, as models of other packages may be.
  class Model {
    readonly specificationVersion = "v4";
    readonly provider = "test";
    readonly modelId = "test";
    readonly supportedUrls = Promise.resolve({});
    readonly #stream = stream;
    async doStream() {
      return { stream: this.#stream };
    }
  }
  const begin = () => {
    let end = () => {};
    const promise = new Promise<void>((resolve) => {
      end = resolve;
    });
    computing = { promise, end };
  };
  return {
    model: givingWay(new Model(), { giveWay: () => computing?.promise, any: () => any }, clock) as unknown as Streaming,
    clock,
    stream: controller,
    begin,
    /** The micro-turn ends; the next one begins at once where the engine has no time to spare. */
    async end({ saturated = false } = {}) {
      const before = computing;
      computing = undefined;
      if (saturated) begin();
      before?.end();
      await settled();
      // The event loop has gone round for the stream, and then for us.
      await new Promise<void>((resolve) => setTimeout(resolve, 0));
    },
    get cancelled() {
      return cancelled;
    },
  };
}

/** Reads on and on; what there is so far. */
async function reading(model: Streaming) {
  const { stream } = await model.doStream({});
  const reader = stream.getReader();
  const read: unknown[] = [];
  void (async () => {
    for (;;) {
      const { done, value } = await reader.read();
      if (done) break;
      read.push(value);
    }
    read.push("end");
  })().catch((error: unknown) => read.push(error));
  await settled();
  return { read, reader };
}

describe("a stream that gives way", () => {
  it("passes on all that came during a micro-turn when that ends, also if the next begins at once", async () => {
    const { model, stream, begin, end } = bench();
    begin();
    const { read } = await reading(model);
    for (let n = 0; n < 20; n++) stream.enqueue(n);
    await settled();
    expect(read).toEqual([]);
    await end({ saturated: true });
    expect(read).toHaveLength(20);
    stream.enqueue(20);
    stream.close();
    await settled();
    expect(read).toHaveLength(20);
    await end({ saturated: true });
    expect(read.slice(20)).toEqual([20, "end"]);
  });

  it("passes on an error after what came before it", async () => {
    const { model, stream, begin, end } = bench();
    const { read } = await reading(model);
    begin();
    stream.enqueue(1);
    stream.enqueue(2);
    await settled();
    await end({ saturated: true });
    stream.error(new Error("the line broke"));
    await settled();
    expect(read).toEqual([1, 2, new Error("the line broke")]);
  });

  it("can be cancelled while it waits, and so is what it reads", async () => {
    const test = bench();
    const { read, reader } = await reading(test.model);
    test.begin();
    test.stream.enqueue(1);
    await settled();
    await reader.cancel("enough");
    await settled();
    expect([read, test.cancelled]).toEqual([["end"], "enough"]);
    await test.end();
    expect(read).toEqual(["end"]);
  });

  const piece = (delta: string, more: object = {}) => ({ type: "text-delta", id: "text", delta, ...more });
  const deltas = (read: readonly unknown[]) =>
    read.map((part) => (part as { readonly delta?: string } | undefined)?.delta ?? part);

  it("passes on the first piece of a text at once, and the others together, every 100 ms", async () => {
    const { model, stream, clock } = bench();
    const { read } = await reading(model);
    for (const word of ["One ", "and ", "two ", "is ", "three", "."]) {
      stream.enqueue(piece(word));
      await settled();
      await clock.advance(40);
    }
    expect(deltas(read)).toEqual(["One ", "and two ", "is three"]);
    stream.close();
    await settled();
    expect(deltas(read)).toEqual(["One ", "and two ", "is three", ".", "end"]);
  });

  it("lets no piece wait longer when something else comes, and joins only what is nothing but pieces of one text", async () => {
    const { model, stream, clock } = bench();
    const { read } = await reading(model);
    const parts = [
      ...[piece("a"), piece("b"), piece("c"), { type: "text-end", id: "text" }],
      ...[piece("d", { id: "other" }), piece("e", { id: "other", providerMetadata: { test: { signature: "s" } } })],
      ...[
        piece("f", { id: "other", providerMetadata: undefined }),
        piece("g", { type: "reasoning-delta", id: "other" }),
      ],
      ...["raw", undefined, piece("h"), piece("i")],
    ];
    for (const part of parts) stream.enqueue(part);
    await settled();
    expect(deltas(read)).toEqual(["a", "bc", parts[3], "d", "e", "f", "g", "raw", undefined, "h"]);
    expect(read[4]).toBe(parts[5]);
    await clock.advance(100);
    expect(deltas(read).slice(10)).toEqual(["i"]);
  });

  it("passes on the first piece of a text at once, also right after a thought", async () => {
    const { model, stream, clock } = bench();
    const { read } = await reading(model);
    stream.enqueue(piece("Hm", { type: "reasoning-delta", id: "thought" }));
    await settled();
    await clock.advance(10);
    const between = [
      { type: "reasoning-end", id: "thought" },
      { type: "text-start", id: "text" },
    ];
    for (const part of [...between, piece("Let "), piece("me ")]) stream.enqueue(part);
    await settled();
    expect(deltas(read)).toEqual(["Hm", ...between, "Let "]);
    await clock.advance(100);
    expect(deltas(read).slice(4)).toEqual(["me "]);
  });

  it("passes on an error, and a cancellation, while a piece waits", async () => {
    const broken = bench();
    const { read } = await reading(broken.model);
    for (const word of ["a", "b"]) broken.stream.enqueue(piece(word));
    await settled();
    expect(deltas(read)).toEqual(["a"]);
    broken.stream.error(new Error("the line broke"));
    await settled();
    expect(deltas(read)).toEqual(["a", "b", new Error("the line broke")]);

    const test = bench();
    const cancelled = await reading(test.model);
    for (const word of ["a", "b"]) test.stream.enqueue(piece(word));
    await settled();
    await cancelled.reader.cancel("enough");
    await settled();
    expect([deltas(cancelled.read), test.cancelled]).toEqual([["a", "end"], "enough"]);
    expect([broken.clock.pending, test.clock.pending]).toEqual([0, 0]);
  });

  it("joins what came during a micro-turn when that ends", async () => {
    const { model, stream, begin, end } = bench();
    begin();
    const { read } = await reading(model);
    for (const word of ["a", "b", "c"]) stream.enqueue(piece(word));
    stream.enqueue({ type: "text-end", id: "text" });
    await settled();
    expect(read).toEqual([]);
    await end({ saturated: true });
    expect(deltas(read)).toEqual(["abc", { type: "text-end", id: "text" }]);
  });

  it("passes on every piece at once where no micro-turn is computed", async () => {
    const { model, stream } = bench({ any: false });
    const { read } = await reading(model);
    for (const word of ["a", "b", "c"]) stream.enqueue(piece(word));
    await settled();
    expect(deltas(read)).toEqual(["a", "b", "c"]);
  });
});
