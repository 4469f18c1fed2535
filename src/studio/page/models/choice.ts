/** The model that one view works with. */
import type { OpenedModel } from '../../engine.ts';
import { sentenceOf } from '../failures.ts';
import { createStore, type Store } from '../store.ts';
import type { Library, ModelSource } from './library.ts';

export interface ChoiceState {
  readonly source?: ModelSource;
  /** Present once it is open. */
  readonly model?: OpenedModel;
  readonly failure: string;
}

export interface Choice {
  readonly state: Store<ChoiceState>;
  choose(source: ModelSource): Promise<void>;
}

/** @param onOpen Called with each model that is open from now on. */
export function createChoice(library: Library, onOpen: (model: OpenedModel) => void = () => {}): Choice {
  const state = createStore<ChoiceState>({ failure: '' });
  const { server } = library;
  server.state.subscribe(() => {
    if (!server.state.get().isOn && state.get().source?.kind === 'server') state.set({ failure: '' });
  });
  return {
    state,
    async choose(source) {
      state.set({ source, failure: '' });
      // Another one may be chosen meanwhile.
      const isChosen = () => state.get().source === source;
      try {
        const model = await library.open(source);
        if (!isChosen()) return;
        state.patch({ model });
        onOpen(model);
      } catch (error) {
        if (isChosen()) state.patch({ failure: sentenceOf(error) });
      }
    },
  };
}
