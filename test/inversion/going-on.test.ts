/** A search that goes on from an earlier result: where it begins, what it leaves out, and what it comes to. */
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { corrupt } from '../../src/images/corruptions.ts';
import type { Image, Mask } from '../../src/images/image.ts';
import { readPicture } from '../../src/images/node/read.ts';
import type { Generator } from '../../src/inversion/generator/generator.ts';
import { rgi } from '../../src/inversion/methods/rgi.ts';
import { type Restoration, type RestoreJob, restoreImages } from '../../src/inversion/solve/restore.ts';
import { goingOn, type Method } from '../../src/inversion/spec/method.ts';
import { psnr } from '../../src/metrics/fidelity.ts';
import { openGeneratorBytes } from '../../src/models/generator.ts';
import { zeros } from '../../src/onnx/tensor.ts';
import { nodeRuntime } from '../../src/runtime/node/onnxruntime.ts';

const trousers = path.resolve(import.meta.dirname, '../../models/fashion-trousers');
const runtime = nodeRuntime();
let generator: Generator;
let clean: Image;
let damaged: Image;
let hide: Mask;
let first: Restoration;

beforeAll(async () => {
  ({ generator } = await openGeneratorBytes(readFileSync(path.join(trousers, 'generator.onnx')), runtime));
  const { channels } = generator;
  ({ image: clean } = await readPicture(path.join(trousers, 'pictures/00334.png'), { channels, size: generator }));
  ({ image: damaged } = corrupt(clean, { region: { kind: 'block', share: 0.1 } }, 1));
  hide = zeros('float32', [1, 1, generator.height, generator.width]);
  hide.data.fill(1, 20 * generator.width, 22 * generator.width);
  first = await one({});
});
afterAll(() => runtime.dispose());

async function one(job: Partial<RestoreJob>): Promise<Restoration> {
  const method = job.method ?? rgi({ channels: generator.channels, seed: 1 });
  for await (const found of restoreImages({ generator, method, images: damaged, ...job }, runtime)) return found;
  throw new Error('nothing was restored');
}

test('leaves out the stages in which starts compete and lambda falls, and no other', () => {
  const names = ({ stages }: Method) => stages.map(({ name }) => name);
  const method = rgi({ channels: 1 });
  expect(names(method)).toEqual(['compete', 'descend', 'refine', 'settle']);
  expect(names(goingOn(method))).toEqual(['refine', 'settle']);
  const paper = rgi({ channels: 1, preset: 'paper' });
  expect(names(goingOn(paper))).toEqual(names(paper));
});

describe('with more known of the picture', () => {
  test('it comes to what a search from the beginning comes to, in fewer steps', async () => {
    const again = await one({ hide });
    const further = await one({ hide, latents: first.latents });
    const of = (found: Restoration) => psnr(found.composite, clean);
    console.log(
      `from the beginning ${again.steps} steps, ${of(again).toFixed(2)} dB; going on ${further.steps} steps, ${of(further).toFixed(2)} dB`,
    );
    expect(further.steps).toBeLessThan(0.75 * again.steps);
    expect(of(further)).toBeGreaterThan(of(again) - 0.5);
    const hidden = [...hide.data.keys()].filter((i) => hide.data[i] === 1);
    expect(hidden.every((i) => further.mask.data[i] === 1)).toBe(true);
  });

  test('its own residuals set the threshold from the first step on, as after the stages that are left out', async () => {
    const unchanged = await one({ latents: first.latents });
    const differing = unchanged.mask.data.reduce((sum, on, i) => sum + Math.abs(on - first.mask.data[i]), 0);
    expect(differing / unchanged.mask.data.length).toBeLessThan(0.01);
  });

  test('every search of a method with several starts begins there', async () => {
    const method = rgi({ channels: 1, preset: 'paper', starts: 2, steps: 3 });
    const { restored } = await one({ method, latents: first.latents });
    expect(psnr(restored, first.restored)).toBeGreaterThan(25);
  });
});

test('what is solved exactly has no start: latents change nothing', async () => {
  const faces = path.resolve(import.meta.dirname, '../../models/cartoon-faces');
  const { generator: affine } = await openGeneratorBytes(readFileSync(path.join(faces, 'generator.onnx')), runtime);
  const size = { channels: affine.channels, size: affine };
  const { image: images } = await readPicture(path.join(faces, 'pictures/test-0012.png'), size);
  // With a threshold of the user's, too, which the search would take another way.
  for (const thresholdGrey of [undefined, 40]) {
    const method = rgi({ channels: 3, ...(thresholdGrey ? { thresholdGrey } : {}) });
    const job = { generator: affine, images, method };
    const before = await one(job);
    const after = await one({ ...job, latents: before.latents });
    expect(after.restored).toEqual(before.restored);
  }
});

test('latents of another shape are refused', async () => {
  const [[name]] = first.latents;
  await expect(one({ latents: new Map([[name, zeros('float32', [1, 7])]]) })).rejects.toThrow(
    `The start of '${name}' must be [1, 32]; it is [1, 7].`,
  );
});
