// What makes two calls the same.

/**
 * JSON with the keys of every object sorted, so that the order in which a model names its arguments makes no difference.
 *
 * @param value - plain JSON, such as `readJson` gives
 */
export function canonicalJson(value: unknown): string {
  return JSON.stringify(value, (_, field: unknown) => {
    if (typeof field !== "object" || field === null || Array.isArray(field)) return field;
    const entries = Object.entries(field);
    return Object.fromEntries(entries.sort(([one], [other]) => (one < other ? -1 : 1)));
  });
}

/** The key of a call as the log has it: the tool, then what tells its calls apart. Names of tools have no spaces. */
export function logKey(name: string, callKey: string): string {
  return `${name} ${callKey}`;
}
