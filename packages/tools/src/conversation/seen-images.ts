// The images that a session saw last, kept as they are and written as PNG only when work needs them.

import type { ImageFrame } from "@microturn/core";
import type { ContextImage } from "../jobs/job.js";
import { toBase64 } from "./base64.js";
import { encodePng } from "./png.js";

/** Apart in time, ms: of a stream of images, about one a second is kept. */
const apartMs = 900;

/** Keeps a few images. */
export class SeenImages {
  readonly #most: number;
  #images: { readonly image: ImageFrame; readonly turnIndex: number }[] = [];

  /** @param most - images that are kept; 0 keeps none */
  constructor(most: number) {
    this.#most = most;
  }

  get empty(): boolean {
    return this.#images.length === 0;
  }

  /** Takes the images of a micro-turn. The last is always kept: it is what is seen now. */
  see(images: readonly ImageFrame[], turnIndex: number): void {
    if (this.#most === 0) return;
    for (const image of images) {
      // The one before was only there as the last, if it is too near the one before that.
      const [before, last] = this.#images.slice(-2);
      if (last !== undefined && last.image.timeMs - before.image.timeMs < apartMs) this.#images.pop();
      this.#images.push({ image, turnIndex });
      if (this.#images.length > this.#most) this.#images.shift();
    }
  }

  /** Forgets what was seen from a micro-turn on. */
  rewind(turnIndex: number): void {
    this.#images = this.#images.filter((one) => one.turnIndex < turnIndex);
  }

  /** What was seen, oldest first. An image whose bytes were transferred away meanwhile is left out. */
  async encode(): Promise<ContextImage[]> {
    const out: ContextImage[] = [];
    for (const { image } of [...this.#images]) {
      if (image.data.length === 0) continue;
      out.push({ png: await toBase64(await encodePng(image)), timeMs: image.timeMs });
    }
    return out;
  }
}
