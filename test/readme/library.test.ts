/** The README's library example, run as it stands there. */
import { execFile } from 'node:child_process';
import { mkdtemp, readFile, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { promisify } from 'node:util';
import { expect, it } from 'vitest';
import { corrupt } from '../../src/images/corruptions.ts';
import { readMask, readPicture } from '../../src/images/node/read.ts';
import { writePicture } from '../../src/images/node/write.ts';
import { openGenerator } from '../../src/inversion/generator/generator.ts';
import { iou, psnr } from '../../src/metrics/index.ts';
import { encodeModel } from '../../src/onnx/encode.ts';
import { float32, float32Data } from '../../src/onnx/tensor.ts';
import { randomFrom } from '../../src/random.ts';
import { nodeRuntime } from '../../src/runtime/node/onnxruntime.ts';
import { tinyGenerator } from '../support/tiny.ts';

const root = path.resolve(import.meta.dirname, '../..');

it('restores a picture and finds the mask', async () => {
  const readme = await readFile(path.join(root, 'README.md'), 'utf8');
  const code = /```ts\n([\s\S]*?)```/.exec(readme)?.[1];
  expect(code, 'README.md has no ```ts block').toBeDefined();

  const folder = await mkdtemp(path.join(tmpdir(), 'rgi-readme-'));
  const runtime = nodeRuntime({ threads: 1 });
  const graph = tinyGenerator(3, 16);
  const generator = await openGenerator(graph, runtime);
  const session = await runtime.session(encodeModel(graph));
  const made = (await session.run(await generator.draw(1, randomFrom(5)))).get('image')!;
  const truth = float32(float32Data(made), made.dims);
  const { image, mask } = corrupt(
    truth,
    { region: { kind: 'block', share: 0.2 }, fill: { kind: 'constant', value: 1 } },
    1,
  );
  await writeFile(path.join(folder, 'faces.onnx'), encodeModel(graph));
  await writePicture(path.join(folder, 'broken.png'), image);
  const script = code!.replaceAll("'rgi/node'", JSON.stringify(path.join(root, 'src/node.ts')));
  await writeFile(path.join(folder, 'example.mts'), script);

  await promisify(execFile)(
    process.execPath,
    ['--import', path.join(root, 'node_modules/tsx/dist/esm/index.mjs'), 'example.mts'],
    { cwd: folder },
  );

  const restored = await readPicture(path.join(folder, 'restored.png'));
  const found = await readMask(path.join(folder, 'mask.png'), restored);
  expect(psnr(restored.image, truth)).toBeGreaterThan(30);
  expect(iou(found.data, mask.data)).toBeGreaterThan(0.9);
});
