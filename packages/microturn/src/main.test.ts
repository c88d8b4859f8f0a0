import { PassThrough } from "node:stream";
import { DuplexError } from "@microturn/core";
import { describe, expect, it } from "vitest";
import { UsageError } from "./command/usage-error.js";
import { exitCodeOf, failureText } from "./failure.js";
import { main } from "./main.js";

function world() {
  const written = { out: "", err: "" };
  const stream = (name: "out" | "err") => ({
    write: (chunk: string | Uint8Array, callback?: () => void) => {
      written[name] += String(chunk);
      if (callback !== undefined) process.nextTick(callback);
      return true;
    },
    on: () => undefined,
  });
  const io = {
    stdin: new PassThrough(),
    stdout: stream("out"),
    stderr: stream("err"),
    stop: new AbortController().signal,
  };
  return { io, written };
}

describe("main", () => {
  it("answers help and version on stdout", async () => {
    const { io, written } = world();
    expect(await main([], io)).toBe(0);
    expect(written.out).toContain("microturn run input.wav");
    expect(await main(["--version"], io)).toBe(0);
    expect(written.out).toMatch(/\d+\.\d+\.\d+\n$/);
    expect(written.err).toBe("");
  });

  it("tells a mistake on the command line in one line, with exit code 2", async () => {
    const { io, written } = world();
    expect(await main(["run", "in.wav", "--trce", "x"], io)).toBe(2);
    expect(written.err).toBe("microturn: unknown flag --trce; did you mean --trace?\n");
    expect(written.out).toBe("");
  });

  it("tells a missing file in one line, with exit code 1", async () => {
    const { io, written } = world();
    expect(await main(["run", "/nowhere/in.wav"], io)).toBe(1);
    expect(written.err).toBe("microturn: there is no file /nowhere/in.wav; check the path\n");
  });

  it("names a model that is not there, and the fix", async () => {
    const { io, written } = world();
    const wav = new URL("../../../fixtures/speech/barge-in.wav", import.meta.url).pathname;
    expect(await main(["run", wav, "--model", "/nowhere/model"], io)).toBe(1);
    expect(written.err).toMatch(/^microturn: MODEL_INVALID: .*\/nowhere\/model/m);
    expect(written.err).not.toContain("    at ");
  });
});

describe("main with a broken stdout", () => {
  const breaking = (code: string) => {
    const { io, written } = world();
    let listener = (_error: Error): void => {};
    const stdout = {
      // As a real stream does: the call returns, and the error comes later.
      write: (_chunk: unknown, callback?: () => void) => {
        process.nextTick(() => {
          callback?.();
          listener(Object.assign(new Error(code), { code }));
        });
        return false;
      },
      on: (_event: "error", given: (error: Error) => void) => {
        listener = given;
      },
    };
    return { io: { ...io, stdout }, written };
  };

  it("takes a reader that left for an end, not for a failure", async () => {
    const { io, written } = breaking("EPIPE");
    expect(await main(["--help"], io)).toBe(0);
    expect(written.err).toBe("");
  });

  it("tells of a full disk", async () => {
    const { io, written } = breaking("ENOSPC");
    expect(await main(["--help"], io)).toBe(1);
    expect(written.err).toBe("microturn: the disk is full; free some space\n");
  });
});

describe("failureText", () => {
  it("gives code and message in one line, and where it came from only on request", () => {
    const error = new DuplexError("AUDIO_INVALID", "wav: expected a WAV file, got no bytes", {
      cause: new Error("inner"),
    });
    expect(failureText(error, false)).toBe("microturn: AUDIO_INVALID: wav: expected a WAV file, got no bytes");
    expect(failureText(error, true)).toMatch(/at .*[\s\S]*inner/);
  });

  it("keeps the lines of a list and disarms everything else", () => {
    expect(failureText(new Error("a\nb\u001b[2J"), false)).toBe("microturn: a\n  b [2J");
    expect(failureText("text", false)).toBe("microturn: text");
  });

  it("maps errors to exit codes", () => {
    expect(exitCodeOf(new UsageError("x"))).toBe(2);
    expect(exitCodeOf(new DuplexError("ABORTED", "x"))).toBe(130);
    expect(exitCodeOf(new Error("x"))).toBe(1);
  });
});
