import { execFile } from "node:child_process";
import { createReadStream } from "node:fs";
import { link, mkdtemp, open, readFile, rm, stat, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { PassThrough, Readable } from "node:stream";
import { promisify } from "node:util";
import { DuplexError, readTrace, readWav, WavWriter, writeWav } from "@microturn/core";
import { type Script, scriptedEngine } from "@microturn/core/testing";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { type RunOptions, readCommandLine } from "../command/command-line.js";
import { UsageError } from "../command/usage-error.js";
import type { Io, Output } from "../io.js";
import { runConversation } from "./run.js";

let folder = "";
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "run-"));
});
afterEach(() => rm(folder, { recursive: true }));

/** Says a word and a tone in micro-turns 3 to 5 and hears one in micro-turn 2. */
const script: Script = ({ index }) => {
  if (index === 2) return { heard: "hello" };
  if (index >= 3 && index < 6) return { decision: "speak", speech: 0.25, text: ["good", "to", "meet"][index - 3] };
  return {};
};

const rms = (samples: Float32Array) => Math.sqrt(samples.reduce((sum, x) => sum + x * x, 0) / samples.length);

class Capture implements Output {
  readonly chunks: Buffer[] = [];
  write(chunk: string | Uint8Array, callback?: (error?: Error | null) => void): boolean {
    this.chunks.push(Buffer.from(chunk));
    callback?.();
    return true;
  }
  readonly listeners: ((error: Error) => void)[] = [];
  on(_event: "error", listener: (error: Error) => void): void {
    this.listeners.push(listener);
  }
  /** What a pipe says whose reader has left. */
  leave(): void {
    for (const listener of this.listeners) listener(Object.assign(new Error("write EPIPE"), { code: "EPIPE" }));
  }
  get bytes(): Buffer {
    return Buffer.concat(this.chunks);
  }
  get text(): string {
    return this.bytes.toString();
  }
}

function world(stdin: Readable = new PassThrough()) {
  const stop = new AbortController();
  const stdout = new Capture();
  const stderr = new Capture();
  const io: Io = { stdin, stdout, stderr, stop: stop.signal };
  return { io, stdout, stderr, stop };
}

const parsed = (args: string): RunOptions => {
  const command = readCommandLine(["run", ...args.split(" ")]);
  if (command.name !== "run") throw new Error("not a run");
  return command.options;
};

const opening =
  (made = scriptedEngine({ script })) =>
  async () => ({ engine: made, notes: [], close: () => made.close() });

async function recording(seconds: number, sampleRate = 48_000): Promise<string> {
  const path = join(folder, "in.wav");
  const tone = Float32Array.from({ length: seconds * sampleRate }, (_, i) => 0.3 * Math.sin(i / 20));
  await writeFile(path, writeWav([tone, tone], { sampleRate }));
  return path;
}

describe("microturn run with a file", () => {
  it("hands over what is to be said once something was delegated, or else at the end", async () => {
    const input = await recording(2);
    for (const delegates of [true, false]) {
      const made = scriptedEngine({
        script: ({ index }) => (delegates && index === 1 ? { delegation: { task: "the weather" } } : {}),
        capabilities: { inputs: ["audio"], saysText: true },
      });
      const { io, stdout } = world();
      const options = { ...parsed(`${input} --tail-ms 2000`), say: "it is twelve degrees" };
      expect(await runConversation(options, io, opening(made))).toBe(0);
      expect(stdout.text.match(/from the background: it is twelve degrees/g)).toHaveLength(1);
      const entered = made.steps.findIndex(({ text }) => text.length > 0);
      // When it is quiet: after three micro-turns without a voice, which a tone is taken for where it begins.
      expect(entered).toBe(delegates ? 4 : 10);
    }
    const { io } = world();
    const made = scriptedEngine({ script, capabilities: { inputs: ["audio"] } });
    const refused = runConversation({ ...parsed(input), say: "hello" }, io, opening(made));
    await expect(refused).rejects.toThrow(/--say: scripted neither says text nor reads it/);
  });

  it("prints what was heard and said, and writes a reply on the time line of the input", async () => {
    const input = await recording(2);
    const { io, stdout } = world();
    const out = join(folder, "reply.wav");
    const trace = join(folder, "session.html");
    expect(await runConversation(parsed(`${input} --out ${out} --trace ${trace} --tail-ms 400`), io, opening())).toBe(
      0,
    );

    expect(stdout.text).toMatch(/0:00\.4 .*hello/);
    expect(stdout.text).toMatch(/0:00\.6 {2}████ .*good/);
    expect(stdout.text).toContain("2.6 s of conversation");
    expect(stdout.text).toContain(`wrote ${out}`);
    expect(stdout.text).toContain(`wrote ${trace}`);

    const { channels, sampleRate, truncated } = readWav(await readFile(out));
    expect([channels.length, sampleRate, truncated]).toEqual([1, 16_000, false]);
    // 10 of sound, one for the tail of the resampler, 2 of silence, and one more in which the last of them sounds.
    expect(channels[0].length).toBe(14 * 3_200);
    const sounding = (turn: number) => channels[0].subarray(turn * 3_200, (turn + 1) * 3_200).some((x) => x !== 0);
    expect([...Array(14).keys()].filter(sounding)).toEqual([4, 5, 6]);

    const { turns, header } = await readTrace(await readFile(trace, "utf8"));
    expect(header.pace).toBe("as-fast-as-input");
    expect(
      turns
        .map((turn) => turn.output.text)
        .join(" ")
        .trim(),
    ).toBe("good to meet");
  });

  it("writes both voices side by side with --mix", async () => {
    const input = await recording(1);
    const out = join(folder, "reply.wav");
    expect(await runConversation(parsed(`${input} --out ${out} --mix --tail-ms 400`), world().io, opening())).toBe(0);
    const { channels } = readWav(await readFile(out));
    expect(channels.length).toBe(2);
    expect(rms(channels[0].subarray(3_200, 12_800))).toBeCloseTo(0.3 / Math.SQRT2, 1);
    expect(rms(channels[1].subarray(0, 12_800))).toBe(0);
    expect(rms(channels[1].subarray(12_800, 16_000))).toBeGreaterThan(0.1);
  });

  it("keeps what a damaged file gave before the damage, and then says what is wrong", async () => {
    const path = join(folder, "bad.wav");
    const samples = new Float32Array(16_000 * 2).fill(0.1);
    samples[16_000 + 40] = Number.NaN;
    await writeFile(path, writeWav(samples, { sampleRate: 16_000, coding: "float32" }));
    const out = join(folder, "reply.wav");
    const { io, stdout } = world();
    const failure = await runConversation(parsed(`${path} --out ${out}`), io, opening()).catch(
      (error: unknown) => error,
    );
    expect(DuplexError.is(failure, "AUDIO_INVALID")).toBe(true);
    // one second before the damage, in which the voice of micro-turns 3 and 4 is heard one micro-turn later
    const reply = readWav(await readFile(out)).channels[0];
    expect(reply.length).toBeGreaterThanOrEqual(16_000);
    expect(rms(reply.subarray(12_800, 16_000))).toBeGreaterThan(0.1);
    expect(stdout.text).toContain("micro-turns");
  });

  it("leaves an older reply as it is when the input is no sound at all", async () => {
    const path = join(folder, "letter.wav");
    await writeFile(path, "not a WAV file, but long enough to have a header in it if it were one");
    const out = join(folder, "reply.wav");
    await writeFile(out, "the last reply");
    const { io, stdout } = world();
    let opened = 0;
    const open = () => {
      opened++; // starting a backend and loading a model takes seconds
      return opening()();
    };
    const failure = await runConversation(parsed(`${path} --out ${out}`), io, open).catch((error: unknown) => error);
    expect(DuplexError.is(failure, "AUDIO_INVALID")).toBe(true);
    expect(opened).toBe(0);
    expect(await readFile(out, "utf8")).toBe("the last reply");
    expect(stdout.text).not.toContain("wrote");
  });

  it("says that a file was cut off and uses what is there", async () => {
    const path = join(folder, "cut.wav");
    await writeFile(path, writeWav(new Float32Array(16_000), { sampleRate: 16_000 }).subarray(0, 20_001));
    const { io, stdout } = world();
    expect(await runConversation(parsed(`${path} --tail-ms 0`), io, opening())).toBe(0);
    expect(stdout.text).toContain("ends before its header says so");
  });

  it("refuses before it begins what would fail after the conversation", async () => {
    const input = await recording(1);
    const made = scriptedEngine({ script });
    const fails = async (args: string) => {
      const failure = await runConversation(parsed(args), world().io, opening(made)).catch((error: unknown) => error);
      expect(made.steps.length).toBe(0);
      return failure;
    };
    expect(String(await fails(`${input} --out ${input}`))).toContain("would destroy");
    for (const [make, name] of [
      [symlink, "soft.wav"],
      [link, "hard.wav"],
    ] as const) {
      await make(input, join(folder, name));
      expect(String(await fails(`${input} --out ${join(folder, name)}`))).toContain("would destroy");
      expect(String(await fails(`${join(folder, name)} --trace ${input}`))).toContain("would destroy");
    }
    expect(await fails(`${input} --out ${folder}/missing/reply.wav`)).toBeInstanceOf(UsageError);
    expect(await fails(`${input} --out ${folder}/x --trace ${folder}/x`)).toBeInstanceOf(UsageError);
    expect(String(await fails(folder))).toContain("is a folder");
    expect(String(await fails(`${input} --trace ${folder}`))).toContain("it is a folder; name a file in it");
    expect(await fails(join(folder, "none.wav"))).toMatchObject({ code: "ENOENT" });
  });

  it("goes through three hours of recording in the memory of minutes, and loses no micro-turn", {
    timeout: 300_000,
  }, async () => {
    const [sampleRate, seconds] = [16_000, 3 * 3600];
    const input = join(folder, "long.wav");
    const file = await open(input, "w");
    // A sparse file: three hours of zeros that take no place on the disk.
    await file.write(new WavWriter({ sampleRate }).openHeader());
    await file.truncate(44 + 2 * sampleRate * seconds);
    await file.close();
    let [turns, largest] = [0, 0];
    const counting = scriptedEngine({
      script: (turn) => {
        turns += turn.turns;
        if (turns % 1000 === 0) largest = Math.max(largest, process.memoryUsage().arrayBuffers);
        return {};
      },
      keepSteps: false,
    });
    const { io, stdout } = world();
    const before = process.memoryUsage().arrayBuffers;
    const out = join(folder, "reply.wav");
    expect(await runConversation(parsed(`${input} --out ${out} --tail-ms 0`), io, opening(counting))).toBe(0);
    expect(turns).toBe(5 * seconds);
    expect(stdout.text).toContain("10800.0 s of conversation");
    expect((await stat(out)).size).toBe(44 + 2 * sampleRate * (seconds + 0.2));
    // All of the input in floats would be 690 MB.
    expect(largest - before).toBeLessThan(64 * 2 ** 20);
  });

  it("keeps time with --realtime", async () => {
    const input = await recording(1, 16_000);
    const { io, stdout } = world();
    expect(await runConversation(parsed(`${input} --realtime --tail-ms 0`), io, opening())).toBe(0);
    const seconds = Number(/conversation in ([\d.]+) s/.exec(stdout.text)?.[1]);
    expect(seconds).toBeGreaterThanOrEqual(0.9);
  });

  it("stops on Ctrl-C, writes what was produced, and says so by its exit code", async () => {
    const input = await recording(20);
    const { io, stop, stdout } = world();
    const out = join(folder, "reply.wav");
    const made = scriptedEngine({
      script: (turn, memory) => {
        if (turn.index === 6) stop.abort();
        return script(turn, memory);
      },
    });
    expect(await runConversation(parsed(`${input} --out ${out}`), io, opening(made))).toBe(130);
    const written = readWav(await readFile(out));
    expect(written.channels[0].length).toBeGreaterThanOrEqual(6 * 3_200);
    expect(written.channels[0].length).toBeLessThan(20 * 16_000);
    expect(stdout.text).toContain("good");
  });
});

describe.skipIf(process.platform === "win32")("microturn run with a reply that goes to a pipe", () => {
  it("gives all of it, and claims no failure for the header that it cannot go back to", async () => {
    const input = await recording(1);
    const out = join(folder, "reply.pipe");
    await promisify(execFile)("mkfifo", [out]);
    const { io, stdout } = world();
    const read = readFile(out);
    expect(await runConversation(parsed(`${input} --out ${out} --tail-ms 400`), io, opening())).toBe(0);
    // 5 of sound, one for the tail of the resampler, 2 of silence, and one more in which the last of them sounds.
    expect(readWav(await read)).toMatchObject({ samples: 9 * 3_200, truncated: false });
    expect(stdout.text).toContain(`wrote ${out}`);
  });
});

describe("microturn run without a reader of its text", () => {
  const leaving = (stdout: Capture) =>
    scriptedEngine({
      script: (turn, memory) => {
        if (turn.index === 6) stdout.leave();
        return script(turn, memory);
      },
    });

  it("goes on for the files that it writes", async () => {
    const input = await recording(4);
    const { io, stdout } = world();
    const out = join(folder, "reply.wav");
    expect(await runConversation(parsed(`${input} --out ${out} --tail-ms 0`), io, opening(leaving(stdout)))).toBe(0);
    expect(readWav(await readFile(out)).channels[0].length).toBe(22 * 3_200);
  });

  it("ends when there is nothing else to do it for", async () => {
    const input = await recording(20);
    const { io, stdout } = world();
    const made = leaving(stdout);
    expect(await runConversation(parsed(input), io, opening(made))).toBe(0);
    expect(made.steps.length).toBeLessThan(20);
  });

  it("claims no reply that could not be written", async () => {
    const input = await recording(1);
    const { io, stdout } = world();
    const failure = await runConversation(parsed(`${input} --out /dev/full`), io, opening()).catch((error) => error);
    expect(failure).toMatchObject({ code: "ENOSPC" });
    expect(stdout.text).not.toContain("wrote");
    expect(stdout.text).not.toContain("no sound came");
  });
});

describe("microturn run with a pipe", () => {
  const pcm = Buffer.alloc(2 * 16_000 * 2);
  for (let i = 0; i < pcm.length / 2; i++) pcm.writeInt16LE(Math.round(8_000 * Math.sin(i / 9)), 2 * i);

  it("takes raw PCM in any pieces, gives raw PCM, and leaves stdout to the sound", async () => {
    const pieces = [pcm.subarray(0, 1), pcm.subarray(1, 777), pcm.subarray(777, 40_000), pcm.subarray(40_000)];
    const { io, stdout, stderr } = world(Readable.from(pieces, { objectMode: false }));
    const made = scriptedEngine({ script });
    expect(await runConversation(parsed("- --tail-ms 0"), io, opening(made))).toBe(0);
    expect(stdout.bytes.length).toBe(10 * 3_200 * 2);
    expect(stderr.text).toContain("hello");
    const heard = made.steps.flatMap((step) => [...step.audio]);
    expect(heard.length).toBe(32_000);
    expect(heard[1]).toBeCloseTo(pcm.readInt16LE(2) / 32_768, 9);
    expect(heard[31_999]).toBeCloseTo(pcm.readInt16LE(2 * 31_999) / 32_768, 9);
  });

  it("leaves out what a microphone gave while the model was loaded", async () => {
    const stdin = new PassThrough();
    const { io, stderr } = world(stdin);
    const made = scriptedEngine({ script });
    const load = made.load.bind(made);
    let loaded = () => {};
    const slow = new Promise<void>((resolve) => {
      loaded = resolve;
    });
    made.load = (options) => slow.then(() => load(options));
    const running = runConversation(parsed("- --realtime --tail-ms 0"), io, opening(made));
    stdin.write(Buffer.alloc(32_000, 1)); // the program has run for longer than this second
    await vi.waitFor(() => expect(stdin.readableLength).toBe(0));
    loaded();
    await vi.waitFor(() => expect(stderr.text).toContain("left out"));
    stdin.end(pcm.subarray(0, 6_400));
    expect(await running).toBe(0);
    expect(stderr.text).toContain("left out 1.0 s that came before the model was ready");
    expect(made.steps.flatMap((step) => [...step.audio])[1]).toBeCloseTo(pcm.readInt16LE(2) / 32_768, 9);
  });

  it("refuses to write over the file that stdin is redirected from", async () => {
    const input = await recording(1);
    const before = await readFile(input);
    const linked = join(folder, "linked.wav");
    await symlink(input, linked);
    const file = await open(input);
    try {
      for (const args of [`--out ${input}`, `--trace ${input}`, `--out ${linked}`]) {
        const made = scriptedEngine({ script });
        const { io } = world(createReadStream("", { fd: file.fd, autoClose: false }));
        const failure = await runConversation(parsed(`- ${args}`), io, opening(made)).catch((error: unknown) => error);
        expect(failure).toBeInstanceOf(UsageError);
        expect(String(failure)).toContain("would destroy");
        expect(made.steps.length).toBe(0);
      }
    } finally {
      await file.close();
    }
    expect(await readFile(input)).toEqual(before);
  });

  it("says so when no sound comes at all", async () => {
    const { io, stderr } = world(Readable.from([]));
    const out = join(folder, "reply.wav");
    expect(await runConversation(parsed(`- --tail-ms 0 --out ${out}`), io, opening())).toBe(0);
    expect(stderr.text).toContain("no reply was written");
  });

  it("lets go of a silent microphone on Ctrl-C", async () => {
    const { io, stop, stderr } = world(new PassThrough());
    const running = runConversation(parsed("- --realtime"), io, opening());
    setImmediate(() => stop.abort());
    expect(await running).toBe(130);
    expect(stderr.text).toContain("0 micro-turns");
  });
});
