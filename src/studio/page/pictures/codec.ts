/** The page's side of the worker that decodes, encodes and paints pictures. */
import type { CodecAnswer, CodecFailure, CodecRequest, CodecResult } from './codec-messages.ts';

interface Waiting {
  readonly resolve: (result: CodecResult) => void;
  readonly reject: (failure: CodecFailure) => void;
}

let worker: Worker | undefined;
const waiting = new Map<number, Waiting>();
let next = 1;

/** A picture where it decodes, a file where it encodes, planes where it paints; rejects with a `CodecFailure`. */
export function codec(request: CodecRequest): Promise<CodecResult> {
  worker ??= started();
  const id = next++;
  const result = new Promise<CodecResult>((resolve, reject) => waiting.set(id, { resolve, reject }));
  worker.postMessage({ id, ...request });
  return result;
}

function started(): Worker {
  const made = new Worker(new URL('./codec-worker.ts', import.meta.url), { type: 'module' });
  made.onmessage = ({ data }: MessageEvent<CodecAnswer>) => {
    const { resolve, reject } = waiting.get(data.id)!;
    waiting.delete(data.id);
    if ('result' in data) resolve(data.result);
    else reject(data.failure);
  };
  // Out of memory: the next picture gets a worker of its own.
  made.onerror = (event) => {
    event.preventDefault();
    made.terminate();
    worker = undefined;
    for (const { reject } of waiting.values()) reject({ kind: 'damaged' });
    waiting.clear();
  };
  return made;
}
