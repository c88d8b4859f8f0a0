// Opus in a page: the platform's own encoder (WebCodecs), and `opus-decoder`.

import { DuplexError } from "@microturn/core";
import { type OpusCodec, openOpusDecoder, opusPacketSamples, opusSampleRate } from "./opus-codec.js";

/** Used where the platform does not say: what libopus has at 24 kHz. */
const usualPreSkip = 312;
const config: AudioEncoderConfig = {
  codec: "opus",
  sampleRate: opusSampleRate,
  numberOfChannels: 1,
  bitrate: 32_000,
  opus: { format: "opus", frameDuration: (1e6 * opusPacketSamples) / opusSampleRate, complexity: 5 },
};

export const openOpus = async (): Promise<OpusCodec> => ({
  async encoder(onPacket, onError) {
    const supported = typeof AudioEncoder !== "undefined" && (await AudioEncoder.isConfigSupported(config)).supported;
    if (supported !== true) {
      throw new DuplexError("UNSUPPORTED", "Opus: this browser has no encoder of it; use a newer one, or pass opus");
    }
    const encoder = new AudioEncoder({
      output(chunk) {
        const packet = new Uint8Array(chunk.byteLength);
        chunk.copyTo(packet);
        onPacket(packet);
      },
      error: onError,
    });
    encoder.configure(config);
    let samples = 0;
    return {
      preSkip: usualPreSkip,
      encode(pcm) {
        const data = new AudioData({
          ...{ format: "f32-planar", sampleRate: opusSampleRate, numberOfChannels: 1, numberOfFrames: pcm.length },
          ...{ timestamp: Math.round((1e6 * samples) / opusSampleRate), data: pcm.slice() },
        });
        samples += pcm.length;
        encoder.encode(data);
        data.close();
      },
      close() {
        if (encoder.state !== "closed") encoder.close();
      },
    };
  },
  decoder: openOpusDecoder,
});
