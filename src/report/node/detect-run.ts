/** What `rgi detect` wrote, for the page: verdicts, scores against the threshold, maps on the policy's one scale. */
import { z } from 'zod';
import type { DetectRecord } from '../../detect/node/record.ts';
import { VERDICT_WORDS, type Verdict, verdictOf } from '../../detect/verdict.ts';
import type { Chart } from '../../pages/chart.ts';
import { percent } from '../../pages/table.ts';
import { calibrationSections } from '../calibration-sections.ts';
import type { RunPicture, RunReport } from '../run-page.ts';
import type { PictureUse } from './embed.ts';

export const detectSchema = z.looseObject({
  format: z.literal(1),
  kind: z.literal('detect'),
  complete: z.boolean(),
  policy: z.looseObject({
    name: z.string(),
    thresholds: z.object({ pixel: z.number(), image: z.number() }),
    falseAlarms: z.object({ pixel: z.number().optional(), image: z.number() }),
    calibration: z.looseObject({ pictures: z.number(), unseen: z.number() }).optional(),
  }),
  generator: z.looseObject({ file: z.string() }),
  notes: z.array(z.string()),
});

type Manifest = z.infer<typeof detectSchema>;

export interface Run {
  readonly report: Omit<RunReport, 'embedded'>;
  readonly uses: readonly PictureUse[];
}

export function detectionRun(name: string, manifest: Manifest, results: readonly DetectRecord[]): Run {
  const { policy, generator, notes, complete, ...rest } = manifest;
  // The highest score first: what is left out of a page that would be too large is good.
  const done = results.filter((one) => one.status === 'done').sort((a, b) => scoreOf(b) - scoreOf(a));
  const defective = done.filter((one) => one.defective).length;
  const pictures = done.map(pictureOf);
  const marked = done.filter((one) => verdict(one) === 'marked').length;
  return {
    report: {
      title: `Detection: ${name}`,
      complete,
      tiles: [
        ['pictures called defective', `${defective} of ${done.length}`],
        ['marked, under the limit', `${marked} of ${done.length}`],
        ['score above which a picture is defective', policy.thresholds.image.toPrecision(3)],
      ],
      facts: [
        ['What', `${defective} of ${done.length} pictures are defective`],
        [
          'Threshold of a picture',
          `score ${policy.thresholds.image.toPrecision(3)} (set so that ${percent(policy.falseAlarms.image)} of good pictures are above it)`,
        ],
        [
          'Threshold of a region',
          `${policy.thresholds.pixel.toPrecision(3)} (set so that ${
            policy.falseAlarms.pixel === undefined
              ? `${percent(policy.falseAlarms.image)} of good pictures have any region`
              : `${percent(policy.falseAlarms.pixel)} of good pixels are above it`
          })`,
        ],
        ['Policy', policy.name],
        ['Generator', generator.file],
      ],
      about: `The score is ${policy.scorePixels === 1 ? "the anomaly map's largest value" : `the mean of the anomaly map's ${policy.scorePixels} largest values`}; regions are those above their own threshold. A picture that has regions and a score under the limit is 'marked': look at it if a missed defect costs more than a look. All maps are drawn on one scale.`,
      stateLabel: 'Verdict',
      order: 'highest score first',
      columns: [
        { key: 'score', label: 'Score', digits: 2 },
        { key: 'regions', label: 'Regions', digits: 0 },
        { key: 'marked', label: 'Marked (%)', digits: 2 },
        { key: 'seconds', label: 'Seconds', digits: 2 },
      ],
      pictures,
      charts: [scoreChart(done, policy.thresholds.image)],
      sections: calibrationSections(policy, done),
      notes,
      failed: results.flatMap((one) =>
        one.status === 'failed' ? [{ file: one.path, reason: one.message ?? 'It could not be inspected.' }] : [],
      ),
      settings: [
        ['Policy', policy],
        ['Model and run', { generator, ...rest }],
      ],
    },
    uses: done.flatMap(usesOf),
  };
}

function verdict({ defective = false, defects = [] }: DetectRecord): Verdict {
  return verdictOf(defective, defects.length);
}

function scoreOf({ score }: DetectRecord): number {
  return score ?? Number.NEGATIVE_INFINITY;
}

function pictureOf(result: DetectRecord): RunPicture {
  const { name, path, defects, markedShare, score, seconds, message, files = [] } = result;
  const file = (kind: string) => files.find((one) => one === `${name}.${kind}`) ?? '';
  return {
    name,
    state: VERDICT_WORDS[verdict(result)],
    marked: verdict(result) === 'defective',
    ...(message ? { message } : {}),
    values: {
      score,
      regions: defects?.length,
      marked: markedShare === undefined ? undefined : 100 * markedShare,
      seconds,
    },
    thumbs: [
      { file: path, caption: 'input', alt: `${name} as it was given` },
      { file: file('overlay.png'), caption: 'found', alt: `${name} with what was found outlined` },
      {
        file: file('map.png'),
        caption: 'map',
        alt: `${name}: anomaly map, brighter is more anomalous, one scale for all pictures`,
      },
      { file: file('mask.png'), caption: 'mask', alt: `${name}: the pixels above the threshold, in white` },
    ],
  };
}

function usesOf({ name, path, sha256, files = [] }: DetectRecord): PictureUse[] {
  const own = (kind: string) => files.filter((one) => one === `${name}.${kind}`);
  return [
    ...(sha256 === undefined ? [] : [{ file: path, sha256 }]),
    ...[...own('overlay.png'), ...own('map.png')].map((file) => ({ file })),
    ...own('mask.png').map((file) => ({ file, lossless: true })),
  ];
}

function scoreChart(done: readonly DetectRecord[], threshold: number): Chart {
  const scores = done.flatMap(({ score }) => (score === undefined ? [] : [score]));
  return {
    title: 'Scores, highest first',
    xLabel: 'rank of the picture',
    yLabel: 'score',
    series: [{ label: 'pictures', style: 0, points: scores.map((score, i) => [i + 1, score] as const) }],
    reference: { label: 'defective above', y: threshold },
  };
}
