/** Runs a method on a batch of images: init, step, terminate, finish over a state that is plain data. */
import { RgiError } from '../errors.ts';
import { encodeModel } from '../onnx/encode.ts';
import { float32, float32Data, sizeOf, type Tensor, zeros } from '../onnx/tensor.ts';
import { adamCorrections } from '../optim/adam.ts';
import { evaluatorOf, type Loop, type Runtime } from '../runtime/runtime.ts';
import type { Critic } from './critic.ts';
import { ADAM, type Controls } from './formulation.ts';
import type { Generator } from './generator.ts';
import type { Method, ResultCode, Stage } from './method.ts';
import { chooseStarts, type LatentCost, poolBatch, rows } from './starts.ts';
import { type CompiledStep, compileStep, STEP } from './step.ts';

/** Everything needed to go on: plain data, can be written with `writeNpz`. */
export interface SolverState {
  readonly stage: number;
  /** Steps made in this stage. */
  readonly step: number;
  readonly tensors: ReadonlyMap<string, Tensor>;
  /** Per search (images times starts): did it end, and how? */
  readonly codes: readonly (ResultCode | undefined)[];
}

export interface StepReport {
  readonly stage: number;
  readonly step: number;
  /** Per search: objective, L_rec and mean |M|, all before the step's update. */
  readonly loss: Float32Array;
  readonly fidelity: Float32Array;
  readonly masked: Float32Array;
}

export interface Inversion {
  /** G(z) [n,C,H,W], not clipped. */
  readonly image: Tensor;
  /** Soft mask [n,1|C,H,W] as the method has it; absent where it has none. */
  readonly mask?: Tensor;
  readonly latents: ReadonlyMap<string, Tensor>;
  /** Tuned weights (all of them, n = 1), absent for frozen ones. */
  readonly weights: ReadonlyMap<string, Tensor>;
  readonly codes: readonly ResultCode[];
  /** Per image: the last objective. */
  readonly loss: readonly number[];
  readonly steps: number;
  /** Per image and step: the loss of its best search, and that search's mean |M|. */
  readonly history: { readonly loss: readonly (readonly number[])[]; readonly masked: readonly (readonly number[])[] };
}

export interface SolverOptions {
  readonly critic?: Critic;
  readonly onStep?: (report: StepReport) => void;
  readonly signal?: AbortSignal;
}

export interface Solver {
  /**
   * Chooses starts for images [n,C,H,W] in [-1,1], or takes `latents` ([n * starts, ...dims] each). `mask` [n,1,H,W]
   * (1 = corrupted) is for methods that need it.
   */
  init(images: Tensor, mask?: Tensor, latents?: ReadonlyMap<string, Tensor>): Promise<void>;
  /** One step of the current stage. */
  step(): Promise<StepReport>;
  /** True when the current stage has ended. */
  terminate(): boolean;
  /** Goes to the next stage with the best searches; false if there is none. */
  advance(): Promise<boolean>;
  finish(): Promise<Inversion>;
  save(): Promise<SolverState>;
  dispose(): Promise<void>;
}

/** Runs all stages. */
export async function runMethod(
  generator: Generator,
  method: Method,
  runtime: Runtime,
  images: Tensor,
  mask?: Tensor,
  options: SolverOptions = {},
): Promise<Inversion> {
  const solver = createSolver(generator, method, runtime, options);
  try {
    await solver.init(images, mask);
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

export function createSolver(
  generator: Generator,
  method: Method,
  runtime: Runtime,
  options: SolverOptions = {},
): Solver {
  const evaluate = evaluatorOf(runtime, encodeModel);
  const history = { loss: [] as number[][], masked: [] as number[][] };
  let images: Tensor;
  let keep: Tensor | undefined;
  let stageIndex = 0;
  let stepIndex = 0;
  let totalSteps = 0;
  let compiled: CompiledStep;
  let poolStep: CompiledStep | undefined;
  let loop: Loop | undefined;
  let codes: (ResultCode | undefined)[] = [];
  let losses: number[][] = [];

  const stage = (): Stage => method.stages[stageIndex];
  const repeated = (tensor: Tensor): Tensor => {
    const k = stage().starts;
    return k === 1
      ? tensor
      : rows(
          tensor,
          Array.from({ length: tensor.dims[0] * k }, (_, i) => Math.floor(i / k)),
        );
  };

  async function enter(latents: ReadonlyMap<string, Tensor>): Promise<void> {
    const batch = images.dims[0] * stage().starts;
    compiled = await compileStep(generator, stage().formulation, batch, evaluate, options.critic);
    const fixed = new Map<string, Tensor>([[STEP.x, repeated(images)]]);
    if (stage().formulation.mask.form === 'given') fixed.set(STEP.keep, repeated(keep!));
    loop = await runtime.loop(compiled.step, initialState(compiled, latents), fixed);
    stepIndex = 0;
    codes = Array.from({ length: batch });
    losses = Array.from({ length: batch }, () => []);
  }

  /** The first stage's own loss as the distance of starts. */
  const lossCost: LatentCost = async (i, latents) => {
    const batch = poolBatch(generator);
    poolStep ??= await compileStep(generator, stage().formulation, batch, evaluate, options.critic);
    const same = Array.from({ length: batch }, () => i);
    const inputs = inputsOf(poolStep, rows(images, same), keep && rows(keep, same), stage().controls(0));
    return currentLoss(runtime, poolStep, new Map([...latents, ...poolStep.weights]), inputs);
  };

  return {
    async init(given, mask, latents) {
      checkImages(generator, given);
      if (method.needsMask && !mask)
        throw new RgiError('usage', `The method '${method.name}' needs the mask of the corrupted region: give --mask.`);
      images = given;
      history.loss = Array.from({ length: images.dims[0] }, () => []);
      history.masked = Array.from({ length: images.dims[0] }, () => []);
      keep = mask && (method.keepOf ?? keepOf)(mask);
      const known = method.needsMask ? keep : undefined;
      const cost = method.start.distance.kind === 'loss' ? lossCost : undefined;
      await enter(
        latents ?? (await chooseStarts(generator, images, method.start, stage().starts, runtime, known, cost)),
      );
    },
    async step() {
      const controls = stage().controls(stepIndex);
      const outputs = await loop!.step(stepFeeds(compiled, controls, stepIndex + 1, codes));
      const report: StepReport = {
        stage: stageIndex,
        step: stepIndex,
        loss: float32Data(outputs.get(STEP.loss)!),
        fidelity: float32Data(outputs.get(STEP.fidelity)!),
        masked: float32Data(outputs.get(STEP.masked)!),
      };
      stepIndex++;
      totalSteps++;
      report.loss.forEach((loss, i) => {
        losses[i].push(loss);
        if (!Number.isFinite(loss)) codes[i] = 'diverged';
        else codes[i] ??= stage().terminate?.({ step: stepIndex, loss: losses[i] });
      });
      bestSearches(report.loss, images.dims[0], 1).forEach((search, image) => {
        history.loss[image].push(report.loss[search]);
        history.masked[image].push(report.masked[search]);
      });
      return report;
    },
    terminate: () => stepIndex >= stage().steps || (codes.length > 0 && codes.every((code) => code !== undefined)),
    async advance() {
      if (stageIndex + 1 >= method.stages.length) return false;
      const final = await this.save();
      const loss = await currentLoss(
        runtime,
        compiled,
        final.tensors,
        inputsOf(compiled, repeated(images), keep && repeated(keep), stage().controls(stepIndex)),
      );
      await loop!.dispose();
      stageIndex++;
      const chosen = bestSearches(loss, images.dims[0], stage().starts);
      const latents = new Map(
        [...compiled.latents.keys()].map((name) => [name, rows(final.tensors.get(name)!, chosen)]),
      );
      await enter(latents);
      return true;
    },
    async finish() {
      const state = await this.save();
      const rendered = await render(
        runtime,
        compiled,
        state.tensors,
        inputsOf(compiled, repeated(images), keep && repeated(keep), stage().controls(stepIndex)),
      );
      const loss = float32Data(rendered.get(STEP.loss)!);
      const chosen = bestSearches(loss, images.dims[0], 1);
      const mask = rendered.get(STEP.softMask);
      return {
        image: rows(rendered.get(STEP.image)!, chosen),
        mask: mask && rows(mask, chosen),
        latents: new Map([...compiled.latents.keys()].map((name) => [name, rows(state.tensors.get(name)!, chosen)])),
        weights: new Map([...compiled.weights.keys()].map((name) => [name, state.tensors.get(name)!])),
        codes: chosen.map((i) => codes[i] ?? (options.signal?.aborted ? 'interrupted' : 'step-limit')),
        loss: chosen.map((i) => loss[i]),
        steps: totalSteps,
        history,
      };
    },
    async save() {
      return { stage: stageIndex, step: stepIndex, tensors: await loop!.read(), codes };
    },
    async dispose() {
      await loop?.dispose();
      loop = undefined;
    },
  };
}

function checkImages(generator: Generator, images: Tensor): void {
  const [, channels, height, width] = images.dims;
  if (
    images.dims.length !== 4 ||
    channels !== generator.channels ||
    height !== generator.height ||
    width !== generator.width
  ) {
    throw new RgiError(
      'input',
      `The images are [${images.dims.slice(1).join(', ')}] but the generator makes [${generator.channels}, ${generator.height}, ${generator.width}]: resize them first.`,
    );
  }
}

function keepOf(mask: Tensor): Tensor {
  return float32(
    float32Data(mask).map((m) => 1 - m),
    mask.dims,
  );
}

function initialState(compiled: CompiledStep, latents: ReadonlyMap<string, Tensor>): Map<string, Tensor> {
  const { formulation } = compiled;
  const state = new Map<string, Tensor>();
  const add = (name: string, value: Tensor, moments: 1 | 2): void => {
    state.set(name, value);
    state.set(STEP.firstMoment(name), zeros('float32', value.dims));
    if (moments === 2) state.set(STEP.secondMoment(name), zeros('float32', value.dims));
  };
  for (const name of compiled.latents.keys())
    add(name, latents.get(name)!, formulation.optimiser.kind === 'adam' ? 2 : 1);
  if (compiled.mask && 'initial' in formulation.mask) {
    add(STEP.mask, float32(new Float32Array(sizeOf(compiled.mask)).fill(formulation.mask.initial), compiled.mask), 2);
  }
  for (const [name, weight] of compiled.weights) add(name, weight, 2);
  return state;
}

function filled(value: number | readonly number[], batch: number, dims: readonly number[]): Tensor {
  const values = typeof value === 'number' ? new Float32Array(batch).fill(value) : Float32Array.from(value);
  return float32(values, dims);
}

const scalarOf = (value: number): Tensor => float32([value], []);

/** All inputs a step may have; the loop takes those its graph declares. */
function stepFeeds(
  compiled: CompiledStep,
  controls: Controls,
  step: number,
  codes: readonly (ResultCode | undefined)[],
): Map<string, Tensor> {
  const { formulation, batch } = compiled;
  const { beta1, beta2 } = formulation.optimiser.kind === 'adam' ? formulation.optimiser : ADAM;
  const [correction1, correction2] = adamCorrections(step, beta1, beta2);
  const active = (rate: number) => codes.map((code) => (code === undefined ? rate : 0));
  const feeds = new Map<string, Tensor>([
    [STEP.lambda, filled(controls.lambda, batch, [batch, 1, 1, 1])],
    [STEP.latentRate, filled(active(controls.latentRate), batch, [batch])],
    [STEP.maskRate, filled(active(controls.maskRate), batch, [batch])],
    [STEP.correction1, scalarOf(correction1)],
    [STEP.correction2, scalarOf(correction2)],
  ]);
  controls.weightRates.forEach((rate, group) => {
    feeds.set(STEP.weightRate(group), scalarOf(rate));
  });
  for (const [name, tensor] of termScales(compiled, controls)) feeds.set(name, tensor);
  return new Map([...feeds].filter(([name]) => compiled.stepInputs.has(name)));
}

function termScales(compiled: CompiledStep, controls: Controls): Map<string, Tensor> {
  if (!compiled.formulation.scheduledTerms) return new Map();
  return new Map(compiled.formulation.loss.map((_, i) => [STEP.termScale(i), scalarOf(controls.termScales?.[i] ?? 1)]));
}

function inputsOf(
  compiled: CompiledStep,
  x: Tensor,
  keep: Tensor | undefined,
  controls: Controls,
): Map<string, Tensor> {
  const inputs = termScales(compiled, controls);
  inputs.set(STEP.x, x);
  if (keep) inputs.set(STEP.keep, keep);
  inputs.set(STEP.lambda, filled(controls.lambda, compiled.batch, [compiled.batch, 1, 1, 1]));
  return inputs;
}

/** The forward graph on a state: image, soft mask, loss. */
async function render(
  runtime: Runtime,
  compiled: CompiledStep,
  state: ReadonlyMap<string, Tensor>,
  inputs: ReadonlyMap<string, Tensor>,
): Promise<Map<string, Tensor>> {
  const session = await runtime.session(compiled.render);
  try {
    return await session.run(
      new Map(compiled.renderInputs.map((name) => [name, state.get(name) ?? inputs.get(name)!])),
    );
  } finally {
    await session.dispose();
  }
}

async function currentLoss(
  runtime: Runtime,
  compiled: CompiledStep,
  state: ReadonlyMap<string, Tensor>,
  inputs: ReadonlyMap<string, Tensor>,
): Promise<Float32Array> {
  return float32Data((await render(runtime, compiled, state, inputs)).get(STEP.loss)!);
}

/** For each of n images the `count` searches of least loss, as indices into all searches; NaN counts as worst. */
function bestSearches(loss: Float32Array, n: number, count: number): number[] {
  const perImage = loss.length / n;
  return Array.from({ length: n }, (_, image) => {
    const own = Array.from({ length: perImage }, (_, j) => image * perImage + j);
    const cost = (i: number) => (Number.isFinite(loss[i]) ? loss[i] : Number.POSITIVE_INFINITY);
    return own.sort((a, b) => cost(a) - cost(b)).slice(0, count);
  }).flat();
}
