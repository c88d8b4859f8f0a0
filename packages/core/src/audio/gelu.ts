// The activation of the small networks that run outside the graph.

/** Gaussian error linear unit (Hendrycks and Gimpel 2016, arXiv:1606.08415). */
export function gelu(x: number): number {
  return 0.5 * x * (1 + erf(x * Math.SQRT1_2));
}

/**
 * The error function by the rational approximations of Cody 1969, "Rational Chebyshev approximations for the error
 * function": within 1e-15 up to 4, 1e-9 beyond.
 */
export function erf(x: number): number {
  const y = Math.abs(x);
  if (y > 6) return Math.sign(x);
  if (y <= 0.46875) {
    const z = x * x;
    const above =
      (((0.18577770618460315 * z + 3.1611237438705655) * z + 113.86415415105016) * z + 377.485237685302) * z +
      3209.3775891384694;
    const below =
      (((z + 23.601290952344122) * z + 244.02463793444417) * z + 1282.6165260773723) * z + 2844.236833439171;
    return (x * above) / below;
  }
  const above =
    (((((((2.1531153547440383e-8 * y + 0.5641884969886701) * y + 8.883149794388377) * y + 66.11919063714163) * y +
      298.6351381974001) *
      y +
      881.952221241769) *
      y +
      1712.0476126340707) *
      y +
      2051.0783778260716) *
      y +
    1230.3393547979972;
  const below =
    (((((((y + 15.744926110709835) * y + 117.6939508913125) * y + 537.1811018620099) * y + 1621.3895745666903) * y +
      3290.7992357334597) *
      y +
      4362.619090143247) *
      y +
      3439.3676741437216) *
      y +
    1230.3393548037495;
  return Math.sign(x) * (1 - (Math.exp(-y * y) * above) / below);
}
