/** What runs leave behind (results.json, records.jsonl, manifest.json, results.jsonl, theory.json), changed; read, and made a page of. */
import { writeFile } from 'node:fs/promises';
import path from 'node:path';
import { trialSchema } from '../../src/evaluate/record-schema.ts';
import { readJournal } from '../../src/jobs/node/journal-file.ts';
import { readReport } from '../../src/report/node/read.ts';
import { readRun } from '../../src/report/node/read-run.ts';
import { reportPage } from '../../src/report/page.ts';
import { runPage } from '../../src/report/run-page.ts';
import { cellSchema } from '../../src/theory/record-schema.ts';
import { bytesOf, type FuzzFiles, type FuzzKind } from './kind.ts';
import { jsonOf, mutatedBytes, mutateTree, pick } from './mutate.ts';

/** Files of a run by name; those that end in .jsonl are lists of lines. */
type Journal = Readonly<Record<string, unknown>>;

const LIMIT = 1e6;

export function journals(): FuzzKind {
  return {
    make(random): FuzzFiles {
      const journal = structuredClone(pick(JOURNALS, random));
      const isText = random.integer(4) === 0;
      if (!isText) mutateTree(journal, random, true);
      const files = new Map(Object.entries(journal).map(([name, value]) => [name, bytesOf(textOf(name, value))]));
      if (isText) {
        const [name, bytes] = pick([...files], random);
        files.set(name, mutatedBytes(bytes, bytes, random));
      }
      return files;
    },
    async read(files, folder) {
      for (const [name, bytes] of files) await writeFile(path.join(folder, name), bytes);
      await readJournal(folder, trialSchema);
      await readJournal(folder, cellSchema);
      const run = await readRun(folder, { limit: LIMIT });
      if (run) await runPage(run);
      else if (files.has('results.json')) await reportPage(await readReport(folder, { limit: LIMIT }));
    },
  };
}

function textOf(name: string, value: unknown): string {
  return name.endsWith('.jsonl') && Array.isArray(value)
    ? value.map((line) => `${jsonOf(line)}\n`).join('')
    : jsonOf(value);
}

const VERSIONS = { rgi: '0.1.0', onnxruntime: '1.0.0' };
const HISTORY = { step: [0, 1, 2], loss: [3, 2, null], masked: [0.5, 0.4, 0.3] };
const SUMMARY = { n: 2, mean: 0.5, median: 0.5, low: 0.4, high: 0.6 };

const trial = (method: string, image: string, index: number) => ({
  kind: 'inpaint',
  key: `${method}${index}`,
  set: 'faces',
  case: 'block',
  method,
  maskGiven: false,
  image,
  index,
  code: 'converged',
  metrics: { psnr: 30 + index, ssim: 0.9, iou: 0.8 },
  seconds: 1.5,
  steps: 3,
  loss: 0.1,
  history: { step: [0, 1, 2], loss: [3, 2, 1], masked: [0.5, 0.4, 0.3] },
  pictures: { input: 'pictures/in.png', restored: 'pictures/out.png', mask: '../mask.png' },
  snapshots: [{ step: 0, restored: 'pictures/0.png', mask: 'pictures/0m.png' }],
});

const result = (method: string, kind: 'block' | 'crack') => ({
  set: 'faces',
  case: kind,
  method,
  maskGiven: false,
  n: 2,
  diverged: 0,
  metrics: kind === 'block' ? { psnr: SUMMARY, ssim: SUMMARY } : { pixelAp: { n: 2, pooled: 0.7 } },
  curves: [{ kind: 'roc', x: [0, 0.5, 1], y: [0, 0.8, 1] }],
});

const evaluation = (kind: 'inpaint' | 'detect'): Journal => ({
  'results.json': {
    format: 1,
    kind,
    complete: true,
    command: 'rgi evaluate',
    versions: VERSIONS,
    device: 'cpu',
    settings: { seed: 1, generator: { file: 'faces.onnx' } },
    methods: { rgi: { steps: 10 }, yeh: {} },
    notes: ['a note'],
    failed: [{ file: 'b.png', reason: 'It is damaged.' }],
    results: ['rgi', 'yeh'].map((method) => result(method, kind === 'inpaint' ? 'block' : 'crack')),
    trials: ['rgi0', 'rgi1', 'yeh0', 'yeh1'],
  },
  'records.jsonl': ['rgi', 'yeh'].flatMap((method) => ['a', 'b'].map((image, i) => trial(method, image, i))),
});

const HASH = 'c'.repeat(64);

const entry = (job: string, record: { readonly key: string } & Readonly<Record<string, unknown>>) => ({
  job,
  item: record.key,
  source: record.key,
  content: HASH,
  key: HASH,
  program: '0.1.0',
  rules: 1,
  status: 'done',
  outputs: { 'pictures/out.png': HASH },
  record,
});

const ERRORS = { objective: 1, z: 0.1, rms: 2, rmsInside: 2, rmsOutside: 1, psnr: 30, mask: null };

const JOURNALS: readonly Journal[] = [
  evaluation('inpaint'),
  evaluation('detect'),
  {
    'manifest.json': {
      format: 1,
      kind: 'detect',
      complete: true,
      policy: {
        name: 'default',
        thresholds: { pixel: 3, image: 5 },
        falseAlarms: { pixel: 0.01, image: 0.1 },
        scorePixels: 3,
      },
      generator: { file: 'part.onnx' },
      notes: [],
      versions: VERSIONS,
    },
    'results.jsonl': [
      {
        name: 'a',
        path: 'a.png',
        status: 'done',
        score: 7,
        defective: true,
        defects: [{ area: 9 }],
        markedShare: 0.1,
        seconds: 1,
        files: ['a.map.png', 'a.mask.png'],
      },
      {
        name: 'b',
        path: 'b.png',
        status: 'done',
        score: 2,
        defective: false,
        defects: [],
        markedShare: 0,
        seconds: 1,
        files: [],
      },
      { name: 'c', path: 'c.png', status: 'failed', message: 'It is damaged.' },
    ],
  },
  {
    'manifest.json': {
      format: 1,
      complete: true,
      options: { method: 'rgi', masked: false },
      method: { name: 'rgi', stages: [{ steps: 3 }] },
      generator: { file: 'faces.onnx' },
      versions: VERSIONS,
      device: 'cpu',
      notes: ['a note'],
      images: [
        {
          name: 'a',
          path: 'a.png',
          status: 'done',
          message: 'restored',
          code: 'converged',
          loss: 1,
          steps: 3,
          seconds: 1,
          maskedShare: 0.1,
          history: HISTORY,
          files: ['a.restored.png'],
        },
        { name: 'b', path: 'b.png', status: 'failed', message: 'It is damaged.' },
      ],
    },
  },
  {
    'journal.jsonl': [
      entry('theory', {
        kind: 'path',
        key: 'a',
        experiment: 'path',
        case: 'block',
        estimator: 'rgi',
        points: [{ grey: 8, lambda: 0.1, search: [ERRORS], truth: [ERRORS] }],
      }),
    ],
  },
  {
    ...Object.fromEntries(Object.entries(evaluation('inpaint')).filter(([name]) => name === 'results.json')),
    'journal.jsonl': ['a', 'b'].map((image, i) => entry('inpaint', trial('rgi', image, i))),
  },
];
