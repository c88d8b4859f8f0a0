import { codeOf } from "@microturn/core/testing";
import * as ort from "onnxruntime-node";
import { describe, expect, test, vi } from "vitest";
import { DirectConnection } from "./direct-connection.js";
import { probeGraph } from "./probe-graph.js";
import { Runtime } from "./runtime.js";

const tensor = { type: "float32", shape: [2, 2] } as const;
const load = {
  kind: "load",
  executable: 0,
  onnx: probeGraph(),
  externalData: [],
  inputs: [
    { name: "a", ...tensor },
    { name: "b", ...tensor },
  ],
  outputs: [{ name: "c", ...tensor }],
  state: [],
} as const;
const createState = { kind: "create-state", executable: 0, state: 1, batch: 1 } as const;

/** Floats in shared memory, four at the beginning of every 64 bytes. */
function packed(...tensors: number[][]): SharedArrayBuffer {
  const memory = new SharedArrayBuffer(64 * tensors.length);
  for (const [index, values] of tensors.entries()) new Float32Array(memory, 64 * index).set(values);
  return memory;
}

const connect = () => new DirectConnection(new Runtime(ort, { executionProviders: ["cpu"], intraOpNumThreads: 1 }));

describe("DirectConnection", () => {
  test("answers in order, also when nobody waits for the request before", async () => {
    const connection = connect();
    const results = packed([0, 0, 0, 0]);
    const answers = [
      connection.request(load),
      connection.request(createState),
      connection.request({
        kind: "run",
        executable: 0,
        state: 1,
        feeds: packed([1, 2, 3, 4], [5, 6, 7, 8]),
        results,
        active: undefined,
      }),
    ];
    const [, , run] = await Promise.all(answers);
    expect(run).toEqual({ runMs: expect.any(Number) });
    expect([...new Float32Array(results, 0, 4)]).toEqual([19, 22, 43, 50]);
    await connection.close();
  });

  test("turns what the runtime refuses into DuplexErrors, and goes on", async () => {
    const connection = connect();
    const noGraph = connection.request({ ...load, onnx: Uint8Array.of(1, 2, 3) });
    expect(await codeOf(noGraph)).toBe("MODEL_INVALID");
    connection.tell({ ...createState, executable: 7 });
    expect(await codeOf(connection.request({ ...createState, executable: 7 }))).toBe("SESSION_CLOSED");
    expect(await codeOf(connection.request(load))).toBe("none");
    await connection.close();
  });

  test("rejects open and later requests with SESSION_CLOSED on close", async () => {
    const connection = connect();
    const open = [codeOf(connection.request(load)), codeOf(connection.request(createState))];
    await Promise.all([connection.close(), connection.close()]);
    expect(await Promise.all(open)).toEqual(["SESSION_CLOSED", "SESSION_CLOSED"]);
    expect(await codeOf(connection.request(createState))).toBe("SESSION_CLOSED");
  });

  test("leaves out what nobody waits for when its turn comes", async () => {
    const answer = vi.spyOn(Runtime.prototype, "answer");
    const connection = connect();
    const controller = new AbortController();
    const aborted = connection.request(load, controller.signal);
    controller.abort();
    await aborted;
    const open = [codeOf(connection.request(load)), codeOf(connection.request(createState))];
    await connection.close();
    await Promise.all(open);
    expect(answer.mock.calls.map(([request]) => request.kind)).toEqual(["close"]);
    answer.mockRestore();
  });
});
