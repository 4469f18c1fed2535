/** A method on a batch of images, step by step: a handle on a run over state that is plain data. */
import { rows } from '../../arrays/rows.ts';
import type { Mask } from '../../images/image.ts';
import type { Tensor } from '../../onnx/tensor.ts';
import type { Runtime } from '../../runtime/runtime.ts';
import { reuse } from '../compile/reuse.ts';
import type { Generator } from '../generator/generator.ts';
import type { Method } from '../spec/method.ts';
import type { ResultCode } from '../spec/result.ts';
import { gradientNormsOf } from './lbfgs-loop.ts';
import {
  begin,
  type Rendered,
  type Run,
  type RunContext,
  resumed,
  type SolverOptions,
  type StepReport,
  saved,
} from './run.ts';
import { bestSearches } from './searches.ts';
import { stageLoops } from './stage-loops.ts';
import { advance, hasEnded, latentsOf, measureStarts, render, stepOnce } from './stages.ts';
import { type History, type SolverState, type Tuning, tuningOf } from './state.ts';

/** The result for n pictures, the best of each one's searches. */
export interface Inversion {
  /** G(z) [n,C,H,W], not clipped. */
  readonly image: Tensor;
  /** Soft mask [n,1|C,H,W] as the method has it; absent where it has none. */
  readonly mask?: Tensor;
  /** The masks that are reported, where the solver decides them itself: [n,1,H,W] each. */
  readonly found?: { readonly mask: Mask; readonly softMask: Mask };
  /** Pixels without data [n,1,H,W], where the method looks for them beforehand. */
  readonly missing?: Mask;
  /** The z found, [n, ...dims] each, by input name. */
  readonly latents: ReadonlyMap<string, Tensor>;
  /** Tuned weights (n = 1), or their factors, absent for frozen ones; the generator's own stay as they are. `weightChanges` reads both. */
  readonly weights: ReadonlyMap<string, Tensor>;
  /** What tuning them has brought, where the stage keeps the best state (n = 1). */
  readonly tuning?: Tuning;
  /** Per image: how its search ended. */
  readonly codes: readonly ResultCode[];
  /** Per image: how near a stationary point its search ended (`gradientNormsOf`), where z was moved by L-BFGS to the end. */
  readonly gradientNorm?: readonly number[];
  /** Per image: the last objective, and the steps made until it stopped. */
  readonly loss: readonly number[];
  /** Per image: steps made until it stopped. */
  readonly steps: readonly number[];
  /** Per image and step: the objective and the mean |M|. */
  readonly history: History;
  /** Where the run was interrupted: what `runMethod`'s option `from` resumes; not where it was while it chose its starts. */
  readonly state?: SolverState;
}

/** A method's run on one batch of pictures, step by step; `runMethod` drives it to the end. */
export interface Solver {
  /**
   * Chooses starts for images [n,C,H,W] in [-1,1], or takes `latents` ([n * starts, ...dims] each). `mask` [n,1,H,W]
   * (1 = corrupted) is for methods that need it.
   */
  init(images: Tensor, mask?: Tensor, latents?: ReadonlyMap<string, Tensor>): Promise<void>;
  /** Continues from a saved state with the same images, mask and margins, instead of `init`. Throws `input` for another run's state. */
  resume(state: SolverState, images: Tensor, mask?: Tensor): Promise<void>;
  /** One step of the current stage. */
  step(): Promise<StepReport>;
  /** True when the current stage has ended. */
  terminate(): boolean;
  /** Goes to the next stage with the best searches; false if there is none. */
  advance(): Promise<boolean>;
  /** All searches of the current stage [n * starts, ...] as they are. */
  searches(): Promise<Rendered>;
  /** The best search of each image as it is; the run may go on afterwards. */
  finish(): Promise<Inversion>;
  /** The state as plain data, to be resumed later (`writeState`). */
  save(): Promise<SolverState>;
  /** Frees its sessions; it cannot be used afterwards. */
  dispose(): Promise<void>;
}

/** Makes a solver of a method on a generator; nothing is computed before `init` or `resume`. */
export function createSolver(
  generator: Generator,
  method: Method,
  runtime: Runtime,
  options: SolverOptions = {},
): Solver {
  const loops = stageLoops(runtime, options.reusesLoops ?? false);
  const context: RunContext = { generator, method, runtime, options, loops, reuse: options.reuse ?? reuse() };
  let run: Run;
  return {
    async init(images, mask, latents) {
      run = await begin(context, images, mask, latents);
      await measureStarts(context, run);
    },
    async resume(state, images, mask) {
      run = await resumed(context, state, images, mask);
    },
    step: () => stepOnce(context, run),
    terminate: () => hasEnded(context, run),
    advance: () => advance(context, run),
    searches: () => render(context, run),
    finish: () => finish(context, run),
    save: () => saved(context, run),
    dispose: loops.dispose,
  };
}

async function finish(context: RunContext, run: Run): Promise<Inversion> {
  const { tensors, image, mask, loss } = await render(context, run);
  const { compiled, missing, history } = run;
  const chosen = bestSearches(loss, run.images.dims[0], 1);
  const codes = chosen.map((search) => codeOf(context, run, search));
  const tuning = tuningOf(compiled, tensors);
  const gradientNorm = gradientNormsOf(tensors, chosen);
  return {
    image: rows(image, chosen),
    mask: mask && rows(mask, chosen),
    ...(missing ? { missing } : {}),
    latents: latentsOf(run, tensors, chosen),
    weights: new Map([...compiled.weights.keys()].map((name) => [name, tensors.get(name)!])),
    ...(tuning ? { tuning } : {}),
    codes,
    ...(gradientNorm ? { gradientNorm } : {}),
    loss: chosen.map((i) => loss[i]),
    steps: history.loss.map((list) => list.length),
    history,
    ...(codes.includes('interrupted') && !run.isCutShort ? { state: await saved(context, run) } : {}),
  };
}

/** How a search has ended: an image that has stopped in one stage continues in the next. */
function codeOf({ method }: RunContext, { stage, step, codes }: Run, search: number): ResultCode {
  if (stage + 1 < method.stages.length) return 'interrupted';
  return codes[search] ?? (step >= method.stages[stage].steps ? 'step-limit' : 'interrupted');
}
