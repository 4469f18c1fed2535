/** Thumbnails of inspected pictures, marked regions outlined. */
import { PictureCanvas } from '../pictures/canvas.tsx';
import { texts } from '../texts.ts';
import type { Inspector } from './controller.ts';
import { type InspectItem, type Region, verdictOf } from './items.ts';

interface GalleryProps {
  readonly items: readonly InspectItem[];
  readonly limit: number | undefined;
  readonly inspector: Inspector;
}

export function Gallery({ items, limit, inspector }: GalleryProps) {
  if (items.length === 0) return <p class="quiet">{texts.inspect.noneHere}</p>;
  return (
    <ul class="gallery">
      {items.map((item) => (
        <Tile key={item.id} item={item} limit={limit} inspector={inspector} />
      ))}
    </ul>
  );
}

interface TileProps {
  readonly item: InspectItem;
  readonly limit: number | undefined;
  readonly inspector: Inspector;
}

function Tile({ item, limit, inspector }: TileProps) {
  const verdict = verdictOf(item, limit);
  const { id, name, thumbnail, result, failure, decision } = item;
  return (
    <li class={`tile ${verdict}`}>
      <button
        type="button"
        class="tile-picture"
        disabled={!result}
        aria-label={texts.inspect.tileLabel(name, texts.inspect.verdicts[verdict], result?.score)}
        onClick={() => inspector.state.patch({ selected: id })}
      >
        {thumbnail && <PictureCanvas picture={thumbnail} />}
        {result && <Outlines regions={result.regions} />}
      </button>
      <p class="tile-name" title={name}>
        {name}
      </p>
      <p class="tile-verdict">
        <span class={`badge ${verdict}`}>
          {decision ? texts.inspect.decided[decision] : texts.inspect.verdicts[verdict]}
        </span>
        {result && <span class="quiet">{texts.inspect.score(result.score)}</span>}
      </p>
      {failure && <p class="hint">{failure}</p>}
      {result && <Decide item={item} inspector={inspector} />}
    </li>
  );
}

export function Decide({ item, inspector }: { readonly item: InspectItem; readonly inspector: Inspector }) {
  const { id, name, decision } = item;
  const toggle = (wanted: 'defective' | 'good') => inspector.decide(id, decision === wanted ? undefined : wanted);
  return (
    <p class="decide">
      <button
        type="button"
        class="small"
        aria-pressed={decision === 'defective'}
        aria-label={texts.inspect.confirmLabel(name)}
        onClick={() => toggle('defective')}
      >
        {texts.inspect.confirm}
      </button>
      <button
        type="button"
        class="small"
        aria-pressed={decision === 'good'}
        aria-label={texts.inspect.rejectLabel(name)}
        onClick={() => toggle('good')}
      >
        {texts.inspect.reject}
      </button>
    </p>
  );
}

export function Outlines({ regions }: { readonly regions: readonly Region[] }) {
  return (
    <svg class="outlines" viewBox="0 0 1 1" preserveAspectRatio="none" aria-hidden="true">
      {regions.map(({ x, y, width, height }) => (
        <rect key={`${x} ${y}`} x={x} y={y} width={width} height={height} />
      ))}
    </svg>
  );
}
