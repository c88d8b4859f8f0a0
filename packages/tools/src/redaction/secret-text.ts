// Finds what looks like a key, a token or a password in text, and takes it out.
// Forms: RFC 6750 and 7617 (HTTP credentials), 7468 (PEM), 7519 (JWT), 3986 (user information in addresses), and the prefixes that
// services document for their keys. Every expression runs in time linear in the text.

/** Stands where something was taken out. */
export const redacted = "[redacted]";

/** Longest run of visible ASCII characters that is let through: no word is as long. */
const maxRunLength = 4096;

/** Of a key with a prefix that tells it. The character before it is kept. */
const keyForms = [
  "[srp]k-[A-Za-z0-9_-]{16,}",
  "[srp]k_(?:live|test)_[A-Za-z0-9]{10,}",
  "gh[a-z]_[A-Za-z0-9]{20,}",
  "github_pat_[A-Za-z0-9_]{20,}",
  "glpat-[A-Za-z0-9_-]{16,}",
  "xox[a-z]-[A-Za-z0-9-]{10,}",
  "AIza[A-Za-z0-9_-]{30,}",
  "A(?:KIA|SIA|ROA|IDA)[A-Z0-9]{16}",
  "npm_[A-Za-z0-9]{30,}",
  "hf_[A-Za-z0-9]{20,}",
  "ya29\\.[A-Za-z0-9_-]{20,}",
  "SG\\.[A-Za-z0-9_-]{16,}\\.[A-Za-z0-9_-]{16,}",
  "eyJ[A-Za-z0-9_-]{8,}\\.[A-Za-z0-9_-]{8,}(?:\\.[A-Za-z0-9_-]*)?",
];
const keys = new RegExp(`(^|[^A-Za-z0-9_-])(?:${keyForms.join("|")})`, "g");
const pem = /-----BEGIN [A-Z0-9 ]{1,40}-----[\s\S]*?(?:-----END [A-Z0-9 ]{1,40}-----|$)/g;
const credentials = /\b(bearer|basic)(\s+)(?=[A-Za-z._~+/=-]{0,256}[0-9])[A-Za-z0-9._~+/=-]{12,}/gi;
const addressUser =
  /([a-z][a-z0-9+.-]{1,20}:\/\/)[\x21-\x2e\x30-\x39\x3b-\x3f\x41-\x7e]{0,256}:[\x21-\x2e\x30-\x3f\x41-\x7e]{1,256}@/gi;
const addressQuery =
  /([?&](?:access_token|refresh_token|id_token|token|api[-_]?key|key|sig|signature|secret|client_secret|password|auth)=)[\x21\x24\x25\x28-\x7e]+/gi;
const run = /[\x21-\x7e]+/g;
/** A value beside a name that looks secret, as in settings, headers and JSON. */
const assignment =
  /((?:api|access|private|secret)[-_ ]?key|secret|token|passw(?:or)?d|passphrase|pwd|authorization|cookie)(["']?\s{0,8}[:=]\s{0,8}["']?)(?:(?:bearer|basic)\s{1,8})?[^\s"',;&[\]{}]{3,}/gi;

/**
 * Takes out of prose what cannot be meant to be read: keys, tokens, PEM blocks, and `secrets` as they are.
 *
 * @param secrets - exact values, longest first: see {@link secretForms}
 */
export function redactWords(text: string, secrets: readonly string[] = []): string {
  let out = text;
  for (const secret of secrets) if (out.includes(secret)) out = out.replaceAll(secret, redacted);
  if (out.length > maxRunLength) out = out.replace(run, (one) => (one.length > maxRunLength ? redacted : one));
  return out
    .replace(pem, redacted)
    .replace(credentials, `$1$2${redacted}`)
    .replace(keys, `$1${redacted}`)
    .replace(addressUser, `$1${redacted}@`)
    .replace(addressQuery, `$1${redacted}`);
}

/** As {@link redactWords}, for what programs write: values beside a name that looks secret go too (`password=…`). */
export function redactText(text: string, secrets: readonly string[] = []): string {
  return redactWords(text, secrets).replace(assignment, `$1$2${redacted}`);
}

/**
 * The forms in which exact values are looked for: as they are, inside JSON and inside addresses; longest first.
 *
 * @throws RangeError for one of fewer than 4 characters, which would take out all sorts of text, or of more than 4096
 */
export function secretForms(secrets: readonly string[]): readonly string[] {
  const forms = new Set<string>();
  for (const secret of secrets) {
    if (typeof secret !== "string") throw new TypeError("secrets: expected strings");
    if (secret.length < 4 || secret.length > maxRunLength) {
      throw new RangeError(`secrets: expected 4 to ${maxRunLength} characters each, got ${secret.length}`);
    }
    forms.add(secret);
    forms.add(JSON.stringify(secret).slice(1, -1));
    forms.add(inAddress(secret));
  }
  return [...forms].sort((a, b) => b.length - a.length);
}

/** As a part of an address. A text with half a surrogate pair cannot be one. */
function inAddress(secret: string): string {
  try {
    return encodeURIComponent(secret);
  } catch {
    return secret;
  }
}

const begin = "-----BEGIN";
const beginMark = /^-----BEGIN [A-Z0-9 ]{1,40}-----/;
const endMark = /-----END [A-Z0-9 ]{1,40}-----/;
const markLength = 64;
/** How much is held at most; more can only be a PEM block, or a run that is taken out. */
const maxHeld = 16_384;
/** Where no token of any form goes on: white space, or a character that is not ASCII. */
const border = /[^\x21-\x7e]/;

/**
 * {@link redactWords} for text that comes in pieces: together the pieces give what the whole would. It holds back the last word, and
 * whatever may be the beginning of something that goes.
 */
export class WordRedactor {
  readonly #secrets: readonly string[];
  /** Those that may go across white space. */
  readonly #phrases: readonly string[];
  #held = "";
  #dropping: "nothing" | "run" | "pem" = "nothing";

  /** @param secrets - see {@link secretForms} */
  constructor(secrets: readonly string[] = []) {
    this.#secrets = secrets;
    this.#phrases = secrets.filter((secret) => border.test(secret));
  }

  /** Takes more text; gives what is certain. */
  push(text: string): string {
    this.#held += text;
    let out = "";
    // A piece may end what is dropped and begin the next.
    for (let before = -1; before !== this.#held.length; ) {
      before = this.#held.length;
      if (this.#dropping === "run") this.#dropRun();
      else if (this.#dropping === "pem") this.#dropBlock();
      else out += this.#release();
    }
    return out;
  }

  /** The rest. It can be used anew after that. */
  end(): string {
    const rest = this.#dropping === "nothing" ? redactWords(this.#held, this.#secrets) : "";
    this.#held = "";
    this.#dropping = "nothing";
    return rest;
  }

  #release(): string {
    const held = this.#held;
    const runStart = lastBorder(held, held.length);
    if (held.length - runStart > maxRunLength) {
      this.#dropping = "run";
      return redactWords(held.slice(0, runStart), this.#secrets) + redacted;
    }
    const open = openBlock(held, held.length);
    if (open !== undefined && held.length - open > maxHeld) {
      this.#dropping = "pem";
      this.#held = held.slice(open);
      return redactWords(held.slice(0, open), this.#secrets) + redacted;
    }
    let cut = runStart;
    for (let before = -1; before !== cut; ) {
      before = cut;
      cut = openBlock(held, cut) ?? cut;
      cut = lastBorder(held, this.#beforePhrases(beforeCredentials(held, cut)));
    }
    this.#held = held.slice(cut);
    return redactWords(held.slice(0, cut), this.#secrets);
  }

  #dropRun(): void {
    const end = this.#held.search(border);
    this.#held = end < 0 ? "" : this.#held.slice(end);
    if (end >= 0) this.#dropping = "nothing";
  }

  #dropBlock(): void {
    const end = endMark.exec(this.#held);
    if (end === null) this.#held = this.#held.slice(-markLength);
    else {
      this.#held = this.#held.slice(end.index + end[0].length);
      this.#dropping = "nothing";
    }
  }

  /** The place before every phrase that goes across `cut`, or may do so once more has come. */
  #beforePhrases(cut: number): number {
    const held = this.#held;
    let place = cut;
    for (const phrase of this.#phrases) {
      for (let from = Math.max(0, cut - phrase.length + 1); from < cut; from++) {
        if (held[from] !== phrase[0]) continue;
        if (!held.startsWith(phrase, from) && !phrase.startsWith(held.slice(from))) continue;
        place = Math.min(place, from);
        break;
      }
    }
    return place;
  }
}

/** The last place up to `cut` where no token goes on. */
function lastBorder(text: string, cut: number): number {
  let place = cut;
  while (place > 0 && !border.test(text[place - 1])) place--;
  return place;
}

/** Leaves "bearer " with what comes after it. */
function beforeCredentials(text: string, cut: number): number {
  let end = cut;
  while (end > 0 && /\s/.test(text[end - 1])) end--;
  const word = text.slice(Math.max(0, end - 6), end).toLowerCase();
  if (word.endsWith("bearer")) return end - 6;
  return word.endsWith("basic") ? end - 5 : cut;
}

/** Where a PEM block begins that has not ended before `cut`, or what may become one. */
function openBlock(text: string, cut: number): number | undefined {
  for (let from = 0; ; ) {
    const start = text.indexOf(begin, from);
    if (start < 0 || start >= cut) return undefined;
    const rest = text.slice(start);
    if (beginMark.test(rest)) {
      const end = endMark.exec(rest);
      if (end === null || start + end.index + end[0].length > cut) return start;
      from = start + end.index + end[0].length;
    } else {
      if (rest.length < markLength) return start;
      from = start + begin.length;
    }
  }
}
