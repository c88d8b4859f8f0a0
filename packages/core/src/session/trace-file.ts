// A trace as a file: JSON with one readable row per micro-turn, and the bulk (sound, images, levels) in gzipped tracks.
// Format: docs/session-rules.md, "The trace file". Version 1.

import type { BackgroundActivity } from "../background.js";
import type { Delegation, ImageFrame, TextInput } from "../engine.js";
import { DuplexError } from "../errors.js";
import type { SessionTrace, TraceHeader, TraceTurn, TraceTurnInput, TraceTurnOutput } from "./trace.js";
import { Fields } from "./trace-fields.js";
import type { TurnTiming } from "./turn.js";

const format = "microturn-trace";
const version = 1;
const trackNames = ["audio", "speech", "images", "controls", "dmel", "experts"] as const;
type TrackName = (typeof trackNames)[number];

/** Id of the script element that holds a trace inside an HTML page, which {@link readTrace} reads too. */
export const traceElementId = "microturn-trace";

// --- writing ---

/**
 * A trace as JSON text, safe to embed in a `<script type="application/json" id="microturn-trace">` element.
 *
 * Sound, images and levels are gzipped; the rows stay readable.
 */
export async function writeTrace(trace: SessionTrace): Promise<string> {
  const tracks = new Map<TrackName, Uint8Array[]>(trackNames.map((name) => [name, []]));
  const add = (name: TrackName, data: ArrayBufferView) => {
    tracks.get(name)?.push(new Uint8Array(data.buffer, data.byteOffset, data.byteLength));
    return data.byteLength;
  };
  const turns = trace.turns.map((turn) => {
    const { audio, images, paddedSamples, text, stale, forceListen, played } = turn.input;
    const { speech, ...output } = turn.output;
    if (audio !== undefined) add("audio", audio);
    if (speech !== undefined) add("speech", speech);
    return {
      index: turn.index,
      startMs: turn.startMs,
      input: {
        ...(audio === undefined ? {} : { audio: audio instanceof Int16Array ? "int16" : "float32" }),
        ...(paddedSamples === 0 ? {} : { paddedSamples }),
        ...(images.length === 0
          ? {}
          : {
              images: images.map(({ data, width, height, timeMs }) => ({
                width,
                height,
                timeMs,
                bytes: add("images", data),
              })),
            }),
        ...(text.length === 0 ? {} : { text }),
        ...(stale === undefined ? {} : { stale }),
        ...(forceListen ? { forceListen } : {}),
        ...(played === undefined ? {} : { played }),
      },
      output: { ...output, ...(speech === undefined ? {} : { speech: "int16" }) },
      timing: rounded(turn.timing),
      ...(turn.background === undefined ? {} : { background: turn.background }),
      ...(turn.controls === undefined ? {} : { controls: add("controls", turn.controls) }),
      ...(turn.dmel === undefined ? {} : { dmel: add("dmel", turn.dmel) }),
      ...(turn.expertLoad === undefined ? {} : { experts: add("experts", turn.expertLoad) }),
    };
  });
  const packed: Record<string, string> = {};
  for (const [name, parts] of tracks) if (parts.length > 0) packed[name] = base64(await gzip(parts));
  const file = { format, version, header: trace.header, turns, tracks: packed };
  return JSON.stringify(file)
    .replaceAll("<", "\\u003c")
    .replaceAll("\u2028", "\\u2028")
    .replaceAll("\u2029", "\\u2029");
}

function rounded(timing: TurnTiming): TurnTiming {
  const entries = Object.entries(timing).map(([name, value]) => [
    name,
    typeof value === "number" ? Math.round(value * 100) / 100 : value,
  ]);
  return Object.fromEntries(entries) as TurnTiming;
}

// --- reading ---

/** Limits of {@link readTrace}. */
export interface ReadTraceOptions {
  /** Bytes of the file, and of what is unpacked from it, at most; default 1 GiB each. */
  readonly maxBytes?: number;
}

/**
 * Reads what {@link writeTrace} wrote, alone or inside an HTML page. Nothing in it is trusted.
 *
 * @param file - text, or UTF-8 bytes
 * @throws DuplexError `TRACE_INVALID` if it is not a trace, of another version, too large, or contradicts itself
 */
export async function readTrace(file: string | Uint8Array, options: ReadTraceOptions = {}): Promise<SessionTrace> {
  const { maxBytes = 2 ** 30 } = options;
  if (file.length > maxBytes) throw invalid(`expected at most ${maxBytes} bytes, got ${file.length}; raise maxBytes`);
  const root = Fields.of(parse(typeof file === "string" ? file : decodeText(file)), "trace", invalid);
  const name = root.text("format");
  if (name !== format) throw invalid(`expected format "${format}", got "${name}"`);
  const got = root.integer("version", 0, 1e6);
  if (got !== version) throw invalid(`expected version ${version}, got ${got}; read it with the release that wrote it`);
  const header = readHeader(root.object("header"));
  const rows = root.objects("turns", 10_000_000);
  rows.forEach((row, i) => {
    const index = row.integer("index", 0, 2 ** 40);
    if (index !== header.firstTurn + i) {
      throw invalid(`expected micro-turn ${header.firstTurn + i} in row ${i}, got ${index}`);
    }
  });
  const samples = turnSamples(header);
  const sizes = trackSizes(rows, samples);
  let total = 0;
  for (const size of Object.values(sizes)) total += size;
  if (total > maxBytes)
    throw invalid(`expected at most ${maxBytes} bytes when unpacked, its rows name ${total}; raise maxBytes`);
  const packed = root.object("tracks");
  const tracks = {} as Record<TrackName, Track>;
  for (const track of trackNames) {
    const data = packed.optionalText(track);
    if (data === undefined && sizes[track] > 0)
      throw invalid(`its rows name ${sizes[track]} bytes of "${track}", the track is missing`);
    tracks[track] = new Track(data === undefined ? new Uint8Array(0) : await unpack(track, data, sizes[track]));
  }
  const turns = rows.map((row) => readTurn(row, samples, tracks));
  return { header, turns };
}

/** Bytes that have been unpacked, handed out from front to back. */
class Track {
  #at = 0;
  readonly #bytes: Uint8Array;

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes;
  }

  /** A copy of the next bytes, so that it is aligned for any element type. */
  next(bytes: number): Uint8Array<ArrayBuffer> {
    const part = this.#bytes.slice(this.#at, this.#at + bytes);
    this.#at += bytes;
    return part;
  }
}

interface TurnSamples {
  readonly input: number;
  readonly output: number;
}

function turnSamples(header: TraceHeader): TurnSamples {
  const count = (sampleRate: number) => Math.round((sampleRate * header.turnDurationMs) / 1000);
  return { input: count(header.inputSampleRate), output: count(header.outputSampleRate) };
}

function trackSizes(rows: readonly Fields[], samples: TurnSamples): Record<TrackName, number> {
  const sizes: Record<TrackName, number> = { audio: 0, speech: 0, images: 0, controls: 0, dmel: 0, experts: 0 };
  for (const row of rows) {
    const input = row.object("input");
    sizes.audio += audioBytes(input.optionalOneOf("audio", ["int16", "float32"]), samples.input);
    sizes.speech += audioBytes(row.object("output").optionalOneOf("speech", ["int16"]), samples.output);
    for (const image of input.optionalObjects("images", 10_000)) sizes.images += imageBytes(image);
    for (const name of ["controls", "dmel", "experts"] as const) sizes[name] += row.optionalInteger(name, 0, 1e6) ?? 0;
  }
  return sizes;
}

function audioBytes(coding: "int16" | "float32" | undefined, samples: number): number {
  return coding === undefined ? 0 : samples * (coding === "int16" ? 2 : 4);
}

function imageBytes(image: Fields): number {
  const pixels = image.integer("width", 1, 100_000) * image.integer("height", 1, 100_000);
  const bytes = image.integer("bytes", 1, 2 ** 40);
  if (bytes !== 3 * pixels && bytes !== 4 * pixels) {
    throw invalid(`${image.path}: expected 3 or 4 bytes for each of ${pixels} pixels, got ${bytes}`);
  }
  return bytes;
}

function readHeader(fields: Fields): TraceHeader {
  const engine = fields.optionalObject("engine");
  const experts = fields.optionalIntegers("experts", 2, 1, 100_000);
  const files = engine?.optionalObject("files");
  return {
    startedAt: fields.text("startedAt"),
    firstTurn: fields.integer("firstTurn", 0, 2 ** 40),
    turnDurationMs: fields.number("turnDurationMs", 1, 60_000),
    inputSampleRate: fields.integer("inputSampleRate", 1000, 1_000_000),
    outputSampleRate: fields.integer("outputSampleRate", 1000, 1_000_000),
    seed: fields.integer("seed", 0, 0xffffffff),
    temperature: fields.number("temperature", 0, 2),
    deadline: fields.oneOf("deadline", ["catch-up", "shed-video", "strict"]),
    pace: fields.oneOf("pace", ["realtime", "as-fast-as-input"]),
    budgetMs: fields.number("budgetMs", 0, 1e9),
    deterministic: fields.boolean("deterministic"),
    truncated: fields.boolean("truncated"),
    ...(engine === undefined
      ? {}
      : {
          engine: {
            model: engine.text("model"),
            backend: engine.text("backend"),
            ...(files === undefined ? {} : { files: files.texts() }),
          },
        }),
    ...(experts === undefined ? {} : { experts: [experts[0], experts[1]] as const }),
  };
}

function readTurn(row: Fields, samples: TurnSamples, tracks: Record<TrackName, Track>): TraceTurn {
  const inside = (name: "controls" | "dmel" | "experts") => {
    const bytes = row.optionalInteger(name, 0, 1e6);
    return bytes === undefined ? undefined : tracks[name].next(bytes);
  };
  const controls = inside("controls");
  const dmel = inside("dmel");
  const expertLoad = inside("experts");
  const background = row.optionalObjects("background", 10_000).map(readActivity);
  return {
    index: row.integer("index", 0, 2 ** 40),
    startMs: row.number("startMs", 0, 1e15),
    input: readInput(row.object("input"), samples, tracks),
    output: readOutput(row.object("output"), samples.output, tracks),
    timing: readTiming(row.object("timing")),
    ...(background.length === 0 ? {} : { background }),
    ...(controls === undefined ? {} : { controls }),
    ...(dmel === undefined ? {} : { dmel }),
    ...(expertLoad === undefined ? {} : { expertLoad }),
  };
}

function readInput(fields: Fields, samples: TurnSamples, tracks: Record<TrackName, Track>): TraceTurnInput {
  const coding = fields.optionalOneOf("audio", ["int16", "float32"]);
  const bytes = coding === undefined ? undefined : tracks.audio.next(audioBytes(coding, samples.input)).buffer;
  const audio = bytes === undefined ? undefined : coding === "int16" ? new Int16Array(bytes) : new Float32Array(bytes);
  if (audio instanceof Float32Array && audio.some((sample) => !Number.isFinite(sample))) {
    throw invalid(`${fields.path}: expected finite samples`);
  }
  const played = fields.optionalObject("played");
  const stale = fields.optionalObjects("stale", 10_000).map(readText);
  return {
    ...(audio === undefined ? {} : { audio }),
    paddedSamples: fields.optionalInteger("paddedSamples", 0, samples.input) ?? 0,
    images: fields.optionalObjects("images", 10_000).map(
      (image): ImageFrame => ({
        data: tracks.images.next(imageBytes(image)),
        width: image.integer("width", 1, 100_000),
        height: image.integer("height", 1, 100_000),
        timeMs: image.number("timeMs", -1e15, 1e15),
      }),
    ),
    text: fields.optionalObjects("text", 10_000).map(readText),
    ...(stale.length === 0 ? {} : { stale }),
    forceListen: fields.optionalBoolean("forceListen") ?? false,
    ...(played === undefined
      ? {}
      : {
          played: {
            turnIndex: played.integer("turnIndex", 0, 2 ** 40),
            samples: played.integer("samples", 0, samples.output),
          },
        }),
  };
}

function readOutput(fields: Fields, samples: number, tracks: Record<TrackName, Track>): TraceTurnOutput {
  const coding = fields.optionalOneOf("speech", ["int16"]);
  const delegation = fields.optionalObject("delegation");
  const cancelled = fields.optionalTexts("cancelled", 10_000);
  const unsaid = fields.optionalText("unsaid");
  return {
    decision: fields.oneOf("decision", ["listen", "speak"]),
    text: fields.text("text"),
    heard: fields.text("heard"),
    yielded: fields.boolean("yielded"),
    skipped: fields.boolean("skipped"),
    fence: fields.integer("fence", 0, 2 ** 40),
    speechFingerprint: fields.text("speechFingerprint"),
    ...(delegation === undefined ? {} : { delegation: readDelegation(delegation) }),
    ...(cancelled === undefined ? {} : { cancelled }),
    ...(unsaid === undefined ? {} : { unsaid }),
    ...(coding === undefined ? {} : { speech: new Int16Array(tracks.speech.next(audioBytes(coding, samples)).buffer) }),
  };
}

function readText(fields: Fields): TextInput {
  return {
    source: fields.oneOf("source", ["user", "background"]),
    text: fields.text("text"),
    ...(fields.optionalBoolean("silent") === true ? { silent: true } : {}),
    ...given("delivery", fields.optionalInteger("delivery", 0, 2 ** 40)),
    ...given("delegation", fields.optionalText("delegation")),
  };
}

function readDelegation(fields: Fields): Delegation {
  return {
    task: fields.text("task"),
    ...given("id", fields.optionalText("id")),
    ...given("name", fields.optionalText("name")),
    ...given("arguments", fields.json("arguments")),
  };
}

function readActivity(fields: Fields): BackgroundActivity {
  const type = fields.oneOf("type", [
    ...(["tool-call", "tool-progress", "tool-result"] as const),
    ...(["background-delta", "background-drop", "background-end"] as const),
  ]);
  const delegation = fields.text("delegation");
  const of = () => ({ delegation, call: fields.text("call") });
  switch (type) {
    case "tool-call":
      return {
        ...{ type, ...of(), name: fields.text("name"), arguments: fields.json("arguments") },
        state: fields.oneOf("state", ["queued", "awaiting-approval", "running"]),
        irreversible: fields.boolean("irreversible"),
        attempt: fields.integer("attempt", 1, 1000),
      };
    case "tool-progress":
      return { type, ...of(), text: fields.text("text") };
    case "tool-result":
      return {
        ...{ type, ...of(), name: fields.text("name") },
        outcome: fields.oneOf("outcome", ["done", "failed", "timed-out", "cancelled", "rejected", "unknown"]),
        ...given("result", fields.json("result")),
        ...given("error", fields.optionalText("error")),
      };
    case "background-delta":
      return { type, delegation, text: fields.text("text") };
    case "background-drop": {
      const reasons = ["stale", "cancelled", "superseded", "rewind", "unsupported", "overflow"] as const;
      return { type, delegation, text: fields.text("text"), reason: fields.oneOf("reason", reasons) };
    }
    case "background-end":
      return {
        ...{ type, delegation, outcome: fields.oneOf("outcome", ["done", "failed", "cancelled", "superseded"]) },
        ...given("error", fields.optionalText("error")),
      };
  }
}

/** A field that is left out where there is no value. */
function given<Name extends string, Value>(name: Name, value: Value | undefined): { readonly [Key in Name]?: Value } {
  return value === undefined ? {} : ({ [name]: value } as { readonly [Key in Name]?: Value });
}

function readTiming(fields: Fields): TurnTiming {
  const ms = (name: string) => fields.number(name, -1e12, 1e12);
  return {
    stepTurns: fields.integer("stepTurns", 1, 1e6),
    stepMs: ms("stepMs"),
    sessionMs: ms("sessionMs"),
    encodeMs: ms("encodeMs"),
    waitMs: ms("waitMs"),
    runMs: ms("runMs"),
    decodeMs: ms("decodeMs"),
    slackMs: ms("slackMs"),
    late: fields.boolean("late"),
  };
}

// --- text, base64, gzip ---

function decodeText(bytes: Uint8Array): string {
  try {
    return new TextDecoder("utf-8", { fatal: true }).decode(bytes);
  } catch (cause) {
    throw invalid("expected UTF-8 text", cause);
  }
}

function parse(text: string): unknown {
  let json = text;
  if (/^\s*</.test(text)) {
    const element = new RegExp(`<script[^>]*\\bid="${traceElementId}"[^>]*>`).exec(text);
    if (element === null) throw invalid(`expected a page with a script element "${traceElementId}"`);
    const start = element.index + element[0].length;
    const end = text.indexOf("</script", start);
    if (end < 0) throw invalid("the page ends inside its trace; it was cut off");
    json = text.slice(start, end);
  }
  try {
    return JSON.parse(json);
  } catch (cause) {
    throw invalid("expected JSON; the file is something else, or was cut off", cause);
  }
}

async function gzip(parts: readonly Uint8Array[]): Promise<Uint8Array> {
  const stream = new CompressionStream("gzip");
  const written = (async () => {
    const writer = stream.writable.getWriter();
    for (const part of parts) await writer.write(part as Uint8Array<ArrayBuffer>);
    await writer.close();
  })();
  const [bytes] = await Promise.all([collect(stream.readable, Number.POSITIVE_INFINITY), written]);
  return bytes;
}

async function unpack(track: string, data: string, size: number): Promise<Uint8Array> {
  let packed: Uint8Array<ArrayBuffer>;
  try {
    packed = fromBase64(data);
  } catch (cause) {
    throw invalid(`track "${track}": expected base64`, cause);
  }
  const stream = new DecompressionStream("gzip");
  const writer = stream.writable.getWriter();
  writer.write(packed).catch(() => {});
  writer.close().catch(() => {});
  let bytes: Uint8Array;
  try {
    bytes = await collect(stream.readable, size);
  } catch (cause) {
    throw DuplexError.is(cause) ? cause : invalid(`track "${track}": expected gzip data; it is damaged`, cause);
  }
  if (bytes.length !== size) throw invalid(`track "${track}": its rows name ${size} bytes, it holds ${bytes.length}`);
  return bytes;
}

/** Everything a stream gives, but at most `limit` bytes and one chunk. */
async function collect(stream: ReadableStream<Uint8Array>, limit: number): Promise<Uint8Array> {
  const chunks: Uint8Array[] = [];
  let length = 0;
  const reader = stream.getReader();
  for (;;) {
    const { done, value } = await reader.read();
    if (done) break;
    chunks.push(value);
    length += value.length;
    if (length > limit) {
      reader.cancel().catch(() => {});
      throw invalid(`a track holds more than the ${limit} bytes that its rows name`);
    }
  }
  const bytes = new Uint8Array(length);
  let at = 0;
  for (const chunk of chunks) {
    bytes.set(chunk, at);
    at += chunk.length;
  }
  return bytes;
}

function base64(bytes: Uint8Array): string {
  let text = "";
  // In blocks: one call per byte is slow, one call for all overflows the stack. A multiple of 3 needs no padding inside.
  const block = 3 * 8192;
  for (let at = 0; at < bytes.length; at += block) text += btoa(String.fromCharCode(...bytes.subarray(at, at + block)));
  return text;
}

function fromBase64(text: string): Uint8Array<ArrayBuffer> {
  const binary = atob(text);
  const bytes = new Uint8Array(binary.length);
  for (let i = 0; i < binary.length; i++) bytes[i] = binary.charCodeAt(i);
  return bytes;
}

function invalid(problem: string, cause?: unknown): DuplexError {
  return new DuplexError("TRACE_INVALID", `reading a trace: ${problem}`, cause === undefined ? {} : { cause });
}
