import { describe, expect, it } from "vitest";
import { DuplexError, type TurnInput, type TurnOutput } from "../index.js";
import { decodeClientMessage, decodeServerMessage } from "./decode.js";
import { MessageEncoder } from "./encode.js";
import { exampleClientMessages, exampleServerMessages } from "./examples.js";
import { type ClientMessage, protocolLimits, type ServerMessage } from "./messages.js";

const encoder = new MessageEncoder();

/** What 16-bit samples make of a sound. */
const rounded = (samples: Float32Array) => samples.map((sample) => Math.floor(sample * 32768 + 0.5) / 32768);

function codeOf(action: () => unknown): string {
  try {
    action();
  } catch (error) {
    if (DuplexError.is(error)) return error.code;
    throw error;
  }
  return "none";
}

describe("the micro-turn wire", () => {
  it("gives back every message of a client", () => {
    for (const message of exampleClientMessages()) {
      const back = decodeClientMessage(encoder.client(message));
      if (message.kind !== "step") expect(back).toEqual(message);
      else {
        const { audio, ...input } = message.input;
        expect(back).toEqual({ ...message, input: { forceListen: false, ...input, audio: rounded(audio) } });
      }
    }
  });

  it("gives back every message of the server, speech to 16 bits or to the bit", () => {
    for (const message of exampleServerMessages()) {
      for (const coding of ["pcm16", "float32"] as const) {
        const back = decodeServerMessage(encoder.server(message, coding));
        if (message.kind !== "output") {
          expect(back).toEqual(message);
          continue;
        }
        const { speech, ...output } = message.output;
        const expected = coding === "pcm16" ? rounded(speech) : speech;
        expect(back).toEqual({ ...message, output: { yielded: false, ...output, speech: expected } });
      }
    }
  });

  it("takes 177 bytes for 200 ms of sound as dMel, and 17 for silence", () => {
    const step = (input: Partial<TurnInput>): ClientMessage => ({
      ...{ kind: "step", sequence: 3 },
      input: { index: 7, turns: 1, audio: new Float32Array(0), images: [], text: [], ...input },
    });
    expect(encoder.client(step({ dmel: new Uint8Array(160).fill(0x37) })).length).toBe(177);
    expect(encoder.client(step({ audio: new Float32Array(3200) })).length).toBe(17);
    expect(encoder.client(step({ audio: new Float32Array(3200).fill(0.5) })).length).toBe(17 + 6400);
  });

  it("keeps what it gave when the next message is written", () => {
    const first = encoder.client({ kind: "ping", id: 1 });
    encoder.client({ kind: "ping", id: 2 });
    expect(decodeClientMessage(first)).toEqual({ kind: "ping", id: 1 });
  });

  it("refuses every message that is cut, or goes on after its end", () => {
    for (const message of exampleClientMessages()) {
      const bytes = encoder.client(message);
      for (let length = 0; length < bytes.length; length += 1 + (length >> 4)) {
        expect(codeOf(() => decodeClientMessage(bytes.subarray(0, length)))).toBe("PROTOCOL_VIOLATION");
      }
      expect(codeOf(() => decodeClientMessage(new Uint8Array([...bytes, 0])))).toBe("PROTOCOL_VIOLATION");
    }
    for (const message of exampleServerMessages()) {
      const bytes = encoder.server(message);
      for (let length = 0; length < bytes.length; length += 1 + (length >> 4)) {
        expect(codeOf(() => decodeServerMessage(bytes.subarray(0, length)))).toBe("PROTOCOL_VIOLATION");
      }
      expect(codeOf(() => decodeServerMessage(new Uint8Array([...bytes, 0])))).toBe("PROTOCOL_VIOLATION");
    }
  });

  it("tells either side of another version, whatever that version sends after it", () => {
    const strange = (kind: number) => new Uint8Array([kind, 2, ...new TextEncoder().encode("of the future")]);
    const told = /speaks version 1 of the wire, the other 2; update the older/;
    expect(() => decodeClientMessage(strange(0x01))).toThrow(told);
    expect(() => decodeServerMessage(strange(0x41))).toThrow(told);
  });

  it("takes no memory for what a message only announces", () => {
    const step = (turns: number, count: number) => {
      const bytes = new Uint8Array(17);
      const view = new DataView(bytes.buffer);
      bytes[0] = 2;
      view.setUint16(6, turns, true);
      view.setUint32(13, count, true);
      return bytes;
    };
    expect(codeOf(() => decodeClientMessage(step(1, 0xffffffff)))).toBe("PROTOCOL_VIOLATION");
    expect(codeOf(() => decodeClientMessage(step(0, 0)))).toBe("PROTOCOL_VIOLATION");
    expect(codeOf(() => decodeClientMessage(step(protocolLimits.turns + 1, 0)))).toBe("PROTOCOL_VIOLATION");
    expect(codeOf(() => decodeClientMessage(step(2, 3200), { turnSamples: 3200 }))).toBe("PROTOCOL_VIOLATION");
    expect(decodeClientMessage(step(2, 6400), { turnSamples: 3200 }).kind).toBe("step");
  });

  it("refuses a JPEG where none is taken, and tells of one that is broken", () => {
    const [step] = exampleClientMessages().filter((one) => one.kind === "step" && one.input.images.length > 0);
    const bytes = encoder.client(step);
    const frame = (step as { input: TurnInput }).input.images[0];
    // The coding byte of the first image: the pixels are its last bytes.
    const at = bytes.findIndex(
      (_, i) => bytes[i] === 0 && bytes[i + 1] === frame.width && bytes[i + 3] === frame.height && bytes[i + 2] === 0,
    );
    bytes[at] = 2;
    expect(codeOf(() => decodeClientMessage(bytes))).toBe("PROTOCOL_VIOLATION");
    const broken = () => {
      throw new Error("no SOI");
    };
    expect(codeOf(() => decodeClientMessage(bytes, { decodeImage: broken }))).toBe("PROTOCOL_VIOLATION");
    const decodeImage = () => ({ data: frame.data, width: frame.width, height: frame.height });
    const back = decodeClientMessage(bytes, { decodeImage });
    expect(back.kind === "step" && back.input.images[0]).toEqual(frame);
  });

  it("throws nothing but PROTOCOL_VIOLATION for mutated messages", () => {
    let state = 12345;
    const random = (below: number) => {
      state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
      return Math.floor((state / 2 ** 32) * below);
    };
    const seeds = [
      ...exampleClientMessages().map((message) => ({ bytes: encoder.client(message), decode: decodeClientMessage })),
      ...exampleServerMessages().map((message) => ({ bytes: encoder.server(message), decode: decodeServerMessage })),
    ];
    const seen = new Set<string>();
    for (let i = 0; i < 20_000; i++) {
      const { bytes, decode } = seeds[random(seeds.length)];
      const mutated = bytes.slice(0, random(8) === 0 ? random(bytes.length + 1) : bytes.length);
      for (let k = random(4); k >= 0 && mutated.length > 0; k--) mutated[random(mutated.length)] = random(256);
      seen.add(codeOf(() => (decode as (bytes: Uint8Array) => ClientMessage | ServerMessage)(mutated)));
    }
    expect([...seen].sort()).toEqual(["PROTOCOL_VIOLATION", "none"]);
  });

  it("takes no speech from a server that is no sound", () => {
    const [, output] = exampleServerMessages();
    for (const bad of [Number.NaN, Number.POSITIVE_INFINITY]) {
      const speech = new Float32Array(3200).fill(0.1);
      speech[7] = bad;
      const message = { ...output, output: { ...(output as { output: TurnOutput }).output, speech } } as ServerMessage;
      expect(codeOf(() => decodeServerMessage(encoder.server(message, "float32")))).toBe("PROTOCOL_VIOLATION");
    }
  });

  it("carries speech of an output that is silent in a few bytes", () => {
    const [, output] = exampleServerMessages();
    const silent: TurnOutput = {
      ...{ decision: "listen", speech: new Float32Array(3200), text: "", heard: "" },
      timing: { encodeMs: 0, waitMs: 0, runMs: 1, decodeMs: 0 },
    };
    expect(encoder.server({ kind: "output", sequence: 1, output: silent }).length).toBe(27);
    expect(encoder.server(output).length).toBeGreaterThan(6400);
  });
});
