/** Runs that are stopped, killed, repeated, mixed: what `restore` and `detect` do with their folders (field test, rows R1 to R8). */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { copyFileSync, existsSync, mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { setTimeout as later } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { readNpy, writeNpy } from '../../src/arrays/npy.ts';
import { writePolicy } from '../../src/detect/node/policy-files.ts';
import { float32, float32Data } from '../../src/onnx/tensor.ts';
import { handmade, node } from '../support/protos.ts';
import { type Bench, makeBench } from './bench.ts';
import { handmadePolicy } from './policy.ts';

let bench: Bench;
beforeAll(async () => {
  bench = await makeBench();
  copyFileSync(bench.file('g.onnx'), bench.file('part.onnx'));
  await writePolicy(bench.file('part.onnx'), handmadePolicy());
});
afterAll(() => bench.remove());

const FAST = '--generator @g.onnx --steps 6 --pool 20 --starts 2 --threads 1';
const DETECT = '--generator @part.onnx --threads 1';
const text = (name: string) => readFileSync(bench.file(name), 'utf8');
const manifest = (out: string) => JSON.parse(text(`${out}/manifest.json`));
const images = (out: string): { name: string; status: string }[] => manifest(out).images;
/** Its whole lines: another process may be writing one, or have made the file only. */
const journal = (out: string) =>
  text(`${out}/journal.jsonl`)
    .split('\n')
    .slice(0, -1)
    .map((line) => JSON.parse(line));
const temporary = (out: string) => readdirSync(bench.file(out)).filter((name) => name.startsWith('.'));

/** G(z) = tanh(W z), whose W lies in another file. */
function weightsOutside(location: string): Uint8Array {
  const externalData = [{ key: 'location', value: location }];
  return handmade({
    inputs: { z: ['N', 4] },
    outputs: { image: ['N', 3, 8, 8] },
    initializers: [
      { name: 'w', dims: [4n, 192n], dataType: 1, dataLocation: 1, externalData },
      { name: 'shape', dims: [4n], dataType: 7, int64Data: [-1n, 3n, 8n, 8n] },
    ],
    nodes: [node('MatMul', 'z w', 'h'), node('Reshape', 'h shape', 'r'), node('Tanh', 'r', 'image')],
  });
}

/** A process of the program. */
function started(line: string): ChildProcess {
  const words = line.split(' ').map((word) => word.replaceAll('@', `${bench.folder}${path.sep}`));
  const main = path.resolve('src/cli/main.ts');
  return spawn(process.execPath, ['--import', 'tsx', main, ...words], { stdio: ['ignore', 'ignore', 'pipe'] });
}

async function appears(file: string): Promise<void> {
  while (!existsSync(bench.file(file))) await later(5);
}

/** Pictures enough that a run of one at a time is stopped in its midst. */
const MANY = 40;

describe('R1, a journal never shrinks', () => {
  test('a finished run, resumed and stopped at once, loses nothing', async () => {
    const line = `restore @pictures ${FAST} --out @r1`;
    expect((await bench.rgi(line)).code).toBe(0);
    const before = text('r1/journal.jsonl');
    const times = () => readdirSync(bench.file('r1')).map((name) => statSync(bench.file(`r1/${name}`)).mtimeMs);
    expect((await bench.rgi(`${line} --resume`, AbortSignal.abort())).code).toBe(3);
    expect(text('r1/journal.jsonl')).toBe(before);
    expect(images('r1').map(({ name }) => name)).toEqual(['a', 'b', 'c']);
    const written = times();
    const said = await bench.rgi(`${line} --resume`);
    expect(said).toMatchObject({ code: 0, err: expect.stringContaining('3 of 3 restored') });
    expect(text('r1/journal.jsonl')).toBe(before);
    // The manifest alone is written anew.
    expect(times().filter((time, i) => time !== written[i])).toHaveLength(1);
  });
});

describe('R2, no output is overwritten', () => {
  test.each([
    ['detect', 'map.npy', DETECT],
    ['restore', 'mask.png', FAST],
  ])('%s gives a picture and an array unique names', async (command, kind, flags) => {
    const picture = float32Data(readNpy(readFileSync(bench.file('pictures/b.npy'))));
    writeFileSync(bench.file('a.npy'), writeNpy(float32([...picture, ...picture], [2, 3, 8, 8])));
    copyFileSync(bench.file('a.png'), bench.file('a.0.png'));
    const said = await bench.rgi(`${command} @a.0.png @a.npy ${flags} --out @r2-${command}`);
    expect(said.code).toBe(0);
    const items = journal(`r2-${command}`).map(({ item }) => item);
    expect(items).toEqual(['a.0', 'a_npy.0', 'a_npy.1']);
    for (const item of items) expect(existsSync(bench.file(`r2-${command}/${item}.${kind}`))).toBe(true);
    // Also the other way round, and where the name is an earlier run's.
    const more = await bench.rgi(`${command} @a.npy ${flags} --out @r2-other-${command}`);
    expect(more.code).toBe(0);
    expect((await bench.rgi(`${command} @a.0.png ${flags} --out @r2-other-${command}`)).code).toBe(0);
    const names = journal(`r2-other-${command}`).map(({ item }) => item);
    expect(new Set(names).size).toBe(3);
    expect(names.slice(0, 2)).toEqual(['a.0', 'a.1']);
  });
});

describe('R3, a second run into the same folder', () => {
  test('of the same settings adds to it: the manifest lists both', async () => {
    await bench.rgi(`restore @pictures/a.png ${FAST} --out @r3`);
    const said = await bench.rgi(`restore @pictures/b.npy ${FAST} --out @r3`);
    expect(said).toMatchObject({ code: 0, err: expect.stringContaining('1 of 1 restored') });
    expect(images('r3').map(({ name }) => name)).toEqual(['a', 'b']);
    await bench.rgi(`detect @pictures/a.png ${DETECT} --out @r3d`);
    await bench.rgi(`detect @pictures/b.npy ${DETECT} --out @r3d`);
    expect(text('r3d/scores.csv').trim().split('\n')).toHaveLength(3);
    expect(manifest('r3d')).toMatchObject({ pictures: 2 });
  });

  test('of other settings is refused with the remedies, and --overwrite begins anew', async () => {
    const other = `restore @pictures/c.npy ${FAST.replace('--steps 6', '--steps 5')} --out @r3`;
    const before = text('r3/journal.jsonl');
    expect(await bench.rgi(other)).toMatchObject({
      code: 2,
      err: `error: ${bench.file('r3')} holds results of 'rgi restore' with other settings or networks: give the same settings (--resume continues with them), use another --out, or replace what is there with --overwrite.\n`,
    });
    expect((await bench.rgi(`detect @pictures ${DETECT} --out @r3`)).err).toContain(
      "holds results of 'rgi restore': use another --out",
    );
    expect(text('r3/journal.jsonl')).toBe(before);
    expect((await bench.rgi(`${other} --overwrite`)).code).toBe(0);
    expect(images('r3').map(({ name }) => name)).toEqual(['c']);
    expect(readdirSync(bench.file('r3')).filter((name) => /^[ab]\./.test(name))).toEqual([]);
  });

  test('of another folder, but of a picture of the same name, has a name of its own', async () => {
    mkdirSync(bench.file('elsewhere'), { recursive: true });
    copyFileSync(bench.file('alpha.png'), bench.file('elsewhere/a.png'));
    await bench.rgi(`restore @pictures/a.png ${FAST} --out @r3n`);
    await bench.rgi(`restore @elsewhere/a.png ${FAST} --out @r3n`);
    expect(images('r3n').map(({ name }) => name)).toEqual(['a', 'elsewhere_a']);
  });
});

describe('R4 and R7, processes', () => {
  test('a second one is refused; signals finish the picture in hand; a dead one is taken over, its rests swept', async () => {
    const values = float32Data(readNpy(readFileSync(bench.file('pictures/b.npy'))));
    const many = new Float32Array(MANY * values.length);
    for (let i = 0; i < MANY; i++) many.set(values, i * values.length);
    writeFileSync(bench.file('many.npy'), writeNpy(float32(many, [MANY, 3, 8, 8])));
    const line = `restore @many.npy ${FAST} --batch 1 --out @r4`;
    for (const signal of ['SIGTERM', 'SIGHUP', 'SIGINT', 'SIGKILL'] as const) {
      const before = existsSync(bench.file('r4/journal.jsonl')) ? journal('r4').length : 0;
      const child = started(`${line} --resume`);
      const closed = once(child, 'close');
      await appears('r4/.rgi.lock');
      while (!existsSync(bench.file('r4/journal.jsonl')) || journal('r4').length <= before) await later(5);
      if (signal === 'SIGTERM') {
        const second = await bench.rgi(`${line} --resume`);
        expect(second.code).toBe(2);
        expect(second.err).toMatch(
          /^error: The folder .*r4 is in use by process \d+ on \S+ since \S+; wait for it to end, or name another\.\n$/,
        );
      }
      child.kill(signal);
      const [code, by] = await closed;
      if (signal === 'SIGKILL') {
        expect(by).toBe('SIGKILL');
        // As if it had been in the midst of writing.
        writeFileSync(bench.file('r4/.many.39.mask.png.0a1b2c3d.tmp'), 'half');
      } else {
        expect([signal, code]).toEqual([signal, 3]);
        expect(temporary('r4')).toEqual([]);
        expect(manifest('r4')).toMatchObject({ complete: false });
        expect(images('r4')).toHaveLength(journal('r4').length);
      }
    }
    // The rest in this process: the lock is the dead one's.
    expect(existsSync(bench.file('r4/.rgi.lock'))).toBe(true);
    expect((await bench.rgi(`${line} --resume --quiet`)).code).toBe(0);
    expect(temporary('r4')).toEqual([]);
    const items = journal('r4').map(({ item }) => item);
    expect([items.length, new Set(items).size]).toEqual([MANY, MANY]);
  }, 120_000);
});

describe('R5, what --resume believes', () => {
  const line = `restore @pictures ${FAST} --out @r5`;
  const change = (item: string, how: (entry: { program: string; record: { seconds: unknown } }) => void) => {
    const entries = journal('r5');
    how(entries.findLast((entry) => entry.item === item));
    writeFileSync(bench.file('r5/journal.jsonl'), entries.map((entry) => `${JSON.stringify(entry)}\n`).join(''));
  };
  /** Names of the pictures that are done again. */
  const again = async () => {
    const said = await bench.rgi(`${line} --resume`);
    expect(said.code).toBe(0);
    return [...said.err.matchAll(/^(\w+): [\d.]+% masked/gm)].map(([, name]) => name);
  };

  test('an output that was emptied, one of another version, one of wrong types: each is done again', async () => {
    await bench.rgi(line);
    expect(await again()).toEqual([]);
    writeFileSync(bench.file('r5/b.residual.png'), '');
    expect(await again()).toEqual(['b']);
    change('c', (entry) => {
      entry.program = '0.0.1';
    });
    expect(await again()).toEqual(['c']);
    change('a', (entry) => {
      entry.record.seconds = '1';
    });
    expect(await again()).toEqual(['a']);
    expect(images('r5').map(({ status }) => status)).toEqual(['done', 'done', 'done']);
  });

  test('results of another version are not mixed with without a word', async () => {
    change('c', (entry) => {
      entry.program = '0.0.1';
    });
    const said = await bench.rgi(line);
    expect(said.code).toBe(2);
    expect(said.err).toMatch(
      /holds results of another version \(rgi 0\.0\.1, rules \d+; this is .*\): --resume does them again, or use another --out, or replace what is there with --overwrite\.\n$/,
    );
  });
});

describe('R8, where results lie among the inputs', () => {
  test('own outputs are not taken as inputs, those of a run that was killed neither', async () => {
    mkdirSync(bench.file('same'));
    copyFileSync(bench.file('a.png'), bench.file('same/a.png'));
    copyFileSync(bench.file('a.png'), bench.file('same/b.png'));
    const line = `restore @same ${FAST} --out @same`;
    await bench.rgi(`${line}`);
    // Renamed, but killed before it was recorded.
    const entries = text('same/journal.jsonl').split('\n');
    writeFileSync(bench.file('same/journal.jsonl'), `${entries[0]}\n`);
    writeFileSync(bench.file('same/.rgi.pending.json'), JSON.stringify(JSON.parse(entries[1]).outputs));
    const said = await bench.rgi(`${line} --resume`);
    expect(said.code).toBe(0);
    expect(said.err).toContain('warning: 10 pictures in');
    expect(said.err).toContain('2 of 2 restored');
    expect(images('same').map(({ name }) => name)).toEqual(['a', 'b']);
    const detect = `detect @same ${DETECT} --out @same-found`;
    expect((await bench.rgi(detect)).code).toBe(0);
  });
});

describe('what a run is', () => {
  test.each([
    ['detect', DETECT],
    ['restore', FAST],
  ])(
    '%s with another --batch is another one, since sums in another order differ in their last bits',
    async (command, flags) => {
      const line = `${command} @pictures ${flags} --out @batch-${command}`;
      expect((await bench.rgi(line)).code).toBe(0);
      expect((await bench.rgi(`${line} --resume --batch 1`)).err).toContain('with other settings or networks');
    },
  );

  test('with other weights beside the same file of a model is another one', async () => {
    const weights = new Float32Array(4 * 192).map((_, i) => Math.sin(i));
    writeFileSync(bench.file('outside.onnx'), weightsOutside('outside.bin'));
    writeFileSync(bench.file('outside.bin'), new Uint8Array(weights.buffer));
    const line = `restore @a.png ${FAST.replace('@g.onnx', '@outside.onnx')} --out @outside`;
    await bench.rgi(line);
    const [hash] = manifest('outside').generator.weights;
    expect(hash).toEqual({ location: 'outside.bin', sha256: expect.stringMatching(/^[0-9a-f]{64}$/) });
    expect((await bench.rgi(`${line} --resume`)).err).not.toContain('error:');
    weights[0] += 0.5;
    writeFileSync(bench.file('outside.bin'), new Uint8Array(weights.buffer));
    expect((await bench.rgi(`${line} --resume`)).err).toContain('with other settings or networks');
    const evaluation = `evaluate inpaint @pictures --generator @outside.onnx --cases block --threads 1 --methods invert:steps=2 --out @eval`;
    expect(await bench.rgi(evaluation)).toMatchObject({ code: 0 });
    const before = journal('eval');
    await bench.rgi(`${evaluation} --resume`);
    expect(journal('eval')).toEqual(before);
    weights[0] += 0.5;
    writeFileSync(bench.file('outside.bin'), new Uint8Array(weights.buffer));
    await bench.rgi(`${evaluation} --resume`);
    expect(journal('eval')).toHaveLength(2 * before.length);
  });

  test('an evaluation of its own outputs is refused in one sentence', async () => {
    mkdirSync(bench.file('only/pictures'), { recursive: true });
    copyFileSync(bench.file('a.png'), bench.file('only/pictures/a.png'));
    expect(await bench.rgi('evaluate inpaint @only --generator @g.onnx --out @only')).toMatchObject({
      code: 2,
      err: `error: All 1 pictures of ${bench.file('only')} are outputs of an evaluation into ${bench.file('only')}; name the folder of the clean pictures.\n`,
    });
  });
});
