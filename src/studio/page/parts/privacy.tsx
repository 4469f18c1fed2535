/** Where it is computed, and that nothing is sent. */
import { useEffect, useState } from 'preact/hooks';
import type { Backend, Engine } from '../../engine.ts';
import { texts } from '../texts.ts';

export function Privacy({ engine }: { readonly engine: Engine }) {
  const [backend, setBackend] = useState<Backend | 'failed' | undefined>();
  useEffect(() => {
    engine.backend.then(setBackend, () => setBackend('failed'));
  }, [engine]);
  return (
    <details class="privacy">
      <summary>
        <span class="lock" aria-hidden="true" />
        <span class="privacy-short">{texts.privacy.short}</span>
      </summary>
      <div class="privacy-body">
        <h2>{texts.privacy.title}</h2>
        {texts.privacy.sentences.map((sentence) => (
          <p key={sentence}>{sentence}</p>
        ))}
        <p role="status">{wordsOf(backend)}</p>
      </div>
    </details>
  );
}

function wordsOf(backend: Backend | 'failed' | undefined): string {
  if (backend === undefined) return texts.privacy.starting;
  if (backend === 'failed') return texts.privacy.notStarted;
  const { device, threads, note } = backend;
  const count = device === 'wasm' ? texts.privacy.threads(threads) : '';
  return [texts.privacy.device[device], count, note].filter(Boolean).join(' ');
}
