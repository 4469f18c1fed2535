/** The page begins here. */
import { render } from 'preact';
import { App } from './app.tsx';

const place = document.getElementById('studio');
if (place) render(<App />, place);

// Offline use is a gift, not a need: without it the page works as long as it is served.
if ('serviceWorker' in navigator && isSecureContext) {
  navigator.serviceWorker.register('./service-worker.js').catch(() => {});
}
