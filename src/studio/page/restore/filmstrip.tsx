/** The pictures in a row: which is looked at, what became of each, and a place for more. */
import { useMemo, useRef } from 'preact/hooks';
import { FileInput } from '../parts/file-input.tsx';
import { PictureCanvas } from '../pictures/canvas.tsx';
import { thinnedPicture } from '../pictures/planes.ts';
import { texts } from '../texts.ts';
import type { Restorer } from './controller.ts';
import type { RestoreItem } from './items.ts';

interface FilmstripProps {
  readonly items: readonly RestoreItem[];
  readonly selected: number | undefined;
  readonly restorer: Restorer;
  readonly onFiles: (files: readonly File[]) => void;
}

/** Longer side of a thumbnail, in pixels of the screen at twice their number. */
const THUMBNAIL_SIDE = 160;

export function Filmstrip({ items, selected, restorer, onFiles }: FilmstripProps) {
  const input = useRef<HTMLInputElement>(null);
  return (
    <nav class="filmstrip" aria-label={texts.restore.pictures}>
      {items.map((item) => (
        <div class="film" key={item.id}>
          <button
            type="button"
            class={`thumb${item.id === selected ? ' chosen' : ''}`}
            aria-pressed={item.id === selected}
            aria-label={texts.restore.filmLabel(item.picture.name, texts.phases[item.phase])}
            onClick={() => restorer.state.patch({ selected: item.id })}
          >
            <Thumbnail item={item} />
            <span class={`dot ${item.phase}`} aria-hidden="true" />
          </button>
          <button
            type="button"
            class="film-remove"
            aria-label={texts.restore.remove(item.picture.name)}
            onClick={() => restorer.remove(item.id)}
          >
            ×
          </button>
        </div>
      ))}
      <button type="button" class="thumb more" onClick={() => input.current?.click()}>
        <span aria-hidden="true">+</span>
        <span class="hidden">{texts.restore.addMore}</span>
      </button>
      <FileInput input={input} label={texts.restore.addMore} accept={texts.accepted} onFiles={onFiles} />
      {items.filter(({ phase }) => phase === 'ready').length > 1 && (
        <button type="button" onClick={() => restorer.start()}>
          {texts.restore.goAll}
        </button>
      )}
    </nav>
  );
}

function Thumbnail({ item }: { readonly item: RestoreItem }) {
  const picture = item.result?.composite ?? item.picture;
  const small = useMemo(
    () => thinnedPicture(picture, Math.max(1, Math.floor(Math.max(picture.width, picture.height) / THUMBNAIL_SIDE))),
    [picture],
  );
  return <PictureCanvas picture={small} />;
}
