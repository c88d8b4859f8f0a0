// Block quantisation of a matrix along its input axis, in the layout of ONNX Runtime's MatMulNBits.
// Source: com.microsoft.MatMulNBits in ONNX Runtime's ContribOperators.md (zero point 2^(bits - 1)).

/** A matrix `[rows, columns]` quantised in blocks of `blockSize` along the columns. */
export interface QuantisedMatrix {
  readonly rows: number;
  readonly columns: number;
  readonly bits: 4 | 8;
  readonly blockSize: number;
  /** `[rows, blocks, blockSize * bits / 8]`; of two 4-bit numbers in a byte the lower half comes first. */
  readonly data: Uint8Array;
  /** `[rows, blocks]` */
  readonly scales: Float32Array;
}

/**
 * Quantises with one scale per block. The largest value of a block in magnitude is met exactly (at the end of the range
 * that holds one more number), which is what leaves the smallest error for a symmetric grid.
 *
 * @param matrix - `[rows, columns]`, row-major
 */
export function quantise(
  matrix: Float32Array,
  rows: number,
  columns: number,
  bits: 4 | 8,
  blockSize = 32,
): QuantisedMatrix {
  const zero = 1 << (bits - 1);
  const blocks = Math.ceil(columns / blockSize);
  const blob = (blockSize * bits) / 8;
  const data = new Uint8Array(rows * blocks * blob);
  const scales = new Float32Array(rows * blocks);
  for (let row = 0; row < rows; row++) {
    for (let block = 0; block < blocks; block++) {
      const start = row * columns + block * blockSize;
      const end = Math.min(start + blockSize, (row + 1) * columns);
      let extreme = 0;
      for (let i = start; i < end; i++) if (Math.abs(matrix[i]) > Math.abs(extreme)) extreme = matrix[i];
      const scale = Math.fround(extreme / -zero);
      scales[row * blocks + block] = scale;
      const inverse = scale === 0 ? 0 : 1 / scale;
      const at = (row * blocks + block) * blob;
      for (let i = 0; i < blockSize; i++) {
        const value = start + i < end ? Math.round(matrix[start + i] * inverse) + zero : zero;
        const level = Math.min(2 * zero - 1, Math.max(0, value));
        if (bits === 8) data[at + i] = level;
        else data[at + (i >> 1)] |= level << ((i & 1) * 4);
      }
    }
  }
  return { rows, columns, bits, blockSize, data, scales };
}

/** The matrix that a quantised one stands for, `[rows, columns]`. */
export function dequantise({ rows, columns, bits, blockSize, data, scales }: QuantisedMatrix): Float32Array {
  const zero = 1 << (bits - 1);
  const blocks = Math.ceil(columns / blockSize);
  const blob = (blockSize * bits) / 8;
  const matrix = new Float32Array(rows * columns);
  for (let row = 0; row < rows; row++) {
    for (let column = 0; column < columns; column++) {
      const block = row * blocks + Math.floor(column / blockSize);
      const i = column % blockSize;
      const level = bits === 8 ? data[block * blob + i] : (data[block * blob + (i >> 1)] >> ((i & 1) * 4)) & 15;
      matrix[row * columns + column] = (level - zero) * scales[block];
    }
  }
  return matrix;
}
