// `microturn run`: sound in, conversation out. Opens the session, feeds it, prints and writes what it gives, sums up.

import { fstatSync, type Stats } from "node:fs";
import { access, constants, stat } from "node:fs/promises";
import { dirname, resolve } from "node:path";
import { DuplexError, DuplexSession, type Engine, writeTrace } from "@microturn/core";
import type { RunOptions } from "../command/command-line.js";
import { UsageError } from "../command/usage-error.js";
import { type OpenedEngine, openEngine } from "../engine.js";
import { exitCodes } from "../failure.js";
import { type Ink, type Io, inkFor, type Output } from "../io.js";
import { ProgressLine } from "../progress.js";
import { renderTraceHtml } from "../viewer/render.js";
import { paced, type SoundPiece, soundStream, wavFile } from "./audio-source.js";
import { EarlySound } from "./early-sound.js";
import { Figures } from "./figures.js";
import { type ReplySink, rawPcm, replyFile } from "./reply-file.js";
import { printable, TurnLines } from "./turn-lines.js";
import { writeWhole } from "./write-whole.js";

/** A page of more, about 6 MB each, is slow to open. */
const traceMinutes = 15;

/**
 * Holds one conversation.
 *
 * @param open - makes the engine; tests pass their own
 * @returns the exit code
 * @throws whatever ended it before its time, after everything produced until then was written
 */
export async function runConversation(
  options: RunOptions,
  io: Io,
  open: (options: RunOptions) => Promise<OpenedEngine> = openEngine,
): Promise<number> {
  await checkPaths(options, io.stdin);
  // With sound on stdout, people read stderr.
  const text = options.input === "-" ? io.stderr : io.stdout;
  const opened = await open(options);
  try {
    for (const note of opened.notes) text.write(`note: ${note}\n`);
    return await new Conversation(options, io, text, opened.engine).hold();
  } finally {
    await opened.close();
  }
}

class Conversation {
  readonly #options: RunOptions;
  readonly #io: Io;
  readonly #text: Output;
  readonly #ink: Ink;
  readonly #engine: Engine;
  #handedOver = false;
  /** Ends the input: Ctrl-C, a failure, or nobody left to hear the reply. */
  readonly #stop = new AbortController();

  constructor(options: RunOptions, io: Io, text: Output, engine: Engine) {
    this.#options = options;
    this.#io = io;
    this.#text = text;
    this.#ink = inkFor(text);
    this.#engine = engine;
  }

  async hold(): Promise<number> {
    const { input, seed, temperature, deadline, tailMs, realtime, trace, out } = this.#options;
    const live = input === "-" && realtime ? new EarlySound(this.#stdin()) : undefined;
    const capabilities = await this.#load().catch((error: unknown) => {
      this.#stop.abort(); // lets go of stdin
      throw error;
    });
    this.#print(
      this.#ink.dim(
        printable(
          `${capabilities.identity?.model ?? "the model"} on ${capabilities.identity?.backend ?? "its engine"}`,
        ),
      ),
    );
    if (this.#options.say !== undefined && !capabilities.saysText && !capabilities.inputs.includes("text")) {
      this.#stop.abort();
      throw new UsageError(`--say: ${capabilities.identity?.model ?? "this model"} neither says text nor reads it`);
    }
    const session = await DuplexSession.open({
      engine: this.#engine,
      pace: realtime ? "realtime" : "as-fast-as-input",
      trace: trace === undefined ? false : { maxMs: traceMinutes * 60_000 },
      ...{ seed, temperature, deadline, tailMs },
    });
    const sinks = this.#openSinks(session);
    session.on("delegation", () => this.#say(session));
    const stop = () => {
      this.#stop.abort();
      void session.close();
    };
    this.#io.stop.addEventListener("abort", stop, { once: true });
    // Nobody reads the text any more: go on for the sound and the files, if there are any.
    if (sinks.length === 0 && trace === undefined) this.#text.on("error", stop);
    if (this.#io.stop.aborted) stop();

    const started = performance.now();
    const figures = new Figures({
      inputSampleRate: capabilities.inputSampleRate,
      outputSampleRate: capabilities.outputSampleRate,
      turnMs: capabilities.turnDurationMs,
    });
    const failures: unknown[] = [];
    // It may fail while the input still waits; then nobody looks at it yet.
    const reading = this.#read(session, figures, sinks).catch((error: unknown) => failures.push(error));
    try {
      await this.#feed(session, live === undefined ? this.#source() : live.rest((ms) => this.#tellDropped(ms)));
    } catch (error) {
      // A session that has ended tells its readers why; to a writer it only says that it is closed.
      if (!DuplexError.is(error, "SESSION_CLOSED")) failures.push(error);
      // What came before the bad piece is still answered.
      await session.finish({ tailMs: 0 }).catch(() => {});
    }
    await reading;
    this.#io.stop.removeEventListener("abort", stop);
    await session.close();
    const wallMs = performance.now() - started;
    // Everything that was produced is written, whatever happened.
    let written = false;
    for (const sink of sinks) {
      const wrote = await sink.finish().catch((error: unknown) => {
        failures.push(error);
        return false;
      });
      written ||= wrote;
    }
    this.#print("");
    for (const line of figures.lines(wallMs)) this.#print(line);
    if (out !== undefined && written) this.#print(`wrote ${this.#ink.bold(resolve(out))}: the reply`);
    else if (out !== undefined && session.turnIndex === 0) this.#print("no sound came: no reply was written");
    await this.#writeTrace(session).catch((error: unknown) => failures.push(error));
    if (failures.length > 0) throw failures[0];
    return this.#io.stop.aborted ? exitCodes.stopped : exitCodes.done;
  }

  async #load() {
    const progress = new ProgressLine(this.#io.stderr);
    try {
      return await this.#engine.load({ signal: this.#io.stop, onProgress: (step) => progress.update(step) });
    } finally {
      progress.clear();
    }
  }

  #openSinks(session: DuplexSession): ReplySink[] {
    const { out, mix, input } = this.#options;
    const { outputSampleRate, inputSampleRate, turnDurationMs } = session.capabilities;
    const sinks: ReplySink[] = [];
    if (out !== undefined) {
      sinks.push(replyFile({ path: out, outputSampleRate, inputSampleRate, turnMs: turnDurationMs, mix }));
    }
    if (input === "-" && this.#io.stdout.isTTY !== true) {
      sinks.push(
        rawPcm(this.#io.stdout, () => {
          this.#stop.abort();
          void session.close();
        }),
      );
    }
    return sinks;
  }

  async #feed(session: DuplexSession, source: AsyncIterable<SoundPiece>): Promise<void> {
    for await (const { samples, sampleRate } of source) {
      if (this.#stop.signal.aborted || session.closed) break;
      await session.writeAudio(samples, { sampleRate });
    }
    if (this.#stop.signal.aborted) return session.close();
    if (!session.closed) this.#say(session);
    await session.finish();
  }

  /** Hands over what is to be said, once. */
  #say(session: DuplexSession): void {
    const { say } = this.#options;
    if (say === undefined || this.#handedOver) return;
    this.#handedOver = true;
    void session.deliver(say);
  }

  #source(): AsyncIterable<SoundPiece> {
    const { input, realtime } = this.#options;
    if (input === "-") return this.#stdin();
    const file = wavFile(input, (note) => this.#print(this.#ink.dim(`note: ${note}`)));
    return realtime ? paced(file, { stop: this.#stop.signal }) : file;
  }

  #stdin(): AsyncIterable<SoundPiece> {
    return soundStream(this.#io.stdin, { sampleRate: this.#options.rate, stop: this.#stop.signal });
  }

  #tellDropped(ms: number): void {
    this.#print(this.#ink.dim(`note: left out ${(ms / 1000).toFixed(1)} s that came before the model was ready`));
  }

  async #read(session: DuplexSession, figures: Figures, sinks: readonly ReplySink[]): Promise<void> {
    const lines = new TurnLines({
      ink: this.#ink,
      every: this.#options.every,
      turnMs: session.capabilities.turnDurationMs,
      ...(this.#text.columns === undefined ? {} : { columns: this.#text.columns }),
    });
    this.#print(lines.head());
    try {
      for await (const turn of session) {
        figures.push(turn);
        for (const line of lines.push(turn)) this.#print(line);
        for (const sink of sinks) await sink.push(turn);
      }
    } catch (error) {
      this.#stop.abort();
      await session.close();
      throw error;
    } finally {
      for (const line of lines.end()) this.#print(line);
    }
  }

  async #writeTrace(session: DuplexSession): Promise<void> {
    const { trace } = this.#options;
    if (trace === undefined) return;
    if (session.turnIndex === 0) {
      this.#print("no sound came: no trace was written");
      return;
    }
    const json = await writeTrace(session.trace());
    await writeWhole(trace, trace.endsWith(".json") ? json : renderTraceHtml(json));
    if (session.trace().header.truncated) this.#print(`note: the trace holds the first ${traceMinutes} minutes only`);
    this.#print(
      `wrote ${this.#ink.bold(resolve(trace))}: the session${trace.endsWith(".json") ? "" : ", open it in a browser"}`,
    );
  }

  #print(line: string): void {
    this.#text.write(`${line}\n`);
  }
}

/** Finds out at once what would else be found out after the conversation. @throws UsageError, or the file system's error */
async function checkPaths({ input, out, trace }: RunOptions, stdin: Io["stdin"]): Promise<void> {
  if (input !== "-") await checkWav(input);
  for (const path of [out, trace]) {
    if (path === undefined) continue;
    if (await (input === "-" ? isBehind(stdin, path) : isSameFile(path, input))) {
      throw new UsageError(`${path} is the input too; writing it would destroy what is read`);
    }
    const folder = await stat(dirname(resolve(path))).catch(() => undefined);
    if (!folder?.isDirectory())
      throw new UsageError(`cannot write ${path}: there is no folder ${dirname(resolve(path))}`);
    await checkWritable(path);
  }
  if (out !== undefined && trace !== undefined && (await isSameFile(out, trace))) {
    throw new UsageError(`--out and --trace both name ${out}`);
  }
}

/** @throws UsageError if it is a folder, `AUDIO_INVALID` if its beginning is no WAV file's, or the file system's error */
async function checkWav(path: string): Promise<void> {
  const there = await stat(path);
  if (there.isDirectory()) throw new UsageError(`${path} is a folder; name a WAV file`);
  // A pipe can be read only once.
  if (there.isFile()) for await (const _ of wavFile(path, () => {})) break;
}

/** Whether two names are one file, also by a link. */
async function isSameFile(one: string, other: string): Promise<boolean> {
  if (resolve(one) === resolve(other)) return true;
  return isOneFile(...(await Promise.all([statsOf(one), statsOf(other)])));
}

/** Whether a stream is a file, as after `<`, and the name is one of that file's. */
async function isBehind({ fd }: Io["stdin"], path: string): Promise<boolean> {
  let source: Stats;
  try {
    if (typeof fd !== "number") return false;
    source = fstatSync(fd);
  } catch {
    return false; // closed; reading will tell
  }
  return source.isFile() && isOneFile(source, await statsOf(path));
}

function isOneFile(a: Stats | undefined, b: Stats | undefined): boolean {
  return a !== undefined && b !== undefined && a.dev === b.dev && a.ino === b.ino && a.ino !== 0;
}

function statsOf(path: string): Promise<Stats | undefined> {
  return stat(path).catch(() => undefined);
}

/** @throws UsageError if it is a folder, or the file system's error if it, or its folder, may not be written to */
async function checkWritable(path: string): Promise<void> {
  const there = await statsOf(path);
  if (there?.isDirectory()) throw new UsageError(`cannot write ${path}: it is a folder; name a file in it`);
  await access(there === undefined ? dirname(resolve(path)) : path, constants.W_OK);
}
