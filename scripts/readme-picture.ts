/**
 * Makes docs/restored.png: pictures that the generator has not seen, corrupted in four ways and restored without a mask.
 *
 *   npx tsx scripts/readme-picture.ts models/cartoon-faces/generator.onnx ../shared/data/cartoon_faces/test
 */
import { readdirSync } from 'node:fs';
import path from 'node:path';
import { type Corruption, corrupt } from '../src/images/corruptions.ts';
import { type Image, maskToImage } from '../src/images/image.ts';
import { readPicture } from '../src/images/node/read.ts';
import { writePicture } from '../src/images/node/write.ts';
import { contactSheet } from '../src/images/sheet.ts';

import { rgi } from '../src/inversion/methods/rgi.ts';
import { restoreImages } from '../src/inversion/solve/restore.ts';
import { iou, psnr } from '../src/metrics/index.ts';
import { openGeneratorFile } from '../src/models/node/networks.ts';
import { nodeRuntime } from '../src/runtime/node/onnxruntime.ts';

const CORRUPTIONS: readonly Corruption[] = [
  { region: { kind: 'block', share: 0.15 }, fill: { kind: 'normal' } },
  { region: { kind: 'irregular' }, fill: { kind: 'normal' } },
  { region: { kind: 'scratches' }, fill: { kind: 'constant', value: 1 } },
  { region: { kind: 'text' }, fill: { kind: 'constant', value: -1 } },
];

const [model, folder] = process.argv.slice(2);
const runtime = nodeRuntime();
const { generator } = await openGeneratorFile(runtime, { generator: model });
const method = rgi({ preset: 'fast', channels: generator.channels });
const files = readdirSync(folder)
  .filter((file) => file.endsWith('.png'))
  .sort();
const rows: Image[][] = [];
for (const [i, corruption] of CORRUPTIONS.entries()) {
  const { image } = await readPicture(path.join(folder, files[3 + 7 * i]));
  const corrupted = corrupt(image, corruption, 3 + i);
  const job = { generator, method, images: corrupted.image, thresholdGrey: 25 };
  for await (const result of restoreImages(job, runtime)) {
    rows.push([corrupted.image, result.restored, maskToImage(result.mask), result.composite, image]);
    const found = iou(result.mask.data, corrupted.mask.data);
    console.log(
      `${corruption.region.kind}: PSNR ${psnr(result.restored, image).toFixed(1)} dB, mask IoU ${found.toFixed(2)}, ${result.seconds.toFixed(1)} s`,
    );
  }
}
const columns = ['INPUT', 'RESTORED G(Z)', 'MASK FOUND', 'COMPOSITE', 'TRUTH'];
await writePicture(path.join(import.meta.dirname, '../docs/restored.png'), contactSheet(rows, { scale: 2, columns }));
