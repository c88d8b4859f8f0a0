import { expect, it } from "vitest";
import type { TextInput } from "../engine.js";
import { scriptedEngine } from "../testing/scripted-engine.js";
import { DuplexSession } from "./duplex-session.js";

it("names a delegation and takes its result by that name (rule 6)", async () => {
  const taken: TextInput[] = [];
  const engine = scriptedEngine({
    script: (input) => {
      taken.push(...input.text);
      const asked = { task: "weather", id: "d1", name: "weather", arguments: { city: "Rome" } };
      return { decision: "listen", ...(input.index === 0 ? { delegation: asked } : {}) };
    },
  });
  const session = await DuplexSession.open({ engine, pace: "as-fast-as-input" });
  session.on("delegation", ({ id, name, arguments: given }) => {
    expect([id, name, given]).toEqual(["d1", "weather", { city: "Rome" }]);
    void session.deliver("sunny", "now", { delegation: id });
    void session.deliver("by the way", "now");
  });
  expect(() => session.deliver("x", "now", { delegation: 1 as never })).toThrow(TypeError);
  await session.writeAudio(new Float32Array(3 * 3200));
  await session.finish({ tailMs: 0 });
  expect(taken.map(({ text, delegation }) => [text, delegation])).toEqual([
    ["sunny", "d1"],
    ["by the way", undefined],
  ]);
});
