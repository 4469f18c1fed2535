/**
 * The mask side of an exact solution: what is kept of each pixel, given a reconstruction. The masks are those of the method's own stages
 * (`Formulation`), at some points of their path of lambda: as z is exact at each, the path needs few of them.
 */
import { unionOf, visibilityOf } from '../../../images/image.ts';
import { GraphBuilder } from '../../../onnx/builder.ts';
import { encodeModel } from '../../../onnx/encode.ts';
import type { ValueInfo } from '../../../onnx/graph.ts';
import { float32, float32Data, type Tensor } from '../../../onnx/tensor.ts';
import type { Runtime, Session } from '../../../runtime/runtime.ts';
import { emitObjective } from '../../compile/objective.ts';
import { STEP } from '../../compile/step-names.ts';
import type { Generator } from '../../generator/generator.ts';
import { foundMasks } from '../../mask/found-mask.ts';
import { outlierThresholdsMeanAbsolute } from '../../mask/noise.ts';
import { type Formulation, readsVisibility } from '../../spec/formulation.ts';
import type { Method } from '../../spec/method.ts';

/** One round of the alternation: how the mask follows from a picture and its reconstruction. */
export interface MaskRule {
  /** The visibility 1 - M, [1,1,H,W], of picture `x` and reconstruction `y`, [1,C,H,W]; `missing` as known beforehand. */
  visibilityOf(x: Tensor, y: Tensor, missing: Tensor | undefined): Promise<Tensor<'float32'>>;
  /** Rounds by this rule at most; it ends before where the mask stays as it is. */
  readonly rounds: number;
}

export interface MaskRules {
  readonly rules: readonly MaskRule[];
  dispose(): Promise<void>;
}

/** Points of a stage's path of lambda. */
const POINTS = 5;
/** Rounds at the end of the path, and with the mask that is found in the residuals. */
const MAX_ROUNDS = 12;

/** The rules of a method's stages that are given no mask, in their order. */
export async function maskRules(method: Method, generator: Generator, runtime: Runtime): Promise<MaskRules> {
  const sessions = new Map<string, Session>();
  const exactMask = async (formulation: Formulation) => {
    const key = JSON.stringify(formulation.mask);
    const session = sessions.get(key) ?? (await runtime.session(encodeModel(maskGraph(formulation, generator))));
    sessions.set(key, session);
    return async (x: Tensor, y: Tensor, lambda: number, missing: Tensor | undefined): Promise<Tensor<'float32'>> => {
      const seen = missing ? visibilityOf(float32(float32Data(missing), missing.dims)) : visibleEverywhere(generator);
      const feeds = new Map<string, Tensor>([
        [STEP.x, x],
        ['rgi.y', y],
        [STEP.lambda, float32([lambda], [1, 1, 1, 1])],
        ...(readsVisibility(formulation.mask) ? [[STEP.visibility, seen] as const] : []),
      ]);
      const mask = (await session.run(feeds)).get(STEP.softMask)!;
      return visibilityOf(float32(float32Data(mask), mask.dims));
    };
  };
  const rules: MaskRule[] = [];
  for (const stage of method.stages) {
    if (stage.freezesMask) {
      rules.push({ rounds: MAX_ROUNDS, visibilityOf: async (x, y, missing) => found(method, x, y, missing) });
      continue;
    }
    const minimiser = await exactMask(stage.formulation);
    if (stage.lambdaOfThreshold || stage === method.stages[method.stages.length - 1]) {
      const { lambda } = stage.controls(stage.steps);
      rules.push({
        rounds: MAX_ROUNDS,
        visibilityOf: (x, y, missing) => {
          const own = stage.lambdaOfThreshold?.(outlierThresholdsMeanAbsolute(x, y, missing as never)[0]) ?? 0;
          return minimiser(x, y, Math.max(lambda, own), missing);
        },
      });
      continue;
    }
    const points = stage.starts > 1 ? 1 : POINTS;
    for (let i = 0; i < points; i++) {
      const { lambda } = stage.controls(Math.round((i / points) * stage.steps));
      rules.push({ rounds: 1, visibilityOf: (x, y, missing) => minimiser(x, y, lambda, missing) });
    }
  }
  const dispose = async () => {
    for (const session of sessions.values()) await session.dispose();
  };
  return { rules, dispose };
}

function found(method: Method, x: Tensor, y: Tensor, missing: Tensor | undefined): Tensor<'float32'> {
  const known = missing && float32(float32Data(missing), missing.dims);
  const soft = float32(new Float32Array(x.dims[2] * x.dims[3]), [1, 1, x.dims[2], x.dims[3]]);
  return visibilityOf(unionOf(foundMasks(method, x, y, soft, known), known));
}

function visibleEverywhere({ height, width }: Generator): Tensor<'float32'> {
  return float32(new Float32Array(height * width).fill(1), [1, 1, height, width]);
}

/** M of a formulation from picture and reconstruction, one picture at a time. */
function maskGraph(formulation: Formulation, { channels, height, width }: Generator) {
  const b = new GraphBuilder();
  const inputs: ValueInfo[] = [];
  const input = (name: string, dims: readonly number[]) => {
    inputs.push({ name, type: 'float32', dims });
    return b.reserve(name);
  };
  const dims = [1, channels, height, width];
  const [x, y] = [input(STEP.x, dims), input('rgi.y', dims)];
  const lambda = input(STEP.lambda, [1, 1, 1, 1]);
  const visibility = readsVisibility(formulation.mask) ? input(STEP.visibility, [1, 1, height, width]) : undefined;
  const termScales = formulation.loss.map(() => undefined);
  const { mask } = emitObjective(b, { ...formulation, priors: [] }, { x, y, dims, lambda, visibility, termScales });
  b.node('Identity', [mask!], {}, [STEP.softMask]);
  return b.graph('mask', inputs, [{ name: STEP.softMask, type: 'float32', dims: [1, 1, height, width] }]);
}
