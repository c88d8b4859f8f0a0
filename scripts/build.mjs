// Builds every workspace in dependency order; skips one whose sources are older than its build.
import { execFileSync } from "node:child_process";
import { existsSync, readdirSync, statSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

const root = fileURLToPath(new URL("..", import.meta.url));
const order = [
  "packages/core",
  "packages/backend-ort",
  "packages/backend-node",
  "packages/backend-web",
  "packages/backend-remote",
  "packages/server",
  "packages/media",
  "packages/tools",
  "packages/mini",
  "packages/microturn",
  "conformance",
  "benchmarks",
  "examples",
];

/** Newest modification time below a path, in ms; folders named dist or node_modules do not count. */
function newest(path) {
  const info = statSync(path);
  if (!info.isDirectory()) return info.mtimeMs;
  let latest = 0;
  for (const name of readdirSync(path)) {
    if (name !== "dist" && name !== "node_modules") latest = Math.max(latest, newest(join(path, name)));
  }
  return latest;
}

let rebuilt = false;
for (const folder of order) {
  const path = join(root, folder);
  if (!existsSync(join(path, "src"))) continue;
  const stamp = join(path, "dist", ".built");
  const sources = Math.max(
    newest(join(path, "src")),
    newest(join(path, "package.json")),
    newest(join(path, "tsup.config.ts")),
  );
  if (!rebuilt && !process.argv.includes("--force") && existsSync(stamp) && statSync(stamp).mtimeMs > sources) continue;
  rebuilt = true;
  process.stdout.write(`build ${folder}\n`);
  execFileSync(process.execPath, [join(root, "node_modules/tsup/dist/cli-default.js"), "--silent"], {
    cwd: path,
    stdio: "inherit",
  });
  execFileSync(process.execPath, ["-e", `require("node:fs").writeFileSync(${JSON.stringify(stamp)}, "")`]);
}
