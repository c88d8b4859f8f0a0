// The acoustic model: letters of any text to speech frames, in plain TypeScript, a few frames at a time.
// After FastSpeech (Ren et al. 2019, arXiv:1905.09263) with ConvNeXt blocks (Liu et al. 2022, arXiv:2201.03545);
// the trained twin is training/microturn_training/acoustic.py. Layout of the weights: docs/models.md, "What it is told".

import type { AcousticShape } from "../model/config.js";
import { frameFeatures } from "../model/weight-shapes.js";
import type { Weights } from "../model/weights.js";
import { gelu } from "./gelu.js";

/** Frames that one letter can last. */
const longestLetter = 40;
/** Inside the square root of a norm. */
const epsilon = 1e-6;

interface Linear {
  readonly weight: Float32Array;
  readonly bias: Float32Array;
}

interface Block {
  /** `[K, W]`: a row for each neighbour. */
  readonly conv: Linear;
  readonly norm: Float32Array;
  readonly up: Linear;
  readonly down: Linear;
}

// Letters: W width, K places that a convolution spans, L letters, T frames.

/** What a model reads text out with. */
export class AcousticModel {
  readonly shape: AcousticShape;
  /** Values of a frame: mel bins of a number of levels each. */
  readonly #bins: number;
  readonly #levels: number;
  readonly #letter: Float32Array;
  readonly #encoder: readonly Block[];
  readonly #length: Linear;
  readonly #enter: Linear;
  readonly #decoder: readonly Block[];
  readonly #norm: Float32Array;
  readonly #leave: Linear;
  readonly #logits: Float32Array;

  /**
   * @param weights - named `microturn.acoustic.…`
   * @param speech - of the model whose frames it makes
   * @throws DuplexError `MODEL_INVALID` if a weight is missing or has another shape
   */
  constructor(
    shape: AcousticShape,
    speech: { readonly melBins: number; readonly levels: number },
    weights: Pick<Weights, "float32">,
  ) {
    this.shape = shape;
    this.#bins = speech.melBins;
    this.#levels = speech.levels;
    const { width: W, kernel: K, expand } = shape;
    const get = (name: string, size: readonly number[]) => weights.float32(`microturn.acoustic.${name}`, size);
    const linear = (name: string, out: number, into: number): Linear => ({
      weight: get(`${name}.weight`, [out, into]),
      bias: get(`${name}.bias`, [out]),
    });
    const block = (name: string): Block => ({
      conv: { weight: transposed(get(`${name}.conv.weight`, [W, 1, K]), W, K), bias: get(`${name}.conv.bias`, [W]) },
      norm: get(`${name}.norm.weight`, [W]),
      up: linear(`${name}.up`, expand * W, W),
      down: linear(`${name}.down`, W, expand * W),
    });
    this.#letter = get("letter.weight", [shape.alphabet.length, W]);
    this.#encoder = Array.from({ length: shape.encoderBlocks }, (_, i) => block(`encoder.${i}`));
    this.#length = linear("length", 1, W);
    this.#enter = linear("enter", W, frameFeatures);
    this.#decoder = Array.from({ length: shape.decoderBlocks }, (_, i) => block(`decoder.${i}`));
    this.#norm = get("norm.weight", [W]);
    this.#leave = linear("leave", speech.melBins * speech.levels, W);
    this.#logits = new Float32Array(speech.melBins * speech.levels);
  }

  /**
   * Prepares to say a text: its length is known then, its frames are made when they are asked for.
   *
   * @param text - in characters of the model's alphabet, such as `spokenForm` gives; others are left out
   */
  say(text: string): Utterance {
    const { alphabet, width: W } = this.shape;
    const characters = Array.from(text, (character) => alphabet.indexOf(character));
    const letters = [0, ...characters.filter((letter) => letter >= 0), 0];
    const embedded = new Float32Array(letters.length * W);
    for (const [i, letter] of letters.entries())
      embedded.set(this.#letter.subarray(letter * W, (letter + 1) * W), i * W);
    const encoder = new Stack(this.#encoder, this.shape, embedded);
    const states = encoder.upTo(letters.length - 1);

    // Ends are rounded, not lengths: what is rounded off is not lost.
    const ends = new Int32Array(letters.length);
    const raw = new Float32Array(1);
    let end = 0;
    for (let i = 0; i < letters.length; i++) {
      apply(this.#length, states.subarray(i * W, (i + 1) * W), raw);
      end += Math.min(longestLetter, softplus(raw[0]));
      ends[i] = Math.round(end);
    }
    const frames = ends[ends.length - 1];
    const input = new Float32Array(frames * W);
    const features = new Float32Array(frameFeatures);
    let letter = 0;
    for (let frame = 0; frame < frames; frame++) {
      while (ends[letter] <= frame) letter++;
      const start = letter === 0 ? 0 : ends[letter - 1];
      const length = ends[letter] - start;
      features[0] = (frame - start + 0.5) / length;
      features[1] = length / 8;
      features[2] = frame / frames;
      const row = input.subarray(frame * W, (frame + 1) * W);
      row.set(states.subarray(letter * W, (letter + 1) * W));
      apply(this.#enter, features, row, true);
    }
    const decoder = new Stack(this.#decoder, this.shape, input);
    let known = 0;
    const starts = Int32Array.from(characters, (place) => ends[place < 0 ? known : known++]);
    return new Utterance(frames, starts, (frame, out) => this.#frame(decoder, frame, out));
  }

  /** The most likely level of each bin of a frame. */
  #frame(decoder: Stack, frame: number, out: Uint8Array | Int32Array): void {
    const { width: W } = this.shape;
    normalise(decoder.upTo(frame).subarray(frame * W, (frame + 1) * W), this.#norm, decoder.scratch);
    apply(this.#leave, decoder.scratch, this.#logits);
    for (let bin = 0; bin < this.#bins; bin++) {
      let best = 0;
      for (let level = 1; level < this.#levels; level++) {
        if (this.#logits[bin * this.#levels + level] > this.#logits[bin * this.#levels + best]) best = level;
      }
      out[bin] = best;
    }
  }
}

/** A text that is being said. */
export class Utterance {
  readonly #render: (frame: number, out: Uint8Array | Int32Array) => void;

  /**
   * @param frames - that it lasts
   * @param starts - frame with which each character of the text begins; one that is left out, or not heard, begins with the next
   */
  constructor(
    readonly frames: number,
    readonly starts: Int32Array,
    render: (frame: number, out: Uint8Array | Int32Array) => void,
  ) {
    this.#render = render;
  }

  /**
   * Makes one frame. Frames that come in order cost the same each; one far ahead costs what is before it too.
   *
   * @param frame - 0 … `frames` - 1
   * @param out - receives its levels, one per mel bin
   */
  frame(frame: number, out: Uint8Array | Int32Array): void {
    if (!Number.isInteger(frame) || frame < 0 || frame >= this.frames)
      throw new RangeError(`frame: expected 0 … ${this.frames - 1}, got ${frame}`);
    this.#render(frame, out);
  }
}

/** Blocks one over the other, each computed only as far as somebody asked. */
class Stack {
  /** For whoever needs W numbers in between. */
  readonly scratch: Float32Array;
  readonly #blocks: readonly Block[];
  readonly #width: number;
  readonly #kernel: number;
  readonly #places: number;
  /** What comes in, then what each block gives, `[places, W]` each. */
  readonly #rows: readonly Float32Array[];
  /** Places of each that are done. */
  readonly #done: number[];
  readonly #inner: Float32Array;

  constructor(blocks: readonly Block[], { width, kernel, expand }: AcousticShape, input: Float32Array) {
    this.#blocks = blocks;
    this.#width = width;
    this.#kernel = kernel;
    this.#places = input.length / width;
    this.#rows = [input, ...blocks.map(() => new Float32Array(input.length))];
    this.#done = [this.#places, ...blocks.map(() => 0)];
    this.scratch = new Float32Array(width);
    this.#inner = new Float32Array(expand * width);
  }

  /** What the last block gives, done at least up to a place. */
  upTo(place: number): Float32Array {
    this.#require(this.#blocks.length, place);
    return this.#rows[this.#blocks.length];
  }

  #require(level: number, place: number): void {
    const until = Math.min(place, this.#places - 1);
    if (this.#done[level] > until) return;
    this.#require(level - 1, until + (this.#kernel >> 1));
    for (let at = this.#done[level]; at <= until; at++) this.#block(level, at);
    this.#done[level] = until + 1;
  }

  #block(level: number, place: number): void {
    const { conv, norm, up, down } = this.#blocks[level - 1];
    const W = this.#width;
    const before = this.#rows[level - 1];
    const mixed = this.scratch;
    mixed.set(conv.bias);
    const first = place - (this.#kernel >> 1);
    for (let tap = Math.max(0, -first); tap < this.#kernel && first + tap < this.#places; tap++) {
      const from = (first + tap) * W;
      for (let i = 0; i < W; i++) mixed[i] += conv.weight[tap * W + i] * before[from + i];
    }
    normalise(mixed, norm, mixed);
    const inner = this.#inner;
    apply(up, mixed, inner);
    for (let i = 0; i < inner.length; i++) inner[i] = gelu(inner[i]);
    const out = this.#rows[level].subarray(place * W, (place + 1) * W);
    out.set(before.subarray(place * W, (place + 1) * W));
    apply(down, inner, out, true);
  }
}

/** RMSNorm. `out` may be `x`. */
function normalise(x: Float32Array, weight: Float32Array, out: Float32Array): void {
  let squares = 0;
  for (let i = 0; i < x.length; i++) squares += x[i] * x[i];
  const scale = 1 / Math.sqrt(squares / x.length + epsilon);
  for (let i = 0; i < x.length; i++) out[i] = x[i] * scale * weight[i];
}

/** A row after the other, four at a time: each number of the input is read once for four, and no sum waits for another. */
function apply({ weight, bias }: Linear, input: Float32Array, out: Float32Array, add = false): void {
  const into = input.length;
  const rows = bias.length;
  let row = 0;
  for (; row + 3 < rows; row += 4) {
    let [a, b, c, d] = [bias[row], bias[row + 1], bias[row + 2], bias[row + 3]];
    const [first, second, third, fourth] = [row * into, (row + 1) * into, (row + 2) * into, (row + 3) * into];
    for (let i = 0; i < into; i++) {
      const x = input[i];
      a += weight[first + i] * x;
      b += weight[second + i] * x;
      c += weight[third + i] * x;
      d += weight[fourth + i] * x;
    }
    out[row] = add ? out[row] + a : a;
    out[row + 1] = add ? out[row + 1] + b : b;
    out[row + 2] = add ? out[row + 2] + c : c;
    out[row + 3] = add ? out[row + 3] + d : d;
  }
  for (; row < rows; row++) {
    let sum = bias[row];
    for (let i = 0; i < into; i++) sum += weight[row * into + i] * input[i];
    out[row] = add ? out[row] + sum : sum;
  }
}

function softplus(x: number): number {
  return x > 20 ? x : Math.log1p(Math.exp(x));
}

function transposed(matrix: Float32Array, rows: number, columns: number): Float32Array {
  const out = new Float32Array(matrix.length);
  for (let row = 0; row < rows; row++)
    for (let column = 0; column < columns; column++) out[column * rows + row] = matrix[row * columns + column];
  return out;
}
