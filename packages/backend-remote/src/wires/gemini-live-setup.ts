// What a Gemini Live session is set up with: options of the application, the first message made of them, and the address.
// Fields: LiveClientSetup of googleapis/js-genai.

import { DuplexError } from "@microturn/core";
import type { ConnectionOptions } from "../paced/paced-engine.js";
import type { SocketRequest } from "../socket/message-socket.js";

/** A function that the model may call. */
export interface GeminiTool {
  readonly name: string;
  readonly description?: string;
  /** JSON Schema of its arguments. */
  readonly parameters?: Readonly<Record<string, unknown>>;
  /**
   * `NON_BLOCKING`: the conversation goes on while the result is awaited; `BLOCKING`: the model waits, and all calls that came
   * together are answered together. Default: the model's own, which is `NON_BLOCKING` from 3.8 on; 3.1 knows only `BLOCKING`.
   */
  readonly behavior?: "BLOCKING" | "NON_BLOCKING";
  /** When a result that is not `silent` is spoken about, where the call does not block; default `WHEN_IDLE`. */
  readonly scheduling?: "WHEN_IDLE" | "INTERRUPT";
  /**
   * A call may have several results: all go out as parts of it, until a blank one (`" "`) ends it. Needs `NON_BLOCKING`; not at
   * Vertex AI. Default false: the first result ends the call.
   */
  readonly severalResults?: boolean;
}

/** A project at Vertex AI. */
export interface GeminiVertex {
  readonly project: string;
  /** Region, for example `us-central1`. */
  readonly location: string;
}

/** Options of {@link geminiLiveEngine}. One of `apiKey` and `token`. */
export interface GeminiLiveOptions extends ConnectionOptions {
  /** For example `gemini-3.1-flash-live-preview`; at Vertex AI also a full `projects/…` name. */
  readonly model: string;
  /** A key of the developer API; in Node only. */
  readonly apiKey?: string;
  /**
   * Gives what a connection is made with; called for each. An ephemeral token (`auth_tokens/…`) that a server of yours made, also in
   * a page; or with `vertex` an OAuth access token, in Node only.
   */
  readonly token?: () => string | Promise<string>;
  /** Uses Vertex AI instead of the developer API. */
  readonly vertex?: GeminiVertex;
  /** Another server, for example a proxy: `ws(s)://host[:port][/path]`. */
  readonly baseUrl?: string;
  /** Default `v1beta`, `v1alpha` for an ephemeral token, and `v1beta1` at Vertex AI. */
  readonly apiVersion?: string;
  /** The system instruction. */
  readonly instructions?: string;
  /** Name of a prebuilt voice, for example `Kore`. */
  readonly voice?: string;
  /** BCP-47 code of the language that is spoken; default: as the user speaks. */
  readonly language?: string;
  readonly tools?: readonly GeminiTool[];
  /** 0 … 2; default the model's own. That of `DuplexSession.open` is not used, nor is its seed: no reply can be had again. */
  readonly temperature?: number;
  /** Tokens that an image costs: 64 at `low`, 256 at the others; default the model's own. */
  readonly mediaResolution?: "low" | "medium" | "high";
  /**
   * Forgets the oldest of the conversation when the context is full, at `triggerTokens` down to `targetTokens`; default true,
   * with the service's own numbers. Without it a session ends after 15 minutes, and after 2 with video.
   */
  readonly contextCompression?: boolean | { readonly triggerTokens?: number; readonly targetTokens?: number };
  /** A connection that is lost or ends goes on where it was; default true. */
  readonly resume?: boolean;
  /**
   * More fields of the service's `setup`, as they stand, over those made of the options; `generationConfig` is merged. For
   * example `{ realtimeInputConfig: { … }, proactivity: { … } }`.
   */
  readonly setup?: Readonly<Record<string, unknown>>;
}

/** @throws TypeError for options that do not go together; RangeError for a number out of its range */
export function checkGeminiOptions(options: GeminiLiveOptions): void {
  const { model, apiKey, token, vertex, baseUrl, apiVersion, temperature, tools = [] } = options;
  if (typeof model !== "string" || model === "") {
    throw new TypeError('geminiLiveEngine: model must be named, for example "gemini-3.1-flash-live-preview"');
  }
  if ((apiKey === undefined) === (token === undefined)) {
    throw new TypeError("geminiLiveEngine: expected one of apiKey and token; in a page a token");
  }
  if (apiKey !== undefined && vertex !== undefined) {
    throw new TypeError(
      "geminiLiveEngine: Vertex AI takes no apiKey here; give token, which gets an OAuth access token",
    );
  }
  if (apiKey !== undefined && inPage()) {
    throw new TypeError(
      "geminiLiveEngine: a page must not hold an apiKey; let a server of yours make ephemeral tokens, and give token",
    );
  }
  if (vertex !== undefined && inPage()) {
    throw new TypeError(
      "geminiLiveEngine: Vertex AI takes its token in a header, which a page cannot send; connect from a server of yours",
    );
  }
  if (baseUrl !== undefined && !(/^wss?:\/\/[^?#]+$/.test(baseUrl) && URL.canParse(baseUrl))) {
    throw new TypeError("geminiLiveEngine: baseUrl must be ws:// or wss:// with a host, without query");
  }
  if (apiVersion !== undefined && !/^\w+$/.test(apiVersion)) {
    throw new TypeError("geminiLiveEngine: apiVersion must be a version such as v1beta");
  }
  if (vertex !== undefined && !(/^[a-z0-9-]+$/.test(vertex.location) && /^[^/]+$/.test(vertex.project))) {
    throw new TypeError("geminiLiveEngine: vertex needs a project, and a location such as us-central1");
  }
  if (temperature !== undefined && !(temperature >= 0 && temperature <= 2)) {
    throw new RangeError(`geminiLiveEngine: temperature must be 0 … 2, got ${temperature}`);
  }
  for (const { name, severalResults, behavior } of tools) {
    if (severalResults === true && (behavior !== "NON_BLOCKING" || vertex !== undefined)) {
      throw new TypeError(`geminiLiveEngine: severalResults of ${name} needs NON_BLOCKING, and not Vertex AI`);
    }
  }
}

function inPage(): boolean {
  return "document" in globalThis || ("WorkerGlobalScope" in globalThis && "location" in globalThis);
}

/** Where to connect, and the secret in it, which must not come out anywhere. */
export async function geminiRequest(
  options: GeminiLiveOptions,
): Promise<{ readonly request: SocketRequest; readonly secret: string }> {
  const { apiKey, token, vertex, apiVersion } = options;
  const secret = apiKey ?? (await token?.());
  if (typeof secret !== "string" || secret === "") {
    throw new DuplexError(
      "ACCESS_DENIED",
      "open: expected token to give a string that is not empty; check the server that makes it",
    );
  }
  if (vertex !== undefined) {
    const base = options.baseUrl ?? `wss://${vertex.location}-aiplatform.googleapis.com`;
    const version = apiVersion ?? "v1beta1";
    const url = `${trimmed(base)}/ws/google.cloud.aiplatform.${version}.LlmBidiService/BidiGenerateContent`;
    return { request: { url, headers: { Authorization: `Bearer ${secret}` } }, secret };
  }
  // Ephemeral tokens work with v1alpha and the constrained method only.
  const ephemeral = apiKey === undefined || apiKey.startsWith("auth_tokens/");
  const base = options.baseUrl ?? "wss://generativelanguage.googleapis.com";
  const version = apiVersion ?? (ephemeral ? "v1alpha" : "v1beta");
  const method = ephemeral ? "BidiGenerateContentConstrained" : "BidiGenerateContent";
  const query = `${ephemeral ? "access_token" : "key"}=${encodeURIComponent(secret)}`;
  const path = `google.ai.generativelanguage.${version}.GenerativeService.${method}`;
  return { request: { url: `${trimmed(base)}/ws/${path}?${query}` }, secret };
}

function trimmed(url: string): string {
  return url.replace(/\/+$/, "");
}

/** The setup of a session, without what changes from connection to connection. */
export function geminiSetup(options: GeminiLiveOptions): Record<string, unknown> {
  const {
    instructions,
    voice,
    language,
    tools = [],
    temperature,
    mediaResolution,
    contextCompression = true,
  } = options;
  const { generationConfig: moreGeneration, ...more } = options.setup ?? {};
  const speechConfig = {
    ...(voice === undefined ? {} : { voiceConfig: { prebuiltVoiceConfig: { voiceName: voice } } }),
    ...(language === undefined ? {} : { languageCode: language }),
  };
  return {
    model: modelName(options),
    generationConfig: {
      responseModalities: ["AUDIO"],
      ...(temperature === undefined ? {} : { temperature }),
      ...(mediaResolution === undefined
        ? {}
        : { mediaResolution: `MEDIA_RESOLUTION_${mediaResolution.toUpperCase()}` }),
      ...(Object.keys(speechConfig).length === 0 ? {} : { speechConfig }),
      ...(typeof moreGeneration === "object" ? moreGeneration : {}),
    },
    ...(instructions === undefined ? {} : { systemInstruction: { parts: [{ text: instructions }] } }),
    ...(tools.length === 0 ? {} : { tools: [{ functionDeclarations: tools.map(declaration) }] }),
    ...(contextCompression === false ? {} : { contextWindowCompression: compression(contextCompression) }),
    inputAudioTranscription: {},
    outputAudioTranscription: {},
    ...more,
  };
}

function modelName({ model, vertex }: GeminiLiveOptions): string {
  if (model.includes("/")) return model;
  if (vertex === undefined) return `models/${model}`;
  return `projects/${vertex.project}/locations/${vertex.location}/publishers/google/models/${model}`;
}

function declaration({ name, description, parameters, behavior }: GeminiTool): Record<string, unknown> {
  return {
    name,
    ...(description === undefined ? {} : { description }),
    ...(parameters === undefined ? {} : { parametersJsonSchema: parameters }),
    ...(behavior === undefined ? {} : { behavior }),
  };
}

function compression(given: true | { readonly triggerTokens?: number; readonly targetTokens?: number }) {
  const { triggerTokens, targetTokens } = given === true ? {} : given;
  // Numbers of 64 bits travel as strings.
  return {
    ...(triggerTokens === undefined ? {} : { triggerTokens: String(triggerTokens) }),
    slidingWindow: targetTokens === undefined ? {} : { targetTokens: String(targetTokens) },
  };
}
