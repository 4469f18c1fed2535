/** What every runtime must do, whatever device and thread it computes on. Called inside a `describe`. */
import { afterAll, beforeAll, expect, test } from 'vitest';
import { GraphBuilder } from '../../src/onnx/builder.ts';
import { encodeModel, splitModel } from '../../src/onnx/encode.ts';
import type { ValueInfo } from '../../src/onnx/graph.ts';
import { type ElementType, float32, ints, type Tensor, tensorOf } from '../../src/onnx/tensor.ts';
import { randomFrom } from '../../src/random.ts';
import { NEXT, type Runtime } from '../../src/runtime/runtime.ts';

type Named = Record<string, Tensor>;

export const named = (tensors: Named) => new Map(Object.entries(tensors));

const info = (name: string, dims: (number | string)[], type: ElementType = 'float32'): ValueInfo => ({
  name,
  type,
  dims,
});

/** y = x + x, over any length; plus what can go wrong in it. */
export function doubling(): Uint8Array {
  const b = new GraphBuilder();
  b.node('Add', ['x', 'x'], {}, ['y']);
  return encodeModel(b.graph('doubling', [info('x', ['n', 2])], [info('y', ['n', 2])]));
}

/** Element types that are not floats: n and b pass a doubling and a negation. */
function integers(): Uint8Array {
  const b = new GraphBuilder();
  b.node('Add', ['n', 'n'], {}, ['n2']);
  b.node('Not', ['b'], {}, ['not_b']);
  const inputs = [info('n', [3], 'int64'), info('b', [2], 'bool')];
  return encodeModel(b.graph('integers', inputs, [info('n2', [3], 'int64'), info('not_b', [2], 'bool')]));
}

/** Gradient descent with momentum on |z - target|^2 / 2: v' = mu v + (z - target); z' = z - rate v'; loss observed. */
export function descent(): Uint8Array {
  const b = new GraphBuilder();
  const residual = b.Sub('z', 'target');
  const velocity = b.Add(b.Mul('v', b.scalar(0.9)), residual);
  b.node('Identity', [velocity], {}, [`${NEXT}v`]);
  b.node('Sub', ['z', b.Mul(velocity, 'rate')], {}, [`${NEXT}z`]);
  b.node('Identity', [b.ReduceSumSquare(residual, undefined, false)], {}, ['loss']);
  const inputs = [info('z', [1, 3]), info('v', [1, 3]), info('target', [1, 3]), info('rate', [])];
  const outputs = [info(`${NEXT}z`, [1, 3]), info(`${NEXT}v`, [1, 3]), info('loss', [])];
  return encodeModel(b.graph('descent', inputs, outputs));
}

const row = (...values: number[]) => float32(values, [1, values.length]);
const start = () => ({ z: row(0, 0, 0), v: row(0, 0, 0) });
const rate = (value: number) => named({ rate: float32([value], []) });

/** The same recurrence by hand. */
function descend(z: number[], v: number[], target: number[], steps: number, step = 0.05): number[] {
  const state = { z: [...z], v: [...v] };
  for (let i = 0; i < steps; i++) {
    state.v = state.v.map((value, k) => 0.9 * value + state.z[k] - target[k]);
    state.z = state.z.map((value, k) => value - step * state.v[k]);
  }
  return state.z;
}

const values = (tensor: Tensor) => Array.from(tensor.data as ArrayLike<number | bigint>, Number);

function expectNear(actual: Tensor, expected: number[]): void {
  const got = values(actual);
  expect(got).toHaveLength(expected.length);
  expected.forEach((value, i) => {
    expect(got[i]).toBeCloseTo(value, 4);
  });
}

/** @param namesNodes Does ONNX Runtime say which node has failed? onnxruntime-web does not. */
export function conformance(create: () => Promise<Runtime>, { namesNodes = true } = {}): void {
  let runtime: Runtime;
  beforeAll(async () => {
    runtime = await create();
  });
  afterAll(() => runtime.dispose());

  test('names its version', () => {
    expect(runtime.version).toMatch(/^\d+\.\d+\.\d+/);
  });

  test('runs a session, at any size of a symbolic dimension', async () => {
    const session = await runtime.session(doubling());
    for (const length of [1, 3]) {
      const x = float32(
        Array.from({ length: 2 * length }, (_, i) => i - 1),
        [length, 2],
      );
      const { y } = Object.fromEntries(await session.run(named({ x })));
      expect(y.dims).toEqual([length, 2]);
      expect(values(y)).toEqual(values(x).map((value) => 2 * value));
    }
    await session.dispose();
  });

  test('results stay as they are when the session goes on and when it is disposed; what was fed is not taken away', async () => {
    const session = await runtime.session(doubling());
    const x = row(1, 2);
    const first = (await session.run(named({ x }))).get('y')!;
    await session.run(named({ x: row(5, 6) }));
    await session.dispose();
    expect(values(first)).toEqual([2, 4]);
    expect(values(x)).toEqual([1, 2]);
  });

  test('a split model computes the same numbers, bit for bit', async () => {
    const b = new GraphBuilder();
    const random = randomFrom(1);
    const dims = [2, 8, 16, 16];
    const weight = b.initializer('a/../weight', float32(random.normals(32 * 8 * 64), [32, 8, 8, 8]));
    const small = b.initializer('small', float32(random.normals(32), [32]));
    const back = b.initializer('back', float32(random.normals(8 * 32 * 64), [8, 32, 8, 8]));
    const pads = [3, 3, 4, 4];
    const hidden = b.Tanh(b.Conv('x', weight, small, { pads }));
    b.node('Tanh', [b.Conv(hidden, back, undefined, { pads })], {}, [`${NEXT}x`]);
    const graph = b.graph('convolutions', [info('x', dims)], [info(`${NEXT}x`, dims)]);
    const start = new Map([['x', float32(random.normals(2 * 8 * 256), [2, 8, 16, 16])]]);
    const [whole, split] = await Promise.all(
      [encodeModel(graph), splitModel(graph)].map(async (model) => {
        const loop = await runtime.loop(model, start, new Map());
        for (let i = 0; i < 3; i++) await loop.step(new Map());
        const found = await loop.read();
        await loop.dispose();
        return found;
      }),
    );
    expect(split).toEqual(whole);
  });

  test('carries int64 and bool', async () => {
    const session = await runtime.session(integers());
    const result = await session.run(named({ n: ints([1, -2, 3]), b: tensorOf('bool', [1, 0]) }));
    expect(result.get('n2')!.data).toEqual(BigInt64Array.of(2n, -4n, 6n));
    expect(result.get('not_b')!.data).toEqual(Uint8Array.of(0, 1));
    await session.dispose();
  });

  test('overwrites a state of float16 by its bits', async () => {
    const b = new GraphBuilder();
    b.node('Add', ['h', 'h'], {}, [`${NEXT}h`]);
    const model = encodeModel(b.graph('g', [info('h', [2], 'float16')], [info(`${NEXT}h`, [2], 'float16')]));
    const bits = (...data: number[]): Tensor => ({ type: 'float16', dims: [2], data: Uint16Array.from(data) });
    const loop = await runtime.loop(model, named({ h: bits(0x3c00, 0x3c00) }), named({}));
    await loop.step(named({}));
    await loop.write(named({ h: bits(0x3c00, 0x4000) }));
    expect((await loop.read()).get('h')).toEqual(bits(0x3c00, 0x4000));
    await loop.step(named({}));
    expect((await loop.read()).get('h')).toEqual(bits(0x4000, 0x4400));
    await loop.dispose();
  });

  test('carries float16 as bits', async () => {
    const b = new GraphBuilder();
    b.node('Add', ['h', 'h'], {}, ['y']);
    const model = encodeModel(b.graph('g', [info('h', [2], 'float16')], [info('y', [2], 'float16')]));
    const session = await runtime.session(model);
    const h: Tensor = { type: 'float16', dims: [2], data: Uint16Array.of(0x3c00, 0x4000) };
    const y = (await session.run(named({ h }))).get('y')!;
    expect(y).toMatchObject({ type: 'float16', dims: [2], data: Uint16Array.of(0x4000, 0x4400) });
    await session.dispose();
  });

  test('returns only what is wanted', async () => {
    const session = await runtime.session(integers());
    const feeds = named({ n: ints([1, 2, 3]), b: tensorOf('bool', [1, 0]) });
    expect([...(await session.run(feeds, ['not_b'])).keys()]).toEqual(['not_b']);
    await session.dispose();
  });

  test('a loop over many steps equals the recurrence computed by hand', async () => {
    const target = [1, -2, 0.5];
    const loop = await runtime.loop(descent(), named(start()), named({ target: row(...target) }));
    let loss = Number.POSITIVE_INFINITY;
    for (let i = 0; i < 61; i++) loss = values((await loop.step(rate(0.05))).get('loss')!)[0];
    const { z } = Object.fromEntries(await loop.read(['z']));
    expectNear(z, descend([0, 0, 0], [0, 0, 0], target, 61));
    const before = descend([0, 0, 0], [0, 0, 0], target, 60);
    expect(loss).toBeCloseTo(
      before.reduce((sum, value, k) => sum + (value - target[k]) ** 2, 0),
      4,
    );
    await loop.dispose();
  });

  test('calls made without waiting run one after the other', async () => {
    const target = [1, -2, 0.5];
    const loop = await runtime.loop(descent(), named(start()), named({ target: row(...target) }));
    await Promise.all(Array.from({ length: 20 }, () => loop.step(rate(0.05))));
    expectNear((await loop.read()).get('z')!, descend([0, 0, 0], [0, 0, 0], target, 20));
    await loop.dispose();
  });

  test('what is read is a copy; what is written and fixed counts from the next step on', async () => {
    const initial = start();
    const loop = await runtime.loop(descent(), named(initial), named({ target: row(1, 1, 1) }));
    await loop.step(rate(0.05));
    const early = await loop.read();
    await loop.step(rate(0.05));
    expectNear(early.get('z')!, descend([0, 0, 0], [0, 0, 0], [1, 1, 1], 1));
    expect(values(initial.z)).toEqual([0, 0, 0]);

    await loop.write(named({ z: row(3, 2, 1), v: row(0, 0, 0) }));
    await loop.fix(named({ target: row(-1, 0, 2) }));
    for (let i = 0; i < 7; i++) await loop.step(rate(0.05));
    expectNear((await loop.read()).get('z')!, descend([3, 2, 1], [0, 0, 0], [-1, 0, 2], 7));
    await loop.dispose();
  });

  test('two loops on one runtime do not touch each other', async () => {
    const a = await runtime.loop(descent(), named(start()), named({ target: row(1, 1, 1) }));
    const b = await runtime.loop(descent(), named(start()), named({ target: row(2, 2, 2) }));
    await a.step(rate(0.05));
    await b.step(rate(0.05));
    await a.step(rate(0.05));
    expectNear((await a.read()).get('z')!, descend([0, 0, 0], [0, 0, 0], [1, 1, 1], 2));
    expectNear((await b.read()).get('z')!, descend([0, 0, 0], [0, 0, 0], [2, 2, 2], 1));
    await a.dispose();
    await b.dispose();
  });

  const failing: [what: string, act: () => Promise<unknown>, code: string, message: string][] = [
    [
      'bytes that are no model',
      () => runtime.session(Uint8Array.of(1, 2, 3)),
      'runtime',
      'ONNX Runtime failed to load the graph: Failed to load model because protobuf parsing failed.',
    ],
    ['a missing input', () => once((s) => s.run(named({}))), 'runtime', "The graph's input 'x' was not given."],
    [
      'an unknown input',
      () => once((s) => s.run(named({ x: row(1, 2), w: row(1) }))),
      'runtime',
      "The graph has no input 'w' (given as input); its inputs are 'x'.",
    ],
    [
      'a wrong shape',
      () => once((s) => s.run(named({ x: row(1, 2, 3) }))),
      'runtime',
      "The input 'x' has shape [1, 3]; the graph declares [n, 2].",
    ],
    [
      'a wrong element type',
      () => once((s) => s.run(named({ x: ints([1, 2]) }))),
      'runtime',
      "The input 'x' is int64; the graph declares float32.",
    ],
    [
      'values that do not fill the shape',
      () => once((s) => s.run(named({ x: { type: 'float32', dims: [2, 2], data: new Float32Array(3) } }))),
      'runtime',
      "The input 'x' has 3 values, which do not fill its shape [2, 2].",
    ],
    [
      'an unknown output',
      () => once((s) => s.run(named({ x: row(1, 2) }), ['q'])),
      'runtime',
      "The graph has no output 'q'; its outputs are 'y'.",
    ],
    [
      'a state that the graph does not carry on',
      () => runtime.loop(descent(), named({ ...start(), target: row(1, 1, 1) }), named({})),
      'runtime',
      "The graph has no output 'next/target'; its outputs are 'next/z', 'next/v', 'loss'.",
    ],
    [
      'a state without a start',
      () => runtime.loop(descent(), named({ z: row(0, 0, 0) }), named({ target: row(1, 1, 1) })),
      'runtime',
      "The graph makes 'next/v', but the loop was given no such state to start from.",
    ],
    [
      'a state overwritten in another shape',
      () => onceLoop((loop) => loop.write(named({ z: row(1, 2) }))),
      'runtime',
      "The state 'z' is float32 [1, 3]; it cannot be overwritten by float32 [1, 2].",
    ],
    [
      'a state that does not exist',
      () => onceLoop((loop) => loop.read(['q'])),
      'runtime',
      "The loop has no state 'q'; its states are 'z', 'v'.",
    ],
    [
      'a step without one of its inputs',
      () => onceLoop((loop) => loop.step(named({}))),
      'runtime',
      "The graph's input 'rate' was not given.",
    ],
    [
      'a session used after its end',
      async () => {
        const session = await runtime.session(doubling());
        await session.dispose();
        await session.dispose();
        await session.run(named({ x: row(1, 2) }));
      },
      'runtime',
      'The session was disposed; open another.',
    ],
  ];
  test.each(failing)('refuses %s', async (_, act, code, message) => {
    await expect(act()).rejects.toMatchObject({ name: 'RgiError', code, message });
  });

  test('a failure inside the graph names operator and node, and the session goes on', async () => {
    const b = new GraphBuilder();
    b.node('Reshape', ['x', b.ints([2, 2])], {}, ['y']);
    const model = encodeModel(b.graph('g', [info('x', ['n'])], [info('y', [2, 2])]));
    const session = await runtime.session(model);
    await expect(session.run(named({ x: float32([1, 2, 3]) }))).rejects.toMatchObject({
      code: 'runtime',
      location: namesNodes ? { operator: 'Reshape', node: 'y' } : {},
      message: expect.stringMatching(
        namesNodes
          ? /^ONNX Runtime failed while running the graph, at Reshape 'y': .*\{3\}.*\{2,2\}[^/]*$/
          : /^ONNX Runtime failed while running the graph: The input tensor .*\{3\}.*\{2,2\}$/,
      ),
    });
    expect((await session.run(named({ x: float32([1, 2, 3, 4]) }))).get('y')!.dims).toEqual([2, 2]);
    await session.dispose();
  });

  test('after its end, a runtime and what it opened refuse', async () => {
    const own = await create();
    const session = await own.session(doubling());
    const loop = await own.loop(descent(), named(start()), named({ target: row(1, 1, 1) }));
    await own.dispose();
    await own.dispose();
    await expect(own.session(doubling())).rejects.toMatchObject({ code: 'runtime' });
    await expect(session.run(named({ x: row(1, 2) }))).rejects.toMatchObject({ code: 'runtime' });
    await expect(loop.step(rate(0.05))).rejects.toMatchObject({ code: 'runtime' });
    await session.dispose();
    await loop.dispose();
  });

  async function once(use: (session: Awaited<ReturnType<Runtime['session']>>) => Promise<unknown>): Promise<void> {
    const session = await runtime.session(doubling());
    try {
      await use(session);
    } finally {
      await session.dispose();
    }
  }

  async function onceLoop(use: (loop: Awaited<ReturnType<Runtime['loop']>>) => Promise<unknown>): Promise<void> {
    const loop = await runtime.loop(descent(), named(start()), named({ target: row(1, 1, 1) }));
    try {
      await use(loop);
    } finally {
      await loop.dispose();
    }
  }
}
