// The hook: a store per component, watched the way React asks for, closed when the component goes.

import { useCallback, useEffect, useRef, useState, useSyncExternalStore } from "react";
import { type DuplexSessionView, SessionStore, type UseDuplexSessionOptions } from "./session-store.js";

/** What {@link useDuplexSession} gives. */
export interface DuplexSessionControls extends DuplexSessionView {
  /**
   * Opens the session and its devices. Call it from a click: browsers start sound for a user's gesture only.
   * Resolves when the state is `open` or `error`; never rejects.
   */
  readonly start: () => Promise<void>;
  /** Ends it, also while it loads. Resolves when every device is let go; never rejects. */
  readonly stop: () => Promise<void>;
  /** Silences the microphone; holds for the next start too. */
  readonly setMuted: (muted: boolean) => void;
}

/**
 * A conversation in a component: microphone, speaker and session, opened by `start()`, closed by `stop()` or when the
 * component is removed. Options are read when it starts.
 *
 * @example
 * const { state, start, stop, transcript } = useDuplexSession({ engine });
 * return <button onClick={state === "open" ? stop : start}>{state}</button>;
 */
export function useDuplexSession(options: UseDuplexSessionOptions): DuplexSessionControls {
  const [store] = useState(() => new SessionStore());
  const latest = useRef(options);
  useEffect(() => {
    latest.current = options;
  });
  useEffect(() => () => void store.stop(), [store]);
  const snapshot = useSyncExternalStore(store.subscribe, store.snapshot, store.snapshot);
  const start = useCallback(() => store.start(latest.current), [store]);
  const stop = useCallback(() => store.stop(), [store]);
  return { ...snapshot, start, stop, setMuted: store.setMuted };
}
