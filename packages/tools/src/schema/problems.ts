// Turns what validators find into short sentences for the model: the place first, then what was expected and what came.

import { withPath } from "./json-value.js";

/** One thing that is wrong, as Standard Schema tells it. */
export interface Issue {
  readonly message: string;
  readonly path?: ReadonlyArray<PropertyKey | { readonly key: PropertyKey }> | undefined;
}

/** More of them help no model. */
const maxIssues = 5;

/**
 * @param issues - at least one
 * @returns such as "city: expected string, got nothing; days: too big", at most five of them
 */
export function describeIssues(issues: readonly Issue[]): string {
  const said = issues.slice(0, maxIssues).map(describeIssue);
  if (issues.length > maxIssues) said.push(`and ${issues.length - maxIssues} more`);
  return said.join("; ");
}

function describeIssue({ message, path }: Issue): string {
  // `from`, because ArkType's paths are a class of their own, which `map` would build anew.
  const keys = Array.from(path ?? [], (part) => (typeof part === "object" ? part.key : part));
  const words = shorten(plainly(String(message)));
  const last = keys.at(-1);
  // ArkType begins its sentences with the path.
  return last !== undefined && words.startsWith(`${String(last)} `) && keys.length === 1
    ? words
    : withPath(keys, words);
}

/** Libraries differ in how they begin, and say "undefined" for what is not there. */
function plainly(message: string): string {
  return message
    .replace(/^Invalid (?:input|type|key): (.)/, (_, first: string) => first.toLowerCase())
    .replace(/,? (?:but )?received undefined\b/i, ", got nothing")
    .replace(/,? (?:but )?received /i, ", got ");
}

function shorten(text: string): string {
  return text.length > 300 ? `${text.slice(0, 299)}…` : text;
}
