// What a stream does whose reader gives way, part by part.

import { settled } from "@microturn/core/testing";
import { describe, expect, it } from "vitest";
import { givingWay } from "./give-way.js";

type Streaming = { doStream(options: unknown): Promise<{ readonly stream: ReadableStream<number> }> };

/** A model whose stream a test writes, and micro-turns that a test ends. */
function bench() {
  let controller!: ReadableStreamDefaultController<number>;
  let cancelled: unknown;
  let computing: { readonly promise: Promise<void>; readonly end: () => void } | undefined;
  const stream = new ReadableStream<number>({
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
    model: givingWay(new Model(), () => computing?.promise) as unknown as Streaming,
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
});
