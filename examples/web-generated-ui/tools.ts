// What the background can do for this page, and of which shape its results are: the components are typed by these schemas.

import { tool } from "@microturn/tools";
import { z } from "zod";

// A strict page forbids code that is made at run time; Zod then does without, and does not try.
z.config({ jitless: true });

const weather = z.object({
  city: z.string(),
  celsius: z.number(),
  sky: z.string(),
  hours: z.array(z.object({ hour: z.number(), celsius: z.number() })).min(1),
});
/** What {@link tools.weather} gives. */
export type Weather = z.infer<typeof weather>;

const toDoList = z.object({ items: z.array(z.object({ title: z.string(), done: z.boolean() })) });
/** What the tools of the list give: all of it, after what they did. */
export type ToDoList = z.infer<typeof toDoList>;

/** Stands for a database. It begins anew with the page. */
let items: ToDoList["items"] = [
  { title: "buy milk", done: false },
  { title: "call mom", done: true },
];

export const tools = {
  weather: tool({
    description: "The weather of today in a city.",
    inputSchema: z.object({ city: z.string().describe("its name, in English") }),
    outputSchema: weather,
    async execute({ city }, { progress, abortSignal }) {
      progress(`asks the weather station of ${city}`);
      const response = await fetch(`weather/${encodeURIComponent(city.toLowerCase())}.json`, { signal: abortSignal });
      if (!response.ok) throw new Error(`there is no weather station in ${city}`);
      return (await response.json()) as Weather;
    },
  }),
  list_items: tool({
    description: "Everything on the user's to-do list.",
    inputSchema: z.object({}),
    outputSchema: toDoList,
    execute: () => ({ items }),
  }),
  add_item: tool({
    description: "Puts an item on the to-do list.",
    inputSchema: z.object({ title: z.string() }),
    execute({ title }) {
      items = [...items, { title, done: false }];
      return `added: ${title}`;
    },
  }),
  delete_item: tool({
    description: "Deletes an item from the to-do list for good. The user is asked by itself.",
    inputSchema: z.object({ title: z.string().describe("exactly as list_items gives it") }),
    outputSchema: toDoList,
    irreversible: true,
    execute({ title }) {
      if (!items.some((item) => item.title === title)) throw new Error(`there is no item "${title}"`);
      items = items.filter((item) => item.title !== title);
      return { items };
    },
  }),
};
