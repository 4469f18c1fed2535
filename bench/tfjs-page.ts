/** In a page: the trousers' generator written with operations of TensorFlow.js, and its inversion beside ours. */
import { buildMethod } from '../src/inversion/methods/index.ts';
import { restoreImages } from '../src/inversion/solve/restore.ts';
import { openGeneratorBytes } from '../src/models/generator.ts';
import { encodeModel } from '../src/onnx/encode.ts';
import type { Graph } from '../src/onnx/graph.ts';
import { float32, float32Data, numbersOf, type Tensor } from '../src/onnx/tensor.ts';
import { randomFrom } from '../src/random.ts';
import type { Runtime } from '../src/runtime/runtime.ts';

/** A tensor of TensorFlow.js, which is not installed where types are checked. */
interface TfTensor {
  readonly shape: readonly number[];
  data(): Promise<Float32Array>;
  dispose(): void;
}

/** What is used of `@tensorflow/tfjs-core`. */
export interface Tf {
  tensor(values: Float32Array, shape: readonly number[]): TfTensor;
  variable(initial: TfTensor): TfTensor;
  matMul(a: TfTensor, b: TfTensor): TfTensor;
  add(a: TfTensor, b: TfTensor | number): TfTensor;
  sub(a: TfTensor, b: TfTensor): TfTensor;
  mul(a: TfTensor, b: TfTensor | number): TfTensor;
  div(a: TfTensor, b: TfTensor): TfTensor;
  sqrt(x: TfTensor): TfTensor;
  square(x: TfTensor): TfTensor;
  sum(x: TfTensor): TfTensor;
  mean(x: TfTensor, axis: number, keepDims: boolean): TfTensor;
  sigmoid(x: TfTensor): TfTensor;
  leakyRelu(x: TfTensor, alpha: number): TfTensor;
  reshape(x: TfTensor, shape: readonly number[]): TfTensor;
  conv2d(x: TfTensor, filter: TfTensor, strides: number, pad: 'same'): TfTensor;
  readonly image: { resizeNearestNeighbor(x: TfTensor, size: readonly [number, number]): TfTensor };
  readonly train: {
    adam(rate: number): {
      minimize(loss: () => TfTensor, returnCost: boolean, variables: readonly TfTensor[]): unknown;
    };
  };
  tidy<T>(work: () => T): T;
}

export interface Compared {
  /** Pictures that are searched together. */
  readonly batch: number;
  /** Milliseconds of a step, the median. */
  readonly ours: number;
  readonly theirs: number;
  /** Largest difference of the two generators' pictures of the same latents, in [-1,1]. */
  readonly difference: number;
}

const RATE = 0.1;
const WARM_UP = 3;

/** Steps of Adam on the squared error to `batch` pictures, by both, one after the other. */
export async function compare(
  model: Uint8Array,
  tf: Tf,
  runtime: Runtime,
  batch: number,
  steps: number,
): Promise<Compared> {
  const { generator } = await openGeneratorBytes(model, runtime);
  const latents = randomFrom(1).normals(batch * generator.latents[0].dims[0]);
  const z = float32(latents, [batch, generator.latents[0].dims[0]]);
  const session = await runtime.session(encodeModel(generator.graph));
  const images = (await session.run(new Map([['z', z]]))).get(generator.output)!;
  await session.dispose();
  const made = trousers(tf, generator.graph);
  const drawn = await made(tf.tensor(latents, z.dims)).data();
  const difference = float32Data(images).reduce((most, v, i) => Math.max(most, Math.abs(v - drawn[i])), 0);
  return {
    batch,
    difference,
    ours: await ourStep(generator, images, runtime, steps),
    theirs: await theirStep(tf, made, float32Data(images), batch, steps),
  };
}

async function ourStep(
  generator: Awaited<ReturnType<typeof openGeneratorBytes>>['generator'],
  images: Tensor,
  runtime: Runtime,
  steps: number,
): Promise<number> {
  const { channels, graph } = generator;
  const context = { channels, generator: graph, masked: false, critic: false, logistic: false, layers: [] };
  const method = buildMethod({ method: 'invert', seed: 2, steps: steps + WARM_UP }, context);
  const times: number[] = [];
  const onStep = () => void times.push(performance.now());
  const batch = images.dims[0];
  const job = { generator, method, images: float32(float32Data(images), images.dims), batch };
  for await (const _ of restoreImages(job, runtime, { onStep }));
  return medianGap(times);
}

async function theirStep(
  tf: Tf,
  made: (z: TfTensor) => TfTensor,
  pictures: Float32Array,
  batch: number,
  steps: number,
): Promise<number> {
  const size = Math.sqrt(pictures.length / batch);
  const target = tf.tensor(pictures, [batch, size, size, 1]);
  const start = randomFrom(2).normals(batch * LATENTS);
  const z = tf.variable(tf.tensor(start, [batch, LATENTS]));
  const adam = tf.train.adam(RATE);
  const times = [performance.now()];
  for (let i = 0; i < steps + WARM_UP; i++) {
    tf.tidy(() => adam.minimize(() => tf.sum(tf.square(tf.sub(made(z), target))), false, [z]));
    // What was asked for is computed at once on the processor; the value of z would show it if it were not.
    times.push(performance.now());
  }
  await z.data();
  return medianGap(times);
}

function medianGap(times: readonly number[]): number {
  const gaps = times.slice(1).map((time, i) => time - times[i]);
  return gaps.slice(WARM_UP).sort((a, b) => a - b)[Math.floor((gaps.length - WARM_UP) / 2)];
}

const LATENTS = 32;
const SLOPE = 0.2;
/** Side and channels of the first map. */
const FIRST = { side: 4, channels: 128 } as const;

/** G of models/fashion-trousers, layer by layer; maps are [N,H,W,C], as TensorFlow.js wants them. */
function trousers(tf: Tf, { initializers }: Graph): (z: TfTensor) => TfTensor {
  const values = (name: string) => Float32Array.from(numbersOf(initializers.get(name)!));
  const given = (name: string) => tf.tensor(values(name), initializers.get(name)!.dims);
  const filter = (name: string) => {
    const [outputs, inputs, height, width] = initializers.get(name)!.dims;
    const from = values(name);
    const to = new Float32Array(from.length);
    for (let o = 0; o < outputs; o++)
      for (let i = 0; i < inputs; i++)
        for (let k = 0; k < height * width; k++)
          to[(k * inputs + i) * outputs + o] = from[(o * inputs + i) * height * width + k];
    return tf.tensor(to, [height, width, inputs, outputs]);
  };
  const area = FIRST.side ** 2;
  /** Where the values of a map [C,H,W] stand in [H,W,C]. */
  const placed = (index: number) => (index % area) * FIRST.channels + Math.floor(index / area);
  const permuted = (from: Float32Array, rows: number, along: 'rows' | 'columns') => {
    const columns = from.length / rows;
    const to = new Float32Array(from.length);
    for (let r = 0; r < rows; r++)
      for (let c = 0; c < columns; c++)
        to[along === 'rows' ? placed(r) * columns + c : r * columns + placed(c)] = from[r * columns + c];
    return to;
  };
  const size = area * FIRST.channels;
  const dense = {
    weight: tf.tensor(permuted(values('4.dense.weight'), LATENTS, 'columns'), [LATENTS, size]),
    bias: tf.tensor(permuted(values('4.dense.bias'), 1, 'columns'), [size]),
  };
  const layers = ['4', '8', '16', '32'].map((name) => ({
    filter: filter(`${name}.conv.weight`),
    bias: given(`${name}.conv.bias`),
  }));
  const skip = {
    first: tf.tensor(permuted(values('32.skip0.weight'), size, 'rows'), [size, 24]),
    firstBias: given('32.skip0.bias'),
    second: given('32.skip1.weight'),
    secondBias: given('32.skip1.bias'),
  };
  const image = { filter: filter('to_image.weight'), bias: given('to_image.bias') };
  const backbone = { weight: given('backbone.weight'), bias: given('backbone.bias') };
  const [epsilon] = numbersOf(initializers.get('scalar')!);
  const [gain] = numbersOf(initializers.get('scalar.1')!);
  const leaky = (x: TfTensor) => tf.leakyRelu(x, SLOPE);
  const normalised = (x: TfTensor) => tf.div(x, tf.sqrt(tf.add(tf.mean(tf.mul(x, x), 3, true), epsilon)));
  const layer = (x: TfTensor, at: number) =>
    normalised(leaky(tf.add(tf.conv2d(x, layers[at].filter, 1, 'same'), layers[at].bias)));
  const doubled = (x: TfTensor) => tf.image.resizeNearestNeighbor(x, [2 * x.shape[1], 2 * x.shape[2]]);
  return (z) => {
    const [batch] = z.shape;
    const first = tf.reshape(tf.add(tf.matMul(z, dense.weight), dense.bias), [
      batch,
      FIRST.side,
      FIRST.side,
      FIRST.channels,
    ]);
    const h4 = layer(normalised(leaky(first)), 0);
    const h32 = layer(doubled(layer(doubled(layer(doubled(h4), 1)), 2)), 3);
    const hidden = leaky(tf.add(tf.matMul(tf.reshape(h4, [batch, size]), skip.first), skip.firstBias));
    const gate = tf.mul(tf.sigmoid(tf.add(tf.matMul(hidden, skip.second), skip.secondBias)), gain);
    const gated = tf.mul(h32, tf.reshape(gate, [batch, 1, 1, 24]));
    const drawn = tf.add(tf.conv2d(gated, image.filter, 1, 'same'), image.bias);
    const plain = tf.add(tf.matMul(z, backbone.weight), backbone.bias);
    return tf.add(tf.reshape(plain, drawn.shape), drawn);
  };
}
