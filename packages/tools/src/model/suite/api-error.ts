// For tests: an error of a provider, with a secret in all that a provider writes.

/** Stands for what must not come through. */
export const secret = "sk-secret";

/** An error of a provider, as the AI SDK makes it of an answer that is not 200. */
export function apiError(statusCode: number, over: { headers?: Record<string, string>; body?: string } = {}): Error {
  const isRetryable = statusCode === 429 || statusCode >= 500;
  const url = `https://api.example/?key=${secret}`;
  const responseBody = over.body ?? `bad key ${secret}`;
  return Object.assign(new Error(`failed with ${secret}`), {
    ...{ name: "AI_APICallError", statusCode, isRetryable, url, responseBody, responseHeaders: over.headers ?? {} },
  });
}
