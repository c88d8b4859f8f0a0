// Where this runs: a page or a worker of one must not hold keys.

export function inPage(): boolean {
  return "document" in globalThis || ("WorkerGlobalScope" in globalThis && "location" in globalThis);
}
