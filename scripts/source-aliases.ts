// Our packages by the names that they are imported by, as sources: tests read these, not the builds.

import { fileURLToPath } from "node:url";

const source = (path: string) => fileURLToPath(new URL(`../${path}`, import.meta.url));

/** Longer names first: the first that fits is taken. */
export const sourceAliases: Readonly<Record<string, string>> = {
  "@microturn/core/testing": source("packages/core/src/testing/index.ts"),
  "@microturn/core/codecs": source("packages/core/src/codecs.ts"),
  "@microturn/core/local": source("packages/core/src/local.ts"),
  "@microturn/core/model": source("packages/core/src/model.ts"),
  "@microturn/core/protocol": source("packages/core/src/protocol.ts"),
  "@microturn/core": source("packages/core/src/index.ts"),
  "@microturn/backend-ort": source("packages/backend-ort/src/index.ts"),
  "@microturn/backend-node": source("packages/backend-node/src/index.ts"),
  "@microturn/backend-web": source("packages/backend-web/src/index.ts"),
  "@microturn/server": source("packages/server/src/index.ts"),
  "@microturn/backend-remote": source("packages/backend-remote/src/index.ts"),
  "#opus": source("packages/backend-remote/src/opus/node-opus.ts"),
  "#socket": source("packages/backend-remote/src/socket/node-socket.ts"),
  "@microturn/media/react": source("packages/media/src/react/index.ts"),
  "@microturn/media": source("packages/media/src/index.ts"),
  "@microturn/tools/bullmq": source("packages/tools/src/bullmq/index.ts"),
  "@microturn/tools/mcp": source("packages/tools/src/mcp/index.ts"),
  "#mcp-stdio": source("packages/tools/src/mcp/stdio/node-stdio.ts"),
  "@microturn/tools/worker": source("packages/tools/src/worker/index.ts"),
  "@microturn/tools": source("packages/tools/src/index.ts"),
  "@microturn/mini": source("packages/mini/src/index.ts"),
  "@microturn/conformance": source("conformance/src/index.ts"),
};
