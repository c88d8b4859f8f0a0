// Opus in Node: libopus as WebAssembly, by `@evan/opus` (encodes) and `opus-decoder` (decodes).

import { missingPackage, type OpusCodec, openOpusDecoder, opusPacketSamples, opusSampleRate } from "./opus-codec.js";

/** Delay of libopus at 24 kHz, 156 samples, as `OPUS_GET_LOOKAHEAD` gives it; here at 48 kHz. */
const preSkip = 312;

/** What is used of `@evan/opus/wasm/index.js`, which has no types of its own. */
interface EvanOpus {
  readonly Encoder: new (options: {
    channels: number;
    sample_rate: number;
    application: string;
  }) => {
    encode(pcm: Int16Array): Uint8Array;
    ctl(request: number, value: number): void;
    drop(): void;
  };
}

/** `OPUS_SET_BITRATE`, `OPUS_SET_COMPLEXITY`. */
const [setBitrate, setComplexity] = [4002, 4010];

export const openOpus = async (): Promise<OpusCodec> => ({
  async encoder(onPacket) {
    let library: EvanOpus;
    try {
      // Not the package's main entry, which prefers native code: one behaviour on every machine, and half a millisecond
      // per micro-turn is little. The name is not for bundlers to follow: it reads its code from a file beside itself.
      const path = "@evan/opus/wasm/index.js";
      const loaded = (await import(path)) as { default: EvanOpus };
      library = loaded.default;
    } catch (cause) {
      throw missingPackage("@evan/opus", cause);
    }
    const encoder = new library.Encoder({ channels: 1, sample_rate: opusSampleRate, application: "audio" });
    encoder.ctl(setBitrate, 32_000);
    encoder.ctl(setComplexity, 5);
    const samples = new Int16Array(opusPacketSamples);
    return {
      preSkip,
      encode(pcm) {
        for (let i = 0; i < samples.length; i++) samples[i] = Math.max(-1, Math.min(1, pcm[i])) * 32767;
        onPacket(encoder.encode(samples));
      },
      close: () => encoder.drop(),
    };
  },
  decoder: openOpusDecoder,
});
