/** A picture that waits for its restoration: the picture, and one button. */
import { Failure } from '../parts/failure.tsx';
import { PictureCanvas } from '../pictures/canvas.tsx';
import { shownPicture } from '../pictures/planes.ts';
import { texts } from '../texts.ts';
import type { Restorer } from './controller.ts';
import type { RestoreItem } from './items.ts';

interface ReadyViewProps {
  readonly item: RestoreItem;
  /** Is the model open? */
  readonly isOpen: boolean;
  readonly restorer: Restorer;
}

export function ReadyView({ item, isOpen, restorer }: ReadyViewProps) {
  const { picture, phase, failure } = item;
  const shown = shownPicture(picture);
  const isWaiting = phase === 'waiting';
  return (
    <div class="work">
      <div class="hero">
        <PictureCanvas picture={shown} label={texts.restore.pictureLabel(picture.name)} class="hero-picture" />
      </div>
      <aside class="aside" aria-label={texts.restore.asideLabel}>
        <h2 class="aside-title">{picture.name}</h2>
        <p class="quiet">{texts.pixels(picture.width, picture.height)}</p>
        <Failure sentence={failure} />
        <button type="button" class="primary large" disabled={!isOpen || isWaiting} onClick={() => restorer.start()}>
          {isWaiting ? texts.restore.waiting : isOpen ? texts.restore.go : texts.models.opening}
        </button>
        <p class="hint">{texts.restore.goHint}</p>
      </aside>
    </div>
  );
}
