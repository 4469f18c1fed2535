/** R-RGI's result as a delta: what was added to each tuned weight, and a generator with such a delta. */
import { RgiError } from '../../errors.ts';
import type { Graph } from '../../onnx/graph.ts';
import { float32, float32Data, type Tensor } from '../../onnx/tensor.ts';
import { retie } from '../../passes/tied.ts';
import type { Generator } from './generator.ts';
import { changesOfFactors } from './low-rank.ts';

/** Tuned minus original, by the name of the initialiser; of weights tuned by factors, their product. */
export function weightChanges({ graph }: Generator, tuned: ReadonlyMap<string, Tensor>): Map<string, Tensor> {
  const whole = [...tuned].flatMap(([name, tensor]): [string, Tensor][] => {
    const weight = graph.initializers.get(name);
    return weight ? [[name, combined(tensor, weight, -1)]] : [];
  });
  return new Map([...whole, ...changesOfFactors(graph, tuned)]);
}

/**
 * The generator as it was tuned to one picture: `changes` (of `restore`, or its file NAME.weights.npz) added to a graph as
 * `readModel` gives it. Copies that an exporter made of a changed weight change with it. Throws `input` for changes of
 * another generator.
 */
export function withWeightChanges(graph: Graph, changes: ReadonlyMap<string, Tensor>): Graph {
  const tied = retie(graph).graph;
  const initializers = new Map(tied.initializers);
  for (const [name, change] of changes) {
    const weight = initializers.get(name);
    if (weight?.type !== 'float32' || weight.dims.join() !== change.dims.join()) {
      throw new RgiError(
        'input',
        `The changes are of another generator: this one has no weight '${name}' of [${change.dims.join(', ')}].`,
        { tensor: name },
      );
    }
    initializers.set(name, combined(weight, change, 1));
  }
  return { ...tied, initializers };
}

/** a + factor b */
function combined(a: Tensor, b: Tensor, factor: number): Tensor {
  const other = float32Data(b);
  return float32(
    float32Data(a).map((value, i) => value + factor * other[i]),
    a.dims,
  );
}
