/** Opens the place that senders and workers share, by its address. */
import type { Shared } from './shared.ts';
import { openSharedFolder } from './shared-folder.ts';

/** Opens a folder. Throws `usage` where there is none. `others` are who share it. */
export async function openShared(named: string, others: 'senders' | 'workers'): Promise<Shared> {
  return openSharedFolder(named, others);
}
