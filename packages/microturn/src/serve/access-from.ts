// Who may connect, by the environment: keys do not belong on a command line, where every process of the machine sees them.

import type { AccessOptions } from "@microturn/server";
import { UsageError } from "../command/usage-error.js";

const loopback = ["127.0.0.1", "::1", "localhost"];

/** @throws UsageError if a network could reach the server without a key, or the secret is too short */
export function accessFrom(
  environment: Readonly<Record<string, string | undefined>>,
  host: string,
): AccessOptions | "none" {
  const apiKeys = (environment.MICROTURN_API_KEYS ?? "")
    .split(",")
    .map((key) => key.trim())
    .filter((key) => key !== "");
  const secret = environment.MICROTURN_SECRET ?? "";
  if (secret !== "" && Buffer.byteLength(secret) < 32) {
    throw new UsageError("MICROTURN_SECRET needs at least 32 bytes; make one with: openssl rand -hex 32");
  }
  if (apiKeys.length > 0 || secret !== "") return { apiKeys, ...(secret === "" ? {} : { secret }) };
  if (loopback.includes(host)) return "none";
  throw new UsageError(
    `--host ${host} lets others reach the server: set MICROTURN_API_KEYS or MICROTURN_SECRET, for example MICROTURN_API_KEYS=$(openssl rand -hex 32)`,
  );
}
