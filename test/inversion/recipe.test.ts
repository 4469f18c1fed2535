/** The reference recipe step by step, against traces computed in PyTorch float64 from recorded starts. */
import { describe, expect, it } from 'vitest';
import { rows } from '../../src/arrays/rows.ts';
import { STEP } from '../../src/inversion/compile/step-names.ts';
import { openGenerator } from '../../src/inversion/generator/generator.ts';
import { dgp } from '../../src/inversion/methods/dgp.ts';
import { rgi } from '../../src/inversion/methods/rgi.ts';
import { rrgi } from '../../src/inversion/methods/rrgi.ts';
import { yeh } from '../../src/inversion/methods/yeh.ts';
import { createSolver } from '../../src/inversion/solve/solver.ts';
import type { Method } from '../../src/inversion/spec/method.ts';
import type { Graph } from '../../src/onnx/graph.ts';
import { readModel } from '../../src/onnx/read.ts';
import { float32, float32Data, type Tensor } from '../../src/onnx/tensor.ts';
import { nodeRuntime } from '../../src/runtime/node/onnxruntime.ts';
import { expectClose } from '../support/close.ts';
import { hasShared, sharedBytes, sharedNpz, withShared } from '../support/shared.ts';

const STEPS = 20;

/** The traces tune every float initialiser of rank two and more. */
function matrices(graph: Graph): string[] {
  return [...graph.initializers].filter(([, t]) => t.type === 'float32' && t.dims.length >= 2).map(([name]) => name);
}

const cases: Record<string, (weights: string[]) => Method> = {
  rgi_l2: () => rgi({ preset: 'paper', steps: STEPS, channels: 3 }),
  rgi_l1: () => rgi({ preset: 'paper-l1', steps: STEPS, channels: 3 }),
  rgi_l2_zeros: () => rgi({ preset: 'paper-detect', steps: STEPS, channels: 3 }),
  rrgi_l2: (weights) => rrgi({ preset: 'paper', steps: STEPS, channels: 3, weights, weightsFrom: 10 }),
  yeh_without: () => yeh({ recipe: 'rgi', preset: 'paper', masked: false, steps: STEPS }),
  yeh_with: () => yeh({ recipe: 'rgi', preset: 'paper', masked: true, steps: STEPS }),
  pan_with: (weights) =>
    dgp({ recipe: 'rgi', preset: 'paper', weightGroups: [weights], layers: [], steps: STEPS, weightsFrom: 10 }),
};

describe.skipIf(!hasShared)(withShared('the recipe on ffhq64_vae, step by step'), () => {
  for (const [name, method] of Object.entries(cases)) {
    it(name, async () => {
      const { graph } = readModel(sharedBytes('models', 'ffhq64_vae.onnx'));
      const trace = sharedNpz('fixtures', 'recipe', 'ffhq64_vae.npz');
      const runtime = nodeRuntime();
      const generator = await openGenerator(graph, runtime);
      const weights = matrices(generator.graph);
      const count = trace.get(`${name}.z`)!.dims[1];
      const images = Array.from({ length: count }, (_, i) => i);
      const solver = createSolver(generator, method(weights), runtime);
      await solver.init(
        rows(trace.get('x')!, images),
        rows(maskOf(trace.get('mask')!), images),
        new Map([['z', rows(trace.get('z0')!, images)]]),
      );
      const z: number[] = [];
      const masks: number[] = [];
      const losses: number[] = [];
      for (let t = 0; t < STEPS; t++) {
        const report = await solver.step();
        losses.push(report.loss.reduce((a, c) => a + c, 0));
        const { tensors } = await solver.save();
        z.push(...float32Data(tensors.get('z')!));
        if (tensors.has(STEP.mask)) masks.push(...everyEighth(tensors.get(STEP.mask)!));
      }
      expectClose(float32(losses), trace.get(`${name}.loss`)!, 1e-3, 'loss');
      expectClose(float32(z, [STEPS, count, 64]), trace.get(`${name}.z`)!, 1e-3, 'z');
      const mask = trace.get(`${name}.M_every_8th`);
      expect(masks.length > 0).toBe(mask !== undefined);
      if (mask) expectClose(float32(masks, mask.dims), mask, 1e-3, 'M');
      const theta = trace.get(`${name}.theta_first`);
      if (theta) {
        const tuned = float32Data((await solver.save()).tensors.get('m.main.0.weight')!);
        const start = float32Data(graph.initializers.get('m.main.0.weight')!);
        expectClose(
          float32(
            tuned.map((v, i) => v - start[i]),
            theta.dims,
          ),
          theta,
          1e-2,
          'change of theta',
        );
      }
      await solver.dispose();
    });
  }
});

function maskOf(mask: Tensor): Tensor {
  return float32(
    Float32Array.from(mask.data as ArrayLike<number>),
    mask.dims.length === 3 ? [mask.dims[0], 1, ...mask.dims.slice(1)] : mask.dims,
  );
}

function everyEighth(mask: Tensor): number[] {
  const [n, channels, height, width] = mask.dims;
  const data = float32Data(mask);
  const picked: number[] = [];
  for (let plane = 0; plane < n * channels; plane++) {
    for (let y = 0; y < height; y += 8)
      for (let x = 0; x < width; x += 8) picked.push(data[(plane * height + y) * width + x]);
  }
  return picked;
}
