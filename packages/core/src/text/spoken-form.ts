// A text as it is read out: small letters, numbers in words, symbols in words. English.

const small =
  "zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen seventeen eighteen nineteen".split(
    " ",
  );
const tens = "_ _ twenty thirty forty fifty sixty seventy eighty ninety".split(" ");
const large = [
  [1e12, "trillion"],
  [1e9, "billion"],
  [1e6, "million"],
  [1000, "thousand"],
  [100, "hundred"],
] as const;
/** Digits beyond which a number is read digit by digit. */
const longestNumber = 15;

const symbols: Readonly<Record<string, string>> = {
  "%": "percent",
  "°": "degrees",
  "€": "euros",
  $: "dollars",
  "£": "pounds",
  "&": "and",
  "+": "plus",
  "=": "equals",
  "@": "at",
  "×": "times",
  "÷": "divided by",
};

/**
 * A text as it is read out in English: lower case without accents; numbers, times of day and common symbols in words;
 * of the punctuation only `,`, `.`, `?` and `'`, with a single space after the first three.
 *
 * `"It's 12.5 °C at 7:05!"` becomes `"it's twelve point five degrees c at seven oh five."`
 */
export function spokenForm(text: string): string {
  return text
    .normalize("NFKD")
    .replace(/\p{M}/gu, "")
    .toLowerCase()
    .replace(/[\u2018\u2019\u02bc]/g, "'")
    .replace(/ß/g, "ss")
    .replace(/([$€£])\s*(\d[\d,]*(?:\.\d+)?)/g, "$2 $1")
    .replace(/\b([01]?\d|2[0-3]):([0-5]\d)\b/g, (_, hours: string, minutes: string) => ` ${timeOfDay(hours, minutes)} `)
    .replace(/(?<![\w.])[-−](?=\d)/g, " minus ")
    .replace(/\d{1,3}(?:,\d{3})+(?!\d)/g, (number) => number.replaceAll(",", ""))
    .replace(/(\d+)(?:\.(\d+))?(?:(st|nd|rd|th)\b)?/g, (_, whole: string, part?: string, ordinal?: string) =>
      part === undefined && ordinal !== undefined
        ? ` ${ordinalWords(whole)} `
        : ` ${numberWords(whole)}${part === undefined ? "" : ` point ${digits(part)}`} `,
    )
    .replace(/[%°€$£&+=@×÷]/g, (symbol) => ` ${symbols[symbol]} `)
    .replace(/[!;:]/g, (mark) => (mark === "!" ? "." : ","))
    .replace(/[^a-z',.?]+/g, " ")
    .replace(/(?<![a-z])'+|'+(?![a-z])/g, "")
    .replace(/\s*([,.?])[\s,.?]*/g, "$1 ")
    .replace(/ {2,}/g, " ")
    .replace(/^[ ,.?]+/, "")
    .trim();
}

/** A whole number in words. */
function numberWords(number: string): string {
  const value = Number(number);
  if (number.length > longestNumber || (number.length > 1 && number[0] === "0")) return digits(number);
  return words(value);
}

function words(value: number): string {
  if (value < 20) return small[value];
  if (value < 100) return tens[Math.floor(value / 10)] + (value % 10 === 0 ? "" : ` ${small[value % 10]}`);
  for (const [size, name] of large) {
    if (value < size) continue;
    const rest = value % size;
    return `${words(Math.floor(value / size))} ${name}${rest === 0 ? "" : ` ${words(rest)}`}`;
  }
  return small[0];
}

const irregularOrdinals: Readonly<Record<string, string>> = {
  one: "first",
  two: "second",
  three: "third",
  five: "fifth",
  eight: "eighth",
  nine: "ninth",
  twelve: "twelfth",
};

function ordinalWords(number: string): string {
  const said = numberWords(number);
  const last = said.slice(said.lastIndexOf(" ") + 1);
  const ordinal = irregularOrdinals[last] ?? (last.endsWith("y") ? `${last.slice(0, -1)}ieth` : `${last}th`);
  return said.slice(0, said.length - last.length) + ordinal;
}

function digits(number: string): string {
  return Array.from(number, (digit) => small[Number(digit)]).join(" ");
}

function timeOfDay(hours: string, minutes: string): string {
  const hour = words(Number(hours));
  if (minutes === "00") return `${hour} o'clock`;
  return `${hour} ${minutes[0] === "0" ? `oh ${small[Number(minutes)]}` : words(Number(minutes))}`;
}
