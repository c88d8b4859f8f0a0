// No coding in the place of Opus, for an engine: packets are 16-bit PCM, so that samples can be compared.

import type { OpusCodec } from "@microturn/backend-remote";

export const plainOpus = async (): Promise<OpusCodec> => ({
  async encoder(onPacket) {
    return {
      preSkip: 312,
      encode: (pcm) => onPacket(new Uint8Array(Int16Array.from(pcm, (value) => Math.round(value * 32768)).buffer)),
      close() {},
    };
  },
  async decoder() {
    return {
      decode: (packet) => Float32Array.from(new Int16Array(new Uint8Array(packet).buffer), (value) => value / 32768),
      close() {},
    };
  },
});
