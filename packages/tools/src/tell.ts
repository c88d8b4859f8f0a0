// Telling the application.

/** Calls what the application gave. An error of its own surfaces as an uncaught one, as for any event target: it disturbs nobody else. */
export function tell(call: () => void): void {
  try {
    call();
  } catch (error) {
    queueMicrotask(() => {
      throw error;
    });
  }
}
