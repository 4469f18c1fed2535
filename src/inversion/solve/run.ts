/**
 * A run of a method on its images, between two steps, as plain data: how it begins, enters a stage, is saved and resumed. `stages.ts`
 * moves it on, `solver.ts` is the handle on it, `driver.ts` the loop.
 */
import { rows } from '../../arrays/rows.ts';
import { RgiError } from '../../errors.ts';
import type { Mask } from '../../images/image.ts';
import type { Tensor } from '../../onnx/tensor.ts';
import type { Loop, Runtime, Tensors } from '../../runtime/runtime.ts';
import { compiledOnce, type Reuse } from '../compile/reuse.ts';
import type { CompiledStep } from '../compile/step.ts';
import { STEP } from '../compile/step-names.ts';
import type { Critic } from '../generator/critic.ts';
import type { Generator } from '../generator/generator.ts';
import { checkImages, checkMask, knownBeforehand } from '../mask/given.ts';
import { readsVisibility } from '../spec/formulation.ts';
import { type Method, type Stage, stageTunesWeights } from '../spec/method.ts';
import type { ResultCode } from '../spec/result.ts';
import { firstStarts } from '../start/first-starts.ts';
import type { StageLoops } from './stage-loops.ts';
import { checkTensors, initialTensors, type SolverState } from './state.ts';

/** What `createSolver` and `runMethod` may be given. */
export interface SolverOptions {
  /** For methods whose formulation asks a second network (`criticOf`). */
  readonly critic?: Critic;
  /** Shared with other runs of the same method on the same generator. */
  readonly reuse?: Reuse;
  /** Of the images, 1 where there is no picture, [n,1,H,W]: see `missingPixels`. */
  readonly outside?: Mask;
  /** Of the images, 1 where they are known to be good, [n,1,H,W]: never in a mask that is found. */
  readonly keep?: Mask;
  /** Called after each step, and awaited: a search can be watched, and be held up. */
  readonly onState?: (state: () => Promise<SearchState>) => Promise<void>;
  /** Aborting ends `runMethod` after the current step, with `state` in its result. */
  readonly signal?: AbortSignal;
  /** Makes all planned steps of every stage, whatever becomes of a search. Default: a search ends where its stage says so, or it diverges. */
  readonly fixedSchedule?: boolean;
  /** Keeps the sessions of all stages open for the next images that `init` is given. Default: those of the current stage only. */
  readonly reusesLoops?: boolean;
  /**
   * Latents [n * starts, ...dims] that a stage, by its number, begins with: those of all searches of the stage before, which has as many,
   * come in. Default: the best searches go on as they are.
   */
  handOver?(stage: number, latents: ReadonlyMap<string, Tensor>): ReadonlyMap<string, Tensor>;
}

/** All searches as they are after a step: of a batch of pictures [n * starts, ...]; where they are solved exactly, of one picture. */
export interface SearchState {
  /** G(z), [..., C,H,W], not clipped. */
  readonly image: Tensor;
  /** The soft mask, [..., 1|C,H,W]; absent where the method has none. */
  readonly mask?: Tensor;
  /** The objective of each search. */
  readonly loss: Float32Array;
}

/** What is known after a step, for progress and curves. */
export interface StepReport {
  /** Number of the stage, from 0. */
  readonly stage: number;
  /** Steps made in this stage. */
  readonly step: number;
  /** Per search: objective, L_rec and mean |M|, before the step's update (of L-BFGS: at the last point that was accepted). */
  readonly loss: Float32Array;
  /** L_rec, per search. */
  readonly fidelity: Float32Array;
  /** Mean |M|, per search. */
  readonly masked: Float32Array;
  /** Of L-BFGS, per search: how near a stationary point it is, see `gradientNormsOf`. */
  readonly gradientNorm?: Float32Array;
}

/** What a run is of, and what it works with. */
export interface RunContext {
  readonly generator: Generator;
  readonly method: Method;
  readonly runtime: Runtime;
  readonly options: SolverOptions;
  readonly reuse: Reuse;
  readonly loops: StageLoops;
}

export interface Run {
  /** [n,C,H,W] */
  readonly images: Tensor;
  /** The visibility 1 - M [n,1,H,W], where it was given or a stage has frozen it; before, without what is known to be missing. */
  visibility?: Tensor;
  readonly missing?: Mask;
  /** Stopped while its starts were chosen, it may not have those of an uninterrupted run: there is no state to resume. */
  readonly isCutShort: boolean;
  /** Numbers of the stage, and of its next step. */
  stage: number;
  step: number;
  compiled: CompiledStep;
  loop: Loop;
  /** Per search of the stage: how it ended, and its losses until then. */
  codes: (ResultCode | undefined)[];
  losses: number[][];
  /** Per image. */
  minLambda: number[];
  readonly history: { readonly loss: number[][]; readonly masked: number[][] };
}

/** All searches as they are: tensors of the state, G(z), soft mask and objective. */
export interface Rendered extends SearchState {
  readonly tensors: Tensors;
}

/** A run before its first step, from `latents` [n * starts, ...dims] or starts of its own choice. */
export async function begin(
  context: RunContext,
  images: Tensor,
  mask: Tensor | undefined,
  latents: Tensors | undefined,
): Promise<Run> {
  const { generator, method, runtime, options } = context;
  checkImages(generator, images);
  const known = await knownBeforehand(generator, method, runtime, images, mask, options);
  const chosen =
    latents ??
    (await firstStarts(generator, method, runtime, {
      images,
      ...known,
      compile: (batch) => compiledFor(context, method.stages[0], batch),
      pool: options.reuse?.pool,
      signal: options.signal,
    }));
  const lists = () => Array.from({ length: images.dims[0] }, (): number[] => []);
  const isCutShort = !latents && options.signal?.aborted === true;
  const entered = await enter(context, { images, ...known }, 0, (compiled) => initialTensors(compiled, chosen));
  return {
    images,
    ...known,
    ...entered,
    isCutShort,
    minLambda: Array.from({ length: images.dims[0] }, () => 0),
    history: { loss: lists(), masked: lists() },
  };
}

/** A run at a saved state of the same images, mask and margins. Throws `input` for a state of another run. */
export async function resumed(
  context: RunContext,
  state: SolverState,
  images: Tensor,
  mask: Tensor | undefined,
): Promise<Run> {
  const { generator, method, runtime, options } = context;
  checkImages(generator, images);
  const known = await knownBeforehand(generator, method, runtime, images, mask, options);
  const visibility = state.visibility ?? known.visibility;
  const form = method.stages[state.stage]?.formulation.mask;
  if (form?.form === 'given' && !method.needsMask && !state.visibility)
    throw new RgiError('input', 'The saved state belongs to another run: it holds no mask.');
  if (visibility && form && readsVisibility(form)) checkMask(images, visibility);
  checkSearches(method, state, images.dims[0]);
  const entered = await enter(context, { images, visibility }, state.stage, (compiled) => {
    checkTensors(compiled, state);
    return state.tensors;
  });
  return { images, ...known, visibility, ...entered, ...copied(state), step: state.step, isCutShort: false };
}

function checkSearches({ stages }: Method, { stage, codes, history }: SolverState, images: number): void {
  const searches = images * (stages[stage]?.starts ?? 0);
  if (searches > 0 && codes.length === searches && history.loss.length === images) return;
  throw new RgiError(
    'input',
    `The saved state belongs to another run: it holds ${codes.length} searches, and this one would have ${searches} in its stage ${stage + 1}.`,
  );
}

/** What of a run and of its state changes in place. */
function copied({
  codes,
  losses,
  minLambda,
  history,
}: Pick<SolverState, 'codes' | 'losses' | 'minLambda' | 'history'>) {
  const lists = (of: readonly (readonly number[])[]) => of.map((list) => [...list]);
  return {
    codes: [...codes],
    losses: lists(losses),
    minLambda: [...minLambda],
    history: { loss: lists(history.loss), masked: lists(history.masked) },
  };
}

/** The state to resume from. */
export async function saved({ method }: RunContext, run: Run): Promise<SolverState> {
  const isFrozen = !method.needsMask && method.stages[run.stage].formulation.mask.form === 'given';
  return {
    stage: run.stage,
    step: run.step,
    tensors: await run.loop.read(),
    ...copied(run),
    // What is known to be missing is found again.
    ...(run.visibility && isFrozen ? { visibility: run.visibility } : {}),
  };
}

function compiledFor(
  { reuse, generator, runtime, options }: RunContext,
  { formulation }: Stage,
  batch: number,
): Promise<CompiledStep> {
  return compiledOnce(reuse, generator, formulation, batch, runtime, options.critic);
}

/** Opens a stage on the tensors that `start` gives for it. */
export async function enter(
  context: RunContext,
  { images, visibility }: Pick<Run, 'images' | 'visibility'>,
  stage: number,
  start: (compiled: CompiledStep) => Tensors,
): Promise<Pick<Run, 'stage' | 'step' | 'compiled' | 'loop' | 'codes' | 'losses'>> {
  const { method, loops } = context;
  const opened = method.stages[stage];
  const { name, formulation, starts } = opened;
  const batch = images.dims[0] * starts;
  if (batch > 1 && stageTunesWeights(opened)) {
    throw new RgiError(
      'usage',
      `The stage '${name}' of ${method.name} tunes the generator's weights, which belong to one image and one search: invert one image at a time (restoreImages does).`,
    );
  }
  const compiled = await compiledFor(context, opened, batch);
  const fixed = new Map<string, Tensor>([[STEP.x, perSearch(images, starts)]]);
  if (readsVisibility(formulation.mask)) fixed.set(STEP.visibility, perSearch(visibility!, starts));
  const loop = await loops.open(compiled, start(compiled), fixed);
  return {
    stage,
    step: 0,
    compiled,
    loop,
    codes: Array.from({ length: batch }),
    losses: Array.from({ length: batch }, () => []),
  };
}

/** A row per image becomes one per search. */
export function perSearch(tensor: Tensor, starts: number): Tensor {
  if (starts === 1) return tensor;
  return rows(
    tensor,
    Array.from({ length: tensor.dims[0] * starts }, (_, i) => Math.floor(i / starts)),
  );
}
