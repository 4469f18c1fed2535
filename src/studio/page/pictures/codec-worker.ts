/** Decodes, encodes and paints pictures beside the page's thread: a large one takes seconds. One at a time, for memory. */
import type { Picture } from '../../engine.ts';
import { buffersOf } from '../../messages.ts';
import { pixelBytes } from '../../pixels.ts';
import {
  type CodecAnswer,
  type CodecFailure,
  type CodecRequest,
  type CodecResult,
  MAX_PIXELS,
} from './codec-messages.ts';
import { contextOf } from './context.ts';
import { asPicture } from './planes.ts';
import { planesOf } from './strokes.ts';

/** Of JPEG and WebP: high, since the picture was compressed once already. */
const QUALITY = 0.95;

/** What a worker is to its own code. */
interface WorkerScope {
  onmessage: ((event: { readonly data: CodecRequest & { readonly id: number } }) => void) | null;
  postMessage(message: CodecAnswer, transfer?: Transferable[]): void;
}

const scope = globalThis as unknown as WorkerScope;
let last: Promise<unknown> = Promise.resolve();

scope.onmessage = ({ data: { id, ...request } }) => {
  last = last.then(async () => {
    try {
      const result = await answered(request);
      scope.postMessage({ id, result }, result instanceof Blob ? [] : buffersOf(result));
    } catch (error) {
      scope.postMessage({ id, failure: isFailure(error) ? error : { kind: 'damaged' } });
    }
  });
};

async function answered(request: CodecRequest): Promise<CodecResult> {
  if (request.kind === 'decode') return decoded(request);
  if (request.kind === 'encode') return encoded(request);
  return planesOf(request.strokes, request.width, request.height);
}

function isFailure(error: unknown): error is CodecFailure {
  return typeof error === 'object' && error !== null && 'kind' in error;
}

async function decoded({ file, maxSide }: Extract<CodecRequest, { kind: 'decode' }>): Promise<Picture> {
  const bitmap = await createImageBitmap(file);
  try {
    const { width, height } = bitmap;
    if (width * height > MAX_PIXELS) throw { kind: 'too-large', width, height } satisfies CodecFailure;
    const scale = maxSide === undefined ? 1 : Math.min(1, maxSide / Math.max(width, height));
    const size = [width, height].map((side) => Math.max(1, Math.round(side * scale))) as [number, number];
    const context = contextOf(...size);
    context.imageSmoothingQuality = 'high';
    context.drawImage(bitmap, 0, 0, ...size);
    const { data } = context.getImageData(0, 0, ...size);
    const rgba = pixelBytes(data.length);
    rgba.set(data);
    return { name: file.name, width: size[0], height: size[1], rgba };
  } finally {
    bitmap.close();
  }
}

async function encoded({ of, type }: Extract<CodecRequest, { kind: 'encode' }>): Promise<Blob> {
  const { rgba, width, height } = 'data' in of ? asPicture('', of) : of;
  const context = contextOf(width, height);
  // A canvas takes no shared memory.
  const own = rgba.buffer instanceof ArrayBuffer ? (rgba as Uint8ClampedArray<ArrayBuffer>) : rgba.slice();
  context.putImageData(new ImageData(own as Uint8ClampedArray<ArrayBuffer>, width, height), 0, 0);
  return context.canvas.convertToBlob({ type, quality: QUALITY });
}
