/** Runs a method on a batch of images: init, step, terminate, finish over a state that is plain data. */
import { RgiError } from '../errors.ts';
import type { Mask } from '../images/image.ts';
import { encodeModel } from '../onnx/encode.ts';
import { float32Data, type Tensor } from '../onnx/tensor.ts';
import { evaluatorOf, type Loop, type Runtime } from '../runtime/runtime.ts';
import type { Critic } from './critic.ts';
import { renderFeeds, stepFeeds } from './feeds.ts';
import { firstStarts } from './first-starts.ts';
import { readsKeep } from './formulation.ts';
import { foundMasks } from './found-mask.ts';
import type { Generator } from './generator.ts';
import { checkImages, checkMask, keepOf, knownBeforehand } from './given.ts';
import { curvatureOf, stepLoop } from './lbfgs-loop.ts';
import { type Method, type ResultCode, type Stage, stageTunesWeights } from './method.ts';
import { STEP } from './names.ts';
import { grossThresholds } from './noise.ts';
import type { Reuse } from './reuse.ts';
import { bestSearches } from './searches.ts';
import { rows } from './starts.ts';
import { checkTensors, type History, initialTensors, type SolverState } from './state.ts';
import { type CompiledStep, compileStep } from './step.ts';

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
}

/** The result for n pictures, the best of each one's searches. */
export interface Inversion {
  /** G(z) [n,C,H,W], not clipped. */
  readonly image: Tensor;
  /** Soft mask [n,1|C,H,W] as the method has it; absent where it has none. */
  readonly mask?: Tensor;
  /** Pixels without data [n,1,H,W], where the method looks for them beforehand. */
  readonly missing?: Mask;
  /** The z found, [n, ...dims] each, by input name. */
  readonly latents: ReadonlyMap<string, Tensor>;
  /** Tuned weights (n = 1), absent for frozen ones; the generator's own stay as they are. */
  readonly weights: ReadonlyMap<string, Tensor>;
  /** Per image: how its search ended. */
  readonly codes: readonly ResultCode[];
  /** Per image: the last objective, and the steps made until it stopped. */
  readonly loss: readonly number[];
  /** Per image: steps made until it stopped. */
  readonly steps: readonly number[];
  /** Per image and step: the objective and the mean |M|. */
  readonly history: History;
  /** Where the run was interrupted: what `runMethod`'s option `from` goes on with; not where it was while it chose its starts. */
  readonly state?: SolverState;
}

/** What `createSolver` and `runMethod` may be given. */
export interface SolverOptions {
  /** For methods whose formulation asks a second network (`criticOf`). */
  readonly critic?: Critic;
  /** Shared with other runs of the same method on the same generator. */
  readonly reuse?: Reuse;
  /** Of the images, 1 where there is no picture, [n,1,H,W]: see `missingPixels`. */
  readonly outside?: Mask;
  /** Called after each step of `runMethod`. */
  readonly onStep?: (report: StepReport) => void;
  /** Aborting ends `runMethod` after the current step, with `state` in its result. */
  readonly signal?: AbortSignal;
}

/** A method's run on one batch of pictures, step by step; `runMethod` drives it to the end. */
export interface Solver {
  /**
   * Chooses starts for images [n,C,H,W] in [-1,1], or takes `latents` ([n * starts, ...dims] each). `mask` [n,1,H,W]
   * (1 = corrupted) is for methods that need it.
   */
  init(images: Tensor, mask?: Tensor, latents?: ReadonlyMap<string, Tensor>): Promise<void>;
  /** Goes on from a saved state with the same images, mask and margins, instead of `init`. Throws `input` for another run's state. */
  resume(state: SolverState, images: Tensor, mask?: Tensor): Promise<void>;
  /** One step of the current stage. */
  step(): Promise<StepReport>;
  /** True when the current stage has ended. */
  terminate(): boolean;
  /** Goes to the next stage with the best searches; false if there is none. */
  advance(): Promise<boolean>;
  /** The result as it stands. */
  finish(): Promise<Inversion>;
  /** The state as plain data, to be resumed later (`writeState`). */
  save(): Promise<SolverState>;
  /** Frees its sessions; it cannot be used afterwards. */
  dispose(): Promise<void>;
}

/** Runs all stages, from the starts `latents` if given (see `Solver.init`), or what is left of them after the state `from`. */
export async function runMethod(
  generator: Generator,
  method: Method,
  runtime: Runtime,
  images: Tensor,
  mask?: Tensor,
  options: SolverOptions & { readonly from?: SolverState; readonly latents?: ReadonlyMap<string, Tensor> } = {},
): Promise<Inversion> {
  const solver = createSolver(generator, method, runtime, options);
  try {
    await (options.from ? solver.resume(options.from, images, mask) : solver.init(images, mask, options.latents));
    do {
      while (!solver.terminate() && !options.signal?.aborted) {
        const report = await solver.step();
        options.onStep?.(report);
      }
    } while (!options.signal?.aborted && (await solver.advance()));
    return await solver.finish();
  } finally {
    await solver.dispose();
  }
}

/** Makes a solver of a method on a generator; nothing is computed before `init` or `resume`. */
export function createSolver(
  generator: Generator,
  method: Method,
  runtime: Runtime,
  options: SolverOptions = {},
): Solver {
  const evaluate = evaluatorOf(runtime, encodeModel);
  let history: { loss: number[][]; masked: number[][] };
  let images: Tensor;
  /** 1 - M where it was given, or a stage has fixed it; before, without what is known to be missing. */
  let keep: Tensor | undefined;
  let missing: Mask | undefined;
  let stageIndex = 0;
  let stepIndex = 0;
  let compiled: CompiledStep;
  let loop: Loop | undefined;
  let codes: (ResultCode | undefined)[] = [];
  let losses: number[][] = [];
  let floors: number[] = [];
  /** Was it stopped while its starts were chosen? They may not be those of an uninterrupted run: there is no state to go on from. */
  let isCutShort = false;

  /** The stage's formulation compiled for `batch` searches, once for all runs that share `reuse`. */
  const compile = (batch: number): Promise<CompiledStep> => {
    const make = () => compileStep(generator, stage().formulation, batch, evaluate, options.critic);
    if (!options.reuse) return make();
    const { steps } = options.reuse;
    const ofFormulation = steps.get(stage().formulation) ?? new Map<number, Promise<CompiledStep>>();
    steps.set(stage().formulation, ofFormulation);
    const known = ofFormulation.get(batch) ?? make();
    ofFormulation.set(batch, known);
    return known;
  };
  const stage = (): Stage => method.stages[stageIndex];
  /** A row per image becomes one per search. */
  const repeated = (tensor: Tensor): Tensor => {
    const k = stage().starts;
    const owners = Array.from({ length: tensor.dims[0] * k }, (_, i) => Math.floor(i / k));
    return k === 1 ? tensor : rows(tensor, owners);
  };

  async function accept(given: Tensor, mask: Tensor | undefined): Promise<void> {
    checkImages(generator, given);
    images = given;
    ({ keep, missing } = await knownBeforehand(generator, method, runtime, images, mask, options));
  }

  /** Opens the current stage on the tensors that `start` gives for it. */
  async function enter(start: (step: CompiledStep) => ReadonlyMap<string, Tensor>): Promise<void> {
    const { name, formulation, starts } = stage();
    const batch = images.dims[0] * starts;
    if (batch > 1 && stageTunesWeights(stage())) {
      throw new RgiError(
        'usage',
        `The stage '${name}' of ${method.name} tunes the generator's weights, which belong to one image and one search: invert one image at a time (restoreImages does).`,
      );
    }
    compiled = await compile(batch);
    const fixed = new Map<string, Tensor>([[STEP.x, repeated(images)]]);
    if (readsKeep(formulation.mask)) fixed.set(STEP.keep, repeated(keep!));
    loop = await stepLoop(compiled, runtime, start(compiled), fixed);
    stepIndex = 0;
    codes = Array.from({ length: batch });
    losses = Array.from({ length: batch }, () => []);
  }

  /** Image, soft mask and loss of the current state, and that state. */
  async function render() {
    const tensors = await loop!.read();
    const session = await runtime.session(compiled.render);
    try {
      const controls = stage().controls(stepIndex);
      const made = await session.run(
        renderFeeds(compiled, tensors, repeated(images), keep && repeated(keep), controls, floors),
      );
      return { tensors, made, loss: float32Data(made.get(STEP.loss)!) };
    } finally {
      await session.dispose();
    }
  }

  const latentsOf = (tensors: ReadonlyMap<string, Tensor>, chosen: readonly number[]) =>
    new Map([...compiled.latents.keys()].map((name) => [name, rows(tensors.get(name)!, chosen)]));

  const save = async (): Promise<SolverState> => ({
    stage: stageIndex,
    step: stepIndex,
    tensors: await loop!.read(),
    codes: [...codes],
    floors: [...floors],
    losses: losses.map((list) => [...list]),
    history: { loss: history.loss.map((list) => [...list]), masked: history.masked.map((list) => [...list]) },
    // What is known to be missing is found again.
    ...(keep && !method.needsMask && stage().formulation.mask.form === 'given' ? { keep } : {}),
  });

  return {
    async init(given, mask, latents) {
      await accept(given, mask);
      const lists = () => Array.from({ length: given.dims[0] }, (): number[] => []);
      history = { loss: lists(), masked: lists() };
      floors = Array.from({ length: given.dims[0] }, () => 0);
      const pool = options.reuse?.pool;
      const chosen =
        latents ??
        (await firstStarts(generator, method, runtime, {
          images,
          keep,
          missing,
          compile,
          pool,
          signal: options.signal,
        }));
      isCutShort = !latents && options.signal?.aborted === true;
      await enter((step) => initialTensors(step, chosen));
    },
    async resume(state, given, mask) {
      await accept(given, mask);
      isCutShort = false;
      stageIndex = state.stage;
      const { mask: form } = stage()?.formulation ?? {};
      if (form?.form === 'given' && !method.needsMask && !state.keep)
        throw new RgiError('input', 'The saved state is of another run: it holds no mask.');
      keep = state.keep ?? keep;
      if (keep && form && readsKeep(form)) checkMask(images, keep);
      const searches = given.dims[0] * (method.stages[state.stage]?.starts ?? 0);
      if (state.codes.length !== searches || state.history.loss.length !== given.dims[0]) {
        throw new RgiError(
          'input',
          `The saved state is of another run: it holds ${state.codes.length} searches, and this one would have ${searches} in its stage ${state.stage + 1}.`,
        );
      }
      await enter((step) => {
        checkTensors(step, state);
        return state.tensors;
      });
      stepIndex = state.step;
      codes = [...state.codes];
      floors = [...state.floors];
      losses = state.losses.map((list) => [...list]);
      history = { loss: state.history.loss.map((l) => [...l]), masked: state.history.masked.map((l) => [...l]) };
    },
    async step() {
      const controls = stage().controls(stepIndex);
      const outputs = await loop!.step(stepFeeds(compiled, controls, stepIndex + 1, codes, floors));
      const report: StepReport = {
        stage: stageIndex,
        step: stepIndex,
        loss: float32Data(outputs.get(STEP.loss)!),
        fidelity: float32Data(outputs.get(STEP.fidelity)!),
        masked: float32Data(outputs.get(STEP.masked)!),
      };
      stepIndex++;
      const k = stage().starts;
      bestSearches(report.loss, images.dims[0], 1).forEach((search, image) => {
        // An image whose searches have all ended has no further history.
        if (codes.slice(image * k, (image + 1) * k).every((code) => code !== undefined)) return;
        history.loss[image].push(report.loss[search]);
        history.masked[image].push(report.masked[search]);
      });
      report.loss.forEach((loss, i) => {
        if (codes[i] !== undefined) return;
        losses[i].push(loss);
        codes[i] = Number.isFinite(loss)
          ? stage().terminate?.({ step: stepIndex, loss: losses[i], fidelity: report.fidelity[i] })
          : 'diverged';
      });
      return report;
    },
    terminate: () => stepIndex >= stage().steps || (codes.length > 0 && codes.every((code) => code !== undefined)),
    async advance() {
      if (stageIndex + 1 >= method.stages.length) return false;
      const { tensors, made, loss } = await render();
      const chosen = bestSearches(loss, images.dims[0], 1);
      const best = rows(made.get(STEP.image)!, chosen);
      const mask = made.get(STEP.softMask);
      const { lambdaOfThreshold, fixesMask, continues, starts: count } = method.stages[stageIndex + 1];
      if (fixesMask && !method.needsMask) keep = keepOf(foundMasks(method, images, best, rows(mask!, chosen), missing));
      const going = bestSearches(loss, images.dims[0], count);
      const latents = latentsOf(tensors, going);
      if (lambdaOfThreshold) floors = grossThresholds(images, best, missing).map(lambdaOfThreshold);
      const memory = continues ? curvatureOf(tensors, going) : undefined;
      await loop!.dispose();
      loop = undefined;
      stageIndex++;
      await enter((step) => initialTensors(step, latents, memory));
      return true;
    },
    async finish() {
      const { tensors, made, loss } = await render();
      const chosen = bestSearches(loss, images.dims[0], 1);
      const mask = made.get(STEP.softMask);
      const isLast = stageIndex + 1 >= method.stages.length;
      // What has stopped in a stage goes on in the next.
      const ended = chosen.map(
        (i): ResultCode =>
          isLast ? (codes[i] ?? (stepIndex >= stage().steps ? 'step-limit' : 'interrupted')) : 'interrupted',
      );
      return {
        image: rows(made.get(STEP.image)!, chosen),
        mask: mask && rows(mask, chosen),
        ...(missing ? { missing } : {}),
        latents: latentsOf(tensors, chosen),
        weights: new Map([...compiled.weights.keys()].map((name) => [name, tensors.get(name)!])),
        codes: ended,
        loss: chosen.map((i) => loss[i]),
        steps: history.loss.map((list) => list.length),
        history,
        ...(ended.includes('interrupted') && !isCutShort ? { state: await save() } : {}),
      };
    },
    save,
    async dispose() {
      await loop?.dispose();
      loop = undefined;
    },
  };
}
