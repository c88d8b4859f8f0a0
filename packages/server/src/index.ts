// The public names of @microturn/server, written by hand: adding one is a decision.

export type { AccessOptions } from "./access/access.js";
export { createToken, type TokenClaims, type TokenOptions } from "./access/tokens.js";
export { type CapacityOptions, measureCapacity } from "./admission/measure-capacity.js";
export type { Logger } from "./log.js";
export { createServer, type MicroturnServer, type ServerOptions, serverPaths } from "./server.js";
export type { ServerLimits } from "./sessions/server-context.js";
