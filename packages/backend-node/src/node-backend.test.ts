import { execFile } from "node:child_process";
import { existsSync } from "node:fs";
import { mkdir, mkdtemp, readdir, rm, symlink, writeFile } from "node:fs/promises";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";
import { promisify } from "node:util";
import { Worker } from "node:worker_threads";
import { probeGraph } from "@microturn/backend-ort";
import { DuplexError, type Graph } from "@microturn/core";
import { build } from "esbuild";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { sourceAliases } from "../../../scripts/source-aliases.js";
import { type NodeBackendOptions, nodeBackend, startBackend } from "./node-backend.js";
import { probeProviders } from "./probe.js";
import { cudaFilesPresent } from "./providers.js";
import { builtFile } from "./worker-location.js";

const source = (path: string) => fileURLToPath(new URL(path, import.meta.url));
const matrix = { type: "float32", shape: [2, 2] } as const;
const productGraph: Graph = {
  onnx: probeGraph(),
  inputs: [
    { name: "a", ...matrix },
    { name: "b", ...matrix },
  ],
  outputs: [{ name: "c", ...matrix }],
  state: [],
};
const noCuda = !cudaFilesPresent();

let folder: string;
/** A folder beside which onnxruntime-node is installed. */
let installed: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "microturn-backend-"));
  installed = join(folder, "installed");
  await mkdir(join(installed, "node_modules"), { recursive: true });
  const runtime = createRequire(import.meta.url).resolve("onnxruntime-node/package.json");
  await symlink(dirname(runtime), join(installed, "node_modules", "onnxruntime-node"));
  // One file each, free of the package's own folder: for installations and processes of their own.
  await bundle("./worker.ts", "worker.js");
  await bundle("./node-backend.ts", "backend.mjs");
  await bundle("./node-backend.ts", "installed/backend.mjs");
});
afterAll(() => rm(folder, { recursive: true }));

async function bundle(entry: string, name: string): Promise<void> {
  await build({
    entryPoints: [source(entry)],
    outfile: join(folder, name),
    bundle: true,
    platform: "node",
    format: "esm",
    target: "node20",
    external: ["onnxruntime-node"],
    alias: { ...sourceAliases },
    banner: {
      js: 'import { createRequire as makeRequire } from "node:module"; const require = makeRequire(import.meta.url);',
    },
    logLevel: "error",
  });
}

function startOver(worker: URL) {
  return startBackend({}, () => worker);
}

async function failure(promise: Promise<unknown>): Promise<DuplexError> {
  try {
    await promise;
  } catch (error) {
    if (DuplexError.is(error)) return error;
    throw error;
  }
  throw new Error("expected a failure");
}

describe("nodeBackend options", () => {
  const wrong: [string, object][] = [
    ["providers", { providers: [] }],
    ["providers", { providers: ["gpu"] }],
    ["threads", { threads: 0 }],
    ["threads", { threads: 2.5 }],
    ["runOn", { runOn: "main" }],
    ["deviceId", { deviceId: -1 }],
    ["maxBatch", { maxBatch: 5000 }],
  ];
  test.each(wrong)("refuses a wrong value of %s with a RangeError: %j", async (name, options) => {
    const starting = nodeBackend(options as NodeBackendOptions);
    await expect(starting).rejects.toThrow(RangeError);
    await expect(starting).rejects.toThrow(name.replace("providers", "provider"));
  });

  test("uses the CPU unless told otherwise, and says how graphs are made for it", async () => {
    await using backend = await nodeBackend({ threads: 1, maxBatch: 5 });
    expect(backend.capabilities).toMatchObject({
      provider: "cpu",
      maxBatch: 5,
      canCloneState: true,
      target: { experts: "if", state: "rows", weights: ["int8", "float32", "float16"] },
    });
    expect(backend.capabilities.device).toContain("1 thread");
    expect(backend.passedOver).toEqual([]);
  });

  test("starts on the CPU where no temporary file can be written, and proves no other provider then", async () => {
    const { TMPDIR } = process.env;
    process.env.TMPDIR = "/nonexistent";
    try {
      await using backend = await nodeBackend({ providers: ["webgpu", "cpu"], threads: 1 });
      expect(backend.capabilities.provider).toBe("cpu");
      expect(backend.passedOver[0].reason).toContain("set TMPDIR to a folder that can be written to");
    } finally {
      if (TMPDIR === undefined) delete process.env.TMPDIR;
      else process.env.TMPDIR = TMPDIR;
    }
  });

  test("changes the target on request", async () => {
    await using backend = await nodeBackend({ threads: 1, target: { experts: "dense", weights: ["float32"] } });
    expect(backend.capabilities.target).toEqual({ experts: "dense", state: "rows", weights: ["float32"] });
  });
});

describe.skipIf(!noCuda)("a provider that is missing (skipped where the CUDA files are installed)", () => {
  test("is an error that says how to get it", async () => {
    const error = await failure(nodeBackend({ providers: ["cuda"] }));
    expect(error.code).toBe("BACKEND_UNAVAILABLE");
    expect(error.message).toMatch(/cuda: the CUDA files of onnxruntime-node are not installed/);
    expect(error.message).toMatch(/npm rebuild onnxruntime-node .*cuda12.*cuDNN 9/);
    expect(error.details).toMatchObject({ providers: [{ provider: "cuda" }] });
  });

  test("is passed over, with the reason, when a later one works", async () => {
    await using backend = await nodeBackend({ providers: ["cuda", "cpu"], threads: 1 });
    expect(backend.capabilities.provider).toBe("cpu");
    expect(backend.passedOver).toMatchObject([{ provider: "cuda", reason: expect.stringContaining("not installed") }]);
  });
});

describe("probeProviders", () => {
  test("tries each provider in a process of its own and tells what to do", async () => {
    const reports = await probeProviders({ providers: ["cuda", "cpu"] });
    expect(reports.map((report) => report.provider)).toEqual(["cuda", "cpu"]);
    expect(reports[1]).toMatchObject({ works: true, reason: "", fix: "" });
    expect(reports[1].device).not.toBe("");
    if (noCuda) {
      expect(reports[0]).toMatchObject({ works: false, device: "" });
      expect(reports[0].fix).toContain("npm rebuild onnxruntime-node");
    }
  });

  test("reports a Vulkan driver that cannot be used as a WebGPU that does not work", async () => {
    const before = process.env.VK_ICD_FILENAMES;
    process.env.VK_ICD_FILENAMES = join(folder, "no-such-driver.json");
    try {
      const [report] = await probeProviders({ providers: ["webgpu"] });
      // Only Linux goes through Vulkan.
      if (process.platform === "linux")
        expect(report).toMatchObject({ works: false, fix: expect.stringContaining("Vulkan") });
      expect(report.provider).toBe("webgpu");
    } finally {
      if (before === undefined) delete process.env.VK_ICD_FILENAMES;
      else process.env.VK_ICD_FILENAMES = before;
    }
  });

  test("gives up on a provider after the limit", async () => {
    const [report] = await probeProviders({ providers: ["cpu"], timeoutMs: 1 });
    expect(report).toMatchObject({ works: false, reason: "it did not answer within 1 ms" });
  });
});

describe("an installation of onnxruntime-node", () => {
  async function workerBeside(module: string | undefined): Promise<URL> {
    const place = await mkdtemp(join(folder, "install-"));
    await bundle("./worker.ts", join(place.slice(folder.length + 1), "worker.mjs"));
    if (module !== undefined) {
      const target = join(place, "node_modules", "onnxruntime-node");
      await mkdir(target, { recursive: true });
      await writeFile(join(target, "package.json"), `{"name":"onnxruntime-node","main":"index.js"}`);
      await writeFile(join(target, "index.js"), module);
    }
    return pathToFileURL(join(place, "worker.mjs"));
  }

  test("that is missing is BACKEND_UNAVAILABLE with the line for .npmrc", async () => {
    const error = await failure(startOver(await workerBeside(undefined)));
    expect(error.code).toBe("BACKEND_UNAVAILABLE");
    expect(error.message).toMatch(/cannot be loaded: Cannot find package 'onnxruntime-node'/);
    expect(error.message).toContain("onnxruntime-node-install=skip");
  });

  test("that is broken is BACKEND_UNAVAILABLE with what its loading said", async () => {
    const broken = `throw new Error("onnxruntime_binding.node: cannot open shared object file");`;
    const error = await failure(startOver(await workerBeside(broken)));
    expect(error.code).toBe("BACKEND_UNAVAILABLE");
    expect(error.message).toContain("cannot open shared object file");
  });

  test("whose provider computes something wrong is not trusted", async () => {
    const lying = `
      const run = async () => ({ c: { data: Float32Array.of(1, 2, 3, 4) } });
      exports.env = {};
      exports.Tensor = class {};
      exports.listSupportedBackends = () => [{ name: "cpu" }];
      exports.InferenceSession = { create: async () => ({ run, endProfiling() {}, async release() {} }) };
    `;
    const error = await failure(startOver(await workerBeside(lying)));
    expect(error.code).toBe("BACKEND_UNAVAILABLE");
    expect(error.message).toContain("it computes [1,2,3,4] where [19,22,43,50] is right");
  });
});

describe("a process", () => {
  const usage = `
    import { startBackend } from ${JSON.stringify("FOLDER/backend.mjs")};
    const graph = JSON.parse(process.argv[2]);
    graph.onnx = Uint8Array.from(graph.onnx);
    const backend = await startBackend({ threads: 1, runOn: process.argv[4] }, () => new URL(process.argv[3]));
    const executable = await backend.load(graph);
    const state = await executable.createState(1);
    const feed = (...values) => ({ type: "float32", shape: [2, 2], data: Float32Array.from(values) });
    const { outputs } = await executable.run({ a: feed(1, 2, 3, 4), b: feed(5, 6, 7, 8) }, state);
    console.log(outputs.c.data.join());
  `;

  test.each([
    ["in a worker", "worker"],
    ["on its own thread", "caller"],
  ])("ends by itself with a backend left open %s, and telemetry left no trace in its home", async (_, runOn) => {
    const home = join(folder, `home-${runOn}`);
    await mkdir(home);
    const script = join(installed, `use-${runOn}.mjs`);
    await writeFile(script, usage.replace("FOLDER", installed));
    const { ORT_DISABLE_TELEMETRY: __, XDG_CACHE_HOME: ___, ...environment } = process.env;
    const args = [
      script,
      JSON.stringify({ ...productGraph, onnx: [...productGraph.onnx] }),
      builtFile("worker.js").href,
      runOn,
    ];
    const { stdout } = await promisify(execFile)(process.execPath, args, {
      env: { ...environment, HOME: home, TMPDIR: home },
      timeout: 30_000,
    });
    expect(stdout.trim()).toBe("19,22,43,50");
    expect(await readdir(home)).toEqual([]);
  });

  test("without the variable cannot start a backend from a worker thread, where telemetry cannot be turned off", async () => {
    const code = `
      import { parentPort } from "node:worker_threads";
      import { startBackend } from ${JSON.stringify(pathToFileURL(join(folder, "backend.mjs")).href)};
      delete process.env.ORT_DISABLE_TELEMETRY;
      try {
        await startBackend({}, () => new URL("file:///nowhere/worker.js"));
      } catch (error) {
        parentPort.postMessage([error.code, error.message]);
      }
    `;
    const file = join(folder, "in-worker.mjs");
    await writeFile(file, code);
    const worker = new Worker(file, { execArgv: [] });
    const [errorCode, message] = await new Promise<[string, string]>((resolve, reject) => {
      worker.on("message", resolve);
      worker.on("error", reject);
    });
    expect(errorCode).toBe("UNSUPPORTED");
    expect(message).toContain("ORT_DISABLE_TELEMETRY=1");
    await worker.terminate();
  });
});

describe("on the caller's thread", () => {
  const feed = (...values: number[]) => ({ ...matrix, data: Float32Array.from(values) });

  test("two backends work side by side, and one goes on when the other is closed", async () => {
    await using other = await nodeBackend({ threads: 1, runOn: "caller" });
    const backend = await nodeBackend({ threads: 1, runOn: "caller" });
    const [executable, remaining] = await Promise.all([backend.load(productGraph), other.load(productGraph)]);
    await backend.close();
    expect((await failure(executable.createState(1))).code).toBe("SESSION_CLOSED");
    const state = await remaining.createState(1);
    const { outputs } = await remaining.run({ a: feed(1, 2, 3, 4), b: feed(5, 6, 7, 8) }, state);
    expect([...outputs.c.data]).toEqual([19, 22, 43, 50]);
  });

  test("a load that is aborted while the thread is busy with it is ABORTED, and what it loaded is freed", async () => {
    await using backend = await nodeBackend({ threads: 1, runOn: "caller" });
    const controller = new AbortController();
    const loading = failure(backend.load(productGraph, { signal: controller.signal }));
    // Due at once, but nothing else happens on this thread before the graph is loaded.
    setTimeout(() => controller.abort(), 0);
    expect((await loading).code).toBe("ABORTED");
    await backend.load(productGraph);
  });

  test("a bundle for CommonJS without a worker file works", async () => {
    const file = join(installed, "bundle.cjs");
    await build({
      stdin: {
        contents: `import { nodeBackend } from ${JSON.stringify(source("./node-backend.ts"))};
          nodeBackend({ threads: 1, runOn: "caller" }).then((backend) => console.log(backend.capabilities.provider));`,
        resolveDir: folder,
      },
      outfile: file,
      bundle: true,
      platform: "node",
      format: "cjs",
      external: ["onnxruntime-node"],
      alias: { ...sourceAliases },
      logLevel: "error",
    });
    const { stdout } = await promisify(execFile)(process.execPath, [file], { timeout: 30_000 });
    expect(stdout.trim()).toBe("cpu");
  });
});

test("a worker that dies in mid-run fails the run, and the backend still closes", async () => {
  const file = join(folder, "dies.mjs");
  await writeFile(
    file,
    `import { parentPort } from "node:worker_threads";
     parentPort.on("message", ({ id, request }) => {
       if (request.kind === "run") process.exit(9);
       parentPort.postMessage({ id, value: request.kind === "start" ? [{ provider: "cpu" }] : undefined });
     });`,
  );
  const backend = await startOver(pathToFileURL(file));
  const executable = await backend.load(productGraph);
  const state = await executable.createState(1);
  const feed = { ...matrix, data: new Float32Array(4) };
  const runs = [executable.run({ a: feed, b: feed }, state), executable.run({ a: feed, b: feed }, state)];
  for (const outcome of await Promise.allSettled(runs)) {
    expect(outcome).toMatchObject({ status: "rejected", reason: { code: "BACKEND_FAILED" } });
  }
  expect((await failure(state.read(0))).code).toBe("BACKEND_FAILED");
  await state.dispose();
  await executable.dispose();
  await backend.close();
  expect((await failure(backend.load(productGraph))).code).toBe("SESSION_CLOSED");
});

test("the built worker is where the backend looks for it", () => {
  expect(existsSync(builtFile("worker.js"))).toBe(true);
  expect(existsSync(builtFile("probe-process.js"))).toBe(true);
});
