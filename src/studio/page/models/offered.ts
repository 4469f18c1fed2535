/** The models that a view offers without a file of the user's own. */
import { useEffect } from 'preact/hooks';
import { useStore } from '../store.ts';
import type { Choice } from './choice.ts';
import { keyOf, type Library, type ModelSource } from './library.ts';

type Offered = Exclude<ModelSource, { readonly kind: 'files' }>;

/** The shipped and saved ones; or those of the server, where it computes. */
export function useOffered(library: Library, onServer: boolean): readonly Offered[] {
  const { index, saved } = useStore(library.state);
  const { models = [] } = useStore(library.server.state);
  if (onServer) return models.map((name) => ({ kind: 'server', model: { id: name, name } }));
  return [
    ...index.models.map((model) => ({ kind: 'shipped' as const, model })),
    ...saved.map((model) => ({ kind: 'saved' as const, model })),
  ];
}

/** Chooses the first model, so that one click restores an example; and again where the server's models take the place of others. */
export function useFirstChosen(library: Library, choice: Choice, onServer: boolean): void {
  useStore(choice.state);
  // Which models are saved may be known before the shipped ones are.
  const first = useOffered(library, onServer).find(({ kind }) => kind !== 'saved');
  const isRight = () => {
    // As it is now: another one may be chosen between a drawing and its effects.
    const { source } = choice.state.get();
    return source !== undefined && (source.kind === 'server') === onServer;
  };
  // The objects are others at each drawing.
  useEffect(() => {
    if (!isRight() && first) void choice.choose(first);
  }, [isRight(), first && keyOf(first), choice]);
}
