// The check that every engine makes of what it is asked to step over.

import { checkFinite } from "../audio/pcm.js";
import type { EngineCapabilities, ImageFrame, TurnInput } from "../engine.js";
import { DuplexError } from "../errors.js";
import { bytesPerPixel } from "../vision/image.js";

/**
 * Checks the input of a step before anything is changed by it.
 *
 * @throws RangeError if `turns` is not a whole number from 1 on
 * @throws TypeError if the data of an image is not bytes
 * @throws DuplexError `SHAPE_MISMATCH` for audio of another length, `AUDIO_INVALID` for NaN or infinite samples,
 *   `UNSUPPORTED` for images or text that the engine does not take, `IMAGE_INVALID` for an image without a time, or
 *   whose data does not fit its size
 */
export function checkTurnInput(input: TurnInput, capabilities: EngineCapabilities): void {
  const { audio, turns, images, text } = input;
  const { inputSampleRate, turnDurationMs, inputs, saysText, hearsText } = capabilities;
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
  const read = text.some(({ source, silent }) => silent === true || !(source === "user" ? hearsText : saysText));
  if ((images.length > 0 && !inputs.includes("video")) || (read && !inputs.includes("text"))) {
    throw new DuplexError(
      "UNSUPPORTED",
      `step: expected an engine that takes ${images.length > 0 ? "video" : "text"}, this one takes ${inputs.join(", ")}${saysText ? ", and text of the background to be said" : ""}${hearsText ? ", and text that the user types" : ""}`,
    );
  }
  for (const image of images) checkImageFrame("step", image);
}

/**
 * Checks one image before anything is changed by it.
 *
 * @param operation - named in the message
 * @throws TypeError if its data is not bytes
 * @throws DuplexError `IMAGE_INVALID` if the data does not fit the size, or the time is not finite
 */
export function checkImageFrame(operation: string, image: ImageFrame): void {
  bytesPerPixel(operation, image);
  if (Number.isFinite(image.timeMs)) return;
  throw new DuplexError("IMAGE_INVALID", `${operation}: expected images at a finite timeMs, got ${image.timeMs}`);
}
