/** The linear generator of a folder, on files: no steps, no checkpoint; measured and exported like a trained one. */
import path from 'node:path';
import { batchOf, mixed } from '../../datasets/dataset.ts';
import { heldOutCount, split } from '../../datasets/held-out.ts';
import { type FolderOptions, loadFolder } from '../../datasets/node/folder.ts';
import { float32 } from '../../onnx/tensor.ts';
import { randomFrom } from '../../random.ts';
import type { Runtime } from '../../runtime/runtime.ts';
import { measureCoverage, run } from '../coverage.ts';
import type { ModelFacts } from '../export.ts';
import { fitLinear } from '../networks/linear.ts';
import type { CoveragePoint, DataFacts } from '../record.ts';
import { factsOf, filesOf, sourceFacts, trainingFacts, writeModels, writeSheets } from './files.ts';
import type { RunEvent } from './run.ts';

export interface LinearRunOptions {
  readonly folder: string;
  readonly out: string;
  readonly data: FolderOptions;
  /** Components; default 32. */
  readonly latent?: number;
  readonly held?: number;
  readonly seed?: number;
  readonly half?: boolean;
  readonly licence?: ModelFacts['licence'];
  readonly signal?: AbortSignal;
  readonly onEvent?: (event: RunEvent) => void;
}

export interface LinearRunResult {
  readonly coverage: CoveragePoint;
  /** The share of the pictures' variance that the components hold. */
  readonly explained: number;
  readonly data: DataFacts;
  readonly seconds: number;
  readonly files: readonly string[];
}

const SAMPLES = 48;
/** The encoder's start is the least-squares solution: a few steps show that inversion stays there. */
const STEPS = 30;

export async function fitFolder(options: LinearRunOptions, runtime: Runtime): Promise<LinearRunResult> {
  const say = options.onEvent ?? (() => {});
  const started = performance.now();
  const { dataset, folder, broken } = await loadFolder(options.folder, {
    ...options.data,
    signal: options.signal,
    onProgress: (done, total) => say({ kind: 'loading', done, total }),
  });
  for (const picture of broken) say({ kind: 'broken', picture });
  const { latent = 32, seed = 0 } = options;
  const held = options.held ?? heldOutCount(dataset.pictures.length);
  const parts = split(dataset, held, seed);
  const all = (count: number) => Array.from({ length: count }, (_, i) => i);
  const images = batchOf(parts.train, all(parts.train.pictures.length), randomFrom(mixed(seed, 5)));
  const model = await fitLinear(images, latent, runtime, seed);
  const components = model.eigenvalues.length;
  const unseen = batchOf(parts.held, all(held));
  const reached = await measureCoverage(model.generator, unseen, runtime, {
    steps: STEPS,
    pool: 1,
    encoder: model.encoder,
  });
  const coverage = { step: 0, median: reached.median, worst: Math.min(...reached.psnr), encoded: reached.encoded };
  const data: DataFacts = {
    folder: path.basename(folder),
    pictures: parts.train.pictures.length,
    held,
    channels: dataset.channels,
    size: dataset.size,
    broken: broken.length,
  };
  const seconds = (performance.now() - started) / 1000;
  const settings = { architecture: 'linear', latent: components, seed };
  const source = sourceFacts(options.data, parts.train);
  const training = trainingFacts({ settings, explained: model.explained, source }, data, seconds, coverage);
  const facts = factsOf(data, components, training, options.licence);
  const files = filesOf(options.out);
  const graphs = { generator: model.generator, encoder: model.encoder };
  const written = await writeModels(graphs, facts, files, options.half);
  const z = float32(randomFrom(mixed(seed, 4)).normals(SAMPLES * components), [SAMPLES, components]);
  const samples = await run(runtime, model.generator, 'z', z, 'image');
  await writeSheets(files, 0, samples, unseen, reached.images);
  return { coverage, explained: model.explained, data, seconds, files: written };
}
