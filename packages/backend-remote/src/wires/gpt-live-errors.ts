// How GPT-Live refuses and ends, as typed errors. The codes are those of OpenAI's other interfaces and of LiveKit's adapter:
// the service's own list is not published.

import { DuplexError, type DuplexErrorCode } from "@microturn/core";
import type { SocketEnd } from "../socket/message-socket.js";
import type { CloseVerdict } from "../wire.js";

/** An `error` of the service. */
export interface GptLiveError {
  readonly code: string;
  readonly type: string;
  readonly message: string;
  readonly param?: string;
}

const accessCodes = ["invalid_api_key", "account_deactivated", "invalid_authentication", "permission_denied"];
const quotaCodes = ["insufficient_quota", "billing_hard_limit_reached"];
const busyCodes = ["rate_limit_exceeded", "server_overloaded", "overloaded", "service_unavailable"];

/** Takes keys out of what a service or a platform says. */
export function redact(text: string, secrets: readonly string[]): string {
  let clean = text;
  for (const secret of secrets) if (secret.length > 3) clean = clean.replaceAll(secret, "…");
  return clean.replace(/\b(sk|ek|Bearer)([-_ ])[\w*.-]{6,}/g, "$1$2…").slice(0, 500);
}

/**
 * What an `error` means for the connection.
 *
 * @param started - whether the session has started: until then every error is the answer to `session.start`
 * @returns undefined if the session goes on
 */
export function verdictOfError(error: GptLiveError, started: boolean): CloseVerdict | undefined {
  const { code, type } = error;
  if (accessCodes.includes(code) || type === "authentication_error" || type === "permission_error") {
    return fail("ACCESS_DENIED", error, "check the key and what it may use", false);
  }
  if (quotaCodes.includes(code) || type === "insufficient_quota") {
    return fail("SERVER_BUSY", error, "the account has used up its credit or limit; raise it, or wait", false);
  }
  if (code === "session_expired") return fail("NETWORK_FAILED", error, "another session goes on with its words", true);
  if (started) return undefined;
  if (busyCodes.includes(code) || type === "rate_limit_error")
    return fail("SERVER_BUSY", error, "try again later", true);
  if (type === "server_error" || code === "server_error") return fail("NETWORK_FAILED", error, "try again", true);
  const param = error.param === undefined ? "the options" : `option ${error.param}`;
  return fail("UNSUPPORTED", error, `check ${param} of gptLiveEngine against what the model takes`, false);
}

/** What `session.closed` means that was not asked for. */
export function verdictOfClosed(reason: string): CloseVerdict {
  const told = (code: DuplexErrorCode, what: string, retry: boolean): CloseVerdict => ({
    error: new DuplexError(code, `session: GPT-Live closed it: ${what}`, { details: { reason } }),
    retry,
  });
  switch (reason) {
    case "expired":
      return told("NETWORK_FAILED", "its longest duration is over; another session goes on with its words", true);
    case "content":
      return told("UNSUPPORTED", "its safety filter stopped the conversation; open another session", false);
    case "close_requested":
      return told("SESSION_CLOSED", "someone asked for it outside of this session; open another session", false);
    case "remote_hangup":
      return told("SESSION_CLOSED", "the other side hung up; open another session", false);
    default:
      return told("NETWORK_FAILED", "it lost its connection; another session goes on with its words", true);
  }
}

/** What the end of a connection means that came without `session.closed`. */
export function verdictOfEnd(end: SocketEnd, secrets: readonly string[]): CloseVerdict {
  const { code, reason, status, body = "", retryAfterS } = end;
  const said = redact(status === undefined ? reason : body, secrets)
    .replace(/\s+/g, " ")
    .trim();
  const details = {
    ...(status === undefined ? { closeCode: code } : { status }),
    ...(said === "" ? {} : { reason: said }),
    ...(retryAfterS === undefined ? {} : { retryAfterMs: 1000 * retryAfterS }),
  };
  const how =
    status === undefined ? `the connection ended with ${code}` : `the connection was refused with HTTP ${status}`;
  const told = (duplexCode: DuplexErrorCode, next: string, retry: boolean): CloseVerdict => ({
    error: new DuplexError(duplexCode, `GPT-Live: ${how}${said === "" ? "" : ` "${said}"`}; ${next}`, { details }),
    retry,
  });
  if (status !== undefined) {
    if (status === 401 || status === 403) return told("ACCESS_DENIED", "check the key and what it may use", false);
    if (status === 429)
      return told("SERVER_BUSY", "wait, or raise the limit of the account", retryAfterS !== undefined);
    if (status === 503) return told("SERVER_BUSY", "try again later", true);
    if (status >= 500) return told("NETWORK_FAILED", "try again", true);
    return told("UNSUPPORTED", "check baseUrl, which ends before /live/sessions", false);
  }
  switch (code) {
    case 1008:
    case 3000:
    case 3003:
      return told("ACCESS_DENIED", "check the key and what it may use", false);
    case 1002:
    case 1003:
    case 1007:
    case 1009:
      return told("PROTOCOL_VIOLATION", "update this package", false);
    case 1013:
      return told("SERVER_BUSY", "try again later", true);
    default:
      return told("NETWORK_FAILED", "its end is not confirmed; check the network", true);
  }
}

function fail(code: DuplexErrorCode, error: GptLiveError, next: string, retry: boolean): CloseVerdict {
  const { message, param } = error;
  const details = { serviceCode: error.code, ...(param === undefined ? {} : { param }) };
  const said = message === "" ? error.code || error.type : message;
  return { error: new DuplexError(code, `GPT-Live: "${said}"; ${next}`, { details }), retry };
}
