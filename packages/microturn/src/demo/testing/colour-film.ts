// A film for Chromium's fake camera: one colour fills it, then the next, over and over.

const [width, height, perSecond] = [160, 120, 5];

/**
 * A YUV4MPEG2 file.
 *
 * @param colours - red, green and blue, 0 … 255, each shown for `seconds`
 */
export function colourFilm(colours: readonly (readonly [number, number, number])[], seconds: number): Uint8Array {
  const text = new TextEncoder();
  const parts = [text.encode(`YUV4MPEG2 W${width} H${height} F${perSecond}:1 Ip A1:1 C420jpeg\n`)];
  for (const colour of colours) {
    const frame = frameOf(colour);
    for (let i = 0; i < seconds * perSecond; i++) parts.push(text.encode("FRAME\n"), frame);
  }
  return new Uint8Array(Buffer.concat(parts));
}

/** All of one colour: BT.601, video range. */
function frameOf([red, green, blue]: readonly [number, number, number]): Uint8Array<ArrayBuffer> {
  const pixels = width * height;
  const frame = new Uint8Array(1.5 * pixels);
  frame.fill(16 + (65.738 * red + 129.057 * green + 25.064 * blue) / 256, 0, pixels);
  frame.fill(128 + (-37.945 * red - 74.494 * green + 112.439 * blue) / 256, pixels, 1.25 * pixels);
  frame.fill(128 + (112.439 * red - 94.154 * green - 18.285 * blue) / 256, 1.25 * pixels);
  return frame;
}
