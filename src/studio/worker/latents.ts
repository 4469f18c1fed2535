/** Latents as the page has them: those of one picture, one after the other in one array. */
import { writeNpz } from '../../arrays/npy.ts';
import type { Generator } from '../../inversion/generator/generator.ts';
import { float32, float32Data, sizeOf, type Tensor } from '../../onnx/tensor.ts';

type Latents = Generator['latents'];

/** The i-th row of each of the latents of a batch, one after the other. */
export function flattened(feeds: ReadonlyMap<string, Tensor>, latents: Latents, i: number): Float32Array {
  const parts = latents.map(({ name, dims }) => {
    const size = sizeOf(dims);
    return float32Data(feeds.get(name)!).subarray(i * size, (i + 1) * size);
  });
  const all = new Float32Array(parts.reduce((sum, { length }) => sum + length, 0));
  let at = 0;
  for (const part of parts) {
    all.set(part, at);
    at += part.length;
  }
  return all;
}

/** A batch of them: [n, ...dims] each. */
export function unflattened(rows: readonly Float32Array[], latents: Latents): Map<string, Tensor> {
  const feeds = new Map<string, Tensor>();
  let at = 0;
  for (const { name, dims } of latents) {
    const size = sizeOf(dims);
    const data = new Float32Array(rows.length * size);
    rows.forEach((z, i) => {
      data.set(z.subarray(at, at + size), i * size);
    });
    feeds.set(name, float32(data, [rows.length, ...dims]));
    at += size;
  }
  return feeds;
}

/** The latents of one picture as `rgi restore --npy` writes them. */
export function latentsFile({ latents, exported }: Generator, row: Float32Array): Uint8Array {
  const found = unflattened([row], latents);
  return writeNpz(exported?.(found) ?? found);
}
