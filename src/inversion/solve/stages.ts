/** Moves a run on: one step of its stage, from stage to stage, and what it shows of its searches. */
import { rows } from '../../arrays/rows.ts';
import { visibilityOf, zeroWhere } from '../../images/image.ts';
import { float32Data, type Tensor } from '../../onnx/tensor.ts';
import type { Tensors } from '../../runtime/runtime.ts';
import { renderFeeds, stepFeeds } from '../compile/feeds.ts';
import { STEP } from '../compile/step-names.ts';
import { foundMasks } from '../mask/found-masks.ts';
import { outlierThresholdsMeanAbsolute } from '../mask/noise.ts';
import { tuningMasks } from '../mask/tuning-mask.ts';
import { type Stage, stageTunesWeights } from '../spec/method.ts';
import { curvatureOf } from './lbfgs-loop.ts';
import { enter, perSearch, type Rendered, type Run, type RunContext, type StepReport } from './run.ts';
import { bestSearches } from './searches.ts';
import { initialTensors, resultOf } from './state.ts';

/** One step of the current stage. */
export async function stepOnce({ method, options }: RunContext, run: Run): Promise<StepReport> {
  const stage = method.stages[run.stage];
  const feeds = stepFeeds(run.compiled, stage.controls(run.step), run.step + 1, run.codes, run.minLambda);
  const outputs = await run.loop.step(feeds);
  const slopes = outputs.get(STEP.gradientNorm);
  const report: StepReport = {
    stage: run.stage,
    step: run.step,
    loss: float32Data(outputs.get(STEP.loss)!),
    fidelity: float32Data(outputs.get(STEP.fidelity)!),
    masked: float32Data(outputs.get(STEP.masked)!),
    ...(slopes ? { gradientNorm: float32Data(slopes) } : {}),
  };
  run.step++;
  record(run, stage.starts, report);
  if (!options.fixedSchedule) judge(run, stage, report);
  return report;
}

/** The best search of each image goes into its history, until all of them have ended. */
function record({ images, codes, history }: Run, starts: number, { loss, masked }: StepReport): void {
  bestSearches(loss, images.dims[0], 1).forEach((search, image) => {
    if (codes.slice(image * starts, (image + 1) * starts).every((code) => code !== undefined)) return;
    history.loss[image].push(loss[search]);
    history.masked[image].push(masked[search]);
  });
}

/** Which searches have ended. */
function judge({ codes, losses, step }: Run, stage: Stage, { loss: found, fidelity, gradientNorm }: StepReport): void {
  found.forEach((loss, i) => {
    if (codes[i] !== undefined) return;
    losses[i].push(loss);
    const progress = { step, loss: losses[i], fidelity: fidelity[i], gradientNorm: gradientNorm?.[i] };
    codes[i] = Number.isFinite(loss) ? stage.terminate?.(progress) : 'diverged';
  });
}

/** Have all steps of the stage been made, or all its searches ended? */
export function hasEnded({ method }: RunContext, { stage, step, codes }: Run): boolean {
  return step >= method.stages[stage].steps || (codes.length > 0 && codes.every((code) => code !== undefined));
}

/** All searches at the current state. */
export async function render({ method, loops }: RunContext, run: Run): Promise<Rendered> {
  const { controls, starts } = method.stages[run.stage];
  const tensors = resultOf(run.compiled, await run.loop.read());
  const visibility = run.visibility && perSearch(run.visibility, starts);
  const x = perSearch(run.images, starts);
  const made = await loops.render(
    run.compiled,
    renderFeeds(run.compiled, tensors, x, visibility, controls(run.step), run.minLambda),
  );
  const mask = made.get(STEP.softMask);
  return {
    tensors,
    image: made.get(STEP.image)!,
    ...(mask ? { mask } : {}),
    loss: float32Data(made.get(STEP.loss)!),
  };
}

export function latentsOf({ compiled }: Run, tensors: Tensors, chosen: readonly number[]): Map<string, Tensor> {
  return new Map([...compiled.latents.keys()].map((name) => [name, rows(tensors.get(name)!, chosen)]));
}

/** Goes to the next stage with the searches that go on; false if there is none. */
export async function advance(context: RunContext, run: Run): Promise<boolean> {
  const { stages } = context.method;
  const next = stages[run.stage + 1];
  if (!next) return false;
  const going = await goingOn(context, run, next);
  const latents = latentsOf(run, going.tensors, going.searches);
  const begun = context.options.handOver?.(run.stage + 1, latents) ?? latents;
  const memory = next.warmStart ? curvatureOf(going.tensors, going.searches) : undefined;
  Object.assign(run, await enter(context, run, run.stage + 1, (compiled) => initialTensors(compiled, begun, memory)));
  return true;
}

/** A first stage measures each image's residuals at the start that it was given. */
export async function measureStarts(context: RunContext, run: Run): Promise<void> {
  const { lambdaOfThreshold } = context.method.stages[0];
  if (!lambdaOfThreshold) return;
  const { image, loss } = await render(context, run);
  setMinLambda(run, rows(image, bestSearches(loss, run.images.dims[0], 1)), lambdaOfThreshold);
}

/** @param best G(z) of each image's best search. */
function setMinLambda(run: Run, best: Tensor, lambdaOf: NonNullable<Stage['lambdaOfThreshold']>): void {
  run.minLambda = outlierThresholdsMeanAbsolute(run.images, best, run.missing).map(lambdaOf);
}

/** The state, and which of its searches go on to the stage `next`; what that asks of the images made so far goes into the run. */
async function goingOn(
  context: RunContext,
  run: Run,
  next: Stage,
): Promise<{ readonly tensors: Tensors; readonly searches: readonly number[] }> {
  const { method, options } = context;
  const n = run.images.dims[0];
  const { starts } = method.stages[run.stage];
  const { lambdaOfThreshold, freezesMask } = next;
  const takesAll = options.handOver !== undefined || (starts === 1 && next.starts === 1);
  if (takesAll && !lambdaOfThreshold && !freezesMask)
    return { tensors: resultOf(run.compiled, await run.loop.read()), searches: [...run.codes.keys()] };
  const { tensors, image, mask, loss } = await render(context, run);
  const chosen = bestSearches(loss, n, 1);
  const best = rows(image, chosen);
  if (freezesMask && !method.needsMask) {
    const { keep } = context.options;
    const found = foundMasks(method, run.images, best, rows(mask!, chosen), run.missing, keep);
    const hidden = stageTunesWeights(next) ? tuningMasks(method, found, run.images, best, run.missing) : found;
    run.visibility = visibilityOf(zeroWhere(keep, hidden));
  }
  if (lambdaOfThreshold) setMinLambda(run, best, lambdaOfThreshold);
  return { tensors, searches: takesAll ? [...run.codes.keys()] : bestSearches(loss, n, next.starts) };
}
