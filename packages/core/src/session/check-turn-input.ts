// The check that every engine makes of what it is asked to step over.

import { dmelPreset } from "../audio/dmel-presets.js";
import { checkFinite } from "../audio/pcm.js";
import type { EngineCapabilities, ImageFrame, PlaybackPosition, TurnInput } from "../engine.js";
import { DuplexError } from "../errors.js";
import { bytesPerPixel } from "../vision/image.js";

/**
 * Checks the input of a step before anything is changed by it.
 *
 * @throws RangeError if `turns` is not a whole number from 1 on, or `played` is not a position before these micro-turns
 * @throws TypeError if the data of an image, or `dmel`, is not bytes
 * @throws DuplexError `SHAPE_MISMATCH` for audio or levels of another length, or both at once, `AUDIO_INVALID` for NaN or
 *   infinite samples, `UNSUPPORTED` for levels, images or text that the engine does not take, `IMAGE_INVALID` for an image without a time, or
 *   whose data does not fit its size
 */
export function checkTurnInput(input: TurnInput, capabilities: EngineCapabilities): void {
  const { audio, turns, images, text } = input;
  const { inputSampleRate, turnDurationMs, inputs, saysText, hearsText } = capabilities;
  if (!Number.isInteger(turns) || turns < 1)
    throw new RangeError(`step: turns must be a whole number from 1 on, got ${turns}`);
  if (input.dmel === undefined) {
    const samples = turns * Math.round((inputSampleRate * turnDurationMs) / 1000);
    if (audio.length !== samples) {
      throw new DuplexError(
        "SHAPE_MISMATCH",
        `step: expected ${samples} samples for ${turns} micro-turns of ${turnDurationMs} ms at ${inputSampleRate} Hz, got ${audio.length}`,
      );
    }
    checkFinite("step", audio, 0);
  } else checkLevels(input.dmel, input, capabilities);
  if (input.played !== undefined) {
    checkPlaybackPosition("step", input.played, input.index - turns + 1, capabilities);
  }
  const read = text.some(({ source, silent }) => silent === true || !(source === "user" ? hearsText : saysText));
  if ((images.length > 0 && !inputs.includes("video")) || (read && !inputs.includes("text"))) {
    throw new DuplexError(
      "UNSUPPORTED",
      `step: expected an engine that takes ${images.length > 0 ? "video" : "text"}, this one takes ${inputs.join(", ")}${saysText ? ", and text of the background to be said" : ""}${hearsText ? ", and text that the user types" : ""}`,
    );
  }
  for (const image of images) checkImageFrame("step", image);
}

function checkLevels(dmel: Uint8Array, { audio, turns }: TurnInput, capabilities: EngineCapabilities): void {
  if (capabilities.dmel === undefined) {
    throw new DuplexError(
      "UNSUPPORTED",
      "step: expected an engine that takes dMel levels, this one takes PCM only; ask capabilities.dmel first",
    );
  }
  if (!(dmel instanceof Uint8Array)) throw new TypeError("step: dmel must be a Uint8Array of packed levels");
  const { sampleRate, hopSamples, melBins } = dmelPreset(capabilities.dmel);
  const bytes = (turns * Math.round((sampleRate * capabilities.turnDurationMs) / 1000) * melBins) / hopSamples / 2;
  if (dmel.length === bytes && audio.length === 0) return;
  throw new DuplexError(
    "SHAPE_MISMATCH",
    `step: expected ${bytes} bytes of ${capabilities.dmel} levels for ${turns} micro-turns, and no audio beside them, got ${dmel.length} bytes and ${audio.length} samples`,
  );
}

/**
 * Checks how far sound is said to have been heard.
 *
 * @param operation - named in the message
 * @param turn - the first micro-turn that has no sound yet
 * @throws RangeError if it is not a position before that micro-turn
 */
export function checkPlaybackPosition(
  operation: string,
  { turnIndex, samples }: PlaybackPosition,
  turn: number,
  { outputSampleRate, turnDurationMs }: EngineCapabilities,
): void {
  const whole = Math.round((outputSampleRate * turnDurationMs) / 1000);
  const isCount = (value: number, most: number) => Number.isInteger(value) && value >= 0 && value <= most;
  if (isCount(turnIndex, turn - 1) && isCount(samples, whole)) return;
  throw new RangeError(
    `${operation}: expected 0 to ${whole} samples of a micro-turn before ${turn} to have been heard, got ${samples} of ${turnIndex}`,
  );
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
