// An engine that hands over what a benchmark wants handed over, and is the engine that it was given in everything else.

import type { Delegation, Engine, EngineSession } from "@microturn/core";

/**
 * Delegates in place of an engine; what the engine itself would hand over is left out.
 *
 * @param next - asked in every micro-turn: what is handed over in it
 */
export function delegatingEngine(engine: Engine, next: () => Delegation | undefined): Engine {
  return {
    load: async (options) => ({ ...(await engine.load(options)), delegation: true }),
    open: async (options) => delegatingSession(await engine.open(options), next),
    close: () => engine.close(),
  };
}

function delegatingSession(session: EngineSession, next: () => Delegation | undefined): EngineSession {
  return {
    capabilities: { ...session.capabilities, delegation: true },
    async step(input) {
      const { delegation: _, ...output } = await session.step(input);
      const delegation = next();
      return delegation === undefined ? output : { ...output, delegation };
    },
    snapshot: () => session.snapshot(),
    restore: (snapshot) => session.restore(snapshot),
    close: () => session.close(),
  };
}
