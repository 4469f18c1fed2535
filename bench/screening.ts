/**
 * How well does the screening of `train --contaminated` rank the pictures of a folder? Defective test pictures are mixed into good training pictures
 * as in `contaminated`. Of each mixture the AUROC of the ranking, and the shares of the defective and of the good pictures that would be left
 * out. Nothing is trained on the result.
 *
 *   npm run bench -- screening SET_FOLDER [--shares 0,0.05,0.1,0.25,0.4] [--seeds 3] [--good 400] [--size 128]
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { batchOf } from '../src/datasets/dataset.ts';
import { loadFolder } from '../src/datasets/node/folder.ts';
import { coarserLayers } from '../src/features/network.ts';
import { screenPictures } from '../src/features/screening.ts';
import { auroc } from '../src/metrics/ranking.ts';
import { openFeatureFile } from '../src/models/node/feature-network.ts';
import { createRuntime } from '../src/runtime/node/index.ts';
import { linkedFolder, mixedOf } from './contaminated.ts';
import { argument, mean } from './trials.ts';

export async function screening(args: readonly string[]): Promise<void> {
  const set = path.resolve(args[0]);
  const number = (name: string, fallback: string) => Number(argument(args, name, fallback));
  const [seeds, good, size] = [number('seeds', '3'), number('good', '400'), number('size', '128')];
  const runtime = await createRuntime();
  const network = coarserLayers((await openFeatureFile(runtime, {}))!.network);
  for (const share of argument(args, 'shares', '0,0.05,0.1,0.25,0.4').split(',').map(Number)) {
    const rows: number[][] = [];
    for (let seed = 0; seed < seeds; seed++) {
      const mixed = mixedOf(set, share, seed, good);
      const folder = mkdtempSync(path.join(tmpdir(), 'rgi-screening-'));
      const nameOf = linkedFolder(folder, mixed, [...mixed.good, ...mixed.bad]);
      const { dataset } = await loadFolder(folder, { size });
      rmSync(folder, { recursive: true });
      const bad = new Set(mixed.bad.map(nameOf));
      const isBad = dataset.pictures.map(({ name }) => bad.has(name));
      const each = dataset.pictures.map((_, i) => batchOf(dataset, [i]));
      const { scores, suspects } = await screenPictures(each, network, runtime);
      const out = (wanted: boolean) => mean(suspects.filter((_, i) => isBad[i] === wanted).map(Number));
      const area = bad.size > 0 ? auroc(isBad.map(Number), scores) : Number.NaN;
      rows.push([area, out(true), out(false)]);
    }
    const [area, defective, ordinary] = [0, 1, 2].map((i) => mean(rows.map((row) => row[i])).toFixed(3));
    console.log(
      `${path.basename(set)}, ${share} defective, ${seeds} seeds: AUROC ${area}, left out ${defective} of the defective, ${ordinary} of the good`,
    );
  }
  await runtime.dispose();
}
