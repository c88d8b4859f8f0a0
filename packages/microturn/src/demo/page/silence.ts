// Keeps the session's clock where there is no microphone: as much silence as time has passed, so that typing works.

import type { DuplexSession } from "@microturn/core";

const everyMs = 20;
/** A page that slept does not make up for hours. */
const mostMs = 1000;

/** Writes silence in real time until it is stopped. @returns stops it */
export function keepTime(session: DuplexSession): () => void {
  const { inputSampleRate } = session.capabilities;
  const silence = new Float32Array((inputSampleRate * mostMs) / 1000);
  let lastMs = performance.now();
  const timer = setInterval(() => {
    const samples = Math.floor((Math.min(mostMs, performance.now() - lastMs) * inputSampleRate) / 1000);
    lastMs = performance.now();
    if (samples > 0) void session.writeAudio(silence.subarray(0, samples), { sampleRate: inputSampleRate });
  }, everyMs);
  void session.ended.then(() => clearInterval(timer));
  return () => clearInterval(timer);
}
