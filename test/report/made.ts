/** A made-up evaluation: two cases, three methods, pictures of one pixel, names that try to break a page. */
import { aggregate } from '../../src/evaluate/aggregate.ts';
import type { Results, TrialRecord } from '../../src/evaluate/record.ts';
import type { ReportInput } from '../../src/report/page.ts';
import type { RunReport } from '../../src/report/run-page.ts';

/** A grey pixel. */
export const PIXEL =
  'data:image/png;base64,iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAAAAAA6fptVAAAACklEQVR4nGNoAAAAggCBd81ytgAAAABJRU5ErkJggg==';

export const HOSTILE = `"><script>alert('x')</script><img src=x onerror=alert(1)> & 'so'.png`;

const METHODS = ['rgi', 'rgi:paper', 'yeh+mask'];
const CASES = ['block', 'random'];

export function madeTrials(images: readonly string[] = ['a.png', 'b.png', HOSTILE]): TrialRecord[] {
  return CASES.flatMap((name, c) =>
    METHODS.flatMap((method, m) =>
      images.map((image, index): TrialRecord => {
        const place = `pictures/${name}/${m}-${index}`;
        const steps = Array.from({ length: 40 }, (_, i) => i * 5);
        return {
          kind: 'inpaint',
          key: `${c}-${m}-${index}`,
          set: 'faces',
          case: name,
          method,
          maskGiven: method.endsWith('+mask'),
          image,
          index,
          code: 'step-limit',
          metrics: {
            psnr: 20 + 3 * c - 2 * m + index,
            ssim: 0.5 + 0.1 * index,
            mask_iou: m === 2 ? null : 0.8 - 0.1 * m,
            true_share: 0.25,
          },
          seconds: 1 + m,
          steps: 200,
          loss: 1,
          history: {
            step: steps,
            loss: steps.map((s) => (100 - index) * Math.exp(-s / (40 + 20 * m)) + 1),
            masked: steps.map((s) => 0.25 + 0.5 * Math.exp(-s / 30)),
          },
          pictures: {
            truth: `pictures/truth/${index}.png`,
            input: `pictures/${name}/${index}.input.png`,
            trueMask: `pictures/${name}/${index}.mask.png`,
            restored: `${place}.restored.png`,
            composite: `${place}.composite.png`,
            mask: `${place}.mask.png`,
            map: `${place}.map.png`,
          },
          ...(index === 0
            ? {
                snapshots: [10, 50, 200].map((step) => ({
                  step,
                  restored: `${place}.${step}.png`,
                  mask: `${place}.${step}.m.png`,
                })),
              }
            : {}),
        };
      }),
    ),
  );
}

export function madeResults(trials: readonly TrialRecord[]): Results {
  return {
    format: 1,
    kind: 'inpaint',
    complete: true,
    command: `rgi evaluate inpaint 'faces & <co>' --generator g.onnx`,
    versions: { rgi: '0' },
    device: 'cpu',
    settings: { seed: 0, generator: { file: 'g.onnx' }, data: HOSTILE },
    methods: { rgi: { steps: 200 } },
    notes: ['A note with <b>.'],
    failed: [{ file: HOSTILE, reason: 'is <empty>.' }],
    results: aggregate(trials),
    trials: trials.map((trial) => trial.key),
  };
}

export function madeReport(trials = madeTrials()): ReportInput {
  const files = trials.flatMap((trial) => [
    ...Object.values(trial.pictures ?? {}).map(String),
    ...(trial.snapshots ?? []).flatMap((one) => [one.restored, one.mask]),
  ]);
  return {
    title: `Restoration: ${HOSTILE}`,
    results: madeResults(trials),
    trials,
    embedded: new Map(files.map((file) => [file, PIXEL])),
    notes: [],
  };
}

/** A made-up detection run, the oddest picture first. */
export function madeRun(): RunReport {
  const pictures = ['b.png', 'a.png', HOSTILE].map((name, i) => ({
    name,
    state: i === 0 ? 'defective' : 'good',
    marked: i === 0,
    values: { score: 9 - i },
    thumbs: ['input', 'found', 'map', 'mask'].map((caption) => ({
      file: 'pixel',
      caption,
      alt: `${name}, ${caption}`,
    })),
  }));
  return {
    title: 'Detection: parts',
    facts: [['What', '1 of 3 pictures are defective']],
    complete: true,
    about: 'Scores.',
    stateLabel: 'Verdict',
    columns: [{ key: 'score', label: 'Score', digits: 2 }],
    pictures,
    order: 'the oddest first',
    charts: [],
    notes: [],
    failed: [],
    settings: [['Policy', { name: 'default' }]],
    embedded: new Map([['pixel', PIXEL]]),
  };
}
