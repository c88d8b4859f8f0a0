// For tests: ten seconds made of integers alone, so that any language makes the same. Loud, soft and 1-bit noise,
// silence, a sweep from 40 Hz to 7940 Hz, a square wave, a constant.

/** 160,000 samples at 16 kHz. */
export function goldenPcm(): Int16Array {
  const pcm = new Int16Array(160_000);
  let state = 12345n;
  let phase = 0;
  for (let n = 0; n < pcm.length; n++) {
    state = (1103515245n * state + 12345n) % 2n ** 31n;
    const noise = Number(state >> 15n) - 32768;
    if (n < 32_000) pcm[n] = noise;
    else if (n < 64_000) pcm[n] = noise >> 6;
    else if (n < 80_000) pcm[n] = noise >> 14;
    else if (n < 96_000) pcm[n] = 0;
    else if (n < 144_000) {
      const hz = 40 + Math.floor((7900 * (n - 96_000)) / 48_000);
      phase = (phase + Math.floor((65536 * hz) / 16_000)) % 65536;
      const triangle = phase < 32768 ? phase : 65536 - phase;
      pcm[n] = Math.max(-32768, Math.min(32767, 2 * (triangle - 16384) - 1));
    } else if (n < 152_000) pcm[n] = Math.floor((440 * (n - 144_000)) / 16_000) % 2 === 0 ? 32767 : -32768;
    else pcm[n] = 8192;
  }
  return pcm;
}
