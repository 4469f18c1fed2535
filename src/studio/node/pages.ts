/** The studio as pages of `rgi serve`, which lie one folder below its other addresses. */
import { SERVED_METHODS } from '../../service/options.ts';
import { isBuilt, MODELS_FOLDER, SITE_FOLDER, studioApp } from './serve.ts';

/** What answers requests for the pages; undefined where the site is not built. `hasTokens`: does the service ask for bearer tokens? */
export function studioPages(
  hasTokens: boolean,
  site = SITE_FOLDER,
): ((request: Request) => Response | Promise<Response>) | undefined {
  if (!isBuilt(site)) return undefined;
  const app = studioApp(site, MODELS_FOLDER, { service: { root: '../', hasTokens, methods: SERVED_METHODS } });
  return (request) => app.fetch(request);
}
