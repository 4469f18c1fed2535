import { cp, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { batchOf } from '../../src/datasets/dataset.ts';
import type { RunEvent } from '../../src/gan/node/events.ts';
import type { RunOptions } from '../../src/gan/node/options.ts';
import { trainFolder } from '../../src/gan/node/run.ts';
import { DISCRIMINATOR_STEP } from '../../src/gan/steps/discriminator-step.ts';
import { writePicture } from '../../src/images/node/write.ts';
import { inspectModel } from '../../src/inspect/inspect.ts';
import { openGenerator } from '../../src/inversion/generator/generator.ts';
import { readModel } from '../../src/onnx/read.ts';
import { float32Data, scalar } from '../../src/onnx/tensor.ts';
import { randomFrom } from '../../src/random.ts';
import type { Runtime } from '../../src/runtime/runtime.ts';
import { evaluate, runtime, stripes, tinySettings } from './support.ts';

let folder: string;

beforeAll(async () => {
  folder = await mkdtemp(path.join(os.tmpdir(), 'rgi-train-'));
  const dataset = stripes(20);
  for (const [i, picture] of dataset.pictures.entries())
    await writePicture(path.join(folder, 'pictures', picture.name), batchOf(dataset, [i]));
  await writeFile(path.join(folder, 'pictures', 'broken.png'), 'not a picture');
});

afterAll(() => rm(folder, { recursive: true }));

const optionsOf = (name: string, given: Partial<RunOptions> = {}): RunOptions => {
  const { backbone: _, ...settings } = tinySettings({ steps: 6 });
  return {
    folder: path.join(folder, 'pictures'),
    out: path.join(folder, name, 'model.onnx'),
    data: { size: 8 },
    held: 4,
    settings,
    measureEvery: 3,
    ...given,
  };
};

/** A runtime whose discriminator loses its mind at one step. */
function failingAt(step: number): Runtime {
  let count = 0;
  return {
    ...runtime,
    async loop(...given) {
      const loop = await runtime.loop(...given);
      return {
        ...loop,
        async step(feeds) {
          const outputs = await loop.step(feeds);
          if (outputs.has(DISCRIMINATOR_STEP.loss) && ++count === step)
            return new Map([...outputs, [DISCRIMINATOR_STEP.loss, scalar(Number.NaN)]]);
          return outputs;
        },
      };
    },
  };
}

it('a limit of time ends with a model and its page, however short it is; an interruption names no file that is not there', async () => {
  const result = await trainFolder(optionsOf('short', { minutes: 1e-9, measureEvery: 100 }), runtime);
  expect(result).toMatchObject({ ended: 'interrupted', written: true });
  expect(result.files.map((file) => path.basename(file))).toEqual([
    'model.onnx',
    'model.discriminator.onnx',
    'model.encoder.onnx',
  ]);
  for (const file of [...result.files, result.page!]) expect((await readFile(file)).length).toBeGreaterThan(0);
  const stopped = new AbortController();
  const onEvent = (event: RunEvent) => event.kind === 'step' && stopped.abort();
  const none = await trainFolder(optionsOf('stopped', { measureEvery: 100, signal: stopped.signal, onEvent }), runtime);
  expect(none).toMatchObject({ ended: 'interrupted', files: [] });
  expect(none.page).toBeUndefined();
});

describe('a run on files', () => {
  it('writes models that open and say what they are, pictures, a page and a checkpoint; a broken picture is named', async () => {
    const events: RunEvent[] = [];
    const licence = { name: 'CC BY 4.0', attribution: 'somebody' };
    const options = optionsOf('whole', { half: true, licence, onEvent: (event) => events.push(event) });
    const result = await trainFolder(options, runtime);
    expect(result.ended).toBe('done');
    expect(events.flatMap((event) => (event.kind === 'broken' ? [path.basename(event.picture.file)] : []))).toEqual([
      'broken.png',
    ]);
    expect(result.record.coverage.map((point) => point.step)).toEqual([3, 6]);
    expect((await readdir(path.join(folder, 'whole', 'model.training'))).sort()).toEqual([
      'checkpoint.npz',
      'index.html',
      'reconstructions-0000003.png',
      'reconstructions-0000006.png',
      'samples-0000003.png',
      'samples-0000006.png',
    ]);
    const model = readModel(await readFile(options.out));
    const facts = await inspectModel(model, evaluate);
    expect(facts).toMatchObject({
      role: 'generator',
      latent: { name: 'z', dims: [5], law: 'normal', from: 'metadata' },
      image: { channels: 1, height: 8, width: 8, range: '-1..1', from: 'metadata' },
      batch: { symbolic: true, accepted: [1, 2, 3], couplesImages: false },
      withoutDerivative: [],
    });
    const said = (key: string) => JSON.parse(model.metadata.get(key)!);
    expect(said('rgi.licence')).toEqual(licence);
    expect(said('rgi.training')).toMatchObject({ tool: 'rgi train', data: { pictures: 16, held: 4, broken: 1 } });
    const generator = await openGenerator(model.graph, runtime);
    const drawn = await generator.draw(3, randomFrom(1));
    const image = (await evaluate(generator.graph, drawn, [generator.output])).get(generator.output)!;
    expect(image.dims).toEqual([3, 1, 8, 8]);
    expect(float32Data(image).every(Number.isFinite)).toBe(true);
    for (const role of ['discriminator', 'encoder']) {
      const { file, sha256 } = said('rgi.companions')[role];
      expect(sha256).toMatch(/^[0-9a-f]{64}$/);
      const companion = readModel(await readFile(path.join(folder, 'whole', file)));
      expect(companion.metadata.get('rgi.role')).toBe(`"${role}"`);
    }
  }, 180_000);

  it('stops when told to and goes on later, to the numbers of a run that never stopped', async () => {
    const whole = await trainFolder(optionsOf('straight'), runtime);
    const stop = new AbortController();
    const options = optionsOf('halves', {
      resume: true,
      onEvent: (event) => {
        if (event.kind === 'coverage' && event.point.step === 3) stop.abort();
      },
    });
    const first = await trainFolder({ ...options, signal: stop.signal }, runtime);
    expect(first.ended).toBe('interrupted');
    const second = await trainFolder(options, runtime);
    expect(second.ended).toBe('done');
    const { seconds: _a, ...resumed } = second.record;
    const { seconds: _b, ...straight } = whole.record;
    expect(resumed).toEqual(straight);
  }, 180_000);

  it('losses that are not finite: back to the last checkpoint, half the rate, and said so', async () => {
    const { ended, record } = await trainFolder(optionsOf('failing'), failingAt(3));
    expect(ended).toBe('done');
    expect(record.events).toEqual([
      'The losses were not finite at step 5; training returned to step 3 with 0.5 times the rate.',
    ]);
    expect(record.coverage.at(-1)!.step).toBe(6);
  }, 180_000);

  it('goes on only with its own settings and pictures, and is not overwritten while unfinished', async () => {
    const pictures = path.join(folder, 'changing');
    await cp(path.join(folder, 'pictures'), pictures, { recursive: true });
    const options = { ...optionsOf('other'), folder: pictures };
    await trainFolder({ ...options, minutes: 1e-9 }, runtime);
    await expect(trainFolder(options, runtime)).rejects.toThrow(
      /model\.training holds an unfinished run \(step 0 of 6\): continue with --resume, or delete the folder\.$/,
    );
    const longer = { ...options, resume: true, settings: { ...options.settings, steps: 9 } };
    await expect(trainFolder(longer, runtime)).rejects.toThrow(
      'The run to be resumed has steps = 6, not 9. Leave that option out, or start a new run without --resume.',
    );
    await writePicture(path.join(pictures, '3.png'), batchOf(stripes(30), [29]));
    await expect(trainFolder({ ...options, resume: true }, runtime)).rejects.toThrow(
      /^The run to be resumed was trained on other pictures than those in .*changing: 16 and 4 of 'changing'/,
    );
  }, 180_000);

  it('measures again where it was stopped in the midst of measuring', async () => {
    const stop = new AbortController();
    let loops = 0;
    const stopping: Runtime = {
      ...runtime,
      async loop(...given) {
        const loop = await runtime.loop(...given);
        // The generator's two (warm-up, adversarial), the discriminator's two (with R1, without); the next one inverts.
        if (++loops === 5) stop.abort();
        return loop;
      },
    };
    const options = optionsOf('midst', { resume: true });
    const first = await trainFolder({ ...options, signal: stop.signal }, stopping);
    expect(first.ended).toBe('interrupted');
    const second = await trainFolder(options, runtime);
    expect(second.record.coverage.map((point) => point.step)).toEqual([3, 6]);
  }, 180_000);
});
