// The effective session object: what the client has set over what the server begins with. An update is a patch, taken whole or
// not at all. What the model cannot follow (instructions, voice, detection of turns) is kept and echoed, and changes nothing.

import { type AudioFormat, defaultFormat, readFormat } from "./audio-format.js";
import { presentSpelling } from "./beta-spelling.js";
import { checkKnown, type Fields, fieldsOf, invalidType, invalidValue, jsonLength } from "./fields.js";
import { type FunctionTool, readToolChoice, readTools, type ToolChoice } from "./function-tools.js";
import { RealtimeError } from "./realtime-error.js";

/** Fields of `session` that are kept as they come; null, "" and [] clear them. */
const echoed = {
  ...{ instructions: "", prompt: null, include: null, parallel_tool_calls: true, reasoning: null },
  ...{ max_output_tokens: "inf", truncation: "auto", tracing: null, temperature: null },
  // Of the superset.
  ...{ ref_audio: null, overlap_policy: "auto", playback_commit_policy: "ack", idle_timeout_s: null, extra_body: null },
} as const;

const known = [
  ...["type", "model", "session_id", "output_modalities", "audio", "turn_detection", "tools", "tool_choice"],
  ...Object.keys(echoed),
];
const inputFields = ["format", "noise_reduction", "transcription", "turn_detection"];
const outputFields = ["format", "voice", "speed"];
const maxSessionCharacters = 262_144;
const defaultIdleS = 300;

export class SessionSettings {
  readonly #id: string;
  readonly #modelName: string;
  /** Whether the client has named a model: then it stays. */
  #named: boolean;
  #model: string;
  #kept: Record<string, unknown> = { ...echoed };
  #modalities: readonly string[] = ["audio"];
  #tools: readonly FunctionTool[] = [];
  #toolChoice: ToolChoice = "auto";
  #input: Record<string, unknown>;
  #output: Record<string, unknown> = { format: defaultFormat, voice: "default", speed: 1 };

  /**
   * @param id - of the session
   * @param modelName - of what runs here
   * @param asked - model that the address named; any name is taken, and echoed
   */
  constructor(id: string, modelName: string, asked?: string) {
    this.#id = id;
    this.#modelName = modelName;
    this.#named = asked !== undefined;
    this.#model = asked ?? modelName;
    this.#input = {
      ...{ format: defaultFormat, noise_reduction: null, transcription: { model: modelName } },
      turn_detection: detection({ type: "semantic_vad" }),
    };
  }

  get inputFormat(): AudioFormat {
    return this.#input.format as AudioFormat;
  }

  get outputFormat(): AudioFormat {
    return this.#output.format as AudioFormat;
  }

  get voice(): string {
    return String(this.#output.voice);
  }

  get textOnly(): boolean {
    return this.#modalities[0] === "text";
  }

  get outputModalities(): readonly string[] {
    return this.#modalities;
  }

  /** Whether the client wants to know what was understood of the user. */
  get transcribes(): boolean {
    return this.#input.transcription !== null;
  }

  /** A client from which no event comes for so long has gone, ms. */
  get idleMs(): number {
    return 1000 * Number(this.#kept.idle_timeout_s ?? defaultIdleS);
  }

  get tools(): readonly FunctionTool[] {
    return this.#tools;
  }

  get toolChoice(): ToolChoice {
    return this.#toolChoice;
  }

  /** The whole object, as the client is shown it. */
  shown(): Fields {
    return {
      ...{ object: "realtime.session", type: "realtime", id: this.#id, model: this.#model },
      ...{ served_model: this.#modelName, output_modalities: this.#modalities, ...this.#kept },
      ...{ tools: this.#tools, tool_choice: this.#toolChoice },
      audio: { input: this.#input, output: this.#output },
    };
  }

  /**
   * Takes a patch, whole.
   *
   * @param given - in the present spelling, or the flat one of before
   * @param hasSpoken - the assistant's sound has begun: its voice stays
   * @throws RealtimeError, and then nothing has changed
   */
  update(given: Fields, hasSpoken: boolean): void {
    const patch = presentSpelling(given);
    checkKnown(patch, known, "session.");
    if (patch.type !== undefined && patch.type !== "realtime")
      throw invalidValue("session.type", "expected 'realtime'");
    if (patch.session_id !== undefined && patch.session_id !== null && patch.session_id !== this.#id) {
      throw invalidValue("session.session_id", "the id of a session cannot be chosen");
    }
    const { model } = patch;
    if (model !== undefined) {
      if (typeof model !== "string" || model === "") throw invalidType("session.model", "a string");
      if (this.#named && model !== this.#model) {
        throw invalidValue("session.model", "the model of a session cannot be changed");
      }
    }
    const next = {
      kept: this.#keptAfter(patch),
      modalities: patch.output_modalities === undefined ? this.#modalities : modalities(patch.output_modalities),
      tools: patch.tools === undefined ? this.#tools : readTools(patch.tools),
      toolChoice: patch.tool_choice === undefined ? this.#toolChoice : readToolChoice(patch.tool_choice),
      ...this.#audioAfter(patch, hasSpoken),
    };
    if (jsonLength(next, "session") > maxSessionCharacters) {
      throw new RealtimeError(
        "event_too_large",
        `The session would have more than ${maxSessionCharacters} characters; shorten instructions and tools.`,
        { param: "session" },
      );
    }
    if (typeof model === "string") {
      this.#model = model;
      this.#named = true;
    }
    this.#kept = next.kept;
    this.#modalities = next.modalities;
    this.#tools = next.tools;
    this.#toolChoice = next.toolChoice;
    this.#input = next.input;
    this.#output = next.output;
  }

  #keptAfter(patch: Fields): Record<string, unknown> {
    const kept = { ...this.#kept };
    for (const [name, empty] of Object.entries(echoed)) {
      const value = patch[name];
      if (value === undefined) continue;
      if (name === "instructions" && value !== null && typeof value !== "string") {
        throw invalidType("session.instructions", "a string");
      }
      if (name === "idle_timeout_s" && value !== null && !(typeof value === "number" && value >= 10 && value <= 3600)) {
        throw invalidValue("session.idle_timeout_s", "expected 10 to 3600");
      }
      kept[name] = value ?? empty;
    }
    return kept;
  }

  #audioAfter(patch: Fields, hasSpoken: boolean): { input: Record<string, unknown>; output: Record<string, unknown> } {
    const audio = patch.audio === undefined || patch.audio === null ? {} : fieldsOf(patch.audio);
    if (audio === undefined) throw invalidType("session.audio", "an object");
    checkKnown(audio, ["input", "output"], "session.audio.");
    const input = { ...this.#input, ...side(audio.input, "session.audio.input", inputFields) };
    const output = { ...this.#output, ...side(audio.output, "session.audio.output", outputFields) };
    if (patch.turn_detection !== undefined) input.turn_detection = patch.turn_detection;
    input.format = readFormat(input.format ?? defaultFormat, "session.audio.input.format");
    output.format = readFormat(output.format ?? defaultFormat, "session.audio.output.format");
    input.turn_detection = input.turn_detection === null ? null : detection(input.turn_detection);
    output.voice ??= "default";
    output.speed ??= 1;
    const before = JSON.stringify(this.#output.voice);
    if (hasSpoken && JSON.stringify(output.voice) !== before) {
      throw new RealtimeError(
        "cannot_update_voice",
        "Cannot update a conversation's voice if assistant audio is present.",
        { param: "session.audio.output.voice" },
      );
    }
    return { input, output };
  }
}

function side(value: unknown, param: string, fields: readonly string[]): Fields {
  if (value === undefined || value === null) return {};
  const given = fieldsOf(value);
  if (given === undefined) throw invalidType(param, "an object");
  checkKnown(given, fields, `${param}.`);
  return given;
}

function modalities(value: unknown): readonly string[] {
  if (!Array.isArray(value) || value.length !== 1 || !["audio", "text"].includes(value[0])) {
    throw invalidValue("session.output_modalities", "expected ['audio'] or ['text']");
  }
  return [value[0]];
}

/** The model finds the turns by itself; what clients go by is filled in. */
function detection(value: unknown): Fields {
  const given = fieldsOf(value);
  const type = given?.type;
  if (given === undefined || typeof type !== "string") {
    throw invalidType("session.audio.input.turn_detection", "null or an object with a type");
  }
  if (!["server_vad", "semantic_vad", "native", "none"].includes(type)) {
    throw new RealtimeError(
      "unsupported_turn_detection",
      "Unsupported 'turn_detection': expected 'server_vad', 'semantic_vad' or null; the model owns the turns in any case.",
      { param: "session.audio.input.turn_detection.type" },
    );
  }
  return { create_response: true, interrupt_response: true, ...given };
}
