/** The work of a process: one order at a time, through the functions that the commands call. */
import { rm } from 'node:fs/promises';
import path from 'node:path';
import { readNpy } from '../../arrays/npy.ts';
import { detectFiles } from '../../detect/node/run.ts';
import { policyNames } from '../../detect/stored-policy.ts';
import { RgiError } from '../../errors.ts';
import { openPicture, readBytes } from '../../images/node/decode.ts';
import type { JobEvent } from '../../jobs/job.ts';
import { restoreFiles } from '../../restore/node/run.ts';
import type { Runtime } from '../../runtime/runtime.ts';
import { tensorsOf } from '../oip/variants.ts';
import { infer } from './infer.ts';
import { checkSteps, methodOf } from './method.ts';
import type { Opened, Shelf } from './opened.ts';
import type { DetectOrder, OnProgress, Order, RestoreOrder, Results, Stages } from './orders.ts';

export interface Worked {
  readonly result: Results[keyof Results];
  readonly stages: Stages;
}

/** Does one order. Throws `RgiError` where it cannot be done; its sentence speaks of the picture and the model, not of files. */
export async function work(order: Order, shelf: Shelf, runtime: Runtime, onProgress: OnProgress): Promise<Worked> {
  const clock = stopwatch();
  try {
    onProgress(0, 'opening the model');
    const opened = await shelf.open(order.model);
    clock.lap('open');
    if (order.kind === 'inspect') return { result: described(opened), stages: clock.laps() };
    if (order.kind === 'metadata') {
      return { result: tensorsOf(opened.product.generator, order.variant), stages: clock.laps() };
    }
    if (order.kind === 'infer') {
      const result = await infer(order, opened, runtime, onProgress);
      clock.lap('compute');
      return { result, stages: clock.laps() };
    }
    const picture = path.join(order.folder, 'picture');
    await checkPicture(picture, order.maxPixels);
    // What a process left that was killed in the middle of this job.
    await rm(path.join(order.folder, 'out'), { recursive: true, force: true });
    const onEvent = (event: JobEvent<unknown>) => {
      if (event.kind === 'begin') clock.lap('read');
      if (event.kind !== 'progress') return;
      clock.note();
      onProgress(event.done / event.total, event.what);
    };
    const result =
      order.kind === 'restore'
        ? await restore(order, opened, runtime, onEvent)
        : await detect(order, opened, runtime, onEvent);
    // The last step of the search reported its progress; files are written after it.
    clock.lapToNote('search');
    clock.lap('write');
    return { result, stages: clock.laps() };
  } catch (error) {
    throw inWordsOfClients(error, order);
  }
}

function stopwatch() {
  const laps: Record<string, number> = {};
  let from = performance.now();
  let noted = from;
  return {
    /** Now, for `lapToNote`. */
    note() {
      noted = performance.now();
    },
    lapToNote(name: string) {
      const to = Math.max(from, noted);
      laps[name] = (to - from) / 1000;
      from = to;
    },
    lap(name: string) {
      const now = performance.now();
      laps[name] = (now - from) / 1000;
      from = now;
    },
    laps: () => laps,
  };
}

function described({ product }: Opened): Readonly<Record<string, unknown>> {
  const { facts, notes, generator, encoder } = product;
  const { channels, height, width } = generator;
  return {
    ...facts,
    notes,
    picture: { channels, height, width },
    policies: policyNames(product.model),
    latents: generator.latents.map(({ name, dims }) => ({ name, dims })),
    encoder: encoder !== undefined,
  };
}

/** One picture of bounded size: said before it is decoded. */
async function checkPicture(file: string, maxPixels: number): Promise<void> {
  const bytes = await readBytes(file);
  if (bytes[0] !== 0x93) {
    await openPicture(file, bytes, maxPixels);
    return;
  }
  const { dims } = readNpy(bytes);
  if (dims.length === 4 && dims[0] !== 1)
    throw new RgiError('input', `${file} holds ${dims[0]} pictures; a request is about one.`, { file });
}

async function restore(
  order: RestoreOrder,
  opened: Opened,
  runtime: Runtime,
  onEvent: (event: JobEvent<unknown>) => void,
) {
  const { fit, grey, blend, grow } = order.options;
  const chosen = methodOf(opened, order.options, order.masked);
  checkSteps(chosen.method, order.maxSteps);
  let record: Results['restore'] | undefined;
  await restoreFiles(
    {
      ...chosen,
      files: [path.join(order.folder, 'picture')],
      out: path.join(order.folder, 'out'),
      masks: order.masked ? path.join(order.folder, 'mask') : undefined,
      fit,
      grey,
      blend,
      grow,
      // Of no use in a folder of one picture; hashing the whole model would take its time.
      description: { generator: order.model.name },
      onEvent(event) {
        onEvent(event);
        if (event.kind === 'record') record = event.entry.record;
      },
    },
    runtime,
  );
  if (record?.status !== 'done') throw new RgiError('input', record?.message ?? 'The picture could not be restored.');
  return record;
}

async function detect(
  order: DetectOrder,
  opened: Opened,
  runtime: Runtime,
  onEvent: (event: JobEvent<unknown>) => void,
) {
  const { generator, encoder } = opened.product;
  const policy = await opened.policy(order.options.policy);
  let record: Results['detect'] | undefined;
  await detectFiles(
    {
      files: [path.join(order.folder, 'picture')],
      out: path.join(order.folder, 'out'),
      generator,
      encoder,
      policy,
      description: { generator: order.model.name },
      inspector: await opened.inspector(policy),
      onEvent(event) {
        onEvent(event);
        if (event.kind === 'record') record = event.entry.record;
      },
    },
    runtime,
  );
  if (record?.status !== 'done') throw new RgiError('input', record?.message ?? 'The picture could not be inspected.');
  return record;
}

/** Paths of this machine are no client's business: what they name is said instead. */
function inWordsOfClients(error: unknown, order: Order): unknown {
  if (!(error instanceof RgiError)) return error;
  const { name, file } = order.model;
  let message = error.message.replaceAll(file, name).replaceAll(path.dirname(file) + path.sep, '');
  if ('folder' in order) {
    message = message
      .replaceAll(`The mask ${path.join(order.folder, 'mask')}`, 'The mask')
      .replaceAll(`its picture ${path.join(order.folder, 'picture')}`, 'its picture')
      .replaceAll(path.join(order.folder, 'picture'), 'The picture')
      .replaceAll(path.join(order.folder, 'mask'), 'The mask');
  }
  const { details } = error;
  const shown = details?.kind === 'file' ? { ...details, path: path.basename(details.path) } : details;
  const of = shown?.kind === 'shape' ? { ...shown, of: path.basename(shown.of) } : shown;
  return new RgiError(error.code, message, {}, { details: of });
}
