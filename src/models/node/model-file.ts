/** Models on disk: reads the file and the weights beside it, which may not lie outside its folder. */
import { closeSync, fstatSync, readSync, realpathSync } from 'node:fs';
import path from 'node:path';
import { type FileReason, RgiError } from '../../errors.ts';
import { MAX_FILE_BYTES } from '../../files/node/limits.ts';
import { openRegular, openRegularSync, readRegular } from '../../files/node/regular.ts';
import type { ExternalData } from '../../onnx/external-data.ts';
import type { Model } from '../../onnx/graph.ts';
import { readModel } from '../../onnx/read.ts';

/**
 * Reads the ONNX model at `file`, with weights stored in other files of the same folder (or below it).
 * Every error is an `RgiError('model')` whose sentence starts with the file's name.
 *
 * @example
 * ```ts
 * import { fileURLToPath } from 'node:url';
 * import { openModel } from 'rgi/node';
 *
 * const file = fileURLToPath(import.meta.resolve('rgi/models/fashion-trousers/generator.onnx'));
 * const { graph, sourceOpset } = await openModel(file);
 * console.log(graph.inputs.length, graph.outputs.length, sourceOpset); // 1 1 20
 * ```
 */
export async function openModel(file: string): Promise<Model> {
  try {
    return readModel(await readModelBytes(file), externalBeside(file));
  } catch (error) {
    if (!(error instanceof RgiError)) throw error;
    throw new RgiError(error.code, `${file}: ${error.message}`, { ...error.location, file }, { cause: error });
  }
}

async function readModelBytes(file: string): Promise<Uint8Array> {
  try {
    const handle = await openRegular(file);
    const { size } = await handle.stat().finally(() => handle.close());
    // Protobuf's own limit of a message.
    if (size > MAX_FILE_BYTES) {
      throw new RgiError(
        'model',
        `The file is ${(size / 2 ** 30).toFixed(1)} GiB; an ONNX file is at most 2 GiB. Save its weights beside it (onnx.save_model with save_as_external_data=True).`,
      );
    }
    return await readRegular(file, MAX_FILE_BYTES);
  } catch (error) {
    throw unreadable(error, 'The file');
  }
}

/** External data of the model at `file`: byte ranges of files in its folder. */
function externalBeside(file: string): ExternalData {
  return (location, offset, length) => {
    const inner = resolveInside(path.dirname(file), location);
    let descriptor: number;
    try {
      descriptor = openRegularSync(inner);
    } catch (error) {
      throw unreadable(error, `The file of its weights, '${location}',`);
    }
    try {
      const { size } = fstatSync(descriptor);
      const wanted = length ?? size - offset;
      // Checked before anything is allocated: the numbers come from the model.
      if (!Number.isSafeInteger(offset)) {
        throw new RgiError(
          'model',
          `The offset of its weights in '${location}' is not a whole number: the model is damaged.`,
        );
      }
      if (!(offset >= 0 && wanted >= 0 && offset + wanted <= size)) {
        throw new RgiError(
          'model',
          `The file of its weights, '${location}', has ${size} bytes; the model expects ${wanted} from byte ${offset} on. Copy it again, whole.`,
        );
      }
      const bytes = new Uint8Array(wanted);
      for (let done = 0; done < wanted; ) {
        const read = readSync(descriptor, bytes, done, Math.min(wanted - done, MAX_FILE_BYTES), offset + done);
        if (read === 0)
          throw new RgiError('model', `The file of its weights, '${location}', became shorter while it was read.`);
        done += read;
      }
      return bytes;
    } catch (error) {
      throw unreadable(error, `The file of its weights, '${location}',`);
    } finally {
      closeSync(descriptor);
    }
  };
}

/** The path of `location` in `folder`; what leads out of it, by `..`, from the root, or over a symbolic link, is refused. */
function resolveInside(folder: string, location: string): string {
  const outside = () =>
    new RgiError(
      'model',
      `The model refers to weights in '${location}', outside its own folder; that is refused. Put the file beside the model and save it with that location.`,
    );
  const isOutside = (from: string, to: string) => {
    const relative = path.relative(from, to);
    return relative === '' || relative === '..' || relative.startsWith(`..${path.sep}`) || path.isAbsolute(relative);
  };
  const normal = location.replaceAll('\\', '/');
  if (normal === '' || normal.includes('\0') || path.isAbsolute(normal) || /^[a-z]:/i.test(normal)) throw outside();
  const inner = path.resolve(folder, normal);
  if (isOutside(path.resolve(folder), inner)) throw outside();
  try {
    if (isOutside(realpathSync(folder), realpathSync(inner))) throw outside();
  } catch (error) {
    throw unreadable(error, `The file of its weights, '${location}',`);
  }
  return inner;
}

const REASONS: Readonly<Partial<Record<FileReason, string>>> = {
  missing: 'does not exist',
  folder: 'is a folder, not a file',
  'not-regular': 'is not a regular file (a device, a pipe or a socket)',
  denied: 'may not be read (permission denied)',
};

const CODES: Readonly<Record<string, FileReason>> = {
  ENOENT: 'missing',
  ENOTDIR: 'missing',
  EACCES: 'denied',
  EPERM: 'denied',
};

/** An error of the file system as one of the model; what already is one stays as it is. */
function unreadable(error: unknown, what: string): RgiError {
  if (error instanceof RgiError && error.code === 'model') return error;
  const [details, origin] = error instanceof RgiError ? [error.details, error.cause] : [undefined, error];
  const code = String((origin as { code?: unknown } | undefined)?.code ?? 'unknown error');
  const reason = details?.kind === 'file' ? details.reason : (CODES[code] ?? 'unreadable');
  const loop = code === 'ELOOP' ? 'is a symbolic link that leads to itself' : undefined;
  const words = REASONS[reason] ?? loop ?? `cannot be read (${code})`;
  return new RgiError('model', `${what} ${words}.`, {}, { cause: error });
}
