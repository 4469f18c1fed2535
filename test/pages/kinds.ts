/** One page of each kind, made of small inputs whose names try to break a page. */
import { demoPage } from '../../demo/page.ts';
import { linearPage, trainingPage } from '../../src/gan/page.ts';
import type { DataFacts } from '../../src/gan/record.ts';
import { defaultSettings } from '../../src/gan/settings.ts';
import { reportPage } from '../../src/report/page.ts';
import { runPage } from '../../src/report/run-page.ts';
import { theoryPage } from '../../src/theory/page.ts';
import type { Errors, PathCell, PathExperiment, Theory, TuningCell } from '../../src/theory/record.ts';
import { HOSTILE, madeReport, madeRun, PIXEL } from '../report/made.ts';

/** The pages by kind. */
export async function madePages(): Promise<ReadonlyMap<string, string>> {
  return new Map([
    ['report of an evaluation', await reportPage(madeReport())],
    ['report of a run', await runPage({ ...madeRun(), complete: false, failed: [{ file: HOSTILE, reason: 'empty' }] })],
    ['theory', await theoryPage(madeTheory())],
    ['training of a network', await madeTrainingPage()],
    ['training of a linear generator', await madeLinearPage()],
    ['demo', await madeDemoPage()],
  ]);
}

const DATA: DataFacts = {
  folder: HOSTILE,
  pictures: 70,
  held: 10,
  channels: 3,
  size: 32,
  kind: 'object',
  scale: 1,
  mirror: false,
  fingerprint: '0',
  broken: 1,
};
const SHEETS = { samples: PIXEL, reconstructions: PIXEL };

export function madeTrainingPage(): Promise<string> {
  const steps = Array.from({ length: 20 }, (_, i) => 50 * (i + 1));
  const record = {
    settings: defaultSettings({ size: 32, count: 70 }, { steps: 2000 }),
    data: DATA,
    seconds: 4000,
    losses: steps.map((step) => ({ step, reconstruction: 20 / step, discriminator: 1.2, adversarial: 0.9 })),
    pending: [],
    coverage: [500, 1000].map((step) => ({ step, median: 20 + step / 500, worst: 15, block: 18 })),
    events: [HOSTILE],
  };
  return trainingPage(`Training ${HOSTILE}`, record, SHEETS, 4000);
}

export function madeLinearPage(): Promise<string> {
  const eigenvalues = Array.from({ length: 30 }, (_, i) => 10 / (i + 1) ** 2);
  const coverage = { step: 0, median: 25.2, worst: 19.9, encoded: 25, block: 21.4 };
  const settings = { architecture: 'linear', latent: 30, seed: 0 };
  return linearPage(
    'Training lin.onnx',
    { settings, data: DATA, coverage, eigenvalues, explained: 0.9, seconds: 3 },
    SHEETS,
  );
}

const GREYS = [64, 16, 4, 1];

/** Errors that fall with the threshold; the third picture is trapped. */
function errorsAt(grey: number, found: boolean): Errors[] {
  return [0, 1, 2].map((i) => {
    const rms = found && i === 2 ? 9 : 0.01 * grey;
    return {
      objective: rms,
      z: rms / 100,
      rms,
      rmsInside: 2 * rms,
      rmsOutside: rms / 2,
      psnr: 40,
      mask: { iou: 0.9, falsePositives: 0.01, misses: 0.1, distance: 0.02 },
    };
  });
}

function pathCell(
  experiment: PathExperiment,
  name: string,
  estimator: PathCell['estimator'],
  level?: number,
): PathCell {
  const points = GREYS.map((grey) => ({
    grey,
    lambda: grey / 100,
    search: errorsAt(grey, true),
    truth: errorsAt(grey, false),
  }));
  const key = [experiment, name, estimator, level].join();
  return { kind: 'path', key, experiment, case: name, estimator, points, ...(level === undefined ? {} : { level }) };
}

function tuningCell(maskGiven: boolean): TuningCell {
  const points = [0, 10, 100].map((weightSteps) => ({
    weightSteps,
    errors: errorsAt(64 / (1 + weightSteps), true),
    toCorruption: [80, 70 - weightSteps / 10, 75],
  }));
  const common = { kind: 'tuning', experiment: 'tuning', case: 'block', gap: 'smooth', level: 8, gapGrey: 8 } as const;
  return { ...common, key: String(maskGiven), maskGiven, points };
}

/** Every experiment, each with three pictures. */
export function madeTheory(): Theory {
  const losses = ['rgi-l2', 'rgi-l1'] as const;
  return {
    format: 1,
    complete: false,
    command: `rgi theory --generator '${HOSTILE}'`,
    versions: { rgi: '0' },
    device: 'cpu',
    settings: { generator: { file: HOSTILE, image: [3, 32, 32] }, count: 3, seed: 0, starts: 3, pool: 100, steps: 100 },
    invariance: { scale: false, sentence: 'G(2z) differs from G(z).' },
    notes: [HOSTILE],
    seconds: 10,
    cells: [
      ...['block', 'random'].flatMap((name) => losses.map((loss) => pathCell('path', name, loss))),
      ...[0.1, 0.5, 0.9].map((level) => pathCell('fraction', 'random', 'rgi-l1', level)),
      ...[4, 64].map((level) => pathCell('weak', 'block', 'rgi-l1', level)),
      ...[2, 16].map((level) => pathCell('gap', 'random', 'rgi-l1', level)),
      pathCell('pictures', 'block', 'rgi-l1'),
      ...(['squares', 'absolute', 'huber'] as const).map((loss) => pathCell('relatives', 'block', loss)),
      tuningCell(false),
      tuningCell(true),
    ],
  };
}

function madeDemoPage(): Promise<string> {
  const history = { step: [0, 10, 20], loss: [9, 3, 1], masked: [0.5, 0.3, 0.25], value: [0.5, 0.3, 0.25] };
  const item = {
    case: 'block',
    title: HOSTILE,
    pictures: { input: PIXEL, mask: PIXEL, composite: PIXEL, restored: PIXEL, truth: PIXEL, trueMask: PIXEL },
    psnr: { before: 10, restored: 25, composite: 26 },
    iou: 0.9,
    seconds: 1,
    steps: 20,
    history,
  };
  const inspected = (title: string, defect: boolean, marked: boolean) => ({
    title,
    defect,
    marked,
    defective: defect && marked,
    score: 4,
    threshold: 3,
    across: 0.6,
    pictures: { input: PIXEL, overlay: PIXEL, map: PIXEL, mask: PIXEL, trueMask: PIXEL },
  });
  const inspection = {
    items: [inspected('A scratch', true, true), inspected('A pit', true, false), inspected('Good', false, true)],
    pixelAuroc: 0.99,
    scale: PIXEL,
    high: 12,
    pixelThreshold: 6,
    falseAlarms: 0.01,
    credit: HOSTILE,
  };
  return demoPage({
    sets: [
      { name: 'faces', title: 'Faces', credit: HOSTILE, items: [item, { ...item, case: 'random', title: 'Noise' }] },
    ],
    search: { title: 'A block', input: PIXEL, frames: [5, 20].map((step) => ({ step, restored: PIXEL, mask: PIXEL })) },
    inspection,
    figures: {
      pictures: 2,
      before: 10,
      restored: 25,
      composite: 26,
      iou: 0.9,
      secondsPerPicture: 1,
      seconds: 9,
      inspection: { pixelAuroc: 0.99, defects: 2, marked: 1, found: 1, good: 1, passed: 0 },
    },
    machine: HOSTILE,
  });
}
