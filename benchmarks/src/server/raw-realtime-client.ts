// As raw-client.ts, on the JSON wire: 200 ms of PCM in one append, made beforehand. An answer is a micro-turn's first delta of
// sound, as silence is not sent.

import { WebSocket } from "ws";
import type { RawClient } from "./raw-client.js";

const turnMs = 200;
const usualRate = 24_000;

/** What a client of the JSON wire sends. */
export interface RawRealtimeOptions {
  /** A tone, or silence; default a tone. */
  readonly loud?: boolean;
  /** Of both directions, Hz; default 24000, which the wire has by itself. */
  readonly sampleRate?: number;
}

/** 200 ms in base64. */
function append(sampleRate: number, loud: boolean): string {
  const length = (sampleRate * turnMs) / 1000;
  const samples = Int16Array.from({ length }, (_, i) => (loud ? Math.round(6000 * Math.sin(i / 9)) : 0));
  return JSON.stringify({ type: "input_audio_buffer.append", audio: Buffer.from(samples.buffer).toString("base64") });
}

/** Opens a session and feeds it in real time. @returns once it is created or refused */
export function rawRealtimeClient(
  port: number,
  phaseMs: number,
  turns: number,
  { loud = true, sampleRate = usualRate }: RawRealtimeOptions = {},
): Promise<RawClient> {
  const socket = new WebSocket(`ws://127.0.0.1:${port}/v1/realtime?model=mini`, { perMessageDeflate: false });
  const times = new Float64Array(turns).fill(Number.NaN);
  const message = append(sampleRate, loud);
  let failure: string | undefined;
  let up = 0;
  let down = 0;
  let sent = 0;
  let sentAtMs = 0;
  let answered = true;
  let timer: ReturnType<typeof setTimeout> | undefined;
  let startMs = 0;
  const send = () => {
    if (sent === turns) {
      timer = setTimeout(() => socket.close(), 2 * turnMs);
      return;
    }
    sentAtMs = startMs + sent * turnMs;
    answered = false;
    sent++;
    up += message.length;
    socket.send(message);
    timer = setTimeout(send, Math.max(0, startMs + sent * turnMs - performance.now()));
  };
  return new Promise((resolve) => {
    const client: RawClient = {
      times,
      failure: () => failure,
      bytesUp: () => up,
      bytesDown: () => down,
      close() {
        clearTimeout(timer);
        socket.terminate();
      },
    };
    socket.on("message", (data: Buffer) => {
      down += data.length;
      if (startMs === 0) {
        const told = JSON.parse(data.toString()) as { type: string; error?: { code?: string; message?: string } };
        if (told.type === "error") failure = `${told.error?.code}: ${told.error?.message}`;
        else if (told.type === "session.created") {
          const format = { type: "audio/pcm", rate: sampleRate };
          const audio = { input: { format }, output: { format } };
          if (sampleRate !== usualRate) socket.send(JSON.stringify({ type: "session.update", session: { audio } }));
          const nowMs = performance.now();
          startMs = nowMs + ((phaseMs - nowMs) % turnMs) + turnMs;
          timer = setTimeout(send, startMs - nowMs);
        } else return;
        resolve(client);
      } else if (!answered && data.includes("response.output_audio.delta")) {
        answered = true;
        times[sent - 1] = performance.now() - sentAtMs;
      }
    });
    socket.on("error", (error) => {
      failure ??= error.message;
    });
    socket.on("close", () => {
      clearTimeout(timer);
      resolve(client);
    });
  });
}
