/**
 * Do the stated rates of false alarms hold? From an evaluation of `policy` (`rgi evaluate detect --methods policy`), whose maps are stored:
 * the verdicts at the policy's own limits, and 20 random splits of the good test pictures, of which one half sets both limits and the other
 * half is judged by them. The interval is that of the judged pictures' count, binomial, 95%.
 */
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { readPolicy } from '../src/detect/node/policy-files.ts';
import { regionScore, scoreThreshold } from '../src/detect/thresholds.ts';
import { storedMap } from '../src/evaluate/node/detect-files.ts';
import { openModel } from '../src/models/node/model-file.ts';
import { float32 } from '../src/onnx/tensor.ts';
import { randomFrom } from '../src/random.ts';

const SPLITS = 20;

interface Judged {
  readonly good: boolean;
  readonly score: number;
  /** See `regionScore`. */
  readonly region: number;
}

/** `verdicts EVALUATION GENERATOR` */
export async function verdicts([folder, generator]: readonly string[]): Promise<void> {
  const policy = await readPolicy(generator, await openModel(generator));
  const pictures = await picturesOf(folder, policy.leastArea);
  const good = pictures.filter((one) => one.good);
  const { image, pixel } = policy.thresholds;
  const rate = policy.falseAlarms.image;
  const count = (some: readonly Judged[], over: (one: Judged) => boolean) =>
    `${some.filter(over).length} of ${some.length}`;
  const bad = pictures.filter((one) => !one.good);
  console.log(`At the policy's limits (rate ${rate}):`);
  console.log(`  defective pictures called defective ${count(bad, (one) => one.score > image)}`);
  console.log(`  defective pictures with a region    ${count(bad, (one) => one.region > pixel)}`);
  console.log(`  good pictures called defective      ${count(good, (one) => one.score > image)}`);
  console.log(`  good pictures with a region         ${count(good, (one) => one.region > pixel)}`);
  const random = randomFrom(0);
  const totals = { image: 0, region: 0, judged: 0, found: 0 };
  for (let split = 0; split < SPLITS; split++) {
    const order = [...random.sample(good.length, good.length)];
    const [setting, judged] = [order.slice(0, good.length >> 1), order.slice(good.length >> 1)];
    const limit = (key: 'score' | 'region') =>
      scoreThreshold(
        setting.map((i) => good[i][key]),
        rate,
      );
    const [ofPicture, ofRegion] = [limit('score'), limit('region')];
    totals.judged += judged.length;
    totals.image += judged.filter((i) => good[i].score > ofPicture).length;
    totals.region += judged.filter((i) => good[i].region > ofRegion).length;
    totals.found += bad.filter((one) => one.score > ofPicture).length / bad.length / SPLITS;
  }
  const share = (value: number) => `${((100 * value) / totals.judged).toFixed(1)}%`;
  // The splits share their pictures: the interval is that of one split's.
  const half = totals.judged / SPLITS;
  const spread = 1.96 * Math.sqrt((rate * (1 - rate)) / half);
  const interval = [Math.max(0, rate - spread), rate + spread].map((v) => `${(100 * v).toFixed(1)}%`).join(' to ');
  console.log(`${SPLITS} random splits, ${half} judged in each (${interval}):`);
  console.log(`  good pictures called defective      ${share(totals.image)}`);
  console.log(`  good pictures with a region         ${share(totals.region)}`);
  console.log(`  defective pictures called defective ${(100 * totals.found).toFixed(1)}%`);
}

async function picturesOf(folder: string, leastArea: number): Promise<Judged[]> {
  const lines = readFileSync(path.join(folder, 'journal.jsonl'), 'utf8').trim().split('\n');
  const judged: Judged[] = [];
  for (const line of lines) {
    const { item, record } = JSON.parse(line) as {
      item: string;
      record?: { kind: string; method: string; case: string; score?: number };
    };
    if (record?.method !== 'policy' || record.score === undefined) continue;
    const data = await storedMap(folder, 'policy', item);
    const side = Math.round(Math.sqrt(data.length));
    const region = regionScore(float32(data, [1, 1, side, side]), leastArea);
    judged.push({ good: record.case === 'good', score: record.score, region });
  }
  return judged;
}
