// Calling the handlers and callbacks of an application: one that throws disturbs nobody else.

/** Calls `listener`; what it throws surfaces as an uncaught error, as for any event target. */
export function callListener<Values extends unknown[]>(listener: (...values: Values) => void, ...values: Values): void {
  try {
    listener(...values);
  } catch (error) {
    queueMicrotask(() => {
      throw error;
    });
  }
}
