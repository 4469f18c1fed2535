/** The feature network of the package: what its card says, and the same as the reference file. */
import { createHash } from 'node:crypto';
import { existsSync, readFileSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { featureMetadata } from '../../src/features/network.ts';
import { openFeatureFile, SHIPPED_FEATURES } from '../../src/models/node/feature-network.ts';
import { openModel } from '../../src/models/node/model-file.ts';
import { SHIPPED_MODELS } from '../../src/models/node/shipped.ts';
import { encodeModel } from '../../src/onnx/encode.ts';
import { float32, float32Data } from '../../src/onnx/tensor.ts';
import { randomFrom } from '../../src/random.ts';
import { nodeRuntime } from '../../src/runtime/node/onnxruntime.ts';
import type { Runtime } from '../../src/runtime/runtime.ts';
import { sharedPath, withShared } from '../support/shared.ts';

let runtime: Runtime;
beforeAll(async () => {
  runtime = await nodeRuntime({ threads: 1 });
});
afterAll(() => runtime.dispose());

describe('the feature network of the package', () => {
  test('is known by its content, and says what its input and its layers are', async () => {
    const hash = createHash('sha256').update(readFileSync(SHIPPED_FEATURES)).digest('hex');
    expect(SHIPPED_MODELS.has(hash)).toBe(true);
    const opened = await openFeatureFile(runtime, {});
    expect(opened).toMatchObject({
      sha256: hash,
      network: { range: '0..1', size: 256, inputLayout: 'NCHW', batch: 'any' },
    });
    expect(opened!.network.layers.map(({ channels, height }) => [channels, height])).toEqual([
      [16, 128],
      [24, 64],
      [32, 32],
      [64, 16],
    ]);
    expect(await openFeatureFile(runtime, { features: false })).toBeUndefined();
  });

  const reference = sharedPath('models', 'features', 'mobilenet_v2_block10.onnx');
  test.skipIf(!existsSync(reference))(
    withShared('equals the reference file: graph, and maps to rounding'),
    async () => {
      const [own, other] = [await openModel(SHIPPED_FEATURES), await openModel(reference)];
      const shape = (model: typeof own) =>
        model.graph.nodes.map(({ operator, inputs, outputs }) => [operator, inputs, outputs]);
      expect(shape(own)).toEqual(shape(other));
      const { layers } = featureMetadata(own)!;
      const image = float32(
        Float32Array.from(randomFrom(1).normals(3 * 64 * 64), (v) => Math.min(1, Math.abs(v) / 2)),
        [1, 3, 64, 64],
      );
      const maps = await Promise.all(
        [own, other].map(async ({ graph }) => {
          const session = await runtime.session(encodeModel(graph));
          const made = await session.run(new Map([['image', image]]));
          await session.dispose();
          return made;
        }),
      );
      for (const layer of layers!) {
        const [a, b] = maps.map((made) => float32Data(made.get(layer)!));
        const largest = b.reduce((most, v) => Math.max(most, Math.abs(v)), 0);
        const worst = a.reduce((most, v, i) => Math.max(most, Math.abs(v - b[i])), 0);
        expect(worst / largest, layer).toBeLessThan(1e-4);
      }
    },
  );
});
