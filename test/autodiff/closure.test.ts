/** Any order: whatever a rule or a decomposition emits on a differentiated path has a rule itself. */
import { describe, expect, it } from 'vitest';
import { DECOMPOSITIONS } from '../../src/autodiff/decompositions/index.ts';
import { RULES } from '../../src/autodiff/rules/index.ts';
import { readModel } from '../../src/onnx/read.ts';
import { isFloat } from '../../src/onnx/tensor.ts';
import { gradientGraph, type Tensors } from '../support/gradients.ts';
import { hasShared, sharedBytes, sharedJson, sharedNpz, withShared } from '../support/shared.ts';

const names = hasShared ? Object.keys(sharedJson<Record<string, unknown>>('fixtures', 'ops', 'ops.json')) : [];

/** Make integers, booleans or shapes only. */
const NOT_DIFFERENTIATED = new Set(['Constant']);

describe.skipIf(!hasShared)(withShared('the operators of all gradient graphs'), () => {
  it('have rules', async () => {
    const without = new Map<string, string>();
    for (const name of names) {
      const { graph } = readModel(sharedBytes('fixtures', 'ops', `${name}.onnx`));
      const arrays = sharedNpz('fixtures', 'ops', `${name}.npz`);
      const part = (prefix: string): Tensors =>
        new Map(
          [...arrays]
            .filter(([key]) => key.startsWith(prefix))
            .map(([key, value]) => [key.slice(prefix.length), value]),
        );
      const wrt = [...part('in.')].filter(([, tensor]) => isFloat(tensor.type)).map(([key]) => key);
      const full = await gradientGraph(graph, part('in.'), part('cot.'), wrt);
      for (const { operator } of full.nodes) {
        if (!RULES[operator] && !DECOMPOSITIONS[operator] && !NOT_DIFFERENTIATED.has(operator))
          without.set(operator, name);
      }
    }
    expect([...without]).toEqual([]);
  });
});
