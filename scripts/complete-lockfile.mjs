// Adds to package-lock.json the optional packages of other platforms that npm left out, as it does when the registry at hand has
// only those of its own platform. Without them `npm ci` refuses the file. They carry no integrity hash: npm adds it when it can.
// Run after every `npm install` that changes the lock file: node scripts/complete-lockfile.mjs
import { readFileSync, writeFileSync } from "node:fs";

const path = new URL("../package-lock.json", import.meta.url);
const lock = JSON.parse(readFileSync(path, "utf8"));
const systems = ["aix", "android", "darwin", "freebsd", "linux", "netbsd", "openbsd", "openharmony", "sunos", "win32"];
const processors = ["arm64", "arm", "ia32", "loong64", "mips64el", "ppc64", "riscv64", "s390x", "x64", "wasm32"];

/** Where a package named in `parent` is looked up, nearest first. */
function places(parent, name) {
  const found = [];
  for (let at = parent; ; at = at.slice(0, Math.max(0, at.lastIndexOf("/node_modules/")))) {
    found.push(at === "" ? `node_modules/${name}` : `${at}/node_modules/${name}`);
    if (at === "") return found;
  }
}

/** Whether a version is one of a range as npm writes them for optional packages: exact, `~` or `^`, from 1.0.0 on. */
function fits(version, range) {
  const [have, want] = [version, range.replace(/^[~^]/, "")].map((text) => text.split(".").map(Number));
  const fixed = range.startsWith("^") ? 1 : range.startsWith("~") ? 2 : 3;
  if (have.slice(0, fixed).join() !== want.slice(0, fixed).join()) return false;
  const at = have.findIndex((part, index) => part !== want[index]);
  return at === -1 || have[at] > want[at];
}

let added = 0;
for (const [parent, entry] of Object.entries(lock.packages)) {
  for (const [name, range] of Object.entries(entry.optionalDependencies ?? {})) {
    const version = range.replace(/^[~^]/, "");
    const present = places(parent, name).find((place) => lock.packages[place] !== undefined);
    if (present !== undefined && fits(lock.packages[present].version, range)) continue;
    const place = present === undefined ? `node_modules/${name}` : `${parent}/node_modules/${name}`;
    const words = name.split(/[-/]/);
    const os = name === "fsevents" ? "darwin" : systems.find((system) => words.includes(system));
    const cpu = processors.find((processor) => words.includes(processor));
    lock.packages[place] = {
      version,
      ...(cpu === undefined ? {} : { cpu: [cpu] }),
      ...(entry.dev ? { dev: true } : {}),
      optional: true,
      ...(os === undefined ? {} : { os: [os] }),
    };
    added++;
  }
}
const sorted = Object.fromEntries(Object.entries(lock.packages).sort(([a], [b]) => (a < b ? -1 : 1)));
writeFileSync(path, `${JSON.stringify({ ...lock, packages: sorted }, null, 2)}\n`);
console.log(`${added} packages added`);
