// npm run fuzz -- [--messages 1000000] [--seed 1] [--only name] [--session k]: feeds every decoder, one after the other.

import { parseArgs } from "node:util";
import { type FuzzReport, fuzz } from "./fuzz.js";
import { fuzzTargets } from "./targets.js";
import { startWatch } from "./watch.js";

const { values } = parseArgs({
  options: {
    messages: { type: "string", default: "1000000" },
    seed: { type: "string", default: "1" },
    only: { type: "string" },
    session: { type: "string" },
  },
});
const [messages, seed] = [Number(values.messages), Number(values.seed)];
const targets = fuzzTargets.filter(({ name }) => values.only === undefined || values.only.split(",").includes(name));
if (targets.length === 0) {
  throw new RangeError(`--only: expected one of ${fuzzTargets.map(({ name }) => name).join(", ")}, got ${values.only}`);
}

const watch = startWatch();
for (const target of targets) {
  watch.begin(`${target.name} --messages ${messages} --seed ${seed}`);
  const report = await fuzz(target, {
    ...{ messages, seed, progress: watch.progress },
    ...(values.session === undefined ? {} : { session: Number(values.session) }),
  });
  tell(report);
}
watch.end();

function tell({ failure, ...report }: FuzzReport): void {
  const { name, broken, right, sessions, cpuSeconds, outcomes, slowestMs, heapOfOne, heapOfAll } = report;
  const rate = Math.round((broken + right) / cpuSeconds);
  const lines = [
    `${name}: ${broken} broken and ${right} right messages, ${sessions} sessions, ${cpuSeconds.toFixed(0)} s of CPU, ${rate}/s`,
    `  ${Object.entries(outcomes)
      .map(([outcome, count]) => `${outcome} ${count}`)
      .join(", ")}`,
    `  slowest ${slowestMs.toFixed(1)} ms; heap of one session ${change(heapOfOne)}, of all ${change(heapOfAll)}`,
  ];
  console.log(lines.join("\n"));
  if (failure === undefined) return;
  const { what, session, message, data, error } = failure;
  const shown =
    typeof data === "string" ? data.slice(0, 4000) : data && `base64 ${Buffer.from(data).toString("base64")}`;
  console.error(`${name}: ${what} in session ${session ?? "any"}, message ${message ?? "none"}: ${shown ?? ""}`);
  console.error(error);
  const again = `npm run fuzz -- --only ${name} --messages ${messages} --seed ${seed}`;
  console.error(`again: ${again}${session === undefined ? "" : ` --session ${session}`}`);
  process.exitCode = 1;
}

function change(heap: FuzzReport["heapOfOne"]): string {
  if (heap === undefined) return "not measured";
  const [before, after] = [heap.before, heap.after].map((bytes) => (bytes / 1024 / 1024).toFixed(1));
  return `${before} -> ${after} MiB`;
}
