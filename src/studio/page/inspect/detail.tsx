/** One inspected picture, large: its regions, and the map of what is unusual. */
import { useMemo, useState } from 'preact/hooks';
import { Segments } from '../parts/segments.tsx';
import { PictureCanvas } from '../pictures/canvas.tsx';
import { coloured } from '../pictures/planes.ts';
import { texts } from '../texts.ts';
import type { Inspector } from './controller.ts';
import { Decide, Outlines } from './gallery.tsx';
import { type InspectItem, verdictOf } from './items.ts';

type Look = 'regions' | 'map';

interface DetailProps {
  readonly item: InspectItem;
  readonly limit: number | undefined;
  readonly inspector: Inspector;
}

export function Detail({ item, limit, inspector }: DetailProps) {
  const [look, setLook] = useState<Look>('regions');
  const { name, thumbnail, result } = item;
  const map = useMemo(() => result && coloured(result.map, 255), [result]);
  const verdict = verdictOf(item, limit);
  return (
    <div class="detail">
      <div class="row spread">
        <button type="button" onClick={() => inspector.state.patch({ selected: undefined })}>
          {texts.inspect.back}
        </button>
        <Segments<Look>
          label={texts.result.looks}
          name="detail"
          value={look}
          options={[
            ['regions', texts.inspect.regions],
            ['map', texts.inspect.map],
          ]}
          onChange={setLook}
        />
      </div>
      <div class="overlaid">
        {look === 'regions' && thumbnail && <PictureCanvas picture={thumbnail} label={name} />}
        {look === 'regions' && result && <Outlines regions={result.regions} />}
        {look === 'map' && map && <PictureCanvas picture={map} label={texts.inspect.mapLabel(name)} />}
      </div>
      <p>
        <strong>{name}</strong> <span class={`badge ${verdict}`}>{texts.inspect.verdicts[verdict]}</span>{' '}
        {result && (
          <span class="quiet">{texts.inspect.detail(result.score, limit ?? result.limit, result.regions.length)}</span>
        )}
      </p>
      {look === 'map' && <p class="hint">{texts.inspect.mapHint}</p>}
      <Decide item={item} inspector={inspector} />
    </div>
  );
}
