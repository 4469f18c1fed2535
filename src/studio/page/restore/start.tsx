/** Where pictures come in: dropped, pasted, chosen, from the camera, or an example that is damaged here. */
import { useEffect, useState } from 'preact/hooks';
import type { ModelSource } from '../models/library.ts';
import { fetchExample } from '../models/shipped.ts';
import { Camera, hasCamera } from '../parts/camera.tsx';
import { DropZone } from '../parts/drop-zone.tsx';
import { PictureCanvas } from '../pictures/canvas.tsx';
import { damaged } from '../pictures/damage.ts';
import { type OpenedPicture, readPicture } from '../pictures/read.ts';
import { texts } from '../texts.ts';
import type { Restorer } from './controller.ts';

/** Examples that are shown. */
const EXAMPLES = 4;

interface AddPicturesProps {
  /** Where pictures are sent to; undefined where they stay in the tab. */
  readonly sentTo: string | undefined;
  readonly source: ModelSource | undefined;
  readonly restorer: Restorer;
  readonly onFiles: (files: readonly File[]) => void;
}

export function AddPictures({ sentTo, source, restorer, onFiles }: AddPicturesProps) {
  const [isFilming, setFilming] = useState(false);
  return (
    <>
      {isFilming ? (
        <Camera
          onClose={() => setFilming(false)}
          onFrame={(file) => {
            setFilming(false);
            onFiles([file]);
          }}
        />
      ) : (
        <DropZone
          title={texts.restore.drop}
          hint={sentTo === undefined ? texts.restore.dropHint : texts.server.dropHint(sentTo)}
          choose={texts.restore.choose}
          takesPaste
          onFiles={onFiles}
        >
          {hasCamera() && (
            <button type="button" onClick={() => setFilming(true)}>
              {texts.camera.open}
            </button>
          )}
        </DropZone>
      )}
      <Examples source={source} onPick={(example) => restorer.addPictures([example])} />
    </>
  );
}

interface ExamplesProps {
  readonly source: ModelSource | undefined;
  readonly onPick: (example: OpenedPicture) => void;
}

function Examples({ source, onPick }: ExamplesProps) {
  const examples = useExamples(source);
  if (examples.length === 0) return null;
  return (
    <section class="examples" aria-label={texts.restore.examples}>
      <p class="quiet">{texts.restore.examples}</p>
      <div class="row">
        {examples.map((example, i) => (
          <button
            type="button"
            class="thumb"
            key={example.picture.name}
            aria-label={texts.restore.example(i + 1)}
            onClick={() => onPick(example)}
          >
            <PictureCanvas picture={example.picture} />
          </button>
        ))}
      </div>
    </section>
  );
}

/** Good pictures of the model's kind, damaged here; none of a model that came without pictures. */
function useExamples(source: ModelSource | undefined): readonly OpenedPicture[] {
  const [examples, setExamples] = useState<readonly OpenedPicture[]>([]);
  useEffect(() => {
    let isCurrent = true;
    setExamples([]);
    if (source?.kind !== 'shipped') return;
    const { model } = source;
    const read = model.pictures.slice(0, EXAMPLES).map(async (name, i) => {
      const { picture, type } = await readPicture(await fetchExample(model, name));
      return { picture: damaged(picture, i), type };
    });
    // Without examples the page still works: a failure is not worth a sentence.
    Promise.all(read).then(
      (found) => isCurrent && setExamples(found),
      () => {},
    );
    return () => {
      isCurrent = false;
    };
  }, [source]);
  return examples;
}
