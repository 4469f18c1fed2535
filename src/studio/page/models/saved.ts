/** Models that the user saved, in this browser's IndexedDB: the only thing that outlives the tab. */
import type { NamedBytes } from '../../engine.ts';

/** A saved model without its bytes. */
export interface SavedModel {
  readonly id: string;
  readonly name: string;
  readonly bytes: number;
  /** Milliseconds since 1970. */
  readonly savedAt: number;
  readonly inspects: boolean;
}

interface StoredModel extends SavedModel {
  readonly files: readonly NamedBytes[];
}

const DATABASE = 'rgi-studio';
const MODELS = 'models';

/** All saved models, the newest first; none where the browser stores nothing. */
export async function listSaved(): Promise<SavedModel[]> {
  const all = await transact<StoredModel[]>('readonly', (models) => models.getAll()).catch(() => []);
  return all
    .map(({ id, name, bytes, savedAt, inspects }) => ({ id, name, bytes, savedAt, inspects }))
    .sort((a, b) => b.savedAt - a.savedAt);
}

export async function saveModel(name: string, files: readonly NamedBytes[], inspects: boolean): Promise<SavedModel> {
  const bytes = files.reduce((sum, file) => sum + file.bytes.length, 0);
  const model = { id: crypto.randomUUID(), name, bytes, savedAt: Date.now(), inspects };
  await transact('readwrite', (models) => models.put({ ...model, files }));
  return model;
}

export async function readSaved(id: string): Promise<readonly NamedBytes[]> {
  const found = await transact<StoredModel | undefined>('readonly', (models) => models.get(id));
  return found?.files ?? [];
}

export async function eraseSaved(id: string): Promise<void> {
  await transact('readwrite', (models) => models.delete(id));
}

async function transact<T>(mode: IDBTransactionMode, act: (models: IDBObjectStore) => IDBRequest): Promise<T> {
  const database = await settled<IDBDatabase>(opening());
  try {
    return await settled<T>(act(database.transaction(MODELS, mode).objectStore(MODELS)));
  } finally {
    database.close();
  }
}

function opening(): IDBOpenDBRequest {
  const request = indexedDB.open(DATABASE, 1);
  request.onupgradeneeded = () => request.result.createObjectStore(MODELS, { keyPath: 'id' });
  return request;
}

function settled<T>(request: IDBRequest): Promise<T> {
  return new Promise((resolve, reject) => {
    request.onsuccess = () => resolve(request.result as T);
    request.onerror = () => reject(request.error);
  });
}
