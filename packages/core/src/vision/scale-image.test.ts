import { expect, test } from "vitest";
import type { ImagePixels } from "./image.js";
import { ImageScaler, scaleImage } from "./scale-image.js";

function noise(width: number, height: number, bytes: 3 | 4): ImagePixels {
  let state = 1;
  const data = Uint8Array.from({ length: width * height * bytes }, () => {
    state = (Math.imul(1664525, state) + 1013904223) >>> 0;
    return state >>> 24;
  });
  return { data, width, height };
}

// The plain reference: the area of every old pixel under every new one, pixel by pixel.
function areaPlain(image: ImagePixels, width: number, height: number, bytes: number): number[] {
  const [sx, sy] = [image.width / width, image.height / height];
  const overlap = (a: number, b: number, j: number) => Math.max(0, Math.min(j + 1, b) - Math.max(j, a));
  const out: number[] = [];
  for (let y = 0; y < height; y++) {
    for (let x = 0; x < width; x++) {
      for (let c = 0; c < 3; c++) {
        let sum = 0;
        for (let j = 0; j < image.height; j++) {
          for (let i = 0; i < image.width; i++) {
            const area = overlap(x * sx, (x + 1) * sx, i) * overlap(y * sy, (y + 1) * sy, j);
            sum += area * image.data[(j * image.width + i) * bytes + c];
          }
        }
        out.push(sum / (sx * sy));
      }
    }
  }
  return out;
}

test.each([
  [64, 48, 39, 40],
  [50, 41, 7, 5],
  [12, 9, 36, 27],
  [10, 10, 10, 10],
  [3, 2, 5, 7],
  [33, 20, 1, 1],
])(
  "area scaling from %i x %i to %i x %i is the mean of what a pixel covers",
  (fromWidth, fromHeight, width, height) => {
    for (const bytes of [3, 4] as const) {
      const image = noise(fromWidth, fromHeight, bytes);
      const scaled = scaleImage(image, { width, height });
      const plain = areaPlain(image, width, height, bytes);
      expect(scaled.data.length).toBe(plain.length);
      // Half a step of rounding, and the single precision of the values between the passes.
      plain.forEach((value, i) => {
        expect(Math.abs(scaled.data[i] - value)).toBeLessThanOrEqual(0.5001);
      });
    }
  },
);

test.each(["area", "lanczos"] as const)("a plain colour stays that colour by %s", (filter) => {
  const image = { data: new Uint8Array(50 * 30 * 3).fill(200), width: 50, height: 30 };
  for (const size of [
    { width: 17, height: 11 },
    { width: 91, height: 64 },
  ]) {
    expect(scaleImage(image, size, filter).data.every((value) => value === 200)).toBe(true);
  }
});

test("Lanczos to the same size changes nothing", () => {
  const image = noise(20, 10, 3);
  expect([...scaleImage(image, image, "lanczos").data]).toEqual([...image.data]);
});

test("a scaler refuses images of another size, and sizes that are none", () => {
  const scaler = new ImageScaler({ width: 4, height: 4 }, { width: 2, height: 2 }, "area");
  expect(() => scaler.scale(noise(4, 5, 3))).toThrow(/expected an image of 4 x 4, got 4 x 5/);
  expect(() => scaleImage(noise(4, 4, 3), { width: 0, height: 2 })).toThrow(RangeError);
});
