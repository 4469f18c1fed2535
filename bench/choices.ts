/**
 * Do harder drawn defects choose better inspection settings? Each residual threshold, statistics of each pixel or of all, and smoothing is tried on
 * held-out pictures with three sets of drawn defects (`calibrate`'s, the harder ones, half of each) and on real defective pictures; pixels alone.
 * Printed: each setting's scores, and what each set would choose.
 *
 *   npm run bench -- choices MODEL SET_FOLDER
 */
import path from 'node:path';
import { evenly } from '../src/datasets/sampling.ts';
import { CALIBRATION_SEARCH, restoringWith } from '../src/detect/calibration-setup.ts';
import { type Candidate, type Compared, comparer, firstCandidate } from '../src/detect/candidates.ts';
import { foldsOf } from '../src/detect/folds.ts';
import { loadGoodPictures } from '../src/detect/node/good-pictures.ts';
import { openProjection } from '../src/detect/projection.ts';
import { residualScale } from '../src/detect/scale.ts';
import { withDefects } from '../src/detect/synthetic.ts';
import { findDetectionSet } from '../src/evaluate/node/detection-layouts.ts';
import { type Image, type Mask, shapeOf } from '../src/images/image.ts';
import { dilate } from '../src/images/morphology.ts';
import { readMask, readPicture } from '../src/images/node/read.ts';
import { openProduct } from '../src/models/node/product.ts';
import { streamOf } from '../src/random.ts';
import { createRuntime } from '../src/runtime/node/index.ts';
import { drawHarderDefect, HARDER_KINDS } from './harder-defects.ts';
import { mean } from './trials.ts';

interface Shown {
  readonly image: Image;
  readonly mask: Mask;
}

interface Row {
  readonly setting: string;
  /** By the set of defects; 'real' is the mean over both halves of the real ones. */
  readonly found: ReadonlyMap<string, Pick<Compared, 'measured' | 'score'>>;
}

const { comparedOn, maskGreys, rounds, maskedShare } = CALIBRATION_SEARCH;

/** As `withDefects` widens its masks. */
const MARGIN = 1.5 / 128;

export async function choices([model, folder]: readonly string[]): Promise<void> {
  const runtime = await createRuntime({ threads: 1 });
  const product = await openProduct(runtime, { generator: model });
  const { generator, source } = product;
  const train = path.join(folder, 'train', 'good');
  const pictures = await loadGoodPictures(train, generator, source, { form: 'object', scale: 1 });
  const projection = await openProjection(generator, runtime);
  const restore = restoringWith({ generator, form: 'object', stride: generator.height, projection }, runtime);
  const chosen = evenly([...pictures.unseen.keys()], comparedOn);
  const good = chosen.map((i) => pictures.unseen[i]);
  const seen = evenly(pictures.seen, comparedOn);
  const folds = foldsOf(
    good.length,
    chosen.flatMap((i) => pictures.groups?.[i] ?? []),
  );
  const unmasked = { thresholdGrey: 255, noiseGrey: 0.5, rounds: 0 };
  const { medianGrey } = residualScale(await restore(unmasked, evenly(good, 8)), maskedShare);
  const noiseGrey = Math.max(0.5, 1.4826 * medianGrey);
  const sets = new Map<string, readonly Shown[]>([
    ...drawnSets(good, noiseGrey),
    ...(await realSets(folder, generator, good.length)),
  ]);
  const rows: Row[] = [];
  for (const thresholdGrey of maskGreys) {
    const inversion = { thresholdGrey, noiseGrey, rounds };
    const [clean, learnt] = [await restore(inversion, good), await restore(inversion, seen)];
    const measures = new Map<string, (candidate: Candidate) => Compared>();
    for (const [name, shown] of sets) {
      const bad = await restore(
        inversion,
        shown.map(({ image }) => image),
      );
      const truth = shown.map(({ mask }) => mask);
      measures.set(name, comparer({ good: clean, bad, truth, seen: learnt, folds }));
    }
    for (const perPixel of [true, false])
      for (const smoothing of [0, 1.5, 3]) {
        const candidate = { ...firstCandidate('object', generator.height / 128), perPixel, smoothing };
        const found = new Map([...measures].map(([name, measure]) => [name, measure(candidate)]));
        rows.push({ setting: `${thresholdGrey} grey, ${perPixel ? 'each pixel' : 'pooled'}, ${smoothing}`, found });
      }
  }
  report(rows);
  await projection?.dispose();
  await runtime.dispose();
}

function drawnSets(good: readonly Image[], noiseGrey: number): [string, Shown[]][] {
  const drawn = withDefects(good, 0);
  const harder = good.map((picture, i): Shown => {
    const other = good[(i + 7) % good.length];
    const kind = HARDER_KINDS[i % HARDER_KINDS.length];
    const { image, mask } = drawHarderDefect(picture, other, kind, noiseGrey / 127.5, streamOf(0, i, 77));
    return { image, mask: dilate(mask, MARGIN * Math.min(shapeOf(picture).height, shapeOf(picture).width)) };
  });
  return [
    ['drawn', drawn],
    ['harder', harder],
    ['half', good.map((_, i) => (i % 4 < 2 ? drawn[i] : harder[i]))],
  ];
}

/** Defective test pictures with their masks, in two sets of `count`, since one is compared with as many good ones. */
async function realSets(
  folder: string,
  { channels, height, width }: { readonly channels: number; readonly height: number; readonly width: number },
  count: number,
): Promise<[string, Shown[]][]> {
  const { test } = await findDetectionSet(folder);
  const defective = evenly(
    test.filter(({ mask }) => mask !== undefined),
    2 * count,
  );
  const shown = await Promise.all(
    defective.map(async (sample): Promise<Shown> => {
      const picture = await readPicture(sample.path, { channels, size: { height, width }, fit: 'cover', grey: 'luma' });
      return { image: picture.image, mask: await readMask(sample.mask!, picture) };
    }),
  );
  return [0, 1].map((half) => [`real ${half}`, shown.filter((_, i) => i % 2 === half)]);
}

function report(rows: readonly Row[]): void {
  const scoreOf = (row: Row, name: string) => row.found.get(name)!.score;
  const real = (row: Row) => mean([0, 1].map((half) => row.found.get(`real ${half}`)!.measured.pixelAp));
  const realScore = (row: Row) => mean([0, 1].map((half) => scoreOf(row, `real ${half}`)));
  const names = ['drawn', 'harder', 'half'];
  for (const row of rows) {
    const scores = names.map((name) => `${name} ${scoreOf(row, name).toFixed(3)}`).join(', ');
    console.log(`${row.setting}: ${scores}, real ${realScore(row).toFixed(3)}, real AP ${real(row).toFixed(3)}`);
  }
  const best = (of: (row: Row) => number) => rows.reduce((a, b) => (of(b) > of(a) ? b : a));
  for (const name of names) {
    const row = best((one) => scoreOf(one, name));
    console.log(`chosen by ${name}: ${row.setting}; real AP ${real(row).toFixed(3)}`);
  }
  const row = best(real);
  console.log(`best of all: ${row.setting}; real AP ${real(row).toFixed(3)}`);
}
