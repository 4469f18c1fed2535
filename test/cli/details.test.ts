/** Errors carry what was wrong as data, beside the sentence; with --json the command line prints it. */
import { afterAll, beforeAll, describe, expect, expectTypeOf, test } from 'vitest';
import { type ErrorDetails, fileError, nameError, optionError, RgiError } from '../../src/errors.ts';
import { buildMethod } from '../../src/inversion/methods/index.ts';
import { receiveError, sendError } from '../../src/runtime/node/protocol.ts';
import { type Bench, makeBench } from './bench.ts';

describe('details of an error', () => {
  test('are told apart by their kind', () => {
    const error = fileError('a.png', 'empty', 'a.png is empty.');
    const { details } = error;
    if (details?.kind !== 'file') return expect.unreachable();
    expectTypeOf(details.path).toBeString();
    expectTypeOf<ErrorDetails['kind']>().toEqualTypeOf<'option' | 'command' | 'name' | 'shape' | 'file' | 'operator'>();
    expectTypeOf<Extract<ErrorDetails, { kind: 'option' }>['problem']>().toEqualTypeOf<
      'unknown' | 'missing' | 'value' | 'conflict' | 'unused'
    >();
    // @ts-expect-error: a reason is one of those that are known
    expect(() => fileError('a.png', 'odd', '')).not.toThrow();
    expect(details).toEqual({ kind: 'file', path: 'a.png', reason: 'empty' });
    expect(error.location).toEqual({ file: 'a.png' });
  });

  test('are taken over from the cause by whoever adds to the sentence, and travel between threads', () => {
    const inner = optionError('No.', { option: 'steps', problem: 'value', received: 0 });
    const outer = new RgiError('usage', 'The method: No.', {}, { cause: inner });
    expect(outer.details).toEqual({ kind: 'option', option: 'steps', problem: 'value', received: 0 });
    expect(receiveError(sendError(outer)).details).toEqual(outer.details);
    expect(new RgiError('model', 'No.').details).toBeUndefined();
  });

  test('name the operator where the location does', () => {
    const error = new RgiError('unsupported-operator', 'No.', { operator: 'Det', node: 'd' });
    expect(error.details).toEqual({ kind: 'operator', op: 'Det', node: 'd' });
    expect(nameError('No.', 'weight', 'w').details).toEqual({ kind: 'name', of: 'weight', received: 'w' });
  });

  test("of a method's options, by the names of the library", () => {
    const context = {
      channels: 3,
      generator: { initializers: new Map(), nodes: [] } as never,
      masked: false,
      critic: false,
      layers: [],
    };
    const detailsOf = (options: Parameters<typeof buildMethod>[0]) => {
      try {
        buildMethod(options, context);
      } catch (error) {
        return (error as RgiError).details;
      }
      return expect.unreachable();
    };
    expect(detailsOf({ method: 'anogan', maskForm: 'exact' })).toMatchObject({
      kind: 'option',
      option: 'maskForm',
      problem: 'unused',
    });
    expect(detailsOf({ method: 'rgi', lambda: 1, thresholdGrey: 9 })).toEqual({
      kind: 'option',
      option: 'lambda',
      problem: 'conflict',
      received: 1,
    });
    expect(detailsOf({ method: 'rgi', preset: 'best' })).toEqual({
      kind: 'option',
      option: 'preset',
      problem: 'value',
      received: 'best',
    });
    expect(detailsOf({ method: 'rgi', maskForm: 'free' })).toEqual({
      kind: 'option',
      option: 'maskForm',
      problem: 'conflict',
      received: 'free',
      allowed: ['exact'],
    });
    expect(detailsOf({ method: 'rgi', featureWeight: 1 })).toEqual({
      kind: 'option',
      option: 'features',
      problem: 'missing',
    });
  });
});

describe('with --json a failed command prints the error as a document', () => {
  let bench: Bench;
  beforeAll(async () => {
    bench = await makeBench();
  });
  afterAll(() => bench.remove());
  const details = async (line: string) => {
    const { out, code } = await bench.rgi(`${line} --json`);
    const { error, exitCode } = JSON.parse(out.replaceAll(`${bench.folder}/`, '')) as {
      error: { details?: unknown };
      exitCode: number;
    };
    expect(exitCode).toBe(code);
    return error.details;
  };

  test.each([
    [
      'restore @a.png -g @g.onnx -o @o --preset papr',
      {
        kind: 'option',
        option: '--preset',
        problem: 'value',
        received: 'papr',
        allowed: ['fast', 'best', 'paper', 'paper-l1', 'paper-detect'],
      },
    ],
    ['restore @a.png -o @o', { kind: 'option', option: '--generator', problem: 'missing' }],
    ['restor @a.png', { kind: 'command', received: 'restor', nearest: 'restore' }],
    [
      'restore @a.png -g @g.onnx -o @o --treshold 5',
      { kind: 'option', option: '--treshold', problem: 'unknown', nearest: '--threshold' },
    ],
    ['restore @missing.png -g @g.onnx -o @o', { kind: 'file', path: 'missing.png', reason: 'missing' }],
    ['restore @void.png -g @g.onnx -o @o', { kind: 'file', path: 'void.png', reason: 'empty' }],
    ['restore @cut.png -g @g.onnx -o @o', { kind: 'file', path: 'cut.png', reason: 'damaged' }],
    ['restore @huge.png -g @g.onnx -o @o', { kind: 'file', path: 'huge.png', reason: 'too-large' }],
    ['restore @nan.npy -g @g.onnx -o @o', { kind: 'file', path: 'nan.npy', reason: 'values' }],
    [
      'restore @big.png -g @g.onnx -o @o --fit refuse',
      { kind: 'shape', of: 'big.png', expected: [8, 8], received: [16, 16] },
    ],
    ['restore @last.npy -g @g.onnx -o @o', { kind: 'shape', of: 'last.npy', received: [8, 8, 3] }],
    ['restore @a.png -g @missing.onnx -o @o', { kind: 'file', path: 'missing.onnx', reason: 'missing' }],
    ['restore @a.png -g @det.onnx -o @o', { kind: 'operator', op: 'Det' }],
    ['restore @a.png -g @g.onnx -o @o --latent w', { kind: 'name', of: 'value', received: 'w' }],
    [
      'restore @a.png -g @g.onnx -o @o --method rrgi --weights w',
      { kind: 'name', of: 'weight', received: 'w', allowed: ['layer.weight', 'layer.bias'] },
    ],
    [
      'restore @a.png -g @g.onnx -o @o --method invert --lambda 3',
      { kind: 'option', option: '--lambda', problem: 'unused' },
    ],
    ['gradcheck @g.onnx --output-name y', { kind: 'name', of: 'output', received: 'y', allowed: ['image'] }],
    [
      'evaluate inpaint @pictures -g @g.onnx -o @o --methods anogan+mask',
      { kind: 'option', option: '--methods', problem: 'value', received: 'anogan+mask' },
    ],
    ['train @missing --out @t.onnx', { kind: 'file', path: 'missing', reason: 'not-a-folder' }],
    ['train @empty --out @t.onnx', { kind: 'file', path: 'empty', reason: 'empty' }],
  ])('%s', async (line, wanted) => {
    expect(await details(line)).toMatchObject(wanted);
  });
});
