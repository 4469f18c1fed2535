/** The commands of `bench -- kill`, on inputs that are as small as they can be. */
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { readPolicy, writePolicy } from '../src/detect/node/policy-files.ts';
import { type Checkpoint, readCheckpoint } from '../src/gan/checkpoint.ts';
import { writePicture } from '../src/images/node/write.ts';
import { openModel } from '../src/models/node/model-file.ts';
import { encodeModel } from '../src/onnx/encode.ts';
import { readModel } from '../src/onnx/read.ts';
import { float32 } from '../src/onnx/tensor.ts';
import { randomFrom } from '../src/random.ts';
import { tinyGenerator } from '../test/support/tiny.ts';

export interface Case {
  readonly name: string;
  /** Files that are copied into the folder of each run. */
  readonly given?: readonly string[];
  /** The command line for the run in `place`. */
  readonly words: (place: string) => readonly string[];
  /** What makes it go on. */
  readonly resume: readonly string[];
  /** How far the run has come: a number that never falls. */
  readonly progress: (place: string) => Promise<number>;
  /** Items that were done more than once. */
  readonly twice: (place: string) => Promise<number>;
  /** A file without what a clock says, as text. */
  readonly timeless: (file: string, bytes: Buffer) => string;
  /** Throws where what lies there cannot be used. */
  readonly check?: (place: string) => Promise<void>;
}

const SIDE = 16;
const PICTURES = 10;

/** Makes the inputs in `root`. */
export async function casesIn(root: string): Promise<Case[]> {
  const at = (name: string) => path.join(root, 'inputs', name);
  await makeInputs(at);
  const model = ['--generator', at('g.onnx')];
  const journalled = (name: string, words: (out: string) => readonly string[]): Case => ({
    name,
    words: (place) => words(path.join(place, 'out')),
    resume: ['--resume'],
    progress: async (place) => new Set((await entriesOf(place)).map(({ item }) => item)).size,
    async twice(place) {
      const items = (await entriesOf(place)).map(({ item }) => item);
      return items.length - new Set(items).size;
    },
    timeless: withoutTimes,
  });
  // With a threshold, no picture is refused as none of the generator's kind.
  const short = ['--steps', '40', '--pool', '50', '--starts', '2', '--threshold', '30'];
  // Every picture is done: of those that this generator makes nothing like, rgi says so.
  const plain = ['--method', 'invert', '--steps', '40', '--batch', '2'];
  return [
    journalled('restore', (out) => [
      'restore',
      at('pictures'),
      ...model,
      ...short,
      '--batch',
      '2',
      '--npy',
      '--out',
      out,
    ]),
    journalled('batch', (out) => ['batch', 'restore', at('list.csv'), ...model, ...plain, '--out', out]),
    journalled('shard', (out) => [
      ...['batch', 'restore', at('pictures'), ...model, ...plain, '--shard', '0/2', '--out', out],
    ]),
    journalled('detect', (out) => ['detect', at('pictures'), ...model, '--batch', '2', '--out', out]),
    journalled('evaluate inpaint', (out) => [
      ...[
        'evaluate',
        'inpaint',
        at('pictures'),
        ...model,
        '--cases',
        'block,random',
        '--batch',
        '3',
        '--pictures',
        '2',
      ],
      ...['--methods', 'rgi:steps=30:pool=50,invert:steps=30', '--snapshot-steps', '3', '--out', out],
    ]),
    journalled('evaluate detect', (out) => [
      ...['evaluate', 'detect', at('part'), ...model, '--size', String(SIDE), '--held', '4', '--pictures', '1'],
      ...['--methods', 'gaussian,pca:4,rgi:steps=12:pool=20', '--snapshot-steps', '3', '--batch', '2', '--out', out],
    ]),
    journalled('theory', (out) => [
      ...['theory', ...model, '--count', '2', '--steps', '4', '--starts', '2', '--pool', '25'],
      ...['--experiments', 'path,gap', '--out', out],
    ]),
    calibrateCase(at),
    trainCase(at),
  ];
}

async function makeInputs(at: (name: string) => string): Promise<void> {
  const random = randomFrom(4);
  await mkdir(at('.'), { recursive: true });
  await writeFile(at('g.onnx'), encodeModel(tinyGenerator(1, SIDE)));
  const picture = (spot: boolean) => {
    const [phase, pitch] = [6 * random.uniform(), 0.3 + 0.3 * random.uniform()];
    const data = Float32Array.from({ length: SIDE * SIDE }, (_, i) => {
      const [y, x] = [Math.floor(i / SIDE), i % SIDE];
      const isSpot = spot && y > 4 && y < 9 && x > 5 && x < 10;
      return isSpot ? -0.9 : 0.6 * Math.sin(phase + pitch * y) + 0.03 * random.normal();
    });
    return float32(data, [1, 1, SIDE, SIDE]);
  };
  for (let i = 0; i < PICTURES; i++) await writePicture(at(`pictures/${i}.png`), picture(i % 2 === 0));
  await writeFile(
    at('list.csv'),
    `path,name\n${Array.from({ length: PICTURES }, (_, i) => `pictures/${i}.png,a/${i}\n`).join('')}`,
  );
  for (let i = 0; i < 24; i++) await writePicture(at(`part/train/good/${i}.png`), picture(false));
  for (let i = 0; i < 3; i++) {
    await writePicture(at(`part/test/good/${i}.png`), picture(false));
    await writePicture(at(`part/test/spot/${i}.png`), picture(true));
  }
  await writePolicy(at('g.onnx'), {
    format: 1,
    name: 'default',
    form: 'object',
    scale: 1,
    stride: SIDE,
    inversion: { thresholdGrey: 30, prior: 0.01, steps: 30, starts: 2 },
    evidence: { blur: 0, smoothing: 0 },
    thresholds: { pixel: 5, image: 8 },
    falseAlarms: { pixel: 0.01, image: 0.05 },
    leastArea: 1,
    scorePixels: 1,
    displayHigh: 20,
    calibration: { pictures: 20, unseen: 20 },
    statistics: { location: float32([0], [1, 1, 1, 1]), whitening: float32([10], [1, 1, 1, 1]) },
  });
}

/** The journal's entries of items that are done; a torn line is none. */
async function entriesOf(place: string): Promise<{ item: string; status: string }[]> {
  const text = await readFile(path.join(place, 'out', 'journal.jsonl'), 'utf8').catch(() => '');
  return text.split('\n').flatMap((line) => {
    try {
      const entry = JSON.parse(line) as { item: string; status: string };
      return entry.status === 'done' ? [entry] : [];
    } catch {
      return [];
    }
  });
}

/** Seconds, and the command that was given, without --resume or the folder. */
function withoutTimes(file: string, bytes: Buffer): string {
  if (!/\.(jsonl?|csv|md|html)$/.test(file)) return bytes.toString('latin1');
  const text = bytes.toString('utf8');
  if (/results\.(csv|md)$|\.html$/.test(file)) return '';
  return text
    .replace(/"seconds": ?(\{[^}]*\}|[-\d.e]+)/g, '"seconds":0')
    .replace(/"(command|version)": ?"[^"]*"/g, '"$1":""');
}

/** Another policy is made for a model that has one: after each kill one or the other can be read. */
function calibrateCase(at: (name: string) => string): Case {
  const model = (place: string) => path.join(place, 'g.onnx');
  return {
    name: 'calibrate',
    given: [at('g.onnx'), at('g.policy.npz')],
    words: (place) => ['calibrate', at('part'), '--generator', model(place), '--steps', '8'],
    resume: [],
    progress: async () => 0,
    twice: async () => 0,
    timeless: (_, bytes) => bytes.toString('latin1'),
    async check(place) {
      await readPolicy(model(place), await openModel(model(place)));
    },
  };
}

/** A network in steps, whose checkpoint never goes back. */
function trainCase(at: (name: string) => string): Case {
  const stateOf = async (place: string): Promise<Checkpoint | undefined> => {
    const bytes = await readFile(path.join(place, 'model.training', 'checkpoint.npz')).catch(() => undefined);
    return bytes && readCheckpoint(bytes);
  };
  return {
    name: 'train',
    words: (place) => [
      ...['train', at('part'), '--out', path.join(place, 'model.onnx'), '--size', '32', '--width', '2'],
      ...['--latent', '4', '--held', '4', '--steps', '24', '--architecture', 'light'],
    ],
    resume: ['--resume'],
    progress: async (place) => (await stateOf(place))?.state.step ?? 0,
    twice: async () => 0,
    timeless(file, bytes) {
      if (file.endsWith('checkpoint.npz')) {
        const { state, record } = readCheckpoint(bytes);
        const tensors = [...state.tensors].map(([name, { data }]) => [name, [...(data as Float32Array)]]);
        return JSON.stringify({ ...state, tensors, record: { ...record, seconds: 0 } });
      }
      // Models and pages say how many seconds it took; weights and pictures are compared.
      if (file.endsWith('.html')) return '';
      if (!file.endsWith('.onnx')) return bytes.toString('latin1');
      const { nodes, initializers } = readModel(bytes).graph;
      const weights = [...initializers].map(([name, { data }]) => [name, Array.from(data, String)]);
      return JSON.stringify([nodes.map(({ operator, inputs, outputs }) => [operator, inputs, outputs]), weights]);
    },
  };
}
