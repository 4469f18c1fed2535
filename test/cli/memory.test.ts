/** `--memory`: a search that needs more gives memory back at once, then computes inner values twice and says so, and is refused where that does not suffice. */
import { readFileSync, writeFileSync } from 'node:fs';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { generatorGraph, NETWORKS } from '../../bench/networks.ts';
import { writeNpy } from '../../src/arrays/npy.ts';
import { planMemory } from '../../src/inversion/compile/memory.ts';
import { withinMemory } from '../../src/inversion/compile/plan.ts';
import { adaptingReuse, reuse } from '../../src/inversion/compile/reuse.ts';
import { openGenerator } from '../../src/inversion/generator/generator.ts';
import { rgi } from '../../src/inversion/methods/rgi.ts';
import { encodeModel } from '../../src/onnx/encode.ts';
import { float32 } from '../../src/onnx/tensor.ts';
import { randomFrom } from '../../src/random.ts';
import { nodeRuntime } from '../../src/runtime/node/onnxruntime.ts';
import { type Bench, makeBench } from './bench.ts';

const PICTURES = 4;
let bench: Bench;
/** Of the plain step, and of the one that gives memory back at once. */
let planned: number;
let given: number;

beforeAll(async () => {
  bench = await makeBench();
  const graph = generatorGraph(NETWORKS.small64);
  writeFileSync(bench.file('small64.onnx'), encodeModel(graph));
  const noise = float32(randomFrom(1).normals(PICTURES * 3 * 64 * 64), [PICTURES, 3, 64, 64]);
  writeFileSync(bench.file('four.npy'), writeNpy(noise));
  const runtime = nodeRuntime({ threads: 1 });
  const generator = await openGenerator(graph, runtime);
  const method = rgi({ channels: 3, steps: 2 });
  planned = (await planMemory(generator, method, PICTURES, runtime, reuse())).total;
  const shared = adaptingReuse(withinMemory(planned - 1));
  given = (await planMemory(generator, method, PICTURES, runtime, shared)).total;
  await runtime.dispose();
});
afterAll(() => bench.remove());

/** Ended before its first step: what is noted is noted by then. */
const restored = (bytes: number, out: string) =>
  bench.rgi(
    `restore @four.npy --generator @small64.onnx --range -1..1 --batch ${PICTURES} --steps 2 --pool 4 --memory ${(bytes / 1e6).toFixed(6)}MB --out @${out}`,
    AbortSignal.abort(),
  );

interface Manifest {
  readonly key: string;
  readonly notes: string[];
  readonly recomputing?: string[];
}
const manifestOf = (out: string) => JSON.parse(readFileSync(bench.file(`${out}/manifest.json`), 'utf8')) as Manifest;

test('a search that needs more computes inner values twice; its key is that of one that does not', async () => {
  await restored(planned - 1, 'given');
  await restored(given - 1, 'twice');
  const [once, twice] = ['given', 'twice'].map(manifestOf);
  const note =
    "To keep to --memory, the steps of 'compete' compute inner values twice, which takes longer; the largest step of the search, of 'compete', needs about 0.2 GB.";
  expect(once.notes).not.toContain(note);
  expect(twice.notes).toContain(note);
  expect([once.recomputing, twice.recomputing]).toEqual([undefined, ['compete']]);
  expect(twice.key).toBe(once.key);
});

test('one that needs far more is refused', async () => {
  const { code, err } = await restored(20e6, 'refused');
  expect(code).toBe(2);
  expect(err).toContain(
    "A step of 'compete' needs about 0.2 GB, more than --memory allows (0.0 GB), even with inner values computed twice.",
  );
});
