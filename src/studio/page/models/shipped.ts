/** The models that come with the studio, as the build lists them in `models/index.json`. */
import type { NamedBytes } from '../../engine.ts';
import { PageFailure } from '../failures.ts';
import { texts } from '../texts.ts';

/** A model that can be opened without a file of one's own. */
export interface ShippedModel {
  /** Its folder below `models`. */
  readonly id: string;
  readonly title: string;
  /** Colours and size of its pictures, in words. */
  readonly about: string;
  /** Does a policy come with it? */
  readonly inspects: boolean;
  /** Names of the files that are opened together. */
  readonly files: readonly string[];
  readonly bytes: number;
  /** Names of good pictures that it was not trained on. */
  readonly pictures: readonly string[];
}

/** `models/index.json`. */
export interface ShippedIndex {
  readonly models: readonly ShippedModel[];
  /** File names of feature networks, in `models/features`. */
  readonly features: readonly string[];
}

export async function fetchIndex(): Promise<ShippedIndex> {
  return (await answer('models/index.json')).json() as Promise<ShippedIndex>;
}

/** With the feature networks, which a policy may need. */
export function fetchModel({ id, files, inspects }: ShippedModel, { features }: ShippedIndex): Promise<NamedBytes[]> {
  const own = files.map((name) => fetchBytes(`models/${id}/${name}`, name));
  const networks = inspects ? features.map((name) => fetchBytes(`models/features/${name}`, name)) : [];
  return Promise.all([...own, ...networks]);
}

/** The first feature network of the index; undefined where there is none. */
export async function fetchFeatures({ features }: ShippedIndex): Promise<NamedBytes | undefined> {
  return features.length === 0 ? undefined : fetchBytes(`models/features/${features[0]}`, features[0]);
}

/** One of the model's good pictures. */
export async function fetchExample(model: ShippedModel, name: string): Promise<File> {
  const blob = await (await answer(`models/${model.id}/pictures/${name}`)).blob();
  return new File([blob], name, { type: 'image/png' });
}

async function fetchBytes(address: string, name: string): Promise<NamedBytes> {
  return { name, bytes: new Uint8Array(await (await answer(address)).arrayBuffer()) };
}

async function answer(address: string): Promise<Response> {
  const response = await fetch(address).catch(() => undefined);
  if (!response?.ok) throw new PageFailure(texts.failures.fetch(address));
  return response;
}
