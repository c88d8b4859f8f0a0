// Short-lived keys for pages, made where the key is safe.

import { DuplexError } from "@microturn/core";
import { redactKeys } from "./openai-realtime-errors.js";

/** Options of {@link createRealtimeToken}. */
export interface RealtimeTokenOptions {
  /** A key of OpenAI. */
  readonly apiKey: string;
  /** How long a session may be begun with it, seconds: 10 … 7200; default 60. */
  readonly expiresAfterS?: number;
  /** Session object that the key is bound to, for example `{ type: "realtime", model: "gpt-realtime-2" }`. */
  readonly session?: Readonly<Record<string, unknown>>;
  /** Where the service is, without `/realtime`; default `https://api.openai.com/v1`. */
  readonly baseUrl?: string;
  /** A stable name of the user, hashed, for the service's monitoring of abuse. */
  readonly safetyIdentifier?: string;
  readonly signal?: AbortSignal;
  /** Default the platform's. */
  readonly fetch?: typeof fetch;
}

/** A short-lived key. */
export interface RealtimeToken {
  /** `ek_…`, for `token` of `openaiRealtimeEngine`. */
  readonly value: string;
  /** When it can no longer begin a session, ms since 1970. */
  readonly expiresAtMs: number;
}

/**
 * Makes a short-lived key on a server of yours, to be given to one page.
 *
 * @throws RangeError for a time out of its range
 * @throws DuplexError `ACCESS_DENIED`, `SERVER_BUSY` with `details.retryAfterMs` where it is known, `NETWORK_FAILED`, `ABORTED`,
 *   `UNSUPPORTED`, `PROTOCOL_VIOLATION`
 * @example
 * app.post("/realtime-token", async (request, response) => {
 *   response.json(await createRealtimeToken({ apiKey: process.env.OPENAI_API_KEY ?? "" }));
 * });
 */
export async function createRealtimeToken(options: RealtimeTokenOptions): Promise<RealtimeToken> {
  const {
    apiKey,
    expiresAfterS = 60,
    session,
    baseUrl = "https://api.openai.com/v1",
    safetyIdentifier,
    signal,
  } = options;
  if (!(expiresAfterS >= 10 && expiresAfterS <= 7200)) {
    throw new RangeError(`createRealtimeToken: expiresAfterS must be 10 … 7200, got ${expiresAfterS}`);
  }
  const request = options.fetch ?? fetch;
  let response: Response;
  let body: string;
  try {
    response = await request(`${baseUrl.replace(/\/$/, "")}/realtime/client_secrets`, {
      method: "POST",
      headers: {
        Authorization: `Bearer ${apiKey}`,
        "Content-Type": "application/json",
        ...(safetyIdentifier === undefined ? {} : { "OpenAI-Safety-Identifier": safetyIdentifier }),
      },
      body: JSON.stringify({
        // The anchor is not the default, whatever the reference says (seen in reports).
        expires_after: { anchor: "created_at", seconds: Math.round(expiresAfterS) },
        ...(session === undefined ? {} : { session }),
      }),
      ...(signal === undefined ? {} : { signal }),
    });
    body = await response.text();
  } catch (cause) {
    const code = signal?.aborted ? "ABORTED" : "NETWORK_FAILED";
    const what = signal?.aborted
      ? "its signal was aborted"
      : "the service cannot be reached; check the network and baseUrl";
    throw new DuplexError(code, `createRealtimeToken: ${what}`, { cause });
  }
  if (!response.ok) throw refusal(response, redactKeys(body, [apiKey]));
  let told: { value?: unknown; expires_at?: unknown } | null = null;
  try {
    told = JSON.parse(body);
  } catch {
    // Told below.
  }
  if (typeof told?.value !== "string" || typeof told.expires_at !== "number") {
    throw new DuplexError(
      "PROTOCOL_VIOLATION",
      "createRealtimeToken: expected value and expires_at in the answer; check baseUrl",
    );
  }
  return { value: told.value, expiresAtMs: told.expires_at * 1000 };
}

function refusal({ status, headers }: Response, body: string): DuplexError {
  const retryAfterS = Number(headers.get("retry-after") ?? Number.NaN);
  const details = { status, ...(retryAfterS >= 0 ? { retryAfterMs: 1000 * retryAfterS } : {}) };
  const message = `createRealtimeToken: the service answered HTTP ${status} "${body.replace(/\s+/g, " ").slice(0, 300)}"`;
  if (status === 401 || status === 403) {
    return new DuplexError("ACCESS_DENIED", `${message}; check the key, and that it may use the model`, { details });
  }
  if (status === 429)
    return new DuplexError("SERVER_BUSY", `${message}; wait, or raise the limit of the account`, { details });
  if (status >= 500) return new DuplexError("NETWORK_FAILED", `${message}; try again`, { details });
  return new DuplexError("UNSUPPORTED", `${message}; check session and baseUrl`, { details });
}
