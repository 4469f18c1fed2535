/**
 * Compiles a formulation into ONE graph, the step: forward, loss, backward, optimiser. And beside it a forward-only graph
 * that shows the images and masks of a state.
 */
import { differentiate } from '../../autodiff/differentiate.ts';
import { RgiError } from '../../errors.ts';
import { GraphBuilder } from '../../onnx/builder.ts';
import type { Evaluate, Graph, StaticGraph, ValueInfo } from '../../onnx/graph.ts';
import { float32, sizeOf, type Tensor, zeros } from '../../onnx/tensor.ts';
import { withoutDeadCode } from '../../passes/dead-code.ts';
import { optimise, optimisePrimal } from '../../passes/index.ts';
import { prepareForGradient } from '../../passes/prepare.ts';
import type { Critic } from '../generator/critic.ts';
import type { Generator } from '../generator/generator.ts';
import { withLowRankChanges } from '../generator/low-rank.ts';
import type { Formulation } from '../spec/formulation.ts';
import { type Forward, forwardGraph } from './forward.ts';
import type { Objective } from './objective.ts';
import { STEP } from './step-names.ts';
import { emitUpdates } from './update.ts';

/** Bytes of a step. */
export interface StepPlan {
  /** Weights, with the copies that ONNX Runtime keeps of them. */
  readonly weights: number;
  /** What a step begins and ends with: latents, masks, tuned weights, their moments. */
  readonly state: number;
  /** Inner values that are held together, at most. */
  readonly values: number;
  /** All of it, with the program itself. */
  readonly total: number;
}

export interface CompiledStep {
  /** The step graph. As a graph, not as bytes: its weights are those of the generator, not copies. */
  readonly step: Graph;
  /** The forward graph: state in, image and soft mask out. */
  readonly render: Graph;
  readonly batch: number;
  /** Shapes of the latents and the mask variable. */
  readonly latents: ReadonlyMap<string, readonly number[]>;
  readonly mask?: readonly number[];
  /** Start values of what is tuned: the generator's weights, or their factors (`low-rank.ts`). */
  readonly weights: ReadonlyMap<string, Tensor>;
  /** Inputs of the step graph. */
  readonly stepInputs: ReadonlySet<string>;
  /** Inputs of the forward graph. */
  readonly renderInputs: readonly string[];
  readonly formulation: Formulation;
  /** Does the step compute inner values again, to take less memory (`withinMemory`)? */
  readonly recomputes?: boolean;
  /** Does ONNX Runtime keep the memory of inner values for later ones (default)? See `SessionOptions.keepsMemory`. */
  readonly keepsMemory?: boolean;
  /** What it is planned to take, where it was adapted to a memory. */
  readonly plan?: StepPlan;
}

/** Compiles `formulation` for `batch` images at a time. Throws `unsupported-operator` where G cannot be differentiated. */
export async function compileStep(
  generator: Generator,
  formulation: Formulation,
  batch: number,
  evaluate: Evaluate,
  critic?: Critic,
): Promise<CompiledStep> {
  checkOptimiser(formulation, batch);
  const { forward, weightGroups } = tunable(forwardGraph(generator, formulation, batch, critic), formulation);
  const weightNames = weightGroups.flat();
  const latentNames = generator.latents.map((latent) => latent.name);
  const maskVariable = forward.graph.inputs.some((input) => input.name === STEP.mask) ? [STEP.mask] : [];
  const wrt = [...latentNames, ...maskVariable, ...weightNames];
  const variables = new Set(weightNames);
  const feeds = new Map(forward.graph.inputs.map((input) => [input.name, dryRunValue(input)]));
  const prepared = await prepareForGradient(forward.graph, feeds, evaluate, { wrt, variables });
  const primal = optimisePrimal(prepared, variables);

  const b = new GraphBuilder(primal);
  const gradients = differentiate(b, primal, new Map([[forward.total, b.scalar(1)]]), wrt, {
    detached: forward.objective.detached,
  });
  const outputs: ValueInfo[] = [
    { name: STEP.loss, type: 'float32', dims: [batch] },
    { name: STEP.fidelity, type: 'float32', dims: [batch] },
    { name: STEP.masked, type: 'float32', dims: [batch] },
  ];
  const inputs = new Map<string, ValueInfo>(primal.inputs.map((input) => [input.name, input]));
  const independent = wrt.find((name) => !gradients.has(name));
  if (independent !== undefined)
    throw new RgiError('model', `The loss does not depend on '${independent}', so it cannot be optimised.`, {
      tensor: independent,
    });
  emitUpdates(b, primal, { ...formulation, weightGroups }, { inputs, outputs }, gradients, STEP.fidelity);
  if (forward.priorTotal) emitPriorGradients(b, primal, forward, latentNames, outputs);
  const weights = new Map(weightNames.map((name) => [name, primal.initializers.get(name)!]));
  for (const name of weightNames) b.initializers.delete(name);
  const graph = await optimise(b.graph('step', [...inputs.values()], outputs), evaluate);
  const render = await optimise(renderGraph(primal, forward.objective, weightNames), evaluate);
  return {
    step: graph,
    render,
    batch,
    latents: new Map(latentNames.map((name) => [name, primal.types.get(name)!.dims])),
    mask: maskVariable.length > 0 ? primal.types.get(STEP.mask)!.dims : undefined,
    weights,
    stepInputs: new Set(graph.inputs.map((input) => input.name)),
    renderInputs: render.inputs.map((input) => input.name),
    formulation,
  };
}

/** The initialisers that are tuned, in the groups of the weights that they belong to, and the graph that has them. */
function tunable(forward: Forward, { weightGroups, weightRank }: Formulation) {
  if (weightRank === undefined) return { forward, weightGroups };
  const { graph, variables } = withLowRankChanges(forward.graph, weightGroups.flat(), weightRank);
  const groups = weightGroups.map((names) => names.flatMap((name) => variables.get(name)!));
  return { forward: { ...forward, graph }, weightGroups: groups };
}

/** What L-BFGS needs to go on by another weight of the latents' prior than it has made its trial by. */
function emitPriorGradients(
  b: GraphBuilder,
  primal: StaticGraph,
  { priorTotal, objective }: Forward,
  latents: readonly string[],
  outputs: ValueInfo[],
): void {
  const { dims } = primal.types.get(STEP.trialLoss)!;
  for (const name of [STEP.trialLoss, STEP.measuredPriorWeight]) outputs.push({ name, type: 'float32', dims });
  const { detached } = objective;
  for (const [name, gradient] of differentiate(b, primal, new Map([[priorTotal!, b.scalar(1)]]), latents, {
    detached,
  })) {
    b.node('Identity', [gradient], {}, [STEP.priorGradient(name)]);
    outputs.push({ name: STEP.priorGradient(name), type: 'float32', dims: primal.types.get(name)!.dims });
  }
}

/** L-BFGS moves latents that are free, and nothing beside them. */
function checkOptimiser(
  { optimiser, mask, weightGroups, latentBound, maxPredictedFall, keepsBest }: Formulation,
  batch: number,
): void {
  const guards = [
    ...(maxPredictedFall !== undefined ? ['steps bounded by the loss'] : []),
    ...(keepsBest ? ['a best state that is kept'] : []),
  ];
  if (guards.length > 0 && batch > 1)
    throw new RgiError(
      'usage',
      `A formulation with ${guards.join(' and ')} is for one search at a time, not ${batch}.`,
    );
  if (optimiser.kind !== 'lbfgs') return;
  const beside = [
    ...guards,
    ...('initial' in mask ? [`a ${mask.form} mask`] : []),
    ...(weightGroups.flat().length > 0 ? ['tuned weights'] : []),
    ...(latentBound !== undefined ? ['bounded latents'] : []),
  ];
  if (beside.length > 0)
    throw new RgiError(
      'usage',
      `L-BFGS cannot be combined with ${beside.join(' and ')}: use Adam in this formulation.`,
    );
}

function renderGraph(primal: StaticGraph, objective: Objective, weights: readonly string[]): Graph {
  const initializers = new Map([...primal.initializers].filter(([name]) => !weights.includes(name)));
  const variables = weights.map((name): ValueInfo => ({ name, type: 'float32', dims: primal.types.get(name)!.dims }));
  const outputs = primal.outputs.filter(
    (o) => o.name === STEP.image || (objective.mask !== undefined && o.name === STEP.softMask) || o.name === STEP.loss,
  );
  const graph = withoutDeadCode({ ...primal, initializers, inputs: [...primal.inputs, ...variables], outputs });
  const read = new Set(graph.nodes.flatMap((node) => node.inputs));
  return { ...graph, inputs: graph.inputs.filter((input) => read.has(input.name)) };
}

/** Values for the dry run that learns the shapes; small and not all equal, so that nothing degenerates. */
function dryRunValue(info: ValueInfo): Tensor {
  const dims = info.dims as readonly number[];
  const size = sizeOf(dims);
  if (info.name === STEP.lambda) return float32(new Float32Array(size).fill(1), dims);
  if (info.name === STEP.mask) return zeros('float32', dims);
  return float32(
    Float32Array.from({ length: size }, (_, i) => 0.5 * Math.sin(1 + i * 0.7)),
    dims,
  );
}
