// docs/server.md names every event and every error of the JSON wire, and none that there is not.

import { readdir, readFile } from "node:fs/promises";
import { describe, expect, it } from "vitest";

const here = new URL("./", import.meta.url);
const page = await readFile(new URL("../../../../docs/server.md", here), "utf8");
const names = (await readdir(here)).filter((name) => /^[\w-]+\.ts$/.test(name) && !/corpus|bench/.test(name));
const source = (await Promise.all(names.map((name) => readFile(new URL(name, here), "utf8")))).join("\n");
const wire = page.slice(page.indexOf("## The JSON wire"), page.indexOf("## Limits"));

const found = (text: string, pattern: RegExp) => [...new Set([...text.matchAll(pattern)].map((match) => match[1]))];
const eventName =
  /["`]((?:session|response|conversation\.item|input_audio_buffer|output_audio_buffer|playback|overlap|turn)\.[a-z_.]+)["`]/g;
/** Names of fields, not of events. */
const isField = (name: string) =>
  /^session\.(tools|model|session_id|type|prompt|audio|instructions|idle_timeout_s|output_modalities|tool_choice)\b/.test(
    name,
  ) || /^response\.(metadata|conversation|input)$/.test(name);

describe("docs/server.md", () => {
  it("names every event of the wire, and only those", () => {
    const documented = found(wire, eventName).filter((name) => !isField(name));
    // A few are put together of parts in the code.
    const told = found(source, eventName).filter((name) => !isField(name) && !name.endsWith("."));
    expect(told.filter((name) => !documented.includes(name))).toEqual([]);
    expect(documented.filter((name) => !told.includes(name) && !source.includes(`${name}\``))).toEqual([]);
  });

  it("names every error", () => {
    const thrown = found(source, /RealtimeError\(\s*"([a-z_]+)"/g);
    const table = wire.slice(wire.indexOf("### Errors"));
    expect(thrown.length).toBeGreaterThan(20);
    expect(thrown.filter((code) => !table.includes(`\`${code}\``))).toEqual([]);
  });
});
