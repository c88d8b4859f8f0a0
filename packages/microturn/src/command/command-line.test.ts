import { describe, expect, it } from "vitest";
import { readCommandLine } from "./command-line.js";
import { UsageError } from "./usage-error.js";

const failure = (...args: string[]) => {
  try {
    readCommandLine(args);
  } catch (error) {
    expect(error).toBeInstanceOf(UsageError);
    return (error as UsageError).message;
  }
  throw new Error(`accepted: ${args.join(" ")}`);
};

describe("readCommandLine", () => {
  it("reads a run with every flag", () => {
    const command = readCommandLine(
      "run in.wav -o r.wav --mix --trace s.html --model ./m --providers cuda,cpu --weights int8 --threads 2 --realtime --seed 7 --temperature=0.5 --tail-ms 100 --deadline strict --every --verbose".split(
        " ",
      ),
    );
    expect(command).toEqual({
      name: "run",
      options: {
        input: "in.wav",
        out: "r.wav",
        mix: true,
        trace: "s.html",
        model: "./m",
        providers: ["cuda", "cpu"],
        weights: "int8",
        threads: 2,
        realtime: true,
        rate: 16_000,
        seed: 7,
        temperature: 0.5,
        tailMs: 100,
        deadline: "strict",
        every: true,
        verbose: true,
      },
    });
  });

  it("reads a demo", () => {
    expect(readCommandLine(["demo"])).toEqual({
      name: "demo",
      options: { open: true, isolated: true, verbose: false },
    });
    expect(readCommandLine("demo --port 0 --model ./m --no-open --isolated off --verbose".split(" "))).toEqual({
      name: "demo",
      options: { port: 0, model: "./m", open: false, isolated: false, verbose: true },
    });
    expect(failure("demo", "--port", "65536")).toBe('--port must be a whole number from 0 to 65535, got "65536"');
    expect(failure("demo", "--isolated", "maybe")).toBe('--isolated must be one of on, off, got "maybe"');
    expect(failure("demo", "page.html")).toContain("demo takes no input");
    expect(failure("dmeo")).toContain("did you mean microturn demo?");
  });

  it("leaves time for what is to be said", () => {
    const say = "it is twelve degrees in oslo";
    const tail = (...args: string[]) => {
      const command = readCommandLine(["run", "in.wav", ...args]);
      return command.name === "run" ? command.options.tailMs : 0;
    };
    expect(tail()).toBe(6000);
    // Speech has about 15 letters a second.
    expect(tail("--say", say)).toBeGreaterThan(6000 + (1000 * say.length) / 15);
    expect(tail("--say", say, "--tail-ms", "0")).toBe(0);
    for (const nothing of [" ", "…", "漢字"]) {
      expect(failure("run", "in.wav", "--say", nothing)).toContain("--say needs a text in Latin letters or digits");
    }
  });

  it("leaves out what was not asked for", () => {
    const command = readCommandLine(["run", "-", "--rate", "48000"]);
    expect(command).toMatchObject({
      name: "run",
      options: { input: "-", rate: 48_000, providers: ["cpu"], realtime: false },
    });
    expect(command.name === "run" && "out" in command.options).toBe(false);
  });

  it("names the nearest flag, command and provider", () => {
    expect(failure("run", "in.wav", "--realtme")).toContain("did you mean --realtime?");
    expect(failure("run", "in.wav", "--qqqqqq")).toContain("microturn run --help");
    expect(failure("docter")).toContain("did you mean microturn doctor?");
    expect(failure("in.wav")).toContain("did you mean microturn run in.wav?");
    expect(failure("run", "in.wav", "--providers", "cdua")).toContain("did you mean cuda?");
    expect(failure("run", "in.wav", "--providers", "tensorflow")).toContain("known are cpu, cuda, webgpu");
  });

  it("refuses flags of an object's own prototype", () => {
    expect(failure("run", "in.wav", "--constructor")).toContain("unknown flag --constructor");
  });

  it("says what a flag needs when its value is missing, misplaced or out of range", () => {
    expect(failure("run", "in.wav", "--out", "--mix")).toContain("--out needs a value");
    expect(failure("run", "in.wav", "--trace")).toContain("--trace session.html");
    expect(failure("run", "in.wav", "--realtime=yes")).toContain("takes no value");
    expect(failure("run", "in.wav", "--seed", "1.5")).toContain("a whole number from 0");
    expect(failure("run", "in.wav", "--temperature", "3")).toContain("from 0 to 2");
    expect(failure("run", "in.wav", "--temperature", "")).toContain("--temperature needs a value");
    expect(failure("run", "in.wav", "--out=")).toContain("--out needs a value: --out reply.wav");
    expect(failure("run", "in.wav", "--deadline", "strict")).toContain("add --realtime");
    expect(failure("run", "in.wav", "--weights", "int3")).toContain("float32, float16, int8, int4");
    expect(failure("run", "in.wav", "--mix")).toContain("--out reply.wav");
    expect(failure("run", "in.wav", "--rate", "8000")).toContain("states its own rate");
  });

  it("asks for exactly one input", () => {
    expect(failure("run")).toContain("run needs an input");
    expect(failure("run", "a.wav", "b.wav")).toContain('got also "b.wav"');
    expect(failure("doctor", "a.wav")).toContain("takes no input");
  });

  it("helps in general and with each command", () => {
    const text = (...args: string[]) => {
      const command = readCommandLine(args);
      return command.name === "help" ? command.text : "";
    };
    expect(text()).toContain("arecord");
    expect(text("run", "--help")).toContain("--temperature");
    expect(text("help", "doctor")).toContain("doctor");
    expect(readCommandLine(["--version"])).toEqual({ name: "version" });
  });
});
