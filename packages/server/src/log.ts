// What the server tells its owner as it runs: structured lines, for a logger of the application's choice.

/** The part of `pino`'s interface that is used; `console` does not fit, `pino()` does. */
export interface Logger {
  info(fields: object, message: string): void;
  warn(fields: object, message: string): void;
  error(fields: object, message: string): void;
}

/** Tells nobody. */
export const silentLogger: Logger = { info() {}, warn() {}, error() {} };

/** A logger whose failures, such as a full disk, do not reach the server. */
export function safeLogger(logger: Logger): Logger {
  const safe =
    (level: keyof Logger) =>
    (fields: object, message: string): void => {
      try {
        logger[level](fields, message);
      } catch {
        // Sessions matter more than lines.
      }
    };
  return { info: safe("info"), warn: safe("warn"), error: safe("error") };
}

/** What is told of an error: its code and message. No stack, and nothing of what a client sent. */
export function errorFields(error: unknown): { readonly code?: string; readonly problem: string } {
  if (!(error instanceof Error)) return { problem: "unknown" };
  const code = (error as { code?: unknown }).code;
  return { problem: error.message.slice(0, 500), ...(typeof code === "string" ? { code } : {}) };
}
