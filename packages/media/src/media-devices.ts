// Devices of the browser: asking for one, the list of them, and typed errors in place of the browser's own.

import { DuplexError, type DuplexSession } from "@microturn/core";

/** Why a device cannot be had; `details.reason` of `MEDIA_UNAVAILABLE`. */
export type MediaUnavailableReason =
  | "permission-denied"
  | "no-device"
  | "device-busy"
  | "insecure-context"
  | "unsupported-browser"
  | "worklet-failed";

/** A `MEDIA_UNAVAILABLE` error. */
export function mediaUnavailable(reason: MediaUnavailableReason, message: string, cause?: unknown): DuplexError {
  return new DuplexError("MEDIA_UNAVAILABLE", message, { cause, details: { reason } });
}

/** The page was not served by https. */
export function insecureContext(operation: string): DuplexError {
  const { protocol = "" } = globalThis.location ?? {};
  return mediaUnavailable(
    "insecure-context",
    `${operation}: expected a secure page, got ${protocol}//; serve it by https, or from localhost`,
  );
}

/** The list of devices of one kind; labels are empty until the user has allowed one. */
export async function listDevices(kind: MediaDeviceKind): Promise<MediaDeviceInfo[]> {
  const devices = await mediaDevices("devices").enumerateDevices();
  return devices.filter((device) => device.kind === kind);
}

/** `navigator.mediaDevices`. @throws DuplexError `MEDIA_UNAVAILABLE` where the page has none */
export function mediaDevices(operation: string): MediaDevices {
  const devices = globalThis.navigator?.mediaDevices;
  if (devices !== undefined) return devices;
  throw globalThis.isSecureContext === false
    ? insecureContext(operation)
    : mediaUnavailable(
        "unsupported-browser",
        `${operation}: expected a browser with navigator.mediaDevices, got none; call it in a page (not in a worker or on a server) of a current browser`,
      );
}

/**
 * Asks for a stream with one track.
 *
 * @param operation - named in messages
 * @param device - named in messages: "microphone", "camera" or "screen"
 * @param ask - calls the browser
 * @param signal - gives up; a stream that comes later is stopped
 * @throws DuplexError `MEDIA_UNAVAILABLE`, `ABORTED`
 */
export async function askForStream(
  operation: string,
  device: string,
  ask: (devices: MediaDevices) => Promise<MediaStream>,
  signal?: AbortSignal,
): Promise<MediaStream> {
  throwIfAborted(operation, signal);
  let stop = () => {};
  try {
    const asked = ask(mediaDevices(operation));
    if (signal === undefined) return await asked;
    const aborted = new Promise<never>((_, reject) => {
      const abort = () => {
        // The user may still be reading the question; what they answer then is of no use any more.
        asked.then(stopTracks, () => {});
        reject(abortedError(operation, signal));
      };
      signal.addEventListener("abort", abort, { once: true });
      stop = () => signal.removeEventListener("abort", abort);
    });
    return await Promise.race([asked, aborted]);
  } catch (cause) {
    throw DuplexError.is(cause) ? cause : askingFailed(operation, device, cause);
  } finally {
    stop();
  }
}

/** @throws DuplexError `ABORTED` */
export function throwIfAborted(operation: string, signal: AbortSignal | undefined): void {
  if (signal?.aborted) throw abortedError(operation, signal);
}

function abortedError(operation: string, signal: AbortSignal): DuplexError {
  return new DuplexError("ABORTED", `${operation}: its signal was aborted`, { cause: signal.reason });
}

/** @throws DuplexError `SESSION_CLOSED` */
export function throwIfEnded(operation: string, session: DuplexSession): void {
  if (session.closed) throw new DuplexError("SESSION_CLOSED", `${operation}: the session has ended; open another`);
}

/** Lets the devices of a stream go. */
export function stopTracks(stream: MediaStream): void {
  for (const track of stream.getTracks()) track.stop();
}

function askingFailed(operation: string, device: string, cause: unknown): DuplexError {
  const name = cause instanceof Error || cause instanceof DOMException ? cause.name : "";
  if (name === "NotAllowedError" || name === "SecurityError") {
    return mediaUnavailable(
      "permission-denied",
      `${operation}: the user, the browser or the page's Permissions-Policy denies the ${device}; ask the user to allow it in the address bar, and call again from a click`,
      cause,
    );
  }
  if (name === "NotFoundError" || name === "OverconstrainedError") {
    return mediaUnavailable(
      "no-device",
      `${operation}: there is no such ${device}; connect one, leave deviceId out, or list what there is with devices()`,
      cause,
    );
  }
  if (name === "NotReadableError" || name === "AbortError") {
    return mediaUnavailable(
      "device-busy",
      `${operation}: the ${device} did not start; another program may hold it: close that, and call again`,
      cause,
    );
  }
  const message = cause instanceof Error ? cause.message : String(cause);
  return mediaUnavailable(
    "unsupported-browser",
    `${operation}: this browser gives no ${device}: ${message}; use a current browser`,
    cause,
  );
}
