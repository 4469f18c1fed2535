/** Records the searches of the masks' benchmark: for each set and case, without a mask and with the true one. */
import { existsSync } from 'node:fs';
import path from 'node:path';
import { parseCases } from '../../src/evaluate/cases.ts';
import { corrupt, fillMasked } from '../../src/images/corruptions.ts';
import { clip, type Image, type Mask, stackImages } from '../../src/images/image.ts';
import { reuse } from '../../src/inversion/compile/reuse.ts';
import type { Generator } from '../../src/inversion/generator/generator.ts';
import { rgi } from '../../src/inversion/methods/rgi.ts';
import { invertImages } from '../../src/inversion/solve/sequential-tuning.ts';
import { openGeneratorFile } from '../../src/models/node/networks.ts';
import { float32, float32Data, zeros } from '../../src/onnx/tensor.ts';
import { nodeRuntime } from '../../src/runtime/node/onnxruntime.ts';
import type { Runtime } from '../../src/runtime/runtime.ts';
import { folderPictures, onManifold, SHARED } from '../trials.ts';
import { type Recording, readRecordings, writeRecordings } from './recording.ts';

export interface RecordedSet {
  readonly name: string;
  /** The generator's file. */
  readonly generator: string;
  /** Its pictures; the generator's own samples where there are none. */
  readonly folder?: string;
  /** Pictures of another kind. */
  readonly foreign: string;
}

const data = (folder: string) => path.join(SHARED, 'data', folder);
const shipped = (name: string) => path.resolve(import.meta.dirname, '../../models', name, 'generator.onnx');

/** The sets; generators that `rgi train` has to make first lie in `trained` (smile.onnx, cartoon.onnx). */
export function setsOf(trained: string): RecordedSet[] {
  const vae = path.join(SHARED, 'models/ffhq64_vae.onnx');
  return [
    {
      name: 'trousers',
      generator: shipped('fashion-trousers'),
      folder: data('fashion_mnist/trouser/test'),
      foreign: data('fashion_mnist/ankle_boot/test'),
    },
    { name: 'vae', generator: vae, foreign: data('cartoon_faces/test') },
    { name: 'vae-faces', generator: vae, folder: data('gan_faces/test'), foreign: data('bsd_pitting/test/good') },
    {
      name: 'drawn-network',
      generator: shipped('cartoon-faces'),
      folder: data('cartoon_faces/test'),
      foreign: data('gan_faces/test'),
    },
    {
      name: 'drawn',
      generator: path.join(trained, 'cartoon.onnx'),
      folder: data('cartoon_faces/test'),
      foreign: data('gan_faces/test'),
    },
    {
      name: 'smile',
      generator: path.join(trained, 'smile.onnx'),
      folder: data('smile_faces/test'),
      foreign: data('fashion_mnist/ankle_boot/test'),
    },
    {
      name: 'metal',
      generator: shipped('bsd-pitting'),
      folder: data('bsd_pitting/test/good'),
      foreign: data('gan_faces/test'),
    },
  ];
}

export const CASES = [
  'clean',
  'block',
  'irregular',
  'scratches',
  'random',
  'strips',
  'dust',
  'text',
  'stains',
] as const;

/** Cases in which nothing of the picture can be kept. */
export const LOST = ['foreign', 'noise'] as const;

/** Records `count` pictures, from the `first` on, of each case of a set; a set whose files are absent is left out. */
export async function record(
  set: RecordedSet,
  out: string,
  { count, first, cases }: { count: number; first: number; cases: readonly string[] },
): Promise<void> {
  const missing = [set.generator, set.folder, set.foreign].filter((file) => file && !existsSync(file));
  if (missing.length > 0) return console.error(`${set.name}: ${missing.join(', ')} is not there.`);
  const runtime = nodeRuntime({ threads: 1 });
  const { generator } = await openGeneratorFile(runtime, { generator: set.generator });
  const clean = clip(
    set.folder
      ? await folderPictures(set.folder, generator, count, first)
      : await onManifold(generator, count, 100 + first, runtime),
  );
  const foreign = clip(await folderPictures(set.foreign, generator, count, first));
  const file = path.join(out, `${set.name}.npz`);
  // Cases that are already there stay, so that a recording can be continued.
  const recordings: Recording[] = existsSync(file) ? readRecordings(file) : [];
  const shared = { found: reuse(), given: reuse() };
  for (const name of cases) {
    if (recordings.some((known) => known.name === name)) continue;
    const { image, mask } = corruptedBy(name, clean, foreign, first);
    const started = performance.now();
    const found = await searched(generator, runtime, image, undefined, shared.found);
    const isLost = mask.data.every((m) => m === 1);
    const given = isLost ? found : await searched(generator, runtime, image, mask, shared.given);
    recordings.push({
      name,
      x: image,
      found: found.y,
      given: given.y,
      truth: mask,
      missing: stackImages(
        found.missing.map((own) => own ?? zeros('float32', [1, 1, generator.height, generator.width])),
      ),
    });
    writeRecordings(file, recordings);
    console.error(`${set.name} ${name}: ${((performance.now() - started) / 1000).toFixed(0)} s`);
  }
}

export function corruptedBy(name: string, clean: Image, foreign: Image, seed: number): { image: Image; mask: Mask } {
  const [n, , height, width] = clean.dims;
  const all = (value: number) => float32(new Float32Array(n * height * width).fill(value), [n, 1, height, width]);
  if (name === 'clean') return { image: clean, mask: all(0) };
  if (name === 'foreign') return { image: foreign, mask: all(1) };
  if (name === 'noise') return { image: fillMasked(clean, all(1), undefined, seed), mask: all(1) };
  return corrupt(clean, parseCases([name])[0].corruption, seed);
}

async function searched(
  generator: Generator,
  runtime: Runtime,
  x: Image,
  mask: Mask | undefined,
  shared: ReturnType<typeof reuse>,
): Promise<{ readonly y: Image; readonly missing: (Mask | undefined)[] }> {
  const method = rgi({ channels: generator.channels, masked: mask !== undefined });
  const made: Image[] = [];
  const missing: (Mask | undefined)[] = [];
  for await (const { inversion } of invertImages(generator, method, runtime, x, mask, { reuse: shared })) {
    made.push(float32(float32Data(inversion.image), inversion.image.dims));
    missing.push(inversion.missing);
  }
  return { y: stackImages(made), missing };
}
