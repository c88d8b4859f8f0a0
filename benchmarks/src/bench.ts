// `npm run bench`: prints speed and memory as ratios and percentiles, with the machine they were taken on.

import { fork } from "node:child_process";
import { once } from "node:events";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { type BenchContext, benchContext } from "./model.js";
import { type BenchSection, goalsSection, table } from "./report.js";

/** Each runs in a process of its own, which loads no other: what one loads, compiles and leaves behind is not measured by the next. */
const sections: Readonly<Record<string, (context: BenchContext) => Promise<BenchSection>>> = {
  machine: async (context) => (await import("./machine.js")).machineSection(context),
  codecs: async () => (await import("./codec-section.js")).codecsSection(),
  vocoder: async (context) => (await import("./vocoder.js")).vocoderSection(context),
  "reading-out": async (context) => (await import("./reading-out.js")).readingOutSection(context),
  turn: async (context) => (await import("./turn-stages.js")).turnStagesSection(context),
  "worker-turn": async (context) => (await import("./turn-stages.js")).workerTurnStagesSection(context),
  weights: async (context) => (await import("./weights.js")).weightsSection(context),
  sessions: async (context) => (await import("./sessions.js")).sessionsSection(context),
  "unaligned-sessions": async (context) => (await import("./unaligned-sessions.js")).unalignedSessionsSection(context),
  server: async (context) => (await import("./server/server-section.js")).serverSection(context),
  "server-latency": async (context) => (await import("./server/server-section.js")).serverLatencySection(context),
  "server-overhead": async (context) =>
    (await import("./server/server-overhead-section.js")).serverOverheadSection(context),
  "server-resume": async (context) => (await import("./server/server-resume-section.js")).serverResumeSection(context),
  "background-delivery": async (context) => (await import("./background/delivery-section.js")).deliverySection(context),
  "background-overhead": async (context) => (await import("./background/overhead-section.js")).overheadSection(context),
  "background-faults": async (context) => (await import("./background/faults-section.js")).faultsSection(context),
  memory: async (context) => (await import("./memory.js")).memorySection(context),
  "worker-memory": async (context) => (await import("./memory.js")).workerMemorySection(context),
  "long-memory": async (context) => (await import("./memory.js")).longMemorySection(context),
  browser: async (context) => (await import("./browser/browser-section.js")).browserSection(context),
  "browser-live": async (context) => (await import("./browser/browser-section.js")).browserLiveSection(context),
  "browser-memory": async (context) => (await import("./browser/browser-section.js")).browserMemorySection(context),
  "browser-devices": async (context) => (await import("./browser/device-section.js")).deviceSection(context),
  "browser-demo": async (context) => (await import("./browser/demo-section.js")).demoSection(context),
};

const sectionNames = Object.keys(sections).filter((name) => name !== "machine");

const help = `npm run bench -- [flags]

  --quick            short runs: shows that everything works, not to be quoted
  --only turn,memory sections to run: ${sectionNames.join(", ")}
  --model folder     model to time; default the bundled mini
  --providers cpu    execution providers in order of preference
  --threads 2        CPU threads of a model run
  --json             figures as JSON on stdout
`;

const { values } = parseArgs({
  options: {
    quick: { type: "boolean", default: false },
    json: { type: "boolean", default: false },
    help: { type: "boolean", short: "h", default: false },
    only: { type: "string" },
    model: { type: "string" },
    providers: { type: "string", default: "cpu" },
    threads: { type: "string" },
  },
});

if (values.help) process.stdout.write(help);
else process.exitCode = process.send === undefined ? await bench() : await measure(values.only ?? "");

async function bench(): Promise<number> {
  const wanted = values.only?.split(",") ?? sectionNames;
  const unknown = wanted.find((name) => !Object.hasOwn(sections, name));
  if (unknown !== undefined) {
    process.stderr.write(`bench: there is no section "${unknown}"; there are ${sectionNames.join(", ")}\n`);
    return 2;
  }
  const results: Record<string, BenchSection> = {};
  let failed = false;
  for (const name of new Set(["machine", ...wanted])) {
    const section = await inItsOwnProcess(name);
    if (process.stderr.isTTY) process.stderr.write("\r\u001b[2K");
    failed = section === undefined;
    if (section === undefined) break;
    results[name] = section;
    if (!values.json) process.stdout.write(`${table(section)}\n\n`);
  }
  const goals = goalsSection(Object.values(results));
  if (!values.json && goals.rows.length > 0) process.stdout.write(`${table(goals)}\n`);
  if (values.json) {
    const figures = Object.fromEntries(
      Object.entries(results).map(([name, section]) => [name, section.figures ?? section.rows]),
    );
    const reached = Object.values(results).flatMap((section) => section.goals ?? []);
    process.stdout.write(`${JSON.stringify({ quick: values.quick, ...figures, goals: reached }, null, 2)}\n`);
  }
  return failed ? 1 : 0;
}

/** `undefined` if it failed; why is on stderr then. */
async function inItsOwnProcess(name: string): Promise<BenchSection | undefined> {
  const child = fork(fileURLToPath(import.meta.url), [...process.argv.slice(2), "--only", name]);
  let section: BenchSection | undefined;
  child.on("message", (message) => {
    section = message as BenchSection;
  });
  const [code] = await once(child, "exit");
  return code === 0 ? section : undefined;
}

/** Runs one section and sends it to the process that asked for it. */
async function measure(name: string): Promise<number> {
  const context = await benchContext({
    model: values.model,
    providers: values.providers.split(",") as ("cuda" | "webgpu" | "cpu")[],
    threads: values.threads === undefined ? undefined : Number(values.threads),
    quick: values.quick,
    say: (text) => process.stderr.write(process.stderr.isTTY ? `\r\u001b[2K${text}` : `${text}\n`),
  });
  try {
    const section = await sections[name](context);
    await new Promise<void>((sent) => process.send?.(section, () => sent()));
  } catch (error) {
    process.stderr.write(`bench: ${error instanceof Error ? error.message : String(error)}\n`);
    return 1;
  } finally {
    await context.backend.close();
    process.disconnect();
  }
  return 0;
}
