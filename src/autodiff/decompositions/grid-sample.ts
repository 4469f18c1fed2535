/**
 * GridSample written out: per axis the taps an interpolation reads and their weights, as functions of the grid; the image
 * is gathered at each combination of taps. Gathering and the arithmetic of the weights have rules to any order.
 */
import type { GraphBuilder, Value } from '../../onnx/builder.ts';
import { intAttribute, stringAttribute } from '../../onnx/graph.ts';
import { sizeOf } from '../../onnx/tensor.ts';
import type { Decomposition } from '../decomposition.ts';

/** One position along one axis: its index as a whole float inside the image, and its weight. Both [N, 1, P]. */
interface Tap {
  readonly index: Value;
  readonly weight: Value | undefined;
}

interface Settings {
  readonly mode: string;
  readonly padding: string;
  readonly alignCorners: boolean;
}

export const gridSample: Decomposition = ({ b, node, dims, outputDims }) => {
  const [x, grid] = node.inputs;
  const [batch, channels, ...image] = dims(0);
  const places = sizeOf(outputDims(0).slice(2));
  const settings: Settings = {
    mode: stringAttribute(node, 'mode', 'linear'),
    padding: stringAttribute(node, 'padding_mode', 'zeros'),
    alignCorners: intAttribute(node, 'align_corners', 0) === 1,
  };
  const flat = b.Reshape(x, [batch, channels, sizeOf(image)]);
  const points = b.Reshape(grid, [batch, places, image.length]);
  const taps = image.map((size, axis) => {
    // The grid's last dimension names the innermost axis first.
    const at = image.length - 1 - axis;
    const coordinate = b.Reshape(b.Slice(points, [at], [at + 1], [2]), [batch, 1, places]);
    return tapsOf(b, coordinate, size, settings);
  });
  const terms = combinations(taps).map((chosen) => {
    const index = chosen.reduce<Value | undefined>(
      (sum, tap, axis) => (sum === undefined ? tap.index : b.Add(b.Mul(sum, b.scalar(image[axis])), tap.index)),
      undefined,
    )!;
    const indices = b.Expand(b.Cast(index, 'int64'), [batch, channels, places]);
    const value = b.node('GatherElements', [flat, indices], { axis: 2 })[0];
    const weights = chosen.flatMap((tap) => (tap.weight === undefined ? [] : [tap.weight]));
    return weights.reduce((product, weight) => b.Mul(product, weight), value);
  });
  return [
    b.Reshape(
      terms.reduce((sum, term) => b.Add(sum, term)),
      outputDims(0),
    ),
  ];
};

function combinations(taps: readonly (readonly Tap[])[]): Tap[][] {
  return taps.reduce<Tap[][]>((all, axis) => all.flatMap((chosen) => axis.map((tap) => [...chosen, tap])), [[]]);
}

function tapsOf(b: GraphBuilder, coordinate: Value, size: number, settings: Settings): Tap[] {
  const position = pixelOf(b, coordinate, size, settings);
  const first = b.node('Floor', [position])[0];
  if (settings.mode === 'nearest') {
    return [tap(b, b.node('Round', [position])[0], undefined, size, settings)];
  }
  const rest = b.Sub(position, first);
  const at = (offset: number) => (offset === 0 ? first : b.Add(first, b.scalar(offset)));
  if (settings.mode.endsWith('cubic')) {
    return [-1, 0, 1, 2].map((offset) => tap(b, at(offset), cubicWeight(b, rest, offset), size, settings));
  }
  const complement = b.Sub(b.scalar(1), rest);
  return [tap(b, at(0), complement, size, settings), tap(b, at(1), rest, size, settings)];
}

/** From [-1, 1] to pixels; folded back into the image where the padding mode does that before interpolating. */
function pixelOf(b: GraphBuilder, coordinate: Value, size: number, settings: Settings): Value {
  const { mode, padding, alignCorners } = settings;
  const slope = alignCorners ? (size - 1) / 2 : size / 2;
  const position = b.Add(b.Mul(coordinate, b.scalar(slope)), b.scalar((size - 1) / 2));
  if (mode.endsWith('cubic') || padding === 'zeros') return position;
  return inside(b, padding === 'reflection' ? reflected(b, position, size, alignCorners) : position, size);
}

const inside = (b: GraphBuilder, position: Value, size: number) => b.Clip(position, b.scalar(0), b.scalar(size - 1));

/** The triangle wave that mirrors positions at the image's outer pixels (their centres or their edges). */
function reflected(b: GraphBuilder, position: Value, size: number, alignCorners: boolean): Value {
  const low = alignCorners ? 0 : -0.5;
  const span = alignCorners ? size - 1 : size;
  if (span === 0) return b.Mul(position, b.scalar(0));
  const distance = b.Abs(b.Sub(position, b.scalar(low)));
  const periods = b.node('Floor', [b.Mul(distance, b.scalar(1 / (2 * span)))])[0];
  const phase = b.Sub(distance, b.Mul(periods, b.scalar(2 * span)));
  const folded = b.Sub(b.scalar(span), b.Abs(b.Sub(phase, b.scalar(span))));
  return b.Add(folded, b.scalar(low));
}

/** A tap whose index is brought into the image: for zero padding its weight is 0 outside. */
function tap(b: GraphBuilder, index: Value, weight: Value | undefined, size: number, settings: Settings): Tap {
  const { mode, padding, alignCorners } = settings;
  if (padding === 'zeros') {
    const within = b.And(b.GreaterOrEqual(index, b.scalar(0)), b.LessOrEqual(index, b.scalar(size - 1)));
    const mask = b.Cast(within, 'float32');
    return { index: inside(b, index, size), weight: weight === undefined ? mask : b.Mul(weight, mask) };
  }
  const folded = mode.endsWith('cubic') && padding === 'reflection' ? reflected(b, index, size, alignCorners) : index;
  // Whole again: reflection at pixel edges may have rounded.
  return { index: b.node('Round', [inside(b, folded, size)])[0], weight };
}

/** Keys' kernel with a = -0.75 at the distance |offset - rest|. */
function cubicWeight(b: GraphBuilder, rest: Value, offset: number): Value {
  const a = -0.75;
  const distance = offset <= 0 ? b.Sub(rest, b.scalar(offset)) : b.Sub(b.scalar(offset), rest);
  const coefficients = offset === 0 || offset === 1 ? [a + 2, -(a + 3), 0, 1] : [a, -5 * a, 8 * a, -4 * a];
  return coefficients.slice(1).reduce((sum, c) => b.Add(b.Mul(sum, distance), b.scalar(c)), b.scalar(coefficients[0]));
}
