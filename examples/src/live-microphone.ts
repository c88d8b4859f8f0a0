// A live conversation on Linux: arecord gives the microphone, aplay takes the assistant's voice. Use headphones: there is
// no echo cancellation here, and the assistant would hear itself.
//
//   node examples/dist/live-microphone.js

import { spawn } from "node:child_process";
import { nodeBackend } from "@microturn/backend-node";
import { DuplexSession, floatToInt16, int16ToFloat } from "@microturn/core";
import { localEngine } from "@microturn/core/local";
import { mini } from "@microturn/mini";

const backend = await nodeBackend();
const session = await DuplexSession.open({ engine: localEngine({ model: mini, backend }), sampleRate: 16_000 });

// Only now: what the microphone gave before would delay the whole conversation.
const format = ["-q", "-f", "S16_LE", "-r", "16000", "-c", "1", "-t", "raw"];
const microphone = spawn("arecord", format, { stdio: ["ignore", "pipe", "inherit"] });
const speaker = spawn("aplay", format, { stdio: ["pipe", "ignore", "inherit"] });
for (const [name, child] of Object.entries({ microphone, speaker })) {
  child.on("error", (error) => console.error(`${name}: ${error.message}; install alsa-utils`));
}

session.on("speech", (pcm) => speaker.stdin.write(Buffer.from(floatToInt16(pcm).buffer)));
session.on("heard-delta", ({ text }) => process.stdout.write(`\u001b[34m${text}\u001b[0m `));
session.on("text-delta", ({ text }) => process.stdout.write(`\u001b[33m${text}\u001b[0m `));
session.on("turn-late", ({ lateMs }) => console.error(`\nlate by ${lateMs.toFixed(0)} ms`));
speaker.stdin.on("error", () => session.close());
process.once("SIGINT", () => session.close());

// A microphone cannot wait: what it gives is written as it comes, whole samples at a time.
let rest = Buffer.alloc(0);
microphone.stdout.on("data", (bytes: Buffer) => {
  const all = Buffer.concat([rest, bytes]);
  const samples = new Int16Array(all.length >> 1);
  for (let i = 0; i < samples.length; i++) samples[i] = all.readInt16LE(2 * i);
  rest = all.subarray(2 * samples.length);
  if (!session.closed) void session.writeAudio(int16ToFloat(samples));
});
microphone.on("close", () => session.close());

console.log(await session.ended);
microphone.kill();
speaker.kill();
await backend.close();
