// What the backends over ONNX Runtime share, whichever build of it they bring: graphs, states, runs, and the requests
// for them. It is bundled into each of them, and not published.

export { type Connection, closedError } from "./connection.js";
export { DirectConnection } from "./direct-connection.js";
export {
  type Answers,
  errorOf,
  Fault,
  type FaultMessage,
  faultOf,
  firstLine,
  isOutOfMemory,
  type Request,
} from "./messages.js";
export { OrtBackend, type OrtBackendOptions } from "./ort-backend.js";
export { probeGraph, runProbe } from "./probe-graph.js";
export { Runtime } from "./runtime.js";
export type { Ort } from "./state-store.js";
