// Words of an MCP server on their way to a model: without what a person would not see, and never longer than they may be.
// Text can be hidden in characters that have no picture (zero width, direction, tags, variation selectors); models read it.

const unseen = /(?:[\p{Cc}\p{Cf}\p{Co}\p{Cs}\p{Zl}\p{Zp}]|\p{Variation_Selector})+/gu;

/**
 * One line of what a server says.
 *
 * @param text - whatever came; anything but a string counts as nothing
 * @param maxChars - UTF-16 units of the result, at most; what is longer ends in `…`
 */
export function oneLine(text: unknown, maxChars: number): string {
  if (typeof text !== "string") return "";
  // What is far too long is cut before it is read: a server may send megabytes.
  const seen = text
    .slice(0, maxChars * 4)
    .replace(unseen, " ")
    .replace(/\s+/gu, " ")
    .trim();
  const whole = text.length <= maxChars * 4;
  if (whole && seen.length <= maxChars) return seen;
  return `${seen.slice(0, maxChars - 1).replace(/[\uD800-\uDBFF]$/, "")}…`;
}

/** {@link oneLine} in quotation marks, those inside it escaped: what is quoted cannot end its own quotation. */
export function quoted(text: unknown, maxChars: number): string {
  return JSON.stringify(oneLine(text, maxChars));
}

/** Whether a value is an object of JSON: neither null nor an array. */
export function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
