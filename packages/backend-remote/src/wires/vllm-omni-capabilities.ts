// What the served model can do, as `session.created` tells. All branches on the server go by this, never by a model's name.

import { DuplexError, type EngineCapabilities } from "@microturn/core";
import { type Fields, fieldsOf } from "./openai-realtime-messages.js";
import { omniOutputRate } from "./vllm-omni-options.js";

export class OmniCapabilities {
  /** Length of a unit of the model, ms; images go with the sound that closes one. */
  readonly periodMs: number;
  /** A session outlives its connection. */
  readonly resumes: boolean;
  /** What is remembered of a reply can be cut. */
  readonly truncates: boolean;
  /** What the model itself remembers is cut with it. */
  readonly #forgets: boolean;
  /** Text alone is answered, once a response is asked for. */
  readonly answersText: boolean;
  /** Results of functions are answered once a response is asked for, as in OpenAI Realtime; otherwise by themselves. */
  readonly answersCalls: boolean;
  /** What the model takes, where the server tells. */
  readonly #inputs: readonly string[] | undefined;

  constructor(told: Fields) {
    const { chunk_period_ms: period, optional_input_modalities: optional, required_input_modalities: required } = told;
    this.periodMs = typeof period === "number" && period >= 1 && period <= 60_000 ? period : 200;
    this.resumes = told.supports_session_resume === true;
    this.truncates = told.supports_audio_truncate === true;
    this.#forgets = told.model_forgets_unheard === undefined ? this.truncates : told.model_forgets_unheard === true;
    this.answersText = told.supports_text_only_turn === true;
    this.answersCalls = told.supports_tools === true;
    const inputs = Array.isArray(optional) && Array.isArray(required) ? [...optional, ...required] : undefined;
    // vLLM-Omni tells two lists, our server one; `input_modes` of vLLM-Omni is of another kind.
    const all = told.supports_video === undefined ? inputs : told.input_modes;
    this.#inputs = Array.isArray(all) ? all.filter((input) => typeof input === "string") : undefined;
  }

  /** @throws DuplexError `UNSUPPORTED` for what the application counts on and the server is known not to have */
  check({ inputs, truncates }: EngineCapabilities): void {
    if (truncates && !this.#forgets) {
      throw new DuplexError(
        "UNSUPPORTED",
        "open: the model does not cut what it remembers of a reply; leave truncates out of the options",
      );
    }
    if (!inputs.includes("video") || this.#inputs === undefined || this.#inputs.includes("video")) return;
    const taken = this.#inputs.join(", ").slice(0, 100);
    throw new DuplexError("UNSUPPORTED", `open: the model takes no video, only ${taken}; leave "video" out of inputs`);
  }
}

/** Sound at another rate would be heard as noise. */
export function checkOmniOutput(session: Fields): void {
  const output = fieldsOf(fieldsOf(session.audio)?.output);
  const rate = fieldsOf(output?.format)?.rate ?? output?.sample_rate_hz ?? omniOutputRate;
  if (rate === omniOutputRate) return;
  const got = typeof rate === "number" ? `${rate} Hz` : "no rate";
  throw new DuplexError(
    "UNSUPPORTED",
    `open: expected sound at ${omniOutputRate} Hz, the server has ${got}; leave audio.output out of session`,
  );
}
