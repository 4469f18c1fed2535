/**
 * Are pictures that no good part can give caught? Good test pictures are inspected as they are and spoilt: black, dimmed, brightened, out of
 * focus, half black, of two values, noisy; beside pictures of other products. For each the share that is called defective.
 *
 *   npm run bench -- spoilt MODEL.onnx GOOD_TEST_FOLDER [--other FOLDER,FOLDER] [--count 40] [--without-appearance]
 */
import { readdirSync } from 'node:fs';
import path from 'node:path';
import { openInspector } from '../src/detect/inspector.ts';
import { readForInspection } from '../src/detect/node/pictures.ts';
import { readPolicy } from '../src/detect/node/policy-files.ts';
import { type Image, shapeOf } from '../src/images/image.ts';
import { gaussianBlur } from '../src/images/resize.ts';
import { openPolicyFeatures } from '../src/models/node/feature-network.ts';
import { openModel } from '../src/models/node/model-file.ts';
import { openProduct } from '../src/models/node/product.ts';
import { type Random, randomFrom } from '../src/random.ts';
import { createRuntime } from '../src/runtime/node/index.ts';
import { argument } from './trials.ts';

const values = (image: Image, change: (v: number, i: number) => number): Image => ({
  ...image,
  data: image.data.map((v, i) => Math.min(1, Math.max(-1, change(v, i)))),
});
const rowOf = (image: Image, i: number) => {
  const { height, width } = shapeOf(image);
  return Math.floor(i / width) % height;
};

const SPOILT: Readonly<Record<string, (image: Image, random: Random) => Image>> = {
  'as it is': (image) => image,
  black: (image) => values(image, () => -1),
  white: (image) => values(image, () => 1),
  'one grey': (image) => values(image, () => 0),
  'divided by 16': (image) => values(image, (v) => (v + 1) / 16 - 1),
  'divided by 2': (image) => values(image, (v) => (v + 1) / 2 - 1),
  '1.5 times brighter, plus 30 grey levels': (image) => values(image, (v) => 1.5 * (v + 1) - 1 + 30 / 127.5),
  'upper half black': (image) => values(image, (v, i) => (rowOf(image, i) < shapeOf(image).height / 2 ? -1 : v)),
  'black and white': (image) => values(image, (v) => (v > 0 ? 1 : -1)),
  'blurred by 2 pixels': (image) => gaussianBlur(image, 2),
  'noise of 30 grey levels': (image, random) => values(image, (v) => v + (30 / 127.5) * random.normal()),
};

export async function spoilt(args: readonly string[]): Promise<void> {
  const [file, folder] = args;
  const count = Number(argument(args, 'count', '40'));
  const others = argument(args, 'other', '').split(',').filter(Boolean);
  const runtime = await createRuntime();
  try {
    const { generator, encoder } = await openProduct(runtime, { generator: file });
    const stored = await readPolicy(file, await openModel(file));
    const { appearance: _, ...without } = stored;
    const policy = args.includes('--without-appearance') ? without : stored;
    const features = (await openPolicyFeatures(runtime, policy, file))?.network;
    const inspector = await openInspector({ generator, encoder, features, policy }, runtime);
    const read = async (from: string) => {
      const names = readdirSync(from).sort().slice(0, count);
      const read = await Promise.all(names.map((name) => readForInspection(path.join(from, name), generator, policy)));
      return read.flatMap((pictures) => pictures.map(({ working }) => working));
    };
    const tell = async (what: string, pictures: readonly Image[]) => {
      let found = 0;
      for (let from = 0; from < pictures.length; from += inspector.batch)
        for (const { defective } of await inspector.inspect(pictures.slice(from, from + inspector.batch)))
          if (defective) found++;
      console.log(`| ${what} | ${found} of ${pictures.length} |`);
    };
    console.log('| pictures | called defective |\n| --- | --- |');
    const good = await read(folder);
    const random = randomFrom(0);
    for (const [what, spoil] of Object.entries(SPOILT))
      await tell(
        what,
        good.map((image) => spoil(image, random)),
      );
    for (const other of others) await tell(`of ${other.split('/').at(-3)}`, await read(other));
    await inspector.dispose();
  } finally {
    await runtime.dispose();
  }
}
