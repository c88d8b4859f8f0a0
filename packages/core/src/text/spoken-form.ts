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
  "¥": "yen",
  "&": "and",
  "+": "plus",
  "=": "equals",
  "@": "at",
  "×": "times",
  "÷": "divided by",
};

const fractions: Readonly<Record<string, string>> = {
  "½": "a half",
  "⅓": "a third",
  "⅔": "two thirds",
  "¼": "a quarter",
  "¾": "three quarters",
};

/** Letters that no mark can be taken off. */
const plainLetters: Readonly<Record<string, string>> = {
  ...{ ß: "ss", æ: "ae", œ: "oe", ø: "o", đ: "d", ð: "d", ł: "l", ı: "i", þ: "th", ħ: "h" },
};

const irregularOrdinals: Readonly<Record<string, string>> = {
  ...{ one: "first", two: "second", three: "third", five: "fifth", eight: "eighth", nine: "ninth", twelve: "twelfth" },
};

/** Short forms whose dot ends no sentence, as they are read out. */
const shortForms: Readonly<Record<string, string>> = {
  ...{ mr: "mister", mrs: "missis", ms: "miss", dr: "doctor", prof: "professor", st: "saint", vs: "versus" },
};

/**
 * A text as it is read out in English: lower case without accents; numbers, times of day, amounts and common symbols in
 * words; of the punctuation only `,`, `.`, `?` and `'`, with a single space after the first three. What is written in
 * other letters than Latin ones is left out.
 *
 * `"It's 12.5 °C at 7:05 PM!"` becomes `"it's twelve point five degrees c at seven oh five p m."`
 */
export function spokenForm(text: string): string {
  return (
    text
      // First, so that no pattern below meets a run of them.
      .replace(/\s+/g, " ")
      // Before the compatibility forms, which would make "12" of "1²" and "11⁄2" of "1½".
      .replace(/(\d?) ?([½⅓⅔¼¾])/g, (_, whole: string, part: string) =>
        whole === "" ? ` ${fractions[part]} ` : `${whole} and ${fractions[part]} `,
      )
      .replace(/²/g, " squared ")
      .replace(/³/g, " cubed ")
      .normalize("NFKD")
      .replace(/\p{M}+/gu, "")
      .toLowerCase()
      .replace(/[ßæœøđðłıþħ]/g, (letter) => plainLetters[letter])
      .replace(/[\u2018\u2019\u02bc]/g, "'")
      .replace(/[\u2212\u2013]/g, "-")
      .replace(/\b(mr|mrs|ms|dr|prof|st|vs)\.(?= )/g, (_, short: string) => shortForms[short])
      .replace(/\b(e\.g|i\.e)\.?/g, (_, short: string) => (short === "e.g" ? "for example" : "that is"))
      // Letters with dots between them, such as u.s.a.
      .replace(/\b[a-z](?:\.[a-z])+\b\.?/g, (initials) => Array.from(initials.replaceAll(".", "")).join(" "))
      .replace(/(\d) ?([ap]) ?m\b/g, "$1 $2 m ")
      .replace(/(^|[ (])-(?=[$€£¥]?\.?\d)/g, "$1 minus ")
      .replace(/([$€£¥]) ?(\d+(?:,\d{3})*(?:\.\d+)?)( (?:thousand|million|billion|trillion)\b)?/g, amount)
      .replace(/\b([01]?\d|2[0-3]):([0-5]\d)\b/g, (_, hours: string, minutes: string) => timeOfDay(hours, minutes))
      .replace(/\d{1,3}(?:,\d{3})+(?!\d)/g, (number) => number.replaceAll(",", ""))
      .replace(/(?<![\d.])(\d+)(st|nd|rd|th)\b/g, (_, number: string) => ` ${ordinalWords(number)} `)
      // More than one point is no decimal fraction, but a version or an address.
      .replace(/\d+(?:\.\d+)+|\d*\.?\d+/g, decimal)
      .replace(/[%°€$£¥&+=@×÷]/g, (symbol) => ` ${symbols[symbol]} `)
      .replace(/!/g, ".")
      .replace(/[;:]/g, ",")
      .replace(/[^a-z',.?]+/g, " ")
      .replace(/(?<![a-z])'+|'+(?![a-z])/g, "")
      .replace(/ {2,}/g, " ")
      .replace(/ ?([,.?])[ ,.?]*/g, "$1 ")
      .replace(/^[ ,.?]+/, "")
      .trim()
  );
}

function amount(_: string, currency: string, number: string, size = ""): string {
  const one = number === "1" && size === "" && currency !== "¥";
  const unit = symbols[currency];
  return ` ${number}${size} ${one ? unit.slice(0, -1) : unit} `;
}

function decimal(number: string): string {
  const [whole, ...parts] = number.split(".");
  const start = whole === "" ? "zero" : numberWords(whole);
  if (parts.length > 1) return ` ${[start, ...parts.map(numberWords)].join(" point ")} `;
  return ` ${start}${parts.length === 0 ? "" : ` point ${digits(parts[0])}`} `;
}

/** A whole number in words. */
function numberWords(number: string): string {
  if (number.length > longestNumber || (number.length > 1 && number[0] === "0")) return digits(number);
  return words(Number(number));
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
  if (minutes === "00") return ` ${hour} o'clock `;
  return ` ${hour} ${minutes[0] === "0" ? `oh ${small[Number(minutes)]}` : words(Number(minutes))} `;
}
