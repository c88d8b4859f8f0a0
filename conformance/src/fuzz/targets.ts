// Every decoder that takes what others send, by hand: adding one is a decision.

import type { FuzzTarget } from "./fuzz-target.js";
import { jpegs, microTurnTargets } from "./micro-turn-targets.js";
import { moshiTargets } from "./moshi-targets.js";
import { realtimeTarget } from "./realtime-target.js";
import { wireTargets } from "./wire-targets.js";

export const fuzzTargets: readonly FuzzTarget[] = [
  ...microTurnTargets,
  realtimeTarget(jpegs[0]),
  ...wireTargets,
  ...moshiTargets,
];
