/** Training on a folder of good pictures, and what came of it. */
import { useState } from 'preact/hooks';
import type { Picture } from '../../engine.ts';
import { DropZone } from '../parts/drop-zone.tsx';
import { Failure } from '../parts/failure.tsx';
import { Meter } from '../parts/meter.tsx';
import { Segments } from '../parts/segments.tsx';
import { PictureCanvas } from '../pictures/canvas.tsx';
import { isPictureName } from '../pictures/read.ts';
import { download } from '../pictures/write.ts';
import { useStore } from '../store.ts';
import { texts } from '../texts.ts';
import type { Inspector } from './controller.ts';

const SIZES = ['64', '128', '256'] as const;
type Size = (typeof SIZES)[number];

export function Training({ inspector }: { readonly inspector: Inspector }) {
  const { training, trainFailure } = useStore(inspector.state);
  const [files, setFiles] = useState<readonly File[]>([]);
  const [name, setName] = useState('');
  const [size, setSize] = useState<Size>('128');
  const [features, setFeatures] = useState(true);
  const pictures = files.filter((file) => isPictureName(file.name));
  const choose = (chosen: readonly File[]) => {
    setFiles(chosen);
    setName(chosen[0]?.webkitRelativePath.split('/')[0] || texts.train.defaultName);
  };
  if (training) {
    return (
      <section class="panel" aria-label={texts.train.title}>
        <Meter label={training.stage} share={training.share} secondsLeft={training.secondsLeft} />
        <div>
          <button type="button" onClick={inspector.stopTraining}>
            {texts.restore.stop}
          </button>
        </div>
      </section>
    );
  }
  return (
    <>
      {files.length === 0 ? (
        <DropZone
          title={texts.train.drop}
          hint={texts.train.dropHint}
          choose={texts.train.choose}
          folder
          onFiles={choose}
        />
      ) : (
        <section class="panel" aria-label={texts.train.title}>
          <p>{texts.train.chosen(pictures.length)}</p>
          <div class="fields">
            <label>
              <span class="label">{texts.train.name}</span>
              <input type="text" value={name} onInput={(event) => setName(event.currentTarget.value)} />
            </label>
            <div>
              <p class="label">{texts.train.size}</p>
              <Segments<Size>
                label={texts.train.size}
                name="size"
                value={size}
                options={SIZES.map((each) => [each, each])}
                onChange={setSize}
              />
              <p class="hint">{texts.train.sizeHint}</p>
            </div>
            <label class="check">
              <input
                type="checkbox"
                checked={features}
                onChange={(event) => setFeatures(event.currentTarget.checked)}
              />
              <span>{texts.train.features}</span>
            </label>
          </div>
          <div class="row">
            <button
              type="button"
              class="primary"
              onClick={() => {
                void inspector.train(files, { name: name || texts.train.defaultName, size: Number(size), features });
                setFiles([]);
              }}
            >
              {texts.train.go}
            </button>
            <button type="button" onClick={() => setFiles([])}>
              {texts.train.cancel}
            </button>
          </div>
        </section>
      )}
      <Failure sentence={trainFailure} />
    </>
  );
}

function Thumbnail({ picture }: { readonly picture: Picture | undefined }) {
  return picture ? <PictureCanvas picture={picture} /> : null;
}

/** Good pictures shown as odd. */
const ODD = 5;

export function Trained({ inspector }: { readonly inspector: Inspector }) {
  const { trained } = useStore(inspector.state);
  if (!trained) return null;
  const { name, result, isSaved, thumbnails } = trained;
  const { good = [], limit } = result;
  const odd = limit === undefined ? [] : good.filter(({ score }) => score > limit).slice(0, ODD);
  return (
    <details class="panel" open={!isSaved}>
      <summary>{texts.train.done(name, good.length)}</summary>
      {odd.length > 0 && (
        <details>
          <summary>{texts.train.odd(odd.length)}</summary>
          <p class="hint">{texts.train.oddHint}</p>
          <ol class="odd">
            {odd.map(({ name: picture, score }) => (
              <li key={picture}>
                <Thumbnail picture={thumbnails.get(picture)} />
                {picture} <span class="quiet">{texts.inspect.score(score)}</span>
              </li>
            ))}
          </ol>
        </details>
      )}
      <div class="row">
        <button type="button" disabled={isSaved} onClick={() => void inspector.saveTrained()}>
          {isSaved ? texts.train.saved : texts.train.save}
        </button>
        <button
          type="button"
          onClick={() => {
            for (const { name: file, bytes } of result.files) download(file, bytes);
          }}
        >
          {texts.train.download}
        </button>
      </div>
      <p class="hint">{texts.train.saveHint}</p>
    </details>
  );
}
