/** The studio's content-security policy: the page reaches its own origin only. Under `rgi serve` pictures are sent there while the user's switch is on. */

/** What the page may load, and from where: its own origin only. */
const DIRECTIVES: Readonly<Record<string, string>> = {
  'default-src': "'none'",
  'script-src': "'self' 'wasm-unsafe-eval'",
  'worker-src': "'self' blob:",
  'connect-src': "'self'",
  'style-src': "'self'",
  'img-src': "'self' blob: data:",
  'media-src': "'self' blob:",
  'manifest-src': "'self'",
  'base-uri': "'none'",
  'form-action': "'none'",
};

/** For the page's own meta element, so that the policy holds on any web server. */
export const STUDIO_POLICY = Object.entries(DIRECTIVES)
  .map(([name, value]) => `${name} ${value}`)
  .join('; ');

/** Headers of every answer. The first two isolate the page, without which a browser gives it one thread only. */
export const STUDIO_HEADERS: Readonly<Record<string, string>> = {
  'Cross-Origin-Opener-Policy': 'same-origin',
  'Cross-Origin-Embedder-Policy': 'require-corp',
  'Cross-Origin-Resource-Policy': 'same-origin',
  // A browser ignores 'frame-ancestors' in a meta element.
  'Content-Security-Policy': `${STUDIO_POLICY}; frame-ancestors 'none'`,
  'Permissions-Policy': 'camera=(self), microphone=(), geolocation=()',
  'Referrer-Policy': 'no-referrer',
  'X-Content-Type-Options': 'nosniff',
  // Files are asked for again, and sent again only where they have changed: the site may be of another version tomorrow.
  'Cache-Control': 'no-cache',
};
