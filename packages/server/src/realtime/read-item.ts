// Items that a client creates, read whole before anything of them has an effect.

import type { ImageFrame } from "@microturn/core";
import type { DecodeImage } from "@microturn/core/protocol";
import {
  base64At,
  decodeBase64,
  type Fields,
  fieldsOf,
  idAt,
  invalidType,
  invalidValue,
  missing,
  stringAt,
} from "./fields.js";
import { RealtimeError } from "./realtime-error.js";
import { nameOf } from "./tell.js";

/** What an item brings into the session. */
export type ItemInput =
  | { readonly kind: "text"; readonly text: string }
  | { readonly kind: "image"; readonly image: Pick<ImageFrame, "data" | "width" | "height"> }
  | { readonly kind: "audio"; readonly bytes: Uint8Array }
  | { readonly kind: "output"; readonly callId: string; readonly output: string };

export interface ReadItem {
  readonly id: string;
  readonly type: string;
  readonly role?: string;
  readonly shown: Fields;
  readonly inputs: readonly ItemInput[];
}

const maxParts = 64;
/** Characters of a result that a session takes. */
const longestOutput = 65_536;
const allowedParts: Readonly<Record<string, readonly string[]>> = {
  system: ["input_text"],
  user: ["input_text", "input_audio", "input_image"],
  assistant: ["output_text", "output_audio"],
};

/** @throws RealtimeError if it cannot be taken */
export function readItem(item: Fields, decodeImage: DecodeImage): ReadItem {
  const id = idAt(item, "id", "item.id") ?? nameOf("item");
  const type = stringAt(item, "type", "item.type");
  switch (type) {
    case "function_call_output": {
      const callId = stringAt(item, "call_id", "item.call_id");
      const output = stringAt(item, "output", "item.output");
      if (output.length > longestOutput) {
        throw new RealtimeError("event_too_large", `Expected at most ${longestOutput} characters of output.`, {
          param: "item.output",
        });
      }
      return { id, type, shown: { call_id: callId, output }, inputs: [{ kind: "output", callId, output }] };
    }
    case "function_call": {
      const shown = {
        call_id: idAt(item, "call_id", "item.call_id") ?? nameOf("call"),
        name: stringAt(item, "name", "item.name"),
        arguments: stringAt(item, "arguments", "item.arguments"),
      };
      return { id, type, shown, inputs: [] };
    }
    case "message":
      return readMessage(item, id, decodeImage);
    default:
      throw invalidValue("item.type", "expected 'message', 'function_call' or 'function_call_output'");
  }
}

function readMessage(item: Fields, id: string, decodeImage: DecodeImage): ReadItem {
  const role = stringAt(item, "role", "item.role");
  const allowed = Object.hasOwn(allowedParts, role) ? allowedParts[role] : undefined;
  if (allowed === undefined) throw invalidValue("item.role", "expected 'system', 'user' or 'assistant'");
  const { content } = item;
  if (content === undefined) throw missing("item.content");
  if (!Array.isArray(content)) throw invalidType("item.content", "an array");
  if (content.length === 0 || content.length > maxParts) {
    throw invalidValue("item.content", `expected 1 to ${maxParts} parts`);
  }
  const inputs: ItemInput[] = [];
  const shown = content.map((value, index): Fields => {
    const param = `item.content[${index}]`;
    const part = fieldsOf(value);
    if (part === undefined) throw invalidType(param, "an object");
    const type = stringAt(part, "type", `${param}.type`);
    if (!allowed.includes(type)) throw invalidValue(`${param}.type`, `expected ${allowed.join(", ")} of a ${role}`);
    switch (type) {
      case "input_text": {
        const text = stringAt(part, "text", `${param}.text`);
        if (role === "user" && text.trim() !== "") inputs.push({ kind: "text", text });
        return { type, text };
      }
      case "input_image": {
        const image = readImage(stringAt(part, "image_url", `${param}.image_url`), `${param}.image_url`, decodeImage);
        inputs.push({ kind: "image", image });
        return { type, detail: "auto" };
      }
      case "input_audio":
        inputs.push({ kind: "audio", bytes: base64At(part, "audio", `${param}.audio`) });
        return { type, transcript: null };
      case "output_text":
        return { type, text: stringAt(part, "text", `${param}.text`) };
      default:
        throw invalidValue(`${param}.type`, "sound of the assistant cannot be created");
    }
  });
  return { id, type: "message", role, shown: { content: shown }, inputs };
}

/** A data URI of a JPEG. */
function readImage(url: string, param: string, decodeImage: DecodeImage) {
  const head = /^data:image\/jpe?g;base64,/i.exec(url.slice(0, 40));
  if (head === null) throw invalidValue(param, "expected a data URI of a JPEG: data:image/jpeg;base64,...");
  return decodeImage({ jpeg: decodeBase64(url.slice(head[0].length), param), width: 0, height: 0, timeMs: 0 });
}
