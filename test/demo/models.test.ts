/** What lies in models/: small enough, whole, and with cards that are made from the files themselves. */
import { createHash } from 'node:crypto';
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { describe, expect, test } from 'vitest';
import { modelCard, shippedModels } from '../../scripts/model-card.ts';
import { exportNetwork } from '../../src/gan/export.ts';
import { readModel } from '../../src/onnx/read.ts';
import { tinyGenerator } from '../support/tiny.ts';

const LARGEST = 6 * 2 ** 20;

const shipped = shippedModels(path.resolve(import.meta.dirname, '../../models'));

describe.each(shipped)('%s', (folder) => {
  const { metadata } = readModel(readFileSync(path.join(folder, 'generator.onnx')));

  test('its card is what its files say', () => {
    expect(readFileSync(path.join(folder, 'README.md'), 'utf8')).toBe(modelCard(folder));
  });

  test('it names its licence, and no file is larger than 6 MiB', () => {
    expect(JSON.parse(metadata.get('rgi.licence') ?? '{}')).toMatchObject({ name: expect.any(String) });
    const large = readdirSync(folder).filter((file) => statSync(path.join(folder, file)).size >= LARGEST);
    expect(large).toEqual([]);
  });

  test('its companions are the ones it was trained with', () => {
    const companions = JSON.parse(metadata.get('rgi.companions') ?? '{}') as Record<string, Record<string, string>>;
    for (const { file, sha256 } of Object.values(companions)) {
      const bytes = existsSync(path.join(folder, file)) ? readFileSync(path.join(folder, file)) : undefined;
      expect(bytes && createHash('sha256').update(bytes).digest('hex'), file).toBe(sha256);
    }
  });
});

test('a card is made from the metadata and the record of the training', () => {
  const root = mkdtempSync(path.join(tmpdir(), 'rgi-card-'));
  try {
    const folder = path.join(root, 'cartoon-faces');
    mkdirSync(folder);
    const training = {
      settings: { architecture: 'light', latent: 4, samples: 8, reconstructions: 8 },
      data: { pictures: 2968, held: 32, channels: 3, size: 8 },
      step: 100,
      seconds: 7500,
      coverage: { median: 31.26, worst: 20.04 },
      block: { median: 24.56 },
    };
    const facts = { channels: 3, size: 8, latent: 4, training };
    writeFileSync(path.join(folder, 'generator.onnx'), exportNetwork(tinyGenerator(3, 8, 4), 'generator', facts));
    const points = Array.from({ length: 20 }, (_, i) => ({
      step: 5 * (i + 1),
      median: 12 + i,
      worst: 10 + i,
      block: 8 + i,
    }));
    const record = { command: 'rgi train FOLDER --out x.onnx', coverage: points, losses: [], events: [] };
    writeFileSync(path.join(folder, 'training.json'), JSON.stringify(record));
    const card = modelCard(folder);
    expect(card).toContain('| training data | 2968 pictures, 1600 seen in 100 steps; 32 more were held out |');
    expect(card).toContain('| training time | 2 h 5 min');
    expect(card).toContain('31.3 dB PSNR (median), 20.0 dB (worst)');
    expect(card).toContain('| step | 5 | 20 | 30 | 45 | 60 | 75 | 85 | 100 |\n');
    expect(card).toContain('| whole, median | 12.0 | 15.0 | 17.0 | 20.0 | 23.0 | 26.0 | 28.0 | 31.0 |\n');
    expect(card).toContain('24.6 dB (median)');
    expect(card).toContain('```sh\nrgi train FOLDER --out x.onnx\n```');
    expect(card).toContain('"Personas" by Draftbit');
  } finally {
    rmSync(root, { recursive: true, force: true });
  }
});
