// What goes wrong with a language model, in our own words. Nothing that a provider wrote is passed on: its messages may hold keys,
// addresses and prompts. Whoever wants those has `onError`.

/** A step of the background model failed. */
export class ModelFault extends Error {
  override readonly name = "ModelFault";
  /** Whether another try may go better. */
  readonly retry: boolean;
  /** The service asks to be left alone for this long, ms. */
  readonly retryAfterMs: number;
  /** It was refused for the images in it. */
  readonly images: boolean;

  constructor(
    reason: string,
    options: {
      readonly retry?: boolean;
      readonly retryAfterMs?: number;
      readonly images?: boolean;
      readonly cause?: unknown;
    } = {},
  ) {
    super(reason, options.cause === undefined ? undefined : { cause: options.cause });
    this.retry = options.retry ?? true;
    this.retryAfterMs = options.retryAfterMs ?? 0;
    this.images = options.images ?? false;
  }
}

/** Errors of the AI SDK that come again however often it is tried. */
const hopeless = new Set([
  "AI_InvalidArgumentError",
  "AI_InvalidMessageRoleError",
  "AI_InvalidPromptError",
  "AI_MissingToolResultsError",
  "AI_NoSuchModelError",
  "AI_NoSuchProviderError",
  "AI_UnsupportedFunctionalityError",
  "AI_UnsupportedModelVersionError",
]);

/** Says in words what an error of the AI SDK, a provider or the network means. */
export function explainFault(cause: unknown): ModelFault {
  if (cause instanceof ModelFault) return cause;
  const error = asRecord(cause);
  const status = statusOf(error);
  const retryAfterMs = retryAfter(asRecord(error.responseHeaders) ?? {});
  // 401 to 403 are about who asks, and what may be tried again is not about what was asked.
  const images = (status === undefined || (refusesRequest(status) && !retryStatus(status))) && namesImages(error);
  if (status !== undefined) {
    // 408, 409, 429 and 5xx are worth another try; a provider may know better.
    const retry = typeof error.isRetryable === "boolean" ? error.isRetryable : retryStatus(status);
    return new ModelFault(wordsOfStatus(status), { retry, retryAfterMs, images, cause });
  }
  const name = String(error.name ?? "");
  if (name === "AI_LoadAPIKeyError" || name === "AI_LoadSettingError") {
    return new ModelFault("the language model has no key or setting that its service needs", { retry: false, cause });
  }
  if (hopeless.has(name)) {
    return new ModelFault("the language model cannot take what it was asked", { retry: false, images, cause });
  }
  const kind = `${String(error.type ?? "")} ${String(error.code ?? "")}`;
  if (/quota|billing|credit/.test(kind)) return new ModelFault(wordsOfStatus(402), { retry: false, cause });
  if (/rate.?limit/.test(kind)) return new ModelFault(wordsOfStatus(429), { cause });
  if (/overloaded/.test(kind)) return new ModelFault(wordsOfStatus(529), { cause });
  return new ModelFault("the connection to the language model broke off", { cause });
}

function asRecord(value: unknown): Readonly<Record<string, unknown>> {
  return typeof value === "object" && value !== null ? (value as Readonly<Record<string, unknown>>) : {};
}

/** Also of an error that wraps that of the request, as the gateway of the AI SDK does. */
function statusOf(error: Readonly<Record<string, unknown>>): number | undefined {
  const status = error.statusCode ?? asRecord(error.cause).statusCode;
  return typeof status === "number" ? status : undefined;
}

function retryStatus(status: number): boolean {
  return status === 408 || status === 409 || status === 429 || status >= 500;
}

function refusesRequest(status: number): boolean {
  return status === 400 || (status > 403 && status < 500);
}

function wordsOfStatus(status: number): string {
  const what =
    status === 401 || status === 403
      ? "does not accept the key"
      : status === 402
        ? "wants to be paid first"
        : status === 404
          ? "does not know the model"
          : status === 429
            ? "limits its use"
            : status === 503 || status === 529
              ? "is overloaded"
              : status >= 500
                ? "failed"
                : "refused the request";
  return `the service of the language model ${what} (${status})`;
}

/** From `retry-after-ms`, or `retry-after` in seconds or as a date (RFC 9110, section 10.2.3). */
function retryAfter(headers: Readonly<Record<string, unknown>>): number {
  const ms = Number.parseFloat(String(headers["retry-after-ms"] ?? ""));
  if (ms >= 0) return ms;
  const text = String(headers["retry-after"] ?? "").trim();
  if (text === "") return 0;
  const after = /^[\d.]+$/.test(text) ? Number(text) * 1000 : Date.parse(text) - Date.now();
  return Number.isFinite(after) ? Math.max(after, 0) : 0;
}

function namesImages(error: Readonly<Record<string, unknown>>): boolean {
  const text = [error.message, error.responseBody, error.functionality]
    .filter((part) => typeof part === "string")
    .join(" ");
  return /\bimages?\b|image_url|vision|multi-?modal|media.?type/i.test(text);
}
