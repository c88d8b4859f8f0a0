// The memory in a plain value, for handing it over to another thread instead of copying it there: a checkpoint of mini is 1.8 MB, and
// taking a copy of that in held a page up for 2 to 9 ms of the processor every 5 s.

/**
 * The buffers that a value holds and nobody else sees through it: each once. Left out are shared memory, and memory of which the value has
 * only a part, as the rest may be in use.
 *
 * @param value - plain data: objects and arrays of numbers, strings and typed arrays, at any depth
 */
export function buffersOf(value: unknown): ArrayBuffer[] {
  const found = new Set<ArrayBuffer>();
  collect(value, found);
  return [...found];
}

function collect(value: unknown, found: Set<ArrayBuffer>): void {
  if (typeof value !== "object" || value === null) return;
  if (ArrayBuffer.isView(value)) {
    const { buffer, byteLength } = value;
    if (buffer instanceof ArrayBuffer && byteLength > 0 && byteLength === buffer.byteLength) found.add(buffer);
    return;
  }
  for (const part of Object.values(value)) collect(part, found);
}
