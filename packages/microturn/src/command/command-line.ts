// The command line of `microturn`: what may be asked, and the help that says so.

import type { WeightType } from "@microturn/core";
import { spokenForm } from "@microturn/core/codecs";
import { choiceFlag, type Flags, flagHelp, numberFlag, readFlags } from "./flags.js";
import { nearest } from "./nearest.js";
import { UsageError } from "./usage-error.js";

/** Execution providers that can be asked for, in the words of the Node backend. */
export const providerNames = ["cpu", "cuda", "webgpu"] as const;
export type ProviderName = (typeof providerNames)[number];

const weightTypes: readonly WeightType[] = ["float32", "float16", "int8", "int4"];

/** Options of `microturn run`. */
export interface RunOptions {
  /** Path of a WAV file, or `-` for raw PCM or WAV on stdin. */
  readonly input: string;
  readonly out?: string;
  readonly trace?: string;
  readonly model?: string;
  readonly providers: readonly ProviderName[];
  readonly weights?: WeightType;
  readonly threads?: number;
  readonly realtime: boolean;
  /** Rate of raw PCM on stdin, Hz. */
  readonly rate: number;
  readonly seed: number;
  readonly temperature: number;
  /** What the background hands over to be said. */
  readonly say?: string;
  /** Time the assistant may still speak after the end of the input, ms. */
  readonly tailMs: number;
  readonly deadline: "catch-up" | "strict";
  readonly mix: boolean;
  readonly every: boolean;
  readonly verbose: boolean;
}

/** Options of `microturn doctor`. */
export interface DoctorOptions {
  readonly model?: string;
  readonly verbose: boolean;
}

/** Options of `microturn demo`. */
export interface DemoOptions {
  readonly model?: string;
  /** 0 is any free one; default the usual one, or any free one if that is in use. */
  readonly port?: number;
  /** Opens the browser. */
  readonly open: boolean;
  /** Serves the page so that it can share memory, which threads need. */
  readonly isolated: boolean;
  readonly verbose: boolean;
}

/** Options of `microturn serve`. */
export interface ServeOptions {
  readonly model?: string;
  readonly providers: readonly ProviderName[];
  readonly weights?: WeightType;
  readonly threads?: number;
  readonly port: number;
  readonly host: string;
  readonly maxSessions: number | "auto";
  /** Origins of pages that may connect. */
  readonly origins: readonly string[];
  /** Time that sessions have to end after a signal to stop, ms. */
  readonly drainMs: number;
  readonly verbose: boolean;
}

/** What the command line asks for. */
export type Command =
  | { readonly name: "help"; readonly text: string }
  | { readonly name: "version" }
  | { readonly name: "run"; readonly options: RunOptions }
  | { readonly name: "demo"; readonly options: DemoOptions }
  | { readonly name: "serve"; readonly options: ServeOptions }
  | { readonly name: "doctor"; readonly options: DoctorOptions };

const common: Flags = {
  verbose: { help: "with an error, print where it came from" },
  help: { short: "h", help: "print this" },
};

const runFlags: Flags = {
  out: { value: "reply.wav", short: "o", help: "write the assistant's voice, on the time line of the input" },
  mix: { help: "make --out stereo: user left, assistant right" },
  trace: { value: "session.html", help: "write the session as a page to look at and listen to; its first 15 minutes" },
  model: { value: "folder", help: "model folder or npm package; default: the bundled mini" },
  providers: { value: "cuda,cpu", help: "execution providers in order of preference; default cpu" },
  weights: { value: "int8", help: "float32, float16, int8 or int4; default: what suits the provider" },
  threads: { value: "2", help: "CPU threads of the model run" },
  realtime: { help: "keep time like a live conversation, with deadlines" },
  deadline: {
    value: "strict",
    help: "with --realtime, end at the first late step; default catch-up: merge what waits",
  },
  rate: {
    value: "16000",
    help: "sample rate of raw 16-bit mono PCM on stdin, Hz; default 16000; WAV on stdin states its own",
  },
  seed: { value: "0", help: "seed of every random choice; default 0" },
  temperature: { value: "0", help: "0 is greedy (default), up to 2" },
  say: {
    value: "text",
    help: "have the assistant say this when it has handed a question over, or else at the end of the input",
  },
  "tail-ms": { value: "6000", help: "time to answer after the end of the input; default 6000, more with --say" },
  every: { help: "print every micro-turn, also those in which nothing happens" },
  ...common,
};

const demoFlags: Flags = {
  port: {
    value: "8200",
    help: "port on this machine, 0 for any free one; default 8200, or a free one if it is in use",
  },
  model: { value: "folder", help: "model folder or npm package; default: the bundled mini" },
  "no-open": { help: "do not open the browser" },
  isolated: {
    value: "off",
    help: "serve the page without the headers that threads need, like a site that cannot send them; default on",
  },
  ...common,
};

const serveFlags: Flags = {
  port: { value: "8787", help: "port, 0 for any free one; default 8787" },
  host: { value: "0.0.0.0", help: "address to listen on; default 127.0.0.1: only this machine" },
  "max-sessions": {
    value: "16",
    help: "sessions at once, or auto (default): measure after loading how many this machine holds in real time",
  },
  model: { value: "folder", help: "model folder or npm package; default: the bundled mini" },
  providers: { value: "cuda,cpu", help: "execution providers in order of preference; default cpu" },
  weights: { value: "int8", help: "float32, float16, int8 or int4; default: what suits the provider" },
  threads: { value: "2", help: "CPU threads of the model run" },
  origins: { value: "https://app.example", help: "pages that may connect, with commas between, or *; default none" },
  "drain-s": { value: "30", help: "time that sessions have to end after Ctrl-C or SIGTERM, s; default 30" },
  ...common,
};

const doctorFlags: Flags = {
  model: { value: "folder", help: "model to check; default: the bundled mini" },
  ...common,
};

const generalHelp = `microturn: full-duplex conversations with interaction models

  microturn run input.wav --out reply.wav --trace session.html
  arecord -q -f S16_LE -r 16000 -c 1 -t raw | microturn run - --realtime | aplay -q -f S16_LE -r 16000 -c 1 -t raw
  microturn demo
  microturn serve
  microturn doctor

Commands
  run      hold a conversation with recorded or live speech
  demo     open a page in which one talks with the model, in the browser
  serve    let other programs and pages hold conversations with the model, over a socket
  doctor   tell what works on this machine, and how to get the rest

Flags
  -h, --help     help, also of a command: microturn run --help
      --version  version of this program
`;

const runHelp = `microturn run <input.wav | ->

Plays a WAV file (8 to 192 kHz, any usual coding, any number of channels) or raw 16-bit PCM from stdin (-) to the model,
and prints what was heard and said. With -, the reply goes to stdout as raw 16-bit PCM and the text to stderr.

${flagHelp(runFlags)}
`;

const demoHelp = `microturn demo

Serves a page on this machine in which one talks with the model, by voice or by typing, and shows it what the camera sees. The
model runs in the browser. Opens the browser where there is one, and serves until Ctrl-C.

${flagHelp(demoFlags)}
`;

const serveHelp = `microturn serve

Serves the model to many sessions on one port: ws://.../v1/realtime for clients of the OpenAI Realtime API, ws://.../v1/micro-turn
for microturnEngine of @microturn/backend-remote; /healthz, /readyz and /metrics. Logs are JSON lines on stderr.

Who may connect is told by the environment. MICROTURN_API_KEYS: keys, with commas between, for programs.
MICROTURN_SECRET: at least 32 bytes, with which short-lived tokens for pages are signed (POST /v1/realtime/client_secrets).
Without either, the server listens on this machine only and takes whoever is on it, but no page of another site.

${flagHelp(serveFlags)}
`;

const doctorHelp = `microturn doctor

Tells which execution providers work here and how to get the others, checks the model's files, and times it.

${flagHelp(doctorFlags)}
`;

const helps: ReadonlyMap<string, string> = new Map([
  ["run", runHelp],
  ["demo", demoHelp],
  ["serve", serveHelp],
  ["doctor", doctorHelp],
]);
const commandNames = [...helps.keys(), "help"];

/**
 * Reads the command line.
 *
 * @param args - without the program's own name
 * @throws UsageError when it cannot be followed
 */
export function readCommandLine(args: readonly string[]): Command {
  const [command, ...rest] = args;
  if (command === undefined || command === "--help" || command === "-h") return { name: "help", text: generalHelp };
  if (command === "--version" || command === "-V") return { name: "version" };
  if (command === "help") return { name: "help", text: helps.get(rest[0] ?? "") ?? generalHelp };
  if (command === "run") return readRun(rest);
  if (command === "demo") return readDemo(rest);
  if (command === "serve") return readServe(rest);
  if (command === "doctor") return readDoctor(rest);
  const hint = nearest(command, commandNames);
  const wav = /\.wav$/i.test(command) ? `microturn run ${command}` : undefined;
  const meant = wav ?? (hint === undefined ? undefined : `microturn ${hint}`);
  throw new UsageError(
    `unknown command "${command}"; ${meant === undefined ? "see microturn --help" : `did you mean ${meant}?`}`,
  );
}

function readRun(args: readonly string[]): Command {
  const given = readFlags("run", args, runFlags);
  if (given.values.has("help")) return { name: "help", text: runHelp };
  const [input, ...more] = given.positionals;
  if (input === undefined)
    throw new UsageError("run needs an input: microturn run input.wav, or - for raw PCM on stdin");
  if (more.length > 0) throw new UsageError(`run takes one input, got also "${more.join('" "')}"`);
  const out = given.values.get("out");
  if (given.values.has("mix") && out === undefined)
    throw new UsageError("--mix changes what --out writes; add --out reply.wav");
  const trace = given.values.get("trace");
  const say = given.values.get("say");
  if (say !== undefined && spokenForm(say) === "")
    throw new UsageError("--say needs a text in Latin letters or digits");
  const model = given.values.get("model");
  const weights = choiceFlag(given, "weights", weightTypes);
  const threads = numberFlag(given, "threads", { min: 1, max: 256, integer: true });
  if (given.values.has("rate") && input !== "-")
    throw new UsageError("--rate is for raw PCM on stdin (-); a WAV file states its own rate");
  if (given.values.has("deadline") && !given.values.has("realtime"))
    throw new UsageError("--deadline is for a conversation that keeps time; add --realtime");
  return {
    name: "run",
    options: {
      input,
      ...(out === undefined ? {} : { out }),
      ...(trace === undefined ? {} : { trace }),
      ...(model === undefined ? {} : { model }),
      ...(say === undefined ? {} : { say }),
      ...(weights === undefined ? {} : { weights }),
      ...(threads === undefined ? {} : { threads }),
      providers: readProviders(given.values.get("providers")),
      realtime: given.values.has("realtime"),
      rate: numberFlag(given, "rate", { min: 8_000, max: 192_000, integer: true }) ?? 16_000,
      seed: numberFlag(given, "seed", { min: 0, max: 2 ** 32 - 1, integer: true }) ?? 0,
      temperature: numberFlag(given, "temperature", { min: 0, max: 2 }) ?? 0,
      tailMs: numberFlag(given, "tail-ms", { min: 0, max: 600_000 }) ?? tailFor(say),
      deadline: choiceFlag(given, "deadline", ["catch-up", "strict"]) ?? "catch-up",
      mix: given.values.has("mix"),
      every: given.values.has("every"),
      verbose: given.values.has("verbose"),
    },
  };
}

/** Time for an answer, and for a text to be said: slowly, after a while of quiet. */
function tailFor(say: string | undefined): number {
  return say === undefined ? 6_000 : Math.min(600_000, 8_000 + 120 * spokenForm(say).length);
}

function readDemo(args: readonly string[]): Command {
  const given = readFlags("demo", args, demoFlags);
  if (given.values.has("help")) return { name: "help", text: demoHelp };
  if (given.positionals.length > 0) throw new UsageError(`demo takes no input, got "${given.positionals.join('" "')}"`);
  const model = given.values.get("model");
  const port = numberFlag(given, "port", { min: 0, max: 65_535, integer: true });
  return {
    name: "demo",
    options: {
      ...(model === undefined ? {} : { model }),
      ...(port === undefined ? {} : { port }),
      open: !given.values.has("no-open"),
      isolated: choiceFlag(given, "isolated", ["on", "off"]) !== "off",
      verbose: given.values.has("verbose"),
    },
  };
}

function readServe(args: readonly string[]): Command {
  const given = readFlags("serve", args, serveFlags);
  if (given.values.has("help")) return { name: "help", text: serveHelp };
  if (given.positionals.length > 0)
    throw new UsageError(`serve takes no input, got "${given.positionals.join('" "')}"`);
  const model = given.values.get("model");
  const weights = choiceFlag(given, "weights", weightTypes);
  const threads = numberFlag(given, "threads", { min: 1, max: 256, integer: true });
  const auto = (given.values.get("max-sessions") ?? "auto") === "auto";
  const sessions = auto ? undefined : numberFlag(given, "max-sessions", { min: 1, max: 64, integer: true });
  return {
    name: "serve",
    options: {
      ...(model === undefined ? {} : { model }),
      ...(weights === undefined ? {} : { weights }),
      ...(threads === undefined ? {} : { threads }),
      providers: readProviders(given.values.get("providers")),
      port: numberFlag(given, "port", { min: 0, max: 65_535, integer: true }) ?? 8787,
      host: given.values.get("host") ?? "127.0.0.1",
      maxSessions: sessions ?? "auto",
      origins: readOrigins(given.values.get("origins")),
      drainMs: 1000 * (numberFlag(given, "drain-s", { min: 0, max: 3600 }) ?? 30),
      verbose: given.values.has("verbose"),
    },
  };
}

function readOrigins(text: string | undefined): readonly string[] {
  if (text === undefined) return [];
  return text.split(",").map((part) => {
    const origin = part.trim();
    if (origin === "*") return origin;
    if (!/^https?:\/\/[^/]+$/.test(origin)) {
      throw new UsageError(`--origins: expected origins such as https://app.example, or *, got "${origin}"`);
    }
    return origin;
  });
}

function readDoctor(args: readonly string[]): Command {
  const given = readFlags("doctor", args, doctorFlags);
  if (given.values.has("help")) return { name: "help", text: doctorHelp };
  if (given.positionals.length > 0)
    throw new UsageError(`doctor takes no input, got "${given.positionals.join('" "')}"`);
  const model = given.values.get("model");
  return {
    name: "doctor",
    options: { ...(model === undefined ? {} : { model }), verbose: given.values.has("verbose") },
  };
}

function readProviders(text: string | undefined): readonly ProviderName[] {
  if (text === undefined) return ["cpu"];
  return text.split(",").map((part) => {
    const name = part.trim();
    const found = providerNames.find((provider) => provider === name);
    if (found !== undefined) return found;
    const hint = nearest(name, providerNames);
    throw new UsageError(
      `--providers: unknown provider "${name}"; ${hint === undefined ? `known are ${providerNames.join(", ")}` : `did you mean ${hint}?`}`,
    );
  });
}
