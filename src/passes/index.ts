/**
 * The passes, each exact to rounding and switchable. `optimisePrimal` works on a generator's graph before it is
 * differentiated, `optimise` on the whole step.
 */
import type { Evaluate, Graph, StaticGraph } from '../onnx/graph.ts';
import { sumChannelsByProducts } from './channel-sums.ts';
import { mergeEqualNodes } from './common.ts';
import { withoutDeadCode } from './dead-code.ts';
import { foldConstants } from './fold.ts';
import { nameOutputsDirectly } from './outputs.ts';
import { splitPhases } from './phases.ts';
import { regroupProducts, skipExpands } from './products.ts';
import { shapesOf } from './shapes.ts';
import { simplifySlopes } from './slopes.ts';
import { gatherRows } from './transposes.ts';
import { mergeUpsampling } from './upsample.ts';

/** All are on unless switched off. */
export interface PassOptions {
  /** Upsampling and convolution merged into a transposed convolution (before differentiation), split into phases (after). */
  readonly phaseSplit?: boolean;
  /** What depends on constants alone is computed once. */
  readonly fold?: boolean;
  /** Equal nodes are computed once. */
  readonly common?: boolean;
  /** Products regrouped, expansions left out, leaky slopes clipped. */
  readonly products?: boolean;
  /** Sums over channels as matrix products. */
  readonly channelSums?: boolean;
  /** Transpositions of whole rows as Gather. */
  readonly rows?: boolean;
  /** No copies that only name an output. */
  readonly directOutputs?: boolean;
}

/** Before differentiation. `variables`: the initialisers that will be tuned. */
export function optimisePrimal(
  graph: StaticGraph,
  variables: ReadonlySet<string> = new Set(),
  options: PassOptions = {},
): StaticGraph {
  return options.phaseSplit === false ? graph : mergeUpsampling(graph, variables);
}

/** After differentiation: `graph` has static input shapes; tuned weights are inputs, initialisers are constants. */
export async function optimise(graph: Graph, evaluate: Evaluate, options: PassOptions = {}): Promise<Graph> {
  const {
    phaseSplit = true,
    fold = true,
    common = true,
    products = true,
    channelSums = true,
    rows = true,
    directOutputs = true,
  } = options;
  let result = withoutDeadCode(directOutputs ? nameOutputsDirectly(graph) : graph);
  if (fold) result = await foldConstants(result, evaluate);
  if (common) result = mergeEqualNodes(result);
  if (products) result = simplifySlopes(result);
  if (!phaseSplit && !products && !channelSums && !rows) return result;
  const dims = await shapesOf(result, evaluate);
  if (phaseSplit) result = splitPhases(result, dims);
  if (products) {
    result = skipExpands(result, dims);
    result = mergeEqualNodes(regroupProducts(result, dims));
  }
  if (channelSums) result = sumChannelsByProducts(result, dims);
  if (rows) result = gatherRows(result, dims);
  return result;
}
