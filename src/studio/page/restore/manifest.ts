/** The record of a restoration: its settings and result, and the command of `rgi` that repeats it. */
import type { OpenedModel, RestoreResult } from '../../engine.ts';
import type { ModelSource } from '../models/library.ts';
import { stemOf } from '../pictures/write.ts';
import type { RestoreItem } from './items.ts';

/** Name of the file of the latents that the search went on from; '' where it began from the beginning. */
export function latentsName({ picture, used }: RestoreItem): string {
  return used.latents ? `${stemOf(picture.name)}.latents.npz` : '';
}

/** Names of the painted masks beside the picture; '' where none was painted. */
export interface PaintedNames {
  readonly keep: string;
  readonly hide: string;
}

/** The painted masks' names, of the strokes that the result was made with. */
export function paintedNames({ picture, used }: RestoreItem): PaintedNames {
  const name = (brush: 'keep' | 'hide') =>
    used.strokes.some((stroke) => stroke.brush === brush) ? `${stemOf(picture.name)}.${brush}.png` : '';
  return { keep: name('keep'), hide: name('hide') };
}

/** The arguments of `rgi` that repeat a result. */
export function commandOf(
  item: RestoreItem,
  settings: Readonly<Record<string, unknown>>,
  { channels }: Pick<OpenedModel, 'channels'>,
  source: ModelSource | undefined,
): string[] {
  const { keep, hide } = paintedNames(item);
  const option = (flag: string, value: unknown) =>
    value === undefined || value === null || value === '' ? [] : [flag, String(value)];
  return [
    'restore',
    item.picture.name,
    ...option('--generator', generatorOf(source)),
    ...option('--method', settings.method),
    ...option('--seed', settings.seed),
    ...option('--fit', settings.fit),
    ...option('--steps', settings.steps),
    ...option('--threshold', item.used.threshold),
    ...option('--keep', keep),
    ...option('--hide', hide),
    ...option('--from-latents', latentsName(item)),
    // The studio takes colour pictures for grey models as they are.
    ...option('--grey', channels === 1 ? 'luma' : ''),
    '--out',
    'restored',
  ];
}

function generatorOf(source: ModelSource | undefined): string {
  if (source?.kind === 'shipped') return `models/${source.model.id}/generator.onnx`;
  // The file of a server's model is not known here, its name is.
  return source?.kind === 'server' ? `${source.model.name}.onnx` : 'generator.onnx';
}

/** The manifest as a document. */
export function manifestOf(
  item: RestoreItem,
  result: RestoreResult,
  model: OpenedModel,
  source: ModelSource | undefined,
): Readonly<Record<string, unknown>> {
  const { picture, used } = item;
  const { code, sentence, misfitGrey, maskedShare, seconds, steps, outOfDomain, history, settings } = result;
  return {
    format: 1,
    program: 'rgi studio',
    computedBy: model.served ? 'server' : 'tab',
    command: ['rgi', ...commandOf(item, settings, model, source)],
    settings,
    thresholdGrey: used.threshold ?? null,
    painted: paintedNames(item),
    /** Of the result that the search went on from; the file is saved beside the manifest. */
    latents: latentsName(item),
    model: { name: model.name, image: [model.channels, model.height, model.width], latents: model.latents },
    picture: { name: picture.name, size: [picture.width, picture.height] },
    result: {
      code,
      message: sentence,
      misfitGrey,
      maskedShare,
      seconds,
      steps,
      domain: outOfDomain ? 'outside' : 'inside',
    },
    history,
  };
}
