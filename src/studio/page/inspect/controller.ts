/** What the Inspect view does: trains on good pictures, then inspects pictures one after another. */
import type { Engine, OpenedModel, Picture, TrainResult, Work, WorkProgress } from '../../engine.ts';
import { PageFailure, sentenceOf, wasStopped } from '../failures.ts';
import type { Choice } from '../models/choice.ts';
import type { Library } from '../models/library.ts';
import { fetchFeatures } from '../models/shipped.ts';
import { thinnedPicture, thinnedPlane } from '../pictures/planes.ts';
import { isPictureName, readPicture } from '../pictures/read.ts';
import { createStore, type Store } from '../store.ts';
import { texts } from '../texts.ts';
import { type Decision, type InspectItem, inspectedOf } from './items.ts';

export interface TrainSettings {
  readonly name: string;
  /** Side of the generator's pictures. */
  readonly size: number;
  readonly features: boolean;
}

export interface InspectState {
  readonly training?: WorkProgress;
  readonly trainFailure: string;
  /** The model that was trained here, and whether it was saved. */
  readonly trained?: {
    readonly name: string;
    readonly result: TrainResult;
    readonly isSaved: boolean;
    /** Thumbnails of the good pictures by name. */
    readonly thumbnails: ReadonlyMap<string, Picture>;
  };
  readonly items: readonly InspectItem[];
  /** As the user moved it; absent: the policy's own. */
  readonly limit?: number;
  readonly failure: string;
  /** Id of the item that is looked at. */
  readonly selected?: number;
}

export interface Inspector {
  readonly state: Store<InspectState>;
  train(files: readonly File[], settings: TrainSettings): Promise<void>;
  stopTraining(): void;
  saveTrained(): Promise<void>;
  inspect(files: readonly File[]): void;
  decide(id: number, decision: Decision | undefined): void;
  /** Takes away all inspected pictures. */
  clear(): void;
  /** Results of another model are no longer of use: the pictures are inspected again. */
  modelChanged(): void;
}

/** Fewer good pictures say nothing of what good ones are like. */
const MIN_GOOD = 8;

/** Larger pictures are made smaller before they are trained on or inspected, both the same: this many times the model's side. */
const READ_SIDES = 4;

/** Longer side of a thumbnail, in pixels. */
const THUMBNAIL_SIDE = 280;

export function createInspector(engine: Engine, library: Library, choice: Choice): Inspector {
  const state = createStore<InspectState>({ trainFailure: '', items: [], failure: '' });
  let training: Work<TrainResult> | undefined;
  let nextId = 1;
  let isBusy = false;

  const update = (id: number, fields: Partial<InspectItem>) =>
    state.patch({ items: state.get().items.map((each) => (each.id === id ? { ...each, ...fields } : each)) });

  const drain = async () => {
    if (isBusy) return;
    isBusy = true;
    for (;;) {
      const next = state.get().items.find(({ phase }) => phase === 'waiting');
      const { model } = choice.state.get();
      if (!next || !model || model.policies.length === 0) break;
      update(next.id, { phase: 'running' });
      const fields = await inspectOne(engine, model, next.file);
      // Another model may have been chosen meanwhile: then the picture waits again.
      if (choice.state.get().model === model) update(next.id, fields);
    }
    isBusy = false;
  };

  return {
    state,
    async train(files, settings) {
      const pictures = files.filter(({ name }) => isPictureName(name));
      state.patch({ trainFailure: '', training: { stage: texts.train.reading, share: 0 } });
      try {
        if (pictures.length < MIN_GOOD) throw new PageFailure(texts.failures.tooFew(pictures.length, MIN_GOOD));
        const read = await readAll(pictures, READ_SIDES * settings.size, (share) =>
          state.patch({ training: { stage: texts.train.reading, share } }),
        );
        const features = settings.features ? await fetchFeatures(library.state.get().index) : undefined;
        const { name, size } = settings;
        const request = { name, size, pictures: read, purpose: 'inspect' as const, seed: 0 };
        training = engine.train({ ...request, ...(features ? { features } : {}) }, (progress) =>
          state.patch({ training: progress }),
        );
        const result = await training.result;
        const thumbnails = new Map(read.map((picture) => [picture.name, thumbnailOf(picture)]));
        state.patch({ trained: { name, result, isSaved: false, thumbnails }, limit: undefined });
        const source = { kind: 'files' as const, name, files: result.files };
        library.adopt(source, result.model);
        await choice.choose(source);
      } catch (error) {
        if (!wasStopped(error)) state.patch({ trainFailure: sentenceOf(error) });
      } finally {
        training = undefined;
        state.patch({ training: undefined });
      }
    },
    stopTraining: () => training?.stop(),
    async saveTrained() {
      const { trained } = state.get();
      if (!trained) return;
      try {
        await library.save(trained.name, trained.result.files, true);
        state.patch({ trained: { ...trained, isSaved: true } });
      } catch {
        state.patch({ trainFailure: texts.failures.saving });
      }
    },
    inspect(files) {
      const pictures = files.filter(({ name }) => isPictureName(name));
      const added = pictures.map(
        (file): InspectItem => ({ id: nextId++, name: pathOf(file), file, phase: 'waiting', failure: '' }),
      );
      state.patch({
        items: [...state.get().items, ...added],
        failure: added.length === 0 ? texts.failures.noPictures : '',
      });
      void drain();
    },
    decide: (id, decision) => update(id, { decision }),
    clear: () => state.patch({ items: [], selected: undefined }),
    modelChanged() {
      const items = state
        .get()
        .items.map(({ id, name, file }) => ({ id, name, file, phase: 'waiting' as const, failure: '' }));
      state.patch({ items, limit: undefined, selected: undefined });
      void drain();
    },
  };
}

async function inspectOne(engine: Engine, model: OpenedModel, file: File): Promise<Partial<InspectItem>> {
  try {
    const { picture } = await readPicture(file, READ_SIDES * Math.max(model.width, model.height));
    const thumbnail = thumbnailOf(picture);
    const result = await engine.inspect({ model: model.id, policy: model.policies[0], picture });
    return {
      phase: 'done',
      thumbnail,
      result: inspectedOf(result, thinnedPlane(result.map, thumbnailFactor(picture)), picture),
    };
  } catch (error) {
    return { phase: 'failed', failure: sentenceOf(error) };
  }
}

/** k, of which every k-th pixel makes a thumbnail. */
function thumbnailFactor({ width, height }: Picture): number {
  return Math.max(1, Math.ceil(Math.max(width, height) / THUMBNAIL_SIDE));
}

function thumbnailOf(picture: Picture): Picture {
  return thinnedPicture(picture, thumbnailFactor(picture));
}

/** One after another: many decoded at a time would fill the memory. */
async function readAll(files: readonly File[], maxSide: number, onShare: (share: number) => void) {
  const pictures = [];
  for (const [i, file] of files.entries()) {
    const { picture } = await readPicture(file, maxSide);
    // Files of several folders may have one name.
    pictures.push({ ...picture, name: pathOf(file) });
    onShare((i + 1) / files.length);
  }
  return pictures;
}

/** The path below the chosen folder, where there is one. */
function pathOf(file: File): string {
  return file.webkitRelativePath || file.name;
}
