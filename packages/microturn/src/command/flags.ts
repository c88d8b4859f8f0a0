// Reads flags by a table: what each takes, what it may be, and what the help says of it.

import { parseArgs } from "node:util";
import { nearest } from "./nearest.js";
import { UsageError } from "./usage-error.js";

/** One flag of a command. */
export interface Flag {
  /** Placeholder of the value in the help; absent for a switch. */
  readonly value?: string;
  readonly short?: string;
  readonly help: string;
}

/** Flags by name. */
export type Flags = Readonly<Record<string, Flag>>;

/** What was given on the command line. */
export interface Given {
  readonly positionals: readonly string[];
  /** A switch is `""`. */
  readonly values: ReadonlyMap<string, string>;
}

/**
 * Splits arguments into flags and the rest.
 *
 * @throws UsageError for an unknown flag (naming the nearest), a missing value, or a value where none belongs
 */
export function readFlags(command: string, args: readonly string[], flags: Flags): Given {
  const options = Object.fromEntries(
    Object.entries(flags).map(([name, flag]) => [
      name,
      {
        type: flag.value === undefined ? "boolean" : "string",
        ...(flag.short === undefined ? {} : { short: flag.short }),
      } as const,
    ]),
  );
  const { tokens } = parseArgs({ args: [...args], options, strict: false, allowPositionals: true, tokens: true });
  const positionals: string[] = [];
  const values = new Map<string, string>();
  for (const token of tokens) {
    if (token.kind === "positional") positionals.push(token.value);
    if (token.kind !== "option") continue;
    const flag = Object.hasOwn(flags, token.name) ? flags[token.name] : undefined;
    if (flag === undefined) {
      const hint = nearest(token.name, Object.keys(flags));
      const help = `see microturn ${command} --help`;
      throw new UsageError(`unknown flag ${token.rawName}; ${hint === undefined ? help : `did you mean --${hint}?`}`);
    }
    if (flag.value === undefined) {
      if (token.value !== undefined) throw new UsageError(`${token.rawName} takes no value, got "${token.value}"`);
      values.set(token.name, "");
      continue;
    }
    // `--out --mix` would otherwise write a file called "--mix".
    if (token.value === undefined || token.value === "" || (!token.inlineValue && token.value.startsWith("--"))) {
      const name = `--${token.name}`;
      throw new UsageError(`${name} needs a value: ${name} ${flag.value}`);
    }
    values.set(token.name, token.value);
  }
  return { positionals, values };
}

/** A number in a range, or undefined when the flag was not given. @throws UsageError otherwise */
export function numberFlag(
  given: Given,
  name: string,
  { min, max, integer = false }: { min: number; max: number; integer?: boolean },
): number | undefined {
  const text = given.values.get(name);
  if (text === undefined) return undefined;
  const value = text.trim() === "" ? Number.NaN : Number(text);
  if (!(value >= min && value <= max) || (integer && !Number.isInteger(value))) {
    throw new UsageError(
      `--${name} must be ${integer ? "a whole number" : "a number"} from ${min} to ${max}, got "${text}"`,
    );
  }
  return value;
}

/** One of a few words, or undefined when the flag was not given. @throws UsageError otherwise */
export function choiceFlag<T extends string>(given: Given, name: string, choices: readonly T[]): T | undefined {
  const text = given.values.get(name);
  if (text === undefined) return undefined;
  const found = choices.find((choice) => choice === text);
  if (found === undefined) throw new UsageError(`--${name} must be one of ${choices.join(", ")}, got "${text}"`);
  return found;
}

/** Help text of a table of flags. */
export function flagHelp(flags: Flags): string {
  const rows = Object.entries(flags).map(([name, flag]) => {
    const short = flag.short === undefined ? "" : `-${flag.short}, `;
    return [`  ${short}--${name}${flag.value === undefined ? "" : ` ${flag.value}`}`, flag.help] as const;
  });
  const width = Math.max(...rows.map(([left]) => left.length)) + 2;
  return rows.map(([left, help]) => left.padEnd(width) + help).join("\n");
}
