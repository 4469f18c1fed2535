/** Files of earlier latents: which row is a picture's, and what is said of files that cannot be used. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, expect, test } from 'vitest';
import { writeNpz } from '../../src/arrays/npy.ts';
import { float32 } from '../../src/onnx/tensor.ts';
import { latentsAt, openLatents } from '../../src/restore/node/latents.ts';

const folder = mkdtempSync(path.join(tmpdir(), 'rgi-latents-'));
afterAll(() => rmSync(folder, { recursive: true }));
const generator = { latents: [{ name: 'z', dims: [2] }] } as unknown as Parameters<typeof latentsAt>[2];

async function fileOf(count: number, name = 'z') {
  const file = path.join(folder, `${name}${count}.npz`);
  const z = float32(
    Float32Array.from({ length: 2 * count }, (_, i) => i),
    [count, 2],
  );
  writeFileSync(file, writeNpz(new Map([[name, z]])));
  return openLatents(file);
}

test('each picture has its own row; one row is of all pictures', async () => {
  const three = await fileOf(3);
  expect([...latentsAt(three, 2, generator).get('z')!.data]).toEqual([4, 5]);
  const one = await fileOf(1);
  expect([...latentsAt(one, 7, generator).get('z')!.data]).toEqual([0, 1]);
});

test('a picture beyond the rows of a file is refused', async () => {
  const three = await fileOf(3);
  expect(() => latentsAt(three, 3, generator)).toThrow(
    `${three.file} has latents of 3 pictures, and this is picture 4. Give those of one picture for all, or as many as there are pictures.`,
  );
});

test('a file without the array, and one that is no archive, are named', async () => {
  const other = await fileOf(1, 'w');
  expect(() => latentsAt(other, 0, generator)).toThrow(
    `${other.file} has no array 'z'; this generator needs [1,2]. Give latents of the same generator and --latent.`,
  );
  const file = path.join(folder, 'damaged.npz');
  writeFileSync(file, 'PK no archive');
  await expect(openLatents(file)).rejects.toMatchObject({
    message: expect.stringMatching(`^${file} cannot be read as latents: `),
    location: { file },
  });
});
