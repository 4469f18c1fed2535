/** Upsample 9, Resize 10 and the old modes of Resize and GridSample. */
import type { Value } from '../builder.ts';
import { type Attribute, entryOf, type Node, stringAttribute } from '../graph.ts';
import { numbersOf, tensorOf } from '../tensor.ts';
import { attributesWith, emit, type LiftContext, type LiftTable } from './context.ts';

const text = (value: string): Attribute => ({ kind: 'string', value });

function asymmetric(node: Node, nearestMode: 'floor' | 'ceil') {
  return {
    mode: text(stringAttribute(node, 'mode', 'nearest')),
    coordinate_transformation_mode: text('asymmetric'),
    nearest_mode: text(nearestMode),
  };
}

/** Upsample 9: output pixel i reads input pixel i / scale, rounded down. */
function upsample({ b }: LiftContext, node: Node): void {
  emit(b, node, {
    operator: 'Resize',
    inputs: [node.inputs[0], '', node.inputs[1]],
    attributes: asymmetric(node, 'floor'),
  });
}

/**
 * Resize 10: coordinates i / scale. Its text left the rounding open; ONNX Runtime rounds up along axes that shrink and
 * down along the others, so a node that does both becomes two.
 */
function resize10(context: LiftContext, node: Node): void {
  const { b } = context;
  const [x, scales] = node.inputs;
  const known = context.constantOf(scales);
  const factors = known ? numbersOf(known) : [];
  const step = (mode: 'floor' | 'ceil', input: Value, by: Value) => ({
    operator: 'Resize',
    inputs: [input, '', by],
    attributes: asymmetric(node, mode),
  });
  const shrinks = factors.some((factor) => factor < 1);
  const grows = factors.some((factor) => factor > 1);
  if (!shrinks || stringAttribute(node, 'mode', 'nearest') !== 'nearest') emit(b, node, step('floor', x, scales));
  else if (!grows) emit(b, node, step('ceil', x, scales));
  else {
    const shrink = factors.map((factor) => Math.min(factor, 1));
    const grow = factors.map((factor) => Math.max(factor, 1));
    const between = b.fresh(`${node.outputs[0]}/shrunk`);
    emit(b, { ...node, outputs: [between] }, step('ceil', x, b.constant(tensorOf('float32', shrink), 'scales')));
    emit(b, node, step('floor', between, b.constant(tensorOf('float32', grow), 'scales')));
  }
}

function resize(context: LiftContext, node: Node): void {
  const { b } = context;
  // An empty tensor stood for an input left out; the later forms want it left out.
  const inputs = node.inputs.map((input, i) =>
    i > 0 && input && context.constantOf(input)?.data.length === 0 ? '' : input,
  );
  const mode = stringAttribute(node, 'coordinate_transformation_mode', '');
  const rounding = entryOf(HALF_PIXEL_ROUNDING, stringAttribute(node, 'nearest_mode', 'round_prefer_floor'));
  const old = mode === 'tf_half_pixel_for_nn' && rounding !== undefined;
  emit(b, node, {
    inputs,
    attributes: old
      ? attributesWith(node, [], { coordinate_transformation_mode: text('half_pixel'), nearest_mode: text(rounding) })
      : node.attributes,
  });
}

/**
 * tf_half_pixel_for_nn reads at c + 1/2, where c is half_pixel's coordinate, so that its floor rounds c up from 1/2 on and
 * its rounding is c's ceiling. The other two roundings have no counterpart; the runtime still knows the mode.
 */
const HALF_PIXEL_ROUNDING: Readonly<Record<string, string>> = {
  floor: 'round_prefer_ceil',
  round_prefer_floor: 'ceil',
};

const GRID_MODES: Readonly<Record<string, string>> = { bilinear: 'linear', bicubic: 'cubic' };

function gridSample({ b }: LiftContext, node: Node): void {
  const mode = stringAttribute(node, 'mode', 'bilinear');
  emit(b, node, { attributes: attributesWith(node, [], { mode: text(entryOf(GRID_MODES, mode) ?? mode) }) });
}

/** Before opset 16 regions were not shifted by half a pixel. */
function roiAlign({ b }: LiftContext, node: Node): void {
  emit(b, node, {
    attributes: attributesWith(node, [], { coordinate_transformation_mode: text('output_half_pixel') }),
  });
}

export const resizing: LiftTable = {
  Upsample: { rewrite: upsample },
  Resize: {
    until: 19,
    rewrite: (context, node) => (context.opset < 11 ? resize10(context, node) : resize(context, node)),
  },
  GridSample: { until: 20, rewrite: gridSample },
  RoiAlign: { until: 16, rewrite: roiAlign },
};
