// What errors and ends of the duplex wire of vLLM-Omni mean. Codes: `vllm_omni/protocol/duplex/errors.py` and
// `vllm_omni/entrypoints/duplex/serving.py` of vLLM-Omni 0.30.

import { DuplexError, type DuplexErrorCode } from "@microturn/core";
import type { SocketEnd } from "../socket/message-socket.js";
import type { CloseVerdict } from "../wire.js";
import { redactKeys } from "./openai-realtime-errors.js";
import type { OmniError } from "./vllm-omni-messages.js";

/** The session cannot be taken up again: what follows is a new one. */
const lostCodes: ReadonlySet<string> = new Set([
  ...["invalid_session_resume", "session_resume_expired", "unsupported_session_resume", "invalid_resume_token"],
  ...["session_resume_conflict", "unknown_session"],
]);
const accessCodes: ReadonlySet<string> = new Set([
  "invalid_api_key",
  "invalid_token",
  "expired_token",
  "access_denied",
]);
const busyCodes: ReadonlySet<string> = new Set(["resource_exhausted", "duplex_session_busy", "rate_limit_exceeded"]);
/** What to change, by code. */
const fixes: Readonly<Record<string, string>> = {
  ref_audio_required: "give refAudio: this model speaks with the voice of a recording",
  unsupported_ref_audio_path: "give refAudio as a data URL",
  unsupported_audio_format: "check inputFormat against what the model takes",
  unsupported_turn_detection: "leave turnDetection out, or give server_vad without interrupt_response",
  invalid_tools: "check tools",
  config_timeout: "try again: the first message did not arrive in time",
};

/** Whether the service knows nothing any more of the session that was to go on. */
export function isLost({ code }: OmniError): boolean {
  return lostCodes.has(code);
}

/**
 * What an `error` means for the connection.
 *
 * @param ready - whether the session is open: until then an error is the answer to our first message
 * @returns undefined if the session goes on
 */
export function verdictOfOmniError(error: OmniError, ready: boolean): CloseVerdict | undefined {
  const { code, type, retryAfterMs } = error;
  if (accessCodes.has(code) || type === "authentication_error") {
    return told("ACCESS_DENIED", error, "check apiKey or token", false);
  }
  if (isLost(error)) return told("NETWORK_FAILED", error, "the session goes on in a new conversation", true);
  if (code === "session_closed") {
    return told("NETWORK_FAILED", error, "open another session", false);
  }
  if (ready) return undefined;
  if (busyCodes.has(code) || type === "rate_limit_error") {
    return told("SERVER_BUSY", error, "try again later, or raise duplex_session.max_sessions of the server", true, {
      ...(retryAfterMs === undefined ? {} : { retryAfterMs }),
    });
  }
  if (type === "server_error" || code === "config_timeout" || /^(runtime|engine|internal)_/.test(code)) {
    return told("NETWORK_FAILED", error, fixes[code] ?? "try again; if it stays, look at the server's log", true);
  }
  const what = error.param === "" ? "the options of vllmOmniEngine" : error.param;
  const fix = Object.hasOwn(fixes, code) ? fixes[code] : undefined;
  return told("UNSUPPORTED", error, fix ?? `check ${what} against what the model takes`, false);
}

/** Another connection has taken the session. */
export function replacedError(): DuplexError {
  const message = "receive: another connection has taken this session over; resume a session from one place only";
  return new DuplexError("SESSION_CLOSED", message, { details: { reason: "session.replaced" } });
}

/** The service has given the session up. */
export function endedError(type: string, reason: string): DuplexError {
  const why = reason === "" ? "no reason" : reason.slice(0, 200);
  const message = `receive: the service ended the session (${type}: ${why}); open another, and keep sending sound, silence too`;
  return new DuplexError("NETWORK_FAILED", message, { details: { reason: why } });
}

/** What the end of a connection means. */
export function verdictOfOmniEnd(end: SocketEnd, secrets: readonly string[]): CloseVerdict {
  const { status, code, reason, body = "", retryAfterS, cause } = end;
  const said = redactKeys((status === undefined ? reason : body).replace(/\s+/g, " ").trim(), secrets);
  const how = status === undefined ? `the connection ended with ${code}` : `it was refused with HTTP ${status}`;
  const verdict = (duplexCode: DuplexErrorCode, next: string, retry: boolean): CloseVerdict => ({
    error: new DuplexError(duplexCode, `vLLM-Omni: ${how}${said === "" ? "" : ` "${said}"`}; ${next}`, {
      ...(cause === undefined || status !== undefined ? {} : { cause }),
      details: {
        ...(status === undefined ? { closeCode: code } : { status }),
        ...(retryAfterS === undefined ? {} : { retryAfterMs: 1000 * retryAfterS }),
      },
    }),
    retry,
  });
  if (status !== undefined) {
    if (status === 401) return verdict("ACCESS_DENIED", "check apiKey, or that token is fresh", false);
    if (status === 403)
      return verdict("ACCESS_DENIED", "the server takes no pages of this origin, or not this key", false);
    if (status === 429 || status === 503) return verdict("SERVER_BUSY", "try again later", true);
    if (status >= 500) return verdict("NETWORK_FAILED", "try again", true);
    return verdict("UNSUPPORTED", "check url: its path is /v1/realtime, on a server with session_mode: duplex", false);
  }
  switch (code) {
    case 1008:
    case 3000:
    case 3003:
      return verdict("ACCESS_DENIED", "check apiKey or token", false);
    case 1002:
    case 1003:
    case 1007:
    case 1009:
    case 1010:
      return verdict("PROTOCOL_VIOLATION", "check url, or update this package", false);
    case 1013:
      return verdict("SERVER_BUSY", "try again later", true);
    default:
      return verdict("NETWORK_FAILED", "check the network, and that the server runs", true);
  }
}

function told(
  code: DuplexErrorCode,
  error: OmniError,
  next: string,
  retry: boolean,
  facts: Readonly<Record<string, unknown>> = {},
): CloseVerdict {
  const said = error.message === "" ? error.code || error.type || "an error without words" : error.message;
  const details = { serviceCode: error.code, ...(error.param === "" ? {} : { param: error.param }), ...facts };
  return { error: new DuplexError(code, `vLLM-Omni: "${said}"; ${next}`, { details }), retry };
}
