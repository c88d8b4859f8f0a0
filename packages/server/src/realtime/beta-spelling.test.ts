import { describe, expect, it } from "vitest";
import { presentSpelling } from "./beta-spelling.js";
import { SessionSettings } from "./session-settings.js";

describe("the flat spelling of a session", () => {
  it("leaves the present spelling alone", () => {
    const patch = { instructions: "x", audio: { input: { format: { type: "audio/pcm", rate: 24_000 } } } };
    expect(presentSpelling(patch)).toBe(patch);
  });

  it("becomes the present one: formats, rates, voice, transcription, modalities", () => {
    const settings = new SessionSettings("sess_1", "mini");
    settings.update(
      {
        ...{ modalities: ["text", "audio"], input_audio_format: "pcm16", output_audio_format: "g711_ulaw" },
        ...{ sample_rate_hz: 16_000, voice: "alloy", input_audio_transcription: null, max_response_output_tokens: 100 },
      },
      false,
    );
    expect(settings.inputFormat).toEqual({ type: "audio/pcm", rate: 16_000 });
    expect(settings.outputFormat).toEqual({ type: "audio/pcmu", rate: 8000 });
    expect([settings.voice, settings.textOnly]).toEqual(["alloy", false]);
    expect(settings.shown()).toMatchObject({ output_modalities: ["audio"], max_output_tokens: 100 });
  });

  it("takes rates beside the sides, as vLLM-Omni's client gives them", () => {
    const settings = new SessionSettings("sess_1", "mini");
    settings.update(
      {
        ...{ input_audio_format: "pcm16", output_audio_format: "pcm16", sample_rate_hz: 16_000 },
        audio: { input: { sample_rate_hz: 16_000 }, output: { sample_rate_hz: 22_050 } },
      },
      false,
    );
    expect([settings.inputFormat.rate, settings.outputFormat.rate]).toEqual([16_000, 22_050]);
  });

  it("refuses formats that nobody knows, and unknown fields as before", () => {
    const settings = new SessionSettings("sess_1", "mini");
    expect(() => settings.update({ input_audio_format: "pcm_f32le" }, false)).toThrow(/pcm16/);
    expect(() => settings.update({ modalities: ["audio"], colour: "red" }, false)).toThrow(/colour/);
  });
});
