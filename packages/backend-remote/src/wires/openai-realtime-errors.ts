// What errors and ends of OpenAI Realtime mean. Codes of races and their messages are from public reports (the issues of
// openai-agents-js, livekit/agents and pipecat), matched by code first.

import { DuplexError, type DuplexErrorCode } from "@microturn/core";
import type { SocketEnd } from "../socket/message-socket.js";
import type { CloseVerdict } from "../wire.js";

/** An `error` of the service, or of a response that failed. */
export interface RealtimeError {
  readonly type: string;
  readonly code: string;
  readonly message: string;
  readonly param: string;
  /** Of the event of ours that it answers; "" if it names none. */
  readonly eventId: string;
}

/** The account, not the session, is what is wrong. */
const accessCodes = ["invalid_api_key", "account_deactivated", "invalid_authentication", "expired_api_key"];
const quotaCodes = ["insufficient_quota", "billing_hard_limit_reached", "billing_not_active"];

/** Takes keys out of what a service says. */
export function redactKeys(text: string, secrets: readonly string[]): string {
  let clean = text;
  for (const secret of secrets) if (secret.length > 3) clean = clean.replaceAll(secret, "…");
  return clean.replace(/\b(sk|ek)([-_])[\w*.-]{4,}/g, "$1$2…").slice(0, 500);
}

/**
 * What an `error` means for the connection.
 *
 * @param ready - whether the session was taken: until then an error is the answer to its settings
 * @returns undefined if the session goes on
 */
export function verdictOfError(error: RealtimeError, ready: boolean): CloseVerdict | undefined {
  const { code, type } = error;
  if (accessCodes.includes(code) || type === "authentication_error") {
    return told("ACCESS_DENIED", error, "check the key, and that it may use this model", false);
  }
  if (quotaCodes.includes(code)) {
    return told("SERVER_BUSY", error, "raise the limit of the account, or wait until it is renewed", false);
  }
  if (code === "session_expired") {
    return told("NETWORK_FAILED", error, "the longest duration of a session is over; another goes on in words", true);
  }
  if (ready) return undefined;
  if (code === "rate_limit_exceeded" || type === "rate_limit_error")
    return told("SERVER_BUSY", error, "try again later", true);
  if (type === "server_error") return told("NETWORK_FAILED", error, "try again", true);
  if (code === "model_not_found") return told("UNSUPPORTED", error, "check the name of the model", false);
  const what = error.param === "" ? "the options of openaiRealtimeEngine" : error.param;
  return told("UNSUPPORTED", error, `check ${what} against what the model takes, and spelling`, false);
}

/** What the end of a connection means. */
export function verdictOfEnd(end: SocketEnd, secrets: readonly string[]): CloseVerdict {
  const { status, code, reason, body = "", retryAfterS, cause } = end;
  const said = redactKeys((status === undefined ? reason : body).replace(/\s+/g, " ").trim(), secrets);
  const how = status === undefined ? `the connection ended with ${code}` : `it was refused with HTTP ${status}`;
  const verdict = (duplexCode: DuplexErrorCode, next: string, retry: boolean): CloseVerdict => ({
    error: new DuplexError(duplexCode, `OpenAI Realtime: ${how}${said === "" ? "" : ` "${said}"`}; ${next}`, {
      ...(cause === undefined || status !== undefined ? {} : { cause }),
      details: {
        ...(status === undefined ? { closeCode: code } : { status }),
        ...(retryAfterS === undefined ? {} : { retryAfterMs: 1000 * retryAfterS }),
      },
    }),
    retry,
  });
  if (status !== undefined) {
    if (status === 401)
      return verdict("ACCESS_DENIED", "check the key, or that the token was made in this minute", false);
    if (status === 403)
      return verdict("ACCESS_DENIED", "check that the key may use this model from this region", false);
    if (status === 429)
      return verdict("SERVER_BUSY", "wait, or raise the limit of the account", retryAfterS !== undefined);
    if (status === 503) return verdict("SERVER_BUSY", "try again later", true);
    if (status >= 500) return verdict("NETWORK_FAILED", "try again", true);
    return verdict("UNSUPPORTED", "check baseUrl, which ends before /realtime, and the name of the model", false);
  }
  switch (code) {
    case 1008:
    case 3000:
    case 3003:
      return verdict("ACCESS_DENIED", "check the key, and that it may use this model", false);
    case 1002:
    case 1003:
    case 1007:
    case 1009:
    case 1010:
      return verdict("PROTOCOL_VIOLATION", "check spelling and baseUrl, or update this package", false);
    case 1013:
      return verdict("SERVER_BUSY", "try again later", true);
    default:
      return verdict(
        "NETWORK_FAILED",
        "check the network; in a page this may also be a token that is not accepted",
        true,
      );
  }
}

function told(code: DuplexErrorCode, error: RealtimeError, next: string, retry: boolean): CloseVerdict {
  const said = error.message === "" ? error.code || error.type : error.message;
  const details = { serviceCode: error.code, ...(error.param === "" ? {} : { param: error.param }) };
  return { error: new DuplexError(code, `OpenAI Realtime: "${said}"; ${next}`, { details }), retry };
}
