// The session object as clients spelled it before the API was general, and as those of vLLM-Omni still do: flat, with names of formats.

import { type Fields, fieldsOf, invalidValue } from "./fields.js";

const formats: Readonly<Record<string, string>> = {
  ...{ pcm16: "audio/pcm", g711_ulaw: "audio/pcmu", g711_alaw: "audio/pcma" },
};
const flat = [
  ...["modalities", "input_audio_format", "output_audio_format", "sample_rate_hz", "voice", "speed"],
  ...["input_audio_transcription", "input_audio_noise_reduction", "max_response_output_tokens"],
];
const rateField = "sample_rate_hz";

/**
 * The patch in the present spelling; one that has it already comes back as it is.
 *
 * @throws RealtimeError `invalid_value` for a format that is not known
 */
export function presentSpelling(patch: Fields): Fields {
  const audio = fieldsOf(patch.audio) ?? {};
  const sides = [fieldsOf(audio.input) ?? {}, fieldsOf(audio.output) ?? {}] as const;
  if (!flat.some((name) => patch[name] !== undefined) && sides.every((one) => one[rateField] === undefined))
    return patch;
  const [{ [rateField]: inputRate, ...givenInput }, { [rateField]: outputRate, ...givenOutput }] = sides;
  const rest: Record<string, unknown> = { ...patch };
  for (const name of flat) delete rest[name];
  const { modalities } = patch;
  const input = {
    ...format(patch.input_audio_format, inputRate ?? patch.sample_rate_hz, "input_audio_format"),
    ...present("transcription", patch.input_audio_transcription),
    ...present("noise_reduction", patch.input_audio_noise_reduction),
    ...givenInput,
  };
  const output = {
    ...format(patch.output_audio_format, outputRate, "output_audio_format"),
    ...present("voice", patch.voice),
    ...present("speed", patch.speed),
    ...givenOutput,
  };
  return {
    ...rest,
    // "text" beside "audio" is its transcript, which always comes.
    ...(Array.isArray(modalities) ? { output_modalities: [modalities.includes("audio") ? "audio" : "text"] } : {}),
    ...present("max_output_tokens", patch.max_response_output_tokens),
    audio: { ...audio, input, output },
  };
}

function format(name: unknown, rate: unknown, field: string): { format?: object } {
  if (name === undefined && rate === undefined) return {};
  const type = name === undefined ? "audio/pcm" : formats[String(name)];
  if (type === undefined) throw invalidValue(`session.${field}`, "expected 'pcm16', 'g711_ulaw' or 'g711_alaw'");
  return { format: { type, ...(type === "audio/pcm" && rate !== undefined ? { rate } : {}) } };
}

function present(name: string, value: unknown): Record<string, unknown> {
  return value === undefined ? {} : { [name]: value };
}
