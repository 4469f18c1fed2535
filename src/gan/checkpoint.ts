/** A training run as one `.npz`: the trainer's tensors, and everything else as JSON under `run`. */
import { readNpz, writeNpz } from '../arrays/npy.ts';
import { messageOf, RgiError } from '../errors.ts';
import type { Tensor } from '../onnx/tensor.ts';
import type { RunRecord } from './record.ts';
import type { TrainerState } from './trainer.ts';

export interface Checkpoint {
  readonly state: TrainerState;
  readonly record: RunRecord;
}

const VERSION = 2;

export function writeCheckpoint({ state, record }: Checkpoint): Uint8Array {
  const { tensors, ...rest } = state;
  const text = JSON.stringify({ version: VERSION, ...rest, record });
  const run: Tensor = { type: 'uint8', dims: [0], data: new TextEncoder().encode(text) };
  // Slashes would be folders in the archive: tools that unpack it are spared them.
  const named = new Map([...tensors].map(([name, tensor]) => [name.replaceAll('/', '|'), tensor]));
  return writeNpz(new Map([['run', { ...run, dims: [run.data.length] }], ...named]));
}

/** Throws `input` where the bytes are no checkpoint of ours. */
export function readCheckpoint(bytes: Uint8Array): Checkpoint {
  const arrays = readNpz(bytes);
  const run = arrays.get('run');
  try {
    if (!run) throw new Error('it does not say what run it is of');
    const { version, step, rollbacks, record } = JSON.parse(new TextDecoder().decode(run.data as Uint8Array));
    if (version !== VERSION) throw new Error(`its version is ${version}, ${VERSION} is read`);
    arrays.delete('run');
    const tensors = new Map([...arrays].map(([name, tensor]) => [name.replaceAll('|', '/'), tensor]));
    return { state: { step, rollbacks, tensors }, record };
  } catch (error) {
    throw new RgiError('input', `This is not a checkpoint of a training run: ${messageOf(error)}.`);
  }
}
