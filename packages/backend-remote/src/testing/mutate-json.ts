// Broken messages out of right ones, for tests of JSON wires: the same seed gives the same messages.

/** Values that break what trusts a type or a range. */
const hostile: readonly unknown[] = [
  ...[
    null,
    true,
    false,
    0,
    -1,
    1e308,
    -0.5,
    Number.MAX_SAFE_INTEGER,
    "",
    " ",
    "\u0000",
    "NaN",
    "Infinity",
    "-1s",
    "1e999s",
  ],
  ...[
    "AAAA",
    "*".repeat(9),
    "=".repeat(5),
    "x".repeat(5000),
    "\ud800",
    "__proto__",
    [],
    {},
    [[]],
    [null],
    { length: 9 },
  ],
  ...[{ toString: 1 }, { constructor: { prototype: 1 } }, Array.from({ length: 300 }, () => ({}))],
];

/** Numbers in [0, 1) by mulberry32. */
export function seededRandom(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

/**
 * A right message, broken in one to four places: in its values, its keys, or its characters.
 *
 * @param corpus - right messages, as text
 */
export function mutateJson(corpus: readonly string[], random: () => number): string {
  const pick = <Value>(values: readonly Value[]) => values[Math.floor(random() * values.length)];
  let value: unknown = JSON.parse(pick(corpus));
  const places = Math.floor(random() * 4);
  for (let i = 0; i < places; i++) value = breakValue(value, pick, random);
  const text = JSON.stringify(value) ?? "";
  return random() < 0.3 ? breakText(text, pick, random) : text;
}

type Pick = <Value>(values: readonly Value[]) => Value;

function breakValue(value: unknown, pick: Pick, random: () => number): unknown {
  if (typeof value !== "object" || value === null || random() < 0.15) return pick(hostile);
  const copy = (Array.isArray(value) ? [...value] : { ...value }) as Record<string, unknown>;
  const keys = Object.keys(copy);
  if (keys.length === 0) return pick(hostile);
  const key = pick(keys);
  const chance = random();
  if (chance < 0.1) delete copy[key];
  else if (chance < 0.2) copy[`${key}${pick(["s", "", "_"])}`] = pick(hostile);
  else if (chance < 0.3) copy[pick(keys)] = copy[key];
  else copy[key] = breakValue(copy[key], pick, random);
  return copy;
}

function breakText(text: string, pick: Pick, random: () => number): string {
  const at = Math.floor(random() * (text.length + 1));
  const to = Math.min(text.length, at + Math.floor(random() * 20));
  const piece = pick([
    "",
    "{",
    "}",
    "[",
    '"',
    ",",
    "\\u",
    "\u0000",
    "9".repeat(400),
    text.slice(at, to),
    text.slice(0, 40),
  ]);
  return text.slice(0, at) + piece + text.slice(random() < 0.5 ? at : to);
}
