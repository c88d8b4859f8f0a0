// Dense SwiGLU layer.

import { layerPrefix } from "../model/weight-shapes.js";
import type { BuildContext, Matrix } from "./build-context.js";
import type { Emitter, Value } from "./emitter.js";

/** SwiGLU of a dense layer times its global scale; `[..., H]` to `[..., H]`. */
export function denseMlp(c: BuildContext, layer: number, x: Value): Value {
  const at = `${layerPrefix(layer)}mlp.`;
  const gateUp = c.stacked(`${at}gate_up`, [`${at}gate_proj.weight`, `${at}up_proj.weight`]);
  const activated = swiglu(c.g, c.linear(x, gateUp), c.config.denseWidth);
  const [scale] = c.array(`${at}global_scale`);
  const down = c.matrix(`${at}down_proj.weight`);
  const scaled: Matrix = { ...down, name: `${at}down_scaled`, factor: scale };
  return c.linear(activated, scaled);
}

/** silu(first half) * second half, over the last of three or fewer axes; `[..., 2 * width]` to `[..., width]`. */
export function swiglu(g: Emitter, gateUp: Value, width: number, axis = -1): Value {
  const [gate, up] = g.split(gateUp, axis, [width, width]);
  return g.mul(g.silu(gate), up);
}
