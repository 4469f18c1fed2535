/**
 * A prefix of a bucket that senders and workers share: each job has `KEY/picture`, `KEY/for/SENDER` of those who wait, and `KEY/out/...`, of
 * which the record is written last. A bucket has no lock: who comes while the last one leaves brings the job again, and files of results are
 * named by their content, so that those of two workers do not mix.
 */
import { mkdir } from 'node:fs/promises';
import path from 'node:path';
import { type Bucket, openBucket, parseBucketAddress, reasonOf } from '../../files/node/bucket.ts';
import { localFile } from '../../files/node/copies.ts';
import { sha256Of } from '../../files/node/hash.ts';
import { MASK, PICTURE, RECORD, RESULT } from '../queue-data.ts';
import type { Shared } from './shared.ts';
import { resultOf } from './shared-folder.ts';

export function openSharedBucket(address: string): Shared {
  parseBucketAddress(address);
  const bucket = openBucket();
  const root = address.replace(/\/*$/, '/');
  const of = (key: string, ...names: string[]) => root + [key, ...names].join('/');
  const waiting = (key: string, sender = '') => of(key, 'for', sender);
  const isWanted = (key: string) => any(bucket.list(waiting(key)));
  const removeWhole = async (key: string) => {
    for await (const object of bucket.list(of(key, ''))) await bucket.remove(object);
  };
  const release = async (key: string, sender: string) => {
    await bucket.remove(waiting(key, sender));
    if (!(await isWanted(key))) await removeWhole(key);
  };
  return {
    isWanted,
    release,
    async place(key, { picture, mask }, sender) {
      if ((await bucket.hashOf(waiting(key, sender))) === undefined) await bucket.put(waiting(key, sender), '');
      if (mask !== undefined) await bring(bucket, of(key, MASK), mask);
      await bring(bucket, of(key, PICTURE), picture);
    },
    fetch: (key, name, to) => bucket.download(of(key, name), to),
    hasResult: async (key) => (await bucket.hashOf(of(key, RESULT, RECORD))) !== undefined,
    async deliver(key, folder, result) {
      if (!(await isWanted(key)) || (await bucket.hashOf(of(key, RESULT, RECORD))) !== undefined) return;
      for (const [kind, sha256] of Object.entries(result.files))
        await bucket.upload(of(key, RESULT, `${kind}-${sha256}`), path.join(folder, `picture.${kind}`));
      await bucket.put(of(key, RESULT, RECORD), JSON.stringify(result));
    },
    async take(key, to) {
      const text = await bucket.text(of(key, RESULT, RECORD));
      if (text === undefined) return undefined;
      const answer = resultOf(text, to);
      if ('error' in answer) return answer;
      await mkdir(to, { recursive: true });
      for (const [kind, sha256] of Object.entries(answer.result.files)) {
        const file = path.join(to, kind);
        const isThere = await found(bucket.download(of(key, RESULT, `${kind}-${sha256}`), file));
        if (isThere && (await sha256Of(file)) === sha256) continue;
        // It is being removed at this moment, or it is damaged: then it is made again.
        await bucket.remove(of(key, RESULT, RECORD));
        return undefined;
      }
      return answer;
    },
    discard: removeWhole,
    async releaseAll(sender, but) {
      for await (const object of bucket.list(root)) {
        const [key, folder, name] = object.slice(root.length).split('/');
        if (folder === 'for' && name === sender && !but.has(key)) await release(key, sender);
      }
    },
  };
}

async function bring(bucket: Bucket, address: string, file: string): Promise<void> {
  if ((await bucket.hashOf(address)) === undefined) await bucket.upload(address, await localFile(file));
}

async function any(items: AsyncGenerator<unknown>): Promise<boolean> {
  for await (const _ of items) return true;
  return false;
}

/** False where there is no such object. */
async function found(download: Promise<void>): Promise<boolean> {
  try {
    await download;
    return true;
  } catch (error) {
    if (reasonOf(error) === 'missing') return false;
    throw error;
  }
}
