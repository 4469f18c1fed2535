/** Which encoders go with a generator. */
import { mkdtemp, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { openGenerator } from '../../src/inversion/generator/generator.ts';
import { openEncoder } from '../../src/models/node/encoder.ts';
import type { OpenedGenerator } from '../../src/models/node/networks.ts';
import { GraphBuilder } from '../../src/onnx/builder.ts';
import { encodeModel } from '../../src/onnx/encode.ts';
import { float32 } from '../../src/onnx/tensor.ts';
import { nodeRuntime } from '../../src/runtime/node/onnxruntime.ts';

const runtime = nodeRuntime({ threads: 1 });
let file: string;
beforeAll(async () => {
  file = path.join(await mkdtemp(path.join(tmpdir(), 'rgi-encoder-')), 'encoder.onnx');
  const b = new GraphBuilder();
  b.reserve('x');
  b.node('MatMul', [b.Reshape('x', [-1, 4]), b.floats(new Float32Array(8).fill(0.5), [4, 2])], {}, ['z']);
  const info = (name: string, dims: (number | string)[]) => ({ name, type: 'float32' as const, dims });
  await writeFile(file, encodeModel(b.graph('encoder', [info('x', ['N', 1, 2, 2])], [info('z', ['N', 2])])));
});
afterAll(() => runtime.dispose());

/** Two latents to 2 x 2 pixels. */
async function opened(): Promise<OpenedGenerator> {
  const b = new GraphBuilder();
  b.reserve('z');
  const weight = b.initializer('weight', float32([1, 2, 3, 4, 5, 6, 7, 8], [2, 4]));
  b.node('Identity', [b.Reshape(b.MatMul('z', weight), [-1, 1, 2, 2])], {}, ['y']);
  const info = (name: string, dims: (number | string)[]) => ({ name, type: 'float32' as const, dims });
  const graph = b.graph('generator', [info('z', ['N', 2])], [info('y', ['N', 1, 2, 2])]);
  return { generator: await openGenerator(graph, runtime) } as OpenedGenerator;
}

test('one that maps pictures to the latent provides a start', async () => {
  const found = await openEncoder(await opened(), { generator: 'g.onnx', encoder: file });
  expect(found?.file).toBe(file);
});

test('one for z is refused where w is searched, though both have as many numbers', async () => {
  const { generator, ...rest } = await opened();
  const inW = { ...rest, generator: { ...generator, exported: () => new Map() } };
  await expect(openEncoder(inW, { generator: 'g.onnx', encoder: file, latent: ['w'] })).rejects.toThrow(
    `${file} maps pictures to the generator's own latent, and --latent w searches another space: leave --encoder out.`,
  );
});
