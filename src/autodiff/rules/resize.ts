/** Resize and the rearrangements DepthToSpace and SpaceToDepth: all linear. */
import type { GraphBuilder, Value } from '../../onnx/builder.ts';
import { floatAttribute, intAttribute, intsAttribute, type Node, stringAttribute } from '../../onnx/graph.ts';
import { numbersOf } from '../../onnx/tensor.ts';
import { type Rule, type RuleContext, type RuleTable, refuse } from '../rule.ts';
import { type AxisMap, applyMaps, repetition, sumBlocks, transposeMap } from './axis-maps.ts';
import { type ResizeAxis, type ResizeSettings, resizeMap } from './resize-maps.ts';

const resize: Rule = {
  gradient: (context) => {
    const settings = settingsOf(context.node);
    const maps = axesOf(context).map((axis) => resizeMap(settings, axis));
    return [spread(context.b, context.cotangents[0]!, context.outputDims(0), maps)];
  },
};

/** The transposed maps; sums of blocks where the last two axes were only repeated. */
function spread(b: GraphBuilder, g: Value, dims: readonly number[], maps: readonly AxisMap[]): Value {
  const rank = dims.length;
  const planar = maps.every((map) => map.axis >= rank - 2);
  const factor = (axis: number) => {
    const map = maps.find((m) => m.axis === axis);
    return map ? repetition(map) : 1;
  };
  const [fy, fx] = rank >= 2 ? [factor(rank - 2), factor(rank - 1)] : [undefined, undefined];
  if (planar && maps.length > 0 && fy !== undefined && fx !== undefined) return sumBlocks(b, g, dims, [fy, fx]);
  return applyMaps(b, g, dims, maps.map(transposeMap));
}

function settingsOf(node: Node): ResizeSettings {
  const mode = stringAttribute(node, 'mode', 'nearest');
  return {
    mode: mode === 'linear' || mode === 'cubic' ? mode : 'nearest',
    coordinates: stringAttribute(node, 'coordinate_transformation_mode', 'half_pixel'),
    nearest: stringAttribute(node, 'nearest_mode', 'round_prefer_floor'),
    cubicCoefficient: floatAttribute(node, 'cubic_coeff_a', -0.75),
    excludeOutside: intAttribute(node, 'exclude_outside', 0) === 1,
    antialias: intAttribute(node, 'antialias', 0) === 1,
  };
}

/** The axes that change, with the scales given or implied by the sizes. */
function axesOf({ node, dims, outputDims, constant, has }: RuleContext): ResizeAxis[] {
  const [input, output] = [dims(0), outputDims(0)];
  const listed = intsAttribute(node, 'axes')?.map((axis) => (axis < 0 ? axis + input.length : axis));
  const axes = listed ?? input.map((_, i) => i);
  const given = (i: number) => {
    if (!has(i) || dims(i)[0] === 0) return undefined;
    const tensor = constant(i);
    return tensor ? numbersOf(tensor) : refuse(node, 'its scales, sizes or region are not constant.');
  };
  const [region, scales, sizes] = [given(1), given(2), given(3)];
  const implied = axes.map((axis) => output[axis] / input[axis]);
  const policy = stringAttribute(node, 'keep_aspect_ratio_policy', 'stretch');
  if (sizes && policy !== 'stretch') {
    const ratios = axes.map((axis, i) => sizes[i] / input[axis]);
    implied.fill(policy === 'not_larger' ? Math.min(...ratios) : Math.max(...ratios));
  }
  return axes.flatMap((axis, i) => {
    const scale = Math.fround(scales ? scales[i] : implied[i]);
    // ONNX Runtime leaves such an axis as it is, also where tf_crop_and_resize names a region.
    if (input[axis] === output[axis] && scale === 1) return [];
    const bounds = [region?.[i] ?? 0, region?.[i + axes.length] ?? 1] as const;
    return [{ axis, input: input[axis], output: output[axis], scale, region: bounds }];
  });
}

const depthToSpace: Rule = {
  gradient: ({ b, node, cotangents, dims, outputDims }) => {
    const g = cotangents[0]!;
    const size = intAttribute(node, 'blocksize', 1);
    if (stringAttribute(node, 'mode', 'DCR') === 'DCR') return [b.SpaceToDepth(g, size)];
    const [batch, channels] = outputDims(0);
    const [, , height, width] = dims(0);
    const blocks = b.Reshape(g, [batch, channels, height, size, width, size]);
    return [b.Reshape(b.Transpose(blocks, [0, 1, 3, 5, 2, 4]), dims(0))];
  },
};

const spaceToDepth: Rule = {
  gradient: ({ b, node, cotangents }) => [b.DepthToSpace(cotangents[0]!, intAttribute(node, 'blocksize', 1), 'DCR')],
};

export const resizing = { Resize: resize, DepthToSpace: depthToSpace, SpaceToDepth: spaceToDepth } satisfies RuleTable;
