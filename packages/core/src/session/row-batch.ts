// One graph state with a row per session, and one run for all rows that have a micro-turn to compute.
//
// The state has 1 row or a multiple of 4, and a backend that leaves out rows without work computes a multiple of 4 too: matrix
// kernels on CPU take rows in blocks of 4 and round the rest otherwise. So the bits of a session depend neither on its
// row nor on how many others there are, or have work (measured with onnxruntime 1.30 on x86-64, float32 and int8: rows of
// batches of 4, 8, 12, 16, 20 and 32 all agree, rows of 2, 3, 5, 6 and 7 do not). `rowsAgree` asks the backend at hand.

import type { Executable, StateHandle } from "../backend.js";
import { DuplexError } from "../errors.js";
import { allocate, elementCount, type Tensor } from "../tensor.js";
import { SeededRandom } from "./random.js";

/** Rows that matrix kernels take at a time. */
const rowBlock = 4;

/** Inputs or outputs of a run by name, all rows. */
export type Tensors = Readonly<Record<string, Tensor>>;

/** What one row wants of the next runs. */
export interface RowJob {
  readonly row: number;
  /** Fills the row's part of every input; the rest belongs to other rows. */
  write(inputs: Tensors): void;
  /** Takes the row's part of the outputs. @returns whether it wants another run */
  read(outputs: Tensors, runMs: number, waitMs: number): boolean;
  fail(error: unknown): void;
}

/** Runs a graph for up to `rows` sessions. */
export class RowBatch {
  readonly state: StateHandle;
  readonly #executable: Executable;
  readonly #inputs: Tensors;
  readonly #active: Uint8Array;
  readonly #waiting = new Map<RowJob, number>();
  readonly #free: number[];
  #running: Promise<void> | undefined;
  /** The run that the device is busy with, whatever comes of it. */
  #run: Promise<unknown> = Promise.resolve();

  private constructor(executable: Executable, state: StateHandle, sessions: number) {
    this.state = state;
    this.#executable = executable;
    this.#active = new Uint8Array(state.batch);
    this.#free = Array.from({ length: sessions }, (_, row) => row);
    const inputs: Record<string, Tensor> = {};
    for (const { name, type, shape: batched } of executable.graph.inputs) {
      const shape = batched.map((size) => (size === -1 ? state.batch : size));
      inputs[name] = { type, shape, data: allocate(type, elementCount(shape)) };
    }
    this.#inputs = inputs;
  }

  /**
   * @param sessions - rows needed
   * @param maxBatch - of the backend
   */
  static async create(executable: Executable, sessions: number, maxBatch: number): Promise<RowBatch> {
    const rows = sessions === 1 ? 1 : Math.min(maxBatch, rowBlock * Math.ceil(sessions / rowBlock));
    return new RowBatch(executable, await executable.createState(rows), sessions);
  }

  /**
   * Runs two micro-turns with the same input in all rows, twice, and once in two rows only, and compares the bits: whether the
   * results of a session depend on nothing but its input. Also gets the slow first runs over with. Rows are fresh afterwards.
   */
  async rowsAgree(): Promise<boolean> {
    const first = await this.#probe();
    const second = await this.#probe();
    const some = this.state.batch === 1 ? [] : await this.#probe([0, this.state.batch - 1]);
    const rows = [...first, ...second, ...some];
    return rows.every((row) => row.every((value, i) => Object.is(value, rows[0][i])));
  }

  /** Everything that each active row gives in two micro-turns of noise; default all rows. */
  async #probe(active?: readonly number[]): Promise<number[][]> {
    const { batch } = this.state;
    const probed = (active ?? [...this.#active.keys()]).map((row) => ({ row, values: [] as number[] }));
    this.#active.fill(0);
    for (const { row } of probed) this.#active[row] = 1;
    for (let row = 0; row < batch; row++) await this.state.reset(row);
    for (let turn = 0; turn < 2; turn++) {
      const random = new SeededRandom(turn);
      for (const [name, { data, type }] of Object.entries(this.#inputs)) {
        const size = data.length / batch;
        for (let i = 0; i < size; i++) {
          // Levels below 16, random numbers and pixels below 1; greedy and free to speak, as sessions mostly are.
          const value = name === "dmel" ? Math.floor(16 * random.next()) : type === "float32" ? random.next() : 0;
          for (let row = 0; row < batch; row++) data[row * size + i] = name === "temperature" ? 0 : value;
        }
      }
      const { outputs } = await this.#executable.run(this.#inputs, this.state, { active: this.#active });
      for (const { data } of Object.values(outputs)) {
        const size = data.length / batch;
        for (const { row, values } of probed) values.push(...data.subarray(row * size, (row + 1) * size));
      }
    }
    for (let row = 0; row < batch; row++) await this.state.reset(row);
    for (const { data } of Object.values(this.#inputs)) data.fill(0);
    return probed.map(({ values }) => values);
  }

  /** Takes a row and makes it fresh; undefined when all are taken. */
  async take(): Promise<number | undefined> {
    const row = this.#free.shift();
    if (row === undefined) return undefined;
    try {
      await this.state.reset(row);
    } catch (error) {
      this.#free.unshift(row);
      throw error;
    }
    return row;
  }

  /** Gives a row back, once no run uses it any more; the runs that others have waiting need not be over. */
  async giveBack(row: number): Promise<void> {
    await this.#run;
    this.#free.push(row);
    this.#free.sort((a, b) => a - b);
  }

  /** Runs a job as soon as the device is free, together with every other that waits then. */
  submit(job: RowJob): void {
    this.#waiting.set(job, performance.now());
    this.#running ??= this.#runAll();
  }

  /** Takes a job back; a run that it is part of already goes on without it. */
  withdraw(job: RowJob): void {
    this.#waiting.delete(job);
  }

  async dispose(): Promise<void> {
    await this.#running?.catch(() => {});
    await this.state.dispose();
  }

  async #runAll(): Promise<void> {
    // Sessions whose timers fire together submit one after the other in this task of the event loop: wait for its end.
    if (this.state.batch > 1) await nextTask();
    while (this.#waiting.size > 0) {
      const jobs = [...this.#waiting.keys()];
      try {
        this.#active.fill(0);
        for (const job of jobs) {
          this.#active[job.row] = 1;
          job.write(this.#inputs);
        }
        const running = this.#executable.run(this.#inputs, this.state, { active: this.#active });
        this.#run = running.catch(() => {});
        const { outputs, runMs } = await running;
        for (const job of jobs) this.#read(job, outputs, runMs);
      } catch (error) {
        const failed = DuplexError.is(error)
          ? error
          : new DuplexError("BACKEND_FAILED", "step: the backend failed to run the graph", { cause: error });
        for (const job of jobs) {
          if (this.#waiting.delete(job)) job.fail(failed);
        }
      }
    }
    this.#running = undefined;
  }

  #read(job: RowJob, outputs: Tensors, runMs: number): void {
    const sinceMs = this.#waiting.get(job);
    if (sinceMs === undefined) return; // withdrawn meanwhile
    const nowMs = performance.now();
    try {
      if (job.read(outputs, runMs, Math.max(0, nowMs - sinceMs - runMs))) this.#waiting.set(job, performance.now());
      else this.#waiting.delete(job);
    } catch (error) {
      this.#waiting.delete(job);
      job.fail(error);
    }
  }
}

function nextTask(): Promise<void> {
  return new Promise((resolve) => {
    if (typeof setImmediate === "function") setImmediate(resolve);
    else setTimeout(resolve, 0);
  });
}
