// The screen that the example watches: a terminal in which a build runs, drawn as RGBA, a line more every second. It warns once, in
// red, which is no failure; what fails says so in a red banner.

import type { ImageFrame } from "@microturn/core";

type Color = readonly [red: number, green: number, blue: number];
type Picture = Pick<ImageFrame, "data" | "width" | "height">;

const [width, height] = [320, 200];
const black: Color = [12, 12, 16];
const green: Color = [60, 180, 75];
const red: Color = [215, 35, 35];
const white: Color = [245, 245, 245];
const lineHeight = 10;

/** Letters of 3 x 5 pixels, row by row. */
const letters: Readonly<Record<string, string>> = {
  A: "111101111101101",
  D: "110101101101110",
  E: "111100110100111",
  F: "111100110100100",
  I: "111010010010111",
  L: "100100100100111",
};

/**
 * The screen after some seconds of the build.
 *
 * @param failed - whether the build has failed by then
 */
export function drawBuildScreen(seconds: number, failed: boolean): Picture {
  const data = new Uint8ClampedArray(4 * width * height);
  const fill = (left: number, top: number, wide: number, high: number, [r, g, b]: Color) => {
    for (let y = top; y < top + high; y++) {
      for (let x = left; x < left + wide; x++) data.set([r, g, b, 255], 4 * (y * width + x));
    }
  };
  fill(0, 0, width, height, black);
  for (let line = 0; line <= Math.min(seconds, 15); line++) {
    const color = line === warningLine ? red : green;
    // Words of a log, too small to read: bars of 5 to 40 pixels.
    for (let word = 0, left = 6; word < 5; word++) {
      const wide = 5 + ((line * 31 + word * 17) % 36);
      fill(left, 4 + line * lineHeight, wide, 5, color);
      left += wide + 5;
    }
  }
  if (failed) {
    fill(20, 120, 280, 64, red);
    write("FAILED", 50, 132, 8, (left, top, size) => fill(left, top, size, size, white));
  }
  return { data, width, height };
}

const warningLine = 7;

function write(
  text: string,
  left: number,
  top: number,
  size: number,
  dot: (left: number, top: number, size: number) => void,
): void {
  [...text].forEach((letter, place) => {
    [...letters[letter]].forEach((on, at) => {
      if (on === "1") dot(left + (4 * place + (at % 3)) * size, top + Math.floor(at / 3) * size, size);
    });
  });
}
