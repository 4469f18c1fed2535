/** The studio as a folder for any web server: the built site, and the models beside it. */
import { cp, mkdtemp, readdir, rename, rm } from 'node:fs/promises';
import path from 'node:path';
import { RgiError } from '../../errors.ts';
import { assertBuilt, MODELS_FOLDER, SITE_FOLDER } from './serve.ts';

/** Writes the site. Throws `usage` where it is not built, or where the folder exists and holds something. */
export async function writeSite(out: string, site = SITE_FOLDER, models = MODELS_FOLDER): Promise<void> {
  assertBuilt(site);
  if ((await readdir(out).catch(() => [])).length > 0) {
    throw new RgiError('usage', `${out} holds files already; name a folder that is new or empty.`, { file: out });
  }
  const folder = await mkdtemp(`${path.resolve(out)}.`);
  try {
    await cp(models, path.join(folder, 'models'), { recursive: true });
    await cp(site, folder, { recursive: true, force: true });
    await rm(out, { recursive: true, force: true });
    await rename(folder, out);
  } catch (error) {
    await rm(folder, { recursive: true, force: true });
    throw error;
  }
}
