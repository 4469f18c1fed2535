/** A run's folder whose files are put into a bucket, too: those of an item as soon as it is recorded. */
import path from 'node:path';
import { fileError, RgiError } from '../../errors.ts';
import { type Bucket, openBucket, parseBucketAddress } from '../../files/node/bucket.ts';
import type { FileContent } from '../../images/node/write.ts';
import type { Outputs, Storage } from '../job.ts';

interface Uploaded<R> extends Storage<R> {
  readonly folder: string;
  derive(file: string, content: FileContent): Promise<void>;
}

/** Where the files of a run go. */
export interface UploadTarget {
  readonly bucket: Bucket;
  /** The beginning of their addresses; ends in '/'. */
  readonly place: string;
}

/** Of an address s3://bucket/prefix. Throws `usage` where it is none, or the bucket cannot be opened. */
export function uploadTarget(to: string): UploadTarget {
  parseBucketAddress(to);
  return { bucket: openBucket(), place: to.replace(/\/*$/, '/') };
}

/**
 * Every output of `inner` goes to the target under its name. An item whose files could not be put there has failed; an
 * item of an earlier run is confirmed only when they are there.
 */
export function uploading<R, F extends Uploaded<R>>(inner: F, { bucket, place }: UploadTarget): F {
  // Derived files of which the bucket has no copy, or an old one.
  const unsent = new Set<string>();
  const uploadAll = async (outputs: Outputs) => {
    for (const [file, sha256] of Object.entries(outputs))
      if ((await bucket.hashOf(place + file)) !== sha256)
        await bucket.upload(place + file, path.join(inner.folder, file));
  };
  return {
    ...inner,
    outputs() {
      const set = inner.outputs();
      return {
        ...set,
        async commit(record) {
          let written: Outputs = {};
          await set.commit(async (outputs) => {
            await record(outputs);
            written = outputs;
          });
          await uploadAll(written);
        },
      };
    },
    async confirms(entry) {
      if (!(await inner.confirms(entry))) return false;
      try {
        await uploadAll(entry.outputs);
        return true;
      } catch (error) {
        // The item is done again: it fails by itself where the bucket still refuses its files.
        if (error instanceof RgiError && error.code === 'input') return false;
        throw error;
      }
    },
    async derive(file, content) {
      await inner.derive(file, content);
      unsent.add(file);
      await bucket.upload(place + file, path.join(inner.folder, file));
      unsent.delete(file);
    },
    async settle() {
      await inner.settle?.();
      for (const file of unsent)
        throw fileError(
          place + file,
          'unreadable',
          `${place}${file} could not be written, although the run is complete; run the same command with --resume.`,
        );
    },
  };
}
