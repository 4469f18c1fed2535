/** Stop, Remove and a change of model while painted strokes are still drawn: nothing of the old search may come after. */
import { beforeEach, expect, test, vi } from 'vitest';
import type { OpenedModel, Picture, RestoreRequest } from '../../src/studio/engine.ts';
import { createRestorer, type Restorer } from '../../src/studio/page/restore/controller.ts';
import { createEngine } from './fake-engine.ts';

const painting = vi.hoisted(() => ({ finish: () => {} }));
vi.mock('../../src/studio/page/pictures/codec.ts', () => ({
  codec: () =>
    new Promise((resolve) => {
      painting.finish = () => resolve({});
    }),
}));

const model: OpenedModel = {
  ...{ id: 'm', name: 'm.onnx', width: 8, height: 8, channels: 3, latents: 4, isLinear: true },
  ...{ policies: [], notes: [] },
};
const picture: Picture = { name: 'a.png', width: 8, height: 8, rgba: new Uint8ClampedArray(4 * 64).fill(200) };
const edits = { done: [{ brush: 'hide' as const, radius: 2, points: [[3, 3] as const] }], undone: [] };

let restorer: Restorer;
let asked: RestoreRequest[];
let opened: OpenedModel | undefined;
beforeEach(() => {
  asked = [];
  opened = model;
  const engine = createEngine();
  const watched: typeof engine = {
    ...engine,
    restore: (request, onProgress) => {
      asked.push(request);
      return engine.restore(request, onProgress);
    },
  };
  restorer = createRestorer(watched, () => opened);
  restorer.addPictures([{ picture, type: 'image/png' }]);
  restorer.change(1, { edits });
  restorer.start();
});

const phases = () => restorer.state.get().items.map(({ phase }) => phase);
const settled = () => new Promise((resolve) => setTimeout(resolve, 5));

test('without a stop, the search begins when the strokes are painted', async () => {
  expect(phases()).toEqual(['running']);
  painting.finish();
  await settled();
  expect(asked).toHaveLength(1);
  restorer.stop();
  await vi.waitFor(() => expect(phases()).toEqual(['ready']));
});

test.each([
  ['stop', () => restorer.stop(), ['ready']],
  ['a change of model', () => restorer.modelChanged(), ['ready']],
  ['removal', () => restorer.remove(1), []],
])('after %s, the search does not begin', async (_, end, left) => {
  end();
  painting.finish();
  await settled();
  expect(asked).toEqual([]);
  expect(phases()).toEqual(left);
});

test('a result of the old model does not come over the item that was reset, and the next search runs', async () => {
  painting.finish();
  await settled();
  restorer.modelChanged();
  expect(restorer.state.get().items[0].edits.done).toEqual([]);
  restorer.start();
  await vi.waitFor(() => expect(phases()).toEqual(['done']), { timeout: 5000 });
  expect(asked).toHaveLength(2);
});

test('what is to be restored before a model is open is restored when it is', async () => {
  const early = createRestorer(createEngine(), () => opened);
  opened = undefined;
  early.addPictures([{ picture, type: 'image/png' }]);
  early.start();
  await settled();
  expect(early.state.get().items[0].phase).toBe('waiting');
  opened = model;
  early.modelChanged();
  await vi.waitFor(() => expect(early.state.get().items[0].phase).toBe('done'), { timeout: 5000 });
});

test('a method that the server does not compute gives way to its first one', () => {
  const { state } = restorer;
  state.patch({ settings: { ...state.get().settings, method: 'anogan' } });
  opened = { ...model, served: { methods: ['dgp', 'rrgi', 'rgi'] } };
  restorer.modelChanged();
  expect(state.get().settings.method).toBe('rrgi');
});
