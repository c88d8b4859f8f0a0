// docs/protocol.md says what the code does: names, numbers, limits, examples and sizes are read from the page.

import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { MessageEncoder } from "./encode.js";
import { exampleClientMessages, exampleServerMessages } from "./examples.js";
import {
  audioCodings,
  type ClientMessage,
  imageCodings,
  messageCodes,
  outputFlags,
  protocolLimits,
  protocolName,
  protocolVersion,
  speechCodings,
  stepFlags,
  textFlags,
} from "./messages.js";

const page = readFileSync(new URL("../../../../docs/protocol.md", import.meta.url), "utf8");
const encoder = new MessageEncoder();

/** Cells of the tables of a section, row by row, without heads and rules. */
function rows(heading: string): string[][] {
  const start = page.indexOf(`# ${heading}\n`);
  expect(start, `a section "${heading}"`).toBeGreaterThan(0);
  const rest = page.slice(start + 3);
  const end = rest.search(/^#+ /m);
  return rest
    .slice(0, end === -1 ? undefined : end)
    .split("\n")
    .filter((line) => line.startsWith("|") && !line.startsWith("|---"))
    .map((line) =>
      line
        .slice(1, -1)
        .split("|")
        .map((cell) => cell.trim()),
    )
    .slice(1);
}

/** The row whose first cell is this. */
function cell(heading: string, first: string, column: number): string {
  const row = rows(heading).find((one) => one[0] === first);
  expect(row, `${heading}: ${first}`).toBeDefined();
  return (row as string[])[column];
}

/** `name` 1 pairs in a cell. */
function pairs(text: string): Record<string, number> {
  return Object.fromEntries([...text.matchAll(/`(\w+)` (\d+)/g)].map(([, name, value]) => [name, Number(value)]));
}

const hex = (bytes: Uint8Array) => [...bytes].map((byte) => byte.toString(16).padStart(2, "0")).join(" ");

describe("docs/protocol.md", () => {
  it("names version and sub-protocol", () => {
    expect(page).toContain(`\`version\` is ${protocolVersion};`);
    expect(page).toContain(`sub-protocol \`${protocolName}\``);
  });

  it("lists every kind of message with its first byte and side", () => {
    const listed = rows("Messages").map(([kind, code, from]) => [kind.replaceAll("`", ""), Number(code), from]);
    const known = Object.entries(messageCodes).map(([kind, code]) => [kind, code, code < 0x40 ? "client" : "server"]);
    expect(listed).toEqual(known);
  });

  it("lists the JSON fields of hello and welcome", () => {
    const fields = (kind: string) =>
      cell("Messages", `\`${kind}\``, 3)
        .match(/JSON: (.*)/)?.[1]
        .replaceAll("`", "")
        .split(", ");
    const used = (messages: readonly object[]) =>
      [...new Set(messages.flatMap((message) => Object.keys(message)))].filter(
        (name) => name !== "kind" && name !== "version",
      );
    const hellos = exampleClientMessages().filter(({ kind }) => kind === "hello");
    const welcomes = exampleServerMessages().filter(({ kind }) => kind === "welcome");
    expect(fields("hello")).toEqual(used(hellos));
    expect(fields("welcome")).toEqual(used(welcomes));
  });

  it("gives flags and codings as they are", () => {
    expect(pairs(cell("A step", "flags", 2))).toEqual(stepFlags);
    expect(pairs(cell("A step", "audio coding", 2))).toEqual(audioCodings);
    expect(pairs(cell("A step", "images", 2))).toEqual(imageCodings);
    expect(pairs(cell("A step", "texts", 2))).toEqual(textFlags);
    expect(pairs(cell("An output", "flags", 2))).toEqual(outputFlags);
    expect(pairs(cell("An output", "speech coding", 2))).toEqual(speechCodings);
    expect(pairs(cell("An output", "unsaid", 2))).toEqual({ delivery: textFlags.delivery });
  });

  it("gives the limits as they are", () => {
    const listed = rows("Limits").map(([name, value]) => [/`(\w+)`/.exec(name)?.[1], Number(value)]);
    expect(Object.fromEntries(listed)).toEqual(protocolLimits);
  });

  it("shows bytes that the encoder writes", () => {
    const step: ClientMessage = {
      kind: "step",
      sequence: 2,
      input: { index: 4, turns: 1, audio: new Float32Array(3200), images: [], text: [] },
    };
    const written = [
      encoder.client({ kind: "ping", id: 99 }),
      encoder.client({ kind: "close" }),
      encoder.server({ kind: "pong", id: 99 }),
      encoder.server({ kind: "draining", leftMs: 10_000 }),
      encoder.client(step),
    ];
    expect(rows("Examples").map(([, bytes]) => bytes.replaceAll("`", ""))).toEqual(written.map(hex));
  });

  it("gives the sizes of 200 ms as they are", () => {
    const up = (input: object) =>
      encoder.client({
        ...{ kind: "step", sequence: 0 },
        input: { index: 0, turns: 1, audio: new Float32Array(0), images: [], text: [], ...input },
      }).length;
    const down = (speech: Float32Array) =>
      encoder.server({
        ...{ kind: "output", sequence: 0 },
        output: {
          ...{ decision: "listen", speech, text: "", heard: "" },
          timing: { encodeMs: 0, waitMs: 0, runMs: 0, decodeMs: 0 },
        },
      }).length;
    const [silence, sound] = rows("Sizes").map((row) => row.slice(1).map((size) => Number(size.replace(",", ""))));
    expect(silence).toEqual([up({ audio: new Float32Array(3200) }), down(new Float32Array(3200))]);
    expect(sound).toEqual([up({ dmel: new Uint8Array(160) }), down(new Float32Array(3200).fill(0.25))]);
  });
});
