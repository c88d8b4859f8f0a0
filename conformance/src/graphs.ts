// Small graphs that a backend is tested with, each beside the same arithmetic in plain TypeScript. All numbers are small
// multiples of 1/8, so that every provider must get them exactly.

import type { Graph, StateForm, StateUpdate, Tensor } from "@microturn/core";
import { experimental_Emitter as Emitter, experimental_writeModel as writeModel } from "@microturn/core/model";

type Ring = Extract<StateUpdate, { kind: "ring" }>;

/** Heads, slots and columns of the `keys` ring: `[2, 8, 3]`, two rows a turn, one sink turn and three ring turns. */
export const keysShape = [2, 8, 3] as const;
export const keysRing: Ring = { kind: "ring", axis: 1, rowsPerTurn: 2, sinkTurns: 1, ringTurns: 3 };
/** The `marks` ring: `[4, 2]` of int32, one row a turn, no sinks. */
export const marksShape = [4, 2] as const;
export const marksRing: Ring = { kind: "ring", axis: 0, rowsPerTurn: 1, sinkTurns: 0, ringTurns: 4 };
/** Scale of each head of the `keys` ring. */
const headScale = [1, -2] as const;
/** What `average` starts with. */
const averageStart = 0.5;
/** What `last` starts with. */
const lastStart = -1;

/**
 * A graph with every kind of state: two rings, two replaced pieces and the counter. Its outputs show the state that it
 * saw: `keys_seen`, `marks_seen`, `average_seen`, `last_seen`, `turn_seen`. Its input is `x`, float32 `[B, 2, 3]`.
 */
export function memoryGraph(form: StateForm): Graph {
  const g = new Emitter();
  const x = g.input("x", "float32", [-1, 2, 3]);
  const turn = g.stateInput({ input: "turn", type: "int32", shape: [], update: { kind: "counter" } });
  const keys = g.stateInput({ input: "keys", output: "keys_new", type: "float32", shape: keysShape, update: keysRing });
  const marks = g.stateInput({
    input: "marks",
    output: "marks_new",
    type: "int32",
    shape: marksShape,
    update: marksRing,
  });
  const replace = { kind: "replace" } as const;
  const average = g.stateInput({
    input: "average",
    output: "average_new",
    type: "float32",
    shape: [3],
    initial: averageStart,
    update: replace,
  });
  const last = g.stateInput({
    input: "last",
    output: "last_new",
    type: "int32",
    shape: [2],
    initial: lastStart,
    update: replace,
  });

  g.output("keys_seen", keys, "float32", [-1, ...keysShape]);
  g.output("marks_seen", marks, "int32", [-1, ...marksShape]);
  g.output("average_seen", average, "float32", [-1, 3]);
  g.output("last_seen", last, "int32", [-1, 2]);
  g.output("turn_seen", turn, "int32", [-1]);

  // keys: head scale x row + turn
  const turnFloat = g.reshape(g.cast(turn, "float32"), [-1, 1, 1, 1]);
  const scale = g.floats(headScale, [1, 2, 1, 1]);
  const keyRows = g.add(g.mul(scale, g.reshape(x, [-1, 1, 2, 3])), turnFloat);
  g.stateOutput("keys_new", form === "rows" ? keyRows : placed(g, keys, keyRows, turn, keysRing, 4));
  // marks: 10 x turn, 10 x turn + 1
  const markRows = g.add(g.mul(g.reshape(turn, [-1, 1, 1]), g.int(10)), g.ints([0, 1], [1, 1, 2]));
  g.stateOutput("marks_new", form === "rows" ? markRows : placed(g, marks, markRows, turn, marksRing, 3));
  // average: half of what it was, and the two rows
  g.stateOutput("average_new", g.add(g.mul(average, g.float(0.5)), g.sum(x, [1])));
  // last: the turn, and the turn before
  g.stateOutput("last_new", g.concat([g.reshape(turn, [-1, 1]), g.slice(last, 1, 0, 1)], 1));
  return g.finish("memory");
}

/** The whole ring with the new rows in their place: the `whole` state form. */
function placed(g: Emitter, ring: string, rows: string, turn: string, update: Ring, rank: number): string {
  const { axis, rowsPerTurn, sinkTurns, ringTurns } = update;
  const slots = sinkTurns + ringTurns;
  const alongAxis = Array.from({ length: rank }, (_, index) => (index === axis + 1 ? slots * rowsPerTurn : 1));
  const slotOfRow = g.ints(
    Array.from({ length: slots * rowsPerTurn }, (_, row) => Math.floor(row / rowsPerTurn)),
    alongAxis,
  );
  const sinks = g.int(sinkTurns);
  const size = g.int(ringTurns);
  const past = g.sub(turn, sinks);
  const wrapped = g.sub(past, g.mul(g.div(past, size), size));
  const slot = g.where(g.less(turn, sinks), turn, g.add(sinks, wrapped));
  const here = g.equal(slotOfRow, g.reshape(slot, [-1, ...Array<number>(rank - 1).fill(1)]));
  return g.where(here, g.concat(Array<string>(slots).fill(rows), axis + 1), ring);
}

/** The memory graph in plain TypeScript, one row. */
export class MemoryTwin {
  turn = 0;
  readonly keys = new Float32Array(2 * 8 * 3);
  readonly marks = new Int32Array(4 * 2);
  readonly average = new Float32Array(3).fill(averageStart);
  readonly last = new Int32Array(2).fill(lastStart);

  /** What the graph's outputs must show for this row before its next step. */
  seen(): Readonly<Record<string, readonly number[]>> {
    return {
      keys_seen: [...this.keys],
      marks_seen: [...this.marks],
      average_seen: [...this.average],
      last_seen: [...this.last],
      turn_seen: [this.turn],
    };
  }

  /** Advances by one turn with `x` `[2, 3]`. */
  step(x: ArrayLike<number>): void {
    for (let head = 0; head < 2; head++) {
      for (let row = 0; row < 2; row++) {
        for (let column = 0; column < 3; column++) {
          const slot = this.slot(keysRing) * 2 + row;
          this.keys[(head * 8 + slot) * 3 + column] = headScale[head] * x[row * 3 + column] + this.turn;
        }
      }
    }
    const mark = this.slot(marksRing) * 2;
    this.marks[mark] = 10 * this.turn;
    this.marks[mark + 1] = 10 * this.turn + 1;
    for (let column = 0; column < 3; column++) {
      this.average[column] = 0.5 * this.average[column] + x[column] + x[3 + column];
    }
    this.last[1] = this.last[0];
    this.last[0] = this.turn;
    this.turn += 1;
  }

  private slot({ sinkTurns, ringTurns }: Ring): number {
    return this.turn < sinkTurns ? this.turn : sinkTurns + ((this.turn - sinkTurns) % ringTurns);
  }
}

/** `y = x w + b` over `x` float32 `[B, 4, 8]`, with weights that are multiples of 1/8. No state. */
export function linearGraph(): Graph {
  const g = new Emitter();
  const x = g.input("x", "float32", [-1, 4, 8]);
  g.output("y", g.add(g.matmul(x, g.floats(linearWeight, [8, 5])), g.floats(linearBias, [5])), "float32", [-1, 4, 5]);
  return g.finish("linear");
}

const linearWeight = Array.from({ length: 40 }, (_, i) => ((i * 7) % 17) / 8 - 1);
const linearBias = [0.25, -0.5, 0, 1, -1.125];

/** The linear graph in plain TypeScript. */
export function linearTwin(x: ArrayLike<number>, rows: number): number[] {
  const y: number[] = [];
  for (let row = 0; row < rows; row++) {
    for (let column = 0; column < 5; column++) {
      let sum = linearBias[column];
      for (let i = 0; i < 8; i++) sum += x[row * 8 + i] * linearWeight[i * 5 + column];
      y.push(sum);
    }
  }
  return y;
}

/** The linear graph with its weights in a file of their own. */
export function externalGraph(): Graph {
  const bytes = new Uint8Array(Float32Array.from([...linearWeight, ...linearBias]).buffer);
  const weightBytes = linearWeight.length * 4;
  const constant = (name: string, shape: readonly number[], part: Uint8Array, offset: number) =>
    ({ name, type: "float32", shape, bytes: part, external: { path: "weights.bin", offset } }) as const;
  const node = (op: string, inputs: readonly string[], output: string) =>
    ({ name: op, op, domain: "", inputs, outputs: [output], attributes: {} }) as const;
  const input = { name: "x", type: "float32", shape: [-1, 4, 8] } as const;
  const output = { name: "y", type: "float32", shape: [-1, 4, 5] } as const;
  const onnx = writeModel(
    {
      name: "external",
      nodes: [node("MatMul", ["x", "w"], "product"), node("Add", ["product", "b"], "y")],
      constants: [
        constant("w", [8, 5], bytes.subarray(0, weightBytes), 0),
        constant("b", [5], bytes.subarray(weightBytes), weightBytes),
      ],
      inputs: [input],
      outputs: [output],
    },
    { opset: 21, producer: "microturn" },
  );
  return { onnx, externalData: [{ path: "weights.bin", data: bytes }], inputs: [input], outputs: [output], state: [] };
}

/** Gives back one input of each element type. */
export function echoGraph(): Graph {
  const g = new Emitter();
  for (const type of ["float32", "int32", "uint8", "bool"] as const) {
    g.output(`${type}_out`, g.input(`${type}_in`, type, [-1, 3]), type, [-1, 3]);
  }
  return g.finish("echo");
}

/** Random multiples of 1/8 in [-4, 4), by a seed: the same on every machine. */
export function eighths(seed: number, shape: readonly number[]): Tensor {
  const data = new Float32Array(shape.reduce((product, size) => product * size, 1));
  let state = (seed * 2654435761 + 1) >>> 0;
  for (let i = 0; i < data.length; i++) {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    data[i] = ((state >>> 26) - 32) / 8;
  }
  return { type: "float32", shape, data };
}

/** A byte per row, `count` of them 1: another choice for each seed. */
export function someOf(rows: number, count: number, seed: number): Uint8Array {
  const order = eighths(seed, [rows]).data;
  const chosen = [...order.keys()].sort((a, b) => order[a] - order[b] || a - b).slice(0, count);
  return Uint8Array.from({ length: rows }, (_, row) => (chosen.includes(row) ? 1 : 0));
}
