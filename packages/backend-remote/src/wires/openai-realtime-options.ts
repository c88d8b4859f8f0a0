// What an OpenAI Realtime session is made with: options of the application, the session object made of them in either
// spelling, and the address. Fields: `RealtimeSessionCreateRequest` of the package `openai`.

import { DuplexError } from "@microturn/core";
import { functionTool } from "../codec/function-call.js";
import { inPage } from "../codec/in-page.js";
import type { ConnectionOptions } from "../paced/paced-engine.js";
import type { SocketRequest } from "../socket/message-socket.js";

/** A function that the model may call. */
export interface RealtimeTool {
  readonly name: string;
  readonly description?: string;
  /** JSON Schema of its arguments. */
  readonly parameters?: Readonly<Record<string, unknown>>;
}

/** Who says that the user has finished. */
export type RealtimeTurnDetection =
  | {
      /** Silence does. */
      readonly type: "server_vad";
      /** 0 … 1; higher needs louder speech. Service's default: 0.5. */
      readonly threshold?: number;
      /** Sound before the speech that counts with it, ms. Service's default: 300. */
      readonly prefixPaddingMs?: number;
      /** Silence that ends it, ms. Service's default: 500. */
      readonly silenceDurationMs?: number;
      /** Silence after which the model speaks by itself, ms; default: it does not. */
      readonly idleTimeoutMs?: number;
      /** Whether the user's speech stops a reply; default true. */
      readonly interruptResponse?: boolean;
    }
  | {
      /** A model does, by what was said. */
      readonly type: "semantic_vad";
      readonly eagerness?: "low" | "medium" | "high" | "auto";
      readonly interruptResponse?: boolean;
    }
  /** The application does: a blank text (`session.sendText(" ")`) asks for a reply to what was said since the last one. */
  | { readonly type: "none" };

/** Options of {@link openaiRealtimeEngine}. One of `apiKey`, `token` and `headers`. */
export interface OpenAIRealtimeOptions extends ConnectionOptions {
  /** A key of OpenAI; in Node only. */
  readonly apiKey?: string;
  /** Gives a short-lived key (`ek_…`, see {@link createRealtimeToken}), once per connection; also in a page. */
  readonly token?: () => string | Promise<string>;
  /** Headers of the request, for example `{ "api-key": … }` of a service that speaks this protocol; in Node only. */
  readonly headers?: Readonly<Record<string, string>>;
  /** Default `gpt-realtime-2`. */
  readonly model?: string;
  /** Where the service is, without `/realtime`; its query is kept; default `wss://api.openai.com/v1`. */
  readonly baseUrl?: string;
  /** How messages are spelt: `ga` (default), or `beta` as services spell them that came before. */
  readonly spelling?: "ga" | "beta";
  /** How the model talks; default the service's own. */
  readonly instructions?: string;
  /** Name of a voice, for example `marin`; default the service's own. */
  readonly voice?: string;
  /** Default `{ type: "server_vad" }`. */
  readonly turnDetection?: RealtimeTurnDetection;
  /** Transcribes the user; default with `gpt-live-transcribe`; `false`: not at all. */
  readonly transcription?: false | { readonly model: string; readonly language?: string; readonly prompt?: string };
  /** Functions that the model may call, each call a `delegation`; default {@link delegateTool}. */
  readonly tools?: readonly RealtimeTool[];
  /** Least time between two images that are sent, ms; default 2000. Each is an item of the conversation and costs its tokens. */
  readonly imageIntervalMs?: number;
  /** Images that the conversation keeps; an older one is deleted when another comes; default 4. */
  readonly maxImages?: number;
  /** How closely the model looks at an image; default `low`. */
  readonly imageDetail?: "low" | "high" | "auto";
  /** More fields of the service's session object, as they stand, over those made of the options; `audio` is merged. */
  readonly session?: Readonly<Record<string, unknown>>;
}

/** Hands any work over in words, where an application names no functions of its own. */
export const delegateTool: RealtimeTool = {
  name: "delegate",
  description:
    "Hands a task to a colleague who can look things up, calculate and act. Say shortly that you look into it; the result comes later.",
  parameters: {
    type: "object",
    properties: { task: { type: "string", description: "What is to be done, with all that is needed to do it." } },
    required: ["task"],
    additionalProperties: false,
  },
};

/** The service's only rate of PCM, Hz. */
export const realtimeRate = 24_000;
export const defaultRealtimeModel = "gpt-realtime-2";
export const defaultRealtimeUrl = "wss://api.openai.com/v1";

/** @throws TypeError for options that do not go together; RangeError for a number out of its range */
export function checkRealtimeOptions(options: OpenAIRealtimeOptions): void {
  const {
    apiKey,
    token,
    headers,
    baseUrl,
    spelling = "ga",
    tools = [],
    imageIntervalMs = 2000,
    maxImages = 4,
  } = options;
  const given = [apiKey, token, headers].filter((value) => value !== undefined).length;
  if (given !== 1)
    throw new TypeError("openaiRealtimeEngine: expected one of apiKey, token and headers; in a page token");
  if (apiKey !== undefined && (typeof apiKey !== "string" || apiKey === "")) {
    throw new TypeError("openaiRealtimeEngine: apiKey must be a string that is not empty");
  }
  if (token === undefined && inPage()) {
    throw new TypeError(
      "openaiRealtimeEngine: a page must not hold a key; let a server of yours make short-lived ones with createRealtimeToken, and give token",
    );
  }
  if (baseUrl !== undefined && !(/^wss?:\/\//.test(baseUrl) && URL.canParse(baseUrl))) {
    throw new TypeError(
      "openaiRealtimeEngine: baseUrl must be ws:// or wss:// with a host, for example wss://api.openai.com/v1",
    );
  }
  if (spelling !== "ga" && spelling !== "beta")
    throw new TypeError('openaiRealtimeEngine: spelling must be "ga" or "beta"');
  if (!(imageIntervalMs >= 0))
    throw new RangeError(`openaiRealtimeEngine: imageIntervalMs must be 0 or more, got ${imageIntervalMs}`);
  if (!Number.isInteger(maxImages) || maxImages < 1) {
    throw new RangeError(`openaiRealtimeEngine: maxImages must be a whole number from 1 on, got ${maxImages}`);
  }
  for (const { name } of tools) {
    if (!/^[\w-]{1,64}$/.test(name)) {
      throw new TypeError(`openaiRealtimeEngine: the name of a tool must be letters, figures, _ and -, got "${name}"`);
    }
  }
}

/** Where to connect, and what in it must not come out anywhere. */
export async function realtimeRequest(
  options: OpenAIRealtimeOptions,
): Promise<{ readonly request: SocketRequest; readonly secrets: readonly string[] }> {
  const { apiKey, token, headers, model = defaultRealtimeModel, baseUrl = defaultRealtimeUrl, spelling } = options;
  const url = new URL(baseUrl);
  url.pathname = `${url.pathname.replace(/\/$/, "")}/realtime`;
  url.searchParams.set("model", model);
  const beta: Record<string, string> = spelling === "beta" ? { "OpenAI-Beta": "realtime=v1" } : {};
  if (headers !== undefined) {
    return { request: { url: url.href, headers: { ...beta, ...headers } }, secrets: Object.values(headers) };
  }
  if (apiKey !== undefined) {
    return { request: { url: url.href, headers: { ...beta, Authorization: `Bearer ${apiKey}` } }, secrets: [apiKey] };
  }
  const secret = await token?.();
  if (typeof secret !== "string" || !/^[\w.~-]+$/.test(secret)) {
    throw new DuplexError(
      "ACCESS_DENIED",
      "open: expected token to give a short-lived key such as ek_…; check the server of yours that makes it",
    );
  }
  const protocols = [
    "realtime",
    `openai-insecure-api-key.${secret}`,
    ...(spelling === "beta" ? ["openai-beta.realtime-v1"] : []),
  ];
  return { request: { url: url.href, protocols }, secrets: [secret] };
}

/** The session object of `session.update`. */
export function realtimeSession(options: OpenAIRealtimeOptions): Record<string, unknown> {
  const {
    instructions,
    voice,
    tools = [delegateTool],
    transcription = { model: "gpt-live-transcribe" },
    session,
  } = options;
  const functions = tools.map(functionTool);
  const detection = turnDetection(options.turnDetection ?? { type: "server_vad" });
  const common = {
    ...(instructions === undefined ? {} : { instructions }),
    ...(functions.length === 0 ? {} : { tools: functions, tool_choice: "auto" }),
  };
  if (options.spelling === "beta") {
    return {
      ...{ modalities: ["audio", "text"], input_audio_format: "pcm16", output_audio_format: "pcm16" },
      ...(voice === undefined ? {} : { voice }),
      ...(transcription === false ? {} : { input_audio_transcription: transcription }),
      ...{ turn_detection: detection, ...common, ...session },
    };
  }
  const format = { type: "audio/pcm", rate: realtimeRate };
  const { audio, ...more } = (session ?? {}) as { audio?: { input?: object; output?: object } };
  return {
    ...{ type: "realtime", output_modalities: ["audio"], ...common, ...more },
    audio: {
      input: {
        ...{ format, turn_detection: detection },
        ...(transcription === false ? {} : { transcription }),
        ...audio?.input,
      },
      output: { format, ...(voice === undefined ? {} : { voice }), ...audio?.output },
    },
  };
}

function turnDetection(detection: RealtimeTurnDetection): Record<string, unknown> | null {
  if (detection.type === "none") return null;
  const { interruptResponse } = detection;
  const interrupts = interruptResponse === undefined ? {} : { interrupt_response: interruptResponse };
  if (detection.type === "semantic_vad") {
    const { eagerness } = detection;
    return { type: "semantic_vad", ...(eagerness === undefined ? {} : { eagerness }), ...interrupts };
  }
  const { threshold, prefixPaddingMs, silenceDurationMs, idleTimeoutMs } = detection;
  return {
    type: "server_vad",
    ...(threshold === undefined ? {} : { threshold }),
    ...(prefixPaddingMs === undefined ? {} : { prefix_padding_ms: prefixPaddingMs }),
    ...(silenceDurationMs === undefined ? {} : { silence_duration_ms: silenceDurationMs }),
    ...(idleTimeoutMs === undefined ? {} : { idle_timeout_ms: idleTimeoutMs }),
    ...interrupts,
  };
}
