// The check that every engine makes of what it is asked to step over.

import { checkFinite } from "../audio/pcm.js";
import type { EngineCapabilities, TurnInput } from "../engine.js";
import { DuplexError } from "../errors.js";

/**
 * Checks the input of a step before anything is changed by it.
 *
 * @throws RangeError if `turns` is not a whole number from 1 on
 * @throws DuplexError `SHAPE_MISMATCH` for audio of another length, `AUDIO_INVALID` for NaN or infinite samples,
 *   `UNSUPPORTED` for images or text that the engine does not take, `IMAGE_INVALID` for an image without a time
 */
export function checkTurnInput(input: TurnInput, capabilities: EngineCapabilities): void {
  const { audio, turns, images, text } = input;
  const { inputSampleRate, turnDurationMs, inputs } = capabilities;
  if (!Number.isInteger(turns) || turns < 1)
    throw new RangeError(`step: turns must be a whole number from 1 on, got ${turns}`);
  const samples = turns * Math.round((inputSampleRate * turnDurationMs) / 1000);
  if (audio.length !== samples) {
    throw new DuplexError(
      "SHAPE_MISMATCH",
      `step: expected ${samples} samples for ${turns} micro-turns of ${turnDurationMs} ms at ${inputSampleRate} Hz, got ${audio.length}`,
    );
  }
  checkFinite("step", audio, 0);
  if ((images.length > 0 && !inputs.includes("video")) || (text.length > 0 && !inputs.includes("text"))) {
    throw new DuplexError(
      "UNSUPPORTED",
      `step: expected an engine that takes ${images.length > 0 ? "video" : "text"}, this one takes ${inputs.join(", ")}`,
    );
  }
  const timeless = images.find(({ timeMs }) => !Number.isFinite(timeMs));
  if (timeless !== undefined) {
    throw new DuplexError("IMAGE_INVALID", `step: expected images at a finite timeMs, got ${timeless.timeMs}`);
  }
}
