import { existsSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import sharp from 'sharp';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { readNpy, readNpz, writeNpy, writeNpz } from '../../src/arrays/npy.ts';
import { encodeModel } from '../../src/onnx/encode.ts';
import type { Graph } from '../../src/onnx/graph.ts';
import { float32, float32Data, type Tensor } from '../../src/onnx/tensor.ts';
import { withoutDeadCode } from '../../src/passes/dead-code.ts';
import { randomFrom } from '../../src/random.ts';
import { createRuntime } from '../../src/runtime/node/index.ts';
import { expectClose } from '../support/close.ts';
import { tinyStyled } from '../support/tiny.ts';
import { type Bench, makeBench } from './bench.ts';

let bench: Bench;
let out: string;
let turn = 0;
beforeAll(async () => {
  bench = await makeBench();
  // A picture with details that no latent makes, for weights to learn.
  const { data, dims } = readNpy(readFileSync(bench.file('pictures/b.npy')));
  const noise = randomFrom(9).normals(data.length);
  const detailed = float32(
    Float32Array.from(noise, (v, i) => Number(data[i]) + 0.05 * v),
    dims,
  );
  writeFileSync(bench.file('detailed.npy'), writeNpy(detailed));
});
afterAll(() => bench.remove());

/** A new folder for results, as a word of a line, and its files. */
function results() {
  const name = `out${turn++}`;
  out = bench.file(name);
  return { word: `@${name}`, file: (f: string) => path.join(out, f), files: () => readdirSync(out).sort() };
}

const greyOf = (file: string) => sharp(file).toColourspace('b-w').raw().toBuffer();

const FAST = '--steps 60 --pool 50 --starts 2';

interface Manifest {
  readonly complete: boolean;
  readonly notes: readonly string[];
  readonly device: string;
  readonly versions: Record<string, string>;
  readonly options: Record<string, unknown>;
  readonly generator: { readonly sha256: string; readonly law: string; readonly latents: unknown };
  readonly discriminator?: { readonly file: string };
  readonly features?: { readonly file: string };
  readonly method: { readonly stages: readonly { readonly steps: number }[] };
  readonly images: readonly {
    readonly name: string;
    readonly status: string;
    readonly message: string;
    readonly maskedShare: number;
    readonly sha256: string;
    readonly steps: number;
    readonly gradientNorm?: number;
    readonly tuning?: { readonly kept: boolean; readonly before: number; readonly after: number };
    readonly seconds: number;
    readonly history: { readonly step: number[]; readonly loss: number[] };
  }[];
}

const manifestIn = (folder: string) => JSON.parse(readFileSync(path.join(folder, 'manifest.json'), 'utf8')) as Manifest;

describe('what is written', () => {
  test('five pictures and a manifest; the corrupted rows are found and filled', async () => {
    const to = results();
    const said = await bench.rgi(
      `restore @pictures/b.npy --generator @g.onnx --out ${to.word} ${FAST} --seed 3 --threshold 20`,
    );
    expect(said).toMatchObject({ code: 0, out: '' });
    expect(to.files()).toEqual([
      'b.composite.png',
      'b.mask.png',
      'b.residual.png',
      'b.restored.png',
      'b.softmask.png',
      'journal.jsonl',
      'manifest.json',
    ]);
    const mask = await greyOf(to.file('b.mask.png'));
    expect([...mask.subarray(0, 16)]).toEqual(new Array(16).fill(255));
    expect(Math.max(...mask.subarray(16))).toBe(0);
    expect(manifestIn(out)).toMatchObject({
      complete: true,
      device: 'cpu',
      options: { method: 'rgi', seed: 3, steps: 60, starts: 2, pool: 50, fit: 'contain' },
      generator: { law: 'normal', latents: [{ name: 'z', dims: [4] }] },
      images: [{ name: 'b', status: 'done', maskedShare: 0.25, domain: 'inside' }],
    });
    expect(manifestIn(out).images[0].steps).toBeLessThanOrEqual(60);
    expect(manifestIn(out).generator.sha256).toMatch(/^[0-9a-f]{64}$/);
  });

  test('--latent w: found without a name for it, and written as the network itself has it', async () => {
    const to = results();
    const graph = tinyStyled();
    writeFileSync(bench.file('styled.onnx'), encodeModel(graph));
    const runtime = await createRuntime({ threads: 1 });
    const made = async (name: string, feeds: ReadonlyMap<string, Tensor>, from: Graph) => {
      const session = await runtime.session(encodeModel(from, undefined, [name]));
      try {
        return (await session.run(feeds)).get(name)!;
      } finally {
        await session.dispose();
      }
    };
    const z = new Map([['z', float32(randomFrom(4).normals(6), [1, 6])]]);
    const picture = float32(float32Data(await made('image', z, graph)), [3, 8, 8]);
    writeFileSync(bench.file('styled.npy'), writeNpy(picture));
    const line = `restore @styled.npy -g @styled.onnx -o ${to.word} --npy --range -1..1 --pool 100`;
    await bench.rgi(`${line} --latent w`);
    const w = readNpz(readFileSync(to.file('styled.latents.npz'))).get('w')!;
    const fromW = { ...graph, inputs: [{ name: 'mapped', type: 'float32' as const, dims: [1, 6] }] };
    const nodes = graph.nodes.filter(({ outputs }) => !outputs.includes('mapped'));
    const again = await made('image', new Map([['mapped', w]]), withoutDeadCode({ ...fromW, nodes }));
    expectClose(again, float32(picture.data, [1, 3, 8, 8]), 1e-2, 'the picture of w');
    await runtime.dispose();
    // A search that begins there stays there, whatever coordinates it is made in.
    const from = `--latent w --from-latents @${path.basename(out)}`;
    const next = results();
    await bench.rgi(
      `restore @styled.npy -g @styled.onnx -o ${next.word} --npy --range -1..1 --preset paper --steps 1 --latent-rate 0.000001 ${from}`,
    );
    const near = readNpz(readFileSync(next.file('styled.latents.npz'))).get('w')!;
    expectClose(near, w, 1e-4, 'w after a tiny step');
  });

  test('--from-latents begins where earlier searches ended', async () => {
    const first = results();
    const line = (to: { readonly word: string }, more: string) =>
      `restore @pictures/b.npy @pictures/c.npy -g @g.onnx -o ${to.word} --npy ${more}`;
    await bench.rgi(line(first, FAST));
    const { images: cold } = manifestIn(out);
    const next = results();
    const { code } = await bench.rgi(line(next, `${FAST} --from-latents ${first.word}`));
    expect(code).toBe(0);
    const warm = manifestIn(out);
    expect(warm.options).toMatchObject({ fromLatents: true });
    for (const [i, { steps }] of warm.images.entries()) expect(steps).toBeLessThan(cold[i].steps);
    for (const name of ['b', 'c']) {
      const [a, b] = [first, next].map((run) => readNpy(readFileSync(run.file(`${name}.restored.npy`))));
      expectClose(b, a, 1e-2, `the picture of ${name}`);
    }
  });

  test('latents of another generator are refused', async () => {
    writeFileSync(bench.file('six.npz'), writeNpz(new Map([['z', float32(new Float32Array(6), [1, 6])]])));
    expect(await bench.rgi(`restore @a.png -g @g.onnx -o ${results().word} --from-latents @six.npz`)).toMatchObject({
      code: 2,
      err: expect.stringContaining(
        "six.npz has [1,6] as 'z'; this generator needs [1,4]. Give latents of the same generator and --latent.",
      ),
    });
  });

  test('with --npy the arrays too, from which the picture can be computed again', async () => {
    const to = results();
    await bench.rgi(`restore @detailed.npy --generator @g.onnx --out ${to.word} ${FAST} --npy --method rrgi`);
    expect(to.files().filter((f) => /np[yz]$/.test(f))).toEqual([
      'detailed.composite.npy',
      'detailed.latents.npz',
      'detailed.picture.npy',
      'detailed.residual.npy',
      'detailed.restored.npy',
      'detailed.softmask.npy',
      'detailed.weights.npz',
    ]);
    expect(readNpy(readFileSync(to.file('detailed.restored.npy'))).dims).toEqual([1, 3, 8, 8]);
    expect(readNpz(readFileSync(to.file('detailed.latents.npz'))).get('z')?.dims).toEqual([1, 4]);
    const change = readNpz(readFileSync(to.file('detailed.weights.npz')));
    expect([...change.keys()].sort()).toEqual(['layer.bias', 'layer.weight']);
    expect(float32Data(change.get('layer.weight')!).some((v) => v !== 0)).toBe(true);
    const [{ tuning }] = manifestIn(out).images;
    expect(tuning?.kept).toBe(true);
    expect(tuning!.after).toBeLessThan(tuning!.before);
  });

  test('the manifest says how near a stationary point the search ended', async () => {
    const to = results();
    await bench.rgi(`restore @detailed.npy --generator @g.onnx --out ${to.word} --pool 50 --starts 2`);
    const [{ gradientNorm, message }] = manifestIn(out).images;
    expect(gradientNorm).toBeLessThan(1e-3);
    expect(message).toBe('A stationary point was reached.');
  });

  test('with --save-generator the generator as it was tuned: it makes the restored picture from the latents', async () => {
    const to = results();
    const line = `restore @detailed.npy --generator @g.onnx --out ${to.word} ${FAST} --method rrgi --weight-rate 0.01`;
    await bench.rgi(`${line} --npy --save-generator`);
    const runtime = await createRuntime({ device: 'cpu', threads: 1, worker: false });
    const made = async (generator: string) => {
      const session = await runtime.session(readFileSync(generator));
      const image = (await session.run(readNpz(readFileSync(to.file('detailed.latents.npz'))))).get('image')!;
      await session.dispose();
      return float32Data(image);
    };
    const [tuned, plain] = [await made(to.file('detailed.generator.onnx')), await made(bench.file('g.onnx'))];
    await runtime.dispose();
    const restored = float32Data(readNpy(readFileSync(to.file('detailed.restored.npy'))));
    const farthest = (a: Float32Array) => Math.max(...a.map((v, i) => Math.abs(v - restored[i])));
    expect(farthest(tuned)).toBeLessThan(1e-4);
    expect(farthest(plain)).toBeGreaterThan(1e-3);
  });

  test('--json prints the manifest on stdout and nothing else', async () => {
    const to = results();
    const said = await bench.rgi(`restore @a.png --generator @g.onnx --out ${to.word} ${FAST} --json`);
    expect(JSON.parse(said.out)).toEqual(JSON.parse(readFileSync(to.file('manifest.json'), 'utf8')));
  });

  test('--quiet says nothing', async () => {
    const said = await bench.rgi(`restore @a.png --generator @g.onnx --out ${results().word} ${FAST} -q`);
    expect(said).toEqual({ code: 0, out: '', err: '' });
  });

  test('the same command gives the same numbers, in batches of one or of all', async () => {
    const [one, all] = [results(), results()];
    await bench.rgi(`restore @pictures --generator @g.onnx --out ${one.word} ${FAST} --npy --batch 1`);
    await bench.rgi(`restore @pictures --generator @g.onnx --out ${all.word} ${FAST} --npy`);
    const read = (f: string) => float32Data(readNpy(readFileSync(f)));
    read(one.file('c.restored.npy')).forEach((v, i) => {
      expect(v).toBeCloseTo(read(all.file('c.restored.npy'))[i], 4);
    });
  });

  test('the pictures of an array are inverted side by side', async () => {
    const array = float32(
      Float32Array.from({ length: 5 * 192 }, (_, i) => Math.sin(i)),
      [5, 3, 8, 8],
    );
    writeFileSync(bench.file('five.npy'), writeNpy(array));
    const to = results();
    await bench.rgi(`restore @five.npy --generator @g.onnx --out ${to.word} ${FAST}`);
    const { images } = manifestIn(out);
    // A picture's seconds are its share of its batch's; the first batch compiles, and takes longer.
    expect([images.length, new Set(images.map(({ seconds }) => seconds)).size]).toEqual([5, 1]);
  });

  test('histories are thinned to 200 steps, first and last among them', async () => {
    const to = results();
    await bench.rgi(`restore @a.png --generator @g.onnx --out ${to.word} --preset paper --pool 50 --steps 450`);
    const { history } = manifestIn(out).images[0];
    expect([history.step.length, history.loss.length, history.step[0], history.step[199]]).toEqual([200, 200, 0, 449]);
  });
});

describe('several pictures', () => {
  test('a broken one is reported, the others are done: exit code 4', async () => {
    const to = results();
    const said = await bench.rgi(
      `restore @a.png @text.png @big.png --fit refuse --generator @g.onnx --out ${to.word} ${FAST}`,
    );
    expect(said.code).toBe(4);
    expect(manifestIn(out).images.map(({ name, status }) => [name, status])).toEqual([
      ['a', 'done'],
      ['text', 'failed'],
      ['big', 'failed'],
    ]);
    expect(said.err).toContain('text.png is not a picture');
    expect(to.files().some((f) => f.startsWith('text'))).toBe(false);
  });

  test('all broken: exit code 2', async () => {
    const said = await bench.rgi(
      `restore @text.png @big.png --fit refuse --generator @g.onnx --out ${results().word} ${FAST}`,
    );
    expect(said.code).toBe(2);
  });

  test('of one name are told apart by their folders', async () => {
    const to = results();
    await bench.rgi(`restore @a.png @pictures/a.png --generator @g.onnx --out ${to.word} ${FAST}`);
    const names = manifestIn(out).images.map(({ name }) => name);
    expect(names[1]).toBe('pictures_a');
    expect(names[0]).toMatch(/_a$/);
  });

  test('of another kind than the generator makes are not restored, and that is said: exit code 4', async () => {
    const to = results();
    const said = await bench.rgi(`restore @deep.png --generator @g.onnx --out ${to.word} ${FAST}`);
    expect(said.code).toBe(4);
    expect(said.err).toContain(
      'deep: not restored. The generator makes nothing like this picture, or too little of it is intact. Check that the generator is of this kind of picture, and that the picture is cropped as those it was trained on.\n',
    );
    expect(said.err).toContain('0 of 1 restored');
    expect(manifestIn(out).images).toMatchObject([
      { status: 'failed', code: 'not-restored', domain: 'outside', files: [] },
    ]);
  });

  test('of 16 bits or with alpha are read; another size as --fit says', async () => {
    // Noise is nothing that the generator makes: a method without a mask restores it nevertheless.
    const options = '--method invert --steps 20 --fit stretch';
    const line = `restore @deep.png @alpha.png @big.png --generator @g.onnx --out ${results().word} ${options}`;
    expect((await bench.rgi(line)).code).toBe(0);
    expect(manifestIn(out).images.map(({ status }) => status)).toEqual(['done', 'done', 'done']);
  });
});

describe('an interrupted run', () => {
  test('stops with code 3, keeps what is done, and is resumed without doing it again', async () => {
    const to = results();
    const line = `restore @pictures --generator @g.onnx --out ${to.word} ${FAST} --batch 1`;
    const interruption = new AbortController();
    const { setTimeout: later } = await import('node:timers/promises');
    const running = bench.rgi(line, interruption.signal);
    while (!existsSync(to.file('journal.jsonl'))) await later(1);
    interruption.abort();
    const said = await running;
    expect(said.code).toBe(3);
    expect(said.err).toMatch(/Interrupted; [12] done\. Run the same command with --resume to continue\.\n$/);
    const first = manifestIn(out);
    expect(first.complete).toBe(false);
    const again = await bench.rgi(`${line} --resume`);
    expect(again.code).toBe(0);
    expect(again.err).not.toContain(`${first.images[0].name}: `);
    expect(manifestIn(out)).toMatchObject({ complete: true });
    expect(manifestIn(out).images).toHaveLength(3);
    expect(manifestIn(out).images[0]).toEqual(first.images[0]);
  });

  test('is not resumed with other options', async () => {
    const to = results();
    await bench.rgi(`restore @a.png --generator @g.onnx --out ${to.word} ${FAST}`);
    const said = await bench.rgi(`restore @a.png --generator @g.onnx --out ${to.word} ${FAST} --seed 5 --resume`);
    expect(said.code).toBe(2);
    expect(said.err).toContain(
      "holds results of 'rgi restore' with other settings or networks: --resume continues with the same settings only; use another --out, or replace what is there with --overwrite.",
    );
  });

  test('does a picture again whose files were deleted', async () => {
    const to = results();
    const line = `restore @a.png --generator @g.onnx --out ${to.word} ${FAST}`;
    await bench.rgi(line);
    rmSync(to.file('a.mask.png'));
    await bench.rgi(`${line} --resume`);
    expect(existsSync(to.file('a.mask.png'))).toBe(true);
  });
});

describe('masks', () => {
  test('are followed where they are given: what was drawn is what is filled', async () => {
    const to = results();
    const line = `restore @a.png --generator @g.onnx --out ${to.word} --mask @masks --method yeh --recipe rgi --steps 30`;
    expect((await bench.rgi(line)).code).toBe(0);
    const mask = await greyOf(to.file('a.mask.png'));
    expect([...mask].map((v) => (v > 0 ? 1 : 0))).toEqual(Array.from({ length: 64 }, (_, i) => (i < 16 ? 1 : 0)));
  });
});

describe('features', () => {
  test.each(['rgi', 'rrgi', 'invert'])(
    'are compared by %s beside the residual, with the weight given',
    async (method) => {
      const line = `restore @a.png --generator @g.onnx --out ${results().word} --steps 20 --method ${method}`;
      const said = await bench.rgi(`${line} --discriminator @d.onnx --feature-weight 0.5 --feature-distance l1`);
      expect(said.code).toBe(0);
      expect(JSON.stringify(manifestIn(out).method)).toContain(
        '{"kind":"feature","weight":0.5,"distance":"l1","layers":["LeakyRelu"]}',
      );
    },
  );

  test('of the network of this package are compared by anogan in place of a discriminator', async () => {
    const line = `restore @a.png --generator @g.onnx --out ${results().word} --steps 3 --method anogan`;
    expect((await bench.rgi(`${line} --features bundled --feature-layers block_5_add,block_9_add`)).code).toBe(0);
    const { method, features } = manifestIn(out);
    expect(JSON.stringify(method)).toContain('"distance":"l1","layers":["block_5_add","block_9_add"]');
    expect(path.basename(features!.file)).toBe('mobilenet_v2_block10.onnx');
    const wrong = await bench.rgi(`${line} --overwrite --features bundled --feature-layers block_99`);
    expect(wrong).toMatchObject({ code: 2 });
    expect(wrong.err).toContain("mobilenet_v2_block10.onnx has no layer 'block_99'; its last ones are ");
  });
});

describe('generators', () => {
  test('of a fixed batch are searched like others', async () => {
    const [fixed, any] = [results(), results()];
    await bench.rgi(`restore @a.png --generator @fixed.onnx --out ${fixed.word} ${FAST} --npy`);
    await bench.rgi(`restore @a.png --generator @g.onnx --out ${any.word} ${FAST} --npy`);
    const [a, b] = [fixed, any].map((to) => float32Data(readNpy(readFileSync(to.file('a.restored.npy')))));
    a.forEach((value, i) => {
      expect(value).toBeCloseTo(b[i], 3);
    });
  });

  test('with a class label: the value is repeated for every picture of a batch', async () => {
    const options = '--method invert --steps 20';
    const line = `restore @pictures --generator @conditional.onnx --input label=1 --out ${results().word} ${options}`;
    expect((await bench.rgi(line)).code).toBe(0);
    expect(manifestIn(out).images).toHaveLength(3);
  });

  test('say in their metadata how latents are drawn and which discriminator is theirs', async () => {
    const line = `restore @a.png --generator @told.onnx --out ${results().word} --preset paper --steps 20 --pool 20`;
    const said = await bench.rgi(line);
    expect(said.err).toContain("note: The discriminator is the generator's companion, d.onnx.");
    expect(manifestIn(out).generator.law).toBe('uniform');
    expect(path.basename(manifestIn(out).discriminator!.file)).toBe('d.onnx');
    expect(manifestIn(out).notes.join()).not.toContain('assumed');
  });

  test("without a discriminator the paper's critic term is off, and that is said", async () => {
    await bench.rgi(`restore @a.png --generator @g.onnx --out ${results().word} --preset paper --steps 20 --pool 20`);
    expect(manifestIn(out).notes).toContain(
      'Critic and feature terms are off, because no discriminator is given (--discriminator).',
    );
  });
});

test('nothing temporary is left behind', async () => {
  const to = results();
  await bench.rgi(`restore @a.png --generator @g.onnx --out ${to.word} ${FAST} --npy`);
  expect(to.files().filter((f) => f.endsWith('.tmp') || f.startsWith('.'))).toEqual([]);
});

describe('pictures of other sizes', () => {
  const sizeOf = async (file: string) => {
    const { width, height } = await sharp(file).metadata();
    return [width, height];
  };

  test('come back at their own size; what was adapted is said once', async () => {
    const to = results();
    const said = await bench.rgi(`restore @big.png --generator @g.onnx --out ${to.word} ${FAST} --threshold 20`);
    expect(said.code).toBe(0);
    for (const kind of ['composite', 'mask', 'softmask', 'residual'])
      expect(await sizeOf(to.file(`big.${kind}.png`))).toEqual([16, 16]);
    expect(await sizeOf(to.file('big.restored.png'))).toEqual([8, 8]);
    expect(said.err).toContain('note: Resized from 16 x 16 to 8 x 8 pixels for the generator (--fit contain).\n');
  });

  test('a region is restored alone, and the rest is said to stay', async () => {
    const to = results();
    const said = await bench.rgi(
      `restore @big.png --generator @g.onnx --out ${to.word} ${FAST} --region 4,6,8,8 --format tiff`,
    );
    expect(said.err).toContain(
      'note: 75% of the picture was not shown to the generator (--region, --fit contain) and stays as it is.\n',
    );
    const [before, after] = await Promise.all(
      [bench.file('big.png'), to.file('big.composite.tif')].map((file) => sharp(file).removeAlpha().raw().toBuffer()),
    );
    // A pixel of the generator is one of the picture, and the mask is grown by one.
    const isBeyond = (i: number) => {
      const [x, y] = [Math.floor(i / 3) % 16, Math.floor(i / 48)];
      return x < 3 || x > 12 || y < 5 || y > 14;
    };
    expect(before.every((v, i) => !isBeyond(i) || v === after[i])).toBe(true);
  });

  test('by tiles, which are merged at the size of the picture', async () => {
    const to = results();
    const said = await bench.rgi(`restore @big.png --generator @g.onnx --out ${to.word} ${FAST} --tiles`);
    expect(said.code).toBe(0);
    expect(await sizeOf(to.file('big.restored.png'))).toEqual([16, 16]);
    expect(await sizeOf(to.file('big.composite.png'))).toEqual([16, 16]);
    expect(manifestIn(out).images[0]).toMatchObject({ tiles: 9, size: [16, 16] });
  });

  test('float arrays of tiles are refused', async () => {
    const said = await bench.rgi(`restore @big.png --generator @g.onnx --out ${results().word} --tiles --npy`);
    expect(said).toMatchObject({
      code: 2,
      err: 'error: Tiles are merged: float arrays and tuned generators are written of whole pictures only.\n',
    });
  });
});

describe('what is known of a picture', () => {
  const half = async (name: string, isWhite: (x: number) => boolean) => {
    const values = Uint8Array.from({ length: 64 }, (_, i) => (isWhite(i % 8) ? 255 : 0));
    await sharp(values, { raw: { width: 8, height: 8, channels: 1 } })
      .png()
      .toFile(bench.file(name));
  };

  test('--keep is never masked, --hide always', async () => {
    await half('left.png', (x) => x < 4);
    await half('right.png', (x) => x === 7);
    const to = results();
    const said = await bench.rgi(
      `restore @pictures/b.npy --generator @g.onnx --out ${to.word} ${FAST} --keep @left.png --hide @right.png`,
    );
    expect(said.code).toBe(0);
    const mask = await greyOf(to.file('b.mask.png'));
    mask.forEach((v, i) => {
      if (i % 8 < 4) expect(v).toBe(0);
      if (i % 8 === 7) expect(v).toBe(255);
    });
  });

  test('the same pixel cannot be both', async () => {
    await half('both.png', (x) => x === 7);
    await half('again.png', (x) => x > 5);
    const said = await bench.rgi(
      `restore @pictures/b.npy --generator @g.onnx --out ${results().word} ${FAST} --keep @both.png --hide @again.png`,
    );
    expect(said.code).toBe(2);
    expect(said.err).toContain(
      `error: ${bench.file('pictures/b.npy')}: ${bench.file('both.png')} and ${bench.file('again.png')} are white at the same pixels, which are either known to be good or known to be corrupted; take them out of one.\n`,
    );
  });
});
