// The public names of the package, written by hand: adding one is a decision.

export { renderTraceHtml } from "./viewer/render.js";
