/** Downloads of a result: the picture in its own format, the mask, the painted masks, and the manifest. */
import { useState } from 'preact/hooks';
import type { OpenedModel, RestoreResult } from '../../engine.ts';
import { sentenceOf } from '../failures.ts';
import type { ModelSource } from '../models/library.ts';
import { Failure } from '../parts/failure.tsx';
import { download, encodePicture, nameWith, paintedPlanes, stemOf } from '../pictures/write.ts';
import { texts } from '../texts.ts';
import type { Restorer } from './controller.ts';
import { isChanged, type RestoreItem } from './items.ts';
import { latentsName, manifestOf, paintedNames } from './manifest.ts';

interface SaveProps {
  readonly item: RestoreItem;
  readonly result: RestoreResult;
  readonly model: OpenedModel;
  readonly source: ModelSource | undefined;
  readonly restorer: Restorer;
}

export function Save({ item, result, model, source, restorer }: SaveProps) {
  const [failure, setFailure] = useState('');
  const { name } = item.picture;
  const trying = (act: () => Promise<void>) => () =>
    void act().then(
      () => setFailure(''),
      (error) => setFailure(sentenceOf(error)),
    );
  const saveMask = async () =>
    download(nameWith(name, 'mask', 'image/png'), await encodePicture(result.mask, 'image/png'));
  const saveManifest = async () => {
    const manifest = JSON.stringify(manifestOf(item, result, model, source), null, 2);
    // All files are made before the first is saved: a manifest that names absent files would be of no use.
    const files: [name: string, content: Blob | Uint8Array | string][] = [[`${stemOf(name)}.manifest.json`, manifest]];
    const planes = await paintedPlanes(item.used.strokes, item.picture);
    const names = paintedNames(item);
    for (const brush of ['keep', 'hide'] as const) {
      const plane = planes[brush];
      if (plane) files.push([names[brush], await encodePicture(plane, 'image/png')]);
    }
    const latents = await restorer.usedLatents(item.id);
    if (latents) files.push([latentsName(item), latents]);
    for (const file of files) download(...file);
  };
  const savePicture = async () =>
    download(nameWith(name, 'restored', item.type), await encodePicture(result.composite, item.type));
  return (
    <section class="save" aria-label={texts.save.title}>
      <button type="button" class={isChanged(item) ? 'large' : 'primary large'} onClick={trying(savePicture)}>
        {texts.save.picture(texts.save.formats[item.type])}
      </button>
      <div class="row">
        <button type="button" class="small" onClick={trying(saveMask)}>
          {texts.save.mask}
        </button>
        <button type="button" class="small" title={texts.save.manifestHint} onClick={trying(saveManifest)}>
          {texts.save.manifest}
        </button>
        <button type="button" class="small" title={texts.save.restartHint} onClick={() => restorer.restart(item.id)}>
          {texts.save.restart}
        </button>
      </div>
      <Failure sentence={failure} />
    </section>
  );
}
