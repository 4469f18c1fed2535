/** Restorations by the models of the service that the page came from. */
import type { JobAnswer } from '../../../service/schemas.ts';
import type {
  Engine,
  OpenedModel,
  Picture,
  Plane,
  RestoreProgress,
  RestoreRequest,
  RestoreResult,
  Work,
} from '../../engine.ts';
import { PageFailure } from '../failures.ts';
import { levelsOf, redOf, WHITE_GREY } from '../pictures/planes.ts';
import { readPicture } from '../pictures/read.ts';
import { encodePicture } from '../pictures/write.ts';
import { texts } from '../texts.ts';
import type { Api } from './api.ts';
import type { Server } from './state.ts';

/** The engine with the server's models beside its own: whose a model is decides who computes. */
export function withServer(engine: Engine, server: Server): Engine {
  return {
    ...engine,
    // What is looked up anew each time stays so.
    get backend() {
      return engine.backend;
    },
    restore(request, onProgress) {
      const model = server.opened.get(request.model);
      return model ? restoreThere(server, model, request, onProgress) : engine.restore(request, onProgress);
    },
  };
}

/** What a record says of a restored picture. */
interface RestoreRecord {
  readonly code: string;
  readonly message: string;
  readonly steps: number;
  readonly seconds: number;
  readonly maskedShare: number;
  readonly misfitGrey: number;
  readonly domain: 'inside' | 'outside';
  readonly history?: RestoreResult['history'];
}

/** Switching the server off stops it. */
function restoreThere(
  { api, state }: Server,
  model: OpenedModel,
  request: RestoreRequest,
  onProgress: (progress: RestoreProgress) => void,
): Work<RestoreResult> {
  const controller = new AbortController();
  const stop = () => controller.abort({ code: 'stopped', message: 'Stopped.' });
  const run = async () => {
    // The last place before pictures are sent: nothing else is relied upon.
    if (!api || !state.get().isOn) throw new PageFailure(texts.server.isOff);
    const unwatch = state.subscribe(() => !state.get().isOn && stop());
    try {
      return await restored(api, model, request, onProgress, controller.signal);
    } finally {
      unwatch();
    }
  };
  return { result: run(), pause: () => {}, resume: () => {}, stop };
}

async function restored(
  api: Api,
  { name, channels }: OpenedModel,
  request: RestoreRequest,
  onProgress: (progress: RestoreProgress) => void,
  signal: AbortSignal,
): Promise<RestoreResult> {
  const { picture, method, seed, fit, steps, thresholdGrey } = request;
  const settings = { method, seed, fit, ...(steps ? { steps } : {}) };
  const options = {
    ...settings,
    ...(thresholdGrey === undefined ? {} : { threshold: thresholdGrey }),
    ...(channels === 1 ? { grey: 'luma' } : {}),
  };
  const query = Object.fromEntries(Object.entries(options).map(([key, value]) => [key, String(value)]));
  const sent = await encodePicture(picture, 'image/png');
  signal.throwIfAborted();
  const job = await api.restore(name, query, sent, { signal, onProgress: (state) => onProgress(progressOf(state)) });
  const read = async (file: string) => (await readPicture(await api.file(job, file))).picture;
  const record = job.record as unknown as RestoreRecord;
  return {
    id: job.id,
    composite: { ...(await read('composite.png')), name: picture.name },
    mask: redOf(await read('mask.png')),
    residual: residualOf(await read('residual.png')),
    uncertainty: redOf(await read('softmask.png')),
    restored: { ...(await read('restored.png')), name: picture.name },
    code: record.code,
    sentence: record.message,
    misfitGrey: record.misfitGrey,
    maskedShare: record.maskedShare,
    seconds: record.seconds,
    steps: record.steps,
    outOfDomain: record.domain === 'outside',
    history: record.history ?? { loss: [], masked: [] },
    settings,
  };
}

function progressOf({ state, progress }: JobAnswer): RestoreProgress {
  const [, step, steps] = /step (\d+) of (\d+)/.exec(progress.what) ?? [];
  return {
    step: Number(step ?? 0),
    steps: Number(steps ?? 1),
    ...(step ? {} : { what: state === 'queued' ? texts.server.queued : texts.restore.preparing }),
  };
}

/** Grey levels of the drawn residual: beyond white they are not known. */
function residualOf(picture: Picture): Plane {
  const levels = levelsOf(picture);
  return { ...levels, data: levels.data.map((level) => Math.round((level * WHITE_GREY) / 255)) };
}
