/**
 * The discriminator's step (Goodfellow et al. 2014, non-saturating form; R1 of Mescheder et al. 2018):
 *
 *     min  mean softplus(D(A fake)) + mean softplus(-D(A real))  [+ weight / 2 * mean |grad_{A real} sum D(A real)|^2]
 *          [+ supervision * mean |rebuilt - A real, halved|]
 *
 * A is the augmentation. R1 is lazy (Karras et al. 2020): a second graph with it is run at every k-th step, its weight
 * k times as large. The last term (FastGAN: Liu et al. 2021) is there where the network has an output that rebuilds.
 */
import { differentiate } from '../../autodiff/differentiate.ts';
import { GraphBuilder, type Value } from '../../onnx/builder.ts';
import type { Evaluate, Graph, ValueInfo } from '../../onnx/graph.ts';
import { prepareForGradient } from '../../passes/prepare.ts';
import { type AugmentSettings, augmentInputs, emitAugment } from '../augment.ts';
import { averagePool, type Network } from '../networks/layers.ts';
import { REBUILT } from '../networks/light.ts';
import { applyNetwork, type Betas, compileUpdate, dryRunValue, parametersOf } from './update.ts';

export const DISCRIMINATOR_STEP = {
  real: 'real',
  fake: 'fake',
  realAugment: 'augment.real/',
  fakeAugment: 'augment.fake/',
  loss: 'loss/discriminator',
  /** Mean score of real and made pictures. */
  realScore: 'score/real',
  fakeScore: 'score/fake',
  /** Mean squared norm of the gradient at real pictures. */
  penalty: 'loss/r1',
  /** Mean absolute error of what is rebuilt. */
  rebuilt: 'loss/rebuilt',
} as const;

export interface DiscriminatorStepOptions {
  readonly batch: number;
  readonly channels: number;
  readonly size: number;
  readonly augment?: AugmentSettings;
  /** The factor of the penalty; 0 = a step without it. */
  readonly penalty: number;
  /** The factor of what is rebuilt. */
  readonly supervision: number;
  readonly betas: Betas;
}

const AUGMENTED = 'real.augmented';

export async function compileDiscriminatorStep(
  network: Network,
  options: DiscriminatorStepOptions,
  evaluate: Evaluate,
): Promise<Uint8Array> {
  const { batch, channels, size, augment } = options;
  const names = DISCRIMINATOR_STEP;
  const parameters = parametersOf('discriminator', network);
  const rates = new Map([...parameters].map(([name, { rate }]) => [name, rate]));
  const start = new GraphBuilder();
  const inputs: ValueInfo[] = [];
  const input = (name: string, dims: readonly number[]): Value => {
    inputs.push({ name, type: 'float32', dims });
    return start.reserve(name);
  };
  const dims = [batch, channels, size, size];
  for (const name of [names.real, names.fake]) input(name, dims);
  if (augment)
    for (const prefix of [names.realAugment, names.fakeAugment])
      for (const [name, shape] of augmentInputs(prefix, augment, [batch, channels, size])) input(name, shape);
  for (const [name, { tensor }] of parameters) start.initializer(name, tensor);
  const seen = (b: GraphBuilder, image: Value, prefix: string) =>
    augment ? emitAugment(b, image, prefix, augment, channels) : image;
  start.node('Identity', [seen(start, names.real, names.realAugment)], {}, [AUGMENTED]);
  const ofReal = applyNetwork(start, network, 'discriminator', AUGMENTED, 'real');
  const real = ofReal.get('score')!;
  const rebuilt = ofReal.get(REBUILT);
  const missed = rebuilt && start.Abs(start.Sub(rebuilt, averagePool(start, AUGMENTED, 2)));

  // The penalty needs the gradient's graph: typed, so that it can be differentiated again.
  const sum = start.ReduceSum(real, undefined, false);
  const typed = (graph: Graph) => {
    const feeds = new Map(graph.inputs.map((info) => [info.name, dryRunValue(info)]));
    const variables = new Set(parameters.keys());
    return prepareForGradient(graph, feeds, evaluate, { wrt: [AUGMENTED], variables });
  };
  const outputs: ValueInfo[] = [];
  const output = (b: GraphBuilder, name: string, value: Value): void => {
    b.node('Identity', [value], {}, [name]);
    outputs.push({ name, type: 'float32', dims: [] });
  };
  let b = start;
  let penalty: Value | undefined;
  if (options.penalty > 0) {
    const info = (name: string): ValueInfo => ({ name, type: 'float32', dims: [] });
    const primal = await typed(start.graph('real', inputs, [info(sum), info(real), ...(missed ? [info(missed)] : [])]));
    b = new GraphBuilder(primal);
    const gradient = differentiate(b, primal, new Map([[sum, b.scalar(1)]]), [AUGMENTED]).get(AUGMENTED)!;
    penalty = b.ReduceMean(b.ReduceSum(b.Mul(gradient, gradient), [1, 2, 3], false), undefined, false);
    output(b, names.penalty, penalty);
  }
  const fakeImage = seen(b, names.fake, names.fakeAugment);
  const fake = applyNetwork(b, network, 'discriminator', fakeImage, 'fake').get('score')!;
  const mean = (value: Value) => b.ReduceMean(value, undefined, false);
  const judged = b.Add(mean(b.Softplus(b.Neg(real))), mean(b.Softplus(fake)));
  output(b, names.loss, judged);
  const error = missed && mean(missed);
  if (error) output(b, names.rebuilt, error);
  const loss = error ? b.Add(judged, b.Mul(error, b.scalar(options.supervision))) : judged;
  output(b, names.realScore, mean(real));
  output(b, names.fakeScore, mean(fake));
  const total = penalty === undefined ? b.Identity(loss) : b.Add(loss, b.Mul(penalty, b.scalar(options.penalty / 2)));
  outputs.push({ name: total, type: 'float32', dims: [] });
  const graph = b.graph('discriminator step', inputs, outputs);
  return compileUpdate(graph, total, { rates, betas: options.betas, averaged: false }, evaluate);
}
