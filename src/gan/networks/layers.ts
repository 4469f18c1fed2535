/**
 * What the architectures are made of. A network is a plain ONNX graph with any batch size: what is trained is what is
 * exported.
 *
 * Equalised learning rate (Karras et al. 2018) keeps w ~ N(0,1) and computes with c w, c = gain / sqrt(fan-in). Adam's
 * direction does not change when the gradient is scaled, so storing c w itself and moving it by c times the rate is the
 * same training, and the file needs no factors: `rates` holds c per parameter.
 */
import { GraphBuilder, type Value } from '../../onnx/builder.ts';
import type { Graph, ValueInfo } from '../../onnx/graph.ts';
import { float32, sizeOf, type Tensor, zeros } from '../../onnx/tensor.ts';
import { withoutDeadCode } from '../../passes/dead-code.ts';
import type { Random } from '../../random.ts';

export interface Network {
  /** One input and one or more outputs, batch axis 'N'; its float initialisers named in `rates` are the parameters. */
  readonly graph: Graph;
  /** Parameter name to the factor of its learning rate. */
  readonly rates: ReadonlyMap<string, number>;
}

/** The network with one output only, and what that needs. */
export function withOutput({ graph, rates }: Network, name: string): Network {
  const only = withoutDeadCode({ ...graph, outputs: graph.outputs.filter((output) => output.name === name) });
  return { graph: only, rates: new Map([...rates].filter(([parameter]) => only.initializers.has(parameter))) };
}

export const BATCH = 'N';

/** Gain of the rectifiers below (He et al. 2015). */
const GAIN = Math.SQRT2;
const SLOPE = 0.2;

/** Emits layers with seeded weights. Shapes of images are [N, channels, size, size]. */
export interface Layers {
  readonly b: GraphBuilder;
  /** x [N, from] to [N, to]. */
  dense(name: string, x: Value, from: number, to: number, options?: LayerOptions): Value;
  /** x [N, ...weight rows] times a given weight plus a given bias, trained at `rate` times the rate. */
  linear(name: string, x: Value, weight: Tensor<'float32'>, bias: Tensor<'float32'>, rate: number): Value;
  /** Unpadded for kernel 1, else of the same size (odd kernels) or halved (`down`, kernel 4). */
  conv(name: string, x: Value, from: number, to: number, options?: LayerOptions): Value;
  leaky(x: Value): Value;
  /** x / sqrt(mean over channels of x^2): Karras et al. 2018, section 4.2. */
  pixelNorm(x: Value): Value;
  /** Nearest, by 2. */
  up(x: Value): Value;
  /** Mean of 2x2 blocks (or of k x k). */
  down(x: Value, k?: number): Value;
  /** One more channel: the mean deviation of the features over the batch (Karras et al. 2018, section 3). */
  batchDeviation(x: Value, size: number): Value;
}

export interface LayerOptions {
  readonly kernel?: number;
  readonly down?: boolean;
  readonly gain?: number;
  /** Multiplies the first weights: 0 for a layer that begins silent. */
  readonly start?: number;
  /** The first biases; zeros if not given. */
  readonly bias?: Float32Array;
}

export function buildNetwork(
  name: string,
  input: { readonly name: string; readonly dims: readonly number[] },
  outputs: readonly { readonly name: string; readonly dims: readonly number[] }[],
  random: Random,
  emit: (layers: Layers, x: Value) => readonly Value[],
): Network {
  const b = new GraphBuilder();
  const rates = new Map<string, number>();
  b.reserve(input.name);
  for (const output of outputs) b.reserve(output.name);
  const values = emit(layersOn(b, rates, random), input.name);
  outputs.forEach((output, i) => {
    b.node('Identity', [values[i]], {}, [output.name]);
  });
  const info = (value: { readonly name: string; readonly dims: readonly number[] }): ValueInfo => ({
    name: value.name,
    type: 'float32',
    dims: [BATCH, ...value.dims],
  });
  return { graph: b.graph(name, [info(input)], outputs.map(info)), rates };
}

/** Mean of k x k blocks of [N, channels, size, size]. */
export function averagePool(b: GraphBuilder, x: Value, k: number): Value {
  return b.node('AveragePool', [x], { kernel_shape: [k, k], strides: [k, k] })[0];
}

function layersOn(b: GraphBuilder, rates: Map<string, number>, random: Random): Layers {
  const weight = (name: string, dims: readonly number[], fanIn: number, { gain = GAIN, start = 1 }: LayerOptions) => {
    const deviation = gain / Math.sqrt(fanIn);
    const data = Float32Array.from({ length: sizeOf(dims) }, () => start * deviation * random.normal());
    rates.set(`${name}.weight`, deviation);
    return b.initializer(`${name}.weight`, float32(data, dims));
  };
  const bias = (name: string, to: number, given?: Float32Array): Value => {
    rates.set(`${name}.bias`, 1);
    return b.initializer(`${name}.bias`, given ? float32(given) : zeros('float32', [to]));
  };
  return {
    b,
    dense: (name, x, from, to, options = {}) =>
      b.Gemm(x, weight(name, [from, to], from, options), bias(name, to, options.bias)),
    linear: (name, x, w, c, rate) => {
      rates.set(`${name}.weight`, rate).set(`${name}.bias`, rate);
      return b.Gemm(x, b.initializer(`${name}.weight`, w), b.initializer(`${name}.bias`, c));
    },
    conv: (name, x, from, to, options = {}) => {
      const { kernel = 3, down = false } = options;
      const w = weight(name, [to, from, kernel, kernel], from * kernel * kernel, options);
      const pad = (kernel - 1) >> 1;
      return b.Conv(x, w, bias(name, to, options.bias), {
        pads: [pad, pad, pad, pad],
        strides: down ? [2, 2] : [1, 1],
      });
    },
    leaky: (x) => b.LeakyRelu(x, SLOPE),
    pixelNorm: (x) => {
      const mean = b.ReduceMean(b.Mul(x, x), [1]);
      return b.Div(x, b.Sqrt(b.Add(mean, b.scalar(1e-8))));
    },
    up: (x) =>
      b.Resize(x, [1, 1, 2, 2], {
        mode: 'nearest',
        coordinate_transformation_mode: 'asymmetric',
        nearest_mode: 'floor',
      }),
    down: (x, k = 2) => averagePool(b, x, k),
    batchDeviation: (x, size) => {
      const centred = b.Sub(x, b.ReduceMean(x, [0]));
      const variance = b.ReduceMean(b.Mul(centred, centred), [0]);
      const deviation = b.ReduceMean(b.Sqrt(b.Add(variance, b.scalar(1e-8))), [1, 2, 3]);
      const [count] = b.node('Shape', [x], { start: 0, end: 1 });
      const shape = b.Concat([count, b.ints([1, size, size])], 0);
      return b.Concat([x, b.node('Expand', [deviation, shape])[0]], 1);
    },
  };
}
