// How a Gemini Live connection ends: the service sends no errors, only a close code and up to 123 bytes of a reason.
// Codes and reasons are observed in public reports; the reason is matched where the code alone does not tell.

import { DuplexError, type DuplexErrorCode } from "@microturn/core";
import type { SocketEnd } from "../socket/message-socket.js";
import type { CloseVerdict } from "../wire.js";

/** What is known when a connection ends. */
export interface GeminiEnding {
  /** In the address or the headers; must not come out. */
  readonly secret: string;
  /** What the session was set up with; without its resumption handle. */
  readonly setup: Readonly<Record<string, unknown>>;
  /** The service had said that it would end. */
  readonly announced: boolean;
}

const nextSteps = {
  access: "check the key or token: an ephemeral one is for one session, and must be opened within its time",
  quota: "wait, or raise the quota of the project (aistudio.google.com)",
  setup: "check the options against what the model takes; details.setup is what was sent",
  unknown: "check the name of the model, and apiVersion",
  network: "check the network and baseUrl",
} as const;

/** The typed error of an ending, and whether another connection may help. */
export function geminiVerdict(end: SocketEnd, ending: GeminiEnding): CloseVerdict {
  const reason = redact(end.status === undefined ? end.reason : (end.body ?? ""), ending.secret).trim();
  const fail = (
    code: DuplexErrorCode,
    next: string,
    retry = false,
    more: Record<string, unknown> = {},
  ): CloseVerdict => {
    const how = end.status === undefined ? `closed with ${end.code}` : `refused with HTTP ${end.status}`;
    const details = {
      ...(end.status === undefined ? { closeCode: end.code } : { status: end.status }),
      ...(reason === "" ? {} : { reason }),
      ...more,
    };
    const message = `Gemini Live: ${how}${reason === "" ? "" : `, "${reason}"`}; ${next}`;
    return { error: new DuplexError(code, message, { details, cause: end.cause }), retry };
  };
  const retryAfter = end.retryAfterS === undefined ? {} : { retryAfterMs: end.retryAfterS * 1000 };

  if (end.status !== undefined) {
    if (end.status === 429) return fail("SERVER_BUSY", nextSteps.quota, false, retryAfter);
    if (end.status === 503) return fail("SERVER_BUSY", "try again later", true, retryAfter);
    if (end.status === 401 || end.status === 403 || isAccess(reason)) return fail("ACCESS_DENIED", nextSteps.access);
    if (end.status === 404) return fail("UNSUPPORTED", nextSteps.unknown);
    return fail("NETWORK_FAILED", nextSteps.network, end.status >= 500);
  }
  // Whatever the code of an end that was announced: it is no fault of ours.
  if (ending.announced) return fail("NETWORK_FAILED", "it had said that it would; open another session", true);
  if (isQuota(reason)) return fail("SERVER_BUSY", nextSteps.quota);
  if (isAccess(reason)) return fail("ACCESS_DENIED", nextSteps.access);
  switch (end.code) {
    case 1007:
      return fail("UNSUPPORTED", nextSteps.setup, false, { setup: ending.setup });
    case 1008:
      // "The operation was aborted" ends a session at a limit of time; it can be taken up again.
      if (/abort/i.test(reason)) return fail("NETWORK_FAILED", "open another session", true);
      return fail("UNSUPPORTED", nextSteps.unknown, false, { setup: ending.setup });
    case 1002:
    case 1003:
    case 1009:
      return fail("PROTOCOL_VIOLATION", "update this package; the service does not understand it");
    case 1013:
      return fail("SERVER_BUSY", "try again later", true);
    case 1006:
      return fail("NETWORK_FAILED", `${nextSteps.network}; in a page also the token, as browsers do not tell`, true);
    default:
      return fail("NETWORK_FAILED", "open another session", true);
  }
}

function isQuota(reason: string): boolean {
  return /quota|exceeded your|billing|credits|resource.?exhausted|rate.?limit/i.test(reason);
}

function isAccess(reason: string): boolean {
  return /api.?key|access.?token|auth_tokens|token (has )?expired|unauthenticated|permission|credential/i.test(reason);
}

function redact(text: string, secret: string): string {
  if (secret === "") return text;
  return text.replaceAll(secret, "…").replaceAll(encodeURIComponent(secret), "…");
}
