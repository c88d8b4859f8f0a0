// The stream of a provider of the AI SDK, played from a list of parts at a pace of its own. It may break as connections do.

import type { Clock } from "@microturn/core";
import type { MockLanguageModelV3 } from "ai/test";

type DoStream = MockLanguageModelV3["doStream"];

/** What a provider is asked. */
export type ProviderRequest = Parameters<DoStream>[0];

/** What it answers with. */
export type ProviderAnswer = Awaited<ReturnType<DoStream>>;

/** A part of its stream. */
export type ProviderPart = ProviderAnswer["stream"] extends ReadableStream<infer Part> ? Part : never;

/** How a stream stops that does not come to its end: with an error, without a word, or not at all. */
export type StreamBreak = "error" | "closed" | "hangs";

/** A call that a step asks for. */
export interface AskedCall {
  readonly name: string;
  readonly input: unknown;
}

/** The parts of one step of a model: words, then calls. The text comes in pieces of `tokenChars` characters. */
export function partsOfStep(text: string, calls: readonly AskedCall[], tokenChars: number): ProviderPart[] {
  const parts: ProviderPart[] = [{ type: "stream-start", warnings: [] }];
  if (text !== "") {
    parts.push({ type: "text-start", id: "text" });
    for (let at = 0; at < text.length; at += tokenChars) {
      parts.push({ type: "text-delta", id: "text", delta: text.slice(at, at + tokenChars) });
    }
    parts.push({ type: "text-end", id: "text" });
  }
  for (const [index, { name, input }] of calls.entries()) {
    // Ids begin anew in each answer, as with some local servers.
    parts.push({ type: "tool-call", toolCallId: `call_${index}`, toolName: name, input: JSON.stringify(input) });
  }
  const reason = calls.length > 0 ? "tool-calls" : "stop";
  parts.push({
    type: "finish",
    finishReason: { unified: reason, raw: reason },
    usage: {
      inputTokens: { total: 1, noCache: 1, cacheRead: 0, cacheWrite: 0 },
      outputTokens: { total: 1, text: 1, reasoning: 0 },
    },
  });
  return parts;
}

/**
 * Plays parts.
 *
 * @param options.partMs - pause before each part
 * @param options.broken - how it stops after the last part; default as it should
 * @param options.signal - of the request; only a stream that stands heeds it, as a connection that is still open
 */
export function playedStream(
  parts: readonly ProviderPart[],
  options: {
    readonly clock: Clock;
    readonly partMs: number;
    readonly broken?: StreamBreak | undefined;
    readonly signal?: AbortSignal | undefined;
  },
): ReadableStream<ProviderPart> {
  const { clock, partMs, broken, signal } = options;
  let next = 0;
  let stopTimer = () => {};
  return new ReadableStream<ProviderPart>({
    async pull(controller) {
      if (partMs > 0) {
        await new Promise<void>((resolve) => {
          const wake = () => {
            stop();
            signal?.removeEventListener("abort", wake);
            resolve();
          };
          const stop = clock.setTimer(wake, clock.now() + partMs);
          stopTimer = wake;
          signal?.addEventListener("abort", wake);
        });
      }
      const part = parts[next++];
      if (part !== undefined) controller.enqueue(part);
      else if (broken === undefined || broken === "closed") controller.close();
      else if (broken === "error") controller.error(new TypeError("terminated"));
      else {
        await new Promise((_, reject) => {
          const abort = () => reject(new DOMException("aborted", "AbortError"));
          if (signal?.aborted) abort();
          else signal?.addEventListener("abort", abort, { once: true });
        });
      }
    },
    cancel: () => stopTimer(),
  });
}
