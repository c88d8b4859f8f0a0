// The public names of @microturn/backend-web, written by hand: adding one is a decision.

export { type DeviceReport, type ProbeDevicesOptions, probeDevices, type WebDevice } from "./devices.js";
export type { Calibration } from "./engine-messages.js";
export {
  type CachedModel,
  type CachedModelOptions,
  type CachedModelSettings,
  cachedModel,
} from "./model/cached-model.js";
export type { ModelRequest } from "./model/request.js";
export { type DeviceFailure, type WebBackend, type WebBackendOptions, webBackend } from "./web-backend.js";
export {
  type DeviceChange,
  type DeviceChoice,
  type WebEngine,
  type WebEngineOptions,
  webEngine,
} from "./web-engine.js";
