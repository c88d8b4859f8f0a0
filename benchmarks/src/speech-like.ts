// Sound to drive sessions with: bursts of harmonics and pauses, the same for every run. Content does not change speed;
// that the sound is neither silence nor a constant does.

/** Micro-turns after which the sound begins anew: made once, so that making it is no part of what is measured. */
const period = 250;

/** Micro-turns of sound, `samples` long at 16 kHz; the arrays are shared. */
export function speechLike(samples: number): (turn: number) => Float32Array {
  const turns = Array.from({ length: period }, (_, turn) => makeTurn(samples, turn));
  return (turn) => turns[turn % period];
}

function makeTurn(samples: number, turn: number): Float32Array {
  const audio = new Float32Array(samples);
  // 2 s of voice, 3 s of pause.
  if (turn % 25 >= 10) return audio;
  for (let i = 0; i < samples; i++) {
    const t = (turn * samples + i) / 16_000;
    const envelope = 0.55 + 0.45 * Math.sin(2 * Math.PI * 4 * t);
    const pitch = 120 + 20 * Math.sin(2 * Math.PI * 0.6 * t);
    let value = 0;
    for (let h = 1; h <= 5; h++) value += Math.sin(2 * Math.PI * h * pitch * t) / h;
    audio[i] = 0.1 * envelope * value;
  }
  return audio;
}
