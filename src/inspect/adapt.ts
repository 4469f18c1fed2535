/** Generators of other layouts and ranges, as one that makes float32 [N, C, H, W] in [-1, 1]. */
import { GraphBuilder, type Value } from '../onnx/builder.ts';
import type { Model, ValueInfo } from '../onnx/graph.ts';
import type { ImageFacts, ImageLayout } from './facts.ts';
import { usualForm } from './usual-form.ts';

/**
 * `model` with its picture as the first output, in our layout and range, under the name `image` where it had to be
 * changed; each change is a sentence in the notes. Unknown ranges are left as they are, and noted.
 */
export function adaptGenerator(
  given: Model,
  image: Pick<ImageFacts, 'output' | 'layout' | 'range' | 'channels' | 'height' | 'width'>,
): Model {
  const model = usualForm(given);
  const { graph } = model;
  const notes = [...model.notes];
  const b = new GraphBuilder(graph);
  let value = image.output;
  const info = graph.outputs.find((output) => output.name === image.output)!;
  if (info.type !== 'float32') {
    value = b.Cast(value, 'float32');
    notes.push(
      `The output '${image.output}' is ${info.type}: it was cast to float32, and no gradient passes its rounding.`,
    );
  }
  const { layout, channels, height, width } = image;
  if (layout !== 'NCHW') {
    value = inOurLayout(b, value, layout, [channels, height, width]);
    notes.push(`The output '${image.output}' is ${AXES[layout]}: ${CHANGES[layout]}.`);
  }
  if (image.range === '0..1') {
    value = b.Sub(b.Mul(value, b.scalar(2)), b.scalar(1));
    notes.push(`The output '${image.output}' is in 0..1: it was mapped to -1..1.`);
  } else if (image.range === '0..255') {
    value = b.Sub(b.Mul(value, b.scalar(1 / 127.5)), b.scalar(1));
    notes.push(`The output '${image.output}' is in 0..255: it was mapped to -1..1.`);
  } else if (image.range === 'unknown') {
    notes.push(`The value range of the output '${image.output}' is unknown; -1..1 is assumed.`);
  }
  const others = graph.outputs.filter((output) => output !== info);
  if (value === image.output) return { ...model, notes, graph: { ...graph, outputs: [info, ...others] } };
  const single = !layout.includes('N') && layout !== 'flat';
  const inputs = single ? graph.inputs.map((input) => withBatchOfOne(input)) : graph.inputs;
  const [adapted] = b.node('Identity', [value], {}, 1, 'image');
  const dims = [single ? 1 : (info.dims[0] ?? 'batch'), channels, height, width];
  return {
    ...model,
    notes,
    graph: b.graph(graph.name, inputs, [{ name: adapted, type: 'float32', dims }, ...others]),
  };
}

type OtherLayout = Exclude<ImageLayout, 'NCHW'>;

const AXES: Record<OtherLayout, string> = {
  NHWC: '[N, H, W, C]',
  NHW: '[N, H, W]',
  CHW: '[C, H, W]',
  HWC: '[H, W, C]',
  HW: '[H, W]',
  flat: 'not [N, C, H, W]',
};

const CHANGES: Record<OtherLayout, string> = {
  NHWC: 'it was transposed to [N, C, H, W]',
  NHW: 'it was taken for grey pictures, [N, 1, H, W]',
  CHW: 'it was taken for a single picture, [1, C, H, W], and one is made at a time',
  HWC: 'it was taken for a single picture, transposed to [1, C, H, W], and one is made at a time',
  HW: 'it was taken for a single grey picture, [1, 1, H, W], and one is made at a time',
  flat: 'its values were given that shape',
};

function inOurLayout(b: GraphBuilder, value: Value, layout: OtherLayout, shape: readonly number[]): Value {
  switch (layout) {
    case 'NHWC':
      return b.Transpose(value, [0, 3, 1, 2]);
    case 'NHW':
      return b.Unsqueeze(value, [1]);
    case 'CHW':
      return b.Unsqueeze(value, [0]);
    case 'HWC':
      return b.Unsqueeze(b.Transpose(value, [2, 0, 1]), [0]);
    case 'HW':
      return b.Unsqueeze(value, [0, 1]);
    case 'flat':
      return b.Reshape(value, [-1, ...shape]);
  }
}

/** A batch axis that is open, fixed to one picture. */
function withBatchOfOne(input: ValueInfo): ValueInfo {
  const [first, ...rest] = input.dims;
  return typeof first === 'string' ? { ...input, dims: [1, ...rest] } : input;
}
