import { expectTypeOf } from "vitest";
import type { DuplexSession } from "./duplex-session.js";
import type { SpeechEvent, TurnLateEvent } from "./events.js";
import type { TurnRecord } from "./turn.js";

declare const session: DuplexSession;

session.on("speech", (pcm, event) => {
  expectTypeOf(pcm).toEqualTypeOf<Float32Array>();
  expectTypeOf(event).toEqualTypeOf<SpeechEvent>();
});
session.on("turn-late", (event) => expectTypeOf(event).toEqualTypeOf<TurnLateEvent>());
session.on("turn-end", ({ turn }) => expectTypeOf(turn).toEqualTypeOf<TurnRecord>());
// @ts-expect-error there is no such event
session.on("turn-over", () => {});
// @ts-expect-error there is no such policy
session.deliver("result", { dropIfStale: 1 });

async function read(): Promise<void> {
  for await (const turn of session) expectTypeOf(turn.output.decision).toEqualTypeOf<"listen" | "speak">();
}
void read;
