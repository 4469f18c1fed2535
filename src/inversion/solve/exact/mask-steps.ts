/**
 * The mask's side of an exact solution: what a reconstruction says of the mask, and how much each pixel then counts. Where the user chose no
 * threshold the model of corruption says it (`mask/corruption`); else M is that of the method's own stages, at some points of their path of
 * lambda.
 */
import { type Image, type Mask, visibilityOf, zeroWhere } from '../../../images/image.ts';
import { GraphBuilder } from '../../../onnx/builder.ts';
import { splitModel } from '../../../onnx/encode.ts';
import type { ValueInfo } from '../../../onnx/graph.ts';
import { float32, float32Data, type Tensor } from '../../../onnx/tensor.ts';
import type { Runtime } from '../../../runtime/runtime.ts';
import { emitObjective } from '../../compile/objective.ts';
import { STEP } from '../../compile/step-names.ts';
import type { Generator } from '../../generator/generator.ts';
import {
  type CorruptionOptions,
  type InferredCorruption,
  inferCorruption,
} from '../../mask/corruption/infer-corruption.ts';
import { type Formulation, readsVisibility } from '../../spec/formulation.ts';
import { isAdaptive, type Method } from '../../spec/method.ts';

/** What a reconstruction says of the mask. */
export interface MaskStep {
  /** How much each pixel counts in the next least squares, in [0,1], [1,1,H,W]. */
  readonly weights: Mask;
  /** M [1,1,H,W]: soft in [0,1], and as it is reported. */
  readonly softMask: Mask;
  readonly mask: Mask;
  /** How well the picture is explained, comparable between reconstructions; 0 where M has a threshold. */
  readonly evidence: number;
  /** What the model of corruption says; absent where M has a threshold. */
  readonly inferred?: InferredCorruption;
}

/** A picture, its reconstruction [1,C,H,W], and what is known to be missing. */
export interface Shown {
  readonly x: Image;
  readonly y: Image;
  /** Standard deviation of each value of x about y if it is intact, [1,C,H,W]: of the noise, and of y where little determines it. */
  readonly deviation: Image;
  readonly missing?: Mask;
  /** What is known to be intact. */
  readonly keep?: Mask;
  /** What is known to be corrupted. */
  readonly hide?: Mask;
}

/**
 * Does the scale of the noise grow with the slopes and the brightness of G(z) as well ('varied'), or is it that of the reconstruction with one
 * factor ('even')? Where half of the pixels are corrupted, slopes and brightness would explain part of them.
 */
export type Law = 'varied' | 'even';

/** How a step of the model of corruption is taken. */
export interface StepOptions {
  /** Is the reconstruction still a rough one? */
  readonly isRough?: boolean;
  readonly law: Law;
}

/** One mask step after the other: the last one is repeated until the mask stays as it is. */
export interface MaskSteps {
  readonly steps: readonly ((shown: Shown, options?: StepOptions) => Promise<MaskStep>)[];
  /** Is the mask that of the model of corruption, whose evidence can be compared? */
  readonly isModelled: boolean;
  dispose(): Promise<void>;
}

/** Points of the path of lambda before its end. */
const POINTS = 6;

export async function maskSteps(method: Method, generator: Generator, runtime: Runtime): Promise<MaskSteps> {
  if (isAdaptive(method))
    return {
      steps: [async (shown, options) => modelled(shown, options)],
      isModelled: true,
      dispose: async () => {},
    };
  const last = method.stages[method.stages.length - 1];
  const path = method.stages.slice(0, -1);
  const planned = path.reduce((sum, { steps }) => sum + steps, 0);
  const lambdas = Array.from({ length: POINTS }, (_, i) => lambdaAt(path, Math.floor((i * planned) / POINTS)));
  const minimiser = await exactMask(path[0].formulation, generator, runtime);
  const refined = await exactMask(last.formulation, generator, runtime);
  return {
    isModelled: false,
    steps: [
      ...lambdas.map((lambda) => (shown: Shown) => minimiser.of(shown, lambda)),
      (shown: Shown) => refined.of(shown, last.controls(last.steps).lambda),
    ],
    async dispose() {
      await minimiser.dispose();
      await refined.dispose();
    },
  };
}

/** A probability that is nearer to 0 or 1 is taken as that. */
const CERTAIN = 0.02;

/** Rounds of EM while the reconstruction is still a rough one. */
const ROUGH = { rounds: 5 };

const EVEN: Partial<CorruptionOptions> = { displacement: false, brightness: false };

function modelled(
  { x, y, deviation, missing, keep, hide }: Shown,
  { isRough, law }: StepOptions = { law: 'varied' },
): MaskStep {
  const inferred = inferCorruption(
    { picture: x, reconstruction: y, missing, keep, hide, noise: deviation },
    { ...(isRough ? ROUGH : {}), ...(law === 'even' ? EVEN : {}) },
  );
  const { probability, mask, evidence } = inferred;
  // What is all but certain is taken to be: the equations change at the other pixels only.
  const weights = float32(
    probability.data.map((q) => (q < CERTAIN ? 1 : q > 1 - CERTAIN ? 0 : 1 - q)),
    probability.dims,
  );
  return { weights, softMask: probability, mask, evidence, inferred };
}

/** lambda of the step `at` of stages that follow each other. */
function lambdaAt(stages: Method['stages'], at: number): number {
  let before = 0;
  for (const { steps, controls } of stages) {
    if (at < before + steps) return controls(at - before).lambda;
    before += steps;
  }
  return stages[stages.length - 1].controls(at).lambda;
}

/** The minimiser over M of a formulation, one picture at a time. */
async function exactMask(formulation: Formulation, generator: Generator, runtime: Runtime) {
  const session = await runtime.session(splitModel(maskGraph(formulation, generator)));
  return {
    async of({ x, y, missing, keep }: Shown, lambda: number): Promise<MaskStep> {
      const { height, width } = generator;
      const seen = visibilityOf(missing ?? float32(new Float32Array(height * width), [1, 1, height, width]));
      const feeds = new Map<string, Tensor>([
        [STEP.x, x],
        [RECONSTRUCTION, y],
        [STEP.lambda, float32([lambda], [1, 1, 1, 1])],
        ...(readsVisibility(formulation.mask) ? [[STEP.visibility, seen] as const] : []),
      ]);
      const made = (await session.run(feeds)).get(STEP.softMask)!;
      const mask = zeroWhere(keep, float32(float32Data(made), made.dims));
      // The loss is (1-M)^2 r^2.
      const weights = float32(
        mask.data.map((m) => (1 - m) ** 2),
        mask.dims,
      );
      return { weights, softMask: mask, mask, evidence: 0 };
    },
    dispose: () => session.dispose(),
  };
}

const RECONSTRUCTION = 'rgi.y';

function maskGraph(formulation: Formulation, { channels, height, width }: Generator) {
  const b = new GraphBuilder();
  const inputs: ValueInfo[] = [];
  const input = (name: string, dims: readonly number[]) => {
    inputs.push({ name, type: 'float32', dims });
    return b.reserve(name);
  };
  const dims = [1, channels, height, width];
  const [x, y] = [input(STEP.x, dims), input(RECONSTRUCTION, dims)];
  const lambda = input(STEP.lambda, [1, 1, 1, 1]);
  const visibility = readsVisibility(formulation.mask) ? input(STEP.visibility, [1, 1, height, width]) : undefined;
  const termScales = formulation.loss.map(() => undefined);
  const { mask } = emitObjective(b, { ...formulation, priors: [] }, { x, y, dims, lambda, visibility, termScales });
  b.node('Identity', [mask!], {}, [STEP.softMask]);
  return b.graph('mask', inputs, [{ name: STEP.softMask, type: 'float32', dims: [1, 1, height, width] }]);
}
