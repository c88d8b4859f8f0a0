// Entry of the process that tries one provider for `probeProviders`. A process of its own, because a broken driver can end
// it, and because the runtime tells the real cause of a failure on the error stream only.

import type { NodeProvider } from "./providers.js";
import { loadRuntime, sessionOptions, tryProvider } from "./start-runtime.js";

const [provider, probe] = process.argv.slice(2);
const ort = await loadRuntime();
ort.env.logLevel = "error";
const options = sessionOptions(provider as NodeProvider, { threads: 1, spinning: false, deviceId: 0 });
const reason = await tryProvider(ort, provider as NodeProvider, options, Buffer.from(probe, "base64"));
process.send?.({ reason });
process.disconnect?.();
