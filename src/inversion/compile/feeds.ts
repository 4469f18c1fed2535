/** What a step graph and its forward half are fed: the numbers of a step, per image where images may differ. */
import { float32, type Tensor } from '../../onnx/tensor.ts';
import { adamCorrections } from '../../optim/adam.ts';
import { ADAM, type Controls } from '../spec/formulation.ts';
import type { ResultCode } from '../spec/result.ts';
import type { CompiledStep } from './step.ts';
import { STEP } from './step-names.ts';

/**
 * The inputs of step `step` = 1, 2, ... that change; searches that have a code stand still. `minLambda`: the least lambda of each
 * image (all searches of an image, or all rows of a pool, share one).
 */
export function stepFeeds(
  compiled: CompiledStep,
  controls: Controls,
  step: number,
  codes: readonly (ResultCode | undefined)[],
  minLambda: readonly number[],
): Map<string, Tensor> {
  const { formulation, batch } = compiled;
  const { beta1, beta2 } = formulation.optimiser.kind === 'adam' ? formulation.optimiser : ADAM;
  const [correction1, correction2] = adamCorrections(step, beta1, beta2);
  const active = (rate: number): Tensor =>
    float32(
      codes.map((code) => (code === undefined ? rate : 0)),
      [batch],
    );
  const feeds = new Map<string, Tensor>([
    [STEP.lambda, lambdaOf(compiled, controls, minLambda)],
    [STEP.latentRate, active(controls.latentRate)],
    [STEP.maskRate, active(controls.maskRate)],
    [STEP.correction1, number(correction1)],
    [STEP.correction2, number(correction2)],
  ]);
  controls.weightRates.forEach((rate, group) => {
    feeds.set(STEP.weightRate(group), number(rate));
  });
  for (const [name, tensor] of termScales(compiled, controls)) feeds.set(name, tensor);
  const moved = formulation.optimiser.kind === 'lbfgs' ? STEP.latentRate : undefined;
  return new Map([...feeds].filter(([name]) => name === moved || compiled.stepInputs.has(name)));
}

/** All inputs of the forward graph on a state. `keep` = 1 - mask, where the mask is given. */
export function renderFeeds(
  compiled: CompiledStep,
  state: ReadonlyMap<string, Tensor>,
  x: Tensor,
  visibility: Tensor | undefined,
  controls: Controls,
  minLambda: readonly number[],
): Map<string, Tensor> {
  const inputs = termScales(compiled, controls);
  inputs.set(STEP.x, x);
  if (visibility) inputs.set(STEP.visibility, visibility);
  inputs.set(STEP.lambda, lambdaOf(compiled, controls, minLambda));
  return new Map(compiled.renderInputs.map((name) => [name, state.get(name) ?? inputs.get(name)!]));
}

function number(value: number): Tensor {
  return float32([value], []);
}

/** lambda of each search, not below its image's least. */
function lambdaOf({ batch }: CompiledStep, { lambda }: Controls, minLambda: readonly number[]): Tensor {
  const searches = batch / minLambda.length;
  return float32(
    Float32Array.from({ length: batch }, (_, i) => Math.max(lambda, minLambda[Math.floor(i / searches)])),
    [batch, 1, 1, 1],
  );
}

function termScales({ formulation }: CompiledStep, controls: Controls): Map<string, Tensor> {
  if (!formulation.scheduledTerms) return new Map();
  return new Map(formulation.loss.map((_, i) => [STEP.termScale(i), number(controls.termScales?.[i] ?? 1)]));
}
