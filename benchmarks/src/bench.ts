// `npm run bench`: prints speed and memory as ratios and percentiles, with the machine they were taken on.

import { parseArgs } from "node:util";
import { codecsSection } from "./codec-section.js";
import { machineSection } from "./machine.js";
import { memorySection } from "./memory.js";
import { type BenchContext, benchContext } from "./model.js";
import { type BenchSection, table } from "./report.js";
import { sessionsSection } from "./sessions.js";
import { turnStagesSection } from "./turn-stages.js";
import { weightsSection } from "./weights.js";

const sections: Readonly<Record<string, (context: BenchContext) => Promise<BenchSection>>> = {
  codecs: codecsSection,
  turn: turnStagesSection,
  weights: weightsSection,
  sessions: sessionsSection,
  memory: memorySection,
};

const help = `npm run bench -- [flags]

  --quick            short runs: shows that everything works, not to be quoted
  --only turn,memory sections to run: ${Object.keys(sections).join(", ")}
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
else process.exitCode = await bench();

async function bench(): Promise<number> {
  const wanted = values.only?.split(",") ?? Object.keys(sections);
  const unknown = wanted.find((name) => !Object.hasOwn(sections, name));
  if (unknown !== undefined) {
    process.stderr.write(`bench: there is no section "${unknown}"; there are ${Object.keys(sections).join(", ")}\n`);
    return 2;
  }
  const context = await benchContext({
    model: values.model,
    providers: values.providers.split(",") as ("cuda" | "webgpu" | "cpu")[],
    threads: values.threads === undefined ? undefined : Number(values.threads),
    quick: values.quick,
    say: (text) => process.stderr.write(process.stderr.isTTY ? `\r\u001b[2K${text}` : `${text}\n`),
  });
  const results: Record<string, BenchSection> = {};
  const report = (name: string, section: BenchSection) => {
    results[name] = section;
    if (process.stderr.isTTY) process.stderr.write("\r\u001b[2K");
    if (!values.json) process.stdout.write(`${table(section)}\n\n`);
  };
  try {
    const { provider, device } = context.backend.capabilities;
    report("machine", machineSection({ device: `${provider}: ${device}`, model: context.modelName }));
    for (const name of wanted) report(name, await sections[name](context));
  } catch (error) {
    process.stderr.write(`bench: ${error instanceof Error ? error.message : String(error)}\n`);
    return 1;
  } finally {
    await context.backend.close();
    if (values.json) {
      const figures = Object.fromEntries(
        Object.entries(results).map(([name, section]) => [name, section.figures ?? section.rows]),
      );
      process.stdout.write(`${JSON.stringify({ quick: values.quick, ...figures }, null, 2)}\n`);
    }
  }
  return 0;
}
