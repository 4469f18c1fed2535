/** What both sides of a training share: their settings and networks, where in the run a step stands, and Adam's scalars at that place. */
import type { Evaluate } from '../../onnx/graph.ts';
import { scalar, type Tensor } from '../../onnx/tensor.ts';
import { adamCorrections } from '../../optim/adam.ts';
import type { Runtime } from '../../runtime/runtime.ts';
import type { Network } from '../networks/layers.ts';
import { FALLING_SHARE, type TrainingSettings } from '../settings.ts';
import type { Networks } from '../steps/generator-step.ts';
import { TRAIN } from '../steps/update.ts';

export interface TrainingSetup {
  readonly settings: TrainingSettings;
  /** Of the pictures: channels, and height and width in pixels. */
  readonly channels: number;
  readonly size: number;
  /** With their start values. */
  readonly networks: Networks;
  /** The discriminator without what rebuilds pictures: what the generator is judged by, and what is exported. */
  readonly judge: Network;
  readonly runtime: Runtime;
  readonly evaluate: Evaluate;
}

/** Where in the run a step stands. */
export interface Position {
  /** Steps made before it. */
  readonly step: number;
  /** Times the run was rolled back: each halves the rate. */
  readonly rollbacks: number;
}

/** Pictures per step. */
export function batchSize({ samples, reconstructions }: TrainingSettings): number {
  return samples + reconstructions;
}

/** Adam's inputs for the `count`-th update (from 1) of a network, at this place of the run. */
export function adamControls(settings: TrainingSettings, { step, rollbacks }: Position, count: number) {
  const { rate, steps, betas } = settings;
  const [c1, c2] = adamCorrections(count, betas.beta1, betas.beta2);
  return new Map<string, Tensor>([
    [TRAIN.rate, scalar(rate * rateShare(step, steps) * 0.5 ** rollbacks)],
    [TRAIN.correction1, scalar(c1)],
    [TRAIN.correction2, scalar(c2)],
  ]);
}

/** 1, then linearly to (nearly) 0 over the last part of the steps. */
export function rateShare(step: number, steps: number): number {
  return Math.min(1, Math.max(0.01, (steps - step) / (FALLING_SHARE * steps)));
}
