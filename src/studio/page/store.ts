/** State outside of components: a value that is replaced, and a hook that draws again when it is. */
import { useEffect, useState } from 'preact/hooks';

/** A value with listeners. */
export interface Store<T> {
  get(): T;
  set(value: T): void;
  /** Replaces some fields. */
  patch(fields: Partial<T>): void;
  /** Returns what ends it. */
  subscribe(listener: () => void): () => void;
}

export function createStore<T extends object>(initial: T): Store<T> {
  let value = initial;
  const listeners = new Set<() => void>();
  const set = (next: T) => {
    value = next;
    for (const listener of listeners) listener();
  };
  return {
    get: () => value,
    set,
    patch: (fields) => set({ ...value, ...fields }),
    subscribe: (listener) => {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
  };
}

export function useStore<T extends object>(store: Store<T>): T {
  const [, draw] = useState(0);
  useEffect(() => {
    const changed = () => draw((count) => count + 1);
    // What was set between the first drawing and this effect.
    changed();
    return store.subscribe(changed);
  }, [store]);
  return store.get();
}
