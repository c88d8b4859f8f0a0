// The public names of @microturn/backend-node, written by hand: adding one is a decision.

export { modelFolder } from "./model-folder.js";
export {
  type NodeBackend,
  type NodeBackendOptions,
  nodeBackend,
  type ProviderFailure,
  type RunPlace,
} from "./node-backend.js";
export { type ProbeOptions, type ProviderReport, probeProviders } from "./probe.js";
export type { NodeProvider } from "./providers.js";
