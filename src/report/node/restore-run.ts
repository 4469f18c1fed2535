/** What `rgi restore` wrote, for the page: what was found and filled, and how the searches went. */
import { z } from 'zod';
import { quantile } from '../../arrays/sort.ts';
import { type ImageRecord, imageRecordSchema } from '../../restore/node/manifest.ts';
import { historyCharts } from '../curves.ts';
import type { RunPicture } from '../run-page.ts';
import type { Run } from './detect-run.ts';
import type { PictureUse } from './embed.ts';

export const restoreSchema = z.looseObject({
  format: z.literal(1),
  complete: z.boolean(),
  options: z.looseObject({ method: z.string().optional() }),
  method: z.unknown(),
  generator: z.looseObject({ file: z.string().optional() }),
  versions: z.record(z.string(), z.string()),
  device: z.string(),
  notes: z.array(z.string()),
  images: z.array(imageRecordSchema),
});

type Manifest = z.infer<typeof restoreSchema>;

export function restorationRun(name: string, manifest: Manifest): Run {
  const { images, options, method, generator, versions, device, notes, complete } = manifest;
  const done = images.filter((one) => one.status === 'done');
  const label = options.method ?? 'method';
  const maskGiven = options.masked === true;
  const histories = done.flatMap(({ history }) => (history ? [history] : []));
  const numbers = (values: readonly (number | null)[]) => values.map((value) => value ?? Number.NaN);
  return {
    report: {
      title: `Restoration: ${name}`,
      complete,
      tiles: [
        ['pictures restored', `${done.length} of ${images.length}`],
        ['masked share, median', percentOf(medianOf(done.flatMap(({ maskedShare }) => maskedShare ?? [])))],
        ['seconds each, median', medianOf(done.flatMap(({ seconds }) => seconds ?? []))?.toFixed(1)],
      ],
      facts: [
        ['What', `${done.length} of ${images.length} pictures restored`],
        ['Method', label],
        ['Generator', generator.file],
        ['Device', device],
      ],
      about:
        'Masked is the share of the picture that was found corrupted (or was given as such). Residuals are drawn on one scale.',
      stateLabel: 'How the search ended',
      order: 'as given',
      columns: [
        { key: 'masked', label: 'Masked (%)', digits: 1 },
        { key: 'loss', label: 'Loss', digits: 1 },
        { key: 'steps', label: 'Steps', digits: 0 },
        { key: 'seconds', label: 'Seconds', digits: 1 },
      ],
      pictures: done.map((picture) => pictureOf(picture, maskGiven)),
      charts: historyCharts(
        histories.map(({ step, loss, masked }) => ({
          method: label,
          maskGiven,
          history: { step, loss: numbers(loss), masked: numbers(masked) },
        })),
        [label],
      ),
      notes,
      failed: images.flatMap(({ status, path, message }) =>
        status === 'failed' ? [{ file: path, reason: message }] : [],
      ),
      settings: [
        ['Options', options],
        ['The method as it was resolved', method],
        ['Generator', generator],
        ['Versions', { ...versions, device }],
      ],
    },
    uses: done.flatMap(usesOf),
  };
}

function medianOf(values: readonly number[]): number | undefined {
  if (values.length === 0) return undefined;
  return quantile(
    [...values].sort((a, b) => a - b),
    0.5,
  );
}

function percentOf(share: number | undefined): string | undefined {
  return share === undefined ? undefined : `${(100 * share).toFixed(1)}%`;
}

function pictureOf(
  { name, path, message, code, loss, steps, seconds, maskedShare, files = [] }: ImageRecord,
  maskGiven: boolean,
): RunPicture {
  const file = (kind: string) => files.find((one) => one === `${name}.${kind}`) ?? '';
  const composite = files.find((one) => isComposite(name, one)) ?? '';
  return {
    name,
    state: message,
    marked: code === 'diverged',
    values: {
      masked: maskedShare === undefined ? undefined : 100 * maskedShare,
      loss: loss ?? undefined,
      steps,
      seconds,
    },
    thumbs: [
      { file: path, caption: 'input', alt: `${name} as it was given` },
      { file: file('restored.png'), caption: 'restored', alt: `${name} restored` },
      { file: composite, caption: 'composite', alt: `${name}, the found region filled` },
      {
        file: file('mask.png'),
        caption: 'mask',
        alt: `${name}: the mask that was ${maskGiven ? 'given' : 'found'}, in white`,
      },
      {
        file: file('residual.png'),
        caption: 'residual',
        alt: `${name}: residual, brighter is larger, one scale for all`,
      },
    ],
  };
}

/** It has the format of the picture. */
function isComposite(name: string, file: string): boolean {
  return file.startsWith(`${name}.composite.`) && !file.endsWith('.npy');
}

function usesOf({ name, path, sha256, files = [] }: ImageRecord): PictureUse[] {
  const own = (kind: string) => files.filter((one) => one === `${name}.${kind}`);
  return [
    ...(sha256 === undefined ? [] : [{ file: path, sha256 }]),
    ...['restored.png', 'residual.png'].flatMap(own).map((file) => ({ file })),
    ...files.filter((one) => isComposite(name, one)).map((file) => ({ file })),
    ...own('mask.png').map((file) => ({ file, lossless: true })),
  ];
}
