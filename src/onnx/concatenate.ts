/** Typed arrays one after the other. */

/** The bytes of all parts. */
export function concatenatedBytes(parts: readonly Uint8Array[]): Uint8Array<ArrayBuffer> {
  return filled(new Uint8Array(lengthOf(parts)), parts);
}

/** The numbers of all parts. */
export function concatenated(parts: readonly Float32Array[]): Float32Array<ArrayBuffer> {
  return filled(new Float32Array(lengthOf(parts)), parts);
}

function lengthOf(parts: readonly { readonly length: number }[]): number {
  return parts.reduce((sum, part) => sum + part.length, 0);
}

function filled<A extends { set(part: ArrayLike<number>, at: number): void }>(
  all: A,
  parts: readonly ArrayLike<number>[],
): A {
  let at = 0;
  for (const part of parts) {
    all.set(part, at);
    at += part.length;
  }
  return all;
}
