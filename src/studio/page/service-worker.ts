/**
 * Keeps the studio usable offline: the site is stored when it is installed, a model when it is opened. On servers that send no
 * headers of isolation it adds them, so that from the second visit on the engine has all threads.
 */

/** What this file uses of a service worker: the types of pages and of workers cannot be loaded together. */
interface WorkerEvent extends Event {
  waitUntil(work: Promise<unknown>): void;
}
interface FetchEvent extends WorkerEvent {
  readonly request: Request;
  respondWith(answer: Promise<Response>): void;
}
interface WorkerScope {
  addEventListener(type: 'install' | 'activate', listener: (event: WorkerEvent) => void): void;
  addEventListener(type: 'fetch', listener: (event: FetchEvent) => void): void;
  skipWaiting(): Promise<void>;
  readonly clients: { claim(): Promise<void> };
  readonly location: Location;
}

const scope = self as unknown as WorkerScope;
const SITE = 'site';
const base = new URL('./', scope.location.href);

scope.addEventListener('install', (event) => {
  event.waitUntil(store().then(() => scope.skipWaiting()));
});

scope.addEventListener('activate', (event) => {
  event.waitUntil(scope.clients.claim());
});

scope.addEventListener('fetch', (event) => {
  const { request } = event;
  const url = new URL(request.url);
  if (request.method !== 'GET' || !url.href.startsWith(base.href)) return;
  // A name with a hash of the content never changes what it means.
  event.respondWith(url.pathname.includes('/assets/') ? storedFirst(request) : freshFirst(request));
});

/** Stores every file of the site; what the site no longer has is forgotten. */
async function store(): Promise<void> {
  const answer = await fetch(new URL('files.json', base), { cache: 'no-cache' });
  const { files } = (await answer.json()) as { readonly files: readonly string[] };
  const cache = await caches.open(SITE);
  const wanted = new Set([base.href, ...files.map((file) => new URL(file, base).href)]);
  for (const { url } of await cache.keys()) {
    if (url.includes('/assets/') && !wanted.has(url)) await cache.delete(url);
  }
  const known = new Set((await cache.keys()).map(({ url }) => url));
  await cache.addAll([...wanted].filter((url) => !url.includes('/assets/') || !known.has(url)));
}

async function storedFirst(request: Request): Promise<Response> {
  const stored = await caches.match(request);
  return isolated(stored ?? (await fetched(request)));
}

async function freshFirst(request: Request): Promise<Response> {
  try {
    return isolated(await fetched(request));
  } catch (error) {
    const stored = await caches.match(request, { ignoreSearch: true });
    if (stored) return isolated(stored);
    throw error;
  }
}

async function fetched(request: Request): Promise<Response> {
  const answer = await fetch(request);
  if (answer.ok && answer.status === 200) await (await caches.open(SITE)).put(request, answer.clone());
  return answer;
}

function isolated(answer: Response): Response {
  if (answer.headers.has('Cross-Origin-Embedder-Policy') || answer.status === 0) return answer;
  const headers = new Headers(answer.headers);
  headers.set('Cross-Origin-Opener-Policy', 'same-origin');
  headers.set('Cross-Origin-Embedder-Policy', 'require-corp');
  headers.set('Cross-Origin-Resource-Policy', 'same-origin');
  const { status, statusText } = answer;
  return new Response([204, 304].includes(status) ? null : answer.body, { status, statusText, headers });
}
