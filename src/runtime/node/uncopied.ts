/**
 * State without copies. onnxruntime-node 1.30 writes pre-allocated outputs in place, but then copies every output into a
 * fresh array that nobody reads (2 ms and 8 MB of garbage per 8 MB of state, at every step). Outputs are copied in the
 * graph's order and a sequence among them ends that with an error, after all have been computed and written: so the
 * graph gets an empty sequence as its first output. A version that can return sequences returns it, and all is well too.
 */
import { messageOf } from '../../errors.ts';
import { concatenatedBytes } from '../../onnx/concatenate.ts';
import { type EncodedModel, encodeModel } from '../../onnx/encode.ts';
import type { Node } from '../../onnx/graph.ts';
import type { Ort } from './library.ts';

/** The output whose return ends the copying. */
export const STOP = 'rgi.stop';

const REFUSAL = 'Non tensor type is temporarily not supported.';

const stopNode: Node = {
  operator: 'SequenceEmpty',
  domain: '',
  name: STOP,
  inputs: [],
  outputs: [STOP],
  attributes: {},
};

/** The model with `STOP` as its first output. Concatenated protobuf messages are merged, their lists one after the other. */
export function withStop(model: EncodedModel): EncodedModel {
  const empty = { name: '', inputs: [], outputs: [], initializers: new Map(), nodes: [stopNode] };
  const prefix = encodeModel(empty, undefined, [STOP]);
  if (model instanceof Uint8Array) return concatenatedBytes([prefix, model]);
  return { ...model, bytes: concatenatedBytes([prefix, model.bytes]) };
}

/** Runs a session that has `STOP` into the given arrays, all of them pre-allocated. */
export async function runInto(
  session: Ort.InferenceSession,
  feeds: Record<string, Ort.Tensor>,
  targets: Record<string, Ort.Tensor>,
): Promise<void> {
  try {
    await session.run(feeds, { [STOP]: null, ...targets });
  } catch (error) {
    if (messageOf(error) !== REFUSAL) throw error;
  }
}
