/** Old and new operator forms to the working opset. */
import type { Graph } from './graph.ts';

export interface Lifted {
  readonly graph: Graph;
  readonly notes: readonly string[];
}

export function lift(graph: Graph, _opset: number): Lifted {
  return { graph, notes: [] };
}
