/** Foreign models are tried in a process of their own: what they may take, what is remembered, and who is known. */
import { spawn } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { pathToFileURL } from 'node:url';
import { afterAll, beforeEach, describe, expect, it, vi } from 'vitest';
import { writeNpy } from '../../src/arrays/npy.ts';
import { run } from '../../src/cli/program.ts';
import { messageOf } from '../../src/errors.ts';
import { sha256Of } from '../../src/files/node/hash.ts';
import { rememberModel } from '../../src/files/node/known-models.ts';
import { SHIPPED_MODELS } from '../../src/models/node/shipped.ts';
import { openTriedModel, type TrialFlags } from '../../src/models/node/trial.ts';
import { float32 } from '../../src/onnx/tensor.ts';
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
  const outcomes = readdirSync(folder).filter((file) => file.endsWith('.json'));
  return outcomes.map((file) => JSON.parse(readFileSync(path.join(folder, file), 'utf8')).end);
};

const refusal = async (file: string, flags: TrialFlags = {}) => {
  try {
    await openTriedModel(file, flags);
    return 'opened';
  } catch (error) {
    return messageOf(error).replaceAll(`${root}${path.sep}`, '');
  }
};

/** From here on, a process that tries a model says its number: the function waits for it. */
function watchTrials(): () => Promise<number> {
  const told = path.join(cache, 'pid');
  mkdirSync(cache, { recursive: true });
  const teller = write(
    'teller.mjs',
    new TextEncoder().encode(`import { writeFileSync } from 'node:fs';
      if (process.argv[1]?.includes('trial-entry')) writeFileSync(${JSON.stringify(told)}, String(process.pid));`),
  );
  process.env.NODE_OPTIONS = `--import=${pathToFileURL(teller).href}`;
  const read = () => {
    const pid = existsSync(told) ? Number(readFileSync(told, 'utf8')) : 0;
    if (!pid) throw new Error('No trial has started.');
    return pid;
  };
  return () => vi.waitFor(read, 20_000);
}

function isRunning(pid: number): boolean {
  try {
    return process.kill(pid, 0);
  } catch {
    return false;
  }
}

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

  it('is tried again where the file of its weights is another', async () => {
    const weights = (location: string) => [{ key: 'location', value: location }];
    const external = (name: string) => ({
      name,
      dims: [4n],
      dataType: 1,
      dataLocation: 1,
      externalData: weights(`${name}.bin`),
    });
    const file = write(
      'outside.onnx',
      handmade({
        initializers: [external('a'), external('b')],
        nodes: [node('Mul', 'x a', 'scaled'), node('Add', 'scaled b', 'y')],
      }),
    );
    write('a.bin', new Uint8Array(16));
    write('b.bin', new Uint8Array(16));
    await openTriedModel(file);
    await openTriedModel(file);
    expect(remembered()).toEqual(['done']);
    write('b.bin', new Uint8Array(20));
    await openTriedModel(file);
    expect(remembered()).toEqual(['done', 'done']);
  });

  it('is tried again where an array that it is given has another content', async () => {
    const file = write('tame.onnx', tame);
    const input = [`x=${write('x.npy', writeNpy(float32([1, 2])))}`];
    await openTriedModel(file, { input });
    await openTriedModel(file, { input });
    expect(remembered()).toHaveLength(1);
    write('x.npy', writeNpy(float32([3, 4])));
    await openTriedModel(file, { input });
    expect(remembered()).toHaveLength(2);
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

describe('a foreign model, whatever ends its trial,', () => {
  it('is tried though it says that rgi train made it', async () => {
    const metadataProps = [{ key: 'rgi.training', value: '{"tool":"rgi train"}' }];
    await openTriedModel(write('forged.onnx', handmade({ nodes: [node('Relu', 'x', 'y')], more: { metadataProps } })));
    expect(remembered()).toEqual(['done']);
  });

  it('is opened, and tried again, where no process can be started', async () => {
    const node = process.execPath;
    process.execPath = path.join(root, 'no-such-node');
    try {
      await openTriedModel(write('tame.onnx', tame));
    } finally {
      process.execPath = node;
    }
    expect(remembered()).toEqual([]);
  });

  it.skipIf(process.platform === 'win32')('says so where the system killed it, unasked', async () => {
    process.env.NODE_OPTIONS = '--import=data:text/javascript,process.kill(process.pid,9)';
    expect(await refusal(write('killed.onnx', tame), { modelMemory: 700 })).toBe(
      'killed.onnx: running it once, in a process of its own, was ended by the system (SIGKILL), probably for lack of memory. Free some, or run it within what the machine has: --model-memory gives its megabytes (now 700).',
    );
    expect(remembered()).toEqual([]);
  });

  it('ends its process when the signal is aborted', async () => {
    const controller = new AbortController();
    const trialStarted = watchTrials();
    const opening = openTriedModel(write('endless.onnx', endless), { signal: controller.signal });
    const pid = await trialStarted();
    controller.abort();
    await expect(opening).rejects.toBe(controller.signal.reason);
    expect(isRunning(pid)).toBe(false);
    expect(remembered()).toEqual([]);
  });

  it('is left by a command with exit code 3 at Ctrl-C', async () => {
    const controller = new AbortController();
    const { signal } = controller;
    const trialStarted = watchTrials();
    const err: string[] = [];
    const say = { out: () => {}, err: (text: string) => err.push(text) };
    const command = run(['gradcheck', write('endless.onnx', endless)], {
      ...say,
      terminal: false,
      colour: false,
      signal,
      worker: false,
    });
    await trialStarted();
    controller.abort();
    expect(await command).toBe(3);
    expect(err.join('')).toBe('Interrupted. Run the same command again.\n');
  });

  it.skipIf(process.platform === 'win32').each(['SIGKILL', 'exit'] as const)(
    'ends its process when the program ends by %s',
    async (how) => {
      const trialStarted = watchTrials();
      const file = write('endless.onnx', endless);
      const trial = path.resolve(import.meta.dirname, '../../src/models/node/trial.ts');
      const code = `const { openTriedModel } = await import(${JSON.stringify(trial)});
        process.stdin.on('data', () => process.exit(0));
        await openTriedModel(${JSON.stringify(file)});`;
      const program = spawn(process.execPath, ['--import', 'tsx', '--input-type=module', '-e', code], {
        stdio: ['pipe', 'ignore', 'inherit'],
      });
      const pid = await trialStarted();
      if (how === 'exit') program.stdin!.write('end');
      else program.kill('SIGKILL');
      await vi.waitFor(() => expect(isRunning(pid)).toBe(false), 5000);
    },
  );
});

describe('no trial is needed', () => {
  it('by a model that this program has just written, whose content is known', async () => {
    await rememberModel(tame);
    await openTriedModel(write('own.onnx', tame));
    expect(remembered()).toEqual([]);
  });

  it('by the models of the package, each of which is on the list', async () => {
    const folder = path.resolve(import.meta.dirname, '../../models');
    const files = readdirSync(folder, { recursive: true, encoding: 'utf8' }).filter((name) => name.endsWith('.onnx'));
    const hashes = await Promise.all(files.map((name) => sha256Of(path.join(folder, name))));
    expect(hashes.sort()).toEqual([...SHIPPED_MODELS].sort());
    await openTriedModel(path.join(folder, 'bsd-pitting', 'generator.onnx'));
    expect(remembered()).toEqual([]);
  });

  it('where all models are trusted', async () => {
    process.env.RGI_TRUST_MODELS = '1';
    await openTriedModel(write('tame.onnx', tame));
    expect(remembered()).toEqual([]);
  });

  it('by what is no model: opening it says why', async () => {
    expect(await refusal(path.join(root, 'missing.onnx'))).toBe('missing.onnx: The file does not exist.');
    expect(await refusal(root)).toMatch(/: The file is a folder, not a file\.$/);
  });
});
