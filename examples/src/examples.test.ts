import { execFile } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import sqlite from "node-sqlite3-wasm";
import { describe, expect, it } from "vitest";

const root = fileURLToPath(new URL("../../", import.meta.url));
// No key of whoever runs the tests is used: the background is the script of the example.
const env = { ...process.env, BACKGROUND_PROVIDER: "script" };
const run = (name: string, ...given: string[]) =>
  promisify(execFile)(process.execPath, [`examples/dist/${name}.js`, ...given], { cwd: root, timeout: 110_000, env });

/** What time-line.ts has printed: finds the micro-turn of the first line after `after` in which a column has certain words. */
function timeLine(stdout: string) {
  let turn = -1;
  const rows = stdout.split("\n").flatMap((line) => {
    const found = /^( {10}| *\d+) {2}(.{0,24})(?: {2}(.{0,24})(?: {2}(.*))?)?$/.exec(
      line.replace("(types) ", "typed: "),
    );
    if (found === null || found[1].length !== 10) return [];
    const [, number, user = "", assistant = "", background = ""] = found;
    turn = number.trim() === "" ? turn : Number(number);
    return [{ turn, user, assistant, background }];
  });
  return {
    rows,
    turnOf(column: "user" | "assistant" | "background", words: RegExp, after = -1): number {
      const found = rows.find((row) => row.turn > after && words.test(row[column]));
      expect(found, `${words} of the ${column} after micro-turn ${after} in\n${stdout}`).toBeDefined();
      return found?.turn ?? -1;
    },
  };
}

describe("the examples", () => {
  it("show in the README exactly what ten-lines.ts is", () => {
    const readme = readFileSync(`${root}README.md`, "utf8");
    const block = /```ts\n([\s\S]*?)```/.exec(readme)?.[1];
    const source = readFileSync(`${root}examples/src/ten-lines.ts`, "utf8");
    expect(block).toBe(source.replace(/^\/\/.*\n\n/, ""));
  });

  describe("run", () => {
    it("ten-lines hears and says something", { timeout: 120_000 }, async () => {
      const { stdout } = await run("ten-lines");
      expect(stdout).toMatch(/heard: \w/);
      expect(stdout).toMatch(/says: {2}\w/);
    });

    it("fork-and-rewind parts and comes back", { timeout: 120_000 }, async () => {
      const { stdout } = await run("fork-and-rewind");
      const parted = /parted at micro-turn (\d+)/.exec(stdout)?.[1];
      expect(parted).toBeDefined();
      expect(stdout).toContain(`back at micro-turn ${parted}`);
    });

    it("hand-over looks up what was asked, and says it", { timeout: 120_000 }, async () => {
      const { stdout } = await run("hand-over");
      expect(stdout).toMatch(/asked to look up: what is the weather like in paris/);
      expect(stdout).toMatch(
        /says: let me look.*in paris it is fourteen degrees with light rain until the evening.*you are welcome/,
      );
    });

    it("mcp-tools asks a server for the trains, and says when the next one leaves", { timeout: 120_000 }, async () => {
      const { stdout } = await run("mcp-tools");
      expect(stdout).toContain("in the background: a script, with departures\n");
      expect(stdout).toContain("asked to look up: when does the next train to paris leave\n");
      expect(stdout).toContain(
        'calls departures with {"to":"Paris"}\ndone: {"departures":[{"to":"Paris","leaves":"14:05"',
      );
      expect(stdout).toMatch(
        /says: let me look.*the next train to paris leaves at fourteen zero five from platform two/,
      );
    });

    it("weather-by-voice answers another question while the tool runs, and tells the weather after that", {
      timeout: 120_000,
    }, async () => {
      const { stdout } = await run("weather-by-voice");
      const { rows, turnOf } = timeLine(stdout);
      const begins = turnOf("background", /^weather \{"city":"paris"\} begins/);
      const done = turnOf("background", /^weather done: \{"celsius":14/);
      const entered = turnOf("background", /^to be said: In paris it is 14 degrees/);
      expect(turnOf("assistant", /^let/)).toBeLessThanOrEqual(begins);
      expect(turnOf("user", /^plus/)).toBeGreaterThan(begins);
      expect(turnOf("assistant", /^seven/)).toBeLessThan(done);
      expect(turnOf("assistant", /fifteen/)).toBeLessThan(entered);
      expect(turnOf("assistant", /^in paris/)).toBeGreaterThanOrEqual(entered);
      const before = rows.filter(({ turn }) => turn >= entered - 3 && turn < entered);
      expect(before.filter(({ user, assistant }) => `${user}${assistant}`.trim() !== "")).toEqual([]);
      expect(stdout).toMatch(
        /says: let me look seven plus eight is fifteen in paris it is fourteen degrees with light rain until the evening/,
      );
    });

    it("to-do-list deletes nothing after a no, and after a yes one row of the file, once", {
      timeout: 120_000,
    }, async () => {
      const folder = mkdtempSync(join(tmpdir(), "microturn-examples-"));
      try {
        const file = join(folder, "list.sqlite");
        const { stdout } = await run("to-do-list", file);
        expect(stdout.match(/on disk: .*/g)).toEqual([
          "on disk: buy milk, call mom, water the plants",
          "on disk: buy milk, call mom, water the plants",
          "on disk: call mom, water the plants",
        ]);
        expect(readFileSync(file).toString("latin1", 0, 15)).toBe("SQLite format 3");
        const database = new sqlite.Database(file, { readOnly: true });
        expect(database.all("SELECT title FROM items")).toEqual([{ title: "call mom" }, { title: "water the plants" }]);
        database.close();

        const { rows, turnOf } = timeLine(stdout);
        const asked = turnOf("background", /^to be said: Shall I delete buy milk/);
        const no = turnOf("user", /^no$/, asked);
        const rejected = turnOf("background", /^delete_item rejected: "the user said: no"/, no);
        const yes = turnOf("user", /^yes$/, turnOf("background", /^to be said: Shall I delete buy milk/, rejected));
        const begins = rows.filter(({ background }) => /^delete_item .* begins/.test(background));
        expect(begins).toHaveLength(1);
        expect(begins[0].turn).toBeGreaterThan(yes);
        // The script asks for it a second time, and is told what became of the first.
        expect(rows.filter(({ background }) => /^delete_item done: "deleted"/.test(background))).toHaveLength(2);
        expect(stdout.match(/deleted from the database/g)).toHaveLength(1);
        expect(stdout).toMatch(
          /says: let me look it is on your list .* i have left it on your list .* it is off your list/,
        );
      } finally {
        rmSync(folder, { recursive: true });
      }
    });

    it("watch-the-screen tells that the build has failed when the picture shows it, and not for a warning before", {
      timeout: 120_000,
    }, async () => {
      const { stdout } = await run("watch-the-screen");
      expect(stdout).toContain("(pictures that came with the question: 4)\n");
      const { rows, turnOf } = timeLine(stdout.slice(0, stdout.indexOf("(the build fails)")));
      const begins = turnOf("background", /^watch_screen \{\} begins/);
      expect(turnOf("assistant", /^let/)).toBeLessThanOrEqual(begins);
      const warned = turnOf("background", /^picture \d+: 1\.0 % red/, begins);
      turnOf("background", /^picture \d+: 1\.0 % red/, warned);
      const told = rows.filter(({ assistant, background }) =>
        /screen done|to be said|^the build|^failed/.test(`${assistant} ${background}`),
      );
      expect(told, "before the build has failed").toEqual([]);

      const after = timeLine(stdout.slice(stdout.indexOf("(the build fails)")));
      const done = after.turnOf("background", /^watch_screen done: \{"failed":true/);
      expect(after.turnOf("background", /^picture \d+: 23\.4 % red/)).toBeLessThanOrEqual(done);
      expect(after.turnOf("background", /^to be said: The build has failed/)).toBeGreaterThanOrEqual(done);
      expect(stdout).toMatch(/says: let me look the build has failed\n/);
    });

    it("server-and-client hears and says something at a server", { timeout: 120_000 }, async () => {
      const { stdout } = await run("server-and-client");
      expect(stdout).toMatch(/a session of mini \d\S+ at http:/);
      expect(stdout).toMatch(/heard: \w/);
      expect(stdout).toMatch(/says: {2}\w/);
    });

    it("batch-of-sessions holds eight conversations at once", { timeout: 120_000 }, async () => {
      const { stdout } = await run("batch-of-sessions");
      expect(stdout).toMatch(/8 conversations, \d+ micro-turns/);
    });
  });
});
