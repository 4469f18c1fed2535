/** What the Restore view does: a queue of pictures, one search at a time. */
import type { MethodName } from '../../../inversion/spec/method.ts';
import type { Engine, OpenedModel, RestoreRequest, RestoreResult, Work } from '../../engine.ts';
import { sentenceOf, wasStopped } from '../failures.ts';
import { shownPicture, shownPlane } from '../pictures/planes.ts';
import { type OpenedPicture, readPicture } from '../pictures/read.ts';
import { paintedPlanes } from '../pictures/write.ts';
import { createStore, type Store } from '../store.ts';
import { texts } from '../texts.ts';
import { advanced, begun, maskOf, newItem, type RestoreItem, reset, stopped } from './items.ts';

export interface RestoreSettings {
  readonly method: MethodName;
  readonly seed: number;
  readonly fit: 'contain' | 'cover';
  /** Absent: the method's own number. */
  readonly steps?: number;
}

export interface RestoreState {
  readonly items: readonly RestoreItem[];
  /** Id of the item that is looked at. */
  readonly selected?: number;
  readonly settings: RestoreSettings;
  readonly isPaused: boolean;
  /** Files that could not be used, one sentence each. */
  readonly failures: readonly string[];
}

export interface Restorer {
  readonly state: Store<RestoreState>;
  add(files: readonly File[]): Promise<void>;
  addPictures(pictures: readonly OpenedPicture[]): void;
  remove(id: number): void;
  change(id: number, fields: Partial<RestoreItem>): void;
  /** Searches every picture that has no result yet. */
  start(): void;
  /** Searches one picture again, with the corrections, from its result on. */
  goOn(id: number): void;
  /** The same from the beginning, with the settings as they are now. */
  restart(id: number): void;
  /** The file of the latents that the result's search went on from; undefined where it began from the beginning. */
  usedLatents(id: number): Promise<Uint8Array | undefined>;
  /** Searches one picture by other methods too. */
  compare(id: number, methods: readonly MethodName[]): Promise<void>;
  pause(): void;
  resume(): void;
  stop(): void;
  /** A model is open: results of another one are no longer of use, and what waited for it begins. */
  modelChanged(): void;
}

/** @param model The model to search with; undefined while there is none. */
export function createRestorer(engine: Engine, model: () => OpenedModel | undefined): Restorer {
  const settings: RestoreSettings = { method: 'rgi', seed: 0, fit: 'contain' };
  const state = createStore<RestoreState>({ items: [], settings, isPaused: false, failures: [] });
  let work: Work<RestoreResult> | undefined;
  /** Grows with each stop: a search that began under another number is no longer wanted, painted planes or not. */
  let generation = 0;
  let nextId = 1;

  const item = (id: number) => state.get().items.find((each) => each.id === id);
  const update = (id: number, change: (item: RestoreItem) => RestoreItem) =>
    state.patch({ items: state.get().items.map((each) => (each.id === id ? change(each) : each)) });

  const addPictures = (pictures: readonly OpenedPicture[]) => {
    const added = pictures.map(({ picture, type }) => newItem(nextId++, picture, type));
    if (added.length === 0) return;
    state.patch({ items: [...state.get().items, ...added], selected: added[0].id });
  };

  const abandon = () => {
    generation++;
    work?.stop();
  };

  /** One search to its end, of a request that takes a while to make; its result, or undefined where it was stopped. */
  const search = async (making: Promise<RestoreRequest>, id: number): Promise<RestoreResult | undefined> => {
    const own = generation;
    const isWanted = () => own === generation;
    try {
      const request = await making;
      if (!isWanted()) return undefined;
      work = engine.restore(request, (progress) => isWanted() && update(id, (each) => advanced(each, progress)));
      const result = await work.result;
      if (isWanted()) await prepareShown(result);
      return isWanted() ? result : undefined;
    } catch (error) {
      if (wasStopped(error) || !isWanted()) return undefined;
      throw error;
    } finally {
      work = undefined;
      state.patch({ isPaused: false });
    }
  };

  const restoreOne = async (id: number, opened: OpenedModel) => {
    const before = item(id);
    if (!before) return;
    update(id, begun);
    try {
      const { settings } = state.get();
      const latents = opened.isLinear ? undefined : latentsToGoOnFrom(before, settings);
      const used = { threshold: before.threshold, strokes: before.edits.done, ...(latents ? { latents } : {}) };
      const result = await search(requestOf(before, opened, settings), id);
      if (!result) return update(id, stopped);
      update(id, (each) => ({ ...each, phase: 'done', result, used, rivals: [], losses: result.history.loss }));
    } catch (error) {
      update(id, (each) => ({ ...each, phase: each.result ? 'done' : 'failed', failure: sentenceOf(error) }));
    }
  };

  let isBusy = false;
  const drain = async () => {
    if (isBusy) return;
    isBusy = true;
    for (;;) {
      const next = state.get().items.find(({ phase }) => phase === 'waiting');
      const opened = model();
      if (!next || !opened) break;
      await restoreOne(next.id, opened);
    }
    isBusy = false;
  };

  const enqueue = (wanted: (item: RestoreItem) => boolean) => {
    const items = state.get().items.map((each) => (wanted(each) ? { ...each, phase: 'waiting' as const } : each));
    state.patch({ items });
    void drain();
  };

  const again = (id: number, goesOn: boolean) => {
    update(id, (each) => ({ ...each, look: 'compare', goesOn }));
    enqueue((each) => each.id === id && each.phase !== 'running');
  };

  return {
    state,
    addPictures,
    async add(files) {
      const read = await Promise.allSettled(files.map((file) => readPicture(file)));
      addPictures(read.flatMap((each) => (each.status === 'fulfilled' ? [each.value] : [])));
      state.patch({ failures: read.flatMap((each) => (each.status === 'rejected' ? [sentenceOf(each.reason)] : [])) });
    },
    remove(id) {
      if (item(id)?.phase === 'running') abandon();
      const items = state.get().items.filter((each) => each.id !== id);
      const selected = state.get().selected === id ? items[0]?.id : state.get().selected;
      state.patch({ items, selected });
    },
    change: (id, fields) => update(id, (each) => ({ ...each, ...fields })),
    start: () => enqueue(({ phase }) => phase === 'ready' || phase === 'failed'),
    goOn: (id) => again(id, true),
    restart: (id) => again(id, false),
    async usedLatents(id) {
      const opened = model();
      const latents = item(id)?.used.latents;
      return opened && latents && engine.latentsFile(opened.id, latents);
    },
    async compare(id, methods) {
      const opened = model();
      const before = item(id);
      if (isBusy || !opened || !before) return;
      isBusy = true;
      update(id, (each) => ({ ...each, rivals: [] }));
      for (const method of methods) {
        try {
          update(id, begun);
          const result = await search(rivalOf(before, opened, { ...state.get().settings, method }), id);
          if (!result) break;
          update(id, (each) => ({ ...each, rivals: [...each.rivals, { method, result, failure: '' }] }));
        } catch (error) {
          const failure = sentenceOf(error);
          update(id, (each) => ({ ...each, rivals: [...each.rivals, { method, failure }] }));
        }
      }
      update(id, (each) =>
        each.phase === 'running' ? { ...each, phase: 'done', losses: before.losses, frames: before.frames } : each,
      );
      isBusy = false;
      void drain();
    },
    pause() {
      work?.pause();
      state.patch({ isPaused: work !== undefined });
    },
    resume() {
      work?.resume();
      state.patch({ isPaused: false });
    },
    stop() {
      state.patch({
        items: state
          .get()
          .items.map((each) => (each.phase === 'waiting' ? { ...each, phase: each.result ? 'done' : 'ready' } : each)),
      });
      abandon();
    },
    modelChanged() {
      abandon();
      const { items, settings } = state.get();
      const method = methodFor(settings.method, model());
      // What waits, perhaps for the model to be open, is searched with it.
      const left = items.map((each) =>
        each.phase === 'waiting' ? { ...reset(each), phase: each.phase } : reset(each),
      );
      state.patch({ items: left, settings: { ...settings, method } });
      void drain();
    },
  };
}

/** What is drawn of a large result is made piece by piece: all at once would block the page. */
async function prepareShown({ composite, mask, residual, uncertainty }: RestoreResult): Promise<void> {
  const pieces = [
    () => shownPicture(composite),
    ...[mask, residual, uncertainty].map((plane) => () => shownPlane(plane)),
  ];
  for (const make of pieces) {
    make();
    await new Promise((resolve) => setTimeout(resolve, 0));
  }
}

async function requestOf(item: RestoreItem, { id }: OpenedModel, settings: RestoreSettings): Promise<RestoreRequest> {
  const { picture, threshold, edits } = item;
  const latents = latentsToGoOnFrom(item, settings);
  return {
    model: id,
    ...(latents ? { latents } : {}),
    picture,
    ...settings,
    ...(threshold === undefined ? {} : { thresholdGrey: threshold }),
    ...(await paintedPlanes(edits.done, picture)),
  };
}

/** A server may compute fewer methods: then its first one that needs no mask takes the place of the chosen one. */
function methodFor(chosen: MethodName, opened: OpenedModel | undefined): MethodName {
  const methods = opened?.served?.methods;
  if (!methods || methods.includes(chosen)) return chosen;
  return methods.find((name) => !texts.methods[name].needsMask) ?? chosen;
}

/** Those of another method or another placement mean nothing here. */
function latentsToGoOnFrom({ result, goesOn }: RestoreItem, { method, fit }: RestoreSettings) {
  const isSame = result?.settings.method === method && result.settings.fit === fit;
  return goesOn && isSame ? result.latents : undefined;
}

/** A method that fills a given mask gets the one that was found; the others search by themselves. */
async function rivalOf(item: RestoreItem, model: OpenedModel, settings: RestoreSettings): Promise<RestoreRequest> {
  const { result } = item;
  const request = await requestOf({ ...item, result: undefined }, model, settings);
  if (!result || !texts.methods[settings.method].needsMask) return request;
  return { ...request, hide: maskOf(result, item.threshold) };
}
