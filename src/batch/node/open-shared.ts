/** Opens the place that senders and workers share, by its address. */
import { isBucketAddress } from '../../files/node/bucket.ts';
import type { Shared } from './shared.ts';
import { openSharedBucket } from './shared-bucket.ts';
import { openSharedFolder } from './shared-folder.ts';

/** Opens a folder, or a prefix of a bucket. Throws `usage` where there is no such folder. `others` are who share it. */
export async function openShared(named: string, others: 'senders' | 'workers'): Promise<Shared> {
  return isBucketAddress(named) ? openSharedBucket(named) : openSharedFolder(named, others);
}
