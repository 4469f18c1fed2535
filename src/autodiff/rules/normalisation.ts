/**
 * Normalisations. The forward node stays fused; the gradient recomputes its statistics from x, so that it can be
 * differentiated again. With x^ = (x - mean) r, r = 1 / sqrt(variance + epsilon), over the n elements of a set:
 *   dx = r (u - mean(u) - x^ mean(u x^)),   u = dy scale.
 */
import type { GraphBuilder, Value } from '../../onnx/builder.ts';
import { floatAttribute, intAttribute, intsAttribute } from '../../onnx/graph.ts';
import { float32, sizeOf } from '../../onnx/tensor.ts';
import { type Rule, type RuleContext, type RuleTable, sumTo } from '../rule.ts';

interface Statistics {
  /** The centred x. */
  readonly centred: Value;
  /** r, the reciprocal deviation. */
  readonly r: Value;
  /** x^, the normalised x. */
  readonly normalised: Value;
}

function statistics(b: GraphBuilder, x: Value, axes: readonly number[], epsilon: number): Statistics {
  const centred = b.Sub(x, b.ReduceMean(x, axes));
  const variance = b.ReduceMean(b.Mul(centred, centred), axes);
  const r = b.Reciprocal(b.Sqrt(b.Add(variance, b.scalar(epsilon))));
  return { centred, r, normalised: b.Mul(centred, r) };
}

/** dx of x^ = (x - mean) r, given its cotangent u. */
function normalisedBack(b: GraphBuilder, u: Value, { r, normalised }: Statistics, axes: readonly number[]): Value {
  const along = b.ReduceMean(b.Mul(u, normalised), axes);
  const centred = b.Sub(u, b.ReduceMean(u, axes));
  return b.Mul(r, b.Sub(centred, b.Mul(normalised, along)));
}

/** The shape of a per-channel vector beside a value of rank `rank`. */
const perChannel = (channels: number, rank: number) => [1, channels, ...Array.from({ length: rank - 2 }, () => 1)];

const allBut = (rank: number, ...kept: number[]) =>
  Array.from({ length: rank }, (_, i) => i).filter((i) => !kept.includes(i));

const batchNormalization: Rule = {
  gradient: ({ b, node, cotangents, dims, wants }) => {
    const g = cotangents[0];
    if (g === undefined) return [];
    const [x, scale, , mean, variance] = node.inputs;
    const rank = dims(0).length;
    const channels = dims(0)[1] ?? 1;
    const axes = allBut(rank, 1);
    const wide = (value: Value) => (rank < 2 ? value : b.Reshape(value, perChannel(channels, rank)));
    const epsilon = floatAttribute(node, 'epsilon', 1e-5);
    if (intAttribute(node, 'training_mode', 0) === 1) {
      const own = statistics(b, x, axes, epsilon);
      return [
        wants(0) ? normalisedBack(b, b.Mul(g, wide(scale)), own, axes) : undefined,
        wants(1) ? b.ReduceSum(b.Mul(g, own.normalised), axes, false) : undefined,
        wants(2) ? b.ReduceSum(g, axes, false) : undefined,
      ];
    }
    const r = b.Reciprocal(b.Sqrt(b.Add(variance, b.scalar(epsilon))));
    const slope = b.Mul(scale, r);
    const sum = wants(2) || wants(3) ? b.ReduceSum(g, axes, false) : '';
    // Per channel: the sum of dy (x - mean).
    const moment = wants(1) || wants(4) ? b.ReduceSum(b.Mul(g, b.Sub(x, wide(mean))), axes, false) : '';
    return [
      wants(0) ? b.Mul(g, wide(slope)) : undefined,
      wants(1) ? b.Mul(moment, r) : undefined,
      wants(2) ? sum : undefined,
      wants(3) ? b.Neg(b.Mul(sum, slope)) : undefined,
      wants(4) ? b.Mul(b.Mul(moment, b.scalar(-0.5)), b.Mul(slope, b.Mul(r, r))) : undefined,
    ];
  },
};

const instanceNormalization: Rule = {
  gradient: ({ b, node, cotangents, dims, wants }) => {
    const g = cotangents[0]!;
    const [x, scale] = node.inputs;
    const rank = dims(0).length;
    const axes = allBut(rank, 0, 1);
    const own = statistics(b, x, axes, floatAttribute(node, 'epsilon', 1e-5));
    const wide = b.Reshape(scale, perChannel(dims(0)[1], rank));
    return [
      wants(0) ? normalisedBack(b, b.Mul(g, wide), own, axes) : undefined,
      wants(1) ? b.ReduceSum(b.Mul(g, own.normalised), allBut(rank, 1), false) : undefined,
      wants(2) ? b.ReduceSum(g, allBut(rank, 1), false) : undefined,
    ];
  },
};

/** Scale and bias per group (opset 18) or per channel (opset 21). */
const groupNormalization: Rule = {
  gradient: ({ b, node, cotangents, dims, wants }) => {
    const g = cotangents[0]!;
    const [x, scale] = node.inputs;
    const [batch, channels, ...spatial] = dims(0);
    const groups = intAttribute(node, 'num_groups', 1);
    const split = [batch, groups, channels / groups, sizeOf(spatial)];
    const parameters = dims(1)[0] === channels ? [1, groups, channels / groups, 1] : [1, groups, 1, 1];
    const own = statistics(b, b.Reshape(x, split), [2, 3], floatAttribute(node, 'epsilon', 1e-5));
    const cotangent = b.Reshape(g, split);
    const toParameter = (value: Value, i: number) => b.Reshape(sumTo(b, value, split, parameters), dims(i));
    return [
      wants(0)
        ? b.Reshape(normalisedBack(b, b.Mul(cotangent, b.Reshape(scale, parameters)), own, [2, 3]), dims(0))
        : undefined,
      wants(1) ? toParameter(b.Mul(cotangent, own.normalised), 1) : undefined,
      wants(2) ? toParameter(cotangent, 2) : undefined,
    ];
  },
};

/** Outputs Y, Mean and InvStdDev = r; dx of the mean is 1/n, of r it is -r^2 x^ / n. */
const layerNormalization: Rule = {
  gradient: ({ b, node, cotangents, dims, wants, has }) => {
    const [g, meanCotangent, rCotangent] = cotangents;
    const [x, scale] = node.inputs;
    const rank = dims(0).length;
    const first = intAttribute(node, 'axis', -1);
    const axes = allBut(rank).slice(first < 0 ? first + rank : first);
    const n = sizeOf(axes.map((axis) => dims(0)[axis]));
    const own = statistics(b, x, axes, floatAttribute(node, 'epsilon', 1e-5));
    const dataGradient = () => {
      const viaY = g === undefined ? undefined : normalisedBack(b, b.Mul(g, scale), own, axes);
      const viaR =
        rCotangent === undefined
          ? undefined
          : b.Mul(b.Mul(own.normalised, b.Mul(own.r, own.r)), b.Mul(rCotangent, b.scalar(-1 / n)));
      const viaMean =
        meanCotangent === undefined ? undefined : b.Expand(b.Mul(meanCotangent, b.scalar(1 / n)), dims(0));
      return b.sum(b.sum(viaY, viaR), viaMean);
    };
    const toParameter = (value: Value, i: number) => sumTo(b, value, dims(0), dims(i));
    return [
      wants(0) ? dataGradient() : undefined,
      wants(1) && g !== undefined ? toParameter(b.Mul(g, own.normalised), 1) : undefined,
      has(2) && wants(2) && g !== undefined ? toParameter(g, 2) : undefined,
    ];
  },
};

const meanVarianceNormalization: Rule = {
  gradient: ({ b, node, cotangents }) => {
    const axes = intsAttribute(node, 'axes') ?? [0, 2, 3];
    // The operator adds 1e-9 to the deviation.
    const own = statistics(b, node.inputs[0], axes, 1e-18);
    return [normalisedBack(b, cotangents[0]!, own, axes)];
  },
};

/** y = x / |x|_p:  dx = (dy - d|x|_p/dx sum(dy y)) / |x|_p. */
const lpNormalization: Rule = {
  gradient: ({ b, node, cotangents }) => {
    const g = cotangents[0]!;
    const [x, y] = [node.inputs[0], node.outputs[0]];
    const axis = [intAttribute(node, 'axis', -1)];
    const p = intAttribute(node, 'p', 2);
    const norm = p === 1 ? b.ReduceSum(b.Abs(x), axis) : b.Sqrt(b.ReduceSum(b.Mul(x, x), axis));
    const slope = p === 1 ? b.Sign(x) : y;
    const along = b.ReduceSum(b.Mul(g, y), axis);
    // ONNX Runtime normalises 0 to 0; its gradient is kept finite.
    const safe = b.Where(b.Equal(norm, b.scalar(0)), b.scalar(1), norm);
    return [b.Div(b.Sub(g, b.Mul(slope, along)), safe)];
  },
};

/** y = x s^-beta, s = bias + alpha/size sum of x^2 over neighbouring channels (a band matrix). */
const lrn: Rule = {
  gradient: ({ b, node, cotangents, dims }) => {
    const g = cotangents[0]!;
    const x = node.inputs[0];
    const [batch, channels, ...spatial] = dims(0);
    const size = intAttribute(node, 'size', 1);
    const alpha = floatAttribute(node, 'alpha', 1e-4);
    const beta = floatAttribute(node, 'beta', 0.75);
    const flat = [batch, channels, sizeOf(spatial)];
    const neighbours = (value: Value, transposed: boolean) =>
      b.Reshape(b.MatMul(band(b, channels, size, transposed), b.Reshape(value, flat)), dims(0));
    const s = b.Add(
      b.Mul(neighbours(b.Mul(x, x), false), b.scalar(alpha / size)),
      b.scalar(floatAttribute(node, 'bias', 1)),
    );
    const power = (exponent: number) => b.Pow(s, b.scalar(exponent));
    const around = neighbours(b.Mul(b.Mul(g, x), power(-beta - 1)), true);
    return [b.Sub(b.Mul(g, power(-beta)), b.Mul(b.Mul(x, around), b.scalar((2 * alpha * beta) / size)))];
  },
};

/** Row c has ones at channels c - floor((size-1)/2) to c + ceil((size-1)/2). */
function band(b: GraphBuilder, channels: number, size: number, transposed: boolean): Value {
  const data = new Float32Array(channels * channels);
  for (let c = 0; c < channels; c++) {
    const last = Math.min(channels - 1, c + Math.ceil((size - 1) / 2));
    for (let i = Math.max(0, c - Math.floor((size - 1) / 2)); i <= last; i++)
      data[transposed ? i * channels + c : c * channels + i] = 1;
  }
  return b.constant(float32(data, [channels, channels]), 'band');
}

const softmaxAxis = ({ node }: RuleContext) => [intAttribute(node, 'axis', -1)];

const softmax: Rule = {
  gradient: (context) => {
    const { b, node, cotangents } = context;
    const y = node.outputs[0];
    const weighted = b.Mul(cotangents[0]!, y);
    return [b.Sub(weighted, b.Mul(y, b.ReduceSum(weighted, softmaxAxis(context))))];
  },
};

const logSoftmax: Rule = {
  gradient: (context) => {
    const { b, node, cotangents } = context;
    const g = cotangents[0]!;
    return [b.Sub(g, b.Mul(b.Exp(node.outputs[0]), b.ReduceSum(g, softmaxAxis(context))))];
  },
};

export const normalisation = {
  BatchNormalization: batchNormalization,
  InstanceNormalization: instanceNormalization,
  GroupNormalization: groupNormalization,
  LayerNormalization: layerNormalization,
  MeanVarianceNormalization: meanVarianceNormalization,
  LpNormalization: lpNormalization,
  LRN: lrn,
  Softmax: softmax,
  LogSoftmax: logSoftmax,
} satisfies RuleTable;
