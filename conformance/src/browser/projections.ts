// A few numbers that tell sounds apart, small enough to be sent and compared.

/** Sums of the samples weighted by four tones, relative to the root of their count. */
export function projections(samples: Float32Array): number[] {
  return [0.11, 0.27, 0.43, 0.71].map((step) => {
    const sum = samples.reduce((total, sample, i) => total + sample * Math.sin(step * i), 0);
    return sum / Math.sqrt(samples.length);
  });
}
