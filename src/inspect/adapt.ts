/** Generators of other layouts and ranges, as one that makes float32 [N, C, H, W] in [-1, 1]. */
import { GraphBuilder } from '../onnx/builder.ts';
import type { Model } from '../onnx/graph.ts';
import type { ImageFacts } from './facts.ts';

/**
 * `model` with its picture as the first output, in our layout and range, under the name `image` where it had to be
 * changed; each change is a sentence in the notes. Unknown ranges are left as they are, and noted.
 */
export function adaptGenerator(
  model: Model,
  image: Pick<ImageFacts, 'output' | 'layout' | 'range' | 'channels' | 'height' | 'width'>,
): Model {
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
  if (image.layout === 'NHWC') {
    value = b.Transpose(value, [0, 3, 1, 2]);
    notes.push(`The output '${image.output}' is [N, H, W, C]: it was transposed to [N, C, H, W].`);
  }
  if (image.range === '0..1') {
    value = b.Sub(b.Mul(value, b.scalar(2)), b.scalar(1));
    notes.push(`The output '${image.output}' is in 0..1: it was mapped to -1..1.`);
  } else if (image.range === '0..255') {
    value = b.Sub(b.Mul(value, b.scalar(1 / 127.5)), b.scalar(1));
    notes.push(`The output '${image.output}' is in 0..255: it was mapped to -1..1.`);
  } else if (image.range === 'unknown') {
    notes.push(`The range of the output '${image.output}' is not known: its values are taken as they are, for -1..1.`);
  }
  const others = graph.outputs.filter((output) => output !== info);
  if (value === image.output) return { ...model, notes, graph: { ...graph, outputs: [info, ...others] } };
  const [adapted] = b.node('Identity', [value], {}, 1, 'image');
  const dims = [info.dims[0] ?? 'batch', image.channels, image.height, image.width];
  return {
    ...model,
    notes,
    graph: b.graph(graph.name, graph.inputs, [{ name: adapted, type: 'float32', dims }, ...others]),
  };
}
