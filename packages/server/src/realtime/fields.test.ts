import { describe, expect, it } from "vitest";
import { decodeBase64, passingBase64At } from "./fields.js";

describe("base64", () => {
  it.each([
    ["", []],
    ["AQID", [1, 2, 3]],
    ["AQIDBA==", [1, 2, 3, 4]],
    ["AQIDBA", [1, 2, 3, 4]],
    ["AQIDBAU=", [1, 2, 3, 4, 5]],
    ["-_-_", [251, 255, 191]],
  ])("is read with padding, without it and in the spelling of addresses: %j", (text, bytes) => {
    expect([...decodeBase64(text, "audio")]).toEqual(bytes);
    expect([...passingBase64At({ audio: text }, "audio")]).toEqual(bytes);
  });

  it.each([
    "A",
    "AQIDB",
    "AQ ID",
    "AQID\n",
    "A=ID",
    "AQID====",
    "AQID~AQID",
    "AQIé",
    "\u0141QID",
    "AQID\u0141\u0141\u0141\u0141",
  ])("is refused where something else is among it: %j", (text) => {
    expect(() => decodeBase64(text, "audio")).toThrow(/'audio': expected base64/);
    expect(() => passingBase64At({ audio: text }, "audio")).toThrow(/'audio': expected base64/);
  });
});
