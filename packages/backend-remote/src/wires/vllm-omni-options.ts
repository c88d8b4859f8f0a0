// What a session on the duplex wire of vLLM-Omni is made with: options of the application, the session object made of them, and
// the address. Fields: `docs/serving/realtime_duplex_api.md` of vLLM-Omni.

import { DuplexError } from "@microturn/core";
import { functionTool } from "../codec/function-call.js";
import { inPage } from "../codec/in-page.js";
import type { ConnectionOptions } from "../paced/paced-engine.js";
import type { SocketRequest } from "../socket/message-socket.js";

/** A function that the model may call. */
export interface VllmOmniTool {
  readonly name: string;
  readonly description?: string;
  /** JSON Schema of its arguments. */
  readonly parameters?: Readonly<Record<string, unknown>>;
}

/** Options of {@link vllmOmniEngine}. */
export interface VllmOmniOptions extends ConnectionOptions {
  /** The server, for example `ws://127.0.0.1:8099`; without a path that of the wire, `/v1/realtime`, is taken. Its query is kept. */
  readonly url: string;
  /** Name of the model, as the server has it. */
  readonly model?: string;
  /** Sent as `Authorization: Bearer …`; in Node only. */
  readonly apiKey?: string;
  /** Gives a short-lived key, once per connection; in a page it goes as the sub-protocol `openai-insecure-api-key.…`. */
  readonly token?: () => string | Promise<string>;
  /** How the model talks; default the service's own. */
  readonly instructions?: string;
  readonly voice?: string;
  /** Default the service's own. */
  readonly temperature?: number;
  /** Recording of the voice to speak with, as a data URL (`data:audio/wav;base64,…`); some models need one. */
  readonly refAudio?: string;
  /** How sound goes to the model: `pcm16` at 16 kHz (default), or `pcm_f32le` at 24 kHz, which PersonaPlex takes. */
  readonly inputFormat?: "pcm16" | "pcm_f32le";
  /**
   * What the model takes besides sound; default nothing, with `tools` text. A model that is known to take less is refused with
   * `UNSUPPORTED` when the session opens, as far as the server tells.
   */
  readonly inputs?: readonly ("video" | "text")[];
  /** Whether what the model remembers of a reply is cut where it stopped being heard; default false, and checked as `inputs` are. */
  readonly truncates?: boolean;
  /** Functions that the model may call, each call a `delegation`; default none. */
  readonly tools?: readonly VllmOmniTool[];
  /** What becomes of speech of the user over a reply; default the server's own. */
  readonly overlapPolicy?: "auto" | "listen_only" | "barge_in_on_speech";
  /** Whether a reply enters the history as far as it was heard (default), or all of it once it is made. */
  readonly playbackCommitPolicy?: "ack_only" | "commit_all_on_done";
  /** Voice activity detection by the server, `{ type: "server_vad", … }`; default none: the model decides. */
  readonly turnDetection?: Readonly<Record<string, unknown>>;
  /** The server ends a session that sends nothing for so long, s; default its own. */
  readonly idleTimeoutS?: number;
  /** Sound of a reply that is held back at its start, so that none is missing in the middle, ms; default 160. */
  readonly reserveMs?: number;
  /** Settings of the model, as they stand. */
  readonly extraBody?: Readonly<Record<string, unknown>>;
  /** More fields of the service's session object, as they stand, over those made of the options. */
  readonly session?: Readonly<Record<string, unknown>>;
}

/** Rates of the sound that goes to the model, Hz. */
export const omniInputRates = { pcm16: 16_000, pcm_f32le: 24_000 } as const;
/** Of the sound that comes, Hz. */
export const omniOutputRate = 24_000;

/** @throws TypeError for options that do not go together, or a key in a page; RangeError for a number out of its range */
export function checkOmniOptions(options: VllmOmniOptions): void {
  const { url, apiKey, token, inputFormat = "pcm16", inputs = [], tools = [], refAudio } = options;
  const { idleTimeoutS = 1, reserveMs = 160 } = options;
  if (typeof url !== "string" || !/^(wss?|https?):\/\//.test(url) || !URL.canParse(url)) {
    throw new TypeError("vllmOmniEngine: url must be ws:// or wss:// with a host, for example ws://127.0.0.1:8099");
  }
  if (apiKey !== undefined && token !== undefined) {
    throw new TypeError("vllmOmniEngine: expected apiKey or token, not both");
  }
  if (apiKey !== undefined && (typeof apiKey !== "string" || apiKey === "")) {
    throw new TypeError("vllmOmniEngine: apiKey must be a string that is not empty");
  }
  if (apiKey !== undefined && inPage()) {
    throw new TypeError(
      "vllmOmniEngine: a page must not hold a key; let a server of yours make short-lived ones, and give token",
    );
  }
  if (!Object.hasOwn(omniInputRates, inputFormat)) {
    throw new TypeError('vllmOmniEngine: inputFormat must be "pcm16" or "pcm_f32le"');
  }
  if (inputs.some((input) => input !== "video" && input !== "text")) {
    throw new TypeError('vllmOmniEngine: inputs may hold "video" and "text"');
  }
  if (refAudio !== undefined && !/^data:audio\/[\w.+-]+;base64,/.test(refAudio)) {
    throw new TypeError(
      "vllmOmniEngine: refAudio must be a data URL, data:audio/wav;base64,…; the server takes no paths",
    );
  }
  if (!(idleTimeoutS > 0 && idleTimeoutS <= 86_400)) {
    throw new RangeError(`vllmOmniEngine: idleTimeoutS must be more than 0 and at most 86400 s, got ${idleTimeoutS}`);
  }
  if (!(reserveMs >= 0 && reserveMs <= 5000)) {
    throw new RangeError(`vllmOmniEngine: reserveMs must be 0 … 5000 ms, got ${reserveMs}`);
  }
  for (const { name } of tools) {
    if (!/^[\w-]{1,64}$/.test(name)) {
      throw new TypeError(`vllmOmniEngine: the name of a tool must be letters, figures, _ and -, got "${name}"`);
    }
  }
}

/** Where to connect, and what in it must not come out anywhere. */
export async function omniRequest({
  url: given,
  model,
  apiKey,
  token,
}: VllmOmniOptions): Promise<{ readonly request: SocketRequest; readonly secrets: readonly string[] }> {
  const url = new URL(given.replace(/^http/, "ws"));
  if (url.pathname === "/") url.pathname = "/v1/realtime";
  url.searchParams.set("duplex", "1");
  // Else the server opens a session of its own making for `model`, before it has read our first message.
  url.searchParams.set("autostart", "0");
  if (model !== undefined) url.searchParams.set("model", model);
  const secret = token === undefined ? apiKey : await token();
  if (secret === undefined) return { request: { url: url.href }, secrets: [] };
  if (typeof secret !== "string" || !/^[\w.~+/=-]+$/.test(secret)) {
    const what = token === undefined ? "apiKey" : "token";
    throw new DuplexError("ACCESS_DENIED", `open: expected ${what} to give a key without spaces or control characters`);
  }
  if (inPage()) {
    return {
      request: { url: url.href, protocols: ["realtime", `openai-insecure-api-key.${secret}`] },
      secrets: [secret],
    };
  }
  return { request: { url: url.href, headers: { Authorization: `Bearer ${secret}` } }, secrets: [secret] };
}

/** The session object of the first `session.update`. */
export function omniSession(options: VllmOmniOptions): Record<string, unknown> {
  const {
    model,
    instructions,
    voice,
    temperature,
    refAudio,
    inputFormat = "pcm16",
    tools = [],
    turnDetection,
  } = options;
  const { overlapPolicy, playbackCommitPolicy = "ack_only", idleTimeoutS, extraBody, session } = options;
  const floats = inputFormat === "pcm_f32le";
  const rate = omniInputRates[inputFormat];
  const all: Record<string, unknown> = {
    ...{ model, instructions, temperature, ref_audio: refAudio },
    audio: {
      input: floats ? { sample_rate_hz: rate } : { format: { type: "audio/pcm", rate } },
      output: { format: { type: "audio/pcm", rate: omniOutputRate }, ...(voice === undefined ? {} : { voice }) },
    },
    // OpenAI's spelling has no name for this format.
    ...(floats ? { input_audio_format: inputFormat, sample_rate_hz: rate } : {}),
    ...{ turn_detection: turnDetection ?? null, overlap_policy: overlapPolicy },
    ...{ playback_commit_policy: playbackCommitPolicy, idle_timeout_s: idleTimeoutS },
    tools: tools.length === 0 ? undefined : tools.map(functionTool),
    extra_body: { auto_response: true, ...extraBody },
    ...session,
  };
  return Object.fromEntries(Object.entries(all).filter(([, value]) => value !== undefined));
}
