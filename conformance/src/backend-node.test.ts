// The backend suite on every provider of backend-node that works here, and on the state form it does not choose by itself.

import { existsSync } from "node:fs";
import { nodeBackend, probeProviders } from "@microturn/backend-node";
import { describeBackend, graphChecks } from "./backend-suite.js";

describeBackend("node, cpu", () => nodeBackend({ threads: 1 }));
describeBackend("node, cpu, whole state", () => nodeBackend({ threads: 1, target: { state: "whole" } }));
describeBackend("node, cpu, the caller's thread", () => nodeBackend({ threads: 1, runOn: "caller" }));

const cuda = await unavailable("cuda");
describeBackend("node, cuda", () => nodeBackend({ providers: ["cuda"] }), { skip: cuda });

const webgpu = await findWebgpu();
// A simulated device takes tens of seconds to compile and run the shaders of a model.
describeBackend("node, webgpu", () => nodeBackend({ providers: ["webgpu"] }), { skip: webgpu, timeoutMs: 240_000 });
describeBackend("node, webgpu, new rows", () => nodeBackend({ providers: ["webgpu"], target: { state: "rows" } }), {
  skip: webgpu,
  checks: graphChecks,
});

/** Why a provider does not work here, if it does not. */
async function unavailable(provider: "cuda" | "webgpu"): Promise<string | undefined> {
  const [report] = await probeProviders({ providers: [provider] });
  return report.works ? undefined : report.reason;
}

/** Tries the machine's own Vulkan driver first, then the software one that Debian's chromium package brings. */
async function findWebgpu(): Promise<string | undefined> {
  const own = await unavailable("webgpu");
  const swiftShader = "/usr/lib/chromium/vk_swiftshader_icd.json";
  if (own === undefined || process.env.VK_ICD_FILENAMES !== undefined || !existsSync(swiftShader)) return own;
  process.env.VK_ICD_FILENAMES = swiftShader;
  return unavailable("webgpu");
}
