/**
 * The card of a shipped model (models/NAME/README.md), made from its files alone: the metadata of generator.onnx, the
 * record of its training (training.json), the sizes of the files. A test generates every card again and compares.
 */
import { existsSync, readdirSync, readFileSync, statSync } from 'node:fs';
import path from 'node:path';
import type { CoveragePoint, LossPoint } from '../src/gan/record.ts';
import { readModel } from '../src/onnx/read.ts';
import { SUBJECTS, type Subject } from './model-subjects.ts';

/** `training.json`: facts about the run that the model file does not hold. */
export interface TrainingRecord {
  /** The command line that repeats the run. */
  readonly command: string;
  readonly coverage: readonly CoveragePoint[];
  readonly losses: readonly LossPoint[];
  readonly events: readonly string[];
}

/** The part of the metadata `rgi.training` that a card shows. */
interface TrainingFacts {
  readonly settings: Readonly<Record<string, unknown>> & { readonly architecture: string; readonly latent: number };
  readonly data: { readonly pictures: number; readonly held: number; readonly channels: number; readonly size: number };
  readonly step: number;
  readonly seconds: number;
  readonly coverage: { readonly median: number; readonly worst: number };
  /** Of whole pictures whose central quarter was hidden from the inversion; not measured for older models. */
  readonly block?: { readonly median: number };
  readonly explained?: number;
}

export function modelCard(folder: string): string {
  const name = path.basename(folder);
  const subject = SUBJECTS[name];
  if (!subject)
    throw new Error(`No subject '${name}' in scripts/model-subjects.ts: add it, with its data and licence.`);
  const { metadata } = readModel(readFileSync(path.join(folder, 'generator.onnx')));
  const facts = JSON.parse(metadata.get('rgi.training') ?? '{}') as TrainingFacts;
  const record = JSON.parse(readFileSync(path.join(folder, 'training.json'), 'utf8')) as TrainingRecord;
  const { data, settings } = facts;
  const rows: [string, string][] = [
    ['pictures', `${data.channels === 1 ? 'grey' : 'colour'}, ${data.size} x ${data.size}`],
    ['architecture', `${settings.architecture}, z of ${settings.latent}, normal`],
    ['training data', `${data.pictures} pictures${dataSeen(facts)}; ${data.held} more were held out`],
    ['training time', `${duration(facts.seconds)} on two cores that other work shared`],
    [
      'coverage',
      `plain inversion reaches held-out pictures with ${facts.coverage.median.toFixed(1)} dB PSNR (median), ${facts.coverage.worst.toFixed(1)} dB (worst)`,
    ],
    ...optional(
      'hidden centre',
      facts.block,
      ({ median }) => `the same with the central quarter hidden: ${median.toFixed(1)} dB (median)`,
    ),
    ...optional('explained', facts.explained, (share) => `${(100 * share).toFixed(1)} % of the pictures' variance`),
    ...policyRow(metadata.get('rgi.policies')),
  ];
  return `# ${subject.title}

${subject.about}

![Samples of random latents](samples.png)

Samples of random latents, not selected.

## Figures

| | |
| --- | --- |
${rows.map(([key, value]) => `| ${key} | ${value} |`).join('\n')}

${coverageTable(record, settings.architecture)}The command that made it:

\`\`\`sh
${record.command}
\`\`\`

## Files

| file | |
| --- | --- |
${filesOf(folder)
  .map(({ file, mib }) => `| \`${file}\` | ${mib} MiB |`)
  .join('\n')}

Weights are stored in 16 bits; computations use 32 bits. \`rgi inspect models/${name}/generator.onnx\` shows the metadata of the file.

## Data and licence

${licence(subject)}
`;
}

/** A row that only some models have. */
function optional<T>(name: string, value: T | undefined, say: (value: T) => string): [string, string][] {
  return value === undefined ? [] : [[name, say(value)]];
}

/** Steps times the pictures of a step; linear models see each picture once. */
function dataSeen({ settings, step }: TrainingFacts): string {
  const { samples, reconstructions } = settings as { samples?: number; reconstructions?: number };
  if (!step) return '';
  const seen = step * ((samples ?? 0) + (reconstructions ?? 0));
  return `, ${seen} seen in ${step} steps`;
}

function policyRow(text: string | undefined): [string, string][] {
  if (text === undefined) return [];
  const policies = JSON.parse(text) as Record<string, { calibration?: { pictures?: number; unseen?: number } }>;
  return Object.entries(policies).map(([name, { calibration }]) => [
    `policy '${name}'`,
    `for \`rgi detect\`, calibrated on ${calibration?.unseen ?? calibration?.pictures ?? '?'} held-out good pictures`,
  ]);
}

const MAX_SHOWN = 8;

/** At most eight of the measurements, always with the last one. */
function coverageTable({ coverage }: TrainingRecord, architecture: string): string {
  if (architecture === 'linear' || coverage.length < 2) return '';
  const count = Math.min(MAX_SHOWN, coverage.length);
  const shown = Array.from(
    { length: count },
    (_, i) => coverage[Math.round((i * (coverage.length - 1)) / (count - 1))],
  );
  const row = (label: string, of: (point: CoveragePoint) => number) =>
    `| ${label} | ${shown.map((point) => of(point).toFixed(1)).join(' | ')} |`;
  const measured = shown.every((point) => point.block !== undefined);
  return `PSNR (dB) of the held-out pictures during training, by plain inversion. The step with the ${measured ? 'largest mean of the first two rows' : 'best value'} was kept.

| step | ${shown.map((point) => point.step).join(' | ')} |
| --- | ${shown.map(() => '---').join(' | ')} |
${row('whole, median', (point) => point.median)}
${measured ? `${row('hidden centre, median', (point) => point.block)}\n` : ''}${row('whole, worst', (point) => point.worst)}

`;
}

function filesOf(folder: string): { file: string; mib: string }[] {
  return readdirSync(folder)
    .filter((file) => /\.(onnx|npz)$/.test(file))
    .sort()
    .map((file) => ({ file, mib: (statSync(path.join(folder, file)).size / 2 ** 20).toFixed(1) }));
}

function licence({ data, licence, notice, pictures }: Subject): string {
  const shown = pictures ? `\n\n${pictures}` : '';
  const text = notice ? `\n\n\`\`\`text\n${notice.trim()}\n\`\`\`` : '';
  return `${data}\n\n${licence}${shown}${text}`;
}

function duration(seconds: number): string {
  if (seconds < 90) return `${Math.round(seconds)} s`;
  const minutes = Math.round(seconds / 60);
  return minutes < 90 ? `${minutes} min` : `${Math.floor(minutes / 60)} h ${minutes % 60} min`;
}

/** Folders of models that are complete enough for a card. */
export function shippedModels(root: string): string[] {
  if (!existsSync(root)) return [];
  return readdirSync(root)
    .map((name) => path.join(root, name))
    .filter(
      (folder) => existsSync(path.join(folder, 'generator.onnx')) && existsSync(path.join(folder, 'training.json')),
    )
    .sort();
}
