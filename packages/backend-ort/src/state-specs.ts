// Checks of a graph's state specs that need no runtime: a ring that does not fit would be written past its end.

import { DuplexError, type Graph } from "@microturn/core";

/**
 * Checks the state specs of a graph by themselves.
 *
 * @throws DuplexError `MODEL_INVALID` if a ring does not fit its buffer or the counter is missing, doubled or not int32
 */
export function checkStateSpecs(graph: Graph): void {
  const invalid = (message: string) => new DuplexError("MODEL_INVALID", `load: ${message}`);
  const counters = graph.state.filter((spec) => spec.update.kind === "counter");
  if (counters.length > 1) throw invalid(`a graph has at most one counter, this one has ${counters.length}`);
  for (const spec of counters) {
    if (spec.type !== "int32" || spec.shape.some((size) => size !== 1)) {
      throw invalid(`counter "${spec.input}" must be an int32 scalar per row, got ${spec.type} [${spec.shape}]`);
    }
  }
  const named = new Set(graph.outputs.map((spec) => spec.name));
  for (const { input, output, shape, update } of graph.state) {
    if (output !== undefined && named.has(output)) throw invalid(`"${output}" is both an output and a state output`);
    if (update.kind !== "counter" && output === undefined) throw invalid(`state "${input}" has no output to renew it`);
    if (update.kind !== "ring") continue;
    const { axis, rowsPerTurn, sinkTurns, ringTurns } = update;
    if (counters.length === 0) throw invalid(`ring "${input}" needs a counter to go by`);
    const whole = [axis, rowsPerTurn, sinkTurns, ringTurns].every((value) => Number.isInteger(value) && value >= 0);
    if (!whole || rowsPerTurn === 0 || ringTurns === 0 || !(shape[axis] >= (sinkTurns + ringTurns) * rowsPerTurn)) {
      throw invalid(
        `ring "${input}" [${shape}] cannot hold (${sinkTurns} sink + ${ringTurns} ring turns) x ${rowsPerTurn} rows on axis ${axis}`,
      );
    }
  }
}
