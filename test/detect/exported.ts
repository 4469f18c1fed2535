/** Small policies for detector files, and pictures to run them on: of a search with an encoder, and in closed form. */
import type { Policy } from '../../src/detect/policy.ts';
import type { FeatureNetwork } from '../../src/features/network.ts';
import type { Image } from '../../src/images/image.ts';
import { openGenerator } from '../../src/inversion/generator/generator.ts';
import { GraphBuilder } from '../../src/onnx/builder.ts';
import type { Graph } from '../../src/onnx/graph.ts';
import { float32 } from '../../src/onnx/tensor.ts';
import { randomFrom } from '../../src/random.ts';
import type { Runtime } from '../../src/runtime/runtime.ts';
import { productGraph, SIDE } from './made.ts';

const VALUES = SIDE * SIDE;
const LATENT = 3;
/** Positions of features along a side. */
export const POSITIONS = 4;

/** G(z) = A z + b. */
export function affineGraph(): Graph {
  const b = new GraphBuilder();
  b.reserve('z');
  const { matrix, offset } = affineNumbers();
  const flat = b.Gemm('z', b.initializer('a', float32(matrix, [VALUES, LATENT])), b.floats(offset), { transB: true });
  b.node('Reshape', [flat, b.ints([-1, 1, SIDE, SIDE])], {}, ['image']);
  return b.graph(
    'affine',
    [{ name: 'z', type: 'float32', dims: ['N', LATENT] }],
    [{ name: 'image', type: 'float32', dims: ['N', 1, SIDE, SIDE] }],
  );
}

/** A [values, latents] and b [values] of it. */
export function affineNumbers(): { readonly matrix: Float32Array; readonly offset: Float32Array } {
  const wave = (i: number, k: number) =>
    0.3 * Math.sin((2 * Math.PI * ((k + 1) * (i % SIDE) + 2 * Math.floor(i / SIDE))) / SIDE + k);
  return {
    matrix: Float32Array.from({ length: VALUES * LATENT }, (_, i) => wave(Math.floor(i / LATENT), i % LATENT)),
    offset: Float32Array.from({ length: VALUES }, (_, i) => 0.2 * Math.cos(i / VALUES)),
  };
}

/** z from a picture: a few inner products. */
export function encoderGraph(): Graph {
  const b = new GraphBuilder();
  b.reserve('image');
  const weights = b.initializer(
    'weights',
    float32(
      affineNumbers().matrix.map((v) => v / 8),
      [VALUES, LATENT],
    ),
  );
  b.node('MatMul', [b.Reshape('image', [-1, VALUES]), weights], {}, ['z']);
  return b.graph(
    'encoder',
    [{ name: 'image', type: 'float32', dims: ['N', 1, SIDE, SIDE] }],
    [{ name: 'z', type: 'float32', dims: ['N', LATENT] }],
  );
}

/** Everything that a map is made with: smoothing, statistics for each pixel, local contrast, regions and a mean score. */
export function searchPolicy(network?: FeatureNetwork): Policy {
  const random = randomFrom(5);
  const positions = POSITIONS ** 2;
  const channels = network?.layers.reduce((sum, layer) => sum + layer.channels, 0) ?? 0;
  return {
    format: 1,
    name: 'default',
    form: 'object',
    scale: 1,
    stride: 8,
    inversion: { thresholdGrey: 30, prior: 0.05, steps: 12, starts: 2 },
    evidence: {
      blur: 0.7,
      surround: { width: 3, activity: [0.5, 1, 2], scale: [0.6, 1, 1.7] },
      smoothing: 0.8,
    },
    ...(network
      ? {
          features: {
            network: { file: 'tiny.onnx', sha256: 'abc', range: '-1..1', size: SIDE, layers: ['contrast'] },
            smoothing: 0.5,
            units: { pixels: 2, features: 3 },
          },
        }
      : {}),
    thresholds: network ? { pixel: 1.2, image: 1.36 } : { pixel: 1.6, image: 1.8 },
    falseAlarms: { pixel: 0.01, image: 0.05 },
    leastArea: 4,
    scorePixels: 5,
    displayHigh: 20,
    calibration: { pictures: 20, unseen: 20 },
    statistics: {
      location: float32(
        random.normals(VALUES).map((v) => 0.02 * v),
        [1, 1, SIDE, SIDE],
      ),
      whitening: float32(
        Float32Array.from({ length: VALUES }, () => 6 + 4 * random.uniform()),
        [1, 1, SIDE, SIDE],
      ),
      ...(network
        ? {
            features: {
              groups: [channels],
              grid: POSITIONS,
              mean: float32(random.normals(positions * channels), [positions, channels]),
              whitening: float32(
                Float32Array.from({ length: (positions * channels * (channels + 1)) / 2 }, () => 1 + random.uniform()),
                [positions, (channels * (channels + 1)) / 2],
              ),
            },
          }
        : {}),
    },
  };
}

/** The same in closed form. */
export function closedPolicy(rounds = 3): Policy {
  const inversion = { thresholdGrey: 30, noiseGrey: 4, rounds };
  return { ...searchPolicy(), inversion };
}

/** Pictures of the generator's kind with noise; on every second one a square, and on every third a ring and specks. */
export function testPictures(count: number): Image[] {
  const random = randomFrom(8);
  const { matrix, offset } = affineNumbers();
  return Array.from({ length: count }, (_, n) => {
    const z = random.normals(LATENT);
    const data = Float32Array.from({ length: VALUES }, (_, i) => {
      let value = offset[i] + 0.03 * random.normal();
      for (let k = 0; k < LATENT; k++) value += matrix[i * LATENT + k] * z[k];
      return value;
    });
    for (let i = 0; i < VALUES; i++) {
      const [y, x] = [Math.floor(i / SIDE), i % SIDE];
      const isSquare = n % 2 === 1 && y >= 5 && y < 9 && x >= 6 && x < 10;
      const around = Math.max(Math.abs(y - 8), Math.abs(x - 8));
      const isRing = n % 3 === 2 && around >= 4 && around < 6;
      const isSpeck = n % 3 === 2 && ((y === 1 && x === 1) || (y === 1 && x === 13));
      if (isSquare || isRing || isSpeck) data[i] -= 1;
    }
    return float32(data, [1, 1, SIDE, SIDE]);
  });
}

export const searchGenerator = (runtime: Runtime) => openGenerator(productGraph(), runtime);
export const affineGenerator = (runtime: Runtime) => openGenerator(affineGraph(), runtime);
