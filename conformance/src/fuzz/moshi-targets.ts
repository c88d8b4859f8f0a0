// Moshi's wire and the reader of Ogg-Opus below it, for the fuzz runner.

import { OggOpusReader } from "../../../packages/backend-remote/src/ogg/ogg-opus.js";
import { openOpus } from "../../../packages/backend-remote/src/opus/node-opus.js";
import type { OpusCodec, OpusDecoder } from "../../../packages/backend-remote/src/opus/opus-codec.js";
import { mutateBytes } from "../../../packages/backend-remote/src/testing/mutate-bytes.js";
import { repairPages } from "../../../packages/backend-remote/src/testing/repair-pages.js";
import { MoshiWire, settleMoshiOptions } from "../../../packages/backend-remote/src/wires/moshi.js";
import { moshiCorpus } from "../../../packages/backend-remote/src/wires/moshi-corpus.js";
import { type FuzzMessage, type FuzzTarget, outcomeOf, type Random } from "./fuzz-target.js";
import { wireTarget } from "./wire-subject.js";

const handshake = Uint8Array.of(0);
const [firstSound, laterSound] = [moshiCorpus[3], moshiCorpus[4]];
/** Sound is most of what comes. */
const corpus = [...moshiCorpus, ...Array(6).fill([firstSound, laterSound]).flat()];

/** A message with broken bytes; every second has right checksums, so that what is in the pages is looked at. */
function brokenPages(from: readonly Uint8Array[], random: Random): FuzzMessage {
  if (random() < 0.15) return { data: from[Math.floor(random() * from.length)], broken: false };
  const data = mutateBytes(from, random);
  if (random() < 0.5) repairPages(data);
  return { data, broken: true };
}

let decoder: Promise<OpusDecoder> | undefined;

/** One decoder for all connections: to start libopus takes longer than a thousand messages. Its errors go to the console. */
async function sharedDecoder(): Promise<OpusDecoder> {
  decoder ??= openOpus().then((codec) => codec.decoder());
  const shared = await decoder;
  return {
    decode: (packet) => {
      const { error } = console;
      console.error = () => {};
      try {
        return shared.decode(packet);
      } finally {
        console.error = error;
      }
    },
    close: () => {},
  };
}

const opus = async (): Promise<OpusCodec> => ({
  encoder: async (onPacket) => ({ preSkip: 312, encode: () => onPacket(Uint8Array.of(0x18)), close: () => {} }),
  decoder: sharedDecoder,
});

/** A page that never ends swallows what comes after it, up to its length: connections are short. */
const losses = 0.7;

const moshi = wireTarget({
  losses,
  ...{ name: "moshi", corpus, message: (random) => brokenPages(corpus, random) },
  create: () => new MoshiWire(settleMoshiOptions({ url: "ws://localhost:8998", gateDb: -100, opus })),
  handshake: () => [handshake],
  sound: () => [firstSound, laterSound],
});

const pages = [firstSound, laterSound].map((message) => message.subarray(1));

const oggOpus: FuzzTarget = {
  name: "ogg-opus",
  message: (random) => brokenPages(pages, random),
  open() {
    let reader = new OggOpusReader();
    const recover = () => {
      reader = new OggOpusReader();
      reader.push(pages[0], () => {});
    };
    return {
      recover,
      between: (random) => {
        if (random() < losses) recover();
      },
      receive: ({ data }, random) =>
        outcomeOf(() => {
          // The bytes may be cut anywhere.
          const bytes = data as Uint8Array;
          const cut = Math.floor(random() * bytes.length);
          for (const part of [bytes.subarray(0, cut), bytes.subarray(cut)]) reader.push(part, () => {});
        }),
    };
  },
};

export const moshiTargets: readonly FuzzTarget[] = [moshi, oggOpus];
