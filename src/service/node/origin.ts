/**
 * A service without tokens trusts whoever reaches it; a browser on the same machine reaches it for every page that it shows. Requests that
 * pages of other sites send (cross-origin, or by a name that was bound to this machine's address) are refused.
 */
import { HttpError } from '../problem.ts';

const ADDRESS = /^(localhost|\d+\.\d+\.\d+\.\d+|\[[0-9a-f:.]+\])(:\d+)?$/i;

/** Throws 403 for a page of another site. Programs send no `Origin`. */
export function checkOrigin(request: Request): void {
  const origin = request.headers.get('origin');
  if (origin === null) return;
  const host = request.headers.get('host') ?? '';
  if (ADDRESS.test(host) && /^https?:\/\//.test(origin) && origin.replace(/^https?:\/\//, '') === host) return;
  throw new HttpError(403, 'A page of another site may not use this service; start it with --tokens to allow that.');
}
