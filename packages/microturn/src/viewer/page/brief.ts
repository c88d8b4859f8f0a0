// Words and values of the background, cut to what there is room for. Nothing in them is trusted, neither size nor depth.

const deepest = 5;

/** What moves a cursor, ends a line or turns the direction of what is beside it. */
// biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is looked for
const unruly = /[\u0000-\u001f\u007f-\u009f\u2028\u2029\u200e\u200f\u202a-\u202e\u2066-\u2069]+/g;

/** The text as one line of at most `most` characters; an ellipsis is its last one if more was there. */
export function briefText(text: string, most: number): string {
  // Twice as many, so that what is left out as unruly makes no short line of a long text.
  const line = text
    .slice(0, 2 * most)
    .replace(unruly, " ")
    .trim();
  if (line.length <= most) return text.length > 2 * most ? `${line.slice(0, most - 1)}…` : line;
  // Half of a pair is no character.
  return `${line.slice(0, most - 1).replace(/[\ud800-\udbff]$/, "")}…`;
}

/**
 * A value as JSON in one line of at most `most` characters, "" for undefined. Takes time for what it shows, however large the
 * value is, and shows `…` for what lies deeper than five levels.
 */
export function briefJson(value: unknown, most: number): string {
  if (value === undefined) return "";
  const parts: string[] = [];
  let room = most + 1;
  const put = (text: string) => {
    parts.push(text);
    room -= text.length;
  };
  const write = (part: unknown, depth: number): void => {
    if (room <= 0) return;
    if (typeof part === "string") put(JSON.stringify(part.slice(0, room)));
    else if (typeof part !== "object" || part === null) put(String(part));
    else if (depth > deepest) put("…");
    else if (Array.isArray(part)) {
      put("[");
      for (let i = 0; i < part.length && room > 0; i++) {
        if (i > 0) put(",");
        write(part[i], depth + 1);
      }
      put("]");
    } else {
      put("{");
      let first = true;
      for (const name in part) {
        if (room <= 0) break;
        if (!Object.hasOwn(part, name)) continue;
        put(`${first ? "" : ","}${JSON.stringify(name.slice(0, Math.max(0, room)))}:`);
        first = false;
        write((part as Record<string, unknown>)[name], depth + 1);
      }
      put("}");
    }
  };
  write(value, 1);
  return briefText(parts.join(""), most);
}
