/** The one loop that drives a solver through the stages of its method: whoever runs a search takes its events. */
import type { Tensor } from '../../onnx/tensor.ts';
import type { Runtime } from '../../runtime/runtime.ts';
import type { Generator } from '../generator/generator.ts';
import type { Method } from '../spec/method.ts';
import type { SolverOptions, StepReport } from './run.ts';
import { createSolver, type Inversion, type Solver } from './solver.ts';
import type { SolverState } from './state.ts';

/** What has just happened; between two events the solver may be asked for what it has (`searches`, `finish`, `save`). */
export type DriverEvent =
  | { readonly kind: 'stage-begin' | 'stage-end' }
  | { readonly kind: 'step'; readonly report: StepReport };

/**
 * Drives a solver that has been initialised, or resumed, to the end of its last stage. Aborted, it ends before the next step, without the
 * end of that stage.
 */
export async function* drive(
  solver: Pick<Solver, 'step' | 'terminate' | 'advance'>,
  signal?: AbortSignal,
): AsyncGenerator<DriverEvent> {
  do {
    yield { kind: 'stage-begin' };
    while (!solver.terminate()) {
      if (signal?.aborted) return;
      yield { kind: 'step', report: await solver.step() };
    }
    yield { kind: 'stage-end' };
  } while (!signal?.aborted && (await solver.advance()));
}

/** What `runMethod` may be given. */
export interface RunOptions extends SolverOptions {
  /** Called after each step. */
  readonly onStep?: (report: StepReport) => void;
  /** An interrupted run's state, to resume. */
  readonly from?: SolverState;
  /** Starts (see `Solver.init`). Default: chosen by the method's rule. */
  readonly latents?: ReadonlyMap<string, Tensor>;
}

/** Runs all stages on images [n,C,H,W] in [-1,1], or what is left of them; `mask` [n,1,H,W] (1 = corrupted) is for methods that need it. */
export async function runMethod(
  generator: Generator,
  method: Method,
  runtime: Runtime,
  images: Tensor,
  mask?: Tensor,
  options: RunOptions = {},
): Promise<Inversion> {
  const solver = createSolver(generator, method, runtime, options);
  try {
    await (options.from ? solver.resume(options.from, images, mask) : solver.init(images, mask, options.latents));
    for await (const event of drive(solver, options.signal)) {
      if (event.kind !== 'step') continue;
      options.onStep?.(event.report);
      await options.onState?.(solver.searches);
    }
    return await solver.finish();
  } finally {
    await solver.dispose();
  }
}
