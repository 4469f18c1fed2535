/** `rgi batch` and `rgi merge`: long lists, their parts, what fails in them, and the parts' results as one. */
import { copyFileSync, cpSync, existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { writePolicy } from '../../src/detect/node/policy-files.ts';
import { type Bench, makeBench } from './bench.ts';
import { handmadePolicy } from './policy.ts';

let bench: Bench;
const RESTORE = '-g @g.onnx --steps 4 --pool 20 --starts 2 --threads 1 --batch 1';
const DETECT = '-g @part.onnx --threads 1 --batch 1';
beforeAll(async () => {
  bench = await makeBench();
  copyFileSync(bench.file('g.onnx'), bench.file('part.onnx'));
  await writePolicy(bench.file('part.onnx'), handmadePolicy());
  for (const place of ['many/one', 'many/two/three']) {
    mkdirSync(bench.file(place), { recursive: true });
    for (const name of ['a.png', 'b.npy', 'c.npy'])
      copyFileSync(bench.file(`pictures/${name}`), bench.file(`${place}/${name}`));
  }
});
afterAll(() => bench.remove());

const text = (name: string) => readFileSync(bench.file(name), 'utf8');
const manifest = (out: string) => JSON.parse(text(`${out}/manifest.json`));
const files = (out: string) =>
  (readdirSync(bench.file(out), { recursive: true }) as string[]).filter((name) => /\.\w+$/.test(name)).sort();
const items = (out: string): string[] =>
  text(`${out}/journal.jsonl`)
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line).item);
const ALL = ['one/a', 'one/b', 'one/c', 'two/three/a', 'two/three/b', 'two/three/c'];

describe('a list', () => {
  test('is restored with the names of its folders, and resumed without doing anything twice', async () => {
    const line = `batch restore @many ${RESTORE} --out @listed`;
    const said = await bench.rgi(`${line} --json`);
    expect(said.code).toBe(0);
    expect(JSON.parse(said.out)).toMatchObject({ done: 6, kept: 0, failed: 0, interrupted: false });
    expect(items('listed')).toEqual(ALL);
    expect(existsSync(bench.file('listed/two/three/a.composite.png'))).toBe(true);
    expect(files('listed').filter((name) => path.basename(name).startsWith('.'))).toEqual([]);
    rmSync(bench.file('listed/one/b.mask.png'));
    const resumed = await bench.rgi(`${line} --resume --json`);
    expect(JSON.parse(resumed.out)).toMatchObject({ done: 6, kept: 5, failed: 0 });
    expect(items('listed')).toEqual([...ALL, 'one/b']);
    expect(manifest('listed').images.map(({ name }: { name: string }) => name)).toEqual(ALL);
  });

  test('gives the numbers that `rgi restore` gives', async () => {
    expect((await bench.rgi(`restore @many --recursive ${RESTORE} --out @plain`)).code).toBe(0);
    const of = (out: string) =>
      manifest(out).images.map(({ sha256, loss, maskedShare }: Record<string, unknown>) => [sha256, loss, maskedShare]);
    expect(of('listed')).toEqual(of('plain'));
  });

  test('goes on after what cannot be used: each is recorded with its reason, exit code 4', async () => {
    writeFileSync(
      bench.file('mixed.csv'),
      'path,name\npictures/a.png,fine\ntext.png,words\nnowhere.png,none\n,empty\npictures/a.png,fine\n',
    );
    const said = await bench.rgi(`batch restore @mixed.csv ${RESTORE} --out @mixed`);
    expect(said.code).toBe(4);
    expect(said.err).toContain(`error: ${bench.file('nowhere.png')} does not exist.`);
    expect(said.err).toMatch(/2 of 5 restored into .*mixed in/);
    const records = manifest('mixed').images.map(({ name, status }: Record<string, string>) => `${name} ${status}`);
    expect(records).toEqual(['fine done', 'words failed', 'none failed', 'row-5 failed', 'fine-2 done']);
  });

  test('of nothing but bad pictures ends with 2, as does one that is not there or empty', async () => {
    writeFileSync(bench.file('bad.csv'), 'path\ntext.png\nvoid.png\n');
    expect((await bench.rgi(`batch restore @bad.csv ${RESTORE} --out @bad`)).code).toBe(2);
    expect(await bench.rgi(`batch restore @nowhere ${RESTORE} --out @bad2`)).toMatchObject({
      code: 2,
      err: `error: ${bench.file('nowhere')} does not exist.\n`,
    });
    expect(await bench.rgi(`batch restore @empty ${RESTORE} --out @bad2`)).toMatchObject({
      code: 2,
      err: `error: ${bench.file('empty')} holds no pictures.\n`,
    });
  });

  test('takes masks from its columns, or from a folder with the names of the pictures', async () => {
    writeFileSync(
      bench.file('masked.jsonl'),
      '{"path":"pictures/a.png","mask":"mask.png"}\n{"path":"pictures/b.npy"}\n',
    );
    const said = await bench.rgi(`batch restore @masked.jsonl ${RESTORE} --mask @masks --out @masked`);
    expect(said.code).toBe(4);
    expect(said.err).toContain(
      `error: The folder ${bench.file('masks')} has no mask for ${bench.file('pictures/b.npy')}: it would be named pictures/b.png, pictures/b.mask.png or pictures/b_mask.png.`,
    );
    expect(manifest('masked').images[0]).toMatchObject({ status: 'done', maskSha256: expect.any(String) });
  });

  test('names a column that is not read where it looks like one that is', async () => {
    writeFileSync(bench.file('typo.csv'), 'path,maks,comment\npictures/a.png,mask.png,old\n');
    const said = await bench.rgi(`batch restore @typo.csv ${RESTORE} --out @typo`);
    expect([said.code, said.err.split('\n')[0]]).toEqual([
      0,
      `warning: ${bench.file('typo.csv')}: the column 'maks' is not read; 'mask' is meant, if it is a typing error.`,
    ]);
    expect(said.err).not.toContain('comment');
  });

  test('refuses a part that there is not', async () => {
    const said = await bench.rgi(`batch restore @many ${RESTORE} --shard 4/4 --out @none`);
    expect(said.code).toBe(2);
    expect(said.err).toContain('It is a part and how many there are, such as 0/4: from 0/4 to 3/4.');
  });
});

describe('merged parts', () => {
  test.each([
    ['restore', RESTORE],
    ['detect', DETECT],
  ])('of %s are what the whole list gives', async (command, flags) => {
    expect((await bench.rgi(`batch ${command} @many ${flags} --out @${command}-whole`)).code).toBe(0);
    for (const part of [0, 1, 2])
      expect(
        (await bench.rgi(`batch ${command} @many ${flags} --shard ${part}/3 --out @${command}-${part}`)).code,
      ).toBe(0);
    const line = `merge @${command}-0 @${command}-1 @${command}-2 --out @${command}-merged`;
    const said = await bench.rgi(line);
    expect(said).toMatchObject({ code: 0, err: expect.stringMatching(/^6 of 6 merged into /) });
    expect(files(`${command}-merged`)).toEqual(files(`${command}-whole`));
    for (const name of files(`${command}-whole`).filter((file) => /\.(png|npy)$/.test(file)))
      expect(
        readFileSync(bench.file(`${command}-merged/${name}`)).equals(
          readFileSync(bench.file(`${command}-whole/${name}`)),
        ),
      ).toBe(true);
    const head = ({ key, complete, options, kind }: Record<string, unknown>) => ({ key, complete, options, kind });
    expect(head(manifest(`${command}-merged`))).toEqual(head(manifest(`${command}-whole`)));
    // It is a run like any other: it has a page, and what is done in it is done.
    expect((await bench.rgi(`report @${command}-merged -q`)).code).toBe(0);
    const again = await bench.rgi(`batch ${command} @many ${flags} --out @${command}-merged --resume --json`);
    expect(JSON.parse(again.out)).toMatchObject({ done: 6, kept: 6 });
    const resumed = await bench.rgi(`${line} --resume --json`);
    expect(JSON.parse(resumed.out)).toMatchObject({ done: 6, kept: 6 });
  });

  test('say what failed, what is missing, and what is not finished', async () => {
    cpSync(bench.file('restore-0'), bench.file('hurt'), { recursive: true });
    const [victim] = items('hurt');
    writeFileSync(bench.file(`hurt/${victim}.mask.png`), 'changed');
    const damaged = await bench.rgi(`merge @hurt @restore-1 @mixed --out @refused`);
    expect(damaged).toMatchObject({ code: 4 });
    expect(damaged.err).toContain(
      `error: The files of ${victim} in ${bench.file('hurt')} are not those that were written; run it again with --resume.`,
    );
    expect(damaged.err).toContain(`error: ${bench.file('nowhere.png')} does not exist.`);

    const stopped = await bench.rgi(`batch restore @many ${RESTORE} --out @stopped`, AbortSignal.abort());
    expect(stopped.code).toBe(3);
  });

  test('are of one kind, with one meaning of each name', async () => {
    expect(await bench.rgi('merge @restore-0 @detect-1 --out @refused2')).toMatchObject({
      code: 2,
      err: `error: ${bench.file('restore-0')} holds results of 'rgi restore' and ${bench.file('detect-1')} of 'rgi detect'; merge runs of one kind.\n`,
    });
    expect((await bench.rgi(`batch restore @many ${RESTORE} --seed 3 --out @other`)).code).toBe(0);
    expect(await bench.rgi('merge @restore-0 @other --out @refused2')).toMatchObject({
      code: 2,
      err: `error: ${bench.file('other')} holds results of other settings or networks than ${bench.file('restore-0')}; merge runs of the same settings and version.\n`,
    });
    mkdirSync(bench.file('namesakes/one'), { recursive: true });
    copyFileSync(bench.file('pictures/b.npy'), bench.file('namesakes/one/a.npy'));
    expect((await bench.rgi(`batch restore @namesakes ${RESTORE} --out @same`)).code).toBe(0);
    expect(await bench.rgi('merge @restore-whole @same --out @refused2')).toMatchObject({
      code: 2,
      err: `error: ${bench.file('restore-whole')} and ${bench.file('same')} hold different pictures of the name one/a; merge the parts of one list.\n`,
    });
    expect(existsSync(bench.file('refused2'))).toBe(false);
  });
});
