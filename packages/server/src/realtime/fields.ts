// Events of a client, read with suspicion: what is not what it should be is refused by name.

import { RealtimeError } from "./realtime-error.js";
import { Scratch } from "./scratch.js";

/** An object of an event; nothing of it has been looked at. */
export type Fields = Readonly<Record<string, unknown>>;

const longestId = 64;
const passing = new Scratch();

export function fieldsOf(value: unknown): Fields | undefined {
  return typeof value === "object" && value !== null && !Array.isArray(value) ? (value as Fields) : undefined;
}

/** Reads an event. @throws RealtimeError `invalid_json`, `invalid_event` */
export function readEvent(text: string): Fields {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    throw new RealtimeError("invalid_json", "Could not parse the event: expected a JSON object as text.");
  }
  const event = fieldsOf(value);
  if (event === undefined) throw new RealtimeError("invalid_event", "Expected the event to be a JSON object.");
  return event;
}

/** A field that must be there as an object. */
export function objectAt(fields: Fields, name: string): Fields {
  const value = fieldsOf(fields[name]);
  if (value !== undefined) return value;
  throw fields[name] === undefined ? missing(name) : invalidType(name, "an object");
}

/** A field that must be there as a string. */
export function stringAt(fields: Fields, name: string, param = name): string {
  const value = fields[name];
  if (typeof value === "string") return value;
  throw value === undefined ? missing(param) : invalidType(param, "a string");
}

/** A whole number from 0 on. */
export function countAt(fields: Fields, name: string): number {
  const value = fields[name];
  if (value === undefined) throw missing(name);
  if (typeof value !== "number" || !Number.isSafeInteger(value)) throw invalidType(name, "an integer");
  if (value < 0) throw invalidValue(name, "expected 0 or more");
  return value;
}

/** A name that the client gave; undefined if it gave none. */
export function idAt(fields: Fields, name: string, param = name): string | undefined {
  const value = fields[name];
  if (value === undefined || value === null) return undefined;
  if (typeof value !== "string") throw invalidType(param, "a string");
  if (value === "" || value.length > longestId) {
    throw new RealtimeError(
      "string_above_max_length",
      `Invalid '${param}': expected 1 to ${longestId} characters, got ${value.length}.`,
      { param },
    );
  }
  return value;
}

/** Bytes of base64, with or without padding. */
export function base64At(fields: Fields, name: string, param = name): Uint8Array {
  return decodeBase64(stringAt(fields, name, param), param);
}

export function decodeBase64(text: string, param: string): Uint8Array {
  return checkedBase64(Buffer.from(text, "base64"), text, param);
}

/** As {@link base64At}, in memory that the next call uses again. */
export function passingBase64At(fields: Fields, name: string): Uint8Array {
  const text = stringAt(fields, name);
  const room = passing.bytes(Math.ceil((text.length * 3) / 4));
  return checkedBase64(room.subarray(0, room.write(text, "base64")), text, name);
}

function checkedBase64(bytes: Buffer, text: string, param: string): Uint8Array {
  // Node passes over what is not base64, and half of a sound must not be taken for a whole: then bytes are missing. It takes other
  // letters by their lowest byte.
  const characters = text.length - (text.endsWith("==") ? 2 : text.endsWith("=") ? 1 : 0);
  const whole = characters % 4 !== 1 && bytes.length === Math.floor((characters * 3) / 4);
  if (!whole || Buffer.byteLength(text) !== text.length) throw invalidValue(param, "expected base64");
  return new Uint8Array(bytes.buffer, bytes.byteOffset, bytes.length);
}

/** Length as JSON. @throws RealtimeError for what is nested so deeply that it cannot be told again */
export function jsonLength(value: unknown, param: string): number {
  try {
    return JSON.stringify(value).length;
  } catch {
    throw invalidValue(param, "it is nested too deeply");
  }
}

export function missing(param: string): RealtimeError {
  return new RealtimeError("missing_required_parameter", `Missing required parameter: '${param}'.`, { param });
}

export function invalidType(param: string, expected: string): RealtimeError {
  return new RealtimeError("invalid_type", `Invalid type for '${param}': expected ${expected}.`, { param });
}

export function invalidValue(param: string, why: string): RealtimeError {
  return new RealtimeError("invalid_value", `Invalid value for '${param}': ${why}.`, { param });
}

/** Only these fields may be there. @param under - path of the object, with its dot */
export function checkKnown(fields: Fields, known: readonly string[], under = ""): void {
  const odd = Object.keys(fields).find((name) => !known.includes(name));
  if (odd === undefined) return;
  const param = `${under}${odd.slice(0, 100)}`;
  throw new RealtimeError("unknown_parameter", `Unknown parameter: '${param}'.`, { param });
}
