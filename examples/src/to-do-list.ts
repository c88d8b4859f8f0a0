// A to-do list in a SQLite database, changed by voice: what can be put right is done at once, and what cannot is asked for first.
// Nothing but a clear yes of the user deletes an item, and it deletes it once.
//
//   node examples/dist/to-do-list.js [file of the database; default a new one, which goes when the example ends]

import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { nodeBackend } from "@microturn/backend-node";
import { DuplexSession } from "@microturn/core";
import { localEngine } from "@microturn/core/local";
import { mini } from "@microturn/mini";
import { approveByVoice, backgroundModel, tool } from "@microturn/tools";
import sqlite from "node-sqlite3-wasm";
import { z } from "zod";
import { backgroundLanguageModel } from "./background-language-model.js";
import { microphone } from "./microphone.js";
import { scriptedLanguageModel } from "./scripted-language-model.js";
import { printTimeLine } from "./time-line.js";

const folder = await mkdtemp(join(tmpdir(), "to-do-list-"));
const file = process.argv[2] ?? join(folder, "list.sqlite");
const database = new sqlite.Database(file);
database.exec("CREATE TABLE IF NOT EXISTS items (id INTEGER PRIMARY KEY, title TEXT NOT NULL UNIQUE)");
database.exec("INSERT OR IGNORE INTO items (title) VALUES ('buy milk'), ('call mom')");

/** What is in the file, as anybody else finds it there. */
function onDisk(): string {
  const reader = new sqlite.Database(file, { readOnly: true });
  const rows = reader.all("SELECT title FROM items ORDER BY id");
  reader.close();
  return rows.map(({ title }) => title).join(", ");
}

const item = z.object({ title: z.string().describe("exactly as list_items gives it") });
const tools = {
  list_items: tool({
    description: "Everything on the user's to-do list.",
    inputSchema: z.object({}),
    execute: () => database.all("SELECT title FROM items ORDER BY id").map(({ title }) => title),
  }),
  add_item: tool({
    description: "Puts an item on the to-do list.",
    inputSchema: z.object({ title: z.string() }),
    execute: ({ title }) => database.run("INSERT OR IGNORE INTO items (title) VALUES (?)", [title]).changes,
  }),
  delete_item: tool({
    description: "Deletes an item from the to-do list for good. The user is asked by itself.",
    inputSchema: item,
    irreversible: true,
    execute({ title }) {
      const { changes } = database.run("DELETE FROM items WHERE title = ?", [title]);
      if (changes === 0) throw new Error(`there is no item "${title}"`);
      console.log(`(deleted from the database: ${title})`);
      return "deleted";
    },
  }),
};

/** What a language model would do, where there is none. It asks for each deletion twice, as language models do at times. */
const script = scriptedLanguageModel(({ asked, results }) => {
  const task = /<task>\s*(.*?)\s*<\/task>/s.exec(asked)?.[1] ?? "";
  const [first, second, third] = results.map((result) => JSON.parse(result));
  const title = /remind me to (.*)/.exec(task)?.[1];
  if (title !== undefined && first === undefined) return { call: "add_item", input: { title } };
  if (title !== undefined) return { say: "It is on your list." };
  if (first === undefined) return { call: "list_items", input: {} };
  const meant = first.result.find((one: string) => task.includes(one));
  if (!task.includes("delete") || meant === undefined) return { say: `On your list: ${first.result.join(", ")}.` };
  if (second === undefined || (second.outcome === "done" && third === undefined)) {
    return { call: "delete_item", input: { title: meant } };
  }
  return { say: second.outcome === "done" ? "It is off your list." : "I have left it on your list." };
});

const { model, name } = await backgroundLanguageModel(script);
console.log(`in the background: ${name}`);
const background = backgroundModel({
  model,
  tools,
  approve: (call, context) =>
    context.session !== undefined && approveByVoice(context.session, { question })(call, context),
});

function question({ arguments: given }: { readonly arguments: unknown }): string {
  return `Shall I delete ${item.parse(given).title}, yes or no?`;
}

const backend = await nodeBackend();
const session = await DuplexSession.open({
  engine: localEngine({ model: mini, backend }),
  background,
  // A script answers at once. A language model takes its time, and so does the conversation with it.
  pace: model === script ? "as-fast-as-input" : "realtime",
});
const timeLine = printTimeLine(session);
const user = microphone(session);

let over = 0;
session.on("background-end", () => {
  over++;
});

/**
 * The user types a wish, is asked, answers, and hears what came of it. What is typed is spoken into mini's ear, which knows "yes" and "no"
 * and few words of the wishes; but enough to hand them over, and the background gets them as they were typed.
 */
async function wish(task: string, answer?: string): Promise<void> {
  const before = { over, asked: timesAsked() };
  await user.silence(1000);
  session.sendText(task);
  await user.silenceUntil("it is done, or needs a yes", () => over > before.over || timesAsked() > before.asked);
  if (answer !== undefined && timesAsked() > before.asked) {
    await user.silence(800);
    session.sendText(answer);
  }
  await user.silenceUntil("it is done", () => over > before.over);
  await user.silence(4000);
  console.log(`on disk: ${onDisk()}`);
}

function timesAsked(): number {
  return timeLine.said.split("yes or no").length - 1;
}

await wish("please remind me to water the plants");
await wish("please take buy milk off the list, delete it", "no");
await wish("buy milk is done, please delete it", "yes");
await session.finish();
console.log(`says: ${timeLine.said}`);
await background.close();
await backend.close();
database.close();
await rm(folder, { recursive: true });
