/** Every single-operator fixture: gradients and Hessian-vector products against PyTorch's in float64. */
import { describe, expect, it } from 'vitest';
import { readModel } from '../../src/onnx/read.ts';
import { isFloat, type Tensor, zeros } from '../../src/onnx/tensor.ts';
import { expectClose } from '../support/close.ts';
import { gradientGraph, gradientsOf, type Tensors } from '../support/gradients.ts';
import { hasShared, sharedBytes, sharedJson, sharedNpz, withShared } from '../support/shared.ts';

interface Case {
  readonly name: string;
  readonly family: string;
}

const cases: Case[] = hasShared ? casesOf(sharedJson('fixtures', 'ops', 'ops.json')) : [];
const families = [...new Set(cases.map((c) => c.family))];

function casesOf(json: unknown): Case[] {
  const list = (Array.isArray(json) ? json : ((json as { cases: unknown }).cases ?? json)) as unknown;
  return Array.isArray(list)
    ? (list as Case[])
    : Object.entries(list as Record<string, { family: string }>).map(([name, value]) => ({
        name,
        family: value.family,
      }));
}

function group(arrays: Tensors, prefix: string): Tensors {
  return new Map(
    [...arrays]
      .filter(([name]) => name.startsWith(prefix))
      .map(([name, tensor]) => [name.slice(prefix.length), tensor]),
  );
}

describe.skipIf(!hasShared)(withShared('single operators, against PyTorch in float64'), () => {
  for (const family of families) {
    describe(family, () => {
      for (const { name } of cases.filter((c) => c.family === family)) {
        it(name, async () => {
          const model = readModel(sharedBytes('fixtures', 'ops', `${name}.onnx`));
          const arrays = sharedNpz('fixtures', 'ops', `${name}.npz`);
          const inputs = group(arrays, 'in.');
          const expected = group(arrays, 'grad.');
          const cotangents = group(arrays, 'cot.');
          const wrt = [...expected.keys()];
          const results = await gradientsOf(model.graph, inputs, cotangents, wrt);
          for (const [output, value] of group(arrays, 'out.')) {
            if (isFloat(value.type)) expectClose(results.get(output)!, value, 1e-5, `output ${output}`);
          }
          for (const [input, gradient] of expected) {
            expectClose(
              results.get(`grad/${input}`) ?? zeros('float32', gradient.dims),
              gradient,
              1e-5,
              `gradient of ${input}`,
            );
          }
          await expectSecondOrder(model.graph, inputs, cotangents, wrt, arrays);
        });
      }
    });
  }
});

/** hvp.X = d(sum over the inputs of <dir, grad>)/dX: the gradient graph differentiated once more. */
async function expectSecondOrder(
  graph: Parameters<typeof gradientGraph>[0],
  inputs: Tensors,
  cotangents: Tensors,
  wrt: string[],
  arrays: Tensors,
) {
  const expected = group(arrays, 'hvp.');
  if (expected.size === 0) return;
  const first = await gradientGraph(graph, inputs, cotangents, wrt);
  const all: Tensors = new Map(inputs);
  for (const [name, tensor] of cotangents) all.set(`cot/${name}`, tensor);
  const feeds = new Map([...all].filter(([name]) => first.inputs.some((input) => input.name === name)));
  const directions: Tensors = new Map();
  for (const [input, direction] of group(arrays, 'dir.')) directions.set(`grad/${input}`, direction);
  const gradientsOnly = { ...first, outputs: first.outputs.filter((output) => output.name.startsWith('grad/')) };
  const results: Map<string, Tensor> =
    gradientsOnly.outputs.length > 0 ? await gradientsOf(gradientsOnly, feeds, directions, wrt, 'hvp/') : new Map();
  for (const [input, value] of expected) {
    expectClose(
      results.get(`hvp/${input}`) ?? zeros('float32', value.dims),
      value,
      1e-4,
      `Hessian-vector product of ${input}`,
    );
  }
  expect(expected.size).toBeGreaterThan(0);
}
