// mini behind a socket: a server with a secret, a short-lived token as a page would get it, and a session there. Server and
// client share a process only so that this is one file.

import { readFile } from "node:fs/promises";
import { nodeBackend } from "@microturn/backend-node";
import { microturnEngine } from "@microturn/backend-remote";
import { DuplexSession, mixToMono, readWav } from "@microturn/core";
import { mini } from "@microturn/mini";
import { createServer, createToken } from "@microturn/server";

const secret = crypto.randomUUID() + crypto.randomUUID();
await using backend = await nodeBackend();
await using server = createServer({ backend, model: mini, maxSessions: 4, auth: { secret } });
const { url } = await server.listen({ port: 0 });
await server.ready;

// In an application, a route of its own server does this for users that it knows.
const token = () => createToken({ secret, subject: "example", expiresInS: 60 });

const engine = microturnEngine({ url, token });
const session = await DuplexSession.open({ engine, pace: "as-fast-as-input" });
console.log(`a session of ${session.capabilities.identity?.model} at ${url}`);

const { channels, sampleRate } = readWav(await readFile("fixtures/speech/question.wav"));
const listening = session.writeAudio(mixToMono(channels), { sampleRate }).then(() => session.finish());
for await (const { startMs, output } of session) {
  if (output.heard) console.log(`${startMs} ms  heard: ${output.heard}`);
  if (output.text) console.log(`${startMs} ms  says:  ${output.text}`);
}
await listening;
await engine.close();
