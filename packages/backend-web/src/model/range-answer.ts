// What the answer to a request for a file, or for the rest of one, gives: which bytes its body holds, or what to do instead.
// The rules are those of RFC 9110, sections 13.1.5 (If-Range), 14.4 (Content-Range) and 15.3.7 (206).

/** What tells two versions of a file at one URL apart, as its server names them. */
export interface Validator {
  readonly url: string;
  /** Strong ones only: a weak one does not promise the same bytes. */
  readonly etag?: string;
  readonly lastModified?: string;
}

/** What was asked for. */
export interface Asked {
  readonly url: string;
  /** First byte; 0 asks for the whole file, without a range. */
  readonly from: number;
  /** Bytes of the whole file, as the manifest says. */
  readonly size: number;
  /** Of the bytes that are here already. */
  readonly validator: Validator | undefined;
}

/** What came of it. */
export type Answer =
  /** The body holds the bytes of the file from `from` on. */
  | { readonly kind: "bytes"; readonly from: number }
  /** The rest cannot be had by range: ask for the whole. */
  | { readonly kind: "start-over" }
  /** The server cannot answer now. */
  | { readonly kind: "busy" }
  /** There is no such file, or another one. `problem` goes on after the name of the file. */
  | { readonly kind: "refused"; readonly problem: string };

/** The parts of a `Response` that say what its body is. */
export type AnswerHead = Pick<Response, "status" | "type" | "headers">;

const busy: readonly number[] = [408, 425, 429, 500, 502, 503, 504];

/** Reads the head of an answer. */
export function readAnswer(head: AnswerHead, asked: Asked): Answer {
  const { status } = head;
  const ranged = asked.from > 0;
  if (status === 200) {
    const length = bodyBytes(head);
    // Another origin may hide that it compresses, and the length would then be another one: the bytes themselves decide.
    if (length === undefined || length === asked.size || head.type === "cors") return { kind: "bytes", from: 0 };
    return { kind: "refused", problem: `has ${length} bytes there${kindOf(head)}, the manifest says ${asked.size}` };
  }
  if (ranged && status === 206 && fits(head, asked)) return { kind: "bytes", from: asked.from };
  if (ranged && (status === 206 || status === 416)) return { kind: "start-over" };
  if (busy.includes(status)) return { kind: "busy" };
  return { kind: "refused", problem: status === 404 || status === 410 ? "is not there" : "is not given out" };
}

/** Bytes of a body as its head promises them; undefined if it does not say, or counts compressed ones. */
export function bodyBytes({ headers }: Pick<Response, "headers">): number | undefined {
  const length = headers.get("Content-Length");
  const coding = headers.get("Content-Encoding") ?? "identity";
  return length !== null && /^\d+$/.test(length) && coding === "identity" ? Number(length) : undefined;
}

/** What an answer says of the version that it gives; undefined if nothing that holds for single bytes. */
export function validatorOf({ headers }: Pick<Response, "headers">, url: string): Validator | undefined {
  // What is compressed on the way carries the tag of its compressed form.
  if (headers.get("Content-Encoding") !== null) return undefined;
  const etag = headers.get("ETag");
  const lastModified = headers.get("Last-Modified");
  const strong = etag?.startsWith('"') ? { etag } : {};
  const dated = lastModified === null ? {} : { lastModified };
  return Object.keys({ ...strong, ...dated }).length === 0 ? undefined : { url, ...strong, ...dated };
}

/** " of text/html" where a page came instead of a file: many servers answer any path with one. */
export function kindOf({ headers }: Pick<Response, "headers">): string {
  const type = headers.get("Content-Type") ?? "";
  return type.startsWith("text/html") ? " of text/html" : "";
}

/** Whether a 206 gives what was asked for, of the version that is here. */
function fits({ headers, type }: AnswerHead, { url, from, size, validator }: Asked): boolean {
  const etag = headers.get("ETag");
  const sameVersion =
    validator?.url !== url || validator.etag === undefined || etag === null || etag === validator.etag;
  const range = headers.get("Content-Range");
  // Another origin may hide it: the size and the hash of the whole decide.
  if (range === null) return sameVersion && type === "cors";
  const [, first, last, total] = /^bytes (\d+)-(\d+)\/(\d+|\*)$/.exec(range) ?? [];
  return sameVersion && Number(first) === from && Number(last) < size && (total === "*" || Number(total) === size);
}
