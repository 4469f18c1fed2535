/**
 * A contact sheet: real pictures, corrupted and restored by every method, for visual comparison.
 *
 *   npm run bench -- sheet --out sheet.png [--model ffhq64_vae] [--folder gan_faces/test] [--count 4] [--case block]
 */
import { type Image, imageAt, maskToImage, toColour } from '../src/images/image.ts';
import { writePicture } from '../src/images/node/write.ts';
import { contactSheet } from '../src/images/sheet.ts';
import { buildMethod } from '../src/inversion/methods/index.ts';
import { nodeRuntime } from '../src/runtime/node/onnxruntime.ts';
import { argument, mean, score, sharedGenerator, sharedPictures, trial } from './trials.ts';

export async function sheet(args: readonly string[]): Promise<void> {
  const runtime = nodeRuntime({ threads: Number(argument(args, 'threads', '2')) });
  const generator = await sharedGenerator(argument(args, 'model', 'ffhq64_vae'), runtime);
  const clean = await sharedPictures(
    argument(args, 'folder', 'gan_faces/test'),
    generator,
    Number(argument(args, 'count', '4')),
  );
  const setting = trial(clean, argument(args, 'case', 'block'), Number(argument(args, 'seed', '1')));
  const context = (masked: boolean) => ({
    channels: generator.channels,
    generator: generator.graph,
    masked,
    critic: false,
    layers: [],
  });
  const methods = {
    'yeh w/o': buildMethod({ method: 'yeh', recipe: 'rgi' }, context(false)),
    'yeh w/': buildMethod({ method: 'yeh', recipe: 'rgi' }, context(true)),
    'rgi paper': buildMethod({ method: 'rgi', preset: 'paper' }, context(false)),
    rgi: buildMethod({ method: 'rgi' }, context(false)),
    rrgi: buildMethod({ method: 'rrgi' }, context(false)),
    'dgp w/': buildMethod({ method: 'dgp', recipe: 'rgi' }, context(true)),
  };
  const columns: { label: string; images: Image[] }[] = [
    { label: 'INPUT', images: each(setting.corrupted) },
    { label: 'TRUTH', images: each(setting.clean) },
  ];
  for (const [label, method] of Object.entries(methods)) {
    const scores = await score(generator, method, runtime, setting);
    console.log(
      `${label}: mean PSNR ${mean(scores.psnr).toFixed(2)} dB, SSIM ${mean(scores.ssim).toFixed(3)}, mask IoU ${mean(scores.iou).toFixed(3)}, ${scores.secondsPerImage.toFixed(1)} s per image`,
    );
    columns.push({ label: label.toUpperCase(), images: scores.restorations.map((r) => r.restored) });
    if (label.endsWith('rgi') || label.startsWith('rgi')) {
      columns.push({ label: 'MASK', images: scores.restorations.map((r) => toColour(maskToImage(r.softMask))) });
    }
    if (label === 'rgi') columns.push({ label: 'COMPOSITE', images: scores.restorations.map((r) => r.composite) });
  }
  const rows = setting.clean.dims[0];
  const cells = Array.from({ length: rows }, (_, row) => columns.map((column) => column.images[row]));
  const out = argument(args, 'out', 'sheet.png');
  await writePicture(out, contactSheet(cells, { columns: columns.map((column) => column.label), scale: 2 }));
  console.log(`Written: ${out}`);
}

function each(batch: Image): Image[] {
  return Array.from({ length: batch.dims[0] }, (_, i) => toColour(imageAt(batch, i)));
}
