/** Lifting to the working opset changes no value: every model, as written, against its lifted form on ONNX Runtime. */
import { readdirSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { encodeModel } from '../../src/onnx/encode.ts';
import { readModel } from '../../src/onnx/read.ts';
import type { Tensor } from '../../src/onnx/tensor.ts';
import { float32 } from '../../src/onnx/tensor.ts';
import { randomFrom } from '../../src/random.ts';
import { nodeRuntime } from '../../src/runtime/node/onnxruntime.ts';
import { expectClose } from '../support/close.ts';
import { hasShared, sharedBytes, sharedNpz, sharedPath, withShared } from '../support/shared.ts';

const runtime = nodeRuntime();

async function run(bytes: Uint8Array, feeds: ReadonlyMap<string, Tensor>): Promise<Map<string, Tensor>> {
  const session = await runtime.session(bytes);
  try {
    return await session.run(feeds);
  } finally {
    await session.dispose();
  }
}

const filesOf = (...folder: string[]): string[] =>
  hasShared ? readdirSync(sharedPath(...folder)).filter((name) => name.endsWith('.onnx')) : [];

/** `in.X` of a single-operator case, or the arrays named like the inputs. */
function feedsFrom(arrays: ReadonlyMap<string, Tensor>, inputs: readonly string[]): Map<string, Tensor> {
  return new Map(inputs.map((name) => [name, (arrays.get(`in.${name}`) ?? arrays.get(name))!]));
}

/** Operators that ONNX Runtime no longer runs in the form of the file: compared with the recorded output. */
async function expected(bytes: Uint8Array, feeds: Map<string, Tensor>, arrays: ReadonlyMap<string, Tensor>) {
  const recorded = [...arrays].filter(([name]) => name.startsWith('out.'));
  if (recorded.length > 0) return new Map(recorded.map(([name, value]) => [name.slice(4), value]));
  return run(bytes, feeds);
}

describe.skipIf(!hasShared)(withShared('lifted models compute what their files say'), () => {
  for (const folder of ['ops', 'generators'] as const) {
    describe(folder, () => {
      for (const file of filesOf('fixtures', folder)) {
        it(file, async () => {
          const bytes = sharedBytes('fixtures', folder, file);
          const arrays = sharedNpz('fixtures', folder, `${file.split('.')[0]}.npz`);
          const { graph } = readModel(bytes);
          const feeds = feedsFrom(
            arrays,
            graph.inputs.map((input) => input.name),
          );
          const lifted = await run(encodeModel(graph), feeds);
          const reference = await expected(bytes, feeds, arrays);
          expect([...lifted.keys()].sort()).toEqual([...reference.keys()].sort());
          for (const [name, value] of reference) expectClose(lifted.get(name)!, value, 1e-5, name);
        });
      }
    });
  }

  for (const file of filesOf('models')) {
    it(`models: ${file}`, async () => {
      const bytes = sharedBytes('models', file);
      const { graph } = readModel(bytes);
      const size = graph.inputs[0].dims[1] as number;
      const feeds = new Map([['z', float32(randomFrom(1).normals(2 * size), [2, size])]]);
      const reference = await run(bytes, feeds);
      const lifted = await run(encodeModel(graph), feeds);
      for (const [name, value] of reference) expectClose(lifted.get(name)!, value, 1e-5, name);
    });
  }
});
