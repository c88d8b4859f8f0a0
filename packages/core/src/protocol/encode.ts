// Messages of the micro-turn wire to bytes: the one encoder. The layout is in docs/protocol.md.

import type { ImageFrame, TextInput, TurnInput, TurnOutput, UnsaidText } from "../engine.js";
import { ByteWriter } from "./byte-writer.js";
import {
  audioCodings,
  type ClientMessage,
  imageCodings,
  messageCodes,
  outputFlags,
  type ServerMessage,
  type SpeechCoding,
  speechCodings,
  stepFlags,
  textFlags,
} from "./messages.js";

/** Turns messages into bytes. Its buffer is used again, so that each connection, or each process, needs one. */
export class MessageEncoder {
  readonly #writer = new ByteWriter();

  /**
   * @param message - a step carries its audio as dMel levels, if it has them, else as 16-bit PCM, or nothing in silence
   * @returns bytes of their own
   */
  client(message: ClientMessage): Uint8Array {
    const writer = this.#writer.start(messageCodes[message.kind]);
    switch (message.kind) {
      case "hello": {
        const { kind: _, ...fields } = message;
        return writer.u8(message.version).string(JSON.stringify(fields)).finish();
      }
      case "step":
        return writeStep(writer.u32(message.sequence), message.input).finish();
      case "ping":
        return writer.u32(message.id).finish();
      case "close":
        return writer.finish();
    }
  }

  /** @param speech - how the speech of an output travels; silence never takes more than a byte */
  server(message: ServerMessage, speech: SpeechCoding = "pcm16"): Uint8Array {
    const writer = this.#writer.start(messageCodes[message.kind]);
    switch (message.kind) {
      case "welcome": {
        const { kind: _, ...fields } = message;
        return writer.u8(message.version).string(JSON.stringify(fields)).finish();
      }
      case "output":
        return writeOutput(writer.u32(message.sequence), message.output, speech).finish();
      case "refused":
        return writer.u32(message.sequence).string(message.code).string(message.message).finish();
      case "failure":
        return writer
          .string(message.code)
          .string(message.message)
          .u32(message.retryAfterMs ?? 0)
          .finish();
      case "pong":
        return writer.u32(message.id).finish();
      case "draining":
        return writer.u32(message.leftMs).finish();
    }
  }
}

function writeStep(writer: ByteWriter, input: TurnInput): ByteWriter {
  const { index, turns, audio, dmel, images, text, forceListen, played } = input;
  const flags =
    (forceListen === true ? stepFlags.forceListen : 0) |
    (played === undefined ? 0 : stepFlags.played) |
    (images.length > 0 ? stepFlags.images : 0) |
    (text.length > 0 ? stepFlags.text : 0);
  writer.u8(flags).u16(turns).u32(index);
  if (played !== undefined) writer.u32(played.turnIndex).u32(played.samples);
  if (dmel !== undefined) writer.u8(audioCodings.dmel).u32(dmel.length).bytes(dmel);
  else if (audio.every((sample) => sample === 0)) writer.u8(audioCodings.silence).u32(audio.length);
  else writer.u8(audioCodings.pcm16).u32(audio.length).pcm16(audio);
  if (images.length > 0) writer.u8(images.length);
  for (const image of images) writeImage(writer, image);
  if (text.length > 0) writer.u16(text.length);
  for (const one of text) writeText(writer, one);
  return writer;
}

function writeImage(writer: ByteWriter, { data, width, height, timeMs }: ImageFrame): void {
  const coding = data.length === 4 * width * height ? imageCodings.rgba : imageCodings.rgb;
  writer.u8(coding).u16(width).u16(height).f64(timeMs).u32(data.length).bytes(data);
}

function writeText(writer: ByteWriter, { source, silent, delivery, delegation, text }: TextInput): void {
  const flags =
    (source === "user" ? textFlags.user : 0) |
    (silent === true ? textFlags.silent : 0) |
    (delivery === undefined ? 0 : textFlags.delivery) |
    (delegation === undefined ? 0 : textFlags.delegation);
  writer.u8(flags);
  if (delivery !== undefined) writer.u32(delivery);
  if (delegation !== undefined) writer.string(delegation);
  writer.string(text);
}

function writeOutput(writer: ByteWriter, output: TurnOutput, coding: SpeechCoding): ByteWriter {
  const { decision, yielded, speech, text, heard, unsaid = [], delegation, timing, inside } = output;
  const flags =
    (decision === "speak" ? outputFlags.speak : 0) |
    (yielded === true ? outputFlags.yielded : 0) |
    (text === "" ? 0 : outputFlags.text) |
    (heard === "" ? 0 : outputFlags.heard) |
    (unsaid.length === 0 ? 0 : outputFlags.unsaid) |
    (delegation === undefined ? 0 : outputFlags.delegation) |
    (inside?.controls === undefined ? 0 : outputFlags.inside);
  writer.u8(flags);
  if (speech.every((sample) => sample === 0)) writer.u8(speechCodings.silence).u32(speech.length);
  else if (coding === "float32") writer.u8(speechCodings.float32).u32(speech.length).float32(speech);
  else writer.u8(speechCodings.pcm16).u32(speech.length).pcm16(speech);
  if (text !== "") writer.string(text);
  if (heard !== "") writer.string(heard);
  if (unsaid.length > 0) writer.u16(unsaid.length);
  for (const one of unsaid) writeUnsaid(writer, one);
  if (delegation !== undefined) writer.string(JSON.stringify(delegation));
  if (inside?.controls !== undefined) writer.u8(inside.controls.length).bytes(inside.controls);
  return writer.f32(timing.encodeMs).f32(timing.waitMs).f32(timing.runMs).f32(timing.decodeMs);
}

function writeUnsaid(writer: ByteWriter, { delivery, words }: UnsaidText): void {
  writer.u8(delivery === undefined ? 0 : textFlags.delivery);
  if (delivery !== undefined) writer.u32(delivery);
  writer.string(words);
}
