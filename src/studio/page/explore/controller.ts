/** What the Explore view does: samples, a line between two of them, a walk along a latent, and the projection of a picture. */
import type { Engine, OpenedModel, Picture } from '../../engine.ts';
import { sentenceOf } from '../failures.ts';
import { readPicture } from '../pictures/read.ts';
import { createStore, type Store } from '../store.ts';

export interface Sample {
  readonly latent: Float32Array;
  readonly picture: Picture;
}

export interface ExploreState {
  readonly samples: readonly Sample[];
  readonly seed: number;
  /** Positions of the two chosen samples. */
  readonly chosen: readonly [first: number, second: number];
  /** Where between the two, 0 to 1. */
  readonly share: number;
  readonly between?: Picture;
  /** The latent that is walked along, and its value. */
  readonly latent: number;
  readonly value: number;
  readonly walked?: Picture;
  readonly given?: Picture;
  readonly projected?: Picture;
  readonly isBusy: boolean;
  readonly failure: string;
}

export interface Explorer {
  readonly state: Store<ExploreState>;
  draw(seed: number): Promise<void>;
  choose(position: number): void;
  setShare(share: number): void;
  walk(latent: number, value: number): void;
  project(files: readonly File[]): Promise<void>;
}

const SAMPLES = 12;

const START: ExploreState = {
  samples: [],
  seed: 1,
  chosen: [0, 1],
  share: 0.5,
  latent: 0,
  value: 0,
  isBusy: false,
  failure: '',
};

/** @param model The model that is explored; undefined while there is none. */
export function createExplorer(engine: Engine, model: () => OpenedModel | undefined): Explorer {
  const state = createStore<ExploreState>(START);
  const between = latest(async () => {
    const { samples, chosen, share } = state.get();
    const [a, b] = chosen.map((position) => samples[position]?.latent);
    if (a && b) state.patch({ between: await pictureOf(mixed(a, b, share)) });
  });
  const walked = latest(async () => {
    const { samples, chosen, latent, value } = state.get();
    const from = samples[chosen[0]]?.latent;
    if (!from) return;
    const moved = from.slice();
    moved[latent] = value;
    state.patch({ walked: await pictureOf(moved) });
  });
  const pictureOf = async (latent: Float32Array) => {
    const opened = model();
    return opened ? (await engine.sample(opened.id, [latent]))[0] : undefined;
  };
  const trying = async (act: (opened: OpenedModel) => Promise<void>) => {
    const opened = model();
    if (!opened) return;
    state.patch({ isBusy: true, failure: '' });
    try {
      await act(opened);
    } catch (error) {
      state.patch({ failure: sentenceOf(error) });
    } finally {
      state.patch({ isBusy: false });
    }
  };
  const choose = (chosen: readonly [number, number]) => {
    const { samples, latent } = state.get();
    state.patch({ chosen, value: samples[chosen[0]]?.latent[latent] ?? 0 });
    between();
    walked();
  };
  return {
    state,
    draw: (seed) =>
      trying(async ({ id }) => {
        const latents = await engine.draw(id, SAMPLES, seed);
        const pictures = await engine.sample(id, latents);
        const samples = latents.map((latent, i) => ({ latent, picture: pictures[i] }));
        state.patch({ samples, seed, latent: 0, given: undefined, projected: undefined });
        choose([0, 1]);
      }),
    choose(position) {
      const [, second] = state.get().chosen;
      // The last two that were chosen.
      if (position !== second) choose([second, position]);
    },
    setShare(share) {
      state.patch({ share });
      between();
    },
    walk(latent, value) {
      const { samples, chosen, latent: before } = state.get();
      // Another latent begins at its own value.
      const own = samples[chosen[0]]?.latent[latent] ?? 0;
      state.patch({ latent, value: latent === before ? value : own });
      walked();
    },
    project: (files) =>
      trying(async ({ id }) => {
        if (!files[0]) return;
        const { picture } = await readPicture(files[0]);
        state.patch({ given: picture, projected: undefined });
        state.patch({ projected: (await engine.project(id, picture)).picture });
      }),
  };
}

/** Along the straight line from a to b. */
export function mixed(a: Float32Array, b: Float32Array, share: number): Float32Array {
  return a.map((value, i) => (1 - share) * value + share * b[i]);
}

/** Runs one call at a time; of those that come meanwhile, the last one only. A failure leaves the picture as it is. */
function latest(act: () => Promise<void>): () => void {
  let isRunning = false;
  let isWanted = false;
  const run = async () => {
    if (isRunning) {
      isWanted = true;
      return;
    }
    isRunning = true;
    do {
      isWanted = false;
      await act().catch(() => {});
    } while (isWanted);
    isRunning = false;
  };
  return () => void run();
}
