/** Where it is computed, and that nothing is sent. */
import { useEffect, useState } from 'preact/hooks';
import type { Backend, Engine } from '../../engine.ts';
import type { Server } from '../server/state.ts';
import { useStore } from '../store.ts';
import { texts } from '../texts.ts';

interface PrivacyProps {
  readonly engine: Engine;
  readonly server: Server;
}

export function Privacy({ engine, server }: PrivacyProps) {
  const { host, isOn } = useStore(server.state);
  const [backend, setBackend] = useState<Backend | 'failed' | undefined>();
  useEffect(() => {
    engine.backend.then(setBackend, () => setBackend('failed'));
  }, [engine]);
  return (
    <details class="privacy">
      <summary>
        <span class={isOn ? 'lock open' : 'lock'} aria-hidden="true" />
        <span class="privacy-short" role="status">
          {isOn && host !== undefined ? texts.server.badge(host) : texts.privacy.short}
        </span>
      </summary>
      <div class="privacy-body">
        <h2>{texts.privacy.title}</h2>
        {sentencesOf(host, isOn).map((sentence) => (
          <p key={sentence}>{sentence}</p>
        ))}
        <p role="status">{wordsOf(backend)}</p>
      </div>
    </details>
  );
}

function sentencesOf(host: string | undefined, isOn: boolean): readonly string[] {
  const [inTab, forgotten] = texts.privacy.sentences;
  if (host === undefined) return [inTab, forgotten];
  return isOn ? [texts.server.on(host), forgotten] : [texts.server.off(host), texts.server.privacy(host), forgotten];
}

function wordsOf(backend: Backend | 'failed' | undefined): string {
  if (backend === undefined) return texts.privacy.starting;
  if (backend === 'failed') return texts.privacy.notStarted;
  const { device, threads, note } = backend;
  const count = device === 'wasm' ? texts.privacy.threads(threads) : '';
  return [texts.privacy.device[device], count, note].filter(Boolean).join(' ');
}
