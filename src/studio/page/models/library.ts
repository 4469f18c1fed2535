/** Which models there are, and which one is open: shipped, saved in this browser, or dropped as files. */
import type { Engine, NamedBytes, OpenedModel } from '../../engine.ts';
import { sentenceOf } from '../failures.ts';
import type { Server } from '../server/state.ts';
import { createStore, type Store } from '../store.ts';
import { eraseSaved, listSaved, readSaved, type SavedModel, saveModel } from './saved.ts';
import { fetchIndex, fetchModel, type ShippedIndex, type ShippedModel } from './shipped.ts';

/** What can be opened. */
export type ModelSource =
  | { readonly kind: 'shipped'; readonly model: ShippedModel }
  | { readonly kind: 'saved'; readonly model: SavedModel }
  | { readonly kind: 'server'; readonly model: { readonly id: string; readonly name: string } }
  | { readonly kind: 'files'; readonly name: string; readonly files: readonly NamedBytes[] };

export interface LibraryState {
  readonly index: ShippedIndex;
  readonly saved: readonly SavedModel[];
  /** The list of shipped models could not be read. */
  readonly failure: string;
}

/** The models of the studio, shared by its views. */
export interface Library {
  readonly state: Store<LibraryState>;
  readonly engine: Engine;
  readonly server: Server;
  /** Opens a model once: a second call for the same one returns the first. */
  open(source: ModelSource): Promise<OpenedModel>;
  /** A model that the engine has open already, as one just trained has. */
  adopt(source: ModelSource, model: OpenedModel): void;
  save(name: string, files: readonly NamedBytes[], inspects: boolean): Promise<SavedModel>;
  erase(id: string): Promise<void>;
}

export function createLibrary(engine: Engine, server: Server): Library {
  const state = createStore<LibraryState>({ index: { models: [], features: [] }, saved: [], failure: '' });
  const opened = new Map<string, Promise<OpenedModel>>();
  const refresh = async () => state.patch({ saved: await listSaved() });
  fetchIndex().then(
    (index) => state.patch({ index, failure: '' }),
    (error) => state.patch({ failure: sentenceOf(error) }),
  );
  refresh();
  return {
    state,
    engine,
    server,
    open(source) {
      const key = keyOf(source);
      const before = opened.get(key);
      if (before) return before;
      const opening =
        source.kind === 'server'
          ? server.open(source.model.name)
          : filesOf(source, state.get().index).then((files) => engine.open(files));
      opened.set(key, opening);
      // A failed one may be tried again.
      opening.catch(() => opened.delete(key));
      return opening;
    },
    adopt: (source, model) => void opened.set(keyOf(source), Promise.resolve(model)),
    async save(name, files, inspects) {
      const saved = await saveModel(name, files, inspects);
      await refresh();
      return saved;
    },
    async erase(id) {
      await eraseSaved(id);
      await refresh();
    },
  };
}

/** The same for the same model; files are the same where they are the same objects. */
export function keyOf(source: ModelSource): string {
  return source.kind === 'files' ? `files ${source.name} ${idOf(source.files)}` : `${source.kind} ${source.model.id}`;
}

export function titleOf(source: ModelSource): string {
  if (source.kind === 'files') return source.name;
  return source.kind === 'shipped' ? source.model.title : source.model.name;
}

const ids = new WeakMap<object, number>();
let nextId = 0;

function idOf(files: object): number {
  const id = ids.get(files) ?? nextId++;
  ids.set(files, id);
  return id;
}

async function filesOf(
  source: Exclude<ModelSource, { kind: 'server' }>,
  index: ShippedIndex,
): Promise<readonly NamedBytes[]> {
  if (source.kind === 'files') return source.files;
  return source.kind === 'saved' ? readSaved(source.model.id) : fetchModel(source.model, index);
}

/** Dropped files as a model, named after its generator. */
export async function sourceOfFiles(files: readonly File[]): Promise<ModelSource> {
  const read = files.map(async (file) => ({ name: file.name, bytes: new Uint8Array(await file.arrayBuffer()) }));
  const main = files.find(({ name }) => /\.onnx$/i.test(name) && !/encoder|discriminator/i.test(name)) ?? files[0];
  return { kind: 'files', name: main.name, files: await Promise.all(read) };
}
