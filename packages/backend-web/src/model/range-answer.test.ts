import { describe, expect, it } from "vitest";
import { type AnswerHead, type Asked, readAnswer, validatorOf } from "./range-answer.js";

const url = "https://example.org/model/weights";
const head = (status: number, headers: Record<string, string> = {}, type: ResponseType = "basic"): AnswerHead => ({
  status,
  type,
  headers: new Headers(headers),
});
const whole: Asked = { url, from: 0, size: 1000, validator: undefined };
const rest: Asked = { url, from: 400, size: 1000, validator: { url, etag: '"a"' } };

describe("readAnswer", () => {
  it("takes a whole file, if its length is right or not told", () => {
    expect(readAnswer(head(200, { "Content-Length": "1000" }), whole)).toEqual({ kind: "bytes", from: 0 });
    expect(readAnswer(head(200), whole)).toEqual({ kind: "bytes", from: 0 });
    expect(readAnswer(head(200, { "Content-Length": "999" }), whole)).toMatchObject({ kind: "refused" });
    // The length of what was compressed is another one, and another origin hides that it was.
    const packed = { "Content-Length": "700", "Content-Encoding": "gzip" };
    expect(readAnswer(head(200, packed), whole)).toEqual({ kind: "bytes", from: 0 });
    expect(readAnswer(head(200, { "Content-Length": "700" }, "cors"), whole)).toEqual({ kind: "bytes", from: 0 });
  });

  it("takes the rest from where it was asked for, of the version that is here", () => {
    const range = { "Content-Range": "bytes 400-999/1000" };
    expect(readAnswer(head(206, range), rest)).toEqual({ kind: "bytes", from: 400 });
    expect(readAnswer(head(206, { ...range, ETag: '"a"' }), rest)).toEqual({ kind: "bytes", from: 400 });
    expect(readAnswer(head(206, { "Content-Range": "bytes 400-599/*" }), rest)).toEqual({ kind: "bytes", from: 400 });
    expect(readAnswer(head(206, { ...range, ETag: '"b"' }), rest)).toEqual({ kind: "start-over" });
    // At another URL the same file may have another tag: its hash decides.
    const elsewhere = { ...rest, validator: { url: "https://example.com/weights", etag: '"b"' } };
    expect(readAnswer(head(206, { ...range, ETag: '"a"' }), elsewhere)).toEqual({ kind: "bytes", from: 400 });
  });

  it.each([
    "bytes 0-999/1000",
    "bytes 401-999/1000",
    "bytes 400-1000/1000",
    "bytes 400-999/2000",
    "items 400-999/1000",
  ])("starts over at the range %s", (range) => {
    expect(readAnswer(head(206, { "Content-Range": range }), rest)).toEqual({ kind: "start-over" });
  });

  it("trusts a range that is hidden by another origin, and no other that is missing", () => {
    expect(readAnswer(head(206, {}, "cors"), rest)).toEqual({ kind: "bytes", from: 400 });
    expect(readAnswer(head(206), rest)).toEqual({ kind: "start-over" });
  });

  it("tells what is not there from what cannot be given now", () => {
    expect(readAnswer(head(404), whole)).toEqual({ kind: "refused", problem: "is not there" });
    for (const status of [0, 204, 206, 401, 403, 416]) {
      expect(readAnswer(head(status), whole), String(status)).toMatchObject({ kind: "refused" });
    }
    for (const status of [408, 429, 500, 502, 503, 504]) {
      expect(readAnswer(head(status), rest), String(status)).toEqual({ kind: "busy" });
    }
    expect(readAnswer(head(416), rest)).toEqual({ kind: "start-over" });
    expect(readAnswer(head(200, { "Content-Length": "1000" }), rest)).toEqual({ kind: "bytes", from: 0 });
  });
});

describe("validatorOf", () => {
  it("takes what holds for single bytes", () => {
    const date = "Sun, 01 Nov 2026 00:00:00 GMT";
    expect(validatorOf(head(200, { ETag: '"a"', "Last-Modified": date }), url)).toEqual({
      ...{ url, etag: '"a"', lastModified: date },
    });
    expect(validatorOf(head(200, { ETag: 'W/"a"' }), url)).toBeUndefined();
    expect(validatorOf(head(200, { ETag: 'W/"a"', "Last-Modified": date }), url)).toEqual({ url, lastModified: date });
    expect(validatorOf(head(200, { ETag: '"a"', "Content-Encoding": "gzip" }), url)).toBeUndefined();
  });
});
