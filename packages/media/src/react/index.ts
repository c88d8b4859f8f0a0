// The public names of @microturn/media/react, written by hand: adding one is a decision.

export type { BackgroundView, ToolCallView, WorkView } from "./background-activity.js";
export type { DuplexSessionView, SessionStateName, UseDuplexSessionOptions } from "./session-store.js";
export type { TranscriptLine } from "./transcript.js";
export { type DuplexSessionControls, useDuplexSession } from "./use-duplex-session.js";
