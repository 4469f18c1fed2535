/** Policies of a model: settings with members changed, statistics of other shapes, archives with bytes changed. What is taken is used. */
import { readFile, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { readPolicy, statisticsFile, writePolicy } from '../../src/detect/node/policy-files.ts';
import { checkPolicyFits, type Policy } from '../../src/detect/policy.ts';
import { anomalyMap } from '../../src/detect/scoring.ts';
import { openModel } from '../../src/models/node/model-file.ts';
import { encodeModel } from '../../src/onnx/encode.ts';
import { withMetadata } from '../../src/onnx/metadata.ts';
import { float32, zeros } from '../../src/onnx/tensor.ts';
import { randomFrom } from '../../src/random.ts';
import { bytesOf, type FuzzKind, textOf } from './kind.ts';
import { pictureGraph } from './model-seeds.ts';
import { jsonOf, mutatedBytes, mutateTree, pick } from './mutate.ts';

const SIDE = 8;

const POLICY: Policy = {
  format: 1,
  name: 'default',
  form: 'object',
  scale: 1,
  stride: 4,
  inversion: { thresholdGrey: 32, prior: 0.1, steps: 10, starts: 2 },
  evidence: { blur: 0.7, smoothing: 1.5, surround: { width: 2, activity: [0.5, 1, 2], scale: [0.5, 1, 2] } },
  thresholds: { pixel: 3, image: 5 },
  falseAlarms: { pixel: 0.01, image: 0.1 },
  leastArea: 4,
  scorePixels: 3,
  displayHigh: 9,
  calibration: { pictures: 24, unseen: 24 },
  statistics: {
    location: zeros('float32', [1, 3, 1, 1]),
    whitening: float32([1, 0, 1, 0, 0, 1], [1, 6, 1, 1]),
  },
};

const DIMS = [
  [1, 3, 1, 1],
  [1, 6, 1, 1],
  [1, 3, SIDE, SIDE],
  [1, 6, SIDE, SIDE],
  [1, 0, 1, 1],
  [1, 3],
  [0, 3, 1, 1],
  [1, 1, 1, 1],
  [1, 3, SIDE, 1],
];

export function policies(): FuzzKind {
  const model = encodeModel(pictureGraph(3, SIDE));
  const statistics = (dims: readonly number[]) => zeros('float32', dims);
  return {
    make(random) {
      const { statistics: own, ...settings } = structuredClone(POLICY);
      const isStatistics = random.integer(3) === 0;
      const shapes = [own.location, own.whitening].map(({ dims }) => (isStatistics ? pick(DIMS, random) : dims));
      // The digest of the statistics is put into the settings when the policy is written, then the settings are changed.
      const tree: unknown = settings;
      if (!isStatistics) mutateTree(tree, random, true);
      const seed = random.integer(4) === 0 ? random.integer(2 ** 31) : 0;
      return new Map([
        ['settings.json', bytesOf(jsonOf(tree))],
        ['statistics.json', bytesOf(JSON.stringify({ shapes, seed }))],
      ]);
    },
    async read(files, folder) {
      const { shapes, seed } = JSON.parse(textOf(files, 'statistics.json')) as {
        shapes: number[][];
        seed: number;
      };
      const file = path.join(folder, 'model.onnx');
      await writeFile(file, model);
      const [location, whitening] = shapes.map(statistics);
      await writePolicy(file, { ...POLICY, statistics: { location, whitening } });
      const written = JSON.parse((await openModel(file)).metadata.get('rgi.policies')!) as {
        default: { statistics: string };
      };
      // The text is put together as it is: what is nested deeply cannot be written again.
      const entry = textOf(files, 'settings.json').replace(/\}$/, `,"statistics":"${written.default.statistics}"}`);
      await writeFile(file, withMetadata(model, new Map([['rgi.policies', `{"default":${entry}}`]])));
      if (seed > 0) {
        const beside = statisticsFile(file);
        const bytes = await readFile(beside);
        await writeFile(beside, mutatedBytes(bytes, bytes, randomFrom(seed)));
      }
      const policy = await readPolicy(file, await openModel(file));
      checkPolicyFits(policy, { channels: 3, height: SIDE, width: SIDE });
      const picture = zeros('float32', [1, 3, SIDE, SIDE]);
      const map = anomalyMap(picture, picture, policy.statistics, policy.evidence);
      // A map without numbers would call every picture good.
      if (!map.data.every(Number.isFinite)) throw new Error('the policy was taken, and its map holds no numbers');
    },
  };
}
