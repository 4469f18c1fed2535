/** A product's model as detection uses it: the generator, and the encoder that gives the start of the search. */
import { type TrainingSource, trainingSource } from '../../detect/node/good-pictures.ts';
import type { Graph } from '../../onnx/graph.ts';
import type { Runtime } from '../../runtime/runtime.ts';
import { type EncoderFlags, openEncoder } from './encoder.ts';
import { type OpenedGenerator, openGeneratorFile } from './networks.ts';

export interface ProductModel extends OpenedGenerator {
  readonly encoder?: Graph;
  readonly encoderFile?: string;
  readonly source?: TrainingSource;
}

export async function openProduct(runtime: Runtime, flags: EncoderFlags): Promise<ProductModel> {
  const opened = await openGeneratorFile(runtime, flags);
  const source = trainingSource(opened.model);
  const encoder = await openEncoder(opened, flags);
  return { ...opened, encoder: encoder?.graph, encoderFile: encoder?.file, source };
}
