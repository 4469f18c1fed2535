/** Foreign models are tried in a process of their own: what they may take, what is remembered, and who is known. */
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, beforeEach, describe, expect, it } from 'vitest';
import { messageOf } from '../../src/errors.ts';
import { metadataOf } from '../../src/models/node/file-metadata.ts';
import { openTriedModel, type TrialFlags } from '../../src/models/node/trial.ts';
import { graphAttribute, handmade, infos, longs, node } from '../support/protos.ts';

const root = mkdtempSync(path.join(tmpdir(), 'rgi-trial-'));
const saved = { ...process.env };
let cache = '';
let count = 0;
beforeEach(() => {
  process.env = { ...saved };
  delete process.env.RGI_TRUST_MODELS;
  cache = path.join(root, `cache${count++}`);
  process.env.XDG_CACHE_HOME = cache;
});
afterAll(() => {
  process.env = saved;
  rmSync(root, { recursive: true });
});

function write(name: string, bytes: Uint8Array): string {
  const file = path.join(root, name);
  writeFileSync(file, bytes);
  return file;
}

const remembered = () => {
  const folder = path.join(cache, 'rgi', 'models');
  if (!existsSync(folder)) return [];
  return readdirSync(folder).map((file) => JSON.parse(readFileSync(path.join(folder, file), 'utf8')).end);
};

const refusal = async (file: string, flags: TrialFlags = {}) => {
  try {
    await openTriedModel(file, flags);
    return 'opened';
  } catch (error) {
    return messageOf(error).replaceAll(`${root}${path.sep}`, '');
  }
};

const tame = handmade({ nodes: [node('Relu', 'x', 'y')] });

/** y = 1 for 2^28 values (1 GiB), a size that only a run tells. */
const greedy = handmade({
  initializers: [longs('k', [1], [2 ** 26])],
  nodes: [
    node('Shape', 'x', 'shape'),
    node('ReduceProd', 'shape', 'rows', [{ name: 'keepdims', type: 2, i: 1n }]),
    node('Mul', 'rows k', 'size'),
    node('ConstantOfShape', 'size', 'zeros'),
    node('Cos', 'zeros', 'y'),
  ],
});

/** A loop of 2^60 rounds. */
const endless = handmade({
  initializers: [longs('rounds', [], [2 ** 60]), { name: 'on', dataType: 9, dims: [], int32Data: [1] }],
  nodes: [
    node('Loop', 'rounds on x', 'y', [
      graphAttribute('body', {
        name: 'body',
        node: [node('Identity', 'cond', 'cond_out'), node('Sin', 'v', 'v_out')],
        input: infos({ i: { type: 7, dims: [] }, cond: { type: 9, dims: [] }, v: [] }),
        output: infos({ cond_out: { type: 9, dims: [] }, v_out: [] }),
      }),
    ]),
  ],
});

describe('a foreign model', () => {
  it('is tried once, and known by its content then', async () => {
    await openTriedModel(write('tame.onnx', tame));
    expect(remembered()).toEqual(['done']);
    // The trial would end at once: that none takes place shows that the model is known.
    const started = performance.now();
    await openTriedModel(write('same.onnx', tame), { modelSeconds: 1 });
    expect(performance.now() - started).toBeLessThan(400);
    expect(remembered()).toEqual(['done']);
  });

  it('is tried by two at once without harm, and without a cache', async () => {
    const file = write('tame.onnx', tame);
    await Promise.all([openTriedModel(file), openTriedModel(file)]);
    expect(remembered()).toEqual(['done']);
    mkdirSync(path.join(root, 'none'), { recursive: true });
    process.env.XDG_CACHE_HOME = write('not-a-folder', tame);
    expect((await openTriedModel(file)).graph.nodes).toHaveLength(1);
  });

  it('beyond its memory is stopped, which is remembered until it may take more', async () => {
    const file = write('greedy.onnx', greedy);
    const sentence =
      'greedy.onnx: running it once took more than 600 MB of memory, in a process of its own, which was stopped. If you trust the file, allow more with --model-memory 1200.';
    expect(await refusal(file, { modelMemory: 600 })).toBe(sentence);
    expect(remembered()).toEqual(['memory']);
    const started = performance.now();
    expect(await refusal(file, { modelMemory: 600 })).toBe(sentence);
    expect(performance.now() - started).toBeLessThan(400);
  });

  it('that does not end is stopped', async () => {
    expect(await refusal(write('endless.onnx', endless), { modelSeconds: 5 })).toBe(
      'endless.onnx: running it once took more than 5 s, in a process of its own, which was stopped. If you trust the file, allow more with --model-seconds 10.',
    );
  });

  it.skipIf(process.platform === 'win32')(
    'that crashes takes its own process down only, and is tried again',
    async () => {
      const file = write('crashes.onnx', tame);
      process.env.NODE_OPTIONS = '--import=data:text/javascript,process.abort()';
      expect(await refusal(file)).toBe(
        'crashes.onnx: running it once, in a process of its own, crashed (SIGABRT): ONNX Runtime cannot run it safely. Export it again, with another opset or exporter.',
      );
      expect(remembered()).toEqual([]);
    },
  );
});

describe('no trial is needed', () => {
  it('by a model that rgi train made, as its metadata says before the graph is read', async () => {
    const file = write(
      'own.onnx',
      handmade({
        nodes: [node('Relu', 'x', 'y')],
        more: { metadataProps: [{ key: 'rgi.training', value: '{"tool":"rgi train"}' }] },
      }),
    );
    expect([...metadataOf(file)]).toEqual([['rgi.training', '{"tool":"rgi train"}']]);
    await openTriedModel(file);
    expect(remembered()).toEqual([]);
  });

  it('where all models are trusted', async () => {
    process.env.RGI_TRUST_MODELS = '1';
    await openTriedModel(write('tame.onnx', tame));
    expect(remembered()).toEqual([]);
  });

  it('by what is no model: opening it says why', async () => {
    expect([...metadataOf(write('text.onnx', new TextEncoder().encode('This is no model.\n')))]).toEqual([]);
    expect(await refusal(path.join(root, 'missing.onnx'))).toBe('missing.onnx: The file does not exist.');
    expect(await refusal(root)).toMatch(/: The file is a folder, not a file\.$/);
  });
});
