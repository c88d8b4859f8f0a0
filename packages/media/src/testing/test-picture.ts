// A film of one picture, for Chromium's fake camera: four quarters of known colours.

const width = 320;
const height = 240;

/** Red, green; blue, white: Y, U and V of each quarter, row by row (BT.601, video range). */
const quarters = [
  [
    [82, 90, 240],
    [145, 54, 34],
  ],
  [
    [41, 240, 110],
    [235, 128, 128],
  ],
] as const;

/** A YUV4MPEG2 file of 320 x 240 at 30 images a second. */
export function testPicture(): Uint8Array {
  const header = new TextEncoder().encode(`YUV4MPEG2 W${width} H${height} F30:1 Ip A1:1 C420jpeg\n`);
  const frame = new Uint8Array([
    ...new TextEncoder().encode("FRAME\n"),
    ...plane(0, 1),
    ...plane(1, 2),
    ...plane(2, 2),
  ]);
  const frames = 10;
  const file = new Uint8Array(header.length + frames * frame.length);
  file.set(header);
  for (let i = 0; i < frames; i++) file.set(frame, header.length + i * frame.length);
  return file;
}

function plane(component: 0 | 1 | 2, shrunk: number): Uint8Array {
  const [w, h] = [width / shrunk, height / shrunk];
  return Uint8Array.from({ length: w * h }, (_, i) => {
    const [x, y] = [i % w, Math.floor(i / w)];
    return quarters[y < h / 2 ? 0 : 1][x < w / 2 ? 0 : 1][component];
  });
}
