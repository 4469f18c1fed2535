/**
 * Which range of values a network was trained on, read from its first normalisation: the running mean of a batch normalisation is
 * the mean, over the training pictures, of what the layer before it makes. Pictures given in the right range make about the same means;
 * in a wrong one they make others. Networks whose normalisation was folded into the convolutions do not tell.
 */
import { type Image, shapeOf } from '../images/image.ts';
import { encodeModel } from '../onnx/encode.ts';
import type { Graph, Node } from '../onnx/graph.ts';
import { float32Data, numbersOf } from '../onnx/tensor.ts';
import type { Runtime } from '../runtime/runtime.ts';
import { networkInput } from './extraction.ts';
import { FEATURE_RANGES, type FeatureNetwork, type FeatureRange } from './network.ts';

/** Correlation with the running means from which a range is believed, and by how much it must surpass the one that is stated. */
const MIN_CORRELATION = 0.9;
const MIN_LEAD = 0.1;

/** How well the pictures fit the network's first running means, by range; undefined where the network does not tell. */
export async function rangeCorrelations(
  network: FeatureNetwork,
  pictures: Image,
  runtime: Runtime,
): Promise<ReadonlyMap<FeatureRange, number> | undefined> {
  const norm = firstNormalisation(network.graph);
  const expected = norm && network.graph.initializers.get(norm.inputs[3]);
  if (!norm || !expected) return undefined;
  const found = new Map<FeatureRange, number>();
  for (const range of FEATURE_RANGES) {
    const graph = networkInput({ ...network, range }, shapeOf(pictures), [norm.inputs[0]]);
    const session = await runtime.session(encodeModel(graph));
    try {
      const made = (await session.run(new Map([['image', pictures]]))).get(graph.outputs[0].name)!;
      found.set(range, correlation(channelMeans(float32Data(made), made.dims), numbersOf(expected)));
    } finally {
      await session.dispose();
    }
  }
  return found;
}

/** A sentence where another range than the stated one fits clearly better; undefined where none does, or the network does not tell. */
export async function rangeDoubt(
  network: FeatureNetwork,
  pictures: Image,
  runtime: Runtime,
): Promise<string | undefined> {
  const found = await rangeCorrelations(network, pictures, runtime);
  if (!found) return undefined;
  const own = found.get(network.range)!;
  const [best, fit] = [...found].reduce((a, b) => (b[1] > a[1] ? b : a));
  if (best === network.range || fit < MIN_CORRELATION || fit < own + MIN_LEAD) return undefined;
  return `The feature network's input is taken to be ${network.range}, but the statistics of its first layer go with ${best} (correlation ${fit.toFixed(2)}, against ${own.toFixed(2)}): give --feature-range ${best} unless you know better.`;
}

/** The batch normalisation of the first convolution, whose input is [N,C,H,W]. */
function firstNormalisation({ nodes }: Graph): Node | undefined {
  const convolution = nodes.find((node) => node.operator === 'Conv');
  return nodes.find((node) => node.operator === 'BatchNormalization' && node.inputs[0] === convolution?.outputs[0]);
}

function channelMeans(data: Float32Array, [count, channels, ...inner]: readonly number[]): number[] {
  const plane = inner.reduce((product, n) => product * n, 1);
  const means = new Array<number>(channels).fill(0);
  data.forEach((v, i) => {
    means[Math.floor(i / plane) % channels] += v / (plane * count);
  });
  return means;
}

function correlation(a: readonly number[], b: readonly number[]): number {
  const mean = (v: readonly number[]) => v.reduce((sum, x) => sum + x, 0) / v.length;
  const [ma, mb] = [mean(a), mean(b)];
  let [ab, aa, bb] = [0, 0, 0];
  a.forEach((x, i) => {
    ab += (x - ma) * (b[i] - mb);
    aa += (x - ma) ** 2;
    bb += (b[i] - mb) ** 2;
  });
  return ab / Math.sqrt(Math.max(aa * bb, 1e-30));
}
