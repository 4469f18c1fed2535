/** The switch that lets the service compute, with what it means for the pictures. */
import { useState } from 'preact/hooks';
import { Failure } from '../parts/failure.tsx';
import { useStore } from '../store.ts';
import { texts } from '../texts.ts';
import type { Server } from './state.ts';

export function ServerSwitch({ server }: { readonly server: Server }) {
  const { host, isOn, models, asksForToken, failure } = useStore(server.state);
  if (host === undefined) return null;
  return (
    <section class="server" aria-label={texts.server.title}>
      <label class="check">
        <input
          type="checkbox"
          role="switch"
          checked={isOn}
          aria-checked={isOn}
          aria-describedby="server-about"
          onChange={(event) => server.switchTo(event.currentTarget.checked)}
        />
        <span>{texts.server.title}</span>
      </label>
      <p id="server-about" class={isOn ? 'notice' : 'hint'}>
        {isOn ? texts.server.on(host) : texts.server.off(host)}
      </p>
      {models?.length === 0 && <p class="quiet">{texts.server.none}</p>}
      {asksForToken && <TokenField server={server} />}
      <Failure sentence={failure} />
    </section>
  );
}

function TokenField({ server }: { readonly server: Server }) {
  const [token, setToken] = useState('');
  return (
    <form
      class="row"
      onSubmit={(event) => {
        event.preventDefault();
        server.setToken(token);
      }}
    >
      <label class="token">
        <span class="label">{texts.server.token}</span>
        <input
          type="password"
          autocomplete="off"
          required
          value={token}
          onInput={(event) => setToken(event.currentTarget.value)}
        />
      </label>
      <button type="submit">{texts.server.useToken}</button>
    </form>
  );
}
