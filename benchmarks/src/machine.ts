// What the numbers were taken on. A number without it says nothing.

import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { availableParallelism, cpus, loadavg, totalmem } from "node:os";
import type { BenchContext } from "./model.js";
import type { BenchSection } from "./report.js";

/** Machine and versions. */
export async function machineSection({ backend, modelName: model }: BenchContext): Promise<BenchSection> {
  const device = `${backend.capabilities.provider}: ${backend.capabilities.device}`;
  const figures = {
    cpu: cpus()[0]?.model.trim() ?? process.arch,
    cores: availableParallelism(),
    memoryGiB: Math.round(totalmem() / 2 ** 30),
    load: loadavg()[0],
    node: process.version,
    onnxruntime: packageVersion("onnxruntime-node"),
    platform: `${process.platform}-${process.arch}`,
    device,
    model,
  };
  return {
    title: "Machine",
    rows: [
      { name: "CPU", value: `${figures.cpu}, ${figures.cores} cores, ${figures.memoryGiB} GiB` },
      { name: "software", value: `Node ${figures.node}, onnxruntime-node ${figures.onnxruntime}, ${figures.platform}` },
      { name: "backend", value: device },
      { name: "model", value: model },
      {
        name: "load before",
        value: figures.load.toFixed(2),
        ...(figures.load > 0.5 ? { note: "other programs are running: times are worse than they need be" } : {}),
      },
    ],
    figures,
  };
}

function packageVersion(name: string): string {
  try {
    const require = createRequire(createRequire(import.meta.url).resolve("@microturn/backend-node/package.json"));
    const { version } = JSON.parse(readFileSync(require.resolve(`${name}/package.json`), "utf8")) as {
      version: string;
    };
    return version;
  } catch {
    return "of unknown version";
  }
}
